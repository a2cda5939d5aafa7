"""Logs on disk without a chain: many small statements, and checkpoints over them."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anchor.packages import OPERATOR
from evidence import CHAIN_ID, CONTRACT, LOG_ID, TIME_S, statement
from tanzheng.anchor.chain_file import ChainFile
from tanzheng.anchor.log_store import Contents, LogStore
from tanzheng.anchor.publication import Finality
from tanzheng.anchor.sealing import next_checkpoint
from tanzheng.core import cbor
from tanzheng.core.ids import Subject
from tanzheng.core.trust import OperatorKey, Trust
from tanzheng.files import durable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tanzheng.core.checkpoint import Checkpoint, SignedCheckpoint
    from tanzheng.core.statement import SignedStatement

CHAIN = ChainFile(
    rpc="http://127.0.0.1:8545",
    chain_id=CHAIN_ID,
    contract=CONTRACT,
    log_id=LOG_ID,
    block=1,
    finality=Finality(0),
    sealer_key="sealer.key",
)


def subject(number: int) -> Subject:
    return Subject(f"E{number:05d}", "CT1", "2018-07", "month")


@cache
def stated(number: int) -> SignedStatement:
    """The first statement of a subject of its own."""
    return statement(subject(number)).sign(OPERATOR)


def append(store: LogStore, contents: Contents, count: int) -> None:
    size = contents.size
    store.append(contents, [stated(number) for number in range(size, size + count)])


def checkpoint(store: LogStore, contents: Contents) -> None:
    now_ms = (TIME_S + 10 * len(contents.checkpoints)) * 1000
    point = next_checkpoint(contents, CHAIN, now_ms)
    store.add_checkpoint(contents, point.sign(OPERATOR))


def sealed(folder: Path, *sizes: int) -> Path:
    """A log in `folder` with a checkpoint at each of `sizes`."""
    store = LogStore(folder)
    with store.lock():
        contents = store.open()
        for size in sizes:
            append(store, contents, size - contents.size)
            checkpoint(store, contents)
    return folder


def trust(**changes: Any) -> Trust:
    """What a verifier of these logs trusts: the log and its operator's key."""
    plain = Trust(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        log_id=LOG_ID,
        operator_keys=(OperatorKey(OPERATOR.public, 0, None),),
        gateways=(),
        plants=(),
        blocks=(),
    )
    return replace(plain, **changes)


def next_point(signed: SignedCheckpoint, **changes: Any) -> Checkpoint:
    """The checkpoint after `signed`, over the same statements unless changed."""
    point = signed.checkpoint
    following = replace(point, seq=point.seq + 1, previous=signed.digest, t_ms=point.t_ms + 1)
    return replace(following, **changes)


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process of its own that is killed before its `step`-th disk operation.

    Each sync and each taking of a name counts by itself; an append twice: it is killed before it,
    and with half of the bytes written.
    """
    if (child := os.fork()) == 0:
        left = step

        def die(operation: Callable[..., None]) -> Callable[..., None]:
            def wrapped(*arguments: object) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                if operation is append:
                    path, data, at = arguments
                    left -= 1
                    if left == 0:
                        assert isinstance(data, bytes)
                        append(path, data[: len(data) // 2], at)  # type: ignore[arg-type]
                        os.kill(os.getpid(), signal.SIGKILL)
                operation(*arguments)

            return wrapped

        append = durable.append
        for name in ("append", "truncate", "remove", "rename", "overwrite", "create_idempotent"):
            setattr(durable, name, die(getattr(durable, name)))
        for name in ("link", "replace", "fsync"):
            setattr(os, name, die(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def flip(path: Path, at: int) -> None:
    """One bit of the byte `at` turned."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def cut(path: Path, octets: int) -> None:
    """The last bytes gone."""
    path.write_bytes(path.read_bytes()[:-octets])


def swap(bundle: Path) -> None:
    """The first two statements of a bundle in each other's place."""
    first, second, *others = cbor.split(bundle.read_bytes())
    bundle.write_bytes(b"".join([second, first, *others]))
