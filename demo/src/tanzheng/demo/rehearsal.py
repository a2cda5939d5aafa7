"""One real month from register to receipt: every part is started, broken, counted and attacked."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tanzheng.core.calendar import Month
from tanzheng.demo import attacks, judge, plot, report
from tanzheng.demo.evidence import Evidence, wait_for_block
from tanzheng.demo.faults import FaultyMonth
from tanzheng.demo.folder import RunFolder
from tanzheng.demo.parts import Part, PartFailed, must, run
from tanzheng.demo.servers import Platform, Replay


@dataclass(slots=True)
class Stopwatch:
    """Seconds by stage, in order; each stage is named on the console when it is done."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, saying: str) -> Iterator[None]:
        """Time one stage."""
        start = time.monotonic()
        with self.console.status(f"  {saying}"):
            yield
        self.seconds[name] = round(time.monotonic() - start, 2)
        self.console.print(f"  [green]✓[/green] {saying} [dim]{self.seconds[name]:.1f} s[/dim]")


class Rehearsal:
    """Runs the whole month in `folder`; `run` returns the summary that is also written there."""

    def __init__(self, folder: RunFolder, replay: Replay, month: Month, console: Console) -> None:
        self.folder, self.replay, self.month, self.console = folder, replay, month, console
        self.watch = Stopwatch(console)

    def run(self) -> report.Summary:
        """Everything, in order. Whatever happens, no process is left behind."""
        with ExitStack() as stack:
            with self.watch.stage("start", "database, broker, chain, plant, ingest 启动各部件"):
                platform = Platform.start(self.folder, self.replay, stack)
                observer = self._deploy(platform)
            faults = self._month(platform, observer)
            summary = self._evidence(platform, faults)
            with self.watch.stage("stop", "every process ended 全部进程已停止"):
                stack.close()
        summary.finish(self.watch.seconds)
        return summary

    def _deploy(self, platform: Platform) -> Part:
        """Deploy the contract, and let somebody other than the operator watch it."""
        keys, chain = platform.keys, platform.servers.chain.url
        deployed = must(
            run("anchor", "deploy", "--dev", "--rpc", chain, "--dir", self.folder.anchor, "--json"),
            "anchor deploy",
        )
        return platform.parts.start(
            "observer", "trust", "observe", "--rpc", chain,
            "--contract", str(deployed["contract"]), "--log-id", str(deployed["log_id"]),
            "--plant", self.folder.plant_file, "--gateway-key", keys.gateway.public,
            "--operator-key", keys.operator.public, "--out", self.folder.trust,
        )  # fmt: skip

    def _month(self, platform: Platform, observer: Part) -> FaultyMonth:
        start = time.monotonic()
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=36),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            month = FaultyMonth(
                status_file=self.folder.plant / "sim-status.json",
                agent=platform.start_agent(),
                restart_agent=platform.start_agent,
                broker=platform.servers.broker,
                progress=progress,
                others=(platform.sim, platform.ingest, observer),
            )
            month.run()
        self.watch.seconds["month"] = round(time.monotonic() - start, 2)
        if not month.complete():
            raise PartFailed(f"expected both faults to happen, got {month.notes}")
        return month

    def _evidence(self, platform: Platform, faults: FaultyMonth) -> report.Summary:
        folder, servers, watch = self.folder, platform.servers, self.watch
        evidence = Evidence(folder, platform.keys, platform.plant, self.month, servers.secrets)
        with watch.stage("audit", "every row against its signed batch 逐行审计"):
            must(evidence.audit(), "ingest audit")
            counted = judge.count(
                servers.database.url(), platform.plant, self.month, folder.plant / "taken.jsonl"
            )
        with watch.stage("close", "hours, figures, rules, package 月度核算与存证包"):
            evidence.close(folder.package)
        with watch.stage("anchor", "statement, log, checkpoint, chain, receipt 上链存证"):
            sealed = evidence.seal(folder.package, folder.receipt)
            wait_for_block(folder.trust, int(sealed["block_number"]))
        with watch.stage("verify", "off-line verification, figures recomputed 离线核验"):
            verdict = evidence.verify(folder.package, folder.receipt)
        with watch.stage("attacks", "five attacks 五种攻击"):
            caught = attacks.run_all(evidence)
        with watch.stage("plot", "the month as a picture 月度图"):
            plot.draw(folder.package, folder.picture)
        named = (servers.broker.kind, servers.database.version)
        return report.Summary.of(evidence, counted, sealed, verdict, caught, faults.notes, named)
