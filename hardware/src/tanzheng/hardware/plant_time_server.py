"""Plant time on a unix socket: JSON lines, one agent at a time.

agent → {"op":"hello","interval_s":60,"durable_ms":N|null}     → {"now_ms","start_ms","end_ms"}
agent → {"op":"next","done_ms":N|null,"readings":n,"missed":m} → {"slot_ms"} or {"end":true}
anything else → {"error": …}
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.hardware.errors import SimulatorError
from tanzheng.hardware.plant_time import PlantTime, PlantTimeError, Taken
from tanzheng.hardware.unix_socket import short_address

_LINE_BYTES_MAX: Final = 4096


class PlantTimeServer:
    """Serves `plant_time`; `show` is called with each slot before it is offered, `log` with each
    slot taken before the next one is offered."""

    def __init__(
        self,
        plant_time: PlantTime,
        show: Callable[[int], None],
        log: Callable[[Taken], None],
    ) -> None:
        self._plant_time = plant_time
        self._show = show
        self._log = log
        self._server: asyncio.Server | None = None
        self._path = Path()
        self.agent: asyncio.Transport | None = None

    async def listen(self, path: Path) -> None:
        """Listen at `path`, replacing a socket that an earlier run left there."""
        loop = asyncio.get_running_loop()
        self._path = path
        _remove(path)
        try:
            with short_address(path) as address:
                self._server = await loop.create_unix_server(lambda: _Agent(self), address)
        except OSError as error:
            raise SimulatorError(
                f"expected a place for a unix socket, got {error}, at {path}"
            ) from error

    async def close(self) -> None:
        """Stop listening and let the agent go."""
        if self._server is not None:
            self._server.close()
            if self.agent is not None:
                self.agent.abort()
            await self._server.wait_closed()
            _remove(self._path)

    def answer(self, line: bytes) -> dict[str, Any]:
        """The reply to one line."""
        try:
            return self._answer(_message(line))
        except TanzhengError as error:
            return {"error": str(error)}

    def goodbye(self) -> None:
        """The agent is gone; the devices show the instant at which plant time now holds."""
        self.agent = None
        self._plant_time.goodbye()
        self._show(self._plant_time.now_ms)

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        time = self._plant_time
        if message.get("op") == "hello":
            taken = time.hello(_whole(message, "interval_s") * 1000, _slot(message, "durable_ms"))
            if taken is not None:
                self._log(taken)
            return {"now_ms": time.now_ms, "start_ms": time.start_ms, "end_ms": time.end_ms}
        if message.get("op") == "next":
            taken, slot_ms = time.next(
                _slot(message, "done_ms"), _whole(message, "readings"), _whole(message, "missed")
            )
            if taken is not None:
                self._log(taken)
            if slot_ms is None:
                return {"end": True}
            self._show(slot_ms)
            return {"slot_ms": slot_ms}
        raise PlantTimeError(f"expected op hello or next, got {message.get('op')!r}")


class _Agent(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: PlantTimeServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self._server.agent is not None:
            transport.write(b'{"error":"busy"}\n')
            transport.close()
            return
        self._transport = self._server.agent = transport

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._transport.write(json.dumps(self._server.answer(line)).encode() + b"\n")
        if len(self._rest) > _LINE_BYTES_MAX:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._server.goodbye()


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"expected a JSON line, got {error}") from error
    if not isinstance(message, dict):
        raise BadInput(f"expected a JSON object, got {type(message).__name__}")
    return message


def _whole(message: dict[str, Any], key: str) -> int:
    value = message.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInput(f"expected {key} as a whole number, got {value!r}")
    return value


def _slot(message: dict[str, Any], key: str) -> int | None:
    return None if message.get(key) is None else _whole(message, key)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
