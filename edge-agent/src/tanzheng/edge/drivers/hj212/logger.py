"""One logger of the plan: is a frame to be believed, what is new in it, what is answered."""

import asyncio
import re
from array import array
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from tanzheng.core.batch import Event
from tanzheng.edge.abc import Miss, Surroundings, Take
from tanzheng.edge.drivers.hj212.codec import Frame
from tanzheng.edge.drivers.hj212.readings import Readings, read, time_of
from tanzheng.edge.drivers.hj212.settings import LoggerLink
from tanzheng.edge.owed import OwedSlots
from tanzheng.hardware.hj212.codec import ANSWER_BIT, PACKET_BIT, CrcMode, crc_text
from tanzheng.hardware.hj212.codec import frame as build_frame

INSTANTS_MAX: Final = 4096
"""Sample times that are remembered to tell a value that is sent again."""
FRAMES_MAX: Final = 512
KEPT_REFUSED_S: Final = 60.0
"""At most one refused frame in that time becomes an event; all are counted."""
INTERACTION: Final = frozenset({"9011", "9012", "9013", "9014"})
STALE: Final = "stale"
NOT_AVAILABLE: Final = "not_available"
_ECHO: Final = re.compile(r"[0-9A-Za-z_.@#$%*+-]{1,64}")
_ALLOWED: Final[Mapping[str, tuple[CrcMode | None, ...]]] = {
    "hj212": ("hj212",),
    "modbus_le": ("hj212", "modbus_le"),
    "off": ("hj212", "modbus_le", None),
}


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one accepted frame adds: `take` None where it has no new values."""

    frame: Frame
    readings: Readings | None
    take: Take | None
    events: tuple[Event, ...]


class Group:
    """Frames that become durable together: what one of them brings is no news in the next."""

    def __init__(self) -> None:
        self.frames: set[bytes] = set()
        self.instants: dict[int, set[int]] = {}


class Logger:
    """The state of one logger. Nothing of a frame is remembered before it is durable."""

    def __init__(self, link: LoggerLink, around: Surroundings) -> None:
        self.link = link
        self.lock = asyncio.Lock()
        """Held from looking for repeats until what is new is durable."""
        self.counts: Counter[str] = Counter()
        self.last_reason = "no_frame_yet"
        self.last_ms: int | None = None
        self._around = around
        points = (rule.index for rule in link.rules)
        self.owed = OwedSlots(points, link.grid, link.stale_after_ms)
        self._fresh: dict[int, int] = {}
        self._void: dict[int, int] = {}
        self._strange: dict[int, str] = {}
        self._instants: OrderedDict[int, set[int]] = OrderedDict()
        self._frames: OrderedDict[bytes, None] = OrderedDict()
        self._kept_s = -KEPT_REFUSED_S

    # -- before

    def refusal(self, frame: Frame) -> str:
        """Why `frame` is not believed; empty where it is."""
        link = self.link
        if "truncated" in frame.deviations:
            return "truncated"
        if link.password is not None and frame.pw != link.password:
            return "password"
        for name in ("sm4_key_missing", "sm4_key_wrong"):
            if name in frame.deviations:
                return name
        allowed = _ALLOWED[link.crc]
        return "" if frame.crc_mode in allowed else "crc"

    def refused(self, frame: Frame, reason: str, now_s: float) -> None:
        """Count it, and keep one now and then as an event."""
        self.counts[f"refused_{reason}"] += 1
        self.last_reason = reason
        if now_s - self._kept_s >= KEPT_REFUSED_S:
            self._kept_s = now_s
            event = self._event(frame, {"refused": reason})
            self._around.note(Event(event.t_ms, "frame_refused", event.detail))

    def repeated(self, frame: Frame) -> bool:
        """True for the very bytes of a frame that is durable already."""
        return sha256(frame.raw).digest() in self._frames

    def arrived(self, frame: Frame, group: Group) -> Arrived | None:
        """What is new in an accepted frame; None for the bytes of one before it in the group."""
        digest = sha256(frame.raw).digest()
        if digest in group.frames:
            return None
        group.frames.add(digest)
        if frame.cn != self.link.data:
            return Arrived(frame, None, None, (self._event(frame, {}),))
        t_ms, problem = time_of(frame, self.link, self._around.now_ms())
        if t_ms is None:
            self.counts[problem] += 1
            return Arrived(frame, None, None, (self._event(frame, {"unused": problem}),))
        readings = read(frame, self.link, t_ms)
        take, duplicates = self._new(readings, group)
        extra = {"duplicates": duplicates} if duplicates else {}
        return Arrived(frame, readings, take, (self._event(frame, extra), *self._news(readings)))

    def _new(self, readings: Readings, group: Group) -> tuple[Take | None, int]:
        """The values that were not durable yet, and how many were."""
        before = group.instants.setdefault(readings.t_ms, set())
        known = before | self._instants.get(readings.t_ms, set())
        before.update(readings.points)
        new = [place for place, point in enumerate(readings.points) if point not in known]
        duplicates = len(readings.points) - len(new)
        if not new:
            return None, duplicates
        points = tuple(readings.points[place] for place in new)
        values = array("d", [readings.values[place] for place in new])
        quality = bytes(readings.quality[place] for place in new)
        return Take(readings.t_ms, points, values, quality), duplicates

    def _news(self, readings: Readings) -> list[Event]:
        """Strange values and marks, each once until it changes; counters that leap."""
        events = []
        for point in (*readings.points, *readings.void):
            # The text of a value changes each time: what is said once is that it is strange.
            told, now = self._strange.get(point), readings.strange.get(point)
            if now is not None and told is None:
                detail = {"device": self.link.id, "point": self._field(point), "what": now}
                events.append(Event(self._around.now_ms(), "value_doubtful", detail))
        counters = {rule.index for rule in self.link.rules if rule.counter}
        for point, value in zip(readings.points, readings.values, strict=True):
            if point in counters and self._around.suspect(point, value, readings.t_ms):
                detail = {"device": self.link.id, "point": self._field(point)}
                events.append(Event(readings.t_ms, "counter_glitch", detail))
        return events

    def _field(self, point: int) -> str:
        rule = next(rule for rule in self.link.rules if rule.index == point)
        return f"{rule.code}-{rule.suffix}"

    def _event(self, frame: Frame, extra: Mapping[str, str | int]) -> Event:
        """The raw frame, as it must be kept for whoever checks the readings."""
        detail: dict[str, str | int] = {"device": self.link.id, "cn": frame.cn or ""}
        try:
            text = frame.raw.decode()
        except UnicodeDecodeError:
            text = ""
        if text and text.isprintable():
            detail["text"] = text
        else:
            detail["hex"] = frame.raw.hex()
        detail["deviations"] = " ".join(frame.deviations)
        return Event(self._around.now_ms(), "frame", {**detail, **extra})

    # -- after

    def durable(self, arrived: Arrived) -> None:
        """All of it is on disk: from now on it is known."""
        frame, readings = arrived.frame, arrived.readings
        self.counts["frames"] += 1
        self.counts["frames_with_deviations"] += bool(frame.deviations)
        self.last_reason, self.last_ms = "", self._around.now_ms()
        _remember(self._frames, sha256(frame.raw).digest(), None, FRAMES_MAX)
        if readings is None:
            return
        self.counts["duplicates"] += len(readings.points)
        if arrived.take is not None:
            taken = arrived.take.points
            self.counts["values"] += len(taken)
            self.counts["duplicates"] -= len(taken)
            known = self._instants.get(readings.t_ms, set())
            _remember(self._instants, readings.t_ms, known | set(taken), INSTANTS_MAX)
        for points, newest in ((readings.points, self._fresh), (readings.void, self._void)):
            newest.update((p, max(readings.t_ms, newest.get(p, 0))) for p in points)
        for point in readings.points:
            self.owed.filled(point, readings.t_ms)
        for point in readings.void:
            self.owed.empty(point, readings.t_ms, NOT_AVAILABLE)
        for point in (*readings.points, *readings.void):
            self._strange.pop(point, None)
        self._strange.update(readings.strange)

    def misses(self, slot_ms: int) -> list[Miss]:
        """What is given up at `slot_ms`: all slots of points without a value in the stale window
        before it, of others those that are as old as the window."""
        since_ms = slot_ms - self.link.stale_after_ms

        def absence(point: int) -> str | None:
            if self._fresh.get(point, -1) > since_ms:
                return None
            return NOT_AVAILABLE if self._void.get(point, -1) > since_ms else STALE

        return self.owed.misses(slot_ms, absence)

    def status(self) -> dict[str, Any]:
        """For people. A logger that sent nothing for its stale window is not answering."""
        silent = (
            self.last_ms is not None
            and self._around.now_ms() - self.last_ms > self.link.stale_after_ms
        )
        reason = self.last_reason or ("silent" if silent else "")
        return {
            "answering": not reason,
            "reason": reason,
            "last_ms": self.last_ms,
            "doubtful": {self._field(point): what for point, what in self._strange.items()},
            **self.counts,
        }


def answer_to(frame: Frame) -> bytes | None:
    """9014 for data, 9013 for notices; None where nobody waits, or the fields are not to be
    repeated. In the version and with the check sum of the sender, which checks it likewise."""
    if not frame.wants_answer or frame.cn in INTERACTION or frame.mn is None or frame.cn is None:
        return None
    command = "9014" if frame.cn.startswith("2") else "9013"
    version = (frame.flag or 0) & ~(ANSWER_BIT | PACKET_BIT)
    fields = {"QN": frame.qn, "ST": "91", "CN": command, "PW": frame.pw, "MN": frame.mn}
    texts = {name: text for name, text in fields.items() if text is not None}
    if any(_ECHO.fullmatch(text) is None for text in texts.values()):
        return None
    head = "".join(f"{name}={text};" for name, text in texts.items())
    segment = f"{head}Flag={version};CP=&&&&".encode()
    return build_frame(segment, crc_text(segment, frame.crc_mode or "hj212"))


def _remember(known: "OrderedDict[Any, Any]", key: Any, value: Any, count_max: int) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > count_max:
        known.popitem(last=False)
