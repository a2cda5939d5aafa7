"""One question to an NTP server (RFC 5905 §14, SNTP as in RFC 4330), and what its answer proves.

The request carries a random transmit time stamp: an answer that does not repeat it was made by
somebody who has not seen the question. The first half is pure; `ask` sends and waits.
"""

import asyncio
import secrets
import struct
from collections.abc import Callable

from tanzheng.core.errors import BadInput, TanzhengError

PORT = 123
PACKET_BYTES = 48
ANSWER_S_MAX = 2.0
DELAY_MS_MAX = 1000.0
"""An answer that was longer on its way tells less than a second exactly."""
STRATUM_MAX = 15

_PACKET = struct.Struct("!BBbbII4sQ8sQQ")
"""… reference id, reference, originate, receive, transmit time stamp."""
_CLIENT, _SERVER = 0x23, 4  # version 4, mode 3 (client); mode 4 (server)
_UNIX_S = 2_208_988_800
_ERA_S = 1 << 32


class SntpError(BadInput):
    """An answer that proves nothing."""


class KissOfDeath(SntpError):
    """The server asks to be left alone (RFC 5905 §7.4); the message has its code."""


class NoAnswer(TanzhengError):
    """No answer came that belongs to the question."""


def request(nonce: bytes) -> bytes:
    """A question with the 8 bytes `nonce` as its transmit time stamp."""
    return _PACKET.pack(_CLIENT, 0, 0, 0, 0, 0, b"", 0, bytes(8), 0, int.from_bytes(nonce, "big"))


def offset_ms(data: bytes, nonce: bytes, sent_ms: float, received_ms: float) -> float:
    """How far the server is ahead of the local clock, which showed `sent_ms` and `received_ms`.

    `SntpError` where `data` is no answer of a synchronised server to that question.
    """
    if len(data) < PACKET_BYTES:
        raise SntpError(f"expected an NTP packet of {PACKET_BYTES} bytes, got {len(data)}")
    mode, stratum, _, _, _, _, code, _, originate, received, sent = _PACKET.unpack_from(data)
    if originate != nonce:
        raise SntpError("expected the question's time stamp in the answer, got another")
    if mode & 7 != _SERVER or mode >> 3 & 7 not in (3, 4):
        raise SntpError(f"expected a server's answer of version 3 or 4, got {mode:#04x}")
    if stratum == 0:
        raise KissOfDeath(f"expected an answer, got {code.decode('ascii', 'replace')!r}")
    if mode >> 6 == 3 or stratum > STRATUM_MAX or not sent:
        raise SntpError(f"expected a synchronised server, got stratum {stratum}, {mode:#04x}")
    there_ms, back_ms = _unix_ms(received), _unix_ms(sent)
    delay_ms = received_ms - sent_ms - (back_ms - there_ms)
    if not 0 <= back_ms - there_ms <= DELAY_MS_MAX or not -1 <= delay_ms <= DELAY_MS_MAX:
        raise SntpError(f"expected an answer within {DELAY_MS_MAX:.0f} ms, got {delay_ms:.0f} ms")
    return ((there_ms - sent_ms) + (back_ms - received_ms)) / 2


def _unix_ms(stamp: int) -> float:
    """UTC ms of an NTP time stamp; those below the middle of an era are of era 1 (from 2036)."""
    seconds, fraction = stamp >> 32, stamp & 0xFFFFFFFF
    era = 0 if seconds >= _ERA_S // 2 else _ERA_S
    return (seconds + era - _UNIX_S) * 1000 + fraction * 1000 / _ERA_S


async def ask(host: str, now_ms: Callable[[], float], port: int = PORT) -> float:
    """Offset (ms) of `host` from the clock `now_ms`; `NoAnswer`, or `KissOfDeath`."""
    loop = asyncio.get_running_loop()
    nonce = secrets.token_bytes(8)
    sent_ms = 0.0
    answer: asyncio.Future[float] = loop.create_future()

    def received(data: bytes) -> None:
        if answer.done():
            return
        try:
            answer.set_result(offset_ms(data, nonce, sent_ms, now_ms()))
        except KissOfDeath as error:
            answer.set_exception(error)
        except SntpError as error:  # somebody else's: the right one may still come
            rejected.append(str(error))

    rejected: list[str] = []
    transport = None
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Listener(received), remote_addr=(host, port)
            )
            sent_ms = now_ms()
            transport.sendto(request(nonce))
            return await answer
    except TimeoutError:
        got = rejected[-1] if rejected else "none"
        raise NoAnswer(f"expected an answer of {host}:{port}, got {got}") from None
    except OSError as error:
        raise NoAnswer(f"expected an answer of {host}:{port}, got {error}") from error
    finally:
        if transport is not None:
            transport.close()


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._received(data)

    def error_received(self, exc: Exception) -> None:
        """A refused port: the time-out tells."""
