"""A serial port or pseudo-terminal of the simulator, with nothing but what the system brings."""

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tanzheng.hardware.errors import SimulatorError
from tanzheng.hardware.profile import Serial

_CHUNK: Final = 4096
_CFLAG, _ISPEED, _OSPEED = 2, 4, 5  # places in what tcgetattr gives


class SerialPort:
    """Raw bytes both ways; `received` hears what comes, in the running event loop."""

    def __init__(self, path: Path, line: Serial | None, received: Callable[[bytes], None]) -> None:
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise SimulatorError(f"expected a serial port, got {error.strerror}: {path}") from error
        try:
            tty.setraw(self._handle)
            if line is not None:
                _set_line(self._handle, line)
        except (termios.error, ValueError) as error:
            os.close(self._handle)
            raise SimulatorError(f"expected a serial port, got {error}: {path}") from error
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._handle, self._readable)

    def write(self, data: bytes) -> None:
        """Send `data`. What a full line does not take is lost, as on a wire."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.write(self._handle, data)

    def close(self) -> None:
        """Let the port go."""
        if self._handle >= 0:
            self._loop.remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._handle, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # the other end of a pseudo-terminal is gone
        if data:
            self._received(data)
        else:
            self.close()


def _set_line(handle: int, line: Serial) -> None:
    """Speed, parity and stop bits; `ValueError` for a speed that the system does not know."""
    speed = getattr(termios, f"B{line.baud}", None)
    if speed is None:
        raise ValueError(f"a speed of {line.baud}")
    attributes: list[Any] = termios.tcgetattr(handle)
    cflag = attributes[_CFLAG] & ~(termios.PARENB | termios.PARODD | termios.CSTOPB)
    parity = {"N": 0, "E": termios.PARENB, "O": termios.PARENB | termios.PARODD}[line.parity]
    attributes[_CFLAG] = cflag | parity | (termios.CSTOPB if line.stop == 2 else 0)
    attributes[_ISPEED] = attributes[_OSPEED] = speed
    termios.tcsetattr(handle, termios.TCSANOW, attributes)
