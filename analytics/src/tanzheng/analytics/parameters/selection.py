"""Which source a parameter of the month is taken from: the filed one, or the safe side.

The filed source is used where it is valid, even where a better one is at hand: a choice made anew
each month would be made by its outcome. Where it is not valid, a lower source is never simply put
in its place: the parameter takes its default, or the figure at hand that errs on the safe side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.findings import Finding
from tanzheng.analytics.parameters.sources import ParameterSources, SourceData
from tanzheng.core.fields import field


class Status(StrEnum):
    """How a parameter came to its value."""

    VALID = "valid"
    CONSERVATIVE = "conservative"
    DEFAULT = "default"
    MISSING = "missing"


STATUS_LABELS = {
    Status.VALID: ("as filed", "按方案"),
    Status.CONSERVATIVE: ("conservative", "保守取值"),
    Status.DEFAULT: ("default", "缺省值"),
    Status.MISSING: ("missing", "缺失"),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """What a figure rests on: a file of the month's folder and the place in it."""

    file: str
    place: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A figure by one source. `status`: valid, conservative (some of it stood in for), or missing
    where the figure cannot count as measured; `findings` say why."""

    tier: str
    value: Decimal
    status: Status
    references: tuple[Reference, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class MonthlyParameter:
    """A parameter of the month. `source` is the tier its value is from; None where it has none."""

    name: str
    value: Decimal | None
    unit: str
    source: str | None
    source_filed: str
    status: Status
    why_en: str
    why_zh: str
    references: tuple[Reference, ...]

    def to_json(self) -> dict[str, object]:
        """The parameter as maps and text; the value is a decimal string."""
        return {
            "name": self.name,
            "value": None if self.value is None else str(self.value),
            "unit": self.unit,
            "source": self.source,
            "source_filed": self.source_filed,
            "status": str(self.status),
            "why": {"en": self.why_en, "zh": self.why_zh},
            "records": [{"file": item.file, "place": item.place} for item in self.references],
        }


def choose(
    parameter: ParameterSources,
    filed: str,
    candidates: Sequence[Candidate],
    default: Decimal | None,
    data: SourceData,
) -> tuple[MonthlyParameter, list[Finding]]:
    """The parameter and what a person should know about it.

    `default`: the value for "not measured", None where the parameter has none. At most one
    candidate a tier.
    """
    at_hand = {item.tier: item for item in candidates}
    own = at_hand.get(filed)
    found = [finding for item in candidates for finding in item.findings]
    if own is not None and own.status is not Status.MISSING:
        return _of(parameter, filed, own, data), found + _better(parameter, own, at_hand)
    if default is not None:
        return _default(parameter, filed, candidates, default, data, found)
    return _safe_side(parameter, filed, candidates, data, found)


def _of(
    parameter: ParameterSources, filed: str, own: Candidate, data: SourceData
) -> MonthlyParameter:
    en, zh = data.labels[own.tier]
    if own.status is Status.CONSERVATIVE:
        en, zh = f"{en}, in part on the safe side", f"{zh}，部分保守取值"
    return _parameter(
        parameter.name, own.value, own.tier, filed, own.status, (en, zh), own.references
    )


def _better(
    parameter: ParameterSources, own: Candidate, at_hand: dict[str, Candidate]
) -> list[Finding]:
    better = [
        item
        for item in at_hand.values()
        if item.status is Status.VALID and parameter.rank(item.tier) < parameter.rank(own.tier)
    ]
    return [
        Finding(
            "better_source_at_hand",
            "info",
            f"{parameter.name}: {item.tier} gives {_shown(parameter, item.value)}, the filed "
            f"source {own.tier} {_shown(parameter, own.value)}, which is used; "
            "file the better one",
            f"{parameter.name}：{item.tier} 为 {_shown(parameter, item.value)}，仍按备案来源 "
            f"{own.tier} 取 {_shown(parameter, own.value)}；建议修订方案",
        )
        for item in better
    ]


def _default(
    parameter: ParameterSources,
    filed: str,
    candidates: Sequence[Candidate],
    default: Decimal,
    data: SourceData,
    found: list[Finding],
) -> tuple[MonthlyParameter, list[Finding]]:
    name = parameter.name
    if filed == "default":
        why = ("default, as filed", "按方案取缺省值")
        return _parameter(name, default, "default", filed, Status.VALID, why, ()), found
    en, zh = data.labels[filed]
    why = (f"{en} not valid: default", f"{zh}无效，取缺省值")
    chosen = _parameter(name, default, "default", filed, Status.DEFAULT, why, ())
    value = _shown(parameter, default)
    found.append(
        Finding(
            "default_used", "explain",
            f"{name}: expected the filed source {filed}, got no valid figure: default {value}",
            f"{name}：备案来源 {filed} 无有效数据，取缺省值 {value}",
        )
    )  # fmt: skip
    found += [
        Finding(
            "default_below_figure", "explain",
            f"{name}: the default {value} is below the figure at hand "
            f"{_shown(parameter, item.value)} ({item.tier}), which is not valid",
            f"{name}：缺省值 {value} 低于无效的 {item.tier} 数据 {_shown(parameter, item.value)}",
        )
        for item in candidates
        if item.value > default
    ]  # fmt: skip
    return chosen, found


def _safe_side(
    parameter: ParameterSources,
    filed: str,
    candidates: Sequence[Candidate],
    data: SourceData,
    found: list[Finding],
) -> tuple[MonthlyParameter, list[Finding]]:
    name, (en, zh) = parameter.name, data.labels[filed]
    if not candidates:
        why = (f"{en}: nothing recorded", f"{zh}：无记录")
        missing = Finding(
            "parameter_missing", "error",
            f"{name}: expected a figure by the filed source {filed}, got no record of it",
            f"{name}：备案来源 {filed} 无任何记录",
        )  # fmt: skip
        return _parameter(name, None, None, filed, Status.MISSING, why, ()), [*found, missing]
    pick = max if parameter.conservative == "max" else min
    safe = pick(candidates, key=lambda item: item.value)
    side = ("largest", "最大值") if parameter.conservative == "max" else ("smallest", "最小值")
    why = (f"{en} not valid: {side[0]} figure at hand", f"{zh}无效，取现有数据{side[1]}")
    figures = ", ".join(f"{c.tier} {_shown(parameter, c.value)}" for c in candidates)
    found.append(
        Finding(
            "source_below_filed", "explain",
            f"{name}: expected the filed source {filed}, got no valid figure: the {side[0]} of "
            f"{figures} stands in",
            f"{name}：备案来源 {filed} 无有效数据，取 {figures} 中的{side[1]}",
        )
    )  # fmt: skip
    chosen = _parameter(
        name, safe.value, safe.tier, filed, Status.CONSERVATIVE, why, safe.references
    )
    return chosen, found


def _parameter(
    name: str,
    value: Decimal | None,
    source: str | None,
    filed: str,
    status: Status,
    why: tuple[str, str],
    references: tuple[Reference, ...],
) -> MonthlyParameter:
    entry = field(name)
    reported = None if value is None else rounded(value, entry.decimals or 0)
    return MonthlyParameter(
        name, reported, entry.unit, source, filed, status, why[0], why[1], references
    )


def _shown(parameter: ParameterSources, value: Decimal) -> str:
    entry = field(parameter.name)
    return f"{rounded(value, entry.decimals or 0)} {entry.unit}"
