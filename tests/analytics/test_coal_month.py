"""The month of a coal unit: output by signed readings, fuel by the books, figures by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from analytics import plants
from analytics.chains import sign_chain
from analytics.coal_plants import (
    DAILY,
    LAB,
    MONTH,
    OUTPUTS,
    PLAN_TOML,
    PLANT,
    PLANT_TOML,
    ROWS,
    SLOT_MS,
    STANDARD,
    START_MS,
    STOCK,
    computed,
    folder,
    listed,
    plant_toml,
    readings,
)
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.closing import Deposit, close
from tanzheng.analytics.errors import BooksForeign, BooksMissing, BooksUnneeded, PackInvalid
from tanzheng.analytics.month import compute, standard_of
from tanzheng.analytics.parameters.attachments import ATTACHMENTS
from tanzheng.analytics.parameters.flaws import AttachmentWrong, PlanInvalid, RecordInvalid
from tanzheng.analytics.parameters.records import RECORDS
from tanzheng.analytics.parameters.selection import MonthlyParameter, Status
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import Series
from tanzheng.core.calendar import DAY_MS, Month
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant

DRAFT = "cets_power/2025-2026"
METER_TOTAL = """
[[meter_total]]
id = "by-hand"
parameter = "{0}"
meter = "meter"
value = "1.00"
unit = "{1}"
first = 2023-02-01
last = 2023-02-28
covered_hours = 672
attachment = "scans/meter.pdf"
"""


def texts(result: MonthResult) -> dict[str, str]:
    return {name: str(value) for name, value in result.values().items()}


def codes(result: MonthResult) -> list[str]:
    return [finding.code for finding in result.findings]


def failed(result: MonthResult) -> list[str]:
    return [item.id for item in result.rule_results if item.outcome == "failed"]


def chosen(result: MonthResult, name: str) -> MonthlyParameter:
    assert result.filed is not None
    return next(item for item in result.filed.month.parameters if item.name == name)


def test_a_month_computed_by_hand() -> None:
    result = computed(folder())
    assert texts(result) == {
        "rated_capacity_mw": "600.000",
        "generation_mwh": "336000.000",  # 500 MW × 672 h
        "heat_supplied_gj": "0.00",
        "operating_hours_h": "672.00",
        "load_factor_percent": "83.33",  # 336,000 ÷ (600 × 672)
        "coal_t": "140000.00",
        "coal_ncv_gj_per_t": "21.000",
        "coal_carbon_tc_per_t": "0.5600",  # 0.6160 × 90 ÷ 99
        "oxidation_percent": "99",
        "heat_share_percent": "0.00",
        "coal_equivalent_tce": "100315.28",  # 140,000 × 21 ÷ 29.3076
        "gross_coal_rate_tce_per_mwh": "0.2986",
        "co2_calculated_t": "284592.00",  # 140,000 × 0.56 × 0.99 × 44/12
        "co2_intensity_t_per_mwh": "0.8470",
        "co2_cems_t": "284928.00",  # 424 t/h × 672 h
        "coverage_percent": "100.00",
    }
    assert codes(result) == failed(result) == []
    closing = close(result, STANDARD.pack, STANDARD.rules, MONTH.last_day.replace(day=28))
    assert closing.deposit is Deposit.BLOCKED  # the month's last day has not passed
    assert not [hour for hour in result.hours if hour.fuel_gas_1e4nm3 is not None]
    assert {str(hour.generation_mwh) for hour in result.hours} == {"500.000000"}


def test_where_each_figure_comes_from_is_told() -> None:
    result = computed(folder())
    assert result.filed is not None
    shown = {item.name: (item.source, str(item.status)) for item in result.filed.month.parameters}
    assert shown == {
        "coal_t": ("as_fired", "valid"),
        "coal_ncv_gj_per_t": ("as_fired", "valid"),
        "coal_carbon_tc_per_t": ("monthly_composite", "valid"),
        "generation_mwh": ("metered", "valid"),
        "heat_supplied_gj": ("document", "valid"),
        "operating_hours_h": ("metered", "valid"),
    }
    (reference,) = chosen(result, "generation_mwh").references
    assert (reference.file, reference.place) == ("data/batches/gw1.cborseq", plants.ENERGY)


# ------------------------------------------------------------------ sources that do not hold


def test_an_expired_certificate_of_the_meter_is_found_and_the_safe_side_taken() -> None:
    """The metered figure is the only one at hand: it stands in, and the deposit needs a reason."""
    records = folder()[RECORDS].decode()
    at = records.index('meter = "meter"')
    text = records[at : records.index("accuracy_class", at)]
    result = computed(folder(records=(text, text.replace("2023-05-31", "2023-02-10"))))
    assert chosen(result, "generation_mwh").status is Status.CONSERVATIVE
    assert codes(result) == ["certificate_missing", "source_below_filed"]
    assert "2023-02-11 to 2023-02-28 (18 days)" in result.findings[0].en
    assert failed(result) == ["COAL-L07"]


def test_another_meter_than_the_filed_one_does_not_count() -> None:
    """The certificate is that of the filed meter: it says nothing of the one that was read."""
    plan = ('id = "meter"', 'id = "meter-2"')
    books = folder(plan=plan, records=('meter = "meter"', 'meter = "meter-2"'))
    books["plan.toml"] = books["plan.toml"].replace(b'_mwh = "meter"', b'_mwh = "meter-2"')
    result = computed(books)
    assert codes(result) == ["meter_foreign", "source_below_filed"]
    assert "meter-2, got those of device meter" in result.findings[0].en
    assert chosen(result, "generation_mwh").status is Status.CONSERVATIVE


def test_the_smaller_of_document_and_uncertified_meter_counts() -> None:
    books = folder(
        records=('meter = "meter"', 'meter = "scale-2"'),
        rows={OUTPUTS: [{**ROWS[OUTPUTS][0], "generation_mwh": "335000.000"}]},
    )
    result = computed(books)
    assert texts(result)["generation_mwh"] == "335000.000"
    assert chosen(result, "generation_mwh").source == "document"


def test_generation_filed_as_document_is_taken_from_the_books() -> None:
    rows = {OUTPUTS: [{**ROWS[OUTPUTS][0], "generation_mwh": "330000.000"}]}
    plan = ('generation_mwh = "metered"', 'generation_mwh = "document"')
    result = computed(folder(plan=plan, rows=rows))
    assert texts(result)["generation_mwh"] == "330000.000"
    assert texts(result)["load_factor_percent"] == "81.85"
    assert codes(result) == ["better_source_at_hand"]
    assert failed(result) == ["COAL-L09"]  # 336,000 MWh by the signed readings


def test_a_meter_total_beside_signed_readings_is_refused() -> None:
    for name, unit in (("generation_mwh", "MWh"), ("operating_hours_h", "h")):
        total = METER_TOTAL.format(name, unit)
        with pytest.raises(RecordInvalid, match=f"by-hand: expected {name} from the signed"):
            computed(folder(records=("\n[[certificate]]", f"{total}\n[[certificate]]")))


def test_carbon_that_was_not_measured_takes_the_default_of_the_pack() -> None:
    """21.000 GJ/t × 0.03085 tC/GJ = 0.6479 tC/t; × 140,000 × 0.99 × 44/12 = 329,262.78 t."""
    late = [{**ROWS[LAB][0], "obtained_on": "2023-04-10"}]  # day 41
    result = computed(folder(rows={LAB: late}))
    values = texts(result)
    assert values["coal_carbon_tc_per_t"] == "0.6479"
    assert values["co2_calculated_t"] == "329262.78"
    assert codes(result) == ["report_not_valid", "default_used"]
    assert failed(result) == ["COAL-S02", "COAL-L02"]


def test_a_unit_with_heat_shares_coal_and_carbon_by_hand() -> None:
    """a = 294,000 ÷ 2,646,000 = 11.11 %; 88.89 % of both for electricity, the rest for heat."""
    line = 'heat_supplied_gj = "document"'
    rows = {
        OUTPUTS: [
            {
                **ROWS[OUTPUTS][0],
                "heat_supplied_gj": "294000.00",
                "boiler_heat_gj": "2646000.00",
            }
        ]
    }
    plan = (line, f'{line}\nboiler_heat_gj = "document"')
    result = computed(folder(plan=plan, rows=rows))
    values = texts(result)
    assert values["heat_share_percent"] == "11.11"
    assert values["gross_coal_rate_tce_per_mwh"] == "0.2654"  # 0.8889 × 100,315.28 ÷ 336,000
    assert values["heat_coal_rate_tce_per_gj"] == "0.0379"  # 0.1111 × 100,315.28 ÷ 294,000
    assert values["co2_intensity_t_per_mwh"] == "0.7529"
    assert values["co2_intensity_t_per_gj"] == "0.1075"
    assert codes(result) == failed(result) == []


def test_heat_without_its_share_leaves_out_what_needs_it() -> None:
    rows = {OUTPUTS: [{**ROWS[OUTPUTS][0], "heat_supplied_gj": "85210.50"}]}
    result = computed(folder(rows=rows))
    assert texts(result)["heat_supplied_gj"] == "85210.50"
    assert not {"gross_coal_rate_tce_per_mwh", "co2_intensity_t_per_mwh"} & result.values().keys()
    assert codes(result) == ["heat_share_unknown"]
    outcomes = {item.id: item.outcome for item in result.rule_results}
    assert outcomes["COAL-T04"] == outcomes["COAL-E07"] == "not_applicable"
    assert outcomes["COAL-E04"] == "passed"


def test_more_energy_than_the_coal_had_blocks_the_month() -> None:
    lean = [{**row, "coal_t": "2000.00"} for row in ROWS[DAILY]]
    result = computed(folder(rows={DAILY: lean}))
    assert {"COAL-E04", "COAL-E07", "COAL-L02", "COAL-L08"} <= set(failed(result))


def test_a_figure_without_any_record_is_named() -> None:
    with pytest.raises(BadInput, match="heat_supplied_gj: expected a value, got none"):
        computed(folder(rows={OUTPUTS: [{"month": "2023-02", "generation_mwh": "336000.000"}]}))


# ------------------------------------------------------------------ books of something else


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "G1"', 'unit = "G2"', "unit: expected G1 as in the plant file, got G2"),
        ('"TEST-1"', '"TEST-2"', "enterprise: expected TEST-1"),
        ('_mw = "600"', '_mw = "601"', "rated_capacity_mw: expected 600 .* got 601"),
        ('"coal_over_300mw"', '"gas"', "unit_class: expected coal .* got gas"),
    ],
)
def test_books_of_another_unit_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(BooksForeign, match=message):
        computed(folder(plan=(old, new)))


def test_a_plan_that_the_plant_file_does_not_name_is_refused() -> None:
    """The plant file is pinned by the verifier, and so is the plan: no source is chosen later."""
    books = folder(plan=('coal_t = "as_fired"', 'coal_t = "stock_ledger"'))
    assert texts(computed(books))["coal_t"] == "140000.00"
    with pytest.raises(BooksForeign, match="expected the plan that the plant file names"):
        computed(books, plant_raw=PLANT_TOML)
    unnamed = PLANT_TOML.replace(b"filed_plan_sha256", b"# ")
    with pytest.raises(BooksForeign, match="of unit G1: none"):
        computed(folder(), plant_raw=unnamed)


@pytest.mark.parametrize("line", ['operating_hours_h = "metered"', 'heat_supplied_gj = "document"'])
def test_a_plan_that_leaves_a_figure_out_is_refused(line: str) -> None:
    name = line.partition(" ")[0]
    with pytest.raises(PlanInvalid, match=f"got none for {name}"):
        computed(folder(plan=(f"{line}\n", f"# {line}\n")))


def test_a_plan_without_the_unit_is_refused() -> None:
    table = PLAN_TOML[PLAN_TOML.index("[facility]") : PLAN_TOML.index("[[meter]]")]
    with pytest.raises(PlanInvalid, match=r"expected a table \[facility\]"):
        computed(folder(plan=(table, "")))


def test_a_book_that_was_changed_after_listing_is_refused() -> None:
    books = folder()
    with pytest.raises(AttachmentWrong, match=r"books/二月日报\.csv: .*changed after"):
        computed({**books, DAILY: books[DAILY].replace(b"5000.00", b"4000.00", 1)})


@pytest.mark.parametrize("name", [ATTACHMENTS, STOCK, RECORDS, "plan.toml"])
def test_a_file_that_is_missing_is_named(name: str) -> None:
    books = {path: data for path, data in folder().items() if path != name}
    with pytest.raises(AttachmentWrong, match=f"{name}: expected"):
        computed(books)


def test_scans_need_not_be_at_hand() -> None:
    books = {path: data for path, data in folder().items() if not path.startswith("scans/")}
    assert computed(books).values() == computed(folder()).values()


# ------------------------------------------------------------------ kinds, rules, standards


def test_a_coal_unit_needs_books_and_a_gas_unit_has_none() -> None:
    with pytest.raises(BooksMissing, match="G1, kind coal: expected the month's books"):
        computed(None)
    gas = plants.record([plants.Run(plants.START_MS, plants.END_MS)], SLOT_MS)
    with pytest.raises(BooksUnneeded, match="G1, kind gas: expected no books"):
        compute(
            plants.PLANT, "G1", plants.MONTH, gas, (), load_pack(), load_rules(), books=folder()
        )


def test_a_coal_unit_with_a_gas_meter_is_refused() -> None:
    both = plants.PLANT_TOML.replace(b'kind = "gas"', b'kind = "coal"')
    with pytest.raises(BadInput, match="both fuels together are not computed"):
        computed(folder(), plant_raw=both)


def test_each_kind_is_judged_by_its_own_rules() -> None:
    with pytest.raises(PackInvalid, match="kind coal: expected the rules coal_unit, got gas_unit"):
        compute(PLANT, "G1", MONTH, readings(), (), STANDARD.pack, load_rules(), books=folder())


def test_the_pack_in_force_or_a_draft_by_its_name() -> None:
    unit = PLANT.unit("G1")
    assert standard_of(unit, MONTH)[0].name == "cets_power/2023-2024"
    with pytest.raises(PackInvalid, match=f"name it to use it: {DRAFT}"):
        standard_of(unit, Month(2025, 2))
    assert standard_of(unit, Month(2025, 2), DRAFT)[0].status == "draft"
    for name in (DRAFT, "cets_cement/2024"):
        with pytest.raises(PackInvalid, match="sector power valid in 2023-02"):
            standard_of(unit, MONTH, name)
    gas = plants.PLANT.unit("G1")
    assert standard_of(gas, plants.MONTH)[1].name == "gas_unit"
    with pytest.raises(PackInvalid, match="kind gas: expected no standard"):
        standard_of(gas, plants.MONTH, DRAFT)
    with pytest.raises(BadInput, match="expected kind gas or coal, got 'wind'"):
        standard_of(replace(unit, kind="wind"), MONTH)


def test_a_month_under_a_draft_needs_an_explanation() -> None:
    """The same plant and books two years later."""
    month = Month(2025, 2)
    books = listed({name: data.replace(b"2023", b"2025") for name, data in folder().items()})
    plant = Plant.parse(plant_toml(books["plan.toml"]))
    pack, rules = standard_of(plant.unit("G1"), month, DRAFT)
    later = month.bounds_ms(plant.zone)[0] - START_MS
    series = {name: Series(s.t_ms + later, s.value, s.quality) for name, s in readings().items()}
    result = compute(plant, "G1", month, series, (), pack, rules, books=books)
    assert texts(result)["co2_calculated_t"] == "284592.00"
    assert failed(result) == ["COAL-S04"]
    assert close(result, pack, rules, date(2025, 3, 20)).deposit is Deposit.EXPLAIN


def test_a_month_that_stands_still_burns_nothing() -> None:
    idle: Mapping[str, list[dict[str, str]]] = {
        DAILY: [{**row, "coal_t": "0.00"} for row in ROWS[DAILY]],
        STOCK: [{**ROWS[STOCK][0], "coal_received_t": "1000.00"}],
    }
    chain = sign_chain(readings([]), span_ms=DAY_MS, plant=PLANT)
    result = computed(folder(rows=idle), chain)
    values = result.values()
    assert values["generation_mwh"] == values["co2_calculated_t"] == values["co2_cems_t"] == 0
    assert values["operating_hours_h"] == Decimal("0.00")
