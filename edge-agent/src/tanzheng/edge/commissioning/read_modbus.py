"""All points of a Modbus device once, as a person wants to see them."""

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from tanzheng.core.errors import TanzhengError
from tanzheng.core.fields import FIELDS
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Placed
from tanzheng.edge.commissioning.asker import ModbusAsker
from tanzheng.edge.commissioning.readings import PointReading
from tanzheng.edge.drivers.modbus.codec import DeviceException, ReadRequest
from tanzheng.edge.drivers.modbus.settings import settings_of
from tanzheng.hardware.addresses import RegisterAt
from tanzheng.hardware.blocks import Memory, ReadBlock, compile_block, plan_blocks
from tanzheng.hardware.points import PointSpec
from tanzheng.hardware.profile import Profile
from tanzheng.hardware.registers import Raw, raw_of, text_of, value_of

ORDERS: Final = (("big", False), ("little", False), ("big", True), ("little", True))
SILENT_BLOCKS_MAX: Final = 2
"""A device that leaves so many first questions unanswered is not asked the rest."""
_ORDERED: Final = frozenset({"u32", "i32", "f32"})
GATEWAY_CODES: Final = frozenset({10, 11})
"""Said by a gateway whose device behind it is silent (§7)."""
_ADDRESS_CODES: Final = frozenset({2, 3})


class ModbusReader:
    """One device, with what its blocks need of each other."""

    def __init__(self, asker: ModbusAsker, placed: Placed, profile: Profile) -> None:
        self._asker, self._profile = asker, profile
        self._settings = settings_of(placed, profile)
        self._ratios = self._settings.ratios
        self._memory: Memory = {}
        self._points: dict[str, PointReading] = {}
        self._answers = 0

    async def read(self) -> tuple[list[PointReading], str | None]:
        """All points in profile order, and the first reason where nothing was answered at all."""
        await asyncio.sleep(self._settings.connect_pause_s)
        most = self._settings.registers_per_read_max
        blocks = list(plan_blocks(self._profile, self._profile.points, most))
        reasons: list[str] = []
        while blocks:
            block = blocks.pop(0)
            if self._answers == 0 and len(reasons) >= SILENT_BLOCKS_MAX:
                self._miss(block, reasons[0])
                continue
            reason, halves = await self._block(block)
            reasons += [reason] if reason else []
            blocks[:0] = halves
        failure = reasons[0] if reasons and self._answers == 0 else None
        found = [
            self._points[point.id] for point in self._profile.points if point.id in self._points
        ]
        return found, failure

    async def identity(self) -> str | None:
        """What the device says of itself; None where its profile has no identity or it is silent.

        `CheckFailed` is not raised: a person looks at it.
        """
        identity = self._profile.identity
        if identity is None:
            return None
        try:
            text = text_of(
                identity.point, await self._ask(_block_request(self._settings.unit, identity.point))
            )
        except TanzhengError as error:
            return getattr(error, "reason", None)
        wanted = identity.equals
        if wanted is None:
            return text
        return text if text == str(wanted) else f"{text}, expected {wanted} · 型号不符"

    async def _block(self, block: ReadBlock) -> tuple[str | None, Iterable[ReadBlock]]:
        """Read one block; the reason of a failure, and smaller blocks to try instead."""
        began_s = time.monotonic()
        try:
            data = await self._ask(
                ReadRequest(self._settings.unit, block.fc, block.addr, block.count)
            )
        except DeviceException as error:
            self._answers += error.code not in GATEWAY_CODES
            halves = block.halves() if error.code in _ADDRESS_CODES else ()
            if not halves:
                self._miss(block, error.reason)
            return (None if halves else error.reason), halves
        except TanzhengError as error:
            reason = getattr(error, "reason", "bad_reply")
            self._miss(block, reason)
            return reason, ()
        self._answers += 1
        self._take(block, data, (time.monotonic() - began_s) * 1000)
        return None, ()

    async def _ask(self, request: ReadRequest) -> bytes:
        await asyncio.sleep(self._settings.pause_s)
        return await self._asker.ask(request, self._settings.timeout_s)

    def _take(self, block: ReadBlock, data: bytes, latency_ms: float) -> None:
        decoded = compile_block(block, self._ratios, self._memory).decode(data)
        kept = range(len(block.points)) if decoded.kept is None else decoded.kept
        values = dict(zip(kept, zip(decoded.values, decoded.quality, strict=True), strict=True))
        for index, point in enumerate(block.points):
            own = _cut(block, point.register, data)
            reading = PointReading(
                point.id, unit_of(point), raw=own.hex(" ", 2), latency_ms=latency_ms,
                **self._ordered(point, own),
            )  # fmt: skip
            if point.is_text:
                reading = replace(reading, value=text_of(point.register, own), quality="good")
            elif index in values:
                value, quality = values[index]
                unknown = set(point.times) - set(self._ratios) - set(self._profile.ratios)
                said = Quality(quality).name.lower() if quality else good_but(unknown)
                reading = replace(reading, value=value, quality=said)
            else:
                reading = replace(reading, reason="not_available")
            self._points[point.id] = reading

    def _ordered(self, point: PointSpec, data: bytes) -> dict[str, Any]:
        at = point.register
        known = point.scale_register is None and not set(point.times) & set(self._profile.ratios)
        if at.type not in _ORDERED or not known:
            return {}
        factor = point.factor
        for name in point.times:
            factor *= self._ratios.get(name, Fraction(1))
        orders = {
            each.letters: _in_order(each, data, factor, point)
            for each in (replace(at, order=order, byte_swap=swap) for order, swap in ORDERS)
        }
        return {"order": at.letters, "orders": orders, "expected": expected_of(point)}

    def _miss(self, block: ReadBlock, reason: str) -> None:
        for point in block.points:
            self._points[point.id] = PointReading(point.id, unit_of(point), reason=reason)


def good_but(ratios: Collection[str]) -> str:
    """`good`, or which transformer ratios nobody told: then the value is as the meter shows it."""
    return f"good, {' and '.join(sorted(ratios))} not set" if ratios else "good"


def unit_of(point: PointSpec) -> str:
    """The unit in which a reading of `point` is shown: its field's, else its own."""
    return FIELDS[point.field].unit if point.field else point.unit


def expected_of(point: PointSpec) -> tuple[float, float] | None:
    """Lowest and highest plausible value in `unit_of`."""
    if point.expected is None:
        return None
    low, high = sorted(limit * point.to_field for limit in point.expected)
    return float(low), float(high)


def _in_order(at: RegisterAt, data: bytes, factor: Fraction, point: PointSpec) -> float | None:
    raw: Raw | None = raw_of(at, data)
    return None if raw is None else value_of(raw, factor, point.offset * point.to_field)


def _cut(block: ReadBlock, at: RegisterAt, data: bytes) -> bytes:
    """The bytes of `at` in the answer to `block`; of a bit, the byte that holds it, as 0 or 1."""
    place = at.addr - block.addr
    if at.by_bits:
        return bytes([data[place // 8] >> place % 8 & 1])
    return data[2 * place : 2 * (place + at.words)]


def _block_request(unit: int, at: RegisterAt) -> ReadRequest:
    return ReadRequest(unit, at.fc, at.addr, at.words)
