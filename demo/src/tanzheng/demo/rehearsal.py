"""One real month from register to receipt: every part is started, broken, counted and attacked."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tanzheng.core.calendar import Month
from tanzheng.core.plant import Plant
from tanzheng.demo import attacks, judge, plot, report
from tanzheng.demo.enrolment import GATEWAY, Enrolment, enrol, write_edge_configuration
from tanzheng.demo.evidence import Evidence, wait_for_block
from tanzheng.demo.faults import FaultyMonth, read_status
from tanzheng.demo.folder import RunFolder
from tanzheng.demo.parts import Part, PartFailed, Parts, must, run
from tanzheng.demo.servers import Replay, Servers


@dataclass(slots=True)
class Stopwatch:
    """Seconds by stage, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)


class Rehearsal:
    """Runs the whole month in `folder`; `run` returns the summary that is also written there."""

    def __init__(self, folder: RunFolder, replay: Replay, console: Console) -> None:
        self.folder, self.replay, self.console = folder, replay, console
        self.watch = Stopwatch()

    def run(self) -> report.Summary:
        """Everything, in order. Whatever happens, no process is left behind."""
        with ExitStack() as stack:
            with self.watch.stage("start"), self._saying("starting the parts 启动各部件"):
                servers = Servers.start(self.folder, stack)
                keys = enrol(self.folder)
                parts = Parts(self.folder.logs, stack)
                started = self._start(parts, servers, keys)
            with self.watch.stage("month"):
                faults = self._month(parts, servers, started)
            summary = self._evidence(servers, keys, faults)
            with self.watch.stage("stop"), self._saying("stopping 停止"):
                stack.close()
        summary.finish(self.watch.seconds)
        return summary

    def _start(self, parts: Parts, servers: Servers, keys: Enrolment) -> "Started":
        folder = self.folder
        must(run("ingest", "migrate", secrets=servers.secrets), "ingest migrate")
        sim = parts.start("sim", "sim", "run", *self.replay.arguments(), "--dir", folder.plant)
        sim.wait_for((folder.plant / "devices.json").exists, "listening devices")
        ingest = parts.start(
            "ingest", "ingest", "run", "--gateways", keys.gateways_file,
            "--key", keys.platform.private, secrets=servers.secrets,
        )  # fmt: skip
        write_edge_configuration(folder, servers.broker.gateway_url(GATEWAY), plant_time=True)
        chain = must(
            run("anchor", "deploy", "--dev", "--rpc", servers.chain.url, "--dir", folder.anchor,
                "--json"),
            "anchor deploy",
        )  # fmt: skip
        observer = parts.start(
            "observer", "trust", "observe", "--rpc", servers.chain.url,
            "--contract", str(chain["contract"]), "--log-id", str(chain["log_id"]),
            "--plant", folder.plant / "plant.toml", "--gateway-key", keys.gateway.public,
            "--operator-key", keys.operator.public, "--out", folder.trust,
        )  # fmt: skip
        plant = Plant.parse((folder.plant / "plant.toml").read_bytes())
        return Started(sim, ingest, observer, plant)

    def _month(self, parts: Parts, servers: Servers, started: "Started") -> FaultyMonth:
        def agent() -> Part:
            return parts.start("edge", "edge", "run", self.folder.edge / "edge.toml")

        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=36),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            month = FaultyMonth(
                self.folder.plant / "sim-status.json", agent(), agent, servers.broker, progress,
                (started.sim, started.ingest, started.observer),
            )  # fmt: skip
            month.run()
        if not month.complete():
            raise PartFailed(f"expected both faults to happen, got {month.notes}")
        return month

    def _evidence(self, servers: Servers, keys: Enrolment, faults: FaultyMonth) -> report.Summary:
        folder = self.folder
        plant = Plant.parse((folder.plant / "plant.toml").read_bytes())
        status = read_status(folder.plant / "sim-status.json")
        assert status is not None, "the month has run"
        month = Month.parse(plant.zone.datetime(status.start_ms).strftime("%Y-%m"))
        evidence = Evidence(folder, keys, plant, month, servers.secrets, servers.chain.url)
        with self.watch.stage("audit"), self._saying("rows against signed batches 审计"):
            must(evidence.audit(), "ingest audit")
            gateway = plant.gateway(GATEWAY)
            counted = judge.count(
                servers.database.url(), GATEWAY, len(plant.points_of_gateway(GATEWAY)),
                folder.plant / "taken.jsonl", month.bounds_ms(plant.zone), gateway.interval_ms,
            )  # fmt: skip
        with self.watch.stage("close"), self._saying("closing the month 月度核算"):
            evidence.close(folder.package)
        with self.watch.stage("anchor"), self._saying("log, checkpoint, chain 上链存证"):
            sealed = evidence.seal(folder.package, folder.receipt)
            wait_for_block(folder.trust, int(sealed["block_number"]))
        with self.watch.stage("verify"), self._saying("verifying off line 离线核验"):
            verdict = evidence.verify(folder.package, folder.receipt)
        with self.watch.stage("attacks"), self._saying("attacking 攻击演练"):
            caught = attacks.all_attacks(evidence)
        with self.watch.stage("plot"):
            plot.draw(folder.package, folder.root / "month.png")
        return report.Summary.of(
            evidence, counted, sealed, verdict, caught, faults.notes,
            (servers.broker.kind, servers.database.version),
        )  # fmt: skip

    @contextmanager
    def _saying(self, what: str) -> Iterator[None]:
        start = time.monotonic()
        with self.console.status(f"  {what}"):
            yield
        self.console.print(f"  [green]✓[/green] {what} [dim]{time.monotonic() - start:.1f} s[/dim]")


@dataclass(frozen=True, slots=True)
class Started:
    """The processes that run beside the agent, and the plant they measure."""

    sim: Part
    ingest: Part
    observer: Part
    plant: Plant
