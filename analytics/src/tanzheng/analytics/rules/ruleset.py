"""Rule sets: loading, checking and running declarative rules."""

import hashlib
import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import Any, Literal

from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules.expression import Expression
from tanzheng.core.fields import field
from tanzheng.core.manifest import REASON_LABELS, Absent, Reason

Scope = Literal["month", "deposit"]
Outcome = Literal["passed", "failed", "not_applicable"]

CLASSES: Mapping[str, str] = {
    "theoretical_extreme": "理论极值",
    "threshold": "阈值",
    "standard_value": "标准值",
    "logic": "逻辑校验",
}
SEVERITIES = ("error", "explain", "warning", "info")
SCOPES = ("month", "deposit")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `condition` must hold of a month's values and the rule's own `parameters`."""

    id: str
    kind: str
    severity: str
    scope: str
    condition: Expression
    parameters: Mapping[str, Decimal]
    en: str
    zh: str
    source: str
    confidence: str

    def check(self, values: Mapping[str, Decimal], absent: Sequence[Absent] = ()) -> "RuleResult":
        """Hold the rule against `values`; not applicable where one of its names has no value.

        Where that is because the unit cannot have it (`absent`), the result says so.
        """
        known = {**values, **self.parameters}
        read = _placeholders(self.en) | _placeholders(self.zh) | self.condition.names
        compared = {name: known[name] for name in sorted(read & known.keys())}
        if lacking := [item for item in absent if item.name in read]:
            return self._without(lacking, compared)
        if read - known.keys():
            outcome: Outcome = "not_applicable"
        else:
            outcome = "passed" if self.condition.holds(known) else "failed"
        shown = {name: f"{compared.get(name, '?')}" for name in read}
        return RuleResult(
            self.id,
            self.kind,
            self.severity,
            outcome,
            compared,
            self.en.format_map(shown),
            self.zh.format_map(shown),
        )

    def _without(self, lacking: Sequence[Absent], compared: Mapping[str, Decimal]) -> "RuleResult":
        reason = lacking[0].reason
        en, zh = REASON_LABELS[reason]
        entries = [field(item.name) for item in lacking]
        names, names_zh = ", ".join(e.en for e in entries), "、".join(e.zh for e in entries)
        return RuleResult(
            self.id,
            self.kind,
            self.severity,
            "not_applicable",
            compared,
            f"not applicable, {en}: this rule needs {names}",
            f"不适用，{zh}：本规则需要{names_zh}",
            reason,
        )


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What a rule said of a month, the values it compared; `en` and `zh` say what must hold.

    `reason`: why it does not apply, where that is known of the unit; they then say it.
    """

    id: str
    kind: str
    severity: str
    outcome: Outcome
    compared: Mapping[str, Decimal]
    en: str
    zh: str
    reason: Reason | None = None

    @property
    def blocks_deposit(self) -> bool:
        """True where the month may not be deposited until this is mended."""
        return self.outcome == "failed" and self.severity == "error"

    def to_json(self) -> dict[str, object]:
        """The result as maps and text: decimals are strings."""
        return {
            "rule": self.id,
            "class": self.kind,
            "severity": self.severity,
            "outcome": self.outcome,
            "compared": {name: str(value) for name, value in self.compared.items()},
            "en": self.en,
            "zh": self.zh,
            **({"reason": str(self.reason)} if self.reason else {}),
        }


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A versioned set of rules; `sha256` is over the raw bytes of its file."""

    name: str
    version: str
    sha256: bytes
    rules: tuple[Rule, ...]

    def check(
        self, scope: Scope, values: Mapping[str, Decimal], absent: Sequence[Absent] = ()
    ) -> tuple[RuleResult, ...]:
        """All rules of `scope` held against `values`, in the order of the file."""
        return tuple(rule.check(values, absent) for rule in self.rules if rule.scope == scope)


def load_rules(name: str = "gas_unit") -> RuleSet:
    """The rule set `name` shipped with this package; `PackInvalid` where there is none."""
    file = resources.files("tanzheng.analytics.rules") / f"{name}.toml"
    if not file.is_file():
        raise PackInvalid(f"expected the name of a rule set, got {name!r}")
    return parse_rules(file.read_bytes())


def parse_rules(raw: bytes) -> RuleSet:
    """A rule set from the bytes of its TOML file; `PackInvalid` names the rule that is wrong."""
    try:
        table = tomllib.loads(raw.decode())
        name, version, rows = table["name"], table["version"], table["rule"]
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PackInvalid(f"rule set: expected TOML, got {error}") from None
    except KeyError as error:
        raise PackInvalid(f"rule set: expected the key {error}") from None
    rules = tuple(_rule(row) for row in rows)
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise PackInvalid(f"rule set {name}: expected each id once, got {sorted(ids)}")
    return RuleSet(name, version, hashlib.sha256(raw).digest(), rules)


def _rule(row: Mapping[str, Any]) -> Rule:
    where = f"rule {row.get('id', '?')}"
    _one_of(row, "class", CLASSES, where)
    _one_of(row, "severity", SEVERITIES, where)
    _one_of(row, "scope", SCOPES, where)
    try:
        return Rule(
            id=row["id"],
            kind=row["class"],
            severity=row["severity"],
            scope=row["scope"],
            condition=Expression.parse(row["condition"]),
            parameters={key: Decimal(text) for key, text in row.get("parameters", {}).items()},
            en=row["en"],
            zh=row["zh"],
            source=row["source"],
            confidence=row["confidence"],
        )
    except KeyError as error:
        raise PackInvalid(f"{where}: expected the key {error}") from None
    except (InvalidOperation, TypeError, ValueError) as error:
        raise PackInvalid(f"{where}: expected decimal strings as parameters, got {error}") from None
    except PackInvalid as error:
        raise PackInvalid(f"{where}: {error}") from None


def _one_of(row: Mapping[str, Any], key: str, allowed: Any, where: str) -> None:
    if row.get(key) not in allowed:
        raise PackInvalid(f"{where}: expected {key} one of {list(allowed)}, got {row.get(key)!r}")


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
