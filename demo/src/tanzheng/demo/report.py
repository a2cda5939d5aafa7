"""What a rehearsal found out: summary.json for a machine; `tables` shows it to a person."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tanzheng.core import receipt
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
    def proof_bytes(self) -> dict[str, int]:
        """Size of each part of the receipt."""
        parts = receipt.decode(self.evidence.folder.receipt.read_bytes())
        return {
            "statement": len(parts.statement.raw),
            "checkpoint": len(parts.checkpoint.raw),
            "log_path": sum(map(len, parts.inclusion.path)),
            "heads_path": sum(map(len, parts.place.path)),
            "chain_proof": sum(map(len, (parts.evm.header, *parts.evm.account, *parts.evm.slot))),
        }

    @property
    def holds(self) -> bool:
        """True where nothing was lost or doubled, all verified and every attack was caught."""
        whole = not (self.count.lost or self.count.duplicated or self.count.unexplained)
        return whole and self.verify_exit_code == 0 and all(a.caught for a in self.attacks)

    def finish(self, seconds: Mapping[str, float]) -> None:
        """Write summary.json with the time each stage took."""
        self.seconds = dict(seconds)
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False)
        self.evidence.folder.summary.write_text(text + "\n")

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
            "proof_bytes": self.proof_bytes,
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


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
