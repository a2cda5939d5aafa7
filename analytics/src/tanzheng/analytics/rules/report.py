"""What a run found: each failure in words, with what was set aside, and the counts."""

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tanzheng.analytics.rules.catalogue import SEVERITIES, FleetRule
from tanzheng.analytics.rules.fleet import Tally, Verdicts
from tanzheng.analytics.rules.suppression import Suppression, Suppressions

SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that a row does not keep, with the suppression that sets it aside, if any."""

    rule: FleetRule
    file: str
    row: int
    keys: Mapping[str, str]
    values: Mapping[str, str]
    en: str
    zh: str
    suppression: Suppression | None

    @property
    def blocks(self) -> bool:
        """Whether the row's month may not be deposited."""
        return self.rule.severity == "error" and self.suppression is None

    def to_json(self) -> dict[str, object]:
        """As maps and text; `row` is counted from 1."""
        used = self.suppression
        return {
            "rule": self.rule.id,
            "class": self.rule.kind,
            "severity": self.rule.severity,
            "file": self.file,
            "row": self.row + 1,
            **self.keys,
            "values": dict(self.values),
            "en": self.en,
            "zh": self.zh,
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
        self.rows += verdicts.rows
        for name, more in verdicts.tallies.items():
            old = self.tallies.get(name, Tally(0, 0, 0))
            self.tallies[name] = old + more
        active = self.suppressions.active
        keys = verdicts.shape.row_key
        for rule, row, values in verdicts.failures:
            used = next((item for item in active if item.covers(rule.id, values)), None)
            self.failures.append(_failure(rule, file, row, values, keys, used))

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


def _failure(
    rule: FleetRule,
    file: str,
    row: int,
    found: Mapping[str, object],
    keys: Sequence[str],
    suppression: Suppression | None,
) -> Failure:
    values = {name[1:]: shown(value) for name, value in found.items() if name.startswith("=")}
    values |= {name: shown(value) for name, value in rule.parameters.items()}
    named = {name: _month(found[name]) if name == "month" else str(found[name]) for name in keys}
    en, zh = (filled(text, values) for text in rule.message)
    return Failure(rule, file, row, named, values, en, zh, suppression)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A message with its values: the braces hold expressions, which `str.format` cannot look up."""
    parts = string.Formatter().parse(text)
    return "".join(before + (values[name] if name else "") for before, name, _, _ in parts)


def shown(value: object) -> str:
    """A number without the noise of float64, a month or text as it is, `?` where not known."""
    if value is None:
        return "?"
    if isinstance(value, float):
        return format(Decimal(f"{value:.{SHOWN_DIGITS}g}").normalize(), "f")
    return str(value)


def _month(value: object) -> str:
    return str(value)[:7]
