"""Results of `tanzheng account --json` as months of the year.

The trees say what each figure was made of: emission nodes become lines, ratios keep numerator and
denominator. The arithmetic of each sum of emissions is checked again.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from tanzheng.analytics.accounting.report import AccountOut, MonthOut
from tanzheng.analytics.accounting.tree import Source
from tanzheng.analytics.annual.figures import Figure, Line, Ratio, is_additive, line, weighted
from tanzheng.analytics.annual.months import Evidence, Factor, Origin, PackRef, UnitMonth
from tanzheng.core import strict_json
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import FIELDS
from tanzheng.core.hashing import sha256

Tree = Mapping[str, Any]

_PER_ELECTRICITY = (
    "gross_coal_rate_tce_per_mwh",
    "net_coal_rate_tce_per_mwh",
    "co2_intensity_t_per_mwh",
)
_PER_HEAT = ("heat_coal_rate_tce_per_gj", "co2_intensity_t_per_gj")
_PER_PRODUCT = (
    "co2_intensity_t_per_t",
    "co2e_intensity_t_per_t",
    "co2_process_intensity_t_per_t",
)


def read_accounts(raw: bytes, where: str) -> list[Evidence]:
    """The unit-months of account results; `BadInput` names file and path of what is wrong."""
    try:
        document = AccountOut.model_validate(strict_json.loads(raw, where))
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"{where}: {at}: expected results of tanzheng account --json, {first['msg']}"
        ) from None
    packs = {pack.name: pack for pack in document.packs}
    found = []
    for index, item in enumerate(document.months):
        if item.standard not in packs:
            raise BadInput(f"{where}: months[{index}]: expected a pack of packs, got none")
        pack = packs[item.standard]
        reference = PackRef(pack.name, pack.version, bytes.fromhex(pack.sha256))
        at = f"{where}: months[{index}]"
        found.append(_evidence(item, document.enterprise, reference, sha256(raw), at))
    return found


def _evidence(
    item: MonthOut, enterprise: str, pack: PackRef, digest: bytes, where: str
) -> Evidence:
    trees = [node.model_dump(exclude_none=True) for node in item.figures]
    emission = trees[0]
    if not is_emission(emission["name"]):
        raise BadInput(f"{where}: expected the emission first, got {emission['name']}")
    heats = {node["of"]: node for tree in trees for node in _walk(tree) if _is_heat(node)}
    return Evidence(
        enterprise,
        enterprise,
        enterprise,
        item.unit,
        item.sector,
        UnitMonth(
            Month.parse(item.month),
            pack,
            Origin("account", digest),
            (_plain(emission), *(_figure(tree, emission, where) for tree in trees[1:])),
            tuple(_lines(emission, heats, where)),
        ),
        factors_of(trees, pack.name),
        where,
    )


def factors_of(trees: Iterable[Tree], pack: str) -> tuple[Factor, ...]:
    """Every constant in the trees once, by name."""
    found = {}
    for node in (node for tree in trees for node in _walk(tree)):
        if source := node.get("source"):
            name = node.get("of") or node["name"]
            found[name, node["value"]] = Factor(
                name,
                pack,
                Decimal(node["value"]),
                node["unit"],
                Source(
                    source["document"],
                    source["section"],
                    source["confidence"],
                    bool(source.get("draft")),
                    source.get("note", ""),
                ),
            )
    return tuple(found[key] for key in sorted(found))


def is_emission(name: str) -> bool:
    """Whether a figure is tonnes of greenhouse gas."""
    return name.startswith("co2") and name in FIELDS and FIELDS[name].quantity == "mass"


def _walk(tree: Tree) -> Iterator[Tree]:
    yield tree
    for child in tree.get("inputs", ()):
        yield from _walk(child)


def _is_heat(node: Tree) -> bool:
    return bool(node["name"] == "fuel_heat_gj" and node.get("of"))


def _value(tree: Tree) -> Decimal:
    return Decimal(tree["value"])


def _plain(tree: Tree) -> Figure:
    return Figure(tree["name"], tree["unit"], _value(tree))


# ------------------------------------------------------------------ the unit as a whole


def _figure(tree: Tree, emission: Tree, where: str) -> Figure:
    name = tree["name"]
    if name not in FIELDS:
        raise BadInput(f"{where}: expected names of the field dictionary, got {name!r}")
    if is_additive(name) or name == "rated_capacity_mw":
        return _plain(tree)
    ratio = _ratio(tree, emission)
    if ratio is None:
        raise BadInput(f"{where}: expected figures with a rule for the year, got {name}")
    return Figure(name, tree["unit"], _value(tree), ratio)


def _ratio(tree: Tree, emission: Tree) -> Ratio | None:
    """What stands above and below the line of a month's ratio (standards.md A11 to A13)."""
    name, inputs = tree["name"], tree.get("inputs", ())
    if name == "load_factor_percent":
        generated, *machines = map(_value, inputs)
        pairs = zip(machines[::2], machines[1::2], strict=True)
        possible = sum((p * t for p, t in pairs), Decimal(0))
        return Ratio(100 * generated, possible, "rated_capacity_mw × operating_hours_h")
    if name == "heat_share_percent":
        # A month without heat says nothing of its boiler: the share of all months is by emission.
        return weighted(name, "", _value(tree), _value(emission), emission["name"]).ratio
    if name == "biomass_heat_share_percent":
        return weighted(name, "", _value(tree), _value(inputs[0]), inputs[0]["name"]).ratio
    if name in _PER_ELECTRICITY:
        share, whole, output = inputs
        part = (100 - _value(share)) * _value(whole) / 100
        return Ratio(part, _value(output), output["name"])
    if name in _PER_HEAT:
        share, whole, output = inputs
        return Ratio(_value(share) * _value(whole) / 100, _value(output), output["name"])
    if name in _PER_PRODUCT:
        return Ratio(_value(inputs[0]), _value(inputs[1]), inputs[1]["name"])
    return None


# ------------------------------------------------------------------ where the emission is from


def _lines(node: Tree, heats: Mapping[str, Tree], where: str) -> Iterator[Line]:
    """The emission nodes that are no mere sum of others, outermost first."""
    children = [child for child in node.get("inputs", ()) if is_emission(child["name"])]
    others = [child for child in node.get("inputs", ()) if not is_emission(child["name"])]
    found: dict[str, tuple[Decimal, str]] = {}
    for child in others:
        _below(child, found)
    if found or not children:
        of = node.get("of", "")
        _heating_value(of, found, heats)
        yield line(of, _plain(node), found)
    elif _is_sum(node) and sum(map(_value, children), Decimal(0)) != _value(node):
        raise BadInput(f"{where}: {node['name']}: expected the sum of its parts, got another value")
    for child in children:
        yield from _lines(child, heats, where)


def _is_sum(node: Tree) -> bool:
    """A steel works' emission has products to take away; its formula says so."""
    return "−" not in node.get("formula", "")


def _below(node: Tree, found: dict[str, tuple[Decimal, str]]) -> None:
    """Figures below a line; days and batches of a sum are the month's business, not the year's."""
    if node["name"] in FIELDS:
        found.setdefault(node["name"], (_value(node), node["unit"]))
    if not node.get("formula", "").startswith(("Σ", "(Σ")):
        for child in node.get("inputs", ()):
            if not is_emission(child["name"]):
                _below(child, found)


def _heating_value(
    of: str, found: dict[str, tuple[Decimal, str]], heats: Mapping[str, Tree]
) -> None:
    """Where carbon was measured, the heating value stands beside it, in the tree of the heat."""
    heat = heats.get(of.removeprefix("fuel."))
    if heat is None or any("_ncv_gj_per_" in name for name in found):
        return
    quantity, ncv = heat["inputs"]
    if found.get(quantity["name"]) == (_value(quantity), quantity["unit"]):
        found[ncv["name"]] = (_value(ncv), ncv["unit"])
