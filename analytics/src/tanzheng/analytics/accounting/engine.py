"""From an input document to its results: validation, pack by month, figures, sums, warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from tanzheng.analytics.accounting.document import MONTHS_MAX, Input, Name, UnitMonth, loads
from tanzheng.analytics.accounting.pack import Pack, load_pack, pack_for
from tanzheng.analytics.accounting.sector import Sector
from tanzheng.analytics.accounting.sectors import SECTORS
from tanzheng.analytics.accounting.tree import Node
from tanzheng.core.errors import BadInput

_Model = TypeVar("_Model", bound=Input)

SOFTWARE = f"tanzheng-analytics {version('tanzheng-analytics')}"


class Document(Input):
    """An input document; each of `months` is held against the model of its sector."""

    version: Literal[1]
    enterprise: Name
    months: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=MONTHS_MAX)


@dataclass(frozen=True, slots=True)
class Remark:
    """A value in the results that needs a second look, and in how many figures it stands."""

    code: Literal["unverified", "draft", "default"]
    what: str
    en: str
    zh: str

    def to_json(self) -> dict[str, object]:
        """The warning as a map."""
        return {"code": self.code, "what": self.what, "en": self.en, "zh": self.zh}


@dataclass(frozen=True, slots=True)
class AccountedMonth:
    """A unit-month with its figures; the first is the emission that is summed."""

    sector: Sector
    model: UnitMonth
    pack: Pack
    figures: tuple[Node, ...]

    def to_json(self) -> dict[str, object]:
        """The month as maps and text: decimals are strings."""
        return {
            "sector": self.sector.name,
            "unit": self.model.unit,
            "month": self.model.month,
            "standard": self.pack.name,
            "figures": [node.to_json() for node in self.figures],
        }


@dataclass(frozen=True, slots=True)
class Accounted:
    """The results of a document."""

    enterprise: str
    months: tuple[AccountedMonth, ...]
    totals: tuple[Node, ...]
    warnings: tuple[Remark, ...]

    def packs(self) -> tuple[Pack, ...]:
        """The packs that were used, those they use included, by name."""
        found = {pack.name: pack for month in self.months for pack in _with_used(month.pack)}
        return tuple(found[name] for name in sorted(found))

    def to_json(self) -> dict[str, object]:
        """The output document (`schemas/account-output-1.json`)."""
        return {
            "version": 1,
            "enterprise": self.enterprise,
            "software": SOFTWARE,
            "packs": [pack.to_json() for pack in self.packs()],
            "months": [month.to_json() for month in self.months],
            "totals": [node.to_json() for node in self.totals],
            "warnings": [warning.to_json() for warning in self.warnings],
        }


def account_document(raw: bytes, where: str) -> Accounted:
    """The results of the input document `raw`; `BadInput` says what is wrong at which path."""
    document = _validated(Document, loads(raw, where), "")
    months = [_month(row, f"months[{i}]") for i, row in enumerate(document.months)]
    _once(months)
    return Accounted(document.enterprise, tuple(months), _totals(months), _warnings(months))


def _month(row: Mapping[str, Any], at: str) -> AccountedMonth:
    sector = SECTORS.get(str(row.get("sector")))
    if sector is None:
        raise BadInput(f"{at}.sector: expected one of {list(SECTORS)}, got {row.get('sector')!r}")
    model = _validated(sector.model, row, f"{at}.")
    try:
        return AccountedMonth(sector, model, pack := _pack(model), sector.account(model, pack))
    except BadInput as error:
        raise BadInput(f"{at}: {error}") from error


def _pack(model: UnitMonth) -> Pack:
    """The pack that the month names, else the one in force in it."""
    if model.standard is None:
        return pack_for(model.sector, model.period)
    pack = load_pack(model.standard)
    if pack.sector != model.sector:
        raise BadInput(f"standard: expected a pack of sector {model.sector}, got {pack.name}")
    if not pack.covers(model.period):
        raise BadInput(
            f"standard: expected a pack valid in {model.month}, got {pack.name}, valid from "
            f"{pack.valid_from} to {pack.valid_to or 'now'}"
        )
    return pack


def _validated(model: type[_Model], value: object, at: str) -> _Model:
    """`value` as a `model`; `BadInput` with one line for each thing that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = [f"{at}{_path(item['loc'])}: {_said(item)}" for item in error.errors()[:20]]
        raise BadInput("\n".join(line.replace(".:", ":") for line in lines)) from None


def _path(parts: Sequence[int | str]) -> str:
    """`months[3].fuels[0].fuel_t`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _said(item: Any) -> str:
    """One error of pydantic as expected X, got Y."""
    got = item["input"]
    shown = str(got) if not isinstance(got, (dict, list, tuple)) else f"a {type(got).__name__}"
    match item["type"]:
        case "missing":
            return "expected a value, got none"
        case "extra_forbidden":
            return "expected a name of the schema, got one it does not know"
        case "value_error":
            return str(item["ctx"]["error"])
    expected = item["msg"].replace("Input should be ", "").replace("a valid ", "a ")
    return f"expected {expected[0].lower()}{expected[1:]}, got {shown[:60]}"


def _once(months: Sequence[AccountedMonth]) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for index, item in enumerate(months):
        key = (item.model.sector, item.model.unit, item.model.month)
        if (first := seen.setdefault(key, index)) != index:
            raise BadInput(
                f"months[{index}]: expected each unit and month once, got {item.model.unit} "
                f"{item.model.month} again (first in months[{first}])"
            )


def _totals(months: Sequence[AccountedMonth]) -> tuple[Node, ...]:
    """By sector and year: Σ units Σ months of the rounded months (A6)."""
    by_year: dict[tuple[str, int], dict[str, list[Node]]] = {}
    for item in months:
        units = by_year.setdefault((item.sector.name, item.model.period.year), {})
        first = item.figures[0]
        leaf = Node(first.name, first.value, first.unit, of=f"{item.model.unit} {item.model.month}")
        units.setdefault(item.model.unit, []).append(leaf)
    return tuple(
        _sum([_sum(units[unit], "Σ months", unit) for unit in sorted(units)], "Σ units", f"{s} {y}")
        for (s, y), units in sorted(by_year.items())
    )


def _sum(parts: Sequence[Node], formula: str, of: str) -> Node:
    ordered = tuple(sorted(parts, key=lambda node: node.of))
    total = sum((part.value for part in ordered[1:]), ordered[0].value)
    return Node(ordered[0].name, total, ordered[0].unit, formula, ordered, of=of)


def _with_used(pack: Pack) -> list[Pack]:
    return [pack, *(deeper for used in pack.uses for deeper in _with_used(used))]


def _warnings(months: Sequence[AccountedMonth]) -> tuple[Remark, ...]:
    """Unverified and draft values, and defaults where something was not measured, each once."""
    found: dict[tuple[str, str], Remark] = {}
    for node in (node for item in months for figure in item.figures for node in figure.walk()):
        source, name = node.source, node.of or node.name
        if source is None:
            continue
        if source.unverified:
            code: Literal["draft", "unverified"] = "draft" if source.draft else "unverified"
            en = f"{name} = {node.value} {node.unit} is {_WHY[code][0]} ({source.confidence})"
            found[code, name] = Remark(code, name, en, f"{name}：{_WHY[code][1]}")
        if name.startswith("coal_default.") and not name.endswith("oxidation_percent"):
            en = f"{name} = {node.value} {node.unit} stands in for what was not measured"
            found["default", name] = Remark("default", name, en, f"{name}：未实测，采用缺省值")
    return tuple(found[key] for key in sorted(found))


_WHY = {
    "draft": ("of a draft, not in force", "征求意见稿，尚未生效"),
    "unverified": ("not yet held against the official text", "尚未与正式文本核对"),
}
