"""An alert: where, when, which input, how much, why, and what to look at on site."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tanzheng.analytics.anomalies.panel import Panel
from tanzheng.analytics.anomalies.residuals import LABELS, NAMES
from tanzheng.core.hashing import sha256

if TYPE_CHECKING:
    from tanzheng.analytics.anomalies.blame import Field
    from tanzheng.analytics.anomalies.detect import Found
    from tanzheng.analytics.anomalies.marks import Mark

Known = tuple[str, str, str, str]
"""Enterprise, unit, what is blamed, month (YYYY-MM)."""
EVIDENCE_MIN = 2.0
"""Residuals within two standard deviations are not shown as evidence."""


@dataclass(frozen=True, slots=True)
class Twin:
    """Whose month a copy was made of; `label` is how the words of the evidence name it."""

    enterprise: str
    division: str
    label: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A figure against what was expected of it, or a mark (without numbers)."""

    month: str
    en: str
    zh: str
    off_percent: float | None = None
    spread_percent: float | None = None
    twin: Twin | None = None


@dataclass(frozen=True, slots=True)
class Rival:
    """Another input that might explain the same months, and how well it does."""

    input: str
    en: str
    zh: str
    score: float


@dataclass(frozen=True, slots=True)
class Alert:
    """`effect_percent` is the change of the blamed input, `effect_t` in tonnes of CO2 where the
    input moves calculated tonnes, else None. `score` is a squared normal score; `limit` was to
    be passed. `rivals` are the next best explanations."""

    id: str
    enterprise: str
    unit: str
    division: str
    months: tuple[str, ...]
    blames: str
    input: str
    course: str
    score: float
    limit: float
    effect_percent: float
    effect_t: float | None
    marks: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    rivals: tuple[Rival, ...]
    en: str
    zh: str
    check_en: str
    check_zh: str

    def known_as(self) -> frozenset[Known]:
        """How later runs recognise it, though its months or course may have grown."""
        return frozenset((self.enterprise, self.unit, self.blames, month) for month in self.months)


MOVES_TONNES = {"fuel", "carbon", "ncv"}


def describe(fleet: Panel, field: "Field", found: "Found") -> Alert:
    """The alert that an explanation makes."""
    best, row, start = found.best, found.row, found.start
    item, weights = best.item, best.shape.weights
    columns = range(start, start + len(weights))
    months = tuple(f"{fleet.months[column]:%Y-%m}" for column in columns)
    known = [mark.effect for mark in found.borne if mark.effect is not None]
    size = known[0] if known else float(np.expm1(np.nan_to_num(best.size[row, start])))
    effect = np.array([size * weight for weight in weights])
    enterprise, unit = fleet.units[row]
    return Alert(
        sha256("\n".join([enterprise, unit, *months, item.id]).encode()).hex()[:12],
        enterprise, unit, fleet.divisions[row], months, item.blames, item.id, best.shape.name,
        round(float(best.score[row, start]), 1), round(found.limit, 1), round(100 * size, 2),
        _tonnes(fleet, item.blames, row, columns, effect),
        tuple(dict.fromkeys(mark.kind for mark in found.borne)),
        (*_marks(fleet, found.borne), *_residuals(fleet, field, row, columns)),
        found.rivals, item.en, item.zh, item.check_en, item.check_zh,
    )  # fmt: skip


def _tonnes(
    fleet: Panel, blames: str, row: int, columns: range, effect: "np.typing.NDArray[np.float64]"
) -> float | None:
    """What the change put into (or took out of) the booked tonnes."""
    follows = fleet.figures["default"][row, columns] > 0
    if blames not in MOVES_TONNES or (blames == "ncv" and not follows.all()):
        return None
    booked = fleet.figures["co2"][row, columns]
    moved = float(np.nansum(booked - booked / (1 + effect)))
    return round(moved, 2)


def _marks(fleet: Panel, borne: "tuple[Mark, ...]") -> list[Evidence]:
    return [
        Evidence(
            f"{fleet.months[mark.column]:%Y-%m}", mark.en, mark.zh, twin=_twin(fleet, mark.twin)
        )
        for mark in borne
    ]


def _twin(fleet: Panel, twin: tuple[int, int] | None) -> Twin | None:
    if twin is None:
        return None
    return Twin(fleet.units[twin[0]][0], fleet.divisions[twin[0]], fleet.named(*twin))


def _residuals(fleet: Panel, field: "Field", row: int, columns: range) -> list[Evidence]:
    """The residuals of the months that stand out, those that stand out most first."""
    found = []
    for column in columns:
        for at, name in enumerate(NAMES):
            off, spread = field.residuals[row, column, at], field.spread[row, column, at]
            if spread > 0 and abs(off) >= EVIDENCE_MIN * spread:
                found.append((abs(off) / spread, column, name, off, spread))
    return [
        Evidence(
            f"{fleet.months[column]:%Y-%m}",
            *LABELS[name],
            round(100 * float(off), 2),
            round(100 * float(spread), 2),
        )
        for _, column, name, off, spread in sorted(found, reverse=True)
    ]
