"""What a frame says: fields, values, marks, and every deviation by its name. Pure, lenient.

Any bytes give a `Frame`; nothing here raises. Sources: HJ 212-2017 §6 and table 8, HJ 212-2025
§6.4.2 (encryption), the habits of real senders (README.md).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tanzheng.core.quality import HJ212_FLAG
from tanzheng.edge.drivers.hj212.deviations import Deviation as Note
from tanzheng.edge.drivers.hj212.splitter import Piece, crc_mode
from tanzheng.hardware.hj212.codec import (
    ANSWER_BIT,
    PACKET_BIT,
    SM4_BLOCK,
    CrcMode,
    sm4_decrypt,
)

Value = str | int | float

SEGMENT_BYTES_MAX: Final = 1024
DATA_COMMANDS: Final = frozenset({"2011", "2021", "2031", "2041", "2051", "2061"})
_MEASURED: Final = frozenset(
    {"Rtd", "Min", "Avg", "Max", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax", "Cou"}
)  # fmt: skip
_TEXT_SUFFIXES: Final = frozenset({"Flag", "EFlag", "SampleTime", "Info", "SN"})
_TEXT_NAMES: Final = frozenset(
    {"DataTime", "SystemTime", "BeginTime", "EndTime", "RestartTime", "QN", "MN", "NewPW", "PW",
     "PolId", "Flag"}
)  # fmt: skip
_FIELDS: Final = {
    name.upper(): name for name in ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF")
}
_CP: Final = re.compile(rb"(?i:(?:^|[;,])\s*(CP)\s*=)(&&)?")
_CIPHER_HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{32})+")
_BYTE: Final = re.compile(rb"\s*0[xX]([0-9A-Fa-f]{1,2})\s*\Z")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")
_INTEGER: Final = re.compile(r"-?[0-9]{1,15}\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_WATER_CODE: Final = re.compile(r"w[0-9]{5}-")
_GAS_CODE: Final = re.compile(r"a[0-9]{5}-")
_SENTINELS: Final = (-999.0, -9999.0)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as understood. Absent fields are None; `items` are the names and texts of CP.

    `crc_mode` is the algorithm that gave the carried check sum; `encrypted` is True where CP came
    as ciphertext (then `items` are of the plain text, empty without the right key).
    """

    raw: bytes
    crc_mode: CrcMode | None
    length_ok: bool
    qn: str | None
    st: str | None
    cn: str | None
    pw: str | None
    mn: str | None
    flag: int | None
    packet: tuple[int, int] | None
    """(PNUM, PNO)"""
    resent: bool
    items: tuple[tuple[str, str], ...]
    encrypted: bool
    deviations: tuple[str, ...]

    @property
    def valid_crc(self) -> bool:
        """True where the standard's own algorithm gives the carried check sum."""
        return self.crc_mode == "hj212"

    @property
    def wants_answer(self) -> bool:
        """The answer bit of Flag; without a Flag nobody waits."""
        return bool((self.flag or 0) & ANSWER_BIT)

    @property
    def data_time(self) -> str | None:
        """DataTime as sent."""
        return dict(self.items).get("DataTime")

    def values(self) -> dict[str, Value]:
        """Name → number where the text is one and the name is no mark, text or time; else text."""
        return {name: value_of(name, text) for name, text in self.items}


class _Notes:
    """Deviations in the order of the list, each once."""

    def __init__(self) -> None:
        self._seen: set[Note] = set()

    def add(self, deviation: Note, when: object = True) -> None:
        if when:
            self._seen.add(deviation)

    def names(self) -> tuple[str, ...]:
        return tuple(item.label for item in Note if item in self._seen)


def parse(piece: Piece, sm4_key: bytes | None = None) -> Frame:
    """The frame in `piece`. `sm4_key` (16 bytes) opens encrypted content."""
    notes = _Notes()
    head, opening, content, closing = _cut(piece, notes)
    plain, cipher_bytes = _decrypted(content, sm4_key, notes)
    encrypted = cipher_bytes is not None
    mode = _check_sum(piece, opening + (plain or b"") + closing, encrypted, notes)
    fields = _fields(head, notes)
    items = tuple(_items(plain or b"", notes))
    flag = _flag(fields.get("Flag"), notes)
    _check_fields(fields, notes)
    _check_items(fields, items, notes)
    collapsed = len(piece.segment) - len(content) + len(cipher_bytes or content)
    length_ok = piece.whole and piece.declared in (len(piece.segment), collapsed)
    notes.add(
        Note.LENGTH_MALFORMED if piece.declared is None else Note.LENGTH_MISMATCH, not length_ok
    )
    notes.add(Note.OVER_1024, collapsed > SEGMENT_BYTES_MAX)
    notes.add(Note.RF_INVALID, fields.get("RF", "1") != "1")
    packet = _packet(fields, flag, notes)
    return Frame(
        piece.raw, mode, length_ok, fields.get("QN"), fields.get("ST"), fields.get("CN"),
        fields.get("PW"), fields.get("MN"), flag, packet, fields.get("RF") == "1", items,
        encrypted, notes.names(),
    )  # fmt: skip


def _cut(piece: Piece, notes: _Notes) -> tuple[bytes, bytes, bytes, bytes]:
    """Header, all up to the content, the content, what closes it: `raw` again when joined."""
    segment = piece.segment
    notes.add(Note.TRUNCATED, not piece.whole)
    found = _CP.search(segment)
    if found is None:
        notes.add(Note.NO_CP)
        return segment, segment, b"", b""
    start = found.end()
    closed = len(segment) >= start + 2 and segment.endswith(b"&&")
    notes.add(Note.CP_UNCLOSED, found[2] is None or not (closed or not piece.whole))
    notes.add(Note.KEY_CASE, found[1] != b"CP")
    end = len(segment) - 2 if closed else len(segment)
    return segment[: found.start()], segment[:start], segment[start:end], segment[end:]


# -- encryption and check sum


def _decrypted(
    content: bytes, key: bytes | None, notes: _Notes
) -> tuple[bytes | None, bytes | None]:
    """(plain content or None, ciphertext as bytes or None where it was plain all along)."""
    cipher = _ciphertext(content, notes)
    if cipher is None:
        return content, None
    notes.add(Note.ENCRYPTED_BLOCK)
    if key is None:
        notes.add(Note.SM4_KEY_MISSING)
        return None, cipher
    plain = sm4_decrypt(cipher, key)
    if not _printable(plain[:SM4_BLOCK]):
        notes.add(Note.SM4_KEY_WRONG)
        return None, cipher
    padding = plain[-1]
    if 1 <= padding <= SM4_BLOCK and plain.endswith(bytes([padding]) * padding):
        notes.add(Note.SM4_PADDED)
        plain = plain[:-padding]
    return plain, cipher


def _ciphertext(content: bytes, notes: _Notes) -> bytes | None:
    """The bytes that were encrypted (with the plain rest), None for plain content.

    Plain content begins with a name, thus with printable ASCII; a block of ciphertext does so
    once in ten million.
    """
    if content.startswith(b"{") and (end := content.find(b"}")) > 0:
        found = [_BYTE.match(part) for part in content[1:end].rstrip(b", ").split(b",")]
        if all(found):
            notes.add(Note.PRINTED_CIPHER_FORM)
            written = bytes(int(byte[1], 16) for byte in found if byte)
            return written + content[end + 1 :]
    digits = _CIPHER_HEX.match(content)
    if digits and len(content) - digits.end() < SM4_BLOCK:
        notes.add(Note.HEX_CIPHER_FORM)
        return bytes.fromhex(digits[0].decode()) + content[digits.end() :]
    if len(content) >= SM4_BLOCK and not _printable(content[:SM4_BLOCK]):
        return content
    return None


def _printable(block: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in block)


def _check_sum(piece: Piece, plain: bytes, encrypted: bool, notes: _Notes) -> CrcMode | None:
    """The algorithm that agrees, over the plain text by the standard."""
    mode = crc_mode(plain, piece.carried)
    if mode is None and encrypted:
        mode = crc_mode(piece.segment, piece.carried)
        notes.add(Note.CRC_OVER_CIPHERTEXT, mode)
    unread = {Note.SM4_KEY_MISSING.label, Note.SM4_KEY_WRONG.label} & set(notes.names())
    notes.add(Note.CRC_INVALID, mode is None and piece.whole and not unread)
    notes.add(Note.CRC_MODBUS_LE, mode == "modbus_le")
    is_hex = re.fullmatch(rb"[0-9A-Fa-f]{4}", piece.carried)
    notes.add(Note.CRC_NOT_HEX, piece.whole and not is_hex)
    notes.add(Note.CRC_LOWER_CASE, is_hex and piece.carried != piece.carried.upper())
    return mode


# -- header


def _fields(head: bytes, notes: _Notes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, text in _pairs(_text(head, notes), notes):
        known = _FIELDS.get(name.upper())
        if known is None:
            notes.add(Note.KEY_UNKNOWN)
            continue
        if name != known:
            notes.add(Note.FLAG_UPPER_CASE if name == "FLAG" else Note.KEY_CASE)
        notes.add(Note.DUPLICATE_KEY, known in fields)
        fields[known] = text
    return fields


def _check_fields(fields: dict[str, str], notes: _Notes) -> None:
    for name in ("QN", "ST", "CN", "PW", "MN", "Flag"):
        notes.add(Note[f"NO_{name.upper()}"], not fields.get(name))
    qn, st, cn = fields.get("QN", ""), fields.get("ST", ""), fields.get("CN", "")
    pw, mn = fields.get("PW", ""), fields.get("MN", "")
    notes.add(Note.QN_NOT_17, qn and re.fullmatch("[0-9]{17}", qn) is None)
    notes.add(Note.ST_3_DIGITS, len(st) == 3)
    notes.add(Note.ST_NOT_2, st and len(st) not in (2, 3))
    notes.add(Note.CN_NOT_4, cn and re.fullmatch("[0-9]{4}", cn) is None)
    notes.add(Note.PW_LONG, len(pw) > 6)
    notes.add(Note.PW_SHORT, 0 < len(pw) < 6)
    notes.add(Note.MN_NOT_24, mn and len(mn) != 24)
    notes.add(Note.MN_NOT_HEX, mn and re.fullmatch("[0-9A-F]+", mn) is None)


def _flag(text: str | None, notes: _Notes) -> int | None:
    if not text:
        return None
    if re.fullmatch("[0-9]{1,3}", text) and int(text) <= 255:
        return int(text)
    notes.add(Note.FLAG_INVALID)
    return None


def _packet(fields: dict[str, str], flag: int | None, notes: _Notes) -> tuple[int, int] | None:
    texts = [fields[name] for name in ("PNUM", "PNO") if name in fields]
    notes.add(Note.PACKET_UNFLAGGED, bool((flag or 0) & PACKET_BIT) != bool(texts))
    if not texts:
        return None
    if len(texts) == 2 and all(re.fullmatch("[0-9]{1,4}", text) for text in texts):
        total, number = map(int, texts)
        if 1 <= number <= total:
            return total, number
    notes.add(Note.PACKET_INVALID)
    return None


# -- content


def _text(data: bytes, notes: _Notes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        notes.add(Note.NOT_TEXT)
        text = data.decode(errors="backslashreplace")
    notes.add(Note.NOT_TEXT, _CONTROL.search(text))
    return text


def _pairs(text: str, notes: _Notes) -> Iterator[tuple[str, str]]:
    """name=value of `text`, which `;` and `,` part; empty ones are noted and left out."""
    groups = text.split(";")
    for index, group in enumerate(groups):
        if not group and len(groups) > 1:
            notes.add(Note.STRAY_SEMICOLON, index < len(groups) - 1)
            continue
        for item in group.split(","):
            name, equals, value = item.partition("=")
            if not item.strip():
                notes.add(Note.STRAY_COMMA, "," in group)
                notes.add(Note.STRAY_SPACE, item)
            elif not equals:
                notes.add(Note.ITEM_WITHOUT_VALUE)
            else:
                notes.add(Note.STRAY_SPACE, name != name.strip() or value != value.strip())
                yield name.strip(), value.strip()


def _items(content: bytes, notes: _Notes) -> Iterator[tuple[str, str]]:
    """Each name once, with the last text it was given."""
    found: dict[str, str] = {}
    for name, text in _pairs(_text(content, notes), notes):
        notes.add(Note.DUPLICATE_KEY, name in found)
        found[name] = text
    yield from found.items()


def _check_items(fields: dict[str, str], items: tuple[tuple[str, str], ...], notes: _Notes) -> None:
    cn = fields.get("CN", "")
    found = dict(items)
    notes.add(Note.ANSWER_WITH_CONTENT, cn in ("9013", "9014") and items)
    notes.add(Note.BARE_FLAG, "Flag" in found)
    _check_data_time(cn, found, notes)
    gas = any(_GAS_CODE.match(name) for name in found)
    water = any(_WATER_CODE.match(name) for name in found)
    system = fields.get("ST", "")
    notes.add(Note.ST_CODES_DISAGREE, gas and system in ("21", "32", "52"))
    notes.add(Note.ST_CODES_DISAGREE, water and system in ("22", "31", "51"))
    for name, text in items:
        code, _, suffix = name.rpartition("-")
        if suffix in _MEASURED and code:
            number = value_of(name, text)
            notes.add(Note.VALUE_NOT_NUMBER, isinstance(number, str))
            notes.add(Note.SENTINEL_999, is_sentinel(number))
            marked = f"{code}-Flag" in found or "Flag" in found
            notes.add(Note.NO_MARK, not marked)
        elif suffix == "Flag" or name == "Flag":
            notes.add(Note.MARK_LOWER_CASE, text not in HJ212_FLAG and text.upper() in HJ212_FLAG)
            notes.add(Note.MARK_UNKNOWN, text.upper() not in HJ212_FLAG)


def _check_data_time(cn: str, found: dict[str, str], notes: _Notes) -> None:
    text = found.get("DataTime")
    if text is None:
        notes.add(Note.NO_DATATIME, cn in DATA_COMMANDS and found)
        return
    notes.add(Note.DATATIME_17_DIGITS, re.fullmatch("[0-9]{17}", text))
    right = len(text) in (14, 17) and data_time_ms(text, 0) is not None
    notes.add(Note.DATATIME_INVALID, not right)


def value_of(name: str, text: str) -> Value:
    """`text` as a number where it is one and `name` is not that of a mark, a text or a time."""
    suffix = name.rpartition("-")[2]
    if name in _TEXT_NAMES or suffix in _TEXT_SUFFIXES or _NUMBER.match(text) is None:
        return text
    if _INTEGER.match(text):
        return int(text)
    number = float(text)
    return text if number in (float("inf"), float("-inf")) else number


def is_sentinel(value: Value) -> bool:
    """-999 (and -9999) stand for "no value" at many senders."""
    return not isinstance(value, str) and value in _SENTINELS


def data_time_ms(text: str, utc_offset_min: int) -> int | None:
    """UTC ms of YYYYMMDDhhmmss (and what follows it: milliseconds of 17 digits, else dropped).

    None where it is no time. `utc_offset_min` is the zone of the logger, which it never writes.
    """
    if re.fullmatch("[0-9]{14,20}", text) is None:
        return None
    try:
        local = datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        instant = local - timedelta(minutes=utc_offset_min)
    except (ValueError, OverflowError):
        return None
    fraction_ms = int(text[14:]) if len(text) == 17 else 0
    return int(instant.timestamp()) * 1000 + fraction_ms
