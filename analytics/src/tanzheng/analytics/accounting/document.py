"""Input documents: what all sectors share, and reading JSON without losing a digit.

A document is a list of unit-months. Each sector has a model of its own (`UnitMonth` with more
fields); names are those of the field dictionary. Quantities are decimal strings or JSON numbers.
"""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

VERSION = 1
BYTES_MAX = 16 << 20
DEPTH_MAX = 32
MONTHS_MAX = 20_000
DIGITS_MAX = 40
QUANTITY_MAX = Decimal(10) ** 12

Quantity = Annotated[Decimal, Field(ge=0, le=QUANTITY_MAX, allow_inf_nan=False)]
"""A quantity that cannot be negative; a trillion is a thousand times the largest plant."""

Content = Annotated[Decimal, Field(ge=0, le=10_000, allow_inf_nan=False)]
"""Heat or carbon of a t or of 10⁴ Nm³, kJ/kg, °C: beyond it, the unit is wrong."""

Percent = Annotated[Decimal, Field(ge=0, le=100, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=120)]


def _month(text: str) -> str:
    try:
        Month.parse(text)
    except BadInput as error:
        raise ValueError(str(error)) from None
    return text


MonthText = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$"), AfterValidator(_month)]


class Input(BaseModel):
    """Base of all input models: closed, frozen, nothing is guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class UnitMonth(Input):
    """What each sector's unit-month has; a subclass adds `sector: Literal["…"]` and its figures.

    `standard` names a pack; without it the pack in force in `month` is taken. A draft is taken
    only by its name.
    """

    sector: str
    unit: Name
    month: MonthText
    standard: Name | None = None

    @property
    def period(self) -> Month:
        """The month as a value."""
        return Month.parse(self.month)


def loads(raw: bytes, where: str) -> Any:
    """JSON with numbers as decimals; `BadInput` for NaN, two equal keys, too much, too deep."""
    if len(raw) > BYTES_MAX:
        raise BadInput(f"{where}: expected at most {BYTES_MAX} bytes, got {len(raw)}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: expected UTF-8, got {error}") from None
    if _depth(text) > DEPTH_MAX:
        raise BadInput(f"{where}: expected at most {DEPTH_MAX} levels of lists and maps, got more")
    try:
        return json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_no_number,
        )
    except ValueError as error:
        raise BadInput(f"{where}: expected JSON, got {error}") from None


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in re.sub(r'"(?:[^"\\]|\\.)*+"?|[^\[\]{}"]', "", text, flags=re.DOTALL):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:60]!r} twice in one map")
    return result


def _number(text: str) -> Decimal | int:
    if len(text) > DIGITS_MAX:
        raise ValueError(f"the number {text[:40]}… of {len(text)} characters")
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def _no_number(text: str) -> None:
    raise ValueError(f"the number {text}, which is none")
