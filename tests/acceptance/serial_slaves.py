"""Devices on a serial line that count: Modbus RTU slaves and DL/T 645 meters on a pseudo-terminal.

Written for the judge, with nothing of the product in it.
"""

import asyncio
import contextlib
import os
import struct
import tty
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from acceptance.slaves import Asked, Endpoint, Slave

BAUD = 115_200
COUNT_REGISTERS = 2
DI_POWER = 0x02030000


class SerialBus(Endpoint):
    """Slaves on one pair of wires. The agent's end has the name `path`, a symbolic link as those
    under /dev/serial/by-id are, to a pseudo-terminal that changes each time it is plugged in.

    `echo`: the adapter hands back what was sent.
    """

    protocol = "modbus_rtu"

    def __init__(self, slaves: Sequence[Slave], folder: Path, echo: bool = False) -> None:
        super().__init__(slaves)
        self.path, self.echo = folder / "usb-adapter", echo
        self._far_ends: list[int] = []
        self._master = -1
        self._heard = bytearray()

    def link(self, unit: int, timeout_ms: int) -> dict[str, object]:
        return {
            "protocol": self.protocol, "serial_port": str(self.path), "baud": BAUD, "parity": "N",
            "timeout_ms": timeout_ms, **self.slave_link(unit),
        }  # fmt: skip

    def slave_link(self, unit: int) -> dict[str, object]:
        """What tells this slave from others."""
        return {"unit_id": unit, "echo": self.echo}

    async def listen(self) -> None:
        """Plug the adapter in."""
        self._master, far_end = os.openpty()
        tty.setraw(far_end)
        os.set_blocking(self._master, False)
        self._far_ends.append(far_end)
        self.path.symlink_to(os.ttyname(far_end))
        asyncio.get_running_loop().add_reader(self._master, self._read)

    async def hang_up(self) -> None:
        """Pull the adapter. Its old name stays taken, so that the next one has another."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self.path.unlink()
        os.close(self._master)
        self._master = -1
        self._heard.clear()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, 4096)
            if self.echo:
                self._write(self._master, data)
            self._heard += data
            for asked in self.requests():
                self._answer(asked)

    def _answer(self, asked: Asked) -> None:
        slave = self.slaves.get(asked.unit)
        due_s = 0.0
        for delay_s, data in slave.answers(asked) if slave else ():
            due_s += delay_s
            asyncio.get_running_loop().call_later(due_s, self._write, self._master, data)

    def _write(self, master: int, data: bytes) -> None:
        if master == self._master:
            os.write(master, data)

    def requests(self) -> Iterator[Asked]:
        """The whole requests in what was heard."""
        heard = self._heard
        while len(heard) >= 8:
            if rtu_crc(heard[:6]) == heard[6:8]:
                unit, function, address, count = struct.unpack(">BBHH", heard[:6])
                del heard[:8]
                yield Asked(0, unit, function, address, count)
            else:
                del heard[0]


@dataclass
class RtuSlave(Slave):
    """A slave with its count in registers 0–1. A question for other registers is a probe."""

    def good(self, asked: Asked) -> bytes:
        if (asked.address, asked.count) != (0, COUNT_REGISTERS):
            return self.spoiled(asked)
        return super().good(asked)

    def frame(self, asked: Asked, number: int, unit: int | None = None) -> bytes:
        body = super().frame(asked, number, unit)[6:]
        return body + rtu_crc(body)


def rtu_crc(data: bytes | bytearray) -> bytes:
    """CRC-16/MODBUS, low byte first, bit by bit as MODBUS over Serial Line §6.2.2 tells it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class MeterBus(SerialBus):
    """DL/T 645 meters on one pair of wires."""

    protocol = "dlt645"

    def slave_link(self, unit: int) -> dict[str, object]:
        return {"address": f"{unit:012d}", "wake_bytes": 0}

    def requests(self) -> Iterator[Asked]:
        heard = self._heard
        while (start := heard.find(0x68)) >= 0:
            del heard[:start]
            if len(heard) < 12 or len(heard) < 12 + heard[9]:
                return
            frame = bytes(heard[: 12 + heard[9]])
            del heard[: len(frame)]
            data = bytes((byte - 0x33) & 0xFF for byte in frame[10:-2])
            number = data[4] if len(data) > 4 else 0
            unit = int(frame[6:0:-1].hex())
            yield Asked(0, unit, frame[8], int.from_bytes(data[:4], "little"), number)


@dataclass
class Meter(Slave):
    """A meter whose answer to `di` is its count, in `decimals` digits behind the point."""

    di: int = DI_POWER
    size: int = 3

    def good(self, asked: Asked) -> bytes:
        if asked.address != self.di:
            return self.reply(asked.unit, 0xD1, b"\x02")
        return Slave.good(self, Asked(0, asked.unit, asked.function, 0, 0))

    def frame(self, asked: Asked, number: int, unit: int | None = None) -> bytes:
        return self.reply(asked.unit if unit is None else unit, 0x91, self.data(number))

    def data(self, number: int) -> bytes:
        """Identifier and number, as they are meant."""
        digits = f"{number % 800_000:0{2 * self.size}d}"
        return self.di.to_bytes(4, "little") + bytes.fromhex(digits)[::-1]

    def reply(self, unit: int, control: int, data: bytes) -> bytes:
        """A whole frame."""
        address = bytes.fromhex(f"{unit:012d}")[::-1]
        shifted = bytes((byte + 0x33) & 0xFF for byte in data)
        head = b"\x68" + address + bytes((0x68, control, len(data))) + shifted
        return head + bytes((sum(head) & 0xFF, 0x16))
