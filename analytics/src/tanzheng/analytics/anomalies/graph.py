"""The parameter graph as data (`graph.toml`): inputs, what each moves, what to look at on site."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from tanzheng.core.hashing import sha256


@dataclass(frozen=True, slots=True)
class Input:
    """An input that may be to blame; `moves` are figures of the panel that change with it."""

    id: str
    moves: tuple[str, ...]
    blames: str
    en: str
    zh: str
    check_en: str
    check_zh: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The file as read; `digest` goes into every result."""

    inputs: tuple[Input, ...]
    false_alerts_per_plant_year: float
    alerts_per_plant_year_max: int
    points: dict[str, str]
    digest: str

    def input(self, name: str) -> Input:
        return next(item for item in self.inputs if item.id == name)


@cache
def load_graph() -> Graph:
    """The graph of this package."""
    data = resources.files("tanzheng.analytics.anomalies").joinpath("graph.toml").read_bytes()
    table = tomllib.loads(data.decode())
    inputs = tuple(Input(**{**item, "moves": tuple(item["moves"])}) for item in table["input"])
    alarm = table["alarm"]
    return Graph(
        inputs,
        alarm["false_alerts_per_plant_year"],
        alarm["alerts_per_plant_year_max"],
        table["marks"],
        sha256(data).hex(),
    )
