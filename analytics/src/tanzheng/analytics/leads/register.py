"""All leads of one journal: read back from its moves, and moved on under its lock."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tanzheng.analytics.journal import Check, Entry, Journal, JournalDamaged
from tanzheng.analytics.leads import lead as life
from tanzheng.analytics.leads.lead import Lead
from tanzheng.analytics.leads.moves import Move, Subject, decode, encode
from tanzheng.analytics.seats import Seat
from tanzheng.core.errors import BadInput

KIND = "leads"
Leads = dict[str, Lead]


def journal(path: Path) -> Journal[Move]:
    """The journal of leads at `path`."""
    return Journal(path, KIND, decode)


def replay(entries: Sequence[Entry[Move]]) -> Leads:
    """The leads as the moves left them; `JournalDamaged` names a line whose move was illegal."""
    leads: Leads = {}
    for entry in entries:
        try:
            after = _after(leads, entry.body, entry.at)
        except BadInput as error:
            raise JournalDamaged(f"line {entry.number}: {error}") from error
        leads[after.id] = after
    return leads


def read(path: Path) -> Leads:
    """The leads of a journal."""
    return replay(journal(path).read())


def open_lead(path: Path, seat: Seat, by: str, note: str, subject: Subject, at: datetime) -> Lead:
    """A new lead, numbered in the journal; what an alert is about (unit, input,
    months) has one lead, which may be reopened."""

    def make(leads: Leads) -> Move:
        about = subject.alert.known_as() if subject.alert else frozenset()
        for other in leads.values():
            if other.about and other.about.known_as() & about:
                raise BadInput(
                    f"expected an alert without a lead, got one that {other.id} is about, "
                    f"which is {other.state} · 该告警已有线索"
                )
        return Move("open", f"L{len(leads) + 1:04d}", seat, by, note, None, subject=subject)

    return _write(path, make, at)


def move_lead(
    path: Path, name: str, seat: Seat, make: Callable[[Lead], Move], at: datetime
) -> Lead:
    """The lead after the move that `make` gives for it as it stands; nothing written if refused."""
    return _write(path, lambda leads: make(find_seen(leads, name, seat)), at)


def find(leads: Leads, name: str) -> Lead:
    """The lead of that name; `BadInput` if there is none."""
    if name not in leads:
        raise BadInput(f"expected a lead of the journal, got {name!r} · 没有该线索")
    return leads[name]


def seen(leads: Leads, seat: Seat) -> list[Lead]:
    """The leads that a seat may see, in the order of their numbers."""
    return [lead for lead in leads.values() if lead.seen_by(seat)]


def find_seen(leads: Leads, name: str, seat: Seat) -> Lead:
    """A lead that a seat may see; one of others is as unknown as one that is not there."""
    return find({lead.id: lead for lead in seen(leads, seat)}, name)


def fsck(path: Path, head: str | None) -> Check:
    """The journal's own check, and whether each move was legal."""
    found = journal(path).fsck(head)
    if found.faults:
        return found
    try:
        read(path)
    except JournalDamaged as error:
        return replace(found, faults=(str(error),))
    return found


def _after(leads: Leads, step: Move, at: datetime) -> Lead:
    if step.move != "open":
        return life.moved(find(leads, step.lead), step, at)
    if step.lead != (expected := f"L{len(leads) + 1:04d}"):
        raise BadInput(f"expected the lead {expected}, got {step.lead}")
    return life.opened(step, at)


def _write(path: Path, make: Callable[[Leads], Move], at: datetime) -> Lead:
    with journal(path).writing() as writer:
        leads = replay(writer.entries)
        step = make(leads)
        step = replace(step, due_on=life.due_on(_after(leads, step, at), at))
        entry = writer.append(encode(step), at)
        return _after(leads, entry.body, entry.at)
