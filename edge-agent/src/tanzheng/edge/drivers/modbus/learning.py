"""What a device refuses, kept: sizes, gaps, single registers; with an event for each lesson."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

from tanzheng.core.batch import Event
from tanzheng.edge.abc import Surroundings
from tanzheng.edge.drivers.modbus.codec import ReadRequest
from tanzheng.edge.drivers.modbus.link import TIMEOUT, Answer, Failure
from tanzheng.edge.drivers.modbus.reads import Isolated, Learned
from tanzheng.edge.drivers.modbus.search import Finding, Search, cells_of, part_of, search
from tanzheng.hardware.blocks import ReadBlock

REFUSALS = (2, 3)
"""Illegal data address, illegal data value: another cut of the same points may be answered."""
AWAY = (10, 11)
"""Exceptions by which a gateway says that it cannot reach the device."""
RETRY_S_MIN = 10.0
RETRY_S_MAX = 600.0

Span = tuple[int, int, int]


def is_gone(failure: Failure) -> bool:
    """True where there was no answer of the device, rather than a refusal."""
    return failure.of_line or failure.code in (0, *AWAY)


def span_of(block: ReadBlock) -> Span:
    """What tells one read from another of the same device."""
    return block.fc, block.addr, block.count


@dataclass(slots=True)
class _Running:
    """A search that is under way: its next question is `ask`."""

    block: ReadBlock
    steps: Search
    ask: ReadBlock
    reason: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """How a stretch of a search ended. `asked` was its last question, `failure` the answer to that
    where it says that the device should be left alone for now."""

    asked: ReadBlock
    learned: bool = False
    failure: Failure | None = None


class Pupil:
    """Finds out why a device refuses a read. At most one search at a time, over several rounds
    where the device answers by silence: then each question may cost a time-out."""

    def __init__(
        self, device_id: str, fields: Mapping[str, str], learned: Learned, around: Surroundings
    ) -> None:
        self._device_id, self._fields = device_id, fields
        self.learned, self._around = learned, around
        self._running: _Running | None = None

    def searches(self, block: ReadBlock) -> str:
        """Why the points of `block` have no value while a search is under way; "" without one."""
        running = self._running
        return running.reason if running and span_of(running.block) == span_of(block) else ""

    @property
    def searched(self) -> ReadBlock | None:
        """The refused read that a search is about."""
        return None if self._running is None else self._running.block

    def start(self, block: ReadBlock, reason: str, now_s: float) -> bool:
        """Begin to find out why `block` was refused; True where that is known already."""
        if len(cells_of(block)) == 1:
            self._apply(block, Finding("cell", cells_of(block)[0]), reason, now_s)
            return True
        steps = search(block)
        self._running = _Running(block, steps, next(steps), reason)
        return False

    def forget(self) -> None:
        """Give a search up: the device is away, or is asked in another way now."""
        self._running = None

    def go_on(
        self, request: Callable[[ReadBlock], ReadRequest], now_s: float
    ) -> Generator[ReadRequest, Answer, Lesson]:
        """Ask on, until something is learned, the device is silent or it says something else."""
        running = self._running
        assert running is not None
        while True:
            asked = running.ask
            answer = yield request(asked)
            failure = answer if isinstance(answer, Failure) else None
            if failure and failure is not TIMEOUT and failure.code not in REFUSALS:
                return Lesson(asked, failure=failure)
            silence = failure if failure is TIMEOUT else None
            try:
                running.ask = running.steps.send(failure is None)
            except StopIteration as ended:
                self._running = None
                self._apply(running.block, ended.value, running.reason, now_s)
                return Lesson(asked, learned=True, failure=silence)
            if silence:
                return Lesson(asked, failure=silence)

    def due_again(self, now_s: float) -> Isolated | None:
        """Registers that were refused long enough ago to be tried again."""
        first = min(self.learned.isolated, key=lambda item: item.next_try_s, default=None)
        return first if first is not None and now_s >= first.next_try_s else None

    def tried(self, isolated: Isolated, answered: bool, now_s: float) -> None:
        """Note what came of the new try; with one success the others are tried soon."""
        if not answered:
            isolated.delay_s = min(2 * isolated.delay_s, RETRY_S_MAX)
            isolated.next_try_s = now_s + isolated.delay_s
            return
        self.learned.isolated.remove(isolated)
        for other in self.learned.isolated:
            other.delay_s, other.next_try_s = RETRY_S_MIN, now_s
        self._note("point_restored", self._named(isolated.block))

    def _apply(self, block: ReadBlock, finding: Finding, reason: str, now_s: float) -> None:
        if finding.kind == "cell":
            alone = part_of(block, [finding.cell])
            next_s = now_s + RETRY_S_MIN
            self.learned.isolated.append(Isolated(alone, reason, RETRY_S_MIN, next_s))
            self._note("point_isolated", {**self._named(alone), "reason": reason})
            return
        if finding.kind == "nothing":
            return
        self.learned.note(block, finding)
        detail: dict[str, str | int] = {"fc": block.fc}
        if finding.kind == "gap":
            detail |= {"gap_first": finding.first, "gap_last": finding.last}
        else:
            detail["per_read_max"] = finding.most
        self._note("limit_learned", detail)

    def _named(self, block: ReadBlock) -> dict[str, str | int]:
        names: Sequence[str] = [
            f"{self._device_id}/{self._fields[point.id]}" for point in block.points
        ]
        return {"points": " ".join(names), "fc": block.fc, "addr": block.addr}

    def _note(self, kind: str, detail: Mapping[str, str | int]) -> None:
        around = self._around
        around.note(Event(around.now_ms(), kind, {"device": self._device_id, **detail}))
