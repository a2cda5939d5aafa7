"""A year of statements on disk, and what checking one receipt takes."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from log.limits import Row
from tanzheng.anchor.chain_file import ChainFile
from tanzheng.anchor.log_store import LogStore
from tanzheng.anchor.publication import Finality
from tanzheng.anchor.sealing import next_checkpoint
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_audit import audit
from tanzheng.core.manifest import DataPack
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statement import BlockReference, SignedStatement, Statement
from tanzheng.verifier.log_source import open_log

STATEMENTS = 45_500  # 3,500 units: twelve months and a year
MONTHS = 12
CHECKS = 2_000
ROUNDS = 5
KEY = SigningKey.from_seed(bytes(32))
CHAIN = ChainFile("", 31337, bytes(20), bytes(32), 1, Finality(0), "")


def rows() -> list[Row]:
    """Signing, sealing, opening and auditing the year; a receipt check."""
    start = time.perf_counter()
    signed = [_statement(number).sign(KEY) for number in range(STATEMENTS)]
    signing_s = time.perf_counter() - start
    with TemporaryDirectory() as folder:
        seal_s = min(_seal(Path(folder) / str(each), signed, MONTHS) for each in range(2))
        daily_s = _seal(Path(folder) / "daily", signed, 365)
        log = Path(folder) / "0"
        start = time.perf_counter()
        LogStore(log).open()
        open_s = time.perf_counter() - start
        start = time.perf_counter()
        assert audit(open_log(str(log))).findings == ()
        audit_s = time.perf_counter() - start
    tried = f"{STATEMENTS:,} signed statements"
    disk = f"{tried}, {MONTHS} checkpoints, durable, read back, both roots twice"
    return [
        Row("a year sealed", seal_s, "s", disk, 5.0),
        Row("… with 365 checkpoints", daily_s, "s", "heads of every checkpoint anew"),
        Row("… signed before", signing_s, "s", "Ed25519, form checked both ways"),
        Row("a year's log opened", open_s, "s", "every statement hashed again"),
        Row("a year's log audited", audit_s, "s", "and taken apart, every checkpoint's heads"),
        Row("receipt checked off line", _check_ms(), "ms", f"median of {CHECKS:,}", 1.0),
    ]


def _seal(folder: Path, signed: list[SignedStatement], checkpoints: int) -> float:
    start = time.perf_counter()
    store = LogStore(folder)
    with store.lock():
        contents = store.open()
        for number in range(checkpoints):
            end = len(signed) * (number + 1) // checkpoints
            store.append(contents, signed[contents.size : end])
            point = next_checkpoint(contents, CHAIN, number)
            store.add_checkpoint(contents, point.sign(KEY))
    return time.perf_counter() - start


def _statement(number: int) -> Statement:
    unit, month = divmod(number, 13)
    period = f"2026-{month + 1:02d}" if month < MONTHS else "2026"
    pack = DataPack("cn-power", "2022", sha256(b"standard"))
    return Statement(
        issuer="operator",
        subject=Subject(f"E{unit:05d}", "U1", period, "month" if month < MONTHS else "year"),
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


def _check_ms() -> float:
    """Decode a receipt and check every point of it, against a trust file read before."""
    from evidence import Operator

    operator = Operator()
    for number in range(64):
        operator.seal(_statement(number))
    data = operator.receipt()
    trust = operator.trust()
    taken = list[float]()
    for _ in range(CHECKS):
        start = time.perf_counter()
        check_receipt(decode(data), trust)
        taken.append(time.perf_counter() - start)
    return sorted(taken)[CHECKS // 2] * 1000
