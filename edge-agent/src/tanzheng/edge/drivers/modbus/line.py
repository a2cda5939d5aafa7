"""The one owner of an endpoint: asks one thing at a time, for all devices behind it.

Driven by callbacks: the next request is written in the very call that brought the last answer. A
request costs no task, no future and no timer: one timer a line, rarely set, looks at a deadline.
"""

import asyncio
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tanzheng.edge.abc import Miss, Round
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.modbus.device import REOPENED, Device
from tanzheng.edge.drivers.modbus.found import Begin, Found
from tanzheng.edge.drivers.modbus.link import BAD_REPLY, TIMEOUT, Answer, Failure, Link
from tanzheng.edge.drivers.modbus.opening import AnyLink, Opener, OpenFailed

if TYPE_CHECKING:
    from tanzheng.edge.drivers.modbus.codec import ReadRequest

SILENT_MAX = 3
"""So many requests in a row without a byte: an RTU line is opened anew."""

_LOST = Failure("connection_lost")
_NOT_SILENT = Failure("line_not_silent", of_line=True)


class ModbusLine:
    """A `Line`: one TCP address or serial port, and the devices behind it.

    After a time-out or anything else than the answer that was asked for, a Modbus TCP connection is
    closed and opened anew; on RTU some silence must pass before the next request. `generation`
    counts how often the endpoint went away by itself: something else may have come back.
    """

    def __init__(self, opener: Opener, devices: Sequence[Device]) -> None:
        self._opener, self._devices = opener, devices
        self._paced = opener.by_silence or any(device.settings.pause_s for device in devices)
        self._connect_pause_s = max(device.settings.connect_pause_s for device in devices)
        self._link: AnyLink | None = None
        self._opening: asyncio.Task[None] | None = None
        self._backoff = Backoff()
        self._reason = ""
        self.generation = 0
        self._device = devices[0]
        self._timeout_s = self._device.settings.timeout_s
        self._found = Found()
        self._finished: Callable[[Round], None] | None = None
        self._slot_ms = 0
        self._steps = self._rounds()
        self._request: ReadRequest | None = None
        self._silent = 0
        # A deadline at infinity is none. The timer may be set for an earlier instant than the
        # deadline, never for a later one: then it is set again when it fires.
        self._deadline_s = self._timer_s = self._limit_s = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._ready_s = 0.0
        self._stray_bytes = self._connections = 0

    @property
    def name(self) -> str:
        """The endpoint, for logs and metrics."""
        return self._opener.name

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """The points that this slot is for."""
        if len(self._devices) == 1:
            return self._devices[0].due(slot_ms)
        return tuple(point for device in self._devices for point in device.due(slot_ms))

    def status(self) -> Mapping[str, Any]:
        """The endpoint and each device, for people."""
        return {
            "endpoint": self.name,
            "open": self._link is not None,
            "reason": self._reason,
            "connections": self._connections,
            "stray_bytes": self._stray_bytes,
            "devices": {device.id: device.status() for device in self._devices},
        }

    def close(self) -> None:
        """Let the endpoint go; a round under way ends with what was read so far."""
        finished, self._finished, self._request = self._finished, None, None
        for handle in (self._timer, self._pause, self._opening):
            if handle is not None:
                handle.cancel()
        self._timer = self._pause = self._opening = None
        self._drop()
        if finished is not None:
            finished(Round(self._found.takes))

    def start(self, slot_ms: int, finished: Callable[[Round], None]) -> None:
        """Begin a round; `finished` is called once, with everything that was due."""
        if self._link is None and not self._backoff.ready(time.monotonic()):
            finished(Round((), (Miss(self.due(slot_ms), self._reason),)))
            return
        self._finished = finished
        self._slot_ms = slot_ms
        self._run(None)

    def _rounds(self) -> Generator["ReadRequest | None", Answer, None]:
        """All rounds there will be: requests, and None at the end of each round.

        One generator for the life of the line, and the way of a device that is well inside it:
        what is called once a request is a good part of what a request costs.
        """
        while True:
            found = self._found
            found.takes, found.misses = [], []
            for device in self._devices:
                if device.coarse and not device.placed.has_slot(self._slot_ms):
                    continue
                self._device, self._timeout_s = device, device.settings.timeout_s
                reads = device.plain_reads(self.generation)
                if reads is None:
                    yield from device.round(self._slot_ms, self, found)
                    continue
                begin = Begin(len(found.takes), len(found.misses))
                for index, read in enumerate(reads):
                    answer = yield read.request
                    if not isinstance(answer, bytes) or device.take(read, answer, found):
                        yield from device.round(self._slot_ms, self, found, begin, index, answer)
                        break
            yield None

    def answered(self, answer: Answer) -> None:
        """The link's answer to the request in flight; called for each of them, so kept short."""
        if self._paced:
            self._keep_pace()
        self._deadline_s = math.inf
        if self._finished is not None:
            self._run(answer)

    def spoiled(self) -> None:
        """The link has no trust in its framing: it is closed, and the same peer asked anew."""
        self._drop()

    def _run(self, answer: Answer | None) -> None:
        """Hand an answer to the device and send what it asks next; the round ends with the last.

        A loop, as a refusal to send is an answer, too.
        """
        while True:
            # What begins a round is not looked at, whatever it is.
            self._request = request = self._steps.send(answer)  # type: ignore[arg-type]
            if request is None:
                self._end()
                return
            answer = self._send(request)
            if answer is None:
                return

    def _end(self) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            finished(Round(self._found.takes, self._found.misses))

    def _send(self, request: "ReadRequest") -> Failure | None:
        """Write the request, now or when the line is open and silent; else why never."""
        link = self._link
        if link is None:
            return self._open()
        now_s = time.monotonic()
        if self._paced and now_s < self._ready_s:
            return self._wait(now_s)
        self._deadline_s = deadline_s = now_s + self._timeout_s
        if deadline_s < self._timer_s:
            self._set_timer(now_s)
        link.ask(request)
        return None

    def _wait(self, now_s: float) -> Failure | None:
        if self._limit_s == math.inf:
            self._limit_s = self._ready_s + self._timeout_s
        if now_s >= self._limit_s:
            return _NOT_SILENT
        loop = asyncio.get_running_loop()
        self._pause = loop.call_later(self._ready_s - now_s, self._resume)
        return None

    def _resume(self) -> None:
        self._pause = None
        if self._request is not None:
            refusal = self._send(self._request)
            if refusal is not None:
                self.answered(refusal)

    def _keep_pace(self) -> None:
        self._limit_s = math.inf
        self._silent = 0
        self._be_ready_in(self._device.settings.pause_s)

    def _be_ready_in(self, seconds: float) -> None:
        self._ready_s = max(self._ready_s, time.monotonic() + seconds)

    def _open(self) -> Failure | None:
        now_s = time.monotonic()
        if not self._backoff.ready(now_s):
            return Failure(self._reason, of_line=True)
        self._deadline_s = now_s + self._timeout_s
        self._set_timer(now_s)
        self._opening = asyncio.get_running_loop().create_task(self._connect())
        return None

    async def _connect(self) -> None:
        try:
            link = await self._opener.open(self)
        except OpenFailed as error:
            self._not_open(error.reason)
            return
        self._opening, self._link, self._reason = None, link, ""
        self._connections += 1
        self._backoff.succeeded()
        self._deadline_s = math.inf
        if self._connect_pause_s:
            loop = asyncio.get_running_loop()
            self._pause = loop.call_later(self._connect_pause_s, self._resume)
        else:
            self._resume()

    def _not_open(self, reason: str) -> None:
        self._opening, self._reason = None, reason
        self.generation += 1
        self._backoff.failed(time.monotonic())
        self.answered(Failure(reason, of_line=True))

    def lost(self, link: Link) -> None:
        """The link is closed; a request in flight is asked once more if the link had served.

        A peer may close an idle connection whenever it likes.
        """
        if link is not self._link:
            return
        self._link = None
        self.generation += 1
        if self._request is None or self._pause is not None:
            return
        self._deadline_s = math.inf
        if not link.served:
            self.answered(_LOST)
        elif self._device.identifies:
            self.answered(REOPENED)
        else:
            self._resume()

    def heard(self, ended: bool) -> None:
        """Bytes came on an RTU line. `ended`: as many as the answer has, so no more are due."""
        now_s = time.monotonic()
        self._ready_s = max(self._ready_s, now_s + self._opener.silence_s)
        if ended and now_s + self._opener.quiet_s < self._deadline_s:
            self._deadline_s = now_s + self._opener.quiet_s
            self._set_timer(now_s)

    def stray(self, count: int) -> None:
        """So many bytes belonged to no answer."""
        self._stray_bytes += count

    def _set_timer(self, now_s: float) -> None:
        """Let the timer look at the deadline no later than that is."""
        if self._deadline_s < self._timer_s:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_s = self._deadline_s
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._deadline_s - now_s, self._tick)

    def _tick(self) -> None:
        # The loop hears its sockets before its timers: an answer that came while it was held up has
        # been taken by now.
        self._timer, self._timer_s = None, math.inf
        now_s = time.monotonic()
        if now_s >= self._deadline_s:
            self._expire()
        elif self._deadline_s != math.inf:
            self._set_timer(now_s)

    def _expire(self) -> None:
        self._deadline_s = math.inf
        if self._opening is not None:
            self._opening.cancel()
            self._not_open("connect_timeout")
            return
        link = self._link
        assert link is not None
        answer = BAD_REPLY if link.forget() else TIMEOUT
        self._silent = 0 if answer is BAD_REPLY else self._silent + 1
        self._be_ready_in(self._opener.silence_s)
        if not self._opener.by_silence or self._silent >= SILENT_MAX:
            self._drop()
        self.answered(answer)

    def _drop(self) -> None:
        """Close by our own will: what is opened next is the same peer."""
        link, self._link = self._link, None
        self._silent = 0
        if link is not None:
            link.drop()
