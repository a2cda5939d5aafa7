"""A fault that a plant meets, the protection that it needs, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from acceptance.judge import Verdict
from tanzheng.ingest.broker import Broker


class NothingToJudge(Exception):
    """The agent did so badly without its protection that no count was reached."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a case happens: a folder, the broker, and the protection left out (None: none)."""

    folder: Path
    broker: Broker
    gateway_url: str
    platform_url: str
    without: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """`fault` and `fault_zh` name it in the table; `run` lets it happen and judges."""

    fault: str
    fault_zh: str
    protection: str
    run: Callable[[Scene], Verdict]


CASES: list[Case] = []


def case(
    fault: str, fault_zh: str, protection: str
) -> Callable[[Callable[[Scene], Verdict]], Callable[[Scene], Verdict]]:
    """Register the decorated function as a case."""

    def register(run: Callable[[Scene], Verdict]) -> Callable[[Scene], Verdict]:
        CASES.append(Case(fault, fault_zh, protection, run))
        return run

    return register
