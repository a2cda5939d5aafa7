"""What a report that was read back must be, before anything is computed with it."""

from collections.abc import Iterable, Iterator, Sequence

from tanzheng.analytics.annual.figures import Figure, is_additive, is_capacity
from tanzheng.analytics.annual.texts import KINDS
from tanzheng.analytics.annual.words import SECTORS, STATES
from tanzheng.analytics.annual.year import UnitYear
from tanzheng.core.errors import EncodingError
from tanzheng.core.fields import FIELDS


def check(units: Sequence[UnitYear], pack_states: Iterable[str], where: str) -> None:
    """Known sectors, states and figures, each with its unit; else `EncodingError` at its place."""
    if not units:
        raise EncodingError(f"{where}: expected a unit, got none")
    for state in pack_states:
        _among(state, STATES, f"{where}.packs.status")
    for unit in units:
        at = f"{where}: unit {unit.unit}"
        _among(unit.sector, SECTORS, f"{at}: sector")
        if not unit.months:
            raise EncodingError(f"{at}: expected a month, got none")
        for month in unit.months:
            _among(month.origin.kind, KINDS, f"{at}: {month.month}")
        for row in _rows(unit):
            if not row or not is_additive(_known(row[0], at).name):
                raise EncodingError(f"{at}: expected the emission first, got other figures")
            for figure in row:
                _figure(_known(figure, at), at)


def _rows(unit: UnitYear) -> Iterator[Sequence[Figure]]:
    yield unit.figures
    for month in unit.months:
        yield month.figures
        yield from (line.figures for line in month.lines)


def _known(figure: Figure, at: str) -> Figure:
    _among(figure.name, FIELDS, at)
    return figure


def _figure(figure: Figure, at: str) -> None:
    entry = FIELDS[figure.name]
    if figure.unit.replace("tCO2", "t") != entry.unit:  # factors of packs say of which gas
        raise EncodingError(f"{at}: {figure.name}: expected {entry.unit}, got {figure.unit}")
    adds_up = is_additive(figure.name) or is_capacity(figure.name)
    if adds_up != (figure.ratio is None):
        raise EncodingError(f"{at}: {figure.name}: expected a sum or a ratio, got the other")
    for weight in figure.ratio.by.split(" × ") if figure.ratio else ():
        _among(weight, FIELDS, f"{at}: {figure.name}: weight")


def _among(value: str, known: Iterable[str], at: str) -> None:
    if value not in known:
        raise EncodingError(f"{at}: expected a name that is known, got {value[:60]!r}")
