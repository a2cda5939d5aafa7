"""HJ 212 frames that a bridge publishes as they are. Pure; the reading is the HJ 212 driver's."""

from dataclasses import dataclass
from typing import Final

from tanzheng.core.quality import HJ212_FLAG, Quality
from tanzheng.edge.drivers.hj212.codec import Frame, data_time_ms, is_sentinel, parse, value_of
from tanzheng.edge.drivers.hj212.splitter import Splitter
from tanzheng.edge.drivers.mqtt.codec import PayloadRefused, Sample
from tanzheng.edge.drivers.mqtt.timestamps import EARLIEST_MS, LATEST_MS
from tanzheng.hardware.profile import Hj212At

MEASURED_SUFFIXES: Final = frozenset(
    {"Rtd", "Min", "Avg", "Max", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax", "Cou", "RS", "RT"}
)


@dataclass(frozen=True, slots=True)
class Hj212Shape:
    """Which frames of a payload count: their command CN and, where given, their station MN."""

    command: str
    mn: str | None
    offset_minutes: int


def hj212_name(at: Hj212At) -> str:
    """The name in a frame: `a21026-Rtd`."""
    return f"{at.code}-{at.suffix}"


def hj212_samples(raw: bytes, shape: Hj212Shape) -> list[Sample]:
    """The values of all frames in `raw`, their DataTime as time."""
    splitter = Splitter()
    frames = [parse(piece) for piece in (*splitter.feed(raw), *splitter.flush())]
    if not frames:
        raise PayloadRefused("not_hj212", "expected an HJ 212 frame, got none")
    return [sample for frame in frames for sample in _of_frame(frame, shape)]


def _of_frame(frame: Frame, shape: Hj212Shape) -> list[Sample]:
    if frame.crc_mode is None:
        raise PayloadRefused("bad_crc", "expected a check sum that agrees, got another")
    if frame.cn != shape.command or shape.mn not in (None, frame.mn):
        return []
    t_ms = data_time_ms(frame.data_time or "", shape.offset_minutes)
    if t_ms is None or not EARLIEST_MS <= t_ms < LATEST_MS:
        raise PayloadRefused("bad_time", f"expected DataTime, got {frame.data_time!r}")
    texts = dict(frame.items)
    return [
        _sample(name, text, t_ms, texts)
        for name, text in frame.items
        if name.rpartition("-")[2] in MEASURED_SUFFIXES
    ]


def _sample(name: str, text: str, t_ms: int, texts: dict[str, str]) -> Sample:
    """Without a mark of its own, the bare `Flag` of the list counts; an unknown one is a fault."""
    value = value_of(name, text)
    code = name.rpartition("-")[0]
    mark = texts.get(f"{code}-Flag", texts.get("Flag", "N")).upper()
    quality = HJ212_FLAG.get(mark, Quality.FAULT)
    if isinstance(value, str) or is_sentinel(value):
        return Sample(name, t_ms, None, quality)
    return Sample(name, t_ms, float(value), quality)
