"""The lean process: `python -m tanzheng.edge.agent PLAN.json`. Started by `tanzheng edge run`.

Three things run side by side on one thread: the slot cycle, the uplink, and a tick that seals by
age and writes the status file. None waits for another: readings go on while the broker is away.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.edge import log
from tanzheng.edge.abc import Clock, Driver
from tanzheng.edge.acks import AckDesk
from tanzheng.edge.acquisition import Acquisition, Room
from tanzheng.edge.clock import MachineClock, PlantClock
from tanzheng.edge.counters import Counters, write_status
from tanzheng.edge.drivers.modbus_tcp.connection import Endpoint
from tanzheng.edge.drivers.modbus_tcp.driver import ModbusDevice
from tanzheng.edge.plan import DevicePlan, Plan, load_plan
from tanzheng.edge.scheduler import Grid
from tanzheng.edge.sealer import SealPolicy
from tanzheng.edge.sealing import Sealing
from tanzheng.edge.spool.records import EventEntry
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.uplink import Uplink
from tanzheng.hardware.profile import Profile

TICK_S = 0.2


class Agent:
    """One gateway's acquisition, wired from a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        grid = Grid(plan.interval_ms, plan.phase_ms)
        self.counters = Counters()
        self.spool = Spool(Path(plan.spool_path), plan.gateway, plan.points)
        self._clock = _clock(plan, grid)
        self._drivers = make_drivers(plan.devices)
        self._room = Room(
            self.spool, Path(plan.spool_path), plan.spool_bytes_max, plan.disk_free_bytes_min
        )
        self._sealing = Sealing(
            self.spool,
            SigningKey.from_pem(_read(plan.key_path), plan.key_path),
            plan.gateway,
            plan.interval_ms,
            SealPolicy(plan.batch_slots_max, plan.batch_age_s_max),
            self._clock.now_ms,
            self._clock.state,
        )
        platform = VerifyKey.from_pem(_read(plan.platform_key_path), plan.platform_key_path)
        desk = AckDesk(plan.gateway, platform, self.spool, self.counters)
        self._uplink = Uplink(
            plan.gateway, plan.broker, plan.resend_after_s, self.spool, desk, self.counters,
            self._clock.now_ms,
        )  # fmt: skip
        self._acquisition = Acquisition(
            grid, self._clock, self._drivers, len(plan.points), self.spool, self._room,
            self.counters, self._seal,
        )  # fmt: skip
        self._stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._fault: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(lambda _loop, context: self._fail(context))

    async def run(self) -> None:
        """Until SIGTERM, or until the clock ended and the platform signed for everything."""
        background = [
            asyncio.create_task(self._uplink.run()), asyncio.create_task(self._tick()),
        ]  # fmt: skip
        work = asyncio.create_task(self._work())
        try:
            parts = [work, *background, self._fault]
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()  # a part that died takes the process with it: nothing dies silently
        finally:
            for task in (work, *background):
                task.cancel()
            await asyncio.gather(work, *background, return_exceptions=True)
            self._close()

    def stop(self) -> None:
        """Finish the slot, seal, keep the spool."""
        log.info("stopping")
        self._stop.set()
        self._acquisition.stop()

    def _fail(self, context: dict[str, Any]) -> None:
        """An error in a callback: nobody awaits it, so the process ends with it."""
        if not self._fault.done():
            self._fault.set_exception(context.get("exception") or TanzhengError(context["message"]))

    async def _work(self) -> None:
        last_ms = await self._clock.start(self.spool.durable_ms)
        self._tell_start()
        ended = await self._acquisition.run(last_ms)
        while ended and not self._stop.is_set() and not self._drained():
            self._seal(everything=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._stop.wait()
        self._seal(everything=True)
        log.info("ended" if ended else "stopped", unsealed=self.spool.unsealed)

    async def _tick(self) -> None:
        while True:
            self._seal()
            self._show()
            await asyncio.sleep(TICK_S)

    def _seal(self, everything: bool = False) -> None:
        if not self._uplink.synced:
            return  # the platform's head is not known yet: see `Uplink.synced`
        sealed = self._sealing.seal_due(self._room.full, everything)
        if sealed:
            self.counters.sealed += sealed
            self._acquisition.forget_full_gap()
            self._uplink.pump()

    def _drained(self) -> bool:
        return self.spool.unsealed == 0 and self.spool.acked == self.spool.head

    def _tell_start(self) -> None:
        detail = {"plan_sha256": self._plan.acquisition_digest.hex()}
        event = Event(self._clock.now_ms(), "agent_started", detail)
        self.spool.commit([EventEntry(event)])
        durable_ms, used = self.spool.durable_ms, self.spool.bytes_used
        log.info("started", gateway=self._plan.gateway, durable_ms=durable_ms, spool_bytes=used)

    def _show(self) -> None:
        state: dict[str, Any] = {
            "pid": os.getpid(),
            "connected": self._uplink.connected,
            "synced": self._uplink.synced,
            "in_flight": self._uplink.in_flight,
            "spool_full": self._room.full,
            "now_ms": self._clock.now_ms(),
        }
        write_status(Path(self._plan.spool_path), self.counters, state)

    def _close(self) -> None:
        self._show()
        self._clock.close()
        for driver in self._drivers:
            driver.close()
        self.spool.close()


def make_drivers(devices: Sequence[DevicePlan]) -> list[Driver]:
    """A driver for each device; devices behind one host and port share its one connection."""
    endpoints: dict[tuple[str, int], Endpoint] = {}
    drivers: list[Driver] = []
    for device in devices:
        where = (device.host, device.port)
        if where not in endpoints:
            endpoints[where] = Endpoint(*where, device.timeout_ms / 1000)
        profile = Profile.from_plan(device.profile)
        drivers.append(
            ModbusDevice(device.id, endpoints[where], device.unit, profile, device.fields)
        )
    return drivers


def _clock(plan: Plan, grid: Grid) -> Clock:
    if plan.plant_time_socket is None:
        return MachineClock(grid)
    return PlantClock(plan.plant_time_socket, plan.interval_ms)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"expected a readable key, got {error}") from error


async def _main(plan: Plan) -> None:
    agent = Agent(plan)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.stop)
    await agent.run()


def main(arguments: Sequence[str]) -> int:
    """Run the agent of the plan file `arguments[0]`; the exit code."""
    log.set_up()
    try:
        if len(arguments) != 1:
            raise BadInput("expected one argument: PLAN.json")
        asyncio.run(_main(load_plan(Path(arguments[0]))))
    except TanzhengError as error:
        log.error("failed", detail=str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
