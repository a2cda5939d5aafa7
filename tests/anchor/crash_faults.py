"""Faults around a seal that are no kill: of the chain, of the disk, by a second sealer."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from acceptance.little_disk import fill, little_disk
from anchor.crash_points import SEND, Moment, done_at, killed_at
from anchor.crash_world import REQUEST_S_MAX
from anchor.rpc_proxy import proxied
from tanzheng.anchor.chain_file import NAME, ChainFile
from tanzheng.anchor.errors import ChainUnavailable, DiskRefused, SequenceTaken
from tanzheng.anchor.node import Node
from tanzheng.anchor.publication import Finality
from tanzheng.core.errors import TanzhengError

if TYPE_CHECKING:
    from anchor.crash_world import World

DEPTHS = range(1, 11)
DISK_MIB = 1
PAGE_BYTES = 4096
PAGES_FREE = range(6)


def node_restarted(world: World) -> int:
    """The sealer is killed, the node stopped and started with its state, at each record."""
    for state in ("prepared", "sent", "mined", "final"):
        number = world.begin()
        assert killed_at(f"record: {state}", Moment.AFTER, partial(world.seal, number))
        world.note()
        world.anvil.stop()
        world.anvil.start()
        world.seal(number)
    return 4


def reorganised(world: World) -> int:
    """The block of a publication is gone before it is final, 1 to 10 blocks deep."""
    _wait_for(world, DEPTHS[-1])
    node = Node(world.anvil.url)
    for depth in DEPTHS:
        number = world.begin()
        assert killed_at("record: mined", Moment.AFTER, partial(world.seal, number))
        world.note()
        node.rpc("anvil_mine", hex(depth - 1))
        node.rpc("anvil_reorg", depth, [])
        # anvil's clock falls behind at each reorganisation; a chain's does not.
        latest_s = int(node.block("latest")["timestamp"], 16)
        node.rpc("evm_setNextBlockTimestamp", max(int(time.time()), latest_s + 1))
        with _mining(node):
            world.seal(number)
    return len(DEPTHS)


def second_sealer(world: World) -> int:
    """Two copies of the log seal at once: one wins, the other is told, and given up."""
    world.seal(world.begin())
    for _ in range(5):
        numbers = world.begin(), world.begin()
        copy, log = world.folder / "copy", world.log
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(log, copy)
        children = []
        for place, number in zip((log, copy), numbers, strict=True):
            if (child := os.fork()) == 0:
                world.log = place
                _taken(world, number)
            children.append(child)
        taken = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert sorted(taken) == [0, SequenceTaken.exit_code], taken
        first, second = numbers
        if taken[0] != 0:
            shutil.rmtree(log)
            copy.rename(log)
            first, second = second, first
        world.seal(first)
        world.seal(second)
    return 5


def _taken(world: World, number: int) -> None:
    code = 0
    try:
        while True:  # the other's transaction may be in the node's hands and in no block yet
            with contextlib.suppress(ChainUnavailable):
                world.seal(number)
                break
    except TanzhengError as error:
        code = error.exit_code
    finally:
        os._exit(code)


def disk_full(world: World) -> int:
    """The disk takes a few pages more, then none, then is given room again."""
    with little_disk(world.folder / "disk", DISK_MIB) as disk:
        shutil.copytree(world.log, disk / "anchor")
        kept, world.log = world.log, disk / "anchor"
        failed = 0
        for pages in PAGES_FREE:
            number, ballast = world.begin(), disk / "ballast"
            fill(ballast)
            os.truncate(ballast, max(ballast.stat().st_size - pages * PAGE_BYTES, 0))
            try:
                world.seal(number)
            except DiskRefused:
                failed += 1
            world.note()
            ballast.unlink()
            world.seal(number)
        shutil.rmtree(kept)
        shutil.copytree(world.log, kept)
        world.log = kept
    return failed


def node_frozen(world: World) -> int:
    """The node is frozen when it is handed the transaction, and goes on later."""
    for _ in range(3):
        number = world.begin()
        done_at(SEND, world.anvil.pause, partial(world.seal, number))
        world.note()
        world.anvil.resume()
        world.seal(number)
    return 3


def node_late(world: World) -> int:
    """The node mines the transaction and says so when the sealer has given up waiting."""
    for _ in range(3):
        number = world.begin()
        with proxied(world.anvil.url) as proxy:
            proxy.delay_s["eth_sendRawTransaction"] = 2 * REQUEST_S_MAX
            with pytest.raises(ChainUnavailable):
                world.seal(number, proxy.url)
        world.note()
        assert world.published() == len(world.sealed) + 1
        world.seal(number)
    return 3


@contextmanager
def _mining(node: Node) -> Iterator[None]:
    """A block every 50 ms."""
    ended = threading.Event()

    def mine() -> None:
        while not ended.wait(0.05):
            node.rpc("anvil_mine", "0x1")

    thread = threading.Thread(target=mine)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _wait_for(world: World, confirmations: int) -> None:
    """Blocks are final from now on with so many above them."""
    chain = replace(ChainFile.read(world.log), finality=Finality(confirmations))
    (world.log / NAME).unlink()
    chain.write(world.log)


FAULTS: MappingProxyType[str, Callable[[World], int]] = MappingProxyType(
    {
        "node restarted with its state · 节点带状态重启": node_restarted,
        "reorganisation 1 to 10 deep · 1～10 层链重组": reorganised,
        "second sealer on a copy of the log · 日志副本上的第二封存者": second_sealer,
        "disk full · 磁盘写满": disk_full,
        "node frozen · 节点冻结": node_frozen,
        "node answers too late · 节点应答过迟": node_late,
    }
)
