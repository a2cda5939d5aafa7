"""The count of a soak, kept as batches stream by: no batch stays, whatever the soak's length."""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from acceptance.soak_slaves import STEP
from tanzheng.core.batch import Batch

INTERVAL_MS = 1000
UNCERTAIN = 1
ENTERS_MS, LEAVES_MS = 2000, 3000
"""The agent looks at its clock twice a second; so long a mark may differ around a jump."""


@dataclass
class Track:
    """One point: how often each count came, and which slots are accounted for (a bit each)."""

    register: int
    seen: bytearray = field(default_factory=bytearray)
    slots: int = 0
    strange: int = 0
    """Values that are no count of this register."""

    def take(self, value: float) -> None:
        """One stored value."""
        count = value - STEP * self.register
        if not 0 < count < 1 << 20 or count != math.floor(count):
            self.strange += 1
            return
        at = int(count)
        if at >= len(self.seen):
            self.seen.extend(bytes(at + 64 - len(self.seen)))
        self.seen[at] = min(255, self.seen[at] + 1)

    @property
    def first(self) -> int:
        """The first slot's bit."""
        return (self.slots & -self.slots).bit_length() - 1

    @property
    def holes(self) -> int:
        """Slots from the first to the last with neither reading nor gap."""
        return self.slots.bit_length() - self.first - self.slots.bit_count() if self.slots else 0

    @property
    def hole_bits(self) -> list[int]:
        """Which they are."""
        return [
            at for at in range(self.first, self.slots.bit_length()) if not self.slots >> at & 1
        ]


@dataclass(frozen=True, slots=True)
class Count:
    """What became of the values so far. `excused` were in flight at a kill or met a full disk: they
    are in a gap instead."""

    offered: int
    stored: int
    lost: int
    excused: int
    duplicated: int
    wrong: int
    gap_records: int
    unexplained: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong or self.unexplained)


class Tally:
    """Counts for points named `d1/FIELD` …: the first of `fields` is the count itself."""

    def __init__(self, devices: int, fields: Sequence[str], begun_ms: int) -> None:
        self.devices, self.fields = devices, fields
        self.tracks = {
            f"d{device}/{name}": Track(register)
            for device in range(1, devices + 1)
            for register, name in enumerate(fields)
        }
        self.gap_records = self.wrong_quality = self.batches = 0
        self.jumps: list[tuple[float, float]] = []
        """When the wall clock was off, in UTC milliseconds, with an open end while it is."""
        self.excuses: list[tuple[Sequence[int], Sequence[int]]] = []
        """From which count to which of each device a value may be in a gap."""
        self._begun_ms = (begun_ms // INTERVAL_MS - 60) * INTERVAL_MS
        self._lock = threading.Lock()

    def take(self, batch: Batch) -> None:
        """Count `batch`, the next of the chain."""
        with self._lock:
            self.batches += 1
            self.gap_records += len(batch.gaps)
            for point, column in zip(batch.points, batch.columns, strict=True):
                track = self.tracks[point]
                for t_ms, value, quality in zip(
                    column.t_ms, column.value, column.quality, strict=True
                ):
                    track.take(value)
                    track.slots |= self._bit(t_ms)
                    self.wrong_quality += not self._may_be(quality, t_ms)
            for gap in batch.gaps:
                bits = 0
                for slot_ms in gap.slots:
                    bits |= self._bit(slot_ms)
                for index in gap.points:
                    self.tracks[batch.points[index]].slots |= bits

    def count(self, counts: Sequence[int], without_floats: Sequence[Sequence[int]]) -> Count:
        """The judgement, where device d offered 1 … `counts[d]`, some `without_floats`."""
        with self._lock:
            offered = stored = lost = excused = duplicated = wrong = 0
            for device in range(self.devices):
                nan, may_lack = set(without_floats[device]), self._may_lack(device)
                for register, name in enumerate(self.fields):
                    track = self.tracks[f"d{device + 1}/{name}"]
                    wanted = counts[device] - (len(nan) if register else 0)
                    seen = {at: n for at, n in enumerate(track.seen) if n}
                    lacking = set(range(1, counts[device] + 1)) - seen.keys()
                    lacking -= nan if register else set()
                    offered += wanted
                    stored += sum(seen.values()) + track.strange
                    excused += len(lacking & may_lack)
                    lost += len(lacking - may_lack)
                    duplicated += sum(n - 1 for n in seen.values())
                    wrong += track.strange + sum(
                        at > counts[device] or (register > 0 and at in nan) for at in seen
                    )
            holes = sum(track.holes for track in self.tracks.values())
            return Count(
                offered, stored, lost, excused, duplicated, wrong + self.wrong_quality,
                self.gap_records, holes,
            )  # fmt: skip

    def holes(self) -> dict[str, list[int]]:
        """The slots (UTC ms) without reading and gap, of those points that have such."""
        with self._lock:
            return {
                point: [
                    self._begun_ms + at * INTERVAL_MS for at in track.hole_bits
                ]
                for point, track in self.tracks.items()
                if track.holes
            }

    def _may_lack(self, device: int) -> set[int]:
        return {
            at for first, last in self.excuses for at in range(first[device] - 1, last[device] + 1)
        }

    def _bit(self, t_ms: int) -> int:
        return 1 << max(0, (t_ms - self._begun_ms) // INTERVAL_MS)

    def _may_be(self, quality: int, t_ms: int) -> bool:
        """Good, but uncertain while the clock is off; around a jump either."""
        surely = any(a + ENTERS_MS < t_ms < b - ENTERS_MS for a, b in self.jumps)
        maybe = any(a - ENTERS_MS < t_ms < b + LEAVES_MS for a, b in self.jumps)
        return quality == UNCERTAIN if surely else quality == 0 or (maybe and quality == UNCERTAIN)


def table(count: Count, faults: Mapping[str, int], facts: Mapping[str, str]) -> str:
    """Markdown for people: both languages in each row."""
    rows = [
        ("values offered · 提供的值", count.offered),
        ("stored · 已存", count.stored),
        ("lost · 丢失", count.lost),
        ("in a gap instead (in flight at a kill, disk full) · 记为缺口", count.excused),
        ("duplicated · 重复", count.duplicated),
        ("wrong value or quality · 错值或质量码错误", count.wrong),
        ("gap records · 缺口记录", count.gap_records),
        ("slots unexplained · 未说明的时刻", count.unexplained),
    ]
    lines = ["| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    lines += [f"| {name} | {value:,} |" for name, value in rows]
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(faults.items()))
    lines.append(f"| faults · 故障 ({sum(faults.values())}) | {kinds} |")
    return "\n".join(lines)
