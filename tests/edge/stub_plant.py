"""A plant of any length for the agent's tests: plant time and one Modbus device, in a thread.

Not the simulator: it is as small as the two protocols allow, so that a test can run to the end of
a month of 300 slots, and it never forgets what it was told.
"""

import asyncio
import json
import struct
import threading
from pathlib import Path
from typing import Any, Self

PLANT = """\
version = 1
enterprise = "TEST-1"
name = "Stub"
name_zh = "试验"
utc_offset = "-07:00"
[[unit]]
id = "CT1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "test"
[[gateway]]
id = "lg-gw1"
interval_s = 60
[[device]]
id = "cems"
gateway = "lg-gw1"
unit = "CT1"
profile = "generic_cems_modbus"
[[device.point]]
field = "co2_dry_percent"
[[device.point]]
field = "run_state"
"""
INTERVAL_MS = 60_000
START_MS = 1_530_428_400_000
POINTS = ("cems/co2_dry_percent", "cems/run_state")


class StubPlant:
    """Offers `slots` slots and the closing one; `taken` are those that the agent said it has.

    A slot offered and not done when the agent's socket closes is passed by, with two more.
    """

    def __init__(self, folder: Path, slots: int, pause_s: float = 0.0) -> None:
        self.folder = folder
        self.end_ms = START_MS + slots * INTERVAL_MS
        self.taken: list[int] = []
        self.hellos: list[int | None] = []
        self._pause_s = pause_s
        self._next_ms = START_MS
        self._shown_ms = START_MS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        (self.folder / "plant.toml").write_text(PLANT)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @staticmethod
    def value_at(slot_ms: int) -> float:
        """The CO2 that the device shows at a slot: exact in float32."""
        return float((slot_ms - START_MS) // INTERVAL_MS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        modbus = await asyncio.start_server(self._device, "127.0.0.1", 0)
        port = modbus.sockets[0].getsockname()[1]
        address = {
            "protocol": "modbus_tcp",
            "profile": "generic_cems_modbus",
            "host": "127.0.0.1",
            "port": port,
        }
        devices = json.dumps({"cems": {**address, "unit_id": 1}})
        (self.folder / "devices.json").write_text(devices)
        path = str(self.folder / "plant-time.sock")
        async with modbus, await asyncio.start_unix_server(self._time, path):
            self._ready.set()
            await self._stop.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _device(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readexactly(12)
                registers = bytearray(26)
                struct.pack_into(">f", registers, 0, self.value_at(self._shown_ms))
                struct.pack_into(">H", registers, 24, 1)
                address, count = struct.unpack(">HH", request[8:])
                values = registers[2 * address : 2 * (address + count)]
                body = bytes([1, 3, len(values)]) + values
                writer.write(request[:4] + struct.pack(">H", len(body)) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _time(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        offered: int | None = None
        while line := await reader.readline():
            message = json.loads(line)
            if message["op"] == "hello":
                answer = self._hello(message["durable_ms"])
            else:
                if message["done_ms"] is not None:
                    self.taken.append(message["done_ms"])
                offered = None if self._next_ms > self.end_ms else self._next_ms
                answer = self._offer()
                await asyncio.sleep(self._pause_s)
            writer.write(json.dumps(answer).encode() + b"\n")
        if offered is not None:
            self._next_ms = min(self._next_ms + 2 * INTERVAL_MS, self.end_ms)
        writer.close()

    def _hello(self, durable_ms: int | None) -> dict[str, Any]:
        self.hellos.append(durable_ms)
        if durable_ms is not None and durable_ms == self._shown_ms not in self.taken:
            self.taken.append(durable_ms)
        if durable_ms is not None:
            self._next_ms = max(self._next_ms, durable_ms + INTERVAL_MS)
        return {"now_ms": self._shown_ms, "start_ms": START_MS, "end_ms": self.end_ms}

    def _offer(self) -> dict[str, Any]:
        if self._next_ms > self.end_ms:
            return {"end": True}
        self._shown_ms = self._next_ms
        self._next_ms += INTERVAL_MS
        return {"slot_ms": self._shown_ms}
