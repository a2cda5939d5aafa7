"""A report held against the evidence it claims to be made from."""

from collections.abc import Sequence
from dataclasses import replace

from tanzheng.analytics.annual.months import Evidence
from tanzheng.analytics.annual.report import Report
from tanzheng.core.errors import CheckFailed


class EvidenceDiffers(CheckFailed):
    """A month of the report is not what its evidence says."""


def hold_against(report: Report, evidence: Sequence[Evidence]) -> None:
    """Return where each month of the report is in `evidence`, with the same figures and digests."""
    at_hand = {(item.enterprise, item.unit, item.month.month): item for item in evidence}
    for unit in report.units:
        for month in unit.months:
            item = at_hand.get((report.enterprise, unit.unit, month.month))
            if item is None:
                raise EvidenceDiffers(
                    f"unit {unit.unit}, {month.month}: expected its evidence, got none"
                )
            if replace(month, acceptance=None) != item.month:
                raise EvidenceDiffers(
                    f"unit {unit.unit}, {month.month}: expected the month of {item.where}, "
                    f"{item.month.emission.value} t, got {month.emission.value} t from evidence "
                    f"{month.origin.sha256.hex()[:16]}…"
                )
