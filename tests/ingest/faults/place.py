"""The platform's entrance with its gateways, each a real part that can be hurt."""

import os
import random
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from acceptance.little_disk import little_disk
from ingest.boxes import Box, second_box, write_files
from ingest.faults.senders import Sender
from ingest.service import start_ingest
from parts import REPOSITORY, server_folder
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.migrate import migrate
from timescale import INSIDE, TREE, Timescale

DISK_MIB = 1000
CATCH_UP_S_MAX = 120.0
Server = EmbeddedPostgres | Timescale
KINDS = ("embedded", "timescale")


@dataclass
class Service:
    """`tanzheng ingest run`, which may be killed and started again."""

    broker: Broker
    url: str
    folder: Path
    gateways: Path
    switch: str | None = None
    peak_mib: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def clock(self) -> Path:
        """What its wall clock shows, where the file is there."""
        return self.folder / "clock"

    @property
    def said(self) -> str:
        return (self.folder / "ingest.log").read_text()

    def start(self) -> None:
        os.environ["PYTHONPATH"] = str(REPOSITORY / "tests")
        program = [sys.executable, "-m", "ingest.faults.runner", str(self.clock)]
        program.append(self.switch or "-")
        self.process = start_ingest(
            self.broker, self.url, self.folder, self.gateways, program=program
        )

    def kill(self) -> None:
        self.peak_memory()
        self.end()

    def terminate(self) -> int:
        """SIGTERM; its exit code."""
        self.peak_memory()
        self.running.terminate()
        return self.running.wait(40)

    def end(self) -> None:
        self.running.kill()
        self.running.wait()

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "start() first"
        return self.process

    def peak_memory(self) -> int:
        """MiB, of the processes so far."""
        status = Path(f"/proc/{self.running.pid}/status")
        text = status.read_text() if status.exists() else ""
        if found := re.search(r"VmHWM:\s+(\d+) kB", text):
            self.peak_mib = max(self.peak_mib, int(found[1]) >> 10)
        return self.peak_mib


@dataclass
class Place:
    """Where a fault happens. `seed` decides what is random; `long`: the long run's sizes."""

    folder: Path
    broker: Broker
    server: Server
    disk: Path
    service: Service
    senders: list[Sender]
    random: random.Random
    long: bool
    refusals: Counter[str] = field(default_factory=Counter)
    """What must be in quarantine at the end, by reason."""
    caught_up_s: float = 0.0
    patience_s: float = CATCH_UP_S_MAX
    happened: int = 0
    """How often the fault was made to happen."""

    def choose(self, short: float, long: float) -> float:
        return long if self.long else short

    def times(self, short: int, long: int) -> Iterator[int]:
        """So often; each turn is counted."""
        for number in range(long if self.long else short):
            self.happened += 1
            yield number

    def offer(self, batches: int, slots: int = 10) -> None:
        """Every gateway signs so many batches more."""
        for sender in self.senders:
            sender.offer(batches, slots)

    @contextmanager
    def flow(self, every_s: float = 0.04) -> Iterator[None]:
        """Every gateway signs a batch now and then as long as the block lasts."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(every_s):
                self.offer(1)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def settled(self) -> bool:
        return all(sender.delivered == len(sender.box.signed) for sender in self.senders)

    def settle(self) -> None:
        """The fault is over: return when everything offered is acknowledged."""
        begun = time.monotonic()
        wait_for(lambda: self.settled, self.patience_s)
        self.caught_up_s = max(self.caught_up_s, time.monotonic() - begun)

    def progress(self, batches: int = 5) -> None:
        """Return when every gateway got so many batches acknowledged from now on."""
        goals = [sender.delivered + batches for sender in self.senders]
        wait_for(
            lambda: all(s.delivered >= goal for s, goal in zip(self.senders, goals, strict=True)),
            self.patience_s,
        )

    @property
    def answers(self) -> bool:
        """Whether the database takes a connection within some seconds; a start may take one."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self.service.url, connect_timeout=2).close()
                return True
            except psycopg.OperationalError:
                time.sleep(0.1)
        return False

    def database_killed(self) -> None:
        """SIGKILL to the server and all its children, as by a power cut."""
        os.kill(self.server.pid, signal.SIGSTOP)  # it starts no new ones
        for pid in children(self.server.pid):
            os.kill(pid, signal.SIGKILL)
        self.server.kill()

    @contextmanager
    def database_frozen(self) -> Iterator[None]:
        """SIGSTOP to all of it: connections stay open and silent."""
        stopped = [self.server.pid, *children(self.server.pid)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    """Process ids of its children."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def wait_for(condition: Callable[[], object], seconds: float = 40.0) -> None:
    """Return when it holds; fail when it does not for so long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {condition}"
        time.sleep(0.005)


@contextmanager
def database(kind: str, small: bool) -> Iterator[tuple[Server, Path]]:
    """A server of its own and the folder its data are in, on a small disk where asked."""
    with server_folder() as folder, ExitStack() as stack:
        inside = INSIDE / f"disk-{secrets.token_hex(4)}"
        disk = folder / "disk" if kind == "embedded" else TREE / inside.relative_to("/")
        disk.mkdir(parents=True)
        stack.callback(disk.rmdir if kind == "timescale" else lambda: None)
        if small:
            stack.enter_context(little_disk(disk, DISK_MIB))
        server: Server
        if kind == "embedded":
            server = stack.enter_context(EmbeddedPostgres(disk))
        else:
            server = stack.enter_context(Timescale(inside))
        yield server, disk


@contextmanager
def place(
    folder: Path,
    kind: str,
    seed: int,
    long: bool = False,
    small: bool = False,
    without: str | None = None,
) -> Iterator[Place]:
    """Everything started, two gateways connected, nothing sent yet."""
    boxes = [Box(), second_box()]
    gateways = write_files(folder, *boxes)
    with (
        server_folder() as broker_folder,
        Broker(broker_folder) as broker,
        database(kind, small) as (server, disk),
        ExitStack() as stack,
    ):
        url = server.url("postgres") if isinstance(server, Timescale) else server.url()
        migrate(url)
        service = Service(broker, url, folder, gateways, without)
        service.start()
        stack.callback(service.end)
        senders = [Sender(broker, box, seed + n) for n, box in enumerate(boxes)]
        for sender in senders:
            stack.callback(sender.close)
        # Before its first subscription the broker keeps nothing for it.
        wait_for(lambda: "connected to the broker" in service.said)
        yield Place(folder, broker, server, disk, service, senders, random.Random(seed), long)
