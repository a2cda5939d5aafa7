"""One connection to an endpoint, with at most one request in flight: bytes in, one answer out.

A link does not wait and has no clock. Its owner sends requests, is called back with each answer,
and drops the link where it no longer trusts what comes through it.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol, cast

from tanzheng.edge.drivers.modbus.codec import (
    RTU_FRAME_BYTES_MAX,
    BadFrame,
    DeviceException,
    ModbusError,
    ReadRequest,
    decode_frame,
    find_rtu,
    values_of,
)

STRAY_BYTES_MAX = RTU_FRAME_BYTES_MAX
"""So much noise may come before an answer on a serial line."""
_FRAME_BYTES_MIN = 5
_TCP_HEAD_BYTES = 9


@dataclass(frozen=True, slots=True)
class Failure:
    """What came instead of values. `code` is the exception of the device, 0 where it gave none.

    `of_line`: the endpoint failed, which says nothing about the device that was asked.
    """

    reason: str
    code: int = 0
    of_line: bool = False


Answer = bytes | Failure
BAD_REPLY = Failure("bad_reply")
TIMEOUT = Failure("comms_timeout")
"""Not one byte came."""


class Transport(Protocol):
    """What the transports of the pool, of asyncio and of the serial port share; no base class."""

    def write(self, data: bytes) -> None:
        """Send."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Owner(Protocol):
    """Who is called back."""

    def answered(self, answer: Answer) -> None:
        """The one answer to the request in flight."""
        ...

    def heard(self, ended: bool) -> None:
        """Bytes came on a line whose frames end by silence; `ended`: as many as the answer has."""
        ...

    def spoiled(self) -> None:
        """The framing is lost: the link is to be dropped."""
        ...

    def stray(self, count: int) -> None:
        """So many bytes belonged to no answer."""
        ...

    def lost(self, link: "Link") -> None:
        """The link is closed, by whomever."""
        ...


class Link(asyncio.Protocol):
    """What the two framings share. `served` turns true with the first answer."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._answered = owner.answered
        self._request: ReadRequest | None = None
        self._transport: Transport | None = None
        self.served = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop opened it."""
        self._transport = cast("Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The event loop closed it."""
        self._transport = None
        self._owner.lost(self)

    def drop(self) -> None:
        """Close; nothing of it is heard any more but `lost`."""
        self._request = None
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, answer: Answer) -> None:
        self._request = None
        self.served = True
        self._answered(answer)


class TcpLink(Link):
    """MBAP framing. On any doubt about the framing the link drops itself."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner)
        self._transaction = 0
        self._head = b""
        self._rest = b""

    def ask(self, request: ReadRequest) -> None:
        """Send `request`; `Owner.answered` is called later, never from here."""
        assert self._transport is not None
        self._transaction = transaction = (self._transaction + 1) & 0xFFFF
        number = transaction.to_bytes(2, "big")
        self._head = number + request.tcp_reply
        self._request = request
        self._transport.write(number + request.tcp)

    def data_received(self, data: bytes) -> None:
        """Nearly always exactly the answer that was asked for, in one piece."""
        request = self._request
        if (
            request is not None
            and not self._rest
            and len(data) == request.tcp_size
            and data.startswith(self._head)
        ):
            self._request = None
            self.served = True
            self._answered(data[_TCP_HEAD_BYTES:])
        else:
            self._piece(data)

    def forget(self) -> bool:
        """Give the request in flight up; a late answer dies with the connection."""
        self.drop()
        return False

    def _piece(self, data: bytes) -> None:
        request = self._request
        if request is None:  # nobody asked: the next answer could be another's
            self._owner.stray(len(data))
            self._owner.spoiled()
            return
        self._rest += data
        try:
            decoded = decode_frame(self._rest)
            if decoded is None:
                return
            frame, used = decoded
            if used < len(self._rest):
                raise BadFrame(f"expected one answer to one request, got more, at {request}")
            answer: Answer = values_of(frame, self._transaction, request)
        except DeviceException as error:
            answer = Failure(error.reason, error.code)
        except ModbusError:
            self._owner.stray(len(self._rest))
            self._owner.spoiled()
            answer = BAD_REPLY
        self._rest = b""
        self._finish(answer)


class RtuLink(Link):
    """RTU framing, over a serial port or over a TCP connection to a serial server."""

    def __init__(self, owner: Owner, echo: bool) -> None:
        super().__init__(owner)
        self._echo = echo
        self._echo_due = False
        self._bytes = bytearray()
        self._from = 0

    def ask(self, request: ReadRequest) -> None:
        """Send `request`; `Owner.answered` is called later, never from here."""
        assert self._transport is not None
        self._bytes.clear()
        self._from = 0
        self._echo_due = self._echo
        self._request = request
        self._transport.write(request.rtu)

    def data_received(self, data: bytes) -> None:
        """A piece of an answer, noise, an echo, or a late answer that nobody waits for."""
        request = self._request
        if request is None:
            self._owner.stray(len(data))
            self._owner.heard(False)
            return
        self._bytes += data
        if self._echo_due:
            self._take_echo(request)
        try:
            values, end = find_rtu(self._bytes, request, self._from)
        except DeviceException as error:
            self._owner.heard(False)
            self._owner.stray(len(self._bytes) - _FRAME_BYTES_MIN)
            self._finish(Failure(error.reason, error.code))
            return
        if values is not None:
            self._owner.heard(False)
            self._end(values, end, request)
        elif len(self._bytes) > STRAY_BYTES_MAX + RTU_FRAME_BYTES_MAX:
            self._owner.heard(False)
            self._owner.stray(len(self._bytes))
            self._finish(BAD_REPLY)
        else:
            self._from = end
            self._owner.heard(len(self._bytes) >= request.value_bytes + _FRAME_BYTES_MIN)

    def forget(self) -> bool:
        """Give the request in flight up. True where bytes had come that are no answer."""
        self._request = None
        self._owner.stray(len(self._bytes))
        return bool(self._bytes)

    def _take_echo(self, request: ReadRequest) -> None:
        """Cut off our own bytes, which a two-wire adapter may hand back."""
        if self._bytes.startswith(request.rtu):
            del self._bytes[: len(request.rtu)]
            self._from = 0
            self._echo_due = False

    def _end(self, values: bytes, end: int, request: ReadRequest) -> None:
        """Less than a frame around the answer is noise; a frame behind it is out of step."""
        behind = len(self._bytes) - end
        stray = len(self._bytes) - request.value_bytes - _FRAME_BYTES_MIN
        if stray:
            self._owner.stray(stray)
        self._finish(BAD_REPLY if behind >= _FRAME_BYTES_MIN else values)
