"""What things are called in both languages, and how figures are written."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from tanzheng.analytics.accounting.pack import load_pack, pack_names
from tanzheng.core.fields import FIELDS

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Words:
    """The same in English and Chinese."""

    en: str
    zh: str

    def in_(self, language: Language) -> str:
        """The words in one language."""
        return self.zh if language == "zh" else self.en

    @property
    def both(self) -> str:
        """Chinese, then English; once where they are the same."""
        return self.zh if self.zh == self.en else f"{self.zh} {self.en}"


SECTORS = {
    "power": Words("power generation", "发电"),
    "cement": Words("cement clinker", "水泥熟料"),
    "aluminium": Words("aluminium electrolysis", "铝电解"),
    "steel": Words("iron and steel", "钢铁"),
}
"""The sectors of the national market; a year of others is not reported here."""

STATES = {
    "in_force": Words("in force", "现行"),
    "superseded": Words("superseded", "已被替代"),
    "draft": Words("draft", "征求意见稿"),
    "unverified": Words("unverified", "未核对"),
}
CONSTANTS = {
    "carbon.co2_mass": Words("molar mass of CO2", "二氧化碳摩尔质量"),
    "carbon.carbon_mass": Words("molar mass of carbon", "碳摩尔质量"),
    "coal_default": Words("(default)", "（缺省值）"),
    "standard_coal.gj_per_tce": Words("heat of standard coal", "标准煤热值"),
}
UNITS = {"1e4Nm3": "10⁴ Nm³", "GJ/1e4Nm3": "GJ/10⁴ Nm³", "tC/1e4Nm3": "tC/10⁴ Nm³"}


def figure_words(name: str) -> Words:
    """What a figure of the dictionary is called."""
    entry = FIELDS[name]
    return Words(entry.en, entry.zh)


def unit_text(unit: str) -> str:
    """A unit as it is printed."""
    return UNITS.get(unit, unit)


def number(value: Decimal) -> str:
    """Thousands grouped, every decimal kept: 72,676.61."""
    return f"{value:,f}"


def line_words(of: str, emission: str) -> Words:
    """What a line of emissions is called: its fuel or material, else its emission."""
    if not of:
        return figure_words(emission)
    label = _labels().get(of) or _labels().get(f"fuel.{of}")
    name = of.removeprefix("fuel.")
    return label or Words(name, name)


def constant_words(name: str) -> Words:
    """What a constant of a pack is called: the words of its group, then of its quantity."""
    group, _, rest = name.rpartition(".")
    entry = next((FIELDS[p + rest] for p in ("", "fuel_", "coal_") if p + rest in FIELDS), None)
    label = _labels().get(group)
    if entry is None:
        return CONSTANTS.get(name, Words(name, name))
    if label is None:
        extra = CONSTANTS.get(group, Words("", ""))
        return Words(f"{entry.en} {extra.en}".strip(), f"{entry.zh}{extra.zh}")
    return Words(f"{label.en}: {entry.en}", f"{label.zh} {entry.zh}")


@cache
def _labels() -> dict[str, Words]:
    found: dict[str, Words] = {}
    for name in pack_names():
        for key, label in load_pack(name).labels.items():
            found.setdefault(key, Words(label.en, label.zh))
    return found
