"""The count of a soak, kept as batches stream by: no batch stays, whatever the soak's length."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acceptance.soak_slaves import STEP
from tanzheng.core.batch import Batch, Column

UNCERTAIN = 1
ENTERS_MS, LEAVES_MS = 2000, 3000
"""The agent looks at its clock twice a second; so long a mark may differ around a jump."""
COUNT_MAX = 1 << 20


class Track:
    """One point: how often each count came, and which slots are accounted for."""

    def __init__(self, register: int) -> None:
        self.register = register
        self.seen = np.zeros(256, np.uint8)
        self.slots = np.zeros(256, np.bool_)
        self.strange = 0
        """Values that are no count of this register."""

    def take(self, values: "np.ndarray[Any, np.dtype[np.float64]]") -> None:
        """Stored values of this point."""
        counts = values - STEP * self.register
        good = (counts == np.floor(counts)) & (counts > 0) & (counts < COUNT_MAX)
        self.strange += len(counts) - int(np.count_nonzero(good))
        at = counts[good].astype(np.int64)
        self.seen = grown(self.seen, at)
        np.add.at(self.seen, at, 1)

    def account(self, slots: "np.ndarray[Any, np.dtype[np.int64]]") -> None:
        """`slots`, counted from the first of the soak, have a reading or a gap."""
        self.slots = grown(self.slots, slots)
        self.slots[slots] = True

    @property
    def holes(self) -> list[int]:
        """Slots from the first to the last with neither reading nor gap."""
        known = np.flatnonzero(self.slots)
        if not len(known):
            return []
        missing = np.flatnonzero(~self.slots[known[0] : known[-1]])
        return [int(known[0]) + int(at) for at in missing]


def grown(array: "np.ndarray[Any, Any]", at: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """`array` with zeros behind it, so that it has a place for each of `at`."""
    last = int(at.max(initial=0))
    return array if last < len(array) else np.pad(array, (0, last + 256 - len(array)))


def flags(counts: Sequence[int], last: int) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Of each count from 1 to `last`, whether it is one of `counts`."""
    found = np.zeros(last, np.bool_)
    found[np.asarray(counts, np.int64) - 1] = True
    return found


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

    def __init__(
        self, devices: int, fields: Sequence[str], begun_ms: int, interval_ms: int = 1000
    ) -> None:
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
        self._interval_ms = interval_ms
        self._begun_ms = (begun_ms // interval_ms - 60) * interval_ms
        self._lock = threading.Lock()

    def take(self, batch: Batch) -> None:
        """Count `batch`, the next of the chain."""
        with self._lock:
            self.batches += 1
            self.gap_records += len(batch.gaps)
            for point, column in zip(batch.points, batch.columns, strict=True):
                if len(column):
                    self._column(self.tracks[point], column)
            for gap in batch.gaps:
                slots = self._slots(np.arange(gap.from_ms, gap.to_ms, gap.interval_ms))
                for index in gap.points:
                    self.tracks[batch.points[index]].account(slots)

    def _column(self, track: Track, column: Column) -> None:
        times = np.asarray(column.t_ms, np.int64)
        track.take(np.asarray(column.value, np.float64))
        track.account(self._slots(times))
        if self.jumps or any(column.quality):
            self.wrong_quality += sum(
                not self._may_be(quality, t_ms)
                for quality, t_ms in zip(column.quality, column.t_ms, strict=True)
            )

    def _slots(
        self, times: "np.ndarray[Any, np.dtype[np.int64]]"
    ) -> "np.ndarray[Any, np.dtype[np.int64]]":
        slots = times // self._interval_ms - self._begun_ms // self._interval_ms
        return np.asarray(np.maximum(slots, 0), np.int64)

    def count(self, counts: Sequence[int], without_floats: Sequence[Sequence[int]]) -> Count:
        """The judgement, where device d offered 1 … `counts[d]`, some `without_floats`."""
        with self._lock:
            offered = stored = lost = excused = duplicated = wrong = 0
            for device in range(self.devices):
                last = counts[device]
                lacks, nan = self._may_lack(device, last), flags(without_floats[device], last)
                for register, name in enumerate(self.fields):
                    track = self.tracks[f"d{device + 1}/{name}"]
                    wanted = ~nan if register else np.ones(last, np.bool_)
                    seen = np.pad(track.seen[1:], (0, last))
                    here, beyond = seen[:last], int(np.count_nonzero(seen[last:]))
                    lacking = wanted & (here == 0)
                    offered += int(np.count_nonzero(wanted))
                    stored += int(seen.sum(dtype=np.int64)) + track.strange
                    excused += int(np.count_nonzero(lacking & lacks))
                    lost += int(np.count_nonzero(lacking & ~lacks))
                    duplicated += int(np.maximum(seen.astype(np.int64) - 1, 0).sum())
                    wrong += track.strange + beyond + int(np.count_nonzero(here[~wanted]))
            holes = sum(len(track.holes) for track in self.tracks.values())
            return Count(
                offered, stored, lost, excused, duplicated, wrong + self.wrong_quality,
                self.gap_records, holes,
            )  # fmt: skip

    def holes(self) -> dict[str, list[int]]:
        """The slots (UTC ms) without reading and gap, of those points that have such."""
        with self._lock:
            return {
                point: [self._begun_ms + at * self._interval_ms for at in holes]
                for point, track in self.tracks.items()
                if (holes := track.holes)
            }

    def _may_lack(self, device: int, last: int) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Of each count from 1 to `last`, whether it may be in a gap instead."""
        may = np.zeros(last, np.bool_)
        for first, end in self.excuses:
            may[max(0, first[device] - 2) : end[device]] = True
        return may

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
