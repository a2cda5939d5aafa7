"""HJ 212, the sender's side: check sum, frames, split packets, encryption. Pure.

Source: HJ 212-2017 §6.3 (frame), Annex A (check sum); HJ 212-2025 §6.4.2 and Annex A.2
(encryption), both through public copies of their worked examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tanzheng.core.errors import BadInput

CrcMode = Literal["hj212", "modbus_le"]
Version = Literal[2005, 2017, 2025]

LENGTH_MAX: Final = 9999
"""Bytes of a data segment that four digits can tell; the standard allows 1024."""
SM4_BLOCK: Final = 16
VERSION_BITS: Final = {2005: 0, 2017: 4, 2025: 8}
ANSWER_BIT: Final = 1
PACKET_BIT: Final = 2


def _shifted(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_TABLE: Final = tuple(map(_shifted, range(256)))


def crc(segment: bytes) -> int:
    """The check sum of Annex A: the high byte meets the data and the low byte is thrown away.

    Not CRC-16/MODBUS, though it has its polynomial. Only 256 different sums exist.
    """
    register, table = 0xFFFF, _TABLE
    for byte in segment:
        register = table[(register >> 8) ^ byte]
    return register


def crc_modbus(segment: bytes) -> int:
    """CRC-16/MODBUS, which many senders compute instead."""
    register, table = 0xFFFF, _TABLE
    for byte in segment:
        register = (register >> 8) ^ table[(register ^ byte) & 0xFF]
    return register


def crc_text(segment: bytes, mode: CrcMode = "hj212") -> bytes:
    """Four hex digits: high byte first by the standard, low byte first for `modbus_le`."""
    if mode == "hj212":
        return b"%04X" % crc(segment)
    return crc_modbus(segment).to_bytes(2, "little").hex().upper().encode()


def sm4_encrypt(content: bytes, key: bytes) -> bytes:
    """Encrypt the whole 16-byte blocks of `content`; the rest stays plain, the length the same."""
    whole = len(content) - len(content) % SM4_BLOCK
    encryptor = _sm4(key).encryptor()
    return encryptor.update(content[:whole]) + encryptor.finalize() + content[whole:]


def sm4_decrypt(content: bytes, key: bytes) -> bytes:
    """The inverse of `sm4_encrypt`, whatever the bytes are."""
    whole = len(content) - len(content) % SM4_BLOCK
    decryptor = _sm4(key).decryptor()
    return decryptor.update(content[:whole]) + decryptor.finalize() + content[whole:]


def _sm4(key: bytes) -> "Cipher[modes.ECB]":
    if len(key) != SM4_BLOCK:
        raise BadInput(f"SM4 key: expected 16 bytes, got {len(key)}")
    return Cipher(algorithms.SM4(key), modes.ECB())  # noqa: S305 (the standard's own mode)


def printed_form(ciphertext: bytes) -> bytes:
    """Ciphertext as the standard prints it and some senders send it: `{0xE4,0x3E}`, rest plain."""
    whole = len(ciphertext) - len(ciphertext) % SM4_BLOCK
    return b"{%s}" % b",".join(b"0x%02X" % byte for byte in ciphertext[:whole]) + ciphertext[whole:]


@dataclass(frozen=True, slots=True)
class Upload:
    """What one frame says. Empty fields are left out, as the year 2005 has no QN and no Flag.

    `packet` is (PNUM, PNO). `content` lies between `CP=&&` and `&&`.
    """

    cn: str
    content: bytes = b""
    qn: str = ""
    st: str = "31"
    pw: str = "123456"
    mn: str = "010000A8900016F000169DC0"
    version: Version = 2017
    answer: bool = False
    packet: tuple[int, int] | None = None
    resent: bool = False

    @property
    def flag(self) -> int:
        """The decimal number in `Flag=`."""
        packets = PACKET_BIT if self.packet else 0
        return VERSION_BITS[self.version] + packets + (ANSWER_BIT if self.answer else 0)

    def segment(self, content: bytes | None = None) -> bytes:
        """The data segment; `content` takes the place of its own (ciphertext)."""
        fields = {"QN": self.qn, "ST": self.st, "CN": self.cn, "PW": self.pw, "MN": self.mn}
        if self.version != 2005 or self.flag:
            fields["Flag"] = str(self.flag)
        if self.packet:
            fields["PNUM"], fields["PNO"] = map(str, self.packet)
        if self.resent:
            fields["RF"] = "1"
        head = "".join(f"{name}={text};" for name, text in fields.items() if text).encode()
        return head + b"CP=&&" + (self.content if content is None else content) + b"&&"


def frame(segment: bytes, carried: bytes | None = None, declared: int | None = None) -> bytes:
    """`segment` on the wire. `carried` and `declared`: another check sum, another length."""
    length = len(segment) if declared is None else declared
    if not 0 <= length <= LENGTH_MAX:
        raise BadInput(f"HJ 212 frame: expected up to {LENGTH_MAX} bytes, got {length}")
    return b"##%04d%s%s\r\n" % (length, segment, carried or crc_text(segment))


def build(upload: Upload, mode: CrcMode = "hj212", key: bytes | None = None) -> bytes:
    """One frame. With `key` its content is encrypted; the check sum is that of the plain text."""
    segment = upload.segment()
    carried = crc_text(segment, mode)
    if key is not None:
        segment = upload.segment(sm4_encrypt(upload.content, key))
    return frame(segment, carried)


def split_content(data_time: str, groups: Sequence[bytes], bytes_max: int = 900) -> list[bytes]:
    """Contents of the packets that carry `groups` (one factor each, never cut), in order.

    Each begins with the same DataTime, as the examples of the standard's Annex C do.
    """
    head = b"DataTime=" + data_time.encode()
    packets = [head]
    for group in groups:
        if len(packets[-1]) + 1 + len(group) > bytes_max and packets[-1] != head:
            packets.append(head)
        packets[-1] += b";" + group
    return packets
