"""A unit's clock hours from its readings: all of a month, or again the ones that late data touch.

A reading that comes late changes the hours it reaches, and no other:

- a run-state sample, the time between its two neighbours;
- a CEMS reading, the run-state samples that hold it, each up to its neighbours;
- a counter reading or a ledger record, the hours that end or begin there or hold it;
- and every substituted hour that looks at one of these: all of them where an hour becomes valid or
  ceases to be (the capture rate and the failure's length change), else those whose look-back holds
  an hour with another rate.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from tanzheng.analytics import cems, running
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.counters import hourly_differences
from tanzheng.analytics.hours import (
    Hour,
    filled,
    hours_without_cems,
    substitutes_of,
    unfilled_hours,
)
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.series import Series
from tanzheng.analytics.substitution import MONTH_ALONE, LookBack, quarter_start_ms
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Role

HOURLY_DECIMALS = 6


def month_hours(
    inputs: MonthInputs, pack: Pack, look_back: LookBack = MONTH_ALONE
) -> tuple[Hour, ...]:
    """Every hour of the month, substitutes included."""
    _check_declared(inputs, look_back)
    hours = _unfilled(inputs, inputs.start_ms, inputs.end_ms, pack, look_back)
    return _filled(inputs, hours, pack, look_back)


def touched(
    before: MonthInputs,
    now: MonthInputs,
    hours: Sequence[Hour],
    pack: Pack,
    look_back: LookBack = MONTH_ALONE,
) -> frozenset[int]:
    """Starts of the hours that may differ between two states of the same month's readings.

    `hours` are those of `before`, computed with the same `look_back`. No other hour can differ.
    """
    return _again(before, now, hours, pack, look_back)[1]


def recompute(
    before: MonthInputs,
    now: MonthInputs,
    hours: Sequence[Hour],
    pack: Pack,
    look_back: LookBack = MONTH_ALONE,
) -> tuple[Hour, ...]:
    """The hours of `now` from those of `before`: equal to `month_hours(now)`, byte for byte, with
    work only on the touched ones."""
    known, starts = _again(before, now, hours, pack, look_back)
    return _filled(now, known, pack, look_back, only=starts)


def _check_declared(inputs: MonthInputs, look_back: LookBack) -> None:
    if not inputs.cems_roles and look_back != MONTH_ALONE:
        raise BadInput(
            f"unit {inputs.unit.id}: expected nothing declared of a CEMS, got some: it has none · "
            "机组无 CEMS，不应申报 CEMS 失控、人工监测或缺省值"
        )


def _filled(
    inputs: MonthInputs,
    hours: Sequence[Hour],
    pack: Pack,
    look_back: LookBack,
    only: Collection[int] | None = None,
) -> tuple[Hour, ...]:
    """The hours with their substitutes; without CEMS there is nothing to substitute."""
    if not inputs.cems_roles:
        return tuple(hours)
    return filled(hours, _quarter_ms(inputs), pack, look_back, only=only)


def _again(
    before: MonthInputs, now: MonthInputs, hours: Sequence[Hour], pack: Pack, look_back: LookBack
) -> tuple[list[Hour], frozenset[int]]:
    """The hours with the touched ones unfilled and anew, and the starts of all touched ones."""
    reached = _reached(before, now)
    anew = {
        hour.start_ms: hour
        for begin, end in _stretches(sorted(reached))
        for hour in _unfilled(now, begin, end, pack, look_back)
    }
    known = [anew.get(hour.start_ms, hour) for hour in hours]
    if not now.cems_roles:
        return known, frozenset(reached)
    pairs = [(old.state, new.state) for old, new in zip(hours, known, strict=True)]
    changed = {new.start_ms for old, new in pairs if old != new}
    if any((old.operating, old.bad) != (new.operating, new.bad) for old, new in pairs):
        dependent = {new.start_ms for _, new in pairs if new.bad}
    else:
        substitutes = substitutes_of(known, _quarter_ms(now), pack, look_back)
        dependent = substitutes.dependents(changed) if changed else set()
    return known, frozenset(reached | dependent)


def _quarter_ms(inputs: MonthInputs) -> int:
    return quarter_start_ms(inputs.month, inputs.zone)


def _stretches(starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring hours in one piece: [begin, end) of each."""
    begin = None
    for number, start_ms in enumerate(starts):
        begin = start_ms if begin is None else begin
        if number + 1 == len(starts) or starts[number + 1] != start_ms + HOUR_MS:
            yield begin, start_ms + HOUR_MS
            begin = None


def _unfilled(
    inputs: MonthInputs, from_ms: int, to_ms: int, pack: Pack, look_back: LookBack
) -> list[Hour]:
    """The hours of [from_ms, to_ms), nothing substituted, from the readings that reach them."""
    samples = _around(inputs.run_samples(), from_ms, to_ms)
    _, interval_ms = inputs.run_state()
    cut = running.segments(samples, from_ms, to_ms, interval_ms)
    if roles := inputs.cems_roles:
        readings = {role: inputs.role(role) for role in roles}
        grams_per_h, valid = cems.rates(samples.t_ms, readings, pack)
        hours = unfilled_hours(from_ms, cut, grams_per_h, valid, pack, look_back)
    else:
        hours = hours_without_cems(from_ms, cut, pack)
    starts = [hour.start_ms for hour in hours]
    counted = {
        role: hourly_differences(inputs.counter(role).mended, starts) for role in inputs.counters
    }
    energy, volume = (
        counted.get(role, [None] * len(hours)) for role in (Role.GENERATION, Role.FUEL_GAS)
    )
    return [
        replace(hour, generation_mwh=_scaled(kwh, -3), fuel_gas_1e4nm3=_scaled(nm3, -4))
        for hour, kwh, nm3 in zip(hours, energy, volume, strict=True)
    ]


def _around(samples: Series, from_ms: int, to_ms: int) -> Series:
    """The samples of [from_ms, to_ms] and the nearest on either side."""
    first = max(int(np.searchsorted(samples.t_ms, from_ms, side="right")) - 1, 0)
    last = int(np.searchsorted(samples.t_ms, to_ms)) + 1
    return Series(samples.t_ms[first:last], samples.value[first:last], samples.quality[first:last])


def _scaled(value: Decimal | None, exponent: int) -> Decimal | None:
    return None if value is None else rounded(value.scaleb(exponent), HOURLY_DECIMALS)


def _reached(before: MonthInputs, now: MonthInputs) -> set[int]:
    """Starts of the hours whose own readings or ledger differ."""
    samples = (before.run_samples(), now.run_samples())
    spans: list[tuple[int, int]] = []
    for t_ms in _differing(*samples):
        spans += [_neighbours(known, t_ms, now) for known in samples]
    for role in now.cems_roles:
        series, interval_ms = now.role(role)
        for t_ms in _differing(before.role(role)[0].usable(), series.usable()):
            holding = samples[1].between(t_ms, t_ms + interval_ms - 1)
            spans += [_neighbours(samples[1], each, now) for each in holding.t_ms.tolist()]
    for role in now.counters:
        spans += [(t_ms - 1, t_ms + 1) for t_ms in _counted(before, now, role)]
    return {
        start_ms
        for first_ms, last_ms in spans
        for start_ms in range(first_ms - (first_ms - now.start_ms) % HOUR_MS, last_ms, HOUR_MS)
        if now.start_ms <= start_ms < now.end_ms
    }


def _counted(before: MonthInputs, now: MonthInputs, role: Role) -> list[int]:
    """Instants of counter readings at the ends of hours, and of lifts, that differ."""
    old, new = before.counter(role).mended, now.counter(role).mended
    ends = [t for t in _differing(old.series, new.series) if (t - now.start_ms) % HOUR_MS == 0]
    lifts = [{(each.t_ms, each.lift) for each in known.corrections} for known in (old, new)]
    return ends + [t_ms for t_ms, lift in lifts[0] ^ lifts[1] if lift]


def _differing(old: Series, new: Series) -> list[int]:
    """Instants that only one of the two has a reading for, or that differ in its value."""
    one_sided: list[int] = np.setxor1d(old.t_ms, new.t_ms, assume_unique=True).tolist()
    common, ours, theirs = np.intersect1d(
        old.t_ms, new.t_ms, assume_unique=True, return_indices=True
    )
    return one_sided + list(map(int, common[old.value[ours] != new.value[theirs]]))


def _neighbours(samples: Series, t_ms: int, inputs: MonthInputs) -> tuple[int, int]:
    """The time that a sample at `t_ms` has a say in: from the sample before to the one after."""
    times = samples.t_ms
    before = int(np.searchsorted(times, t_ms)) - 1
    after = int(np.searchsorted(times, t_ms, side="right"))
    return (
        int(times[before]) if before >= 0 else inputs.start_ms,
        int(times[after]) if after < len(times) else inputs.end_ms,
    )
