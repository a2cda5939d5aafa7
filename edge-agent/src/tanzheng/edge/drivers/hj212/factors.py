"""Factor codes of stacks: code → quantity and the unit that the standard sets. Pure data.

Source: HJ 212-2017 table B.2 (codes of 2005 beside it), HJ 212-2025 for d and p codes.
"""

from dataclasses import dataclass
from typing import Final

from tanzheng.core.quality import HJ212_FLAG, LABELS


@dataclass(frozen=True, slots=True)
class Factor:
    """A quantity. `molar_g` is the molar mass where mg/m3 and % are to be converted."""

    code: str
    code_2005: str
    en: str
    zh: str
    unit: str
    molar_g: str = ""


_ROWS: Final = (
    Factor("a00000", "B02", "flue-gas flow", "废气流量", "m3/s"),
    Factor("a01011", "S02", "velocity", "烟气流速", "m/s"),
    Factor("a01012", "S03", "temperature", "烟气温度", "degC"),
    Factor("a01013", "S08", "static pressure", "烟气静压", "kPa"),
    Factor("a01014", "S05", "moisture", "烟气湿度", "%"),
    Factor("a01016", "S07", "duct area", "烟道截面积", "m2"),
    Factor("a01017", "S04", "dynamic pressure", "烟气动压", "kPa"),
    Factor("a19001", "S01", "O2", "氧气含量", "%", "32.00"),
    Factor("a05001", "30", "CO2", "二氧化碳", "mg/m3", "44.01"),
    Factor("a05002", "", "CH4", "甲烷", "ng/m3", "16.04"),
    Factor("a21001", "10", "NH3", "氨", "ng/m3", "17.03"),
    Factor("a21002", "03", "NOx", "氮氧化物", "mg/m3", "46.01"),
    Factor("a21003", "", "NO", "一氧化氮", "mg/m3", "30.01"),
    Factor("a21004", "", "NO2", "二氧化氮", "mg/m3", "46.01"),
    Factor("a21005", "04", "CO", "一氧化碳", "mg/m3", "28.01"),
    Factor("a21018", "06", "fluoride (HF)", "氟化氢", "mg/m3", "20.01"),
    Factor("a21024", "08", "HCl", "氯化氢", "mg/m3", "36.46"),
    Factor("a21026", "02", "SO2", "二氧化硫", "mg/m3", "64.06"),
    Factor("a20057", "31", "Hg and compounds", "汞及其化合物", "mg/m3"),
    Factor("a34013", "01", "particulates", "烟尘", "mg/m3"),
    Factor("a24087", "25", "hydrocarbons", "碳氢化合物", "mg/m3"),
    Factor("a24088", "", "NMHC", "非甲烷总烃", "mg/m3"),
    Factor("a01901", "", "furnace temperature, mean", "炉膛温度均值", "degC"),
    Factor("a01902", "", "furnace temperature, DCS", "炉膛温度 DCS", "degC"),
    Factor("d20105", "", "voltage, production line", "生产设施电压", "V"),
    Factor("w01018", "", "COD", "化学需氧量", "mg/L"),
    Factor("w21003", "", "ammonia nitrogen", "氨氮", "mg/L"),
)
FACTORS: Final = {row.code: row for row in _ROWS}
_OLD: Final = {row.code_2005: row for row in _ROWS if row.code_2005}


def factor(code: str) -> Factor | None:
    """The entry for a code of 2017, or of 2005."""
    return FACTORS.get(code) or _OLD.get(code)


def mark_text(mark: str) -> str:
    """A data mark for people, e.g. "C calibration 校准"."""
    quality = HJ212_FLAG.get(mark.upper())
    return f"{mark} {' '.join(LABELS[quality])}" if quality is not None else f"{mark} ?"
