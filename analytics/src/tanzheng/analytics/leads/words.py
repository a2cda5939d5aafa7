"""The words and deadlines of leads as data (`leads.toml`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

Words = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class LeadData:
    """Causes and outcomes in English and Chinese, days allowed for each step."""

    causes: Words
    outcomes: Words
    deadline_days: Mapping[str, int]


@cache
def lead_data() -> LeadData:
    """The data of this package."""
    data = resources.files("tanzheng.analytics.leads").joinpath("leads.toml").read_bytes()
    table = tomllib.loads(data.decode())
    causes, outcomes = (
        {code: (words["en"], words["zh"]) for code, words in table[name].items()}
        for name in ("cause", "outcome")
    )
    return LeadData(causes, outcomes, table["deadline_days"])
