"""The journal of evidence months: entries in a hash chain, and the months they lead to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tanzheng.analytics.evidence import sampling
from tanzheng.analytics.evidence.entries import GENESIS, Act, Draw, Entry, decode
from tanzheng.analytics.evidence.errors import JournalBroken, JournalTorn
from tanzheng.analytics.evidence.months import MonthEvidence, Version, follow
from tanzheng.analytics.evidence.states import Move
from tanzheng.analytics.lines_file import split
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.ids import Subject

JOURNAL_BYTES_MAX = 1 << 30


@dataclass(slots=True)
class Journal:
    """Entries of many months in the order of writing. It grows by `add`, and by nothing else."""

    name: str
    entries: list[Entry] = field(default_factory=list)
    _months: dict[Subject, MonthEvidence] = field(default_factory=dict)
    _draw: tuple[Draw, frozenset[Subject]] | None = None

    @property
    def head(self) -> bytes:
        """Digest of the last entry: keep it elsewhere, and nobody cuts the journal unseen."""
        return self.entries[-1].digest if self.entries else GENESIS

    def month(self, subject: Subject) -> MonthEvidence:
        """The month of `subject`; a draft where the journal does not know it."""
        return self._months.get(subject) or MonthEvidence(subject)

    def months(self) -> list[MonthEvidence]:
        """Every month that the journal knows, by subject."""
        return [self._months[subject] for subject in sorted(self._months)]

    def pool(self, period: str) -> list[Subject]:
        """The accepted months of a period `YYYY` or `YYYY-MM`: from these the nation draws."""
        return [
            month.subject
            for month in self.months()
            if sampling.in_period(month.subject, period) and month.accepted
        ]

    def add(self, act: Act) -> Entry:
        """The entry of `act` behind the head; `BadInput` where the move is not legal now."""
        entry = Entry(len(self.entries) + 1, self.head, act)
        self._append(entry)
        return entry

    def _append(self, entry: Entry) -> None:
        act = entry.act
        found = follow(self.month(act.subject), entry)
        self._check_draw(act)
        self._months[act.subject] = found
        self.entries.append(entry)

    def _check_draw(self, act: Act) -> None:
        """A month is sampled because it was drawn: nobody picks by hand."""
        if act.move is not Move.SAMPLE:
            self._draw = None
            return
        assert act.draw is not None
        if self._draw is None or self._draw[0] != act.draw:
            chosen = sampling.drawn(self.pool(act.draw.period), act.draw)
            self._draw = act.draw, frozenset(chosen)
        if act.subject not in self._draw[1]:
            raise BadInput(f"sample: expected a month that was drawn, got {act.subject}")

    def accept(self, line: bytes) -> None:
        """Take the next line as it was written; `JournalBroken` names file, line and digests."""
        where = f"{self.name}:{len(self.entries) + 1}"
        try:
            entry = decode(line, where)
            self._check_link(entry)
            self._append(entry)
        except TanzhengError as error:
            text = str(error)
            raise JournalBroken(text if where in text else f"{where}: {text}") from error

    def _check_link(self, entry: Entry) -> None:
        expected = (len(self.entries) + 1, self.head)
        if (entry.seq, entry.prev) != expected:
            raise JournalBroken(
                f"expected seq {expected[0]} with prev {expected[1].hex()}, "
                f"got {entry.seq} with {entry.prev.hex()}"
            )


def read_journal(raw: bytes, name: str) -> Journal:
    """The journal written as `raw`, every line checked and every move made again.

    `JournalBroken` names the first line that does not hold, `JournalTorn` a last one without end.
    """
    if len(raw) > JOURNAL_BYTES_MAX:
        raise JournalBroken(f"{name}: expected at most {JOURNAL_BYTES_MAX} bytes, got {len(raw)}")
    journal = Journal(name)
    whole, rest = split(raw)
    for line in whole:
        journal.accept(line)
    if rest:
        raise JournalTorn(
            f"{name}:{len(whole) + 1}: expected a whole line, got {len(rest)} bytes without its end"
            f" at byte {len(raw) - len(rest)}"
        )
    return journal


def check_head(journal: Journal, head: bytes) -> int:
    """How many entries were added since `head` was kept; `JournalBroken` where it is not there."""
    if head == GENESIS:
        return len(journal.entries)
    for entry in reversed(journal.entries):
        if entry.digest == head:
            return len(journal.entries) - entry.seq
    raise JournalBroken(
        f"{journal.name}: expected the entry {head.hex()} that was kept elsewhere, "
        f"got a journal of {len(journal.entries)} entries without it"
    )


@dataclass(frozen=True, slots=True)
class Accepted:
    """A month that the province has accepted: the version that counts, and when it was accepted."""

    unit: str
    month: Month
    version: Version
    review: Entry


def accepted(journal: Journal, enterprise: str, year: int) -> list[Accepted]:
    """The accepted months of an enterprise's year, by unit and month; one that is missing is not
    accepted (now). `version.manifest_sha256` and `version.number` say which package counts."""
    return [
        Accepted(month.subject.unit, period, month.version, _review(month.entries))
        for month in journal.months()
        if month.subject.enterprise == enterprise
        and (period := Month.parse(month.subject.period)).year == year
        and month.accepted
        and month.version is not None
    ]


def _review(entries: Iterable[Entry]) -> Entry:
    return [entry for entry in entries if entry.act.move is Move.REVIEW][-1]
