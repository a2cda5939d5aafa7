"""Which devices answer behind a gateway or on a serial line. Reads only, one question at a time.

Modbus: one register of each unit id; any answer, an exception too, is a device. Then the
identities of the profiles that ship are asked for. DL/T 645: the address of the only meter.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

from rich.console import RenderableType
from rich.progress import Progress
from rich.text import Text

from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.edge.commissioning.asker import AskError, MeterAsker, ModbusAsker, conversation_with
from tanzheng.edge.commissioning.read_modbus import GATEWAY_CODES
from tanzheng.edge.drivers.dlt645.codec import ReadAddress
from tanzheng.edge.drivers.modbus.codec import DeviceException, ReadRequest
from tanzheng.edge.views import table_of
from tanzheng.hardware.loader import load_profile, profile_ids
from tanzheng.hardware.profile import Identity, Profile
from tanzheng.hardware.registers import text_of

PAUSE_S: Final = 0.02
"""Between two questions: a scan must leave room for who else is on the line."""
UNITS: Final = range(1, 248)
PROTOCOLS: Final = ("modbus", "modbus_rtu_over_tcp", "dlt645")


@dataclass(frozen=True, slots=True)
class ScanTarget:
    """What to scan: exactly one of `host` and `serial`."""

    host: str | None
    port: int
    serial: str | None
    baud: int
    parity: str
    stop: int
    units: str
    profile: str | None
    protocol: str
    timeout_ms: int

    def link(self) -> dict[str, Any]:
        """The link of the endpoint, as a driver would have it; `BadInput`."""
        if (self.host is None) == (self.serial is None):
            raise BadInput("expected either --host or --serial")
        if self.protocol not in PROTOCOLS:
            raise BadInput(f"expected one of {', '.join(PROTOCOLS)}, got {self.protocol!r}")
        link: dict[str, Any] = {"protocol": self.protocol, "timeout_ms": self.timeout_ms}
        if self.host is not None:
            link |= {"host": self.host, "port": self.port}
        else:
            link |= {"serial_port": self.serial, "baud": self.baud}
            link |= {"parity": self.parity, "stop": self.stop}
        if self.protocol == "modbus":
            link["protocol"] = "modbus_tcp" if self.host is not None else "modbus_rtu"
        return link


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered: unit id or meter address, what it said, profiles that it may be."""

    station: str
    said: str
    profiles: tuple[str, ...] = ()


def scan_units(target: ScanTarget) -> list[Found]:
    """Every device that answers; `BadInput`, `AskError` where the endpoint itself does not."""
    link = target.link()
    if target.protocol == "dlt645":
        return asyncio.run(_scan_meter(link))
    units = unit_ids(target.units)
    profiles = _profiles(target.profile)
    with Progress(transient=True) as progress:
        task = progress.add_task("scan 扫描", total=len(units))
        return asyncio.run(_scan(link, units, profiles, lambda: progress.advance(task)))


def unit_ids(text: str) -> list[int]:
    """ "1-3,7" → [1, 2, 3, 7]; `BadInput`."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not first <= last or first not in UNITS or last not in UNITS:
            raise BadInput(f"expected unit ids from 1 to 247 such as 1-9,20, got {text[:60]!r}")
        found |= set(range(first, last + 1))
    return sorted(found)


def found_view(found: Sequence[Found]) -> RenderableType:
    """A table for a terminal."""
    if not found:
        return Text("no device answered 无设备应答", style="yellow")
    table = table_of(("unit 站号", "answer 应答", "may be 可能型号"))
    for each in found:
        table.add_row(Text(each.station), Text(each.said), Text(", ".join(each.profiles) or "–"))
    return table


def _profiles(profile_id: str | None) -> list[Profile]:
    ids = [profile_id] if profile_id else profile_ids()
    profiles = [load_profile(each) for each in ids]
    return [each for each in profiles if each.protocol == "modbus"]


async def _scan(
    link: Mapping[str, Any],
    units: Sequence[int],
    profiles: Sequence[Profile],
    step: Callable[[], object],
) -> list[Found]:
    found: list[Found] = []
    async with _Scanner(link, profiles) as scanner:
        for unit in units:
            with suppress(AskError):
                found.append(await scanner.unit(unit))
            step()
    return found


class _Scanner:
    """Asks unit by unit, over a new connection where the last one broke."""

    def __init__(self, link: Mapping[str, Any], profiles: Sequence[Profile]) -> None:
        self._link, self._profiles = link, profiles
        self._timeout_s = link["timeout_ms"] / 1000
        self._context: Any = None

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._context.__aexit__(None, None, None)

    async def _connect(self) -> None:
        self._context = conversation_with(self._link)
        self._asker = ModbusAsker(await self._context.__aenter__(), self._link)

    async def unit(self, unit: int) -> Found:
        """What the unit says; `AskError` where it says nothing."""
        said = await self._register(unit)
        names = [p.id for p in self._profiles if await self._is(unit, p)]
        return Found(str(unit), said, tuple(names))

    async def _register(self, unit: int) -> str:
        """Any answer will do. One profile's first register is more likely to be there than 0."""
        function, address = 3, 0
        if len(self._profiles) == 1:
            at = self._profiles[0].points[0].register
            function, address = at.fc, at.addr
        try:
            data = await self._ask(ReadRequest(unit, function, address, 1))
        except DeviceException as error:
            if error.code in GATEWAY_CODES:
                raise AskError(error.reason, str(error)) from error
            return f"exception {error.code}"
        return f"fc {function} address {address}: {data.hex()}"

    async def _is(self, unit: int, profile: Profile) -> bool:
        """Whether the unit shows the identity of the profile (or, without one, its first point)."""
        identity = profile.identity
        if identity is None or identity.equals is None:
            return len(self._profiles) == 1 and await self._reads(unit, profile)
        with suppress(TanzhengError):
            return await self._text(unit, identity) == str(identity.equals)
        return False

    async def _text(self, unit: int, identity: Identity) -> str:
        at = identity.point
        return text_of(at, await self._ask(ReadRequest(unit, at.fc, at.addr, at.words)))

    async def _reads(self, unit: int, profile: Profile) -> bool:
        at = profile.points[0].register
        with suppress(TanzhengError):
            await self._ask(ReadRequest(unit, at.fc, at.addr, at.words))
            return True
        return False

    async def _ask(self, request: ReadRequest) -> bytes:
        await asyncio.sleep(PAUSE_S)
        try:
            return await self._asker.ask(request, self._timeout_s)
        except AskError as error:
            if error.reason == "connection_lost":
                await self._context.__aexit__(None, None, None)
                await self._connect()
            raise


async def _scan_meter(link: Mapping[str, Any]) -> list[Found]:
    """The meter's address, where there is one meter."""
    async with conversation_with(link) as conversation:
        try:
            address = await MeterAsker(conversation, link).ask(ReadAddress(), _patience_s(link))
        except AskError:
            return []
    return [Found(address.hex(), "DL/T 645-2007", ())]


def _patience_s(link: Mapping[str, Any]) -> float:
    """A meter may take half a second (DL/T 645-2007 §5.3), and answers at its slow speed."""
    return max(1.0, float(link["timeout_ms"]) / 1000)
