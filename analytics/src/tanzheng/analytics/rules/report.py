"""What a run found: each failure in words, with what was set aside, and the counts."""

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from itertools import chain, islice

from tanzheng.analytics.rules.catalogue import SEVERITIES, FleetRule
from tanzheng.analytics.rules.fleet import Failures, Tally, Verdicts
from tanzheng.analytics.rules.suppression import Suppression, Suppressions

SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that a row does not keep, with the suppression that sets it aside, if any.

    `found` has what the placeholders of the message stand for; words are made when asked for.
    """

    rule: FleetRule
    file: str
    row: int
    keys: Mapping[str, str]
    found: Mapping[str, object]
    suppression: Suppression | None

    @property
    def values(self) -> Mapping[str, str]:
        """The values of the message, and the rule's parameters, as they are shown."""
        return {
            name: shown(value) for name, value in {**self.found, **self.rule.parameters}.items()
        }

    @property
    def en(self) -> str:
        return filled(self.rule.message[0], self.values)

    @property
    def zh(self) -> str:
        return filled(self.rule.message[1], self.values)

    @property
    def blocks(self) -> bool:
        """Whether the row's month may not be deposited."""
        return self.rule.severity == "error" and self.suppression is None

    def to_json(self) -> dict[str, object]:
        """As maps and text; `row` is counted from 1."""
        used, values = self.suppression, self.values
        return {
            "rule": self.rule.id,
            "class": self.rule.kind,
            "severity": self.rule.severity,
            "file": self.file,
            "row": self.row + 1,
            **self.keys,
            "values": values,
            "en": filled(self.rule.message[0], values),
            "zh": filled(self.rule.message[1], values),
            "suppressed_by": None if used is None else used.number,
        }


@dataclass(slots=True)
class Report:
    """All files of a run."""

    catalogue_sha256: bytes
    suppressions: Suppressions
    rows: int = 0
    failures: list[Failure] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def add(self, verdicts: Verdicts, file: str) -> None:
        """Put in what was found in one more file."""
        self.rows += verdicts.frame.height
        for name, more in verdicts.tallies.items():
            old = self.tallies.get(name, Tally(0, 0, 0))
            self.tallies[name] = old + more
        keys = iter(verdicts.keys().rows(named=True))
        groups = (self._failures(group, keys, file) for group in verdicts.failures)
        self.failures += sorted(chain.from_iterable(groups), key=lambda item: item.row)

    def _failures(
        self, group: Failures, keys: Iterator[Mapping[str, object]], file: str
    ) -> Iterator[Failure]:
        rule = group.rule
        active = [item for item in self.suppressions.active if item.rule == rule.id]
        columns = group.values()
        own = zip(group.place.tolist(), islice(keys, len(group.place)), strict=True)
        for number, (row, key) in enumerate(own):
            used = next((item for item in active if item.covers(rule.id, key)), None)
            named = {k: str(v)[:7] if k == "month" else str(v) for k, v in key.items()}
            found = {name: values[number] for name, values in columns.items()}
            yield Failure(rule, file, row, named, found, used)

    @property
    def blocking(self) -> int:
        """How many failures block a deposit."""
        return sum(item.blocks for item in self.failures)

    def counts(self) -> Mapping[str, int]:
        """Failures that stand, by severity, the gravest first; and those set aside."""
        standing = Counter(f.rule.severity for f in self.failures if f.suppression is None)
        suppressed = sum(item.suppression is not None for item in self.failures)
        return {**{name: standing[name] for name in SEVERITIES}, "suppressed": suppressed}

    def uses(self) -> Sequence[tuple[Suppression, int]]:
        """Each suppression in force with the number of failures that it sets aside."""
        used = Counter(item.suppression.number for item in self.failures if item.suppression)
        return [(item, used[item.number]) for item in self.suppressions.active]

    def to_json(self) -> dict[str, object]:
        """The whole report as maps and text."""
        held = sum(tally.passed + tally.failed for tally in self.tallies.values())
        return {
            "catalogue_sha256": self.catalogue_sha256.hex(),
            "rows": self.rows,
            "rules": len(self.tallies),
            "verdicts": held,
            "not_applicable": sum(tally.not_applicable for tally in self.tallies.values()),
            "counts": dict(self.counts()),
            "blocking": self.blocking,
            "failures": [item.to_json() for item in self.failures],
            "suppressions": [
                {**_log(item), "failures": count, "state": "active"} for item, count in self.uses()
            ]
            + [
                {**_log(item), "failures": 0, "state": "expired"}
                for item in self.suppressions.expired
            ],
        }


def _log(item: Suppression) -> dict[str, object]:
    return {
        "number": item.number,
        "rule": item.rule,
        "enterprise": item.scope.enterprise,
        "unit": item.scope.unit,
        "from": str(item.scope.first),
        "until": str(item.scope.last),
        "reason": item.reason,
        "note": item.note,
        "owner": item.owner,
        "expires": item.expires.isoformat(),
        "approver": item.approver,
    }


def filled(text: str, values: Mapping[str, str]) -> str:
    """A message with its values: the braces hold expressions, which `str.format` cannot look up."""
    return "".join(before + (values[name] if name else "") for before, name in _parts(text))


@cache
def _parts(text: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((before, name) for before, name, _, _ in string.Formatter().parse(text))


def shown(value: object) -> str:
    """A number without the noise of float64, a month or text as it is, `?` where not known."""
    if value is None:
        return "?"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.{SHOWN_DIGITS}g}"
    return format(Decimal(text).normalize(), "f") if "e" in text else text
