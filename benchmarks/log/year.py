"""A year of statements on disk, and what checking one receipt takes."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from evidence import Operator
from limits import Row
from tanzheng.anchor.chain_file import ChainFile
from tanzheng.anchor.log_store import LogStore
from tanzheng.anchor.publication import Finality
from tanzheng.anchor.sealing import next_checkpoint
from tanzheng.core import evm
from tanzheng.core.hashing import keccak256, keccak256_python, sha256
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_audit import audit
from tanzheng.core.manifest import DataPack
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statement import BlockReference, SignedStatement, Statement
from tanzheng.core.trust import OperatorKey, Trust
from tanzheng.verifier.log_source import open_log

STATEMENTS = 45_500  # 3,500 units: twelve months and a year
MONTHS = 12
CHECKS = 200
KEY = SigningKey.from_seed(bytes(32))
CHAIN = ChainFile("", 31337, bytes(20), bytes(32), 1, Finality(0), "")
TRUST = Trust(
    chain_id=CHAIN.chain_id,
    contract=CHAIN.contract,
    log_id=CHAIN.log_id,
    operator_keys=(OperatorKey(KEY.public, 0, None),),
    gateways=(),
    plants=(),
    blocks=(),
)


def rows() -> list[Row]:
    """Signing, sealing, opening and auditing the year; a receipt check."""
    signed = list[SignedStatement]()
    signing = _timed(lambda: signed.extend(_statement(n).sign(KEY) for n in range(STATEMENTS)))
    with TemporaryDirectory() as folder:
        log, daily = Path(folder) / "monthly", Path(folder) / "daily"
        seal = _timed(lambda: _seal(log, signed, MONTHS))
        seal_daily = _timed(lambda: _seal(daily, signed, 365))
        opened = _timed(lambda: LogStore(log).open())
        audited = _timed(lambda: _audit(log))
        judged = _timed(lambda: _audit(log, TRUST))
    disk = f"{STATEMENTS:,} signed statements, {MONTHS} checkpoints, fsync, read back"
    return [
        Row("a year sealed", seal.cpu_s, "s CPU", disk, 5.0),
        Row("… by the wall", seal.wall_s, "s", f"load {os.getloadavg()[0]:.1f} on this machine"),
        Row("… with 365 checkpoints", seal_daily.cpu_s, "s CPU", "each with the heads anew"),
        Row("… signed before", signing.cpu_s, "s CPU", "Ed25519, form checked both ways"),
        Row("a year's log opened", opened.cpu_s, "s CPU", "every statement hashed again"),
        Row("a year's log audited", audited.cpu_s, "s CPU", "every statement taken apart"),
        Row("… with a trust file", judged.cpu_s, "s CPU", "and every signature, by its role"),
        *_receipt_rows(),
    ]


@dataclass(frozen=True, slots=True)
class Taken:
    """What some work took: of a core, and by the wall."""

    cpu_s: float
    wall_s: float


def _timed(work: Callable[[], object]) -> Taken:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work()
    return Taken(time.process_time() - cpu_s, time.perf_counter() - wall_s)


def _seal(folder: Path, signed: list[SignedStatement], checkpoints: int) -> None:
    store = LogStore(folder)
    with store.lock():
        contents = store.open()
        for number in range(checkpoints):
            end = len(signed) * (number + 1) // checkpoints
            store.append(contents, signed[contents.size : end])
            point = next_checkpoint(contents, CHAIN, number)
            store.add_checkpoint(contents, point.sign(KEY))


def _audit(folder: Path, trust: Trust | None = None) -> None:
    found = audit(open_log(str(folder)), trust=trust)
    assert (found.statements, found.findings) == (STATEMENTS, ())


def _statement(number: int) -> Statement:
    unit, month = divmod(number, 13)
    period, kind = (f"2026-{month + 1:02d}", "month") if month < MONTHS else ("2026", "month.year")
    pack = DataPack("cn-power", "2022", sha256(b"standard"))
    return Statement(
        issuer="operator",
        subject=Subject(f"E{unit:05d}", "U1", period, kind),
        start_ms=1_767_196_800_000,
        end_ms=1_769_875_200_000,
        seq=1,
        prev=None,
        supersedes=None,
        manifest_sha256=sha256(b"manifest %d" % number),
        manifest_sm3=sha256(b"sm3 %d" % number),
        parameters_root=sha256(b"root %d" % number),
        gateways=(),
        standard=pack,
        rules=pack,
        software="tanzheng",
        not_before=BlockReference(1, bytes(32)),
    )


def _receipt_rows() -> list[Row]:
    """Decode a receipt and check every point of it, against a trust file read before."""
    operator = Operator()
    for number in range(64):
        operator.seal(_statement(number))
    data, trust = operator.receipt(), operator.trust()

    def check() -> None:
        for _ in range(CHECKS):
            check_receipt(decode(data), trust)

    def taken_ms() -> float:
        return _timed(check).cpu_s / CHECKS * 1000

    said = f"mean of {CHECKS}, {len(data):,} B, Keccak by "
    compiled_ms = taken_ms()
    setattr(evm, "keccak256", keccak256_python)  # noqa: B010 - a name that evm only borrows
    python_ms = taken_ms()
    setattr(evm, "keccak256", keccak256)  # noqa: B010
    return [
        Row("receipt checked off line", compiled_ms, "ms CPU", f"{said}pycryptodome", 1.0),
        Row("… with no compiled package", python_ms, "ms CPU", f"{said}core in plain Python"),
    ]
