"""What an entry of the dictionary says."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "state", "parameter", "constant"]

NORMAL_STATE = "0 °C, 101.325 kPa"
ACTUAL_STATE = "actual temperature and pressure, wet"
ACTUAL = "actual temperature and pressure"
AS_SET = "as the analyser is set; HJ 75: dry, 0 °C, 101.325 kPa"


@dataclass(frozen=True, slots=True)
class Field:
    """A quantity with its unit.

    `decimals` is the number of decimals a *reported* value carries (None: not reported);
    `reference` is the reference state of gas volumes and concentrations, or the basis of coal
    (ar as received, ad air dried, d dry).
    """

    name: str
    kind: Kind
    quantity: str
    unit: str
    en: str
    zh: str
    reference: str = ""
    decimals: int | None = None
