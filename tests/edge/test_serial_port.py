"""The serial transport over pseudo-terminals."""

import asyncio
import os
import termios
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tanzheng.edge.serial_port import (
    WRITE_BYTES_MAX,
    PortBusy,
    PortMissing,
    SerialPortError,
    SerialTransport,
    character_s,
    open_serial,
    silence_s,
)


@dataclass
class Ear(asyncio.Protocol):
    """Keeps what it hears."""

    heard: bytearray = field(default_factory=bytearray)
    ends: list[Exception | None] = field(default_factory=list)
    made: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made += 1

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)
        self.changed.set()

    async def wait(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not done():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Wire:
    """The far end of a port."""

    master: int
    slave: int
    path: str

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1


@pytest.fixture
def wire() -> Iterator[Wire]:
    master, slave = os.openpty()
    tty.setraw(master)
    pair = Wire(master, slave, os.ttyname(slave))
    yield pair
    os.close(slave)
    if pair.master >= 0:
        os.close(pair.master)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def opened(wire: Wire) -> tuple[SerialTransport, Ear]:
    return open_serial(wire.path, 2400, "E", 1, Ear)


def test_bytes_go_both_ways_unchanged(wire: Wire) -> None:
    every_byte = bytes(range(256))

    async def go() -> None:
        port, ear = opened(wire)
        assert ear.made == 1
        assert port.get_extra_info("serial_port") == wire.path
        os.write(wire.master, every_byte)
        await ear.wait(lambda: len(ear.heard) == 256)
        port.write(every_byte)
        assert os.read(wire.master, 1000) == every_byte
        port.close()
        await ear.wait(lambda: bool(ear.ends))
        assert ear.ends == [None]

    asyncio.run(go())


def test_a_pulled_adapter_ends_the_port_once(wire: Wire) -> None:
    async def go() -> None:
        port, ear = opened(wire)
        wire.hang_up()
        await ear.wait(lambda: bool(ear.ends))
        (end,) = ear.ends
        assert isinstance(end, OSError)
        assert port.is_closing()
        port.write(b"more")
        port.flush_input()
        port.close()
        await asyncio.sleep(0)
        assert len(ear.ends) == 1

    asyncio.run(go())


def test_one_owner_a_port(wire: Wire, tmp_path: Path) -> None:
    other_name = tmp_path / "by-id"
    other_name.symlink_to(wire.path)

    async def go() -> None:
        port, ear = opened(wire)
        for path in (wire.path, str(other_name)):
            with pytest.raises(PortBusy, match="in use"):
                open_serial(path, 9600, "N", 1, Ear)
        os.write(wire.master, b"mine")
        await ear.wait(lambda: bool(ear.heard))
        port.close()
        second, _ = opened(wire)  # it is free again
        second.close()
        await asyncio.sleep(0)

    asyncio.run(go())


async def test_a_missing_port_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortMissing, match="ttyUSB9"):
        open_serial(str(tmp_path / "ttyUSB9"), 9600, "N", 1, Ear)


@pytest.mark.parametrize("kind", ["file", "folder", "null device"])
async def test_what_is_no_port_is_refused(tmp_path: Path, kind: str) -> None:
    path = {"file": tmp_path / "file", "folder": tmp_path, "null device": Path("/dev/null")}[kind]
    (tmp_path / "file").touch()
    before = descriptors()
    with pytest.raises(SerialPortError, match="expected a serial port"):
        open_serial(str(path), 9600, "E", 1, Ear)
    assert descriptors() == before


@pytest.mark.parametrize(("baud", "parity", "stop"), [(0, "N", 1), (9600, "X", 1), (9600, "N", 3)])
async def test_settings_are_checked(wire: Wire, baud: int, parity: str, stop: int) -> None:
    with pytest.raises(SerialPortError, match="expected parity"):
        open_serial(wire.path, baud, parity, stop, Ear)


async def test_the_speed_is_set(wire: Wire) -> None:
    port, _ = opened(wire)
    *_, speed_in, speed_out, characters = termios.tcgetattr(wire.slave)
    assert (speed_in, speed_out) == (termios.B2400, termios.B2400)
    # 0 would make an empty read look like a lost port
    assert characters[termios.VMIN] in (1, b"\x01")
    port.close()


def test_old_input_can_be_flushed(wire: Wire) -> None:
    async def go() -> None:
        port, ear = opened(wire)
        os.write(wire.master, b"late answer")
        port.flush_input()
        os.write(wire.master, b"new")
        await ear.wait(lambda: bool(ear.heard))
        assert ear.heard == b"new"
        port.close()
        await asyncio.sleep(0)

    asyncio.run(go())


def test_a_port_that_takes_nothing_is_given_up(wire: Wire) -> None:
    async def go() -> None:
        port, ear = opened(wire)
        sent = 0
        while not port.is_closing():
            assert port.get_write_buffer_size() <= WRITE_BYTES_MAX
            port.write(bytes(1000))
            sent += 1000
            assert sent < 1_000_000
        await ear.wait(lambda: bool(ear.ends))
        assert "takes no bytes" in str(ear.ends[0])

    asyncio.run(go())


def test_what_waits_is_sent_when_there_is_room(wire: Wire) -> None:
    async def go() -> None:
        port, _ = opened(wire)
        sent = 0
        while not port.get_write_buffer_size():
            port.write(b"\x55" * 1000)
            sent += 1000
        got = 0
        async with asyncio.timeout(5):
            while got < sent:
                got += len(os.read(wire.master, 4096))
                await asyncio.sleep(0.001)
        assert port.get_write_buffer_size() == 0
        port.close()
        await asyncio.sleep(0)

    asyncio.run(go())


def test_times_of_a_character() -> None:
    assert character_s(2400, "E", 1) == pytest.approx(11 / 2400)
    assert character_s(9600, "N", 1) == pytest.approx(10 / 9600)
    assert silence_s(9600, "N", 1) == pytest.approx(35 / 9600)
    assert silence_s(115200, "E", 1) == 0.00175
