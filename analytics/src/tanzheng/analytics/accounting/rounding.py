"""Rounding as the guidelines ask: half up (四舍五入), in decimal arithmetic.

Reported decimals must not depend on float noise. A float64 enters decimal arithmetic once, as the
shortest text that reads back as the same float (`repr`), and everything after that is exact: a
counter that shows 211345.0 is 211345.0 and not 211344.99999999999.
"""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


def exact(value: float) -> Decimal:
    """The shortest decimal that reads back as `value`."""
    return Decimal(repr(float(value)))


def rounded(value: Decimal, decimals: int) -> Decimal:
    """`value` with `decimals` decimals, half away from zero."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def ratio(numerator: int, denominator: int, decimals: int) -> Decimal:
    """`numerator / denominator` with `decimals` decimals, half away from zero, rounded once."""
    scaled = Fraction(abs(numerator), denominator) * 10**decimals
    units = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(-units if numerator < 0 else units).scaleb(-decimals)


def quotient(
    numerator: Decimal | Fraction, denominator: Decimal | Fraction, decimals: int
) -> Decimal:
    """`numerator / denominator` with `decimals` decimals, half up, rounded once only."""
    value = Fraction(numerator) / Fraction(denominator)
    return ratio(value.numerator, value.denominator, decimals)
