"""One vector before it is judged."""

from dataclasses import dataclass
from typing import Any

from evidence import Operator
from vectors.judge import Given


@dataclass(frozen=True)
class Case:
    """A vector before it is judged."""

    name: str
    given: Given


def given(operator: Operator, index: int = -1, **more: Any) -> Given:
    """A receipt of a log's last checkpoint with the trust file of its observer."""
    data = operator.receipt(index, more.pop("attestations", None))
    trust = operator.trust(**more.pop("trust", {}))
    return Given(data, trust.encode(), **more)
