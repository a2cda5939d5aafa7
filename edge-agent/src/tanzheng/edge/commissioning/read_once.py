"""Every point of the devices' profiles, once: the named step between `check` and `run`.

Modbus and DL/T 645 are asked for all that the profile knows. Devices that send by themselves are
listened to by their own driver for a while, which shows the points with a field.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fractions import Fraction

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Placed, Source, Surroundings, Take
from tanzheng.edge.commissioning.asker import MeterAsker, ModbusAsker, conversation_with
from tanzheng.edge.commissioning.read_modbus import ModbusReader, good_but, unit_of
from tanzheng.edge.commissioning.readings import DeviceReading, PointReading, reading_view
from tanzheng.edge.configuration.config import Loaded, Placement
from tanzheng.edge.configuration.links import driver_of, endpoint, station
from tanzheng.edge.drivers import PROTOCOLS
from tanzheng.edge.drivers.dlt645.codec import ReadData
from tanzheng.edge.drivers.dlt645.settings import MeterSettings, settings_of
from tanzheng.edge.drivers.dlt645.values import Value, decode_values
from tanzheng.edge.spool.database import SpoolFull
from tanzheng.hardware.addresses import Dlt645At
from tanzheng.hardware.dlt645.identifiers import identifier
from tanzheng.hardware.points import PointSpec, Ratio

__all__ = ["read_all", "reading_view"]


def read_all(loaded: Loaded, device: str | None, seconds: float) -> list[DeviceReading]:
    """A reading of each device (or of `device` only), one after the other.

    `seconds` is the patience with a device that sends by itself.
    """
    placements = [each for each in loaded.placements if device in (None, each.device.id)]
    if not placements:
        known = ", ".join(each.device.id for each in loaded.placements)
        raise BadInput(f"expected a device of ({known}), got {device!r}")
    return asyncio.run(_read_each(placements, seconds))


async def _read_each(placements: Iterable[Placement], seconds: float) -> list[DeviceReading]:
    return [await _read(placement, seconds) for placement in placements]


async def _read(placement: Placement, seconds: float) -> DeviceReading:
    link = placement.plan.link
    points: Sequence[PointReading] = ()
    known: str | None = None
    try:
        folder = PROTOCOLS[link["protocol"]]
        if folder == "modbus":
            async with conversation_with(link) as conversation:
                asker = ModbusAsker(conversation, link)
                reader = ModbusReader(asker, placement.placed, placement.profile)
                points, failure = await reader.read()
                known = await reader.identity() if failure is None else None
        elif folder == "dlt645":
            points, failure = await _read_meter(placement)
        else:
            points, failure = await _listen(placement, seconds)
    except TanzhengError as error:
        failure = f"{getattr(error, 'reason', 'failed')}: {error}"
    address = " ".join(part for part in (endpoint(link), station(link)) if part)
    name = placement.device.id
    return DeviceReading(name, placement.profile.id, address, points, failure, known)


async def _read_meter(placement: Placement) -> tuple[list[PointReading], str | None]:
    """A DL/T 645 meter: each identifier of the profile once."""
    link = placement.plan.link
    settings = settings_of(placement.placed, placement.profile)
    found: dict[str, PointReading] = {}
    answered, reasons = False, list[str]()
    async with conversation_with(link) as conversation:
        asker = MeterAsker(conversation, link)
        for di, points in _by_identifier(placement.profile.points).items():
            began_s = time.monotonic()
            try:
                data = await asker.ask(ReadData(settings.address, di), settings.timeout_s)
                answered = True
                meaning = identifier(di)
                values = decode_values(meaning, data) if meaning else ()
            except TanzhengError as error:
                reasons.append(getattr(error, "reason", "bad_reply"))
                found |= {p.id: PointReading(p.id, unit_of(p), reason=reasons[-1]) for p in points}
                continue
            ms = (time.monotonic() - began_s) * 1000
            found |= {p.id: _metered(p, values, data, ms, settings) for p in points}
    ordered = [found[point.id] for point in placement.profile.points if point.id in found]
    return ordered, None if answered or not reasons else reasons[0]


def _by_identifier(points: Iterable[PointSpec]) -> dict[str, list[PointSpec]]:
    found: dict[str, list[PointSpec]] = {}
    for point in points:
        if isinstance(point.at, Dlt645At):
            found.setdefault(point.at.di, []).append(point)
    return found


def _metered(
    point: PointSpec, values: Sequence[Value], data: bytes, ms: float, settings: MeterSettings
) -> PointReading:
    part = point.at.part or 0 if isinstance(point.at, Dlt645At) else 0
    value = values[part] if part < len(values) else Value(None)
    raw = data.hex(" ")
    if value.text is None:
        return PointReading(point.id, unit_of(point), None, None, "not_available", raw, ms)
    if value.number is None:
        return PointReading(point.id, unit_of(point), value.text, "good", None, raw, ms)
    times: list[Ratio] = [name for name in point.times if name in settings.ratios]
    factor = point.factor * settings.factor(times, time.time_ns() // 1_000_000)
    number = float(Fraction(value.number) * factor + point.offset * point.to_field)
    quality = good_but(set(point.times) - set(settings.ratios))
    return PointReading(point.id, unit_of(point), number, quality, None, raw, ms)


class _Collector:
    """A sink that keeps the newest value of each point until a person has seen it."""

    def __init__(self, points: int) -> None:
        self.newest: dict[int, tuple[float, int]] = {}
        self.complete = asyncio.Event()
        self._points = points

    async def commit(self, takes: Sequence[Take], events: Sequence[Event] = ()) -> None:
        """Always `SpoolFull`: nothing is durable here, so the sender must keep what it sent."""
        for take in takes:
            for point, value, quality in zip(take.points, take.values, take.quality, strict=True):
                self.newest[point] = (value, quality)
        if len(self.newest) == self._points:
            self.complete.set()
        raise SpoolFull("expected to keep what came, got a look at it only")


async def _listen(placement: Placement, seconds: float) -> tuple[list[PointReading], str | None]:
    """What a device sends by itself within `seconds`, by its own driver."""
    plan = placement.plan
    points = [point for point in placement.profile.points if point.field]
    fields = tuple(str(point.field) for point in points)
    placed = Placed(plan.id, plan.link, plan.profile, fields, 0, plan.interval_ms)
    around = _surroundings(plan.interval_ms)
    source: Source = driver_of(plan.link).make_lines([placed], around)[0]
    collector = _Collector(len(fields))
    running = asyncio.create_task(source.run(collector))
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await collector.complete.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        source.close()
    reason = f"nothing_in_{seconds:g}_s"
    found = [_heard(point, collector.newest.get(at), reason) for at, point in enumerate(points)]
    return found, None if collector.newest else reason


def _heard(point: PointSpec, newest: tuple[float, int] | None, reason: str) -> PointReading:
    if newest is None:
        return PointReading(point.id, unit_of(point), reason=reason)
    return PointReading(point.id, unit_of(point), newest[0], Quality(newest[1]).name.lower())


def _surroundings(interval_ms: int) -> Surroundings:
    return Surroundings(
        now_ms=lambda: time.time_ns() // 1_000_000,
        note=lambda _event: None,
        suspect=lambda _point, _value, _t_ms: False,
        interval_ms=interval_ms,
        phase_ms=0,
    )
