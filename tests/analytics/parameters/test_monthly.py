"""The parameters of a month: worked by hand, and each way in which a source may fail."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.months import DATA, REPORT, book, codes, files, month, one, parameters, said
from analytics.months import given as given_month
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.parameters.attachments import Attachment
from tanzheng.analytics.parameters.coal import weighted
from tanzheng.analytics.parameters.example import Row, daily_rows, example_rows
from tanzheng.analytics.parameters.flaws import BookInvalid, PlanInvalid, RecordInvalid
from tanzheng.analytics.parameters.selection import Candidate, Status, choose
from tanzheng.core.calendar import Month

REPORT_ROW = example_rows()["lab"][0]
STOCK_ROW = example_rows()["stock"][0]
NCV = Decimal("20.701")
DEFAULT = Decimal("0.6386")  # 20.701 × 0.03085 = 0.638626


def lab(**changed: str) -> dict[str, list[Row]]:
    return {"lab": [{**REPORT_ROW, **changed}]}


def test_the_example_by_hand() -> None:
    result = month()
    values = {item.name: item.value for item in result.parameters}
    # Σ of the sheet: 31 × 8070.40 + 37 × (4 × 21 + 0 + 1 + 2) − 11 × (6 × 10 + 0) = 252741.40
    assert values["coal_t"] == Decimal("252741.40")
    # 0.6134 × (100 − 11.30) / (100 − 2.85) = 0.560049… → 0.5600
    assert values["coal_carbon_tc_per_t"] == Decimal("0.5600")
    assert values["generation_mwh"] == Decimal("512804.160")
    assert values["heat_supplied_gj"] == Decimal("85210.50")
    assert {item.status for item in result.parameters} == {Status.VALID}
    # 61250 + 249800 − 0 − 58310 = 252740
    assert codes(result) == ["stock_differs"]
    assert "the stock ledger 252740.00 t, as fired 252741.40 t: +1.40 t apart" in said(result)
    carbon = one(result, "coal_carbon_tc_per_t")
    assert carbon.source == carbon.source_filed == "monthly_composite"
    assert carbon.references[0].place == "rows 2–2"


def test_heating_value_is_weighted_by_coal() -> None:
    rows = daily_rows()
    products = [Decimal(r["coal_t"]) * Decimal(r["coal_ncv_gj_per_t"]) for r in rows]
    exact = sum(products, Decimal(0)) / sum((Decimal(r["coal_t"]) for r in rows), Decimal(0))
    assert one(month(), "coal_ncv_gj_per_t").value == exact.quantize(Decimal("0.001")) == NCV
    # 100 t of 20 and 300 t of 24: (2000 + 7200) / 400 = 23
    assert weighted([(Decimal(20), Decimal(100)), (Decimal(24), Decimal(300))]) == 23


@pytest.mark.parametrize(
    ("changed", "asked", "zh"),
    [
        ({"cma_number": ""}, "cma_number: expected a CMA or CNAS number, got none", "CMA 或 CNAS"),
        ({"obtained_on": "2025-05-11"},
         "by 2025-05-10, 40 days after month end, got 2025-05-11, day 41", "40 日内"),
        ({"coal_sulphur_ad_percent": ""}, "coal_sulphur_ad_percent: expected a value", "同一样品"),
        ({"coal_hydrogen_ad_percent": ""}, "coal_hydrogen_ad_percent: expected", "同一样品"),
        ({"coal_ncv_gj_per_t": ""}, "coal_ncv_gj_per_t: expected a value", "同一样品"),
        ({"coal_carbon_ad_tc_per_t": ""}, "coal_carbon_ad_tc_per_t: expected", "同一样品"),
        ({"coal_moisture_percent": ""}, "coal_moisture_percent: expected", "同一样品"),
        ({"coal_moisture_ad_percent": ""}, "coal_moisture_ad_percent: expected", "同一样品"),
        ({"sampled_on": "2025-02-28"}, "sampled_on: expected a sample of 2025-03", "不在当月"),
        ({"sampled_on": "2025-04-01"}, "sampled_on: expected a sample of 2025-03", "不在当月"),
        ({"tested_on": "2025-04-10"},
         "reported_on: expected reported_on on or after tested_on 2025-04-10, got 2025-04-09",
         "颠倒"),
        ({"file": ""}, "file: expected the report's scan among the attachments, got none",
         "扫描件"),
        ({"file": "attachments/x.pdf"}, "got 'attachments/x.pdf'", "扫描件"),
    ],
)  # fmt: skip
def test_a_report_that_does_not_count(changed: dict[str, str], asked: str, zh: str) -> None:
    result = month(lab(**changed))
    carbon = one(result, "coal_carbon_tc_per_t")
    assert (carbon.value, carbon.source, carbon.status) == (DEFAULT, "default", Status.DEFAULT)
    assert carbon.why_en == "monthly composite not valid: default"
    (found,) = [item for item in result.findings if item.code == "report_not_valid"]
    assert found.en.startswith("book.csv, cell ")
    assert asked in found.en
    assert "treated as not measured" in found.en
    assert zh in found.zh
    assert "default_used" in codes(result)


def test_the_fortieth_day_counts_and_cnas_alone_does() -> None:
    result = month(lab(obtained_on="2025-05-10", cma_number="", cnas_number="L1234"))
    assert one(result, "coal_carbon_tc_per_t").status is Status.VALID


def test_a_report_used_before_or_under_two_numbers() -> None:
    digest = Attachment.of(REPORT, files()[REPORT]).sha256
    result = month(known={digest: "unit-2 2025-02"})
    assert one(result, "coal_carbon_tc_per_t").status is Status.DEFAULT
    assert "expected a report not used before, got one used for unit-2 2025-02" in said(result)
    twice = [REPORT_ROW, {**REPORT_ROW, "report_id": "HX-2"}]
    result = month({"lab": twice})
    assert one(result, "coal_carbon_tc_per_t").status is Status.DEFAULT
    assert "expected one scan a report" in said(result)


def test_a_default_below_the_figure_at_hand_is_said() -> None:
    result = month(lab(cma_number="", coal_carbon_ad_tc_per_t="0.8000"))
    assert one(result, "coal_carbon_tc_per_t").value == DEFAULT
    assert "default_below_figure" in codes(result)


def test_two_composites_take_the_larger() -> None:
    other = {**REPORT_ROW, "report_id": "HX-2", "coal_carbon_ad_tc_per_t": "0.62",
             "file": "attachments/INV-0307.txt"}  # fmt: skip
    result = month({"lab": [REPORT_ROW, other]})
    carbon = one(result, "coal_carbon_tc_per_t")
    # 0.62 × 88.7 / 97.15 = 0.566073
    assert (carbon.value, carbon.status) == (Decimal("0.5661"), Status.CONSERVATIVE)
    assert "composite_more_than_one" in codes(result)


def test_batches_are_weighted_and_the_rest_takes_the_default() -> None:
    scans = ("attachments/HX-2025-0417.txt", "attachments/INV-0307.txt")
    rows = [
        {**REPORT_ROW, "tier": "batch", "report_id": f"B{n}", "sample_id": f"B{n}", "file": scan,
         "coal_t": mass, "coal_carbon_ad_tc_per_t": value}
        for n, (scan, mass, value) in enumerate(
            [(scans[0], "100000", "0.6000"), (scans[1], "52741.40", "0.6200")]
        )
    ]  # fmt: skip
    filed = ('coal_carbon_tc_per_t = "monthly_composite"', 'coal_carbon_tc_per_t = "batch"')
    carbon = one(month({"lab": rows}, filed), "coal_carbon_tc_per_t")
    # 0.60 × 0.913021 = 0.547813 on 100000 t, 0.62 × 0.913021 = 0.566073 on 52741.40 t,
    # 0.6386 on the remaining 100000 t: (54781.27 + 29855.48 + 63860) / 252741.40 = 0.587544
    assert (carbon.value, carbon.status) == (Decimal("0.5875"), Status.CONSERVATIVE)
    rows[1]["coal_t"] = "152741.40"
    # (54781.27 + 86462.77) / 252741.40 = 0.558848
    carbon = one(month({"lab": rows}, filed), "coal_carbon_tc_per_t")
    assert (carbon.value, carbon.status) == (Decimal("0.5588"), Status.VALID)


def test_a_day_without_heating_value_takes_the_largest() -> None:
    rows = [dict(row) for row in daily_rows()]
    rows[4]["coal_ncv_gj_per_t"] = ""
    result = month({"daily": rows})
    heat = one(result, "coal_ncv_gj_per_t")
    assert heat.status is Status.CONSERVATIVE
    assert heat.value is not None
    assert heat.value >= NCV
    assert "for 2025-03-05: the largest of the month, 20.806 GJ/t, stands in" in said(result)


def test_no_heating_value_at_all_takes_the_default() -> None:
    rows = [{**row, "coal_ncv_gj_per_t": ""} for row in daily_rows()]
    result = month({"daily": rows})
    heat = one(result, "coal_ncv_gj_per_t")
    assert (heat.value, heat.status) == (Decimal("26.700"), Status.DEFAULT)


def test_a_scale_without_certificate_takes_the_larger_figure() -> None:
    result = month(records=("valid_to = 2025-06-09", "valid_to = 2025-03-20"))
    coal = one(result, "coal_t")
    assert (coal.value, coal.status) == (Decimal("252741.40"), Status.CONSERVATIVE)
    assert "belt-scale-1, class 0.5 or better, for 2025-03-21 to 2025-03-31 (11 days), got " in (
        said(result)
    )
    assert "belt-scale-1-2024 (2024-06-10 to 2025-03-20, class 0.5)" in said(result)
    more = {"stock": [{**STOCK_ROW, "coal_closing_stock_t": "50000.00"}]}
    result = month(more, records=("valid_to = 2025-06-09", "valid_to = 2025-03-30"))
    coal = one(result, "coal_t")
    assert (coal.value, coal.source) == (Decimal("261050.00"), "stock_ledger")
    assert coal.status is Status.CONSERVATIVE


def test_a_certificate_of_a_worse_class_does_not_count() -> None:
    changed = ('accuracy_class = "0.5"\nattachment', 'accuracy_class = "1.0"\nattachment')
    result = month(records=changed)
    assert one(result, "coal_t").status is Status.CONSERVATIVE
    assert "class 1.0)" in said(result)


def test_a_calorimeter_without_certificate_takes_the_default() -> None:
    changed = ("valid_from = 2024-09-01", "valid_from = 2025-04-01")
    heat = one(month(records=changed), "coal_ncv_gj_per_t")
    assert (heat.value, heat.status) == (Decimal("26.700"), Status.DEFAULT)
    some = ("valid_from = 2024-09-01", "valid_from = 2025-03-05")
    heat = one(month(records=some), "coal_ncv_gj_per_t")
    assert heat.status is Status.CONSERVATIVE
    assert heat.value is not None
    assert heat.value >= NCV


def test_a_missing_day_stands_in_with_the_largest_and_is_not_valid() -> None:
    result = month({"daily": daily_rows()[:-1]})
    coal = one(result, "coal_t")
    assert coal.status is Status.CONSERVATIVE
    assert coal.value is not None
    assert coal.value > Decimal("252741.40")
    assert "expected a line for each of 31 days, got none for 2025-03-31" in said(result)


def test_the_stock_ledger_where_it_is_filed_though_the_scale_is_at_hand() -> None:
    result = month(plan=('coal_t = "as_fired"', 'coal_t = "stock_ledger"'))
    coal = one(result, "coal_t")
    assert (coal.value, coal.status) == (Decimal("252740.00"), Status.VALID)
    assert "better_source_at_hand" in codes(result)


def test_a_generator_meter_that_fails_takes_the_smaller_figure() -> None:
    outputs = [{**example_rows()["power_outputs"][0], "generation_mwh": "500000.000"}]
    gated = ("valid_to = 2029-04-30", "valid_to = 2025-03-01")
    generation = one(month({"power_outputs": outputs}, records=gated), "generation_mwh")
    assert (generation.value, generation.source) == (Decimal("500000.000"), "document")
    alone = one(month(records=gated), "generation_mwh")
    assert (alone.value, alone.status) == (Decimal("512804.160"), Status.CONSERVATIVE)
    part = month(records=("last = 2025-03-31", "last = 2025-03-30"))
    assert one(part, "generation_mwh").status is Status.CONSERVATIVE
    assert "meter_total_not_valid" in codes(part)
    short = month(records=("covered_hours = 744", "covered_hours = 700"))
    assert one(short, "generation_mwh").status is Status.VALID
    assert "expected readings in 744 hours, got 700" in said(short)


def test_nothing_recorded_is_missing_not_zero() -> None:
    result = month({"power_outputs": []})
    heat = one(result, "heat_supplied_gj")
    assert (heat.value, heat.status) == (None, Status.MISSING)
    assert "parameter_missing" in codes(result)
    april = month(of=Month(2025, 4))
    assert one(april, "coal_t").status is Status.MISSING
    assert one(april, "generation_mwh").value is None


def test_a_parameter_that_is_not_filed_is_not_used() -> None:
    result = month(plan=('heat_supplied_gj = "document"\n', ""))
    assert "heat_supplied_gj" not in {item.name for item in result.parameters}
    assert "source_not_filed" in codes(result)


def test_stock_and_invoices_are_compared() -> None:
    february = {**STOCK_ROW, "month": "2025-02", "coal_closing_stock_t": "61000.00"}
    result = month({"stock": [february, STOCK_ROW]},
                   records=('"124600.00"', '"124000.00"'))  # fmt: skip
    assert "last month's closing stock 61000.00 t, this month's opening stock 61250.00 t" in (
        said(result)
    )
    assert "2 invoices 249200.00 t, the ledger 249800.00 t: +600.00 t apart" in said(result)


def test_a_figure_in_two_documents_is_refused() -> None:
    entry = """[[manual]]
id = "m1"
parameter = "heat_supplied_gj"
value = "85210.50"
unit = "GJ"
entered_by = "Li"
entered_on = 2025-04-02
reason = "settlement"
attachment = "attachments/INV-0307.txt"
"""
    both = ("[[invoice]]", f"{entry}\n[[invoice]]")
    with pytest.raises(RecordInvalid, match="heat_supplied_gj: expected one document of 2025-03"):
        month(records=both)
    alone = one(month({"power_outputs": []}, records=both), "heat_supplied_gj")
    assert (alone.value, alone.references[0].place) == (Decimal("85210.50"), "m1")


def test_the_same_day_in_two_books() -> None:
    twice = replace(given_month(), books=tuple(book("daily", daily_rows()[:1]) for _ in range(2)))
    with pytest.raises(BookInvalid, match="expected 2025-03-01 once, got it again"):
        parameters(twice)


def test_a_month_before_the_plan() -> None:
    with pytest.raises(PlanInvalid, match="expected a version valid from 2024-12-01 or before"):
        month(of=Month(2024, 12))


figures = st.decimals(0, 10**6, places=3)
tiers = st.sampled_from(["as_fired", "stock_ledger"])


@settings(deadline=None)
@given(
    st.dictionaries(tiers, st.tuples(figures, st.sampled_from([Status.VALID, Status.MISSING]))),
    tiers,
)
def test_no_choice_is_below_the_safe_side(
    at_hand: dict[str, tuple[Decimal, Status]], filed: str
) -> None:
    candidates = [Candidate(tier, value, status, ()) for tier, (value, status) in at_hand.items()]
    parameter = DATA.parameters["coal_t"]
    chosen, found = choose(parameter, filed, candidates, None, DATA)
    if filed in at_hand and at_hand[filed][1] is Status.VALID:
        assert chosen.source == filed
    elif at_hand:
        assert chosen.value is not None
        assert chosen.value >= max(value for value, _ in at_hand.values()) - Decimal("0.005")
        assert found
    else:
        assert (chosen.value, chosen.status) == (None, Status.MISSING)


def test_defaults_are_those_of_the_pack() -> None:
    pack = load_pack("cets_power/2023-2024")
    for own, name in (
        ("coal_ncv_gj_per_t", "coal_default.ncv_gj_per_t"),
        ("coal_carbon_tc_per_gj", "coal_default.carbon_tc_per_gj"),
    ):
        assert DATA.default(own).value == pack.constant(name, Month(2024, 6)).value
    assert DATA.report.obtained_days == pack.deadline("monthly_evidence").days
