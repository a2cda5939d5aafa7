"""When to try again what failed. Pure: the time is an argument (monotonic seconds)."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """The first failure costs no delay, later ones 1, 2, 4 … `delay_s_max` seconds.

    One failure alone is often a peer that closed an idle connection: trying again at once is
    right. Two in a row are a peer that is away.
    """

    delay_s_max: float = 60.0
    failures: int = 0
    next_try_s: float = 0.0

    def ready(self, now_s: float) -> bool:
        """True where a try is due."""
        return now_s >= self.next_try_s

    def failed(self, now_s: float) -> None:
        """Note a failure: the next try is due later each time."""
        self.failures += 1
        exponent = min(self.failures - 2, 16)
        delay_s = min(float(2**exponent), self.delay_s_max) if exponent >= 0 else 0.0
        self.next_try_s = now_s + delay_s

    def succeeded(self) -> None:
        """Note a success: the next failure is a first one again."""
        self.failures = 0
        self.next_try_s = 0.0
