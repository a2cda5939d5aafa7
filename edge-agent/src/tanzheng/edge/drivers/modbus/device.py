"""One device behind a line: what to ask it at a slot, and what its answers mean. Never waits.

A round is a generator that yields requests and is sent the answers, so one device can be slow,
dead, refusing or wrong without any of that showing in the code that moves the bytes.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from tanzheng.core.batch import Event
from tanzheng.edge.abc import Placed, Surroundings
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.modbus.codec import ReadRequest
from tanzheng.edge.drivers.modbus.found import Begin, Found, Place, place_of
from tanzheng.edge.drivers.modbus.identity import MISMATCH, Identifier
from tanzheng.edge.drivers.modbus.learning import REFUSALS, Pupil, is_gone, span_of
from tanzheng.edge.drivers.modbus.link import BAD_REPLY, TIMEOUT, Answer, Failure
from tanzheng.edge.drivers.modbus.raws import Raws
from tanzheng.edge.drivers.modbus.reads import Learned, Planner, Read
from tanzheng.edge.drivers.modbus.search import cells_of, other_count
from tanzheng.edge.drivers.modbus.settings import settings_of
from tanzheng.hardware.blocks import Decoded, ReadBlock
from tanzheng.hardware.profile import Profile

LEARNING = "learning_limits"
TRIES_PER_ROUND_MAX = 8
REREADS_MAX = 2

REOPENED = Failure("connection_lost", of_line=True)
"""The peer closed a connection that had served, and who answers next must say who it is."""

Steps = Generator[ReadRequest, Answer, None]
Maybe = Generator[ReadRequest, Answer, Failure | None]
"""Returns None where the device goes on, else why it is left alone for this round."""
Verdict = tuple[str, Failure | None]
"""Why all is read again, if so; why the device is left alone for this round, if so."""
NOTHING: Mapping[int, float] = {}


class Device:
    """The points of one `Placed`, near registers in one request.

    A device that does not answer costs one time-out a try; from the second failure in a row on it
    is tried at growing intervals. `late_possible`: an answer after its time-out may still come
    through the line (RTU has no transaction number), so the next request has another length.
    """

    def __init__(
        self,
        placed: Placed,
        around: Surroundings,
        late_possible: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        profile = Profile.from_plan(placed.profile)
        self.id, self.settings = placed.id, settings_of(placed, profile)
        self.placed, self.coarse = placed, placed.interval_ms != around.interval_ms
        self._around, self._late_possible, self._clock = around, late_possible, clock
        self._now_ms = around.now_ms
        self._points = [profile.field_point(name) for name in placed.fields]
        names = {point.id: name for point, name in zip(self._points, placed.fields, strict=True)}
        places = {point.id: placed.first + index for index, point in enumerate(self._points)}
        self._names = {places[point]: f"{placed.id}/{name}" for point, name in names.items()}
        self._raws = Raws(placed.id, profile, around)
        ratios = self.settings.ratios
        self._planner = Planner(profile, self.settings.unit, places, ratios, self._raws.memory)
        learned = Learned(self.settings.registers_per_read_max)
        self._pupil = Pupil(placed.id, names, learned, around)
        self._identifier = Identifier(profile, self.settings, placed.id, around)
        self._backoff = Backoff()
        self._generation: int | None = None
        self._doubted: ReadBlock | None = None
        self._alive_but_for: tuple[int, int, int] | None = None
        self._plain = False
        self.reason = ""
        self.answers = self.failures = 0
        self._plan()

    @property
    def identifies(self) -> bool:
        """True where the device says who it is."""
        return self._identifier.request is not None

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """The points that this slot is for."""
        if not self.placed.has_slot(slot_ms):
            return ()
        return (self._all if self.placed.is_slow(slot_ms) else self._fast).due

    def status(self) -> Mapping[str, Any]:
        """For people, and for whoever wants to keep what was learned."""
        learned = self._pupil.learned
        return {
            "answering": not self.reason and self.answers > 0,
            "reason": self.reason,
            "answers": self.answers,
            "failures": self.failures,
            "identity": self._identifier.seen,
            "ratios": dict(self._raws.ratios),
            "registers_per_read_max": learned.registers_max,
            "bits_per_read_max": learned.bits_max,
            "gaps": [list(pair) for pair in learned.gaps],
            "isolated": {
                self._names[place]: reason
                for reason, places in self._all.left_out.items()
                for place in places
            },
        }

    def plain_reads(self, generation: int) -> Sequence[Read] | None:
        """What to ask while nothing is out of the ordinary: each answer goes to `take`, anything
        that this does not take to `round`. None: `round` has to ask."""
        return self._all.reads if self._plain and self._generation == generation else None

    def round(
        self,
        slot_ms: int,
        place: Place,
        found: Found,
        begin: Begin | None = None,
        index: int = 0,
        answer: Answer | None = None,
    ) -> Steps:
        """Ask for everything due at `slot_ms`; each due point comes to a take or a miss.

        With `answer`: go on from there, with what came for the read `index` of `plain_reads` and
        was not taken; the device's part of `found` starts at `begin`.
        """
        if self.reason and not self._backoff.ready(self._clock()):
            found.miss(self.due(slot_ms), self.reason)
            return
        slow = self.placed.is_slow(slot_ms)
        begin = begin or Begin(len(found.takes), len(found.misses))
        again = ""
        for _ in range(TRIES_PER_ROUND_MAX):
            failure = None if answer else (yield from self._open(place))
            if failure is not None:
                found.miss(self.due(slot_ms), failure.reason)
                return
            again = yield from self._read_all(slow, found, index, answer)
            if not again:
                break
            # What was read by the old plan is read again by the new one: nothing comes twice.
            del found.takes[begin.takes :], found.misses[begin.misses :]
            index, answer = 0, None
            self._plan()
        else:
            found.miss(self.due(slot_ms), again)
        if self._pupil.learned.isolated and not self.reason:
            yield from self._try_isolated()
        self._plain = self._is_plain()

    def _is_plain(self) -> bool:
        """True where the next round has nothing to do but to read everything."""
        schedule = self._all
        return (
            schedule is self._fast
            and not (schedule.left_out or self.reason or self._doubted)
            and not any(read.block.raws for read in schedule.reads)
            and self._pupil.searched is None
        )

    def _plan(self) -> None:
        """Schedules for all points and for the fast ones, by what is known of the device now."""
        learned = self._pupil.learned
        self._all = self._fast = self._planner.schedule(self._points, learned)
        slow = self.placed.slow_fields
        quick = [point for point in self._points if point.field not in slow]
        if len(quick) < len(self._points):
            self._fast = self._planner.schedule(quick, learned)

    def _open(self, place: Place) -> Maybe:
        """After a failure: is it there, and in step? On a new connection: is it the right one?"""
        if self._doubted is not None:
            failure = yield from self._probe(self._doubted)
            if failure is not None:
                return failure
        generation = place.generation
        if self._generation != generation:
            failure = yield from self._identify()
            if failure is not None:
                return failure
            self._raws.memory.clear()
            self._generation = generation
        return None

    def _probe(self, doubted: ReadBlock) -> Maybe:
        """Ask for less than what was not answered. A late answer to that has another length, and
        a device that answers now is silent about large reads only."""
        count = other_count(doubted)
        answer = yield ReadRequest(self.settings.unit, doubted.fc, doubted.addr, count)
        if isinstance(answer, Failure) and is_gone(answer):
            self._pupil.forget()
            return self._fail(answer, doubted)
        self._doubted = None
        self._alive_but_for = span_of(doubted)
        self._backoff.succeeded()
        return None

    def _identify(self) -> Maybe:
        request = self._identifier.request
        if request is None:
            return None
        answer = yield request
        if isinstance(answer, Failure):
            if is_gone(answer):
                return self._fail(answer, None)
            if not self._identifier.strict:
                return None
            self._identifier.refuse(answer.reason)
        elif self._identifier.accept(answer):
            return None
        return self._fail(Failure(MISMATCH), None)

    def _read_all(
        self, slow: bool, found: Found, index: int, answer: Answer | None
    ) -> Generator[ReadRequest, Answer, str]:
        """ "", or why all is to be read again: something was learned, the endpoint was changed.

        With `answer`: what came for the read `index` and was not taken; go on from there.
        """
        schedule = self._all if slow else self._fast
        reads: Sequence[Read] = schedule.reads[index:]
        again, failure = "", None
        if answer is None:
            self._raws.begin_round()
            for reason, places in schedule.left_out.items():
                found.miss(places, reason)
        else:
            again, failure = yield from self._with_care(reads[0], answer, found)
            reads = reads[1:]
        if not again and failure is None:
            again, failure, reads = yield from self._read_on(reads, slow, found)
        if failure is not None:
            for left in reads:
                found.miss(left.points, failure.reason)
            return ""
        if not again:
            self._all_answered()
            if self._pupil.searched is not None:
                again, _ = yield from self._search_on()
        return again

    def _read_on(
        self, reads: Sequence[Read], slow: bool, found: Found
    ) -> Generator[ReadRequest, Answer, tuple[str, Failure | None, Sequence[Read]]]:
        """A verdict, and the reads that were not made for it."""
        for index, read in enumerate(reads):
            if self._passes_over(read, slow, found):
                continue
            answer = yield read.request
            if isinstance(answer, bytes) and not self.take(read, answer, found):
                continue
            again, failure = yield from self._with_care(read, answer, found)
            if again or failure is not None:
                return again, failure, reads[index + 1 :]
        return "", None, ()

    def take(self, read: Read, data: bytes, found: Found) -> Mapping[int, float]:
        """Believe an answer, but for counters that step back or leap: these are returned, by their
        position in `read.points`, and nothing is taken yet."""
        self.answers += 1
        decoded, t_ms = read.decode(data), self._now_ms()
        if read.counters and (doubtful := self._suspects(read, decoded, t_ms)):
            return doubtful
        found.take(read.points, decoded, t_ms)
        return NOTHING

    def _with_care(
        self, read: Read, answer: Answer, found: Found
    ) -> Generator[ReadRequest, Answer, Verdict]:
        """Anything but an answer that is believed."""
        if answer is BAD_REPLY and self._late_possible:
            answer = yield from self._ask_again(read)
            if isinstance(answer, bytes) and not self.take(read, answer, found):
                return "", None
        if isinstance(answer, bytes):
            return "", (yield from self._read_again(read, answer, found))
        if answer is REOPENED:
            return answer.reason, None
        return (yield from self._refused(read, answer, found))

    def _ask_again(self, read: Read) -> Generator[ReadRequest, Answer, Answer]:
        """After a damaged answer: once more, when it is sure that no late one is on its way."""
        self.failures += 1
        request = read.request
        count = other_count(read.block)
        answer = yield ReadRequest(request.unit, request.function, request.address, count)
        if isinstance(answer, Failure) and is_gone(answer):
            return answer
        return (yield request)

    def _all_answered(self) -> None:
        if self.reason:
            self.reason = ""
            self._backoff.succeeded()
        if self._alive_but_for is not None:
            self._alive_but_for = None
        self._raws.end_round()

    def _passes_over(self, read: Read, slow: bool, found: Found) -> bool:
        """Ratios are read when the device is opened and in slow rounds; a refused read is being
        searched."""
        if read.lasting and not slow and self._raws.memory.keys() >= set(read.block.raws):
            return True
        reason = self._pupil.searches(read.block)
        if reason:
            found.miss(read.points, reason)
        return bool(reason)

    def _suspects(self, read: Read, decoded: Decoded, t_ms: int) -> dict[int, float]:
        """Position → value of the counters that step back or leap."""
        doubtful: dict[int, float] = {}
        for position in read.counters:
            at = place_of(decoded.kept, position)
            if at is not None:
                value = decoded.values[at]
                if self._around.suspect(read.points[position], value, t_ms):
                    doubtful[position] = value
        return doubtful

    def _read_again(self, read: Read, data: bytes, found: Found) -> Maybe:
        """Counters that leapt are believed when they say so again; the last answer stands."""
        failure: Failure | None = None
        decoded, t_ms = read.decode(data), self._now_ms()
        doubtful = self._suspects(read, decoded, t_ms)
        for _ in range(REREADS_MAX):
            answer = yield read.request
            if isinstance(answer, Failure):
                failure = self._fail(answer, read.block) if is_gone(answer) else None
                break
            decoded, t_ms = read.decode(answer), self._now_ms()
            still = self._suspects(read, decoded, t_ms)
            for position in doubtful.keys() - still.keys():
                detail = {"point": self._names[read.points[position]]}
                self._note("counter_glitch", {**detail, "value": repr(doubtful[position])})
            doubtful = still
            if not doubtful:
                break
        found.take(read.points, decoded, t_ms)
        return failure

    def _refused(
        self, read: Read, answer: Failure, found: Found
    ) -> Generator[ReadRequest, Answer, Verdict]:
        block = read.block
        silent_again = answer is TIMEOUT and self._alive_but_for == span_of(block)
        for at in block.raws:
            self._raws.memory.pop(at, None)
        found.miss(read.points, answer.reason)
        if is_gone(answer):
            if silent_again and len(cells_of(block)) > 1:
                self._pupil.start(block, answer.reason, self._clock())
            return "", self._fail(answer, block)
        if answer.code not in REFUSALS:
            self.failures += 1
            return "", None
        if self._pupil.start(block, answer.reason, self._clock()):
            return LEARNING, None
        return (yield from self._search_on())

    def _search_on(self) -> Generator[ReadRequest, Answer, Verdict]:
        """Go on finding out why a read is refused."""
        lesson = yield from self._pupil.go_on(self._planner.request, self._clock())
        if lesson.failure is None or not is_gone(lesson.failure):
            return LEARNING if lesson.learned else "", None
        if lesson.learned:
            self._plan()
        return "", self._fail(lesson.failure, lesson.asked)

    def _try_isolated(self) -> Steps:
        """The device may have been reconfigured since: ask for what it refused, now and then."""
        isolated = self._pupil.due_again(self._clock())
        if isolated is None:
            return
        answer = yield self._planner.request(isolated.block)
        if isinstance(answer, Failure) and answer.of_line:
            return
        self._pupil.tried(isolated, isinstance(answer, bytes), self._clock())
        if isinstance(answer, bytes):
            self._plan()
        elif is_gone(answer):
            self._doubted = isolated.block

    def _fail(self, failure: Failure, asked: ReadBlock | None) -> Failure:
        """The device is left alone for this round, and for longer each time."""
        self.reason = failure.reason
        self._plain = False
        self.failures += 1
        self._alive_but_for = None
        if not failure.of_line:
            self._generation = None  # what comes back may be another device
            self._backoff.failed(self._clock())
            if asked is not None and (self._late_possible or len(cells_of(asked)) > 1):
                self._doubted = asked
        return failure

    def _note(self, kind: str, detail: Mapping[str, str]) -> None:
        self._around.note(Event(self._now_ms(), kind, {"device": self.id, **detail}))
