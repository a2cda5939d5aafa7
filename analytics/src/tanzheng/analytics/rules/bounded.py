"""Columns of float64 that carry how far they may lie from the exact answer.

`exact` reads a float as the decimal that it is printed as. A rule is first computed in float64 with
a bound on the error (running error analysis: Higham, Accuracy and Stability of Numerical
Algorithms, 2002, section 3.3); what the bound leaves open is `doubt`, and goes to `exact`.

Bounds are one number a column where that is enough, or, in `close` columns, one a row. Close
columns know their `grid` too: exact values are multiples of it, so that two whose error is small
beside it are equal or apart by a step, and 0.1 + 0.2 == 0.3 is decided without `exact`.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Bound = float | Array

EPSILON = 2.0**-52
"""Twice the rounding of one operation: the other half covers products of errors."""
TINY = 2.0**-1022
MARGIN = 1.001
SIZE_MAX = 1e300
"""Beyond it an operation may overflow: such rows are doubtful."""
UNKNOWN: Array = np.array(np.nan)
SCALED_MAX = 1e15
"""Decimals of fifteen digits and the floats nearest to them are one to one."""
COUNT_MAX = 1e9
PLACES_MAX = 6
"""Decimals of the finest grid that is looked for."""


@dataclass(frozen=True, slots=True)
class Number:
    """`value` is NaN where not known, at most `size`, at most `error` from the exact value.

    `sharp`: the float nearest to a decimal that no other decimal in play shares, so that
    comparing two sharp numbers is exact. `grid` is 0 where none is known.
    """

    value: Array
    size: Bound
    error: Bound
    sharp: bool = False
    grid: Bound = 0.0
    doubt: Mask | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """Where the answer is true and where it is false; where neither, it is not known."""

    true: Mask
    false: Mask
    doubt: Mask | None = None


def either(a: Mask | None, b: Mask | None) -> Mask | None:
    """Where one of two doubts is."""
    if a is None or b is None:
        return b if a is None else a
    return a | b


def leaf(value: Array, most: float) -> Number:
    """A column as it was reported, no value larger than `most` on either side of zero."""
    return Number(value, most, EPSILON * most + TINY, sharp=True)


def close_leaf(value: Array) -> Number:
    """The same with a bound a row."""
    size = np.abs(value)
    return Number(value, size, EPSILON * size + TINY, sharp=True, grid=_grid(value))


def counted(value: Array, doubt: Mask | None = None) -> Number:
    """Small whole numbers, exact as they are."""
    return Number(value, COUNT_MAX, 0.0, sharp=True, grid=1.0, doubt=doubt)


def _grid(value: Array) -> Array:
    """The coarsest power of ten that each value is a multiple of; 0 beyond six decimals."""
    grid = np.zeros_like(value)
    for places in range(PLACES_MAX + 1):
        scale = 10.0**places
        scaled = np.rint(value * scale)
        fits = (scaled / scale == value) & (np.abs(scaled) < SCALED_MAX)
        np.putmask(grid, fits & (grid == 0), 1 / scale)
        if np.all(fits | np.isnan(value)):
            break
    return grid


def added(a: Number, b: Number) -> Number:
    return _sum(a, b, a.value + b.value)


def subtracted(a: Number, b: Number) -> Number:
    return _sum(a, b, a.value - b.value)


def _sum(a: Number, b: Number, value: Array) -> Number:
    size = a.size + b.size
    error = a.error + b.error + EPSILON * size
    return _guarded(Number(value, size, error, False, np.minimum(a.grid, b.grid)), a, b)


def multiplied(a: Number, b: Number) -> Number:
    size = a.size * b.size
    error = a.size * b.error + b.size * a.error + EPSILON * size + TINY
    return _guarded(Number(a.value * b.value, size, error, False, a.grid * b.grid), a, b)


def divided(a: Number, b: Number) -> Number:
    """Not known where `b` is zero; doubtful where `b` may be."""
    value, far, near = a.value / b.value, np.abs(b.value), None
    closest = np.fmin.reduce(far, axis=None, initial=SIZE_MAX)
    if not np.all(closest > 2 * b.error):
        zero = far == 0
        near = (far <= 2 * b.error) & ~(zero & b.sharp)
        value, far = np.where(zero, np.nan, value), np.where(zero | near, np.nan, far)
        closest = np.fmin.reduce(far, axis=None, initial=SIZE_MAX)
    least: Bound = float(closest) if isinstance(b.size, float) else far
    size = a.size / least
    error = 2 * (a.error + size * b.error) / least + EPSILON * size + TINY
    number = _guarded(Number(value, size, error), a, b)
    return number if near is None else replace(number, doubt=either(number.doubt, near))


def _guarded(number: Number, a: Number, b: Number) -> Number:
    """`number` with the doubts of its parts, and doubtful where it may have overflowed."""
    doubt = either(a.doubt, b.doubt)
    over = np.greater_equal(number.size, SIZE_MAX)
    if not over.any():
        return number if doubt is None else replace(number, doubt=doubt)
    doubt = either(doubt, over)
    if isinstance(number.size, float):
        return replace(number, size=SIZE_MAX, error=SIZE_MAX, grid=0.0, doubt=doubt)
    size = np.minimum(number.size, SIZE_MAX)
    return replace(number, size=size, error=np.where(over, size, number.error), doubt=doubt)


def negative(a: Number) -> Number:
    return replace(a, value=-a.value)


def absolute(a: Number) -> Number:
    return replace(a, value=np.abs(a.value))


def least(a: Number, b: Number) -> Number:
    return _picked(a, b, np.minimum(a.value, b.value))


def most(a: Number, b: Number) -> Number:
    return _picked(a, b, np.maximum(a.value, b.value))


def _picked(a: Number, b: Number, value: Array) -> Number:
    return Number(
        value,
        np.fmax(a.size, b.size),
        np.fmax(a.error, b.error),
        a.sharp and b.sharp,
        np.minimum(a.grid, b.grid),
        either(a.doubt, b.doubt),
    )


def mean(*parts: Number) -> Number:
    """Of those known; needs half of them."""
    if not parts:
        return counted(UNKNOWN)
    total, count = np.zeros((2, *np.shape(parts[0].value)))
    for part in parts:
        known = ~np.isnan(part.value)
        total = total + np.where(known, part.value, 0.0)
        count = count + known
    enough = (count > 0) & (2 * count >= len(parts))
    size = len(parts) * reduce(np.fmax, (part.size for part in parts))
    error = reduce(np.fmax, (part.error for part in parts)) + 3 * EPSILON * size
    doubt = reduce(either, (part.doubt for part in parts))
    number = Number(total / np.where(enough, count, np.nan), size, error, doubt=doubt)
    return _guarded(number, number, number)


def spread(*parts: Number) -> Number:
    """The largest less the smallest, all known."""
    if not parts:
        return counted(UNKNOWN)
    return subtracted(reduce(most, parts), reduce(least, parts))


def rounded(a: Number, places: int) -> Number:
    """Half away from zero."""
    scaled, doubt = _scaled(a, places)
    size = a.size + 1.0
    grid = 10.0**-places
    return Number(scaled / 10.0**places, size, EPSILON * size, sharp=True, grid=grid, doubt=doubt)


def last_digit(a: Number, places: int) -> Number:
    scaled, doubt = _scaled(a, places)
    digits = np.abs(scaled)
    return counted(digits - 10 * np.floor(digits / 10), doubt)


def _scaled(a: Number, places: int) -> tuple[Array, Mask | None]:
    """`a` in steps of its last place, a whole number; doubtful near a half and beyond floats."""
    scale = 10.0**places
    exact = a.value * scale
    whole = np.rint(exact)
    apart = np.abs(exact - whole)
    over = np.greater_equal(a.size * scale, SCALED_MAX)
    doubt = either(a.doubt, over if over.any() else None)
    if places == 0 and a.sharp:
        half = apart == 0.5
        return np.where(half, np.trunc(exact) + np.sign(exact), whole), doubt
    slack = (a.error * scale + EPSILON * (a.size * scale)) * MARGIN
    near = apart >= 0.5 - slack
    return whole, either(doubt, near if near.any() else None)


def compared(operation: type[ast.cmpop], a: Number, b: Number) -> Truth:
    """Two numbers held against each other."""
    doubt = either(a.doubt, b.doubt)
    if a.sharp and b.sharp:
        yes, no = _SHARP[operation]
        return Truth(yes(a.value, b.value), no(a.value, b.value), doubt)
    apart = a.value - b.value
    slack = (a.error + b.error) * MARGIN
    grid = np.minimum(a.grid, b.grid)
    settled = np.less(slack, grid / 4)
    if settled.any():
        slack = np.where(settled, grid / 2, slack)
    below, above, not_above = apart < -slack, apart > slack, apart <= slack
    level = not_above ^ below
    if level.any():
        doubt = either(doubt, level & ~settled)
    return Truth(*_BLUNT[operation](below, level, above), doubt)


_Compared = Callable[[Array, Array], Mask]


def _unequal(a: Array, b: Array) -> Mask:
    """`!=` would be true of what is not known."""
    return (a < b) | (a > b)


_SHARP: Mapping[type[ast.cmpop], tuple[_Compared, _Compared]] = {
    ast.Lt: (np.less, np.greater_equal),
    ast.LtE: (np.less_equal, np.greater),
    ast.Gt: (np.greater, np.less_equal),
    ast.GtE: (np.greater_equal, np.less),
    ast.Eq: (np.equal, _unequal),
    ast.NotEq: (_unequal, np.equal),
}
_BLUNT: Mapping[type[ast.cmpop], Callable[[Mask, Mask, Mask], tuple[Mask, Mask]]] = {
    ast.Lt: lambda below, level, above: (below, level | above),
    ast.LtE: lambda below, level, above: (below | level, above),
    ast.Gt: lambda below, level, above: (above, level | below),
    ast.GtE: lambda below, level, above: (above | level, below),
    ast.Eq: lambda below, level, above: (level, below | above),
    ast.NotEq: lambda below, level, above: (below | above, level),
}


def both(a: Truth, b: Truth) -> Truth:
    return Truth(a.true & b.true, a.false | b.false, either(a.doubt, b.doubt))


def any_of(a: Truth, b: Truth) -> Truth:
    return Truth(a.true | b.true, a.false & b.false, either(a.doubt, b.doubt))


def denied(a: Truth) -> Truth:
    return Truth(a.false, a.true, a.doubt)
