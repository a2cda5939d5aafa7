"""The catalogue of fleet rules: TOML files of this package, checked when they are read."""

import hashlib
import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any

from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules.exact import Row, Value, evaluate
from tanzheng.analytics.rules.expression import Expression, Schema
from tanzheng.analytics.rules.ruleset import CLASSES
from tanzheng.analytics.rules.tables import SECTORS, TABLES
from tanzheng.core.calendar import Month

FILES = (
    "power",
    "coal",
    "cement",
    "aluminium",
    "steel",
    "process",
    "documents",
    "series",
    "points",
)
SEVERITIES: Mapping[str, tuple[str, str]] = {
    "error": ("blocks deposit", "阻止存证"),
    "explain": ("needs a written explanation", "须书面说明"),
    "warning": ("warns", "提示关注"),
    "info": ("informs", "仅供参考"),
}
PHYSICS = "theoretical_extreme"
REFERENCE = "pack:"

Constants = Mapping[str, Decimal]
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Example:
    """One row that passes or fails, with the rows of months before and of other units."""

    row: Values
    before: Sequence[Values] = ()
    others: Sequence[Values] = ()


@dataclass(frozen=True, slots=True)
class FleetRule:
    """Where `when` holds, `condition` must hold of a row of `table`.

    `parameters` are resolved; `references` names the pack constants among them.
    """

    id: str
    table: str
    sector: str
    kind: str
    severity: str
    title: tuple[str, str]
    when: Expression | None
    condition: Expression
    parameters: Mapping[str, Decimal]
    references: Mapping[str, str]
    message: tuple[str, str]
    advice: tuple[str, str]
    source: str
    confidence: str
    passing: Sequence[Example]
    failing: Sequence[Example]

    @property
    def needs_approver(self) -> bool:
        """A blocking rule of physics is set aside only by somebody who answers for it."""
        return self.severity == "error" and self.kind == PHYSICS


def judged(rule: FleetRule, row: Row) -> bool | None:
    """True, false, or None where the rule does not apply or the answer is not known, in Decimal;
    the rule's parameters stand among the values of `row`."""
    if rule.when is not None and evaluate(rule.when.tree, row) is not True:
        return None
    answer = evaluate(rule.condition.tree, row)
    return answer if answer is None else bool(answer)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All rules; `sha256` is over the raw bytes of the files, in the order of `FILES`, and the
    digests of the packs that constants are from."""

    rules: tuple[FleetRule, ...]
    sha256: bytes

    def rule(self, wanted: str) -> FleetRule:
        """The rule with the id `wanted`; `PackInvalid` where there is none."""
        for rule in self.rules:
            if rule.id == wanted.upper():
                return rule
        raise PackInvalid(f"expected the id of a rule (tanzheng rules list), got {wanted!r}")


@cache
def load_catalogue() -> Catalogue:
    """The catalogue shipped with this package."""
    folder = resources.files("tanzheng.analytics.rules") / "data"
    raws = {name: (folder / f"{name}.toml").read_bytes() for name in ("constants", *FILES)}
    constants = read_constants(raws["constants"])
    rules = [rule for name in FILES for rule in read_rules(raws[name], f"{name}.toml", constants)]
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise PackInvalid(
            f"expected each rule once, got {sorted({i for i in ids if ids.count(i) > 1})}"
        )
    bound = [*raws.values(), *_packs(raws["constants"])]
    return Catalogue(tuple(rules), hashlib.sha256(b"".join(bound)).digest())


def read_constants(raw: bytes) -> Constants:
    """Constants by name from a TOML file: of a standard pack (where it has several values: the one
    of a `month`), or with a value and its source."""
    table = _toml(raw, "constants.toml")["constant"]
    return {name: _constant(row, f"constants.toml: {name}") for name, row in table.items()}


def _constant(row: Mapping[str, Any], where: str) -> Decimal:
    match row:
        case {"pack": pack, "constant": name, **rest} if rest.keys() <= {"month"}:
            month = Month.parse(rest["month"]) if rest else None
            return load_pack(pack).constant(name, month).value
        case {"pack": pack, "deadline": name, **rest} if not rest:
            days = load_pack(pack).deadline(name).days
            if days is None:
                raise PackInvalid(f"{where}: expected a deadline in days, got a date")
            return Decimal(days)
        case {"value": value, "source": str(), "confidence": str(), **rest} if not rest:
            return _decimal(value, where)
    raise PackInvalid(
        f"{where}: expected pack and constant, pack and deadline, or value, source and confidence"
    )


def _packs(raw: bytes) -> Iterator[bytes]:
    """The digests of the packs that a file of constants names, in its order."""
    for row in _toml(raw, "constants.toml")["constant"].values():
        if "pack" in row:
            yield load_pack(row["pack"]).sha256


def read_rules(raw: bytes, file: str, constants: Constants) -> Iterator[FleetRule]:
    """The rules of one file; `PackInvalid` names the file and the rule that is wrong."""
    table = _toml(raw, file)
    if table.get("table") not in TABLES:
        raise PackInvalid(
            f"{file}: expected table one of {list(TABLES)}, got {table.get('table')!r}"
        )
    for row in table["rule"]:
        merged = {"sector": table.get("sector"), "table": table["table"], **row}
        where = f"{file}: rule {row.get('id', '?')}"
        try:
            yield _rule(merged, table.get("base", {}), constants)
        except KeyError as error:
            raise PackInvalid(f"{where}: expected the key {error}") from None
        except PackInvalid as error:
            raise PackInvalid(f"{where}: {error}") from None


def _toml(raw: bytes, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PackInvalid(f"{file}: expected TOML, got {error}") from None


def _rule(row: Mapping[str, Any], bases: Mapping[str, Any], constants: Constants) -> FleetRule:
    for key, allowed in (("class", CLASSES), ("severity", SEVERITIES), ("sector", SECTORS)):
        if row.get(key) not in allowed:
            raise PackInvalid(f"expected {key} one of {list(allowed)}, got {row.get(key)!r}")
    parameters, references = _parameters(row.get("parameters", {}), constants)
    shape = TABLES[row["table"]]
    schema = shape.schema(parameters)
    message = (row["en"], row["zh"])
    _check_messages(message, schema)
    base = bases[row["base"]]
    return FleetRule(
        id=row["id"],
        table=row["table"],
        sector=row["sector"],
        kind=row["class"],
        severity=row["severity"],
        title=(row["title"], row["title_zh"]),
        when=Expression.parse(row["when"], schema) if "when" in row else None,
        condition=Expression.parse(row["condition"], schema),
        parameters=parameters,
        references=references,
        message=message,
        advice=(row["advice"], row["advice_zh"]),
        source=row["source"],
        confidence=row["confidence"],
        passing=[_example(base, row, change, schema) for change in row["pass"]],
        failing=[_example(base, row, change, schema) for change in row["fail"]],
    )


def _parameters(
    row: Mapping[str, str], constants: Constants
) -> tuple[dict[str, Decimal], dict[str, str]]:
    references = {
        name: text.removeprefix(REFERENCE)
        for name, text in row.items()
        if str(text).startswith(REFERENCE)
    }
    unknown = set(references.values()) - constants.keys()
    if unknown:
        raise PackInvalid(f"expected names of pack constants, got {sorted(unknown)}")
    values = {
        name: constants[references[name]] if name in references else _decimal(text, name)
        for name, text in row.items()
    }
    return values, references


def _decimal(text: object, where: str) -> Decimal:
    try:
        if isinstance(text, str) and (value := Decimal(text)).is_finite():
            return value
    except InvalidOperation:
        pass
    raise PackInvalid(f"{where}: expected a decimal as text, got {text!r}")


def placeholders(text: str) -> list[str]:
    """The expressions in the braces of a message."""
    try:
        return [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError as error:
        raise PackInvalid(f"expected a message with {{names}}, got {text!r}: {error}") from None


def _check_messages(message: tuple[str, str], schema: Schema) -> None:
    english, chinese = (set(placeholders(text)) for text in message)
    if english != chinese or not english:
        raise PackInvalid(f"expected the same values in both languages, got {english ^ chinese}")
    for text in english:
        Expression.value(text, schema)


def _example(
    base: Mapping[str, Any], row: Mapping[str, Any], change: Mapping[str, Any], schema: Schema
) -> Example:
    """`change` upon `base`; each of `before` (nearest first) and `others` upon the result."""
    before = change.get("before", row.get("before", []))
    others = change.get("others", row.get("others", []))
    own = {key: value for key, value in change.items() if key not in {"before", "others"}}
    whole = {**base, **own}
    return Example(
        _values(whole, schema),
        [
            _values({**base, "month": _back(whole["month"], number), **item}, schema)
            for number, item in enumerate(before, 1)
        ],
        [_values({**whole, **item}, schema) for item in others],
    )


def _back(month: date, months: int) -> date:
    number = month.year * 12 + month.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _values(row: Mapping[str, Any], schema: Schema) -> Values:
    """Decimals where the column is a number (texts in the file), `""` is not known."""
    values: dict[str, Value] = {}
    for name, value in row.items():
        if name not in schema.columns:
            raise PackInvalid(f"example: expected a column, got {name!r}")
        number = schema.columns[name].kind == "number"
        values[name] = None if value == "" else _decimal(value, name) if number else value
    return values
