"""Leads of a made-up alert, moved on by hand."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tanzheng.analytics.anomalies.alert import Alert, Evidence, Rival, Twin
from tanzheng.analytics.leads import register
from tanzheng.analytics.leads.lead import Lead
from tanzheng.analytics.leads.moves import Attachment, Move, Subject
from tanzheng.analytics.seats import NATION, Place, Seat

PLACE = Place("E004", "320583")
PROVINCE, CITY = Seat.parse("320000"), Seat.parse("320500")
ENTERPRISE = Seat.parse("enterprise:E004")
OTHERS = tuple(map(Seat.parse, ("330000", "320200", "330200", "enterprise:E005")))
START = datetime(2025, 4, 1, 2, tzinfo=UTC)
PROOF = Attachment("scale.pdf", 12, "ab" * 32)
ALERT = Alert(
    "16305ba5d3c6", "E004", "U1", "320583", ("2024-09", "2024-10"), "fuel", "fuel", "step", 747.6,
    28.2, -10.41, -8865.27, ("same_report",),
    (
        Evidence("2024-09", "fuel against the stock ledger", "消耗量对台账", -11.5, 0.7),
        Evidence("2024-09", "the same as that of E005 U1 2024-09", "与 E005 U1 2024-09 的相同",
                 twin=Twin("E005", "330282", "E005 U1 2024-09")),
    ),
    (Rival("cems", "CO2 by CEMS", "CEMS 二氧化碳排放量", 100.1),),
    "fuel burned", "燃料消耗量", "Scale or meter.", "皮带秤。",
)  # fmt: skip
SUBJECT = Subject(PLACE, "U1", ALERT.months, ALERT)


@dataclass
class Desk:
    """A journal and a clock that goes on an hour a move."""

    path: Path
    at: datetime = field(default=START)

    def open(self, seat: Seat = NATION, subject: Subject = SUBJECT) -> Lead:
        self.at += timedelta(hours=1)
        return register.open_lead(self.path, seat, "Li Wei", "", subject, self.at)

    def move(self, kind: str, seat: Seat, note: str = "why", **own: Any) -> Lead:
        self.at += timedelta(hours=1)
        step = Move(kind, "L0001", seat, "Sun", note, None, **own)
        return register.move_lead(self.path, "L0001", seat, lambda _: step, self.at)

    def answer(self, seat: Seat = ENTERPRISE, **own: Any) -> Lead:
        given = {"cause": "ledger", "corrected_months": ("2024-09",), "attachments": (PROOF,)}
        return self.move("answer", seat, **(given | own))

    def asked(self) -> Lead:
        """Opened by the nation and handed down to the enterprise."""
        self.open()
        for seat, to in ((NATION, PROVINCE), (PROVINCE, CITY), (CITY, ENTERPRISE)):
            lead = self.move("hand_down", seat, to=to)
        return lead

    def read(self) -> Lead:
        return register.read(self.path)["L0001"]
