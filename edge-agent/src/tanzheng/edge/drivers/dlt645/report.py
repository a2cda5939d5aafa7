"""What is in captured frames, for people and machines. Pure: lines in, records out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tanzheng.edge.drivers.dlt645.codec import Damage, Frame, Parser
from tanzheng.edge.drivers.dlt645.errors import Dlt645Error, MeterRefused, WrongLength
from tanzheng.edge.drivers.dlt645.values import decode_values
from tanzheng.hardware.dlt645.identifiers import Identifier, identifier

LINE_CHARS_MAX = 65_536

FUNCTIONS = {
    0x03: ("authentication", "安全认证"),
    0x08: ("broadcast time", "广播校时"),
    0x11: ("read data", "读数据"),
    0x12: ("read following", "读后续数据"),
    0x13: ("read address", "读通信地址"),
    0x14: ("write data", "写数据"),
    0x15: ("write address", "写通信地址"),
    0x16: ("freeze", "冻结命令"),
    0x17: ("change speed", "更改通信速率"),
    0x18: ("change password", "修改密码"),
    0x19: ("reset demand", "最大需量清零"),
    0x1A: ("reset meter", "电表清零"),
    0x1B: ("reset events", "事件清零"),
    0x1C: ("trip or close", "跳合闸、报警、保电"),
    0x1D: ("terminal output", "多功能端子输出控制"),
}
"""Functions of DL/T 645-2007 §7, for showing what others sent: this agent only reads."""

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Record:
    """One frame, or one line that holds none. `error` is empty where nothing is wrong."""

    valid_checksum: bool
    address: str | None = None
    control: str | None = None
    di: str | None = None
    value: str | None = None
    unit: str | None = None
    error: str = ""
    what: str = ""

    def to_json(self) -> dict[str, bool | str | None]:
        """The keys of the JSON line; `error` only where there is one."""
        found: dict[str, bool | str | None] = {
            "valid_checksum": self.valid_checksum,
            "address": self.address,
            "control": self.control,
            "di": self.di,
            "value": self.value,
            "unit": self.unit,
        }
        return found | ({"error": self.error} if self.error else {})


@dataclass(frozen=True, slots=True)
class LineReport:
    """The records of one line of a capture, and how many of its bytes belong to no frame."""

    records: tuple[Record, ...]
    noise: int = 0


def read_line(line: str) -> LineReport | None:
    """A line of hex digits; None for an empty one or a comment (`#` to the end of the line)."""
    text = "".join(line.partition("#")[0].removeprefix("\ufeff").split())
    if not text:
        return None
    if not _HEX.fullmatch(text):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        return LineReport((Record(False, error=f"expected pairs of hex digits, got {shown!r}"),))
    parser = Parser()
    items = [*parser.feed(bytes.fromhex(text)), *parser.finish()]
    records = tuple(_records(items))
    if not records:
        size = len(text) // 2
        return LineReport((Record(False, error=f"expected a frame, got {size} other bytes"),))
    whole = sum(isinstance(item, Frame) for item in items)
    return LineReport(records, parser.noise if whole == len(records) else 0)


def too_long() -> LineReport:
    """What is said of a line over `LINE_CHARS_MAX`."""
    return LineReport((Record(False, error=f"expected at most {LINE_CHARS_MAX} characters"),))


def _records(items: list[Frame | Damage]) -> Iterator[Record]:
    """Damage within what is damaged already is not told twice."""
    end = 0
    for item in items:
        if isinstance(item, Frame):
            yield read_frame(item)
        elif item.offset >= end:
            end = item.offset + len(item.data)
            yield _damaged(item)


def _damaged(item: Damage) -> Record:
    frame = item.frame
    problem = item.error
    error = f"{problem.reason}: {problem}"
    return Record(
        False, frame.address, f"{frame.control:02X}", frame.di, error=error, what=_what(frame)
    )


def read_frame(frame: Frame) -> Record:
    """What a whole frame says."""
    value, unit, error = None, None, ""
    what = _what(frame)
    try:
        value, unit = _content(frame)
    except Dlt645Error as problem:
        error = f"{problem.reason}: {problem}"
    return Record(True, frame.address, f"{frame.control:02X}", frame.di, value, unit, error, what)


def _content(frame: Frame) -> tuple[str | None, str | None]:
    """Value and unit; a request, a later frame of several and an unknown identifier have none."""
    frame.check_edition()
    where = f"meter {frame.address}"
    if frame.refused:
        if len(frame.data) != 1:
            raise WrongLength(f"expected 1 error byte, got {len(frame.data)}, at {where}")
        raise MeterRefused(frame.data[0], where)
    if frame.is_reply and frame.function == 0x13:
        if len(frame.data) != 6:
            raise WrongLength(f"expected 6 address bytes, got {len(frame.data)}, at {where}")
        return frame.data[::-1].hex().upper(), None
    if not frame.is_reply or frame.function != 0x11:
        return None, None
    if frame.di is None:
        raise WrongLength(f"expected a data identifier, got {len(frame.data)} bytes, at {where}")
    meaning = identifier(frame.di)
    if meaning is None or frame.more:
        return None, None  # the values of several frames are only known together
    texts = [value.text for value in decode_values(meaning, frame.data[4:])]
    if all(text is None for text in texts):
        return None, None
    return ",".join(text or "" for text in texts), meaning.unit


def _what(frame: Frame) -> str:
    """In words, Chinese first: function, quantity, moment of a maximum demand."""
    english, chinese = FUNCTIONS.get(frame.function, ("unknown function", "未知功能"))
    direction = "应答" if frame.is_reply else "请求"
    words = [] if frame.di and frame.function == 0x11 else [f"{chinese}{direction} {english}"]
    if frame.more:
        words.append("有后续帧 more follow")
    if frame.refused:
        words.append("异常 refused")
    elif frame.di is not None:
        meaning = identifier(frame.di)
        words.append(
            "厂家自定义 of the maker"
            if meaning is None
            else f"{meaning.name_zh} {meaning.name}{_stamps(frame, meaning)}"
        )
    return " · ".join(words)


def _stamps(frame: Frame, meaning: Identifier) -> str:
    """The minutes of maximum demands."""
    if not meaning.form.stamped or not frame.is_reply or frame.more:
        return ""
    try:
        values = decode_values(meaning, frame.data[4:])
    except Dlt645Error:  # told as the record's error
        return ""
    return " @ " + ", ".join(value.stamp or "–" for value in values)
