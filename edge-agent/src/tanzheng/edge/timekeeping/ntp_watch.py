"""Keeps the offset of the wall clock from one NTP server up to date."""

import asyncio
import contextlib

from tanzheng.edge import log
from tanzheng.edge.timekeeping import sntp
from tanzheng.edge.timekeeping.kernel_clock import Times

NTP_EVERY_S = 64.0
NTP_AGAIN_S_MIN = 4.0
NTP_PAUSE_S_MAX = 3600.0
NTP_VALID_S = 5 * NTP_EVERY_S


class NtpWatch:
    """Measures the wall clock against an NTP server every 64 s (RFC 4330 §10: not oftener)."""

    def __init__(self, server: str, times: Times) -> None:
        self._host, self._port = _host_and_port(server)
        self._times = times
        self._measured: tuple[float, float] | None = None
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def offset_ms(self) -> float | None:
        """How far the server is ahead of the wall clock; None without a recent answer."""
        if self._measured is None:
            return None
        offset_ms, measured_s = self._measured
        return offset_ms if self._times.monotonic_s() - measured_s <= NTP_VALID_S else None

    def start(self) -> None:
        """Ask from now on."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(raise_fault)

    def measure_again(self) -> None:
        """The clock was set: the last measurement is void."""
        self._measured = None
        self._again.set()

    def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        pause_s = NTP_EVERY_S
        while True:
            try:
                offset_ms = await sntp.ask(self._host, self._times.wall_ms, self._port)
                self._measured = (offset_ms, self._times.monotonic_s())
                pause_s = NTP_EVERY_S
            except sntp.KissOfDeath as error:
                pause_s = min(2 * pause_s, NTP_PAUSE_S_MAX)
                log.warning("ntp_refused", detail=str(error), pause_s=pause_s)
            except sntp.NoAnswer as error:
                log.warning("ntp_silent", detail=str(error))
            asked_s = self._times.monotonic_s()
            self._again.clear()
            await self._pause(pause_s)
            # A clock that keeps being set must not make us a nuisance to the server.
            early_s = NTP_AGAIN_S_MIN - (self._times.monotonic_s() - asked_s)
            if early_s > 0:
                await asyncio.sleep(early_s)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()


def _host_and_port(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if (
        colon
        and port.isdecimal()
        and "[" not in host.strip("[]")
        and (":" not in host or host.startswith("["))
    ):
        return host.strip("[]"), int(port)
    return server.strip("[]"), sntp.PORT


def raise_fault(task: "asyncio.Task[None]") -> None:
    """For a task that nobody awaits: its fault becomes the loop's, which ends the process."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error  # in a callback: the agent's handler ends the process
