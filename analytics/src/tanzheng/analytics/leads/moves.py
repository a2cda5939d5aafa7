"""What is written of a lead: one closed record a move, decoded strictly.

Every record has `move`, `lead`, `seat`, `by`, `note`, `due_on`; `FIELDS` lists what each move adds.
`due_on` is the day by which the next move is due, as the data said when this one was made: other
deadlines later do not change what somebody was told.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tanzheng.analytics.anomalies import record
from tanzheng.analytics.anomalies.alert import Alert
from tanzheng.analytics.leads.words import lead_data
from tanzheng.analytics.seats import Place, Seat
from tanzheng.core import closed
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.ids import identifier

COMMON = ("move", "lead", "seat", "by", "note", "due_on")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "open": ("enterprise", "division", "unit", "months", "alert"),
    "hand_down": ("to",),
    "answer": ("cause", "corrected_months", "attachments"),
    "accept": (),
    "send_back": (),
    "close": ("outcome",),
    "reopen": (),
}
ATTACHMENT_KEYS = ("name", "bytes", "sha256")
LEAD_ID = re.compile(r"L[0-9]{4,}")
LISTED_MAX = 1_000
NOTE_CHARS_MAX = 4_000
NOTE_NEEDED = {"answer", "send_back", "close", "reopen"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of the enterprise's: only its name, size and SHA-256 (hex) are kept here."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a lead is about; `alert` None where it was opened by hand."""

    place: Place
    unit: str
    months: tuple[str, ...]
    alert: Alert | None


@dataclass(frozen=True, slots=True)
class Move:
    """A step of a lead; what does not belong to it is None or empty."""

    move: str
    lead: str
    seat: Seat
    by: str
    note: str
    due_on: date | None
    subject: Subject | None = None
    to: Seat | None = None
    cause: str | None = None
    corrected_months: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = field(default=())
    outcome: str | None = None


def encode(step: Move) -> dict[str, Any]:
    """The record of a move."""
    own: dict[str, Callable[[], Any]] = {
        "enterprise": lambda: step.subject and step.subject.place.enterprise,
        "division": lambda: step.subject and step.subject.place.division,
        "unit": lambda: step.subject and step.subject.unit,
        "months": lambda: list(step.subject.months) if step.subject else [],
        "alert": lambda: step.subject and step.subject.alert and record.encode(step.subject.alert),
        "to": lambda: str(step.to),
        "cause": lambda: step.cause,
        "corrected_months": lambda: list(step.corrected_months),
        "attachments": lambda: [
            {name: getattr(item, name) for name in ATTACHMENT_KEYS} for item in step.attachments
        ],
        "outcome": lambda: step.outcome,
    }
    return {
        "move": step.move,
        "lead": step.lead,
        "seat": str(step.seat),
        "by": step.by,
        "note": step.note,
        "due_on": None if step.due_on is None else step.due_on.isoformat(),
        **{name: own[name]() for name in FIELDS[step.move]},
    }


def decode(body: Mapping[str, Any], where: str) -> Move:
    """The move of a record; `BadInput` names what has the wrong form."""
    kind = body.get("move")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise EncodingError(f"{where}.move: expected one of {list(FIELDS)}, got {kind!r}")
    source = closed.record(body, (*COMMON, *FIELDS[kind]), where)
    lead, note = closed.text(source, "lead", where), _note(source["note"], f"{where}.note")
    if not LEAD_ID.fullmatch(lead):
        raise EncodingError(f"{where}.lead: expected L and digits, got {lead!r}")
    by = closed.text(source, "by", where)
    if not by.strip() or (kind in NOTE_NEEDED and not note.strip()):
        raise EncodingError(f"{where}: expected a name in by, and a note for {kind}")
    seat, due_on = Seat.parse(closed.text(source, "seat", where)), _day(source["due_on"], where)
    return Move(kind, lead, seat, by, note, due_on, **_own(source, kind, where))


def _own(source: Mapping[str, Any], kind: str, where: str) -> dict[str, Any]:
    if kind == "open":
        return {"subject": _subject(source, where)}
    if kind == "hand_down":
        return {"to": Seat.parse(closed.text(source, "to", where))}
    if kind == "answer":
        listed = closed.items(source, "attachments", where, LISTED_MAX)
        return {
            "cause": _code(source, "cause", lead_data().causes, where),
            "corrected_months": months(source["corrected_months"], f"{where}.corrected_months"),
            "attachments": tuple(
                _attachment(item, f"{where}.attachments[{n}]") for n, item in enumerate(listed)
            ),
        }
    if kind == "close":
        return {"outcome": _code(source, "outcome", lead_data().outcomes, where)}
    return {}


def _subject(source: Mapping[str, Any], where: str) -> Subject:
    place = Place(*(closed.text(source, name, where) for name in ("enterprise", "division")))
    unit = identifier(source["unit"], f"{where}.unit")
    about = months(source["months"], f"{where}.months")
    if not about:
        raise EncodingError(f"{where}.months: expected at least one month, got none")
    given = source["alert"]
    alert = None if given is None else record.decode(given, f"{where}.alert")
    if alert is not None:
        named = (alert.enterprise, alert.division, alert.unit, alert.months)
        if named != (place.enterprise, place.division, unit, about):
            raise EncodingError(f"{where}: expected the place, unit and months of the alert")
    return Subject(place, unit, about, alert)


def months(value: object, where: str) -> tuple[str, ...]:
    """Months YYYY-MM in order, each once."""
    found = [str(Month.parse(item)) for item in closed.sequence(value, where, LISTED_MAX)]
    if found != sorted(set(found)):
        raise EncodingError(f"{where}: expected months in order, each once, got {found}")
    return tuple(found)


def _attachment(value: object, where: str) -> Attachment:
    source = closed.record(value, ATTACHMENT_KEYS, where)
    digest = closed.hexadecimal(source["sha256"], 32, f"{where}.sha256").hex()
    name, size = closed.text(source, "name", where), closed.integer(source, "bytes", where)
    return Attachment(name, size, digest)


def _code(source: Mapping[str, Any], key: str, known: Mapping[str, object], where: str) -> str:
    code = closed.text(source, key, where)
    if code not in known:
        raise EncodingError(f"{where}.{key}: expected one of {', '.join(known)}, got {code!r}")
    return code


def _note(value: object, where: str) -> str:
    text = closed.typed(value, str, where)
    if len(text) > NOTE_CHARS_MAX or not text.replace("\n", "").isprintable():
        raise EncodingError(
            f"{where}: expected printable text, at most {NOTE_CHARS_MAX} characters"
        )
    return text


def _day(value: object, where: str) -> date | None:
    if value is None:
        return None
    try:
        day = date.fromisoformat(closed.typed(value, str, f"{where}.due_on"))
    except ValueError:
        raise BadInput(f"{where}.due_on: expected YYYY-MM-DD, got {value!r}") from None
    if day.isoformat() != value:
        raise EncodingError(f"{where}.due_on: expected YYYY-MM-DD, got {value!r}")
    return day
