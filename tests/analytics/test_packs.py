"""Standard packs: every shipped one is whole, values by month, and what a damaged one says."""

import re
from decimal import Decimal
from importlib import resources

import pytest

from tanzheng.analytics.accounting.pack import Pack, load_pack, pack_for, pack_names
from tanzheng.analytics.accounting.packfile import parse_pack
from tanzheng.analytics.errors import PackInvalid
from tanzheng.core.calendar import Month

PACKS = [load_pack(name) for name in pack_names()]
POWER = "cets_power/2023-2024"


def raw(name: str = POWER) -> str:
    file = resources.files("tanzheng.analytics") / "packs" / f"{name}.toml"
    return file.read_text(encoding="utf-8")


def value(pack: str, name: str, month: str | None = None) -> str:
    return f"{load_pack(pack).constant(name, Month.parse(month) if month else None).value:f}"


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_value_of_a_pack_has_a_source_and_a_unit(pack: Pack) -> None:
    nodes = [item.node for values in pack.values.values() for item in values]
    sources = [node.source for node in nodes]
    sources += [row.source for row in pack.evidence]
    sources += [row.source for row in pack.deadlines]
    sources += [row.source for row in pack.priorities]
    sources += [row.source for row in pack.digits.values()]
    assert nodes
    assert all(node.unit for node in nodes)
    assert all(s and s.document and s.section and s.confidence for s in sources)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_named_source_is_used(pack: Pack) -> None:
    text = raw(pack.name)
    named = {line[8:-1] for line in text.splitlines() if line.startswith("[source.")}
    assert [name for name in sorted(named) if f'source = "{name}"' not in text] == []


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_fuel_has_its_values_and_a_name(pack: Pack) -> None:
    by_heat = [name for name in pack.values if re.match(r"fuel\.\w+\.ncv_gj_per_", name)]
    fuels = {name.split(".")[1] for name in by_heat}
    for fuel in fuels:
        assert pack.label(f"fuel.{fuel}").zh
        assert pack.constant(f"fuel.{fuel}.carbon_tc_per_gj").value > 0


@pytest.mark.parametrize(
    ("pack", "name", "month", "expected"),
    [
        # standards.md a.3
        (POWER, "coal_default.carbon_tc_per_gj", "2022-05", "0.03356"),
        (POWER, "coal_default.carbon_tc_per_gj", "2022-06", "0.03085"),
        (POWER, "coal_default.ncv_gj_per_t", None, "26.7"),
        (POWER, "coal_default.oxidation_percent", None, "99"),
        (POWER, "fuel.coke_oven_gas.ncv_gj_per_1e4nm3", None, "173.854"),
        (POWER, "fuel.lng.carbon_tc_per_gj", None, "0.01720"),
        (POWER, "grid.national", "2020-12", "0.6101"),
        (POWER, "grid.national", "2021-01", "0.5810"),
        (POWER, "grid.national", "2022-12", "0.5703"),
        (POWER, "grid.statistics.residual", "2022-01", "0.5856"),
        (POWER, "grid.region.south", "2023-06", "0.4042"),
        (POWER, "grid.province.sichuan", "2023-06", "0.1564"),
        (POWER, "grid.province.xinjiang", "2022-06", "0.6231"),
        # standards.md e.1
        ("cets_power/2019-2020", "benchmark.electricity.coal_over_300mw", "2019-05", "0.877"),
        ("cets_power/2021-2022", "benchmark.electricity.gas", "2022-05", "0.3901"),
        (POWER, "benchmark.electricity.coal_up_to_300mw", "2023-05", "0.8090"),
        (POWER, "benchmark.electricity.coal_up_to_300mw", "2024-05", "0.8049"),
        (POWER, "balance.electricity.coal_up_to_300mw", "2023-05", "0.8155"),
        ("cets_power/2025-2026", "benchmark.heat.coal", "2026-05", "0.1021"),
        ("cets_power/2019-2020", "factor.cooling.air", None, "1.05"),
        (POWER, "factor.load.limit_percent", None, "65"),
        ("cets_power/2025-2026", "factor.load.second_decay", None, "6.871"),
    ],
)
def test_values_are_those_of_the_notes(
    pack: str, name: str, month: str | None, expected: str
) -> None:
    assert value(pack, name, month) == expected


def test_load_factors_of_the_packs_give_the_test_values_of_the_notes() -> None:
    """standards.md e.2: 1.015^(16 − 20F), and the draft's two exponentials, to four decimals."""
    load = load_pack(POWER).constants_under("factor.load")
    base, constant, slope = (
        float(load[key].value) for key in ("power_base", "power_constant", "power_slope")
    )
    for factor, expected in ((0.40, 1.12649), (0.50, 1.09344), (0.65, 1.04568)):
        assert base ** (constant - slope * factor) == pytest.approx(expected, abs=5e-6)
    draft = load_pack("cets_power/2025-2026").constants_under("factor.load")
    v = {key: float(node.value) for key, node in draft.items()}
    for percent, expected in ((45, 1.1261), (40, 1.1603), (30, 1.2811), (20, 1.6089)):
        first = v["first"] * (1 - 2.718281828459045 ** (-percent / v["first_decay"]))
        second = v["second"] * (1 - 2.718281828459045 ** (-percent / v["second_decay"]))
        assert v["base"] - first - second == pytest.approx(expected, abs=5e-5)


def test_the_pieces_of_2019_to_2022_meet() -> None:
    load = load_pack("cets_power/2021-2022").constants_under("factor.load")
    v = {key: node.value for key, node in load.items()}
    at_80 = v["upper_base"] + v["upper_slope"] * (v["full_percent"] - v["upper_percent"])
    at_75 = v["lower_base"] + v["lower_slope"] * (v["upper_percent"] - v["lower_percent"])
    assert (at_80, at_75) == (Decimal("1.0070"), Decimal("1.0150"))


@pytest.mark.parametrize(
    ("month", "name"),
    [
        ("2019-01", "cets_power/2019-2020"),
        ("2020-12", "cets_power/2019-2020"),
        ("2021-01", "cets_power/2021-2022"),
        ("2024-12", "cets_power/2023-2024"),
    ],
)
def test_the_pack_in_force_is_found_by_month(month: str, name: str) -> None:
    assert pack_for("power", Month.parse(month)).name == name


def test_a_draft_is_given_on_request_only_and_all_of_it_is_marked() -> None:
    month = Month(2025, 6)
    with pytest.raises(PackInvalid, match="a draft is there, name it"):
        pack_for("power", month)
    draft = pack_for("power", month, draft=True)
    benchmark = draft.constant("benchmark.electricity.gas", month)
    assert benchmark.source is not None
    assert benchmark.source.to_json() | {"unverified": True, "draft": True} == (
        benchmark.source.to_json()
    )
    diesel = draft.constant("fuel.diesel.ncv_gj_per_t").source
    assert diesel is not None
    assert not diesel.unverified


def test_memory_is_marked_unverified() -> None:
    punitive = load_pack().constant("coal_default.ncv_gj_per_t").source
    assert punitive is not None
    assert punitive.to_json()["unverified"] is True


def test_a_pack_holds_what_evidence_and_terms_there_are() -> None:
    pack = load_pack(POWER)
    assert pack.deadline("monthly_evidence").days == 40
    assert pack.deadline("annual_report").date == "03-31"
    assert {row.parameter for row in pack.evidence} >= {"coal_ncv_gj_per_t", "generation_mwh"}
    (carbon,) = (row for row in pack.priorities if row.parameter == "coal_carbon_tc_per_t")
    assert carbon.order == ("daily", "batch", "monthly_composite", "default")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('value = "83.74"', 'value = "NaN"', "feedwater_kj_per_kg.value: expected a decimal"),
        ('value = "83.74"', "value = 83.74", "feedwater_kj_per_kg.value: expected a decimal"),
        ('unit = "kJ/kg", ', "", "heat_supply.feedwater_kj_per_kg: expected the key 'unit'"),
        ('unit = "kJ/kg", ', 'unit = "kJ/kg", units = 1, ', "got 'units'"),
        ('source = "biomass"', 'source = "hearsay"', "source: expected one of .*'hearsay'"),
        ('confidence = "M 85%"', 'confidence = "sure"', "confidence: expected S1, S2, M nn%"),
        ('status = "in_force"', 'status = "valid"', "status: expected one of"),
        ('valid_from = "2023-01"', 'valid_from = "2023"', "valid_from: expected a month YYYY-MM"),
        ("fuel = { n = 2,", "fuel = { n = true,", "decimals.fuel.n: expected a whole number"),
        ("days = 40", "days = 0", r"deadline\[0\]: expected days after month end"),
        ('date = "03-31"', 'date = "31.3."', r"deadline\[1\]: expected days after month end"),
        ("required = true", 'required = "yes"', r"evidence\[0\].required: expected true or false"),
        ('title = "', 'titel = "', "expected the key 'title'"),
        ("[constant.rule]", "[constant.rule]\nextra = 5", "rule.extra: expected a table"),
    ],
)  # fmt: skip
def test_a_damaged_pack_names_file_and_key(old: str, new: str, message: str) -> None:
    assert old in raw()
    with pytest.raises(PackInvalid, match=rf"^mine\.toml: .*{message}"):
        parse_pack(raw().replace(old, new, 1).encode(), "mine.toml")


def test_values_that_overlap_in_time_are_refused() -> None:
    text = raw("cets_fuel/2022").replace('valid_to = "2022-05"', 'valid_to = "2022-06"')
    with pytest.raises(PackInvalid, match=r"coal_default\.carbon_tc_per_gj: .*one after another"):
        parse_pack(text.encode(), "mine.toml")


def test_a_used_pack_is_bound_by_its_digest() -> None:
    digest = load_pack("hj75/2017").sha256.hex()
    assert digest in raw()
    with pytest.raises(PackInvalid, match=rf"uses\[2\]\.sha256: expected the digest .*{digest}"):
        parse_pack(raw().replace(digest, "0" * 64).encode(), "mine.toml")


def test_a_value_that_changes_needs_its_month() -> None:
    pack = load_pack(POWER)
    with pytest.raises(PackInvalid, match=r"expected a month, for grid\.national, got 4 values"):
        pack.constant("grid.national")
    with pytest.raises(PackInvalid, match="valid in 2018-01, got 0 values"):
        pack.constant("grid.national", Month(2018, 1))
    assert not pack.has("grid.national", Month(2018, 1))


def test_constants_under_a_name_are_those_of_the_month() -> None:
    diesel = load_pack().constants_under("fuel.diesel")
    assert list(diesel) == ["ncv_gj_per_t", "carbon_tc_per_gj", "oxidation_percent"]
    grid = load_pack().constants_under("grid.province", Month(2023, 1))
    assert set(grid) == {"guangdong", "sichuan", "shandong"}


@pytest.mark.parametrize("name", ["nowhere", "hj75", "../packs/hj75/2017", "hj75/2017.toml", ""])
def test_only_names_of_packs_are_read(name: str) -> None:
    with pytest.raises(PackInvalid, match="expected the name of a standard pack"):
        load_pack(name)


def test_what_a_pack_lacks_is_named() -> None:
    pack = load_pack()
    for missing in (pack.label, pack.decimals, pack.deadline, pack.constant):
        with pytest.raises(PackInvalid, match=r"cets_power/2023-2024: expected .*coffee"):
            missing("coffee")
