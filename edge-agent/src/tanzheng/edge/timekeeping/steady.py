"""A time scale that never steps, beside a wall clock that may. Pure: all times are arguments.

`now_ms` rises with the monotonic clock. While the wall clock is within `offset_ms_max` of it, the
scale follows the wall by running up to 10 % faster or slower. When the wall clock steps, the scale
goes on as if nothing had happened, and the two *disagree*, until

| the step | and then | the scale |
|---|---|---|
| is undone | | agrees again |
| was forward | a synchronised source confirms the wall clock | leaps to it: slots are left out |
| was backward | the same | runs at 90 % until they agree: no slot comes twice |
| any | nobody says anything | goes on by the monotonic clock |

A newest durable slot that lies in the future at the start is a step backward while away.
"""

from dataclasses import dataclass

RATE_CHANGE_MAX = 0.1
FOLLOW_S = 5.0
"""A small difference is worked off within about this time."""


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock stepped by `step_ms`; `synced`: a source stands behind it."""

    step_ms: int
    synced: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What an observation found: a step of the wall clock, by how much the scale leapt."""

    step: Step | None = None
    leapt_ms: int = 0


class SteadyTime:
    """The scale. Monotonic times in seconds, wall times and the scale in UTC milliseconds."""

    def __init__(self, offset_ms_max: int, monotonic_s: float, wall_ms: float) -> None:
        self._offset_ms_max = offset_ms_max
        self._anchor_s, self._anchor_ms = monotonic_s, wall_ms
        self._slew_ms = self._slew_rate = 0.0
        self._difference_ms = 0.0
        self._seen = (monotonic_s, wall_ms)

    @property
    def agrees(self) -> bool:
        """Whether wall clock and scale are within the limit of one another."""
        return abs(self._difference_ms) <= self._offset_ms_max

    @property
    def difference_ms(self) -> int:
        """Wall clock − scale at the last observation."""
        return round(self._difference_ms)

    def now_ms(self, monotonic_s: float) -> int:
        """The scale's present instant; never less than before."""
        return int(self._at(monotonic_s))

    def until_s(self, t_ms: float, monotonic_s: float) -> float:
        """Seconds until the scale reaches `t_ms`, at the earliest; 0 or less where it has."""
        return (t_ms - self._at(monotonic_s)) / 1000 / (1.0 + max(self._slew_rate, 0.0))

    def begin_after(self, durable_ms: int, monotonic_s: float) -> None:
        """Do not go back before `durable_ms`, which a reading bears already."""
        if self._anchor_ms < durable_ms:
            self._difference_ms = self._anchor_ms - durable_ms
            self._anchor_s, self._anchor_ms = monotonic_s, float(durable_ms)

    def stepped(self, monotonic_s: float, wall_ms: float) -> bool:
        """Whether the wall clock has stepped since the last observation."""
        return abs(self._moved_ms(monotonic_s, wall_ms)) > self._offset_ms_max

    def observe(self, monotonic_s: float, wall_ms: float, synced: bool) -> Observed:
        """Compare with the wall clock; `synced`: a source stands behind what it shows now."""
        stepped, leapt_ms = self.stepped(monotonic_s, wall_ms), 0
        now_ms = self._at(monotonic_s)
        difference_ms = wall_ms - now_ms
        moved_ms = self._moved_ms(monotonic_s, wall_ms)
        step = Step(round(moved_ms), synced) if stepped else None
        self._seen = (monotonic_s, wall_ms)
        if synced and difference_ms > self._offset_ms_max:
            leapt_ms = round(difference_ms)
            now_ms, difference_ms = wall_ms, 0.0
        self._anchor_s, self._anchor_ms = monotonic_s, now_ms
        self._difference_ms = difference_ms
        self._slew(synced)
        return Observed(step, leapt_ms)

    def _at(self, monotonic_s: float) -> float:
        passed_ms = (monotonic_s - self._anchor_s) * 1000
        slewed_ms = passed_ms * self._slew_rate
        if abs(slewed_ms) > abs(self._slew_ms):  # no further than to the wall clock
            slewed_ms = self._slew_ms
        return self._anchor_ms + passed_ms + slewed_ms

    def _moved_ms(self, monotonic_s: float, wall_ms: float) -> float:
        """How much further the wall clock went than the monotonic one since it was last seen."""
        seen_s, seen_ms = self._seen
        return wall_ms - seen_ms - (monotonic_s - seen_s) * 1000

    def _slew(self, synced: bool) -> None:
        """From now on work off what may be worked off."""
        if not self.agrees:
            backward = synced and self._difference_ms < 0
            self._slew_ms = self._difference_ms if backward else 0.0
            self._slew_rate = -RATE_CHANGE_MAX if backward else 0.0
            return
        wanted = self._difference_ms / 1000 / FOLLOW_S
        self._slew_ms = self._difference_ms
        self._slew_rate = min(max(wanted, -RATE_CHANGE_MAX), RATE_CHANGE_MAX)
