"""The lean process: `python -m tanzheng.edge.agent PLAN.json`. Started by `tanzheng edge run`.

Side by side on one thread: the slot cycle, the sources, the uplink, the sealer and a tick. None
waits for another: readings go on while the broker is away. What waits for the disk has a thread of
its own (`spool/writer.py`).
"""

import asyncio
import contextlib
import ctypes
import gc
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.edge import log
from tanzheng.edge.abc import Clock
from tanzheng.edge.acquisition import Account, Acquisition, Notes
from tanzheng.edge.counters import Counters, write_status
from tanzheng.edge.field_side import (
    FieldSide,
    check_replaceable,
    make_field_side,
    room_limits,
    seal_limits,
)
from tanzheng.edge.inbox import Found, look
from tanzheng.edge.plan import Plan, load_plan
from tanzheng.edge.room import Room
from tanzheng.edge.sealing import Sealing
from tanzheng.edge.service import Service
from tanzheng.edge.sources import Listeners, SpoolSink
from tanzheng.edge.spool.records import ArrivalEntry
from tanzheng.edge.spool.store import Spool, SpoolRefused, row
from tanzheng.edge.spool.writer import Writer
from tanzheng.edge.state import agent_state
from tanzheng.edge.timekeeping.clock import MachineClock, PlantClock
from tanzheng.edge.timekeeping.ntp_watch import raise_fault
from tanzheng.edge.timekeeping.scheduler import Grid
from tanzheng.edge.uplink.acks import AckDesk
from tanzheng.edge.uplink.conversation import Uplink

TICK_S = 0.2
SHOW_TICKS = 3
REFUSED_S = 1.0
KEPT_BYTES = 4 << 20
QUIET_S_MAX = 10.0
"""A reload waits so long for lines in the middle of a round; then it does without."""


class Agent:
    """One gateway's acquisition, wired from the plan at `plan_path`."""

    def __init__(self, plan: Plan, plan_path: Path) -> None:
        self.plan, self._plan_path = plan, plan_path
        self.plan_digest = plan.digest  # as costly as it is constant
        self.folder = Path(plan.spool_path)
        grid = Grid(plan.interval_ms, plan.phase_ms)
        self.counters = Counters()
        self.service = Service()
        self.spool = Spool(self.folder, plan.gateway, plan.points)
        self.clock = make_clock(plan, grid)
        self.writer = Writer(self.spool)
        self.room = Room(self.spool, self.folder, room_limits(plan))
        self.notes = Notes(self.counters)
        side = make_field_side(plan, self.clock.now_ms, self.notes.add, self.spool.ledger())
        self.acquisition = Acquisition(
            grid, self.clock, side.lines, len(plan.points),
            Account(self.spool, self.writer, self.room, self.counters, self.notes), self._slot_done,
        )  # fmt: skip
        if isinstance(self.clock, MachineClock):
            self.clock.told, self.clock.leapt = self.notes.add, self.acquisition.leapt
        self._stamp = (self.clock.now_ms(), self.clock.state())
        self._sealing = Sealing(
            self.spool, SigningKey.from_pem(_read(plan.key_path), plan.key_path), plan.gateway,
            seal_limits(plan, side.counters), lambda: self._stamp[0], lambda: self._stamp[1],
        )  # fmt: skip
        platform = VerifyKey.from_pem(_read(plan.platform_key_path), plan.platform_key_path)
        self.uplink = Uplink(
            plan.gateway, plan.broker, plan.resend_after_s, self.spool,
            AckDesk(plan.gateway, platform, self.spool, self.counters), self.counters,
            self.clock.now_ms,
        )  # fmt: skip
        self._listeners: Listeners | None = None
        self._seal_now, self._stop = asyncio.Event(), asyncio.Event()
        self.reload_error: str | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._metrics: asyncio.Server | None = None
        loop = asyncio.get_running_loop()
        self._fault: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(lambda _loop, context: self._fail(context))

    async def run(self) -> None:
        """Until SIGTERM, or until the clock ended and the platform signed for everything."""
        background = [
            asyncio.create_task(part)
            for part in (self.uplink.run(), self._tick(), self._keep_sealing())
        ]
        work = asyncio.create_task(self._work())
        try:
            parts = [work, *background, self._fault]
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()  # a part that died takes the process with it: nothing dies silently
        finally:
            self.service.stopping()
            if self._reloading is not None:
                background.append(self._reloading)
            for task in (work, *background):
                task.cancel()
            await asyncio.gather(work, *background, return_exceptions=True)
            await self._close()

    def stop(self) -> None:
        """Finish the slot, seal, keep the spool."""
        log.info("stopping")
        self._stop.set()
        self.acquisition.stop()

    def reload(self) -> None:
        """Go over to the plan in the file, if it can be read; between two slots."""
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload())
            self._reloading.add_done_callback(raise_fault)

    def _fail(self, context: dict[str, Any]) -> None:
        """An error in a callback: nobody awaits it, so the process ends with it."""
        if not self._fault.done():
            self._fault.set_exception(context.get("exception") or TanzhengError(context["message"]))

    async def _work(self) -> None:
        last_ms = await self.clock.start(self.spool.durable_ms)
        await self._tell_start()
        self._listen()
        gc.collect()
        gc.freeze()  # what was made for the start stays: the collector need not look at it again
        self.service.ready()
        ended = await self.acquisition.run(last_ms)
        while ended and not self._stop.is_set() and not self._drained():
            await self._seal(everything=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._stop.wait()
        await self._seal(everything=True)
        log.info("ended" if ended else "stopped", unsealed=self.spool.unsealed)

    def _listen(self) -> None:
        sink = SpoolSink(self.writer, self.room, self.counters)
        self._listeners = Listeners(self.acquisition.rounds.lines, sink, self.counters)

    async def _tick(self) -> None:
        if self.plan.metrics_port is not None:
            await self._serve_metrics(self.plan.metrics_port)
        self._show()  # who asks right after the start is told, too
        while True:
            for _ in range(SHOW_TICKS):
                self._seal_now.set()
                if self.acquisition.alive:
                    self.service.alive()
                await asyncio.sleep(TICK_S)
            try:
                await self._take_records()
            except OSError as error:  # a disk that refuses: they stay where they are
                log.warning("inbox_refused", detail=str(error))
            self._show()

    async def _serve_metrics(self, port: int) -> None:
        from tanzheng.edge.metrics import Metrics  # 1.3 MiB that few need

        try:
            self._metrics = await Metrics(lambda: agent_state(self)).serve(port)
        except OSError as error:  # readings are worth more than their figures
            log.error("metrics_refused", detail=str(error), port=port)

    def _slot_done(self) -> None:
        if self._sealing.is_due(self.room.full):
            self._seal_now.set()

    async def _keep_sealing(self) -> None:
        while True:
            await self._seal_now.wait()
            self._seal_now.clear()
            try:
                await self._seal()
            except SpoolRefused as error:
                log.warning("seal_refused", reason=error.reason, detail=str(error))
                await asyncio.sleep(REFUSED_S)

    async def _seal(self, everything: bool = False) -> None:
        """What is due, in pieces, as long as the platform's head is known: see `Uplink.synced`."""
        while self.uplink.synced and self.spool.unsealed:
            if not everything and not self._sealing.is_due(self.room.full):
                return
            self._stamp = (self.clock.now_ms(), self.clock.state())
            work = partial(self._sealing.seal_due, self.room.full, everything)
            sealed = await self.writer.run(work)
            if not sealed:
                return
            self.counters.sealed += sealed
            self.acquisition.forget_full_gap()
            self.uplink.pump()

    def _drained(self) -> bool:
        return self.spool.unsealed == 0 and self.spool.acked == self.spool.head

    async def _tell_start(self) -> None:
        detail = {"plan_sha256": self.plan.acquisition_digest.hex()}
        event = Event(self.clock.now_ms(), "agent_started", detail)
        await self.writer.put([ArrivalEntry((), (event,))], urgent=True)
        durable_ms, used = self.spool.durable_ms, self.spool.bytes_used
        log.info("started", gateway=self.plan.gateway, durable_ms=durable_ms, spool_bytes=used)

    async def _take_records(self) -> None:
        """Each record of the inbox becomes an event, once; its file goes when that is durable."""
        for found in look(self.folder):
            if found.record is None or found.record.point not in self.plan.points:
                problem = found.problem or f"expected a point of the plan, got {found.record}"
                log.error("record_refused", file=found.path.name, detail=problem)
                self.counters.records_refused += 1
                found.path.rename(found.path.with_suffix(".refused"))
                continue
            if not await self._book(found):
                return
            found.path.unlink()

    async def _book(self, found: Found) -> bool:
        assert found.record is not None
        if self.spool.knows_record(found.digest):
            return True
        rows = [row(ArrivalEntry((), (found.record.event(),)))]
        try:
            await self.writer.run(lambda: self.spool.commit_rows(rows, found.digest))
        except SpoolRefused:
            return False  # it stays in the inbox
        self.counters.records_taken += 1
        log.info("record_taken", file=found.path.name, point=found.record.point)
        return True

    async def _reload(self) -> None:
        self.service.reloading()
        try:
            plan = load_plan(self._plan_path)
            check_replaceable(self.plan, plan)
            side = make_field_side(plan, self.clock.now_ms, self.notes.add, self._sealing.ledger)
        except TanzhengError as error:
            self.counters.reloads_refused += 1
            self.reload_error = f"{self.counters.reloads_refused}: {error}"
            log.error("reload_refused", detail=str(error))
        else:
            await self._go_over(side)
        self._show()
        self.service.ready()

    async def _go_over(self, side: FieldSide) -> None:
        """Between two slots, with no line in the middle of a round if that can be had soon."""
        await self.acquisition.rounds.wait(QUIET_S_MAX)
        async with self.acquisition.turn:
            if self._listeners is not None:
                await self._listeners.close()
            self.acquisition.rounds.close()
            before, self.plan, self.plan_digest = self.plan, side.plan, side.plan.digest
            detail = {
                "before_sha256": before.acquisition_digest.hex(),
                "plan_sha256": side.plan.acquisition_digest.hex(),
            }
            self.notes.add(Event(self.clock.now_ms(), "plan_reloaded", detail))
            await self.acquisition.use(side.lines, side.plan.points)
            self.room.limits = room_limits(side.plan)
            self._sealing.limits = seal_limits(side.plan, side.counters)
            self._listen()
        self.counters.reloads += 1
        log.info("plan_reloaded", **detail)

    def _show(self) -> None:
        try:
            write_status(self.folder, self.counters, agent_state(self))
        except OSError as error:  # a full disk: the view is old, the readings are not lost by it
            log.warning("status_not_written", detail=str(error))

    async def _close(self) -> None:
        if self._metrics is not None:
            self._metrics.close()
        if self._listeners is not None:
            await self._listeners.close()
        await self.acquisition.close()
        self.clock.close()
        self.writer.close()
        self._show()
        self.spool.close()


def make_clock(plan: Plan, grid: Grid) -> Clock:
    """The plan's source of time."""
    if plan.plant_time_socket is None:
        return MachineClock(grid, plan.clock_offset_ms_max, plan.ntp_server)
    return PlantClock(plan.plant_time_socket, plan.interval_ms)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"expected a readable key, got {error}") from error


async def _main(plan_path: Path) -> None:
    agent = Agent(load_plan(plan_path), plan_path)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.stop)
    loop.add_signal_handler(signal.SIGHUP, agent.reload)
    await agent.run()


def main(arguments: Sequence[str]) -> int:
    """Run the agent of the plan file `arguments[0]`; the exit code."""
    log.set_up()
    share_one_heap()
    try:
        if len(arguments) != 1:
            raise BadInput("expected one argument: PLAN.json")
        asyncio.run(_main(Path(arguments[0])))
    except TanzhengError as error:
        log.error("failed", detail=str(error), advice=error.diagnostics())
        return error.exit_code
    return 0


def share_one_heap() -> None:
    """One malloc arena for both threads (M_ARENA_MAX of <malloc.h>): 6 MB less at full speed.

    Up to `KEPT_BYTES` of it are kept when they are free (M_TRIM_THRESHOLD), and blocks of less come
    from it (M_MMAP_THRESHOLD): else the pages of each batch are asked of the kernel anew.
    """
    with contextlib.suppress(AttributeError):  # a C library without it, as musl
        for option, value in ((-8, 1), (-1, KEPT_BYTES), (-3, KEPT_BYTES)):
            ctypes.CDLL(None).mallopt(option, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
