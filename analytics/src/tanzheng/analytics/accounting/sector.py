"""What a sector brings to the accounting engine: its input model and its pure function.

A new sector is a module `accounting/<sector>.py` with a `SECTOR`, and its line in
`accounting/sectors.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tanzheng.analytics.accounting.document import UnitMonth
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.tree import Node


@dataclass(frozen=True, slots=True)
class Sector:
    """A sector. `account` gives the figures of one unit-month as trees, rounded, in print order.

    The first is the emission that is summed over units and months (`co2_calculated_t`, or
    `co2e_calculated_t` where there are other gases). `account` takes an instance of `model` and
    the pack of its month; it is pure and raises `BadInput` for what the model cannot see.
    """

    name: str
    en: str
    zh: str
    model: type[UnitMonth]
    account: Callable[[Any, Pack], tuple[Node, ...]]
