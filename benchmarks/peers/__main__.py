"""This agent against its peers and against bare clients, on the same plant: `make bench-edge`.

In turn, ROUNDS times: each gateway reads the same simulated plant (50 devices with 30 float32, 60
registers in one read) as fast as it can, alone on its core; delivered values are counted at the
other end of the broker and divided by the CPU seconds (user + system) of the gateway's process.
Then ours alone: at one second, and with an hour's backlog to send. usage: [ROUNDS]
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from peers import plant
from peers.contenders import FOR_EVER, Contender, Modpoll, Ours, Place, ThingsBoard
from peers.processes import (
    GATEWAY_CORE,
    REST_CORE,
    cpu_s,
    interpreter,
    rss_bytes,
    running,
    start,
)

if TYPE_CHECKING:
    from subprocess import Popen

HERE = Path(__file__).parent
WARM_UP_S = {"thingsboard-gateway 3.8.5": 12.0}
MEASURE_S = 5.0
BACKLOG_SLOTS = 3600
BARE = {"asyncio": "bare, asyncio", "uvloop": "bare, uvloop"}
SAME_LOOP = "ours runs on the loop of the first bare client, asyncio's own"


@dataclass(frozen=True, slots=True)
class Run:
    """One contender, once: what it delivered in how many CPU seconds."""

    values: int
    cpu_s: float
    seconds: float
    rss_bytes: int = 0

    @property
    def per_cpu_s(self) -> float:
        return self.values / self.cpu_s


@dataclass(slots=True)
class Bench:
    """Folder, plant and broker of a whole benchmark."""

    folder: Path
    ports: list[int]
    broker_port: int
    runs: dict[str, list[Run]] = field(default_factory=dict)
    count: int = 0

    def place(self) -> Place:
        self.count += 1
        return Place(self.folder / f"run{self.count}", self.ports, self.broker_port)

    def bare(self, loop: str) -> None:
        arguments = [interpreter(), HERE / "bare.py", loop, MEASURE_S, *self.ports]
        process = start(GATEWAY_CORE, arguments)
        found = json.loads(process.communicate()[0])
        values = found["requests"] * plant.VALUES
        self.runs.setdefault(BARE[loop], []).append(Run(values, found["cpu_s"], found["seconds"]))

    def contender(self, contender: Contender) -> None:
        place = self.place()
        with (
            contender.receiver(place) as receiver,
            contender.beside(place),
            running(contender.start(place)) as process,
        ):
            time.sleep(WARM_UP_S.get(contender.name, 3.0))
            values, used_s, since_s = receiver.values, cpu_s(process.pid), time.perf_counter()
            time.sleep(MEASURE_S)
            run = Run(
                receiver.values - values,
                cpu_s(process.pid) - used_s,
                time.perf_counter() - since_s,
                rss_bytes(process.pid),
            )
        if not run.values:
            raise SystemExit(f"{contender.name} delivered nothing: see {place.folder / 'log'}")
        self.runs.setdefault(contender.name, []).append(run)


def main(rounds: int) -> None:
    """Print the table of the peers, then what ours needs at rest and after an outage."""
    os.sched_setaffinity(0, {REST_CORE})
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="bench-edge-", dir=Path.cwd()))
    with bench(folder) as (found, broker):
        contenders = [Ours(FOR_EVER), Modpoll(), ThingsBoard()]
        for each in contenders:
            with console.status(f"installing {each.name}"):
                each.install()
        for number in range(rounds):
            with console.status(f"round {number + 1} of {rounds}"):
                for loop in BARE:
                    found.bare(loop)
                for each in contenders:
                    found.contender(each)
        console.print(comparison(found.runs))
        with console.status("one reading a second"):
            console.print(at_one_second(found))
        with console.status("an hour's backlog"):
            console.print(after_an_hour(found, broker))
    shutil.rmtree(folder)


def comparison(runs: dict[str, list[Run]]) -> Table:
    """Median and spread of delivered values for each CPU second; how many times less than ours."""
    title = f"{plant.DEVICES} devices × {plant.VALUES} float32, as fast as possible"
    table = Table(title=title, caption=SAME_LOOP)
    for column in ("gateway", "values/CPU s", "min–max", "values/s", "RSS MB", "ours ÷ it"):
        table.add_column(column, justify="left" if column == "gateway" else "right")
    ours = statistics.median(run.per_cpu_s for run in runs[Ours.name])
    for name, each in runs.items():
        rates = [run.per_cpu_s for run in each]
        middle = statistics.median(rates)
        table.add_row(
            name,
            f"{middle:,.0f}",
            f"{min(rates):,.0f}–{max(rates):,.0f}",
            f"{statistics.median(run.values / run.seconds for run in each):,.0f}",
            f"{max(run.rss_bytes for run in each) / 1e6:.0f}",
            f"{ours / middle:.2f}",
        )
    return table


def at_one_second(found: Bench) -> str:
    """CPU and memory at one reading of everything a second."""
    ours, place, seconds = Ours(), found.place(), 20.0
    with ours.receiver(place) as receiver, running(ours.start(place)) as process:
        time.sleep(5)
        used_s, values = cpu_s(process.pid), receiver.values
        time.sleep(seconds)
        share = (cpu_s(process.pid) - used_s) / seconds
        rss = rss_bytes(process.pid)
    return (
        f"at 1 s: {100 * share:.1f} % of a core, {rss / 1e6:.0f} MB, "
        f"{(receiver.values - values) / seconds:,.0f} values/s delivered"
    )


def after_an_hour(found: Bench, broker: "BrokerProcess") -> str:
    """The broker goes away after the first ack, an hour's slots are read, then it comes back."""
    ours, place = Ours(BACKLOG_SLOTS), found.place()
    with ours.receiver(place), ours.beside(place), running(ours.start(place)):
        platform = ours.platform
        assert platform is not None
        while platform.acked[1] < 1:
            time.sleep(0.01)
        time.sleep(1.0)  # the ack reaches the agent: before its first, a chain goes in order
        broker.stop()
        before, stored = len(platform.arrived), platform.receiver.values
        wait_for_backlog(place.folder / "spool", BACKLOG_SLOTS)
        broker.start()
        since_s = time.perf_counter()
        drained_s = wait_until_drained(ours, since_s)
    later = [seq for _, seq, _ in platform.arrived[before:]]
    check_counts(ours)
    values = platform.receiver.values - stored
    return (
        f"a backlog of {values:,} values drained in {drained_s:.1f} s: "
        f"{values / plant.VALUES / plant.DEVICES / drained_s:.0f} × real time; the first batch to "
        f"arrive was number {later[0]}, the backlog began at {min(later)}"
    )


def wait_for_backlog(spool: Path, slots: int) -> None:
    """Until the agent's own status tells so many slots."""
    deadline_s = time.monotonic() + 300
    while time.monotonic() < deadline_s:
        time.sleep(0.2)
        for path in spool.glob("agent-status.json"):
            if json.loads(path.read_text())["counters"]["slots"] >= slots:
                return
    raise SystemExit("the backlog was not read within 300 s")


def wait_until_drained(ours: Ours, since_s: float) -> float:
    """Seconds until every batch without a hole reaches what was sealed before."""
    platform = ours.platform
    assert platform is not None
    while time.perf_counter() - since_s < 600:
        time.sleep(0.05)
        arrived = [seq for _, seq, last_ms in platform.arrived if last_ms]
        if (
            arrived
            and platform.acked[1] >= max(arrived)
            and platform.receiver.values >= (BACKLOG_SLOTS * plant.VALUES * plant.DEVICES)
        ):
            return time.perf_counter() - since_s
    raise SystemExit("the backlog was not drained within 600 s")


def check_counts(ours: Ours) -> None:
    """Every device's counter comes once for each slot."""
    assert ours.platform is not None
    slots = {t_ms // 1000 for t_ms, _ in ours.platform.counts}
    assert len(ours.platform.counts) == len(slots) * plant.DEVICES, "a value lost or twice"


class BrokerProcess:
    """mosquitto, open to this machine only."""

    def __init__(self, folder: Path, port: int) -> None:
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "log_type none\nset_tcp_nodelay true\n"
        )
        self._process: Popen[str] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = start(REST_CORE, [program, "-c", self._config])
        time.sleep(0.5)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def bench(folder: Path) -> Iterator[tuple[Bench, BrokerProcess]]:
    """The plant and the broker, while the block lasts."""
    from tanzheng.ingest.broker import free_port

    port = free_port()
    broker = BrokerProcess(folder, port)
    broker.start()
    arguments = [interpreter(), HERE / "simulator.py", plant.DEVICES]
    try:
        with running(start(REST_CORE, arguments)) as simulator:
            assert simulator.stdout is not None
            yield Bench(folder, json.loads(simulator.stdout.readline()), port), broker
    finally:
        broker.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
