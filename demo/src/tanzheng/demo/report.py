"""The end of a rehearsal: a table for a person, summary.json for a machine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from tanzheng.core.fields import FIELDS
from tanzheng.core.manifest import MANIFEST_PATH, Manifest
from tanzheng.demo.evidence import Evidence
from tanzheng.demo.judge import Count
from tanzheng.demo.parts import Outcome

FIGURES = (
    "generation_mwh",
    "operating_hours_h",
    "load_factor_percent",
    "fuel_gas_1e4nm3",
    "co2_calculated_t",
    "co2_cems_t",
    "co2_intensity_t_per_mwh",
)


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack, whether it was caught, and what the check said."""

    name: str
    title: str
    caught: bool
    said: str


@dataclass(slots=True)
class Summary:
    """Everything a rehearsal found out."""

    evidence: Evidence
    manifest: Manifest
    count: Count
    sealed: Mapping[str, Any]
    verify_exit_code: int
    attacks: Sequence[Attack]
    faults: Sequence[str]
    broker: str
    database: str
    batches: int
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        count: Count,
        sealed: Mapping[str, Any],
        verdict: Outcome,
        attacks: Sequence[Attack],
        faults: Sequence[str],
        servers: tuple[str, str],
    ) -> "Summary":
        manifest = Manifest.decode((evidence.folder.package / MANIFEST_PATH).read_bytes())
        batches = sum(chain.last_seq - chain.first_seq + 1 for chain in manifest.gateways)
        return cls(
            evidence, manifest, count, sealed, verdict.exit_code, attacks, faults, *servers, batches
        )

    @property
    def holds(self) -> bool:
        """True where nothing was lost or doubled, all verified and every attack was caught."""
        whole = not (self.count.lost or self.count.duplicated or self.count.unexplained)
        return whole and self.verify_exit_code == 0 and all(a.caught for a in self.attacks)

    def finish(self, seconds: Mapping[str, float]) -> None:
        """Write summary.json with the time each stage took."""
        self.seconds = dict(seconds)
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False)
        (self.evidence.folder.root / "summary.json").write_text(text + "\n")

    def as_json(self) -> dict[str, Any]:
        """The machine form; names as in the field dictionary."""
        given = self.manifest.values()
        # A figure that could not be formed (CEMS without any valid hour) is null, not 0.
        values = {name: float(given[name]) if name in given else None for name in FIGURES}
        folder = self.evidence.folder
        return {
            "month": str(self.evidence.month),
            "subject": str(self.manifest.subject),
            "generation_mwh": values["generation_mwh"],
            "operating_hours": values["operating_hours_h"],
            "load_factor_percent": values["load_factor_percent"],
            "fuel_gas_1e4nm3": values["fuel_gas_1e4nm3"],
            "co2_calculated_t": values["co2_calculated_t"],
            "co2_cems_t": values["co2_cems_t"],
            "slots": self.count.slots,
            "points": self.count.points,
            "readings_taken": self.count.taken,
            "readings_stored": self.count.stored,
            "readings_in_gaps": self.count.in_gaps,
            "readings_lost": self.count.lost,
            "readings_duplicated": self.count.duplicated,
            "readings_unexplained": self.count.unexplained,
            "gap_reasons": dict(self.count.gap_reasons),
            "batches": self.batches,
            "faults": list(self.faults),
            "receipt": str(folder.receipt),
            "receipt_bytes": folder.receipt.stat().st_size,
            "package": str(folder.package),
            "package_bytes": folder_bytes(folder.package),
            "trust": str(folder.trust),
            "verify_exit_code": self.verify_exit_code,
            "attacks": {attack.name: attack.caught for attack in self.attacks},
            "attack_findings": {attack.name: attack.said for attack in self.attacks},
            "gas_used": self.sealed["gas_used"],
            "broker": self.broker,
            "database": self.database,
            "seconds": {**self.seconds, "total": round(sum(self.seconds.values()), 2)},
        }

    def show(self, console: Console) -> None:
        """Print the tables."""
        console.print()
        console.print(self._figures())
        console.print(self._readings())
        console.print(self._attacks())
        console.print(self._foot())

    def _figures(self) -> Table:
        values = self.manifest.values()
        table = _table(f"{self.evidence.plant.name} · {self.evidence.unit} · {self.evidence.month}")
        table.add_column("figure")
        table.add_column("参数")
        table.add_column("value", justify="right")
        table.add_column("unit")
        for name in FIGURES:
            item = FIELDS[name]
            table.add_row(item.en, item.zh, f"{Decimal(values[name]):,}", item.unit)
        calculated, cems = Decimal(values["co2_calculated_t"]), Decimal(values["co2_cems_t"])
        if calculated:
            difference = (cems / calculated - 1) * 100
            table.add_row(
                "CEMS against calculation", "CEMS 与核算法之差", f"{difference:+.2f}", "%"
            )
        return table

    def _readings(self) -> Table:
        count = self.count
        table = _table("every reading counted 逐条清点")
        rows = (
            ("taken by the agent", "已采集", count.taken),
            ("stored in the database", "已入库", count.stored),
            ("in gap records", "缺口记录", count.in_gaps),
            ("lost", "丢失", count.lost),
            ("duplicated", "重复", count.duplicated),
        )
        for en, zh, number in rows:
            bad = en in ("lost", "duplicated") and number
            table.add_row(en, zh, f"[red]{number:,}[/red]" if bad else f"{number:,}")
        whole = count.slots * count.points
        table.add_row("slots × points of the month", "应采总数", f"{whole:,}")
        for note in self.faults:
            table.add_row(f"[dim]{note}[/dim]", "", "")
        return table

    def _attacks(self) -> Table:
        table = _table("attacks 攻击")
        for attack in self.attacks:
            mark = "[green]caught 已识破[/green]" if attack.caught else "[red]MISSED 未识破[/red]"
            table.add_row(attack.title, mark, f"[dim]{attack.said}[/dim]")
        return table

    def _foot(self) -> Panel:
        folder, stages = self.evidence.folder, self.seconds
        times = " · ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items())
        verified = "[green]holds 成立[/green]" if self.verify_exit_code == 0 else "[red]FAILS[/red]"
        text = (
            f"receipt {folder.receipt.stat().st_size:,} B · package "
            f"{folder_bytes(folder.package) / 1e6:.1f} MB in {self.batches} signed batches · "
            f"gas {self.sealed['gas_used']:,} · off-line verification {verified}\n"
            f"{self.broker} · {self.database}\n"
            f"seconds: {times} · total {sum(stages.values()):.1f}\n"
            f"[dim]files: {folder.root}[/dim]\n"
            "[yellow]For gas units the replayed CO2_MASS is itself computed from heat input "
            "(40 CFR 75 eq. G-4): CEMS against\ncalculation proves the measuring chain here, "
            "not an independent check.[/yellow]"
        )
        return Panel(text, border_style="dim", expand=False)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", border_style="dim",
                 show_header=False)  # fmt: skip
