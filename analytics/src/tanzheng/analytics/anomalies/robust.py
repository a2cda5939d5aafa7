"""Robust statistics that a few bad months cannot move. NaN means not known, throughout."""

import math
import warnings
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MAD_TO_SIGMA = 1.4826
TUKEY = 4.685
"""Tuning constant of Tukey's biweight: 95 % efficiency on normal errors."""


def median(values: Array, axis: int) -> Array:
    """The median without NaN; NaN where nothing is known; the axis is kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis, keepdims=True))


def scale(values: Array, axis: int) -> Array:
    """Standard deviation by the median of absolute deviations; the axis is kept."""
    return MAD_TO_SIGMA * median(np.abs(values - median(values, axis)), axis)


def regress(design: Array, target: Array, rounds: int = 20) -> Array:
    """Coefficients of `target` (n,) on `design` (n, k) by re-weighted least squares (biweight).

    Rows with NaN are left out. The start is least absolute deviations by the same re-weighting,
    so that the first scale is not the outliers'.
    """
    known = np.isfinite(target) & np.isfinite(design).all(axis=1)
    rows, values = design[known], target[known]
    if len(values) < design.shape[1]:
        return np.full(design.shape[1], np.nan)
    weights: Array = np.ones(len(values))
    found: Array = np.zeros(design.shape[1])
    for step in range(2 * rounds):
        root = np.sqrt(weights)
        found = np.asarray(
            np.linalg.lstsq(rows * root[:, None], values * root, rcond=None)[0], np.float64
        )
        away = np.abs(values - rows @ found)
        spread = max(MAD_TO_SIGMA * float(np.median(away)), 1e-9 * float(np.abs(values).max()))
        if step < rounds:
            weights = 1 / np.maximum(away, 0.1 * spread + 1e-300)
        else:
            weights = np.clip(1 - (away / (TUKEY * spread)) ** 2, 0, None) ** 2
    return np.asarray(found)


def correlation(standard: Array) -> Array:
    """Correlation (k, k) of standardised columns (n, k), wild values drawn in to 2.5."""
    drawn = np.clip(standard, -2.5, 2.5)
    known = np.isfinite(drawn)
    filled = np.where(known, drawn, 0.0)
    both = known.T.astype(float) @ known
    cross = filled.T @ filled / np.maximum(both, 1)
    size = np.sqrt(np.maximum(np.diag(cross), 1e-9))
    found = np.where(both >= 30, cross / np.outer(size, size), 0.0)
    values, vectors = np.linalg.eigh((found + found.T) / 2)
    positive = (vectors * np.maximum(values, 0.05)) @ vectors.T
    size = np.sqrt(np.diag(positive))
    return np.asarray(positive / np.outer(size, size))


def threshold(rate: float, trials: float) -> float:
    """Squared normal score that `trials` honest tries pass `rate` times together."""
    return NormalDist().inv_cdf(1 - min(0.5, rate / trials / 2)) ** 2


def surprise(chance: float) -> float:
    """A chance as an addition to a squared score: twice its negative logarithm."""
    return -2 * math.log(min(1.0, max(chance, 1e-12)))
