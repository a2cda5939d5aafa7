"""How well each input, moved over each stretch of months, explains a unit's residuals.

For an input with signature s (the residuals' change by a change of the input, by differentiation of
the formulas) and residuals r with covariance V, the change that fits best is d = s'V⁻¹r / s'V⁻¹s,
and the score (s'V⁻¹r)² / s'V⁻¹s is the generalised likelihood ratio of "this input moved" against
"nothing did": 1 on average when nothing did. Over several months, numerators and denominators add.
"""

from dataclasses import dataclass, replace

import numpy as np

from tanzheng.analytics.anomalies.graph import Graph, Input
from tanzheng.analytics.anomalies.panel import Panel
from tanzheng.analytics.anomalies.residuals import NAMES, Fit, residuals
from tanzheng.analytics.anomalies.robust import Array, correlation, scale

STEP = 0.01
PRIOR_MONTHS = 24
"""Weight of the class against the unit's own months in the unit's spread."""
SPREAD_MIN = 5e-4
"""What rounding alone leaves of a figure with four digits."""
RAMPED = ("fuel", "cems")
SWAPPED = ("fuel",)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a change runs over months: its weight in each."""

    name: str
    weights: tuple[float, ...]


STEPS = tuple(Shape("step", (1.0,) * length) for length in range(1, 7))
RAMPS = tuple(
    Shape("drift", tuple((at + 1) / length for at in range(length))) for length in range(4, 9)
)
SWAP = Shape("swap", (1.0, -1.0))


@dataclass(frozen=True)
class Field:
    """Residuals, their precision and the inputs' signatures, for every unit and month."""

    residuals: Array  # (units, months, residuals), 0 where not known
    spread: Array  # (units, months, residuals), NaN where not known
    precision: Array  # (units, months, residuals, residuals), 0 where not known
    signatures: Array  # (inputs, units, months, residuals): per unit change of the logarithm

    def levels(self) -> Array:
        """(units,): how many residuals a unit has a spread of, so that it can be judged."""
        return np.asarray(np.isfinite(self.spread).any(axis=1).sum(axis=1), np.float64)

    def information(self) -> tuple[Array, Array]:
        """s'V⁻¹r and s'V⁻¹s, each (inputs, units, months)."""
        pulled = np.einsum("iumk,umkl->iuml", self.signatures, self.precision)
        return (
            np.einsum("iuml,uml->ium", pulled, self.residuals),
            np.einsum("iuml,iuml->ium", pulled, self.signatures),
        )


def prepare(panel: Panel, fitted: Fit, graph: Graph) -> Field:
    """The field of a fleet."""
    values = residuals(panel, fitted)
    spread = _spread(panel, values)
    known = np.isfinite(values) & np.isfinite(spread) & (spread > 0)
    values = np.where(known, values, np.nan)
    precision = _precision(panel, values, np.where(known, spread, np.nan))
    signatures = np.stack(
        [_signature(panel, fitted, item, values) for item in graph.inputs], axis=0
    )
    return Field(np.nan_to_num(values), np.where(known, spread, np.nan), precision, signatures)


def change(panel: Panel, item: Input, size: float) -> Panel:
    """The panel with an input moved by `size` as its maker would move it."""
    figures = panel.figures
    moved = panel.scaled(item.moves, 1 + size).figures
    if item.id == "fuel_and_ledger":
        # Receipts are adapted by tonnes, not by their own share.
        moved["received"] = figures["received"] + size * figures["fuel"]
    if item.id == "generation":
        moved["net"] = figures["net"] + size * figures["generation"]
    if item.id == "generation_and_house":
        moved["auxiliary"] = figures["auxiliary"] + size * figures["generation"]
    if item.id == "ncv":
        # Where the default per heat is used, the carbon follows the heating value.
        follows = figures["default"] > 0
        moved["carbon"] = figures["carbon"] * np.where(follows, 1 + size, 1.0)
    return replace(panel, figures=moved)


def _signature(panel: Panel, fitted: Fit, item: Input, values: Array) -> Array:
    moved = residuals(change(panel, item, STEP), fitted)
    found = np.nan_to_num((moved - residuals(panel, fitted)) / STEP * np.isfinite(values))
    if item.blames == "carbon":
        # A default is a constant: what it leaves in the residuals is not the carbon's.
        found = found * (panel.figures["default"] == 0)[..., None]
    return np.asarray(found)


def _spread(panel: Panel, values: Array) -> Array:
    """(units, 1, residuals): the unit's spread drawn to that of its class."""
    own = scale(values, 1)
    classes = np.array(panel.unit_class)
    drawn = np.full_like(own, np.nan)
    months = np.isfinite(values).sum(axis=1, keepdims=True)
    for name in sorted(set(panel.unit_class)):
        of = classes == name
        common = scale(values[of].reshape(-1, len(NAMES)), 0)[None]
        share = months[of] / (months[of] + PRIOR_MONTHS)
        drawn[of] = np.sqrt(share * np.nan_to_num(own[of]) ** 2 + (1 - share) * common**2)
    return np.broadcast_to(np.maximum(drawn, SPREAD_MIN), values.shape)


def _precision(panel: Panel, values: Array, spread: Array) -> Array:
    """Inverse covariances; a residual that is not known weighs nothing."""
    standard = values / spread
    precision = np.zeros((*values.shape, values.shape[-1]))
    classes = np.array(panel.unit_class)
    for name in sorted(set(panel.unit_class)):
        of = classes == name
        together = correlation(standard[of].reshape(-1, values.shape[-1]))
        known = np.isfinite(standard[of])
        pairs = known[..., :, None] & known[..., None, :]
        blank = np.eye(values.shape[-1]) * ~known[..., None, :]
        inverse = np.linalg.inv(np.where(pairs, together, 0.0) + blank)
        size = 1 / np.where(known, spread[of], 1.0)
        precision[of] = np.where(pairs, inverse, 0.0) * size[..., :, None] * size[..., None, :]
    return precision


def shapes(item: Input) -> tuple[Shape, ...]:
    """The courses an input may take."""
    ramps = RAMPS if item.id in RAMPED else ()
    return (*STEPS, *ramps, *((SWAP,) if item.id in SWAPPED else ()))


def windowed(values: Array, weights: tuple[float, ...], power: int) -> Array:
    """Weighted sums over the months that follow; the last starts have no full window: NaN."""
    months = values.shape[-1]
    out = np.full(values.shape, np.nan)
    full = months - len(weights) + 1
    if full > 0:
        out[..., :full] = sum(
            weight**power * values[..., at : at + full] for at, weight in enumerate(weights)
        )
    return out
