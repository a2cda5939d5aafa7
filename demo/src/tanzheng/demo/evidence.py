"""The commands an operator and a verifier run on a closed month, as the rehearsal calls them."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tanzheng.core.calendar import Month
from tanzheng.core.plant import GatewayPlan, Plant
from tanzheng.demo.enrolment import Enrolment
from tanzheng.demo.folder import RunFolder
from tanzheng.demo.parts import Outcome, PartFailed, must, run

CLOSED_DAYS_AFTER_MONTH_END = 5
OBSERVED_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A finished month in the database, with the keys of those who may speak of it."""

    folder: RunFolder
    keys: Enrolment
    plant: Plant
    month: Month
    secrets: Mapping[str, str]

    @property
    def unit(self) -> str:
        return self.plant.units[0].id

    @property
    def gateway(self) -> GatewayPlan:
        return self.plant.gateways[0]

    def audit(self) -> Outcome:
        """Rows of the database against the signed batches."""
        return run(
            "ingest", "audit", "--gateways", self.folder.gateways_file,
            "--gw", self.gateway.id, "--json", secrets=self.secrets,
        )  # fmt: skip

    def close(self, package: Path) -> Mapping[str, Any]:
        """Compute the month five days after its end and pack it."""
        today = self.month.next.first_day + timedelta(days=CLOSED_DAYS_AFTER_MONTH_END)
        return must(
            run("month", "close", "--plant", self.folder.plant_file, "--unit", self.unit,
                "--month", str(self.month), "--out", package, "--today", today.isoformat(),
                "--json", secrets=self.secrets),
            "month close",
        )  # fmt: skip

    def seal(self, package: Path, receipt: Path, *correction: str) -> Mapping[str, Any]:
        """Statement, log, checkpoint, chain, receipt; `correction` names reason and approver."""
        return must(
            run("anchor", "seal", "--dir", self.folder.anchor, "--package", package,
                "--operator-key", self.keys.operator.private, "--out", receipt, "--json",
                *correction),
            "anchor seal",
        )  # fmt: skip

    def verify(self, package: Path, receipt: Path) -> Outcome:
        """What a stranger runs; nothing of the operator is asked."""
        return run("verify", receipt, "--package", package, "--trust", self.folder.trust, "--json")


def wait_for_block(trust: Path, number: int) -> None:
    """Return when the observer has written the hash of block `number`."""
    deadline = time.monotonic() + OBSERVED_S_MAX
    while time.monotonic() < deadline:
        if trust.exists():
            blocks = json.loads(trust.read_text())["blocks"]
            if any(block["number"] == number for block in blocks):
                return
        time.sleep(0.05)
    raise PartFailed(f"{trust}: expected block {number} within {OBSERVED_S_MAX:.0f} s")
