"""Any bytes from a Modbus device, over TCP and over RTU, cut anywhere: values or a named refusal.

python tests/fuzz/fuzz_modbus.py        (needs atheris)
"""

import contextlib
import importlib
import sys

from tanzheng.edge.drivers.modbus.codec import (
    RTU_FRAME_BYTES_MAX,
    TCP_FRAME_BYTES_MAX,
    ModbusError,
    ReadRequest,
    crc16,
    decode_frame,
    find_rtu,
    values_of,
)
from tanzheng.edge.drivers.modbus.link import STRAY_BYTES_MAX, Answer, Link, RtuLink, TcpLink

REQUESTS = [
    ReadRequest(unit, function, 0x0300, count)
    for unit in (1, 255)
    for function in (1, 2, 3, 4)
    for count in (1, 19, 60, 125)
]
"""19 bits from 0x0300: the request has the form of its own answer."""
TRANSACTION = 1
"""Of a link's first request."""
REASONS = {"bad_reply", *(f"exception_{code}" for code in range(256))}


class Heard:
    """A link's owner and its transport in one: keeps what it is told."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.strays = 0
        self.open = True

    def answered(self, answer: Answer) -> None:
        self.answers.append(answer)

    def heard(self, ended: bool) -> None:
        """Only timers hang on it."""

    def spoiled(self) -> None:
        self.open = False

    def stray(self, count: int) -> None:
        assert count >= 0
        self.strays += count

    def lost(self, link: Link) -> None:
        self.open = False

    def write(self, data: bytes) -> None:
        """What it answers is given already."""

    def abort(self) -> None:
        self.open = False


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that atheris users know
    """First byte: what was asked, and whether the line echoes; second: how the rest is cut."""
    choice, cut, stream = data[:1], data[1:2], data[2:]
    echo = bool(choice and choice[0] & 0x80)
    request = REQUESTS[choice[0] % len(REQUESTS) if choice else 0]
    size = cut[0] + 1 if cut else 1
    tcp = _tcp(stream, request)
    heard = Heard()
    _feed(TcpLink(heard), heard, request, stream, size)
    _judge(heard, stream, request)
    for answer in heard.answers:
        assert not isinstance(answer, bytes) or tcp is None or answer == tcp
    rest = stream.removeprefix(request.rtu) if echo else stream
    rtu = _rtu(rest, request, size)
    heard = Heard()
    _feed(RtuLink(heard, echo), heard, request, stream, size)
    _judge(heard, stream, request)
    for answer in heard.answers:
        assert not isinstance(answer, bytes) or answer == rtu


def _tcp(stream: bytes, request: ReadRequest) -> bytes | None:
    """The values of the first frame; None where there are none."""
    with contextlib.suppress(ModbusError):
        if (decoded := decode_frame(stream)) is not None:
            frame, used = decoded
            assert used <= min(len(stream), TCP_FRAME_BYTES_MAX)
            values = values_of(frame, TRANSACTION, request)
            head = TRANSACTION.to_bytes(2, "big") + request.tcp_reply
            assert stream[:used] == head + values
            assert used == request.tcp_size
            return values
    return None


def _rtu(stream: bytes, request: ReadRequest, size: int) -> bytes | None:
    """The values behind whatever noise, however it is cut; None where there are none."""
    found = _found(stream, request, 0)
    start = 0
    for end in range(size, len(stream) + size, size):
        piece = _found(stream[:end], request, start)
        if piece is None or piece[0] is not None:
            break
        start = piece[1]
    else:
        piece = None, start
    if stream:
        assert piece == found
    values, end = found or (None, 0)
    if values is None:
        return None
    frame = stream[end - len(values) - 5 : end]
    assert frame[:3] == bytes((request.unit, request.function, request.value_bytes))
    assert frame[3:-2] == values
    assert crc16(frame) == 0
    return values


def _found(stream: bytes, request: ReadRequest, start: int) -> tuple[bytes | None, int] | None:
    """As `find_rtu`; None where the device refused."""
    try:
        return find_rtu(stream, request, start)
    except ModbusError as error:
        assert error.reason in REASONS  # noqa: PT017 - this is no test function
        return None


def _feed(
    link: TcpLink | RtuLink, heard: Heard, request: ReadRequest, stream: bytes, size: int
) -> None:
    link._transport = heard
    link.ask(request)
    for start in range(0, len(stream), size):
        if not heard.open:
            break
        link.data_received(stream[start : start + size])
        held = len(link._rest) if isinstance(link, TcpLink) else len(link._bytes)
        assert held <= STRAY_BYTES_MAX + RTU_FRAME_BYTES_MAX + size


def _judge(heard: Heard, stream: bytes, request: ReadRequest) -> None:
    assert len(heard.answers) <= 1, "one answer to one request"
    assert heard.strays <= len(stream), "no byte is counted twice"
    for answer in heard.answers:
        if isinstance(answer, bytes):
            assert len(answer) == request.value_bytes
        else:
            assert answer.reason in REASONS


def main() -> None:
    """Until stopped."""
    atheris = importlib.import_module("atheris")  # brought by tools/fuzz alone
    atheris.instrument_all()  # without it the fuzzer is blind
    atheris.Setup(sys.argv, TestOneInput)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
