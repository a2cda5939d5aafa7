"""The close of a computed month on a given day: deadline, and whether it may be deposited."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import RuleResult, RuleSet
from tanzheng.core import canonical_json
from tanzheng.core.calendar import Month
from tanzheng.core.errors import EncodingError


class Deposit(StrEnum):
    """Whether the month's evidence may be deposited."""

    READY = "ready"
    EXPLAIN = "explain"
    BLOCKED = "blocked"


DEPOSIT_LABELS = {
    Deposit.READY: ("ready for deposit", "可存证"),
    Deposit.EXPLAIN: ("deposit with a written explanation", "说明后可存证"),
    Deposit.BLOCKED: ("blocked until mended", "整改前不可存证"),
}


@dataclass(frozen=True, slots=True)
class Closing:
    """A month closed on a day: all rule results, and what they mean for the deposit."""

    closed_on: date
    deadline: date
    rule_results: tuple[RuleResult, ...]
    deposit: Deposit


def deadline(month: Month, pack: Pack) -> date:
    """The last day for the month's evidence: so many natural days after its last day."""
    return month.last_day + timedelta(days=_deposit_days(pack))


def _deposit_days(pack: Pack) -> int:
    days = pack.deadline("monthly_evidence").days
    assert days is not None, f"pack {pack.name}: monthly evidence is due so many days after a month"
    return days


def close(result: MonthResult, pack: Pack, rules: RuleSet, closed_on: date) -> Closing:
    """Close `result` on the day `closed_on`, which is plant time and given by the caller."""
    values = result.values() | {
        "days_after_month_end": Decimal((closed_on - result.month.last_day).days),
        "deposit_days": Decimal(_deposit_days(pack)),
    }
    results = (*result.rule_results, *rules.check("deposit", values, result.absent))
    severities = {item.severity for item in results if item.outcome == "failed"}
    severities |= {finding.severity for finding in result.findings}
    return Closing(closed_on, deadline(result.month, pack), results, _deposit(severities))


def findings_json(result: MonthResult, closing: Closing) -> bytes:
    """The bytes of `data/findings.json` in an evidence package, canonical JSON.

    `sources` is there for a unit with a filed plan: by what and how each of its figures was chosen.
    """
    sources = {} if result.filed is None else {"sources": result.filed.to_json()}
    return canonical_json.dumps(
        {
            **sources,
            "version": 1,
            "closed_on": closing.closed_on.isoformat(),
            "deadline": closing.deadline.isoformat(),
            "deposit": str(closing.deposit),
            "calculation": result.calculation.to_json(),
            "findings": [finding.to_json() for finding in result.findings],
            "rules": [item.to_json() for item in closing.rule_results],
        }
    )


def closed_on(findings: bytes) -> date:
    """The day of closing that a package's `findings.json` names; `EncodingError` without one."""
    content = canonical_json.loads(findings, "findings.json")
    try:
        return date.fromisoformat(content["closed_on"])
    except (ValueError, KeyError, TypeError) as error:
        raise EncodingError(f"findings.json: expected closed_on YYYY-MM-DD, got {error}") from None


def _deposit(severities: set[str]) -> Deposit:
    if "error" in severities:
        return Deposit.BLOCKED
    return Deposit.EXPLAIN if "explain" in severities else Deposit.READY
