"""What waits for the chain: accepted while it is away, brought there by `anchor run`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from anchor.packages import OPERATOR, observed, package, written
from anchor.test_commands import machine
from tanzheng.anchor.backlog import Backlog
from tanzheng.anchor.chain_file import ChainFile
from tanzheng.anchor.contract import CheckpointLog
from tanzheng.anchor.errors import ChainUnavailable, LogBusy, NotFinal, SequenceTaken
from tanzheng.anchor.node import Node
from tanzheng.anchor.runner import IDLE_S, RETRY_S_MAX, Retries, run
from tanzheng.anchor.service import AnchorFolder
from tanzheng.core.points import Verdict
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tanzheng.anchor.devchain import Anvil

MONTHS = ("2018-05", "2018-06", "2018-07")


class Log:
    """A log, its keys, and packages beside it."""

    def __init__(self, anvil: Anvil, folder: Path) -> None:
        self.anvil = anvil
        self.folder = folder
        self.log = folder / "log"
        self.key = folder / "operator.pem"
        self.key.write_bytes(OPERATOR.to_pem())
        machine("deploy", "--dev", "--rpc", anvil.url, "--dir", self.log)

    def seal(self, month: str, *more: str) -> dict[str, Any]:
        return self._packaged("seal", month, *more)

    def receipt(self, month: str) -> dict[str, Any]:
        return self._packaged("receipt", month)

    def _packaged(self, command: str, month: str, *more: str) -> dict[str, Any]:
        bag = written(package(month), self.folder / month)
        return machine(
            *(command, "--dir", self.log, "--package", bag, "--out", self.folder / f"{month}.cbor"),
            *("--operator-key", self.key, *more),
        )

    def holds(self, month: str) -> bool:
        """Whether the receipt of `month` is good for an observer of the chain."""
        trust = observed(Node(self.anvil.url), ChainFile.read(self.log))
        found = decode((self.folder / f"{month}.cbor").read_bytes())
        return all(point.verdict is not Verdict.FAILED for point in check_receipt(found, trust))

    def waiting(self) -> tuple[int, int]:
        backlog = AnchorFolder(self.log).backlog()
        return backlog.statements, len(backlog.checkpoints)

    def running(self, *more: str) -> subprocess.Popen[str]:
        tanzheng = str(Path(sys.executable).with_name("tanzheng"))
        command = [tanzheng, "anchor", "run", "--dir", str(self.log)]
        command += ["--operator-key", str(self.key), "--json", *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def log(anvil: Anvil, tmp_path: Path) -> Log:
    return Log(anvil, tmp_path)


def until(told: Callable[[], bool], s_max: float = 20) -> None:
    deadline = time.monotonic() + s_max
    while not told():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_accepted_now_and_anchored_later(log: Log) -> None:
    for month in MONTHS:
        accepted = log.seal(month, "--no-wait")
        assert accepted["receipt"] is None
        assert not (log.folder / f"{month}.cbor").exists()
    assert log.waiting() == (3, 0)
    with pytest.raises(NotFinal, match="leaf 0"):
        log.receipt(MONTHS[0])
    run_once(log)
    assert log.waiting() == (0, 0)
    assert machine("status", "--dir", log.log)["on_chain_seq"] == 1  # one checkpoint over three
    for month in MONTHS:
        log.receipt(month)
        assert log.holds(month)


def run_once(log: Log) -> None:
    machine_lines("run", "--dir", log.log, "--operator-key", log.key, "--once")


def machine_lines(*arguments: object) -> list[dict[str, Any]]:
    from anchor.test_commands import run as command

    return [json.loads(line) for line in command(*arguments, "--json").splitlines()]


def test_the_chain_is_away_when_a_month_is_closed(log: Log) -> None:
    """Also without `--no-wait` the statement is in the log; the receipt is what has to wait."""
    log.seal(MONTHS[0])
    log.anvil.stop()
    log.seal(MONTHS[1], "--no-wait")
    with pytest.raises(ChainUnavailable):
        log.seal(MONTHS[2])
    assert log.waiting() == (2, 1)
    status = machine("status", "--dir", log.log, "--offline")
    assert (status["statements_waiting"], status["checkpoints_waiting"]) == (2, ["2 signed"])


def test_the_first_statement_of_a_log_names_a_block(log: Log) -> None:
    log.anvil.stop()
    with pytest.raises(ChainUnavailable):
        log.seal(MONTHS[0], "--no-wait")
    assert log.waiting() == (0, 0)


def test_receipt_without_a_chain(log: Log) -> None:
    """What became final has its proof on disk: nodes forget old states."""
    log.seal(MONTHS[0])
    receipt = (log.folder / f"{MONTHS[0]}.cbor").read_bytes()
    log.anvil.stop()
    log.receipt(MONTHS[0])
    assert (log.folder / f"{MONTHS[0]}.cbor").read_bytes() == receipt


def test_receipt_of_the_last_final_checkpoint_while_more_waits(log: Log) -> None:
    log.seal(MONTHS[0])
    log.seal(MONTHS[1], "--no-wait")
    log.receipt(MONTHS[0])
    assert log.holds(MONTHS[0])


def test_statements_come_in_while_one_is_published(log: Log) -> None:
    """`run` holds the log only while it signs; who wants to publish beside it is told."""
    log.seal(MONTHS[0], "--no-wait")
    node = Node(log.anvil.url)
    node.rpc("evm_setAutomine", False)
    with log.running() as process:
        assert process.stdout is not None
        lines = process.stdout
        until(lambda: '"sent"' in lines.readline())
        log.seal(MONTHS[1], "--no-wait")
        with pytest.raises(LogBusy) as caught:
            log.seal(MONTHS[2])
        assert "receipt" in caught.value.diagnostics()
        assert log.waiting() == (3, 1)
        node.rpc("evm_setAutomine", True)
        node.rpc("anvil_mine", "0x1")
        until(lambda: log.waiting() == (0, 0))
        process.terminate()
        assert process.wait(10) == 0
    for month in MONTHS:
        log.receipt(month)
        assert log.holds(month)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_run_may_end_at_any_time(log: Log, number: signal.Signals) -> None:
    log.seal(MONTHS[0])
    log.seal(MONTHS[1], "--no-wait")
    log.anvil.pause()
    with log.running("--metrics", str(log.folder / "anchor.prom")) as process:
        assert process.stdout is not None
        assert '"waiting"' in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(10) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    log.anvil.resume()
    run_once(log)
    assert log.waiting() == (0, 0)
    assert CheckpointLog(Node(log.anvil.url), contract(log)).latest().seq == 2


def contract(log: Log) -> str:
    return f"0x{ChainFile.read(log.log).contract.hex()}"


def test_metrics(log: Log) -> None:
    log.seal(MONTHS[0])
    log.seal(MONTHS[1], "--no-wait")
    url, file = log.anvil.url, log.folder / "anchor.prom"
    log.anvil.stop()
    with log.running("--metrics", str(file)) as process:
        until(lambda: file.exists() and "in_a_row 1.0" in file.read_text())
        process.terminate()
    told = {
        (sample.name.removeprefix("tanzheng_anchor_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }
    assert told["statements_waiting",] == told["checkpoints_waiting",] == 1
    assert told["retry_delay_seconds",] == 1
    assert told["node_up", url] == 0


# ------------------------------------------------------------------ the loop by itself


class Script:
    """Drains by a list: an error to raise, or None; waits for nothing, counts its naps."""

    def __init__(self, *steps: Exception | None) -> None:
        self._steps = list(steps)
        self.naps: list[float] = []

    def backlog(self) -> Backlog:
        return Backlog(len(self._steps), (), None)

    def drain(self) -> None:
        step = self._steps.pop(0)
        if step is not None:
            raise step


def naps(script: Script, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setattr(time, "sleep", script.naps.append)
    run(script, lambda _e, _s: None, lambda _b, _r: None, once=True)
    return script.naps


def test_waits_twice_as_long_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [ChainUnavailable("away")] * 11
    assert naps(Script(*away, None, away[0], None), monkeypatch) == [
        *(1, 2, 4, 8, 16, 32, 64, 128, 256, RETRY_S_MAX, RETRY_S_MAX),
        1,  # from the start again after a success
    ]


def test_what_a_person_must_look_at_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SequenceTaken):
        naps(Script(ChainUnavailable("away"), SequenceTaken("two logs")), monkeypatch)


def test_no_delay_without_a_failure() -> None:
    assert Retries().delay_s == 0
    assert IDLE_S < RETRY_S_MAX
