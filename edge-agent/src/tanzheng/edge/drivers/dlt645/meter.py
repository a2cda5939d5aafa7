"""One meter on the wire: what to ask it, what came of each of its points."""

import asyncio
import time
from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction

from tanzheng.core.batch import Event
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Miss, Placed, Surroundings, Take
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.dlt645.errors import (
    BadChecksum,
    BadEnd,
    CutFrame,
    Dlt645Error,
    MeterRefused,
    WrongLength,
)
from tanzheng.edge.drivers.dlt645.reads import DataRead, Wanted, plan_reads, status_points
from tanzheng.edge.drivers.dlt645.settings import settings_of
from tanzheng.edge.drivers.dlt645.values import Value, decode_values
from tanzheng.edge.drivers.dlt645.wire import CommsError, Wire
from tanzheng.hardware.points import PointSpec
from tanzheng.hardware.profile import Profile

NOT_AVAILABLE = "not_available"
STATUS_UNKNOWN = "status_unknown"
IDENTITY = "identity_mismatch"
TRIES = 3
"""Of a read whose answers come damaged: bytes came, so the meter is there."""
REREADS = 2
_DAMAGED = (BadChecksum, BadEnd, CutFrame)


class Silent(Dlt645Error):
    """The meter or its port does not answer: its other reads of this slot are not tried."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"expected an answer, got {reason}")
        self.reason = reason


class Results:
    """What came of a round so far. What is told of a point first stands."""

    def __init__(self) -> None:
        self.takes: list[Take] = []
        self.misses: list[Miss] = []
        self._told: set[int] = set()

    def miss(self, points: Iterable[int], reason: str) -> None:
        """These points have no value."""
        if new := tuple(index for index in points if index not in self._told):
            self._told.update(new)
            self.misses.append(Miss(new, reason))

    def take(self, t_ms: int, outcomes: Sequence[tuple[int, float, Quality]]) -> None:
        """(point, value, quality) of one answer."""
        new = [outcome for outcome in outcomes if outcome[0] not in self._told]
        if not new:
            return
        points, floats, qualities = zip(*new, strict=True)
        self._told.update(points)
        self.takes.append(Take(t_ms, points, array("d", floats), bytes(qualities)))


class MeterReader:
    """Reads one meter. The same object lives as long as the line."""

    def __init__(self, placed: Placed, around: Surroundings, wire: Wire) -> None:
        profile = Profile.from_plan(placed.profile)
        self.id = placed.id
        self.settings = settings_of(placed, profile)
        self.backoff = Backoff()
        self.reason: str | None = None
        self.successes = self.failures = 0
        self._around, self._wire, self._profile = around, wire, profile
        self._placed = placed
        specs = [profile.field_point(field) for field in placed.fields]
        self._place = {spec.id: placed.first + index for index, spec in enumerate(specs)}
        self._names = {
            spec.id: f"{placed.id}/{field}"
            for spec, field in zip(specs, placed.fields, strict=True)
        }
        slow = placed.slow_fields
        self._fast = self._plan([spec for spec in specs if spec.field not in slow])
        self._slow = self._plan([spec for spec in specs if spec.field in slow])
        self._status: dict[str, int] = {}
        self._stranger = ""
        self._ratios_ms = around.now_ms()

    def _plan(self, specs: list[PointSpec]) -> list[DataRead]:
        return list(plan_reads([*status_points(self._profile, specs), *specs]))

    def due_reads(self, slot_ms: int) -> list[DataRead]:
        """What to ask at this slot."""
        if not self._placed.has_slot(slot_ms):
            return []
        every = self._placed.is_slow(slot_ms)
        return [*self._fast, *self._slow] if every else list(self._fast)

    def indices(self, reads: Iterable[DataRead]) -> tuple[int, ...]:
        """The points that these reads are for, each once, in their order in the plan."""
        found = {
            self._place[item.point.id]
            for read in reads
            for item in read.wanted
            if item.point.id in self._place
        }
        return tuple(sorted(found))

    @property
    def ready(self) -> bool:
        """True where it should be tried now."""
        return self.backoff.ready(time.monotonic())

    async def read(self, reads: list[DataRead], results: Results) -> list[DataRead]:
        """Ask for `reads` one after another; what was left when it fell silent is returned."""
        self._note_ratio_changes()
        waiting = list(reads)
        while waiting:
            read = waiting[0]
            try:
                await self._take(read, results)
            except Silent as error:
                self._fail(error)
                return waiting
            except (MeterRefused, WrongLength) as error:
                if read.singles:
                    waiting[1:1] = self._split(read, error)
                else:
                    results.miss(self.indices([read]), error.reason)
            except Dlt645Error as error:
                results.miss(self.indices([read]), error.reason)
            waiting.pop(0)
        self.backoff.succeeded()
        self.reason = None
        self.successes += 1
        return []

    def _fail(self, error: Silent) -> None:
        self.failures += 1
        self.reason = error.reason
        if error.reason in ("comms_timeout", IDENTITY):  # else it is the port that fails
            self.backoff.failed(time.monotonic())

    def _split(self, read: DataRead, error: Dlt645Error) -> tuple[DataRead, ...]:
        """The meter does not know this block: from now on each identifier by itself."""
        for reads in (self._fast, self._slow):
            if read in reads:
                at = reads.index(read)
                reads[at : at + 1] = read.singles
        detail = {"device": self.id, "block": read.meaning.di, "reason": error.reason}
        self._around.note(Event(self._around.now_ms(), "limit_learned", detail))
        return read.singles

    async def _take(self, read: DataRead, results: Results) -> None:
        values = await self._values(read)
        t_ms = self._around.now_ms()
        suspects = self._suspects(read, values, t_ms)
        for _ in range(REREADS):
            if not self._suspects(read, values, t_ms):
                break
            try:
                values = await self._values(read)
            except Dlt645Error:
                break  # the last answer stands
            t_ms = self._around.now_ms()
        for name, value in suspects - self._suspects(read, values, t_ms):
            detail = {"point": name, "value": value}
            self._around.note(Event(t_ms, "counter_glitch", detail))
        self._keep_status(read, values)
        self._deliver(read, values, t_ms, results)

    async def _values(self, read: DataRead) -> tuple[Value, ...]:
        """An answer to a question asked now; tried again where it comes damaged."""
        data = await self._data(read, TRIES)
        values = decode_values(read.meaning, data)
        if any(item.part >= len(values) for item in read.wanted):
            raise WrongLength(f"expected more values, got {len(values)}, at {read.meaning.di}")
        return values

    async def _data(self, read: DataRead, tries: int) -> bytes:
        settings = self.settings
        if settings.pause_s:
            await asyncio.sleep(settings.pause_s)
        try:
            return await self._wire.read(
                settings.address, read.meaning.di, settings.wake_bytes, settings.timeout_s
            )
        except CommsError as error:
            raise Silent(self._silence(error)) from error
        except _DAMAGED as error:
            if tries == 1:
                raise Silent(error.reason) from error
        return await self._data(read, tries - 1)

    def _silence(self, error: CommsError) -> str:
        """Another meter answering in its place is worse than nobody."""
        if error.reason != "comms_timeout" or not self._wire.strangers:
            return error.reason
        stranger = min(self._wire.strangers)
        if stranger != self._stranger:
            self._stranger = stranger
            detail = {"device": self.id, "expected": self.settings.address, "got": stranger}
            self._around.note(Event(self._around.now_ms(), IDENTITY, detail))
        return IDENTITY

    def _suspects(
        self, read: DataRead, values: tuple[Value, ...], t_ms: int
    ) -> set[tuple[str, str]]:
        """(point name, value) of counters that should not be believed at once."""
        found: set[tuple[str, str]] = set()
        for item in read.wanted:
            index = self._place.get(item.point.id)
            raw = values[item.part].number
            if index is None or raw is None or not item.point.counter:
                continue
            value = float(self._field_value(item.point, Fraction(raw), t_ms)[0])
            if self._around.suspect(index, value, t_ms):
                found.add((self._names[item.point.id], repr(value)))
        return found

    def _field_value(self, point: PointSpec, raw: Fraction, t_ms: int) -> tuple[Fraction, Quality]:
        shown = raw * point.scale * self.settings.factor(point.times, t_ms) + point.offset
        beyond = point.expected and not point.expected[0] <= shown <= point.expected[1]
        return shown * point.to_field, Quality.OVER_RANGE if beyond else Quality.GOOD

    def _keep_status(self, read: DataRead, values: tuple[Value, ...]) -> None:
        for item in read.wanted:
            value = values[item.part]
            self._status.pop(item.point.id, None)
            if value.number is not None:
                self._status[item.point.id] = int(value.number)

    def _deliver(
        self, read: DataRead, values: tuple[Value, ...], t_ms: int, results: Results
    ) -> None:
        outcomes: list[tuple[int, float, Quality]] = []
        for item in read.wanted:
            index = self._place.get(item.point.id)
            if index is None:  # read for its bits only
                continue
            outcome = self._outcome(item, values[item.part], t_ms)
            if isinstance(outcome, str):
                results.miss((index,), outcome)
            else:
                outcomes.append((index, *outcome))
        results.take(t_ms, outcomes)

    def _outcome(self, item: Wanted, value: Value, t_ms: int) -> tuple[float, Quality] | str:
        point, raw = item.point, value.number
        if raw is None or float(raw) in point.sentinels:
            return NOT_AVAILABLE
        field_value, quality = self._field_value(point, Fraction(raw), t_ms)
        for validity in point.validity:
            if validity.point not in self._status:
                return STATUS_UNKNOWN
            said = validity.quality(self._status[validity.point])
            if said is not Quality.GOOD:
                return float(field_value), said
        return float(field_value), quality

    def _note_ratio_changes(self) -> None:
        """A ratio that changed since the last round is in the record, once."""
        now_ms, self._ratios_ms = self._ratios_ms, self._around.now_ms()
        for name, history in self.settings.ratios.items():
            before, after = history.at(now_ms), history.at(self._ratios_ms)
            if before != after:
                detail = {"device": self.id, "ratio": name, "from": str(before), "to": str(after)}
                self._around.note(Event(self._ratios_ms, "ratio_changed", detail))
