"""A serial port as an asyncio transport, for every protocol that is spoken over RS-485.

pyserial sets the port (speed, parity, lock), the event loop moves the bytes: a port costs two file
descriptor watchers and no thread. Works on any loop with `add_reader`, and on pseudo-terminals.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import serial  # type: ignore[import-untyped]  # pyserial carries no types

from tanzheng.core.errors import TanzhengError

WRITE_BYTES_MAX = 4096
"""Far more than one request: a port that takes that little has stopped."""
READ_BYTES = 4096
PARITIES = ("N", "E", "O")
STOPS = (1, 2)

_PSEUDO_TERMINALS = Path("/dev/pts")
_AGAIN = (BlockingIOError, InterruptedError)

P = TypeVar("P", bound=asyncio.Protocol)


class SerialPortError(TanzhengError):
    """The port cannot be used. `reason` is what the gap record says."""

    reason = "port_unusable"


class PortMissing(SerialPortError):
    """No such port: the adapter is unplugged or has another name."""

    reason = "port_missing"

    def diagnostics(self) -> str:
        """Where the name went."""
        return (
            "USB adapters are renumbered: use the name under /dev/serial/by-id. "
            "USB 转换器会改名：请使用 /dev/serial/by-id 下的名称。"
        )


class PortBusy(SerialPortError):
    """Another owner has the port: two askers on one RS-485 pair take each other's answers."""

    reason = "port_busy"


class PortForbidden(SerialPortError):
    """The user may not open the port."""

    reason = "port_forbidden"

    def diagnostics(self) -> str:
        """Which group is missing."""
        return "Add the user to the group dialout. 请将用户加入 dialout 组。"


def character_s(baud: int, parity: str, stop: int) -> float:
    """Seconds that one byte takes: a start bit, 8 data bits, parity and stop bits."""
    return (1 + 8 + (parity != "N") + stop) / baud


def silence_s(baud: int, parity: str, stop: int) -> float:
    """Seconds of silence (3.5 characters) that part two Modbus RTU frames.

    Above 19200 Bd it is 1.75 ms whatever the speed (MODBUS over Serial Line V1.02 §2.5.1.1).
    """
    return 0.00175 if baud > 19200 else 3.5 * character_s(baud, parity, stop)


def open_serial(
    path: str, baud: int, parity: str, stop: int, protocol_factory: Callable[[], P]
) -> tuple["SerialTransport", P]:
    """Open and lock `path` (8 data bits, no flow control) on the running event loop.

    `parity` is "N", "E" or "O", `stop` 1 or 2. The protocol's `connection_made` has been called
    on return; what the port had received before is thrown away. `PortMissing`, `PortBusy`,
    `PortForbidden`, or `SerialPortError` for anything else that is wrong with it.
    """
    if parity not in PARITIES or stop not in STOPS or baud <= 0:
        raise SerialPortError(
            f"expected parity N, E or O, stop 1 or 2, a speed, got {parity} {stop} {baud}, "
            f"at {path}"
        )
    port = _configured(path, baud, parity, stop)
    protocol = protocol_factory()
    return SerialTransport(asyncio.get_running_loop(), port, protocol, path), protocol


def _configured(path: str, baud: int, parity: str, stop: int) -> serial.Serial:
    try:
        port = serial.Serial(path, baud, parity=parity, stopbits=stop, timeout=0, exclusive=True)
    except termios.error as error:
        # A pseudo-terminal has no parity bit, and some C libraries say so. A real port must.
        if parity == "N" or Path(path).resolve().parent != _PSEUDO_TERMINALS:
            raise SerialPortError(f"expected a serial port, got {error}, at {path}") from None
        return _configured(path, baud, "N", stop)
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise _named(error, path) from None
    fd: int = port.fileno()
    try:
        fcntl.ioctl(fd, termios.TIOCEXCL)
        settings = termios.tcgetattr(fd)
        # pyserial asks for 0 bytes at least: an empty read could not be told from a lost port.
        settings[6][termios.VMIN] = 1
        termios.tcsetattr(fd, termios.TCSANOW, settings)
    except (OSError, termios.error) as error:
        port.close()
        raise _named(error, path) from None
    return port


def _named(error: Exception, path: str) -> SerialPortError:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return PortMissing(f"expected a serial port, got none, at {path}")
    if number in (errno.EBUSY, errno.EAGAIN):
        return PortBusy(f"expected a free serial port, got one that is in use, at {path}")
    if number in (errno.EACCES, errno.EPERM):
        return PortForbidden(f"expected leave to open the port, got {error}, at {path}")
    return SerialPortError(f"expected a serial port, got {error}, at {path}")


class SerialTransport(asyncio.Transport):
    """Bytes to and from one port. `connection_lost` comes once: on `close`, `abort` or a fault."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        port: serial.Serial,
        protocol: asyncio.Protocol,
        path: str,
    ) -> None:
        super().__init__({"serial_port": path})
        self._loop, self._port, self._protocol, self._path = loop, port, protocol, path
        self._fd: int = port.fileno()
        self._waiting = bytearray()
        self._closing = False
        protocol.connection_made(self)
        if not self._closing:
            loop.add_reader(self._fd, self._read)

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send, or keep what the port does not take yet; over `WRITE_BYTES_MAX` the port is lost.

        Nothing happens on a closing transport.
        """
        if self._closing:
            return
        waited = bool(self._waiting)
        self._waiting += data
        if not waited:
            self._write()
        if len(self._waiting) > WRITE_BYTES_MAX:
            self._end(OSError(errno.ENOBUFS, f"{self._path} takes no bytes"))

    def flush_input(self) -> None:
        """Throw away what was received and not handed to the protocol yet."""
        if not self._closing:
            try:
                termios.tcflush(self._fd, termios.TCIFLUSH)
            except termios.error as error:
                self._end(OSError(*error.args))

    def get_write_buffer_size(self) -> int:
        """Bytes that the port has not taken yet."""
        return len(self._waiting)

    def is_closing(self) -> bool:
        """True from `close`, `abort` or a fault on."""
        return self._closing

    def close(self) -> None:
        """Let the port go at once: no answer would be read to what is not sent yet."""
        self._end(None)

    def abort(self) -> None:
        """The same as `close`."""
        self._end(None)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except _AGAIN:
            return
        except OSError as error:  # EIO, ENXIO: the adapter is gone
            self._end(error)
            return
        if data:
            self._protocol.data_received(data)
        else:  # end of file: the line hung up
            self._end(OSError(errno.EIO, f"{self._path} hung up"))

    def _write(self) -> None:
        try:
            del self._waiting[: os.write(self._fd, self._waiting)]
        except _AGAIN:
            pass
        except OSError as error:
            self._end(error)
            return
        if self._waiting:
            self._loop.add_writer(self._fd, self._write)
        else:
            self._loop.remove_writer(self._fd)

    def _end(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._waiting.clear()
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        with contextlib.suppress(OSError):  # the port is gone, its lock with it
            fcntl.ioctl(self._fd, termios.TIOCNXCL)
        self._port.close()
        self._loop.call_soon(self._protocol.connection_lost, error)
