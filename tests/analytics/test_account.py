"""`tanzheng account`: documents in and out, schemas, what is refused, what a reader sees."""

import json
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tanzheng.analytics.accounting.document import BYTES_MAX, loads
from tanzheng.analytics.accounting.engine import account_document
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.accounting.report import AccountOut, schemas
from tanzheng.cli.main import app
from tanzheng.core.errors import BadInput

MONTH: dict[str, Any] = {
    "sector": "power",
    "unit": "1",
    "month": "2024-03",
    "unit_class": "coal_over_300mw",
    "coals": [{"coal": "bituminous", "coal_t": 1000, "coal_ncv_gj_per_t": 20.5}],
    "fuels": [{"fuel": "diesel", "fuel_t": 1}],
}


def raw(*months: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"version": 1, "enterprise": "E", "months": months, **more}).encode()


def test_units_and_months_add_up() -> None:
    """A6: 1000 t → 20.500 × 0.03085 = 0.632425 → 0.6324; × 1000 × 0.99 × 44/12 = 2295.61(2)."""
    coal = {**MONTH, "fuels": []}
    result = account_document(
        raw(
            {**coal, "unit": "2"},
            coal,
            {**coal, "month": "2024-04"},
            {**coal, "month": "2023-12"},
        ),
        "in.json",
    )
    assert [month.figures[0].value for month in result.months] == [Decimal("2295.61")] * 4
    year_2023, year_2024 = result.totals
    assert (year_2023.of, year_2023.value) == ("power 2023", Decimal("2295.61"))
    assert (year_2024.of, year_2024.value) == ("power 2024", Decimal("6886.83"))
    assert [(unit.of, unit.value) for unit in year_2024.inputs] == [
        ("1", Decimal("4591.22")),
        ("2", Decimal("2295.61")),
    ]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.decimals(0, 10**6, places=3), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_sums_are_additive_and_know_no_order(tonnes: list[Decimal], random: Any) -> None:
    months = [
        {**MONTH, "unit": str(i), "coals": [{"coal_t": str(t)}]} for i, t in enumerate(tonnes)
    ]
    alone = sum(account_document(raw(m), "x").months[0].figures[0].value for m in months)
    mixed = random.sample(months, len(months))
    assert account_document(raw(*mixed), "x").totals == account_document(raw(*months), "x").totals
    assert account_document(raw(*mixed), "x").totals[0].value == alone


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fuels": [{"fuel": "diesel", "fuel_t": -1}]},
         "months[0].fuels[0].fuel_t: expected greater than or equal to 0, got -1"),
        ({"coals": [{"coal_t": 1, "coal_ncv_gj_per_t": "1,234"}]},
         "months[0].coals[0].coal_ncv_gj_per_t: expected a decimal, got 1,234"),
        ({"coals": [{"coal_t": "NaN"}]},
         "months[0].coals[0].coal_t: expected a finite number, got NaN"),
        ({"coals": [{"coal_t": "1e13"}]}, "expected less than or equal to 1000000000000, got 1e13"),
        ({"coals": [{"coal_t": 1, "coal_carbon_tc_per_t": 1.01}]}, "less than or equal to 1, got"),
        ({"coals": [{"coal_t": 1, "days": [{"of": "1", "coal_t": 1}]}]},
         "months[0].coals[0]: expected either coal_t or days"),
        ({"coals": [{"coal_t": 1, "coal_carbon_tc_per_t": 0.5, "coal_carbon_d_tc_per_t": 0.6}]},
         "months[0].coals[0]: expected carbon on one basis, got several"),
        ({"coals": [{"coal_t": True}]}, "months[0].coals[0].coal_t: expected "),
        ({"ncv": 1}, "months[0].ncv: expected a name of the schema, got one it does not know"),
        ({"unit_class": "coal"}, "months[0].unit_class: expected 'coal_over_300mw', "),
        ({"month": "2024-13"}, "months[0].month: expected a month of 1970 to 9998, got 2024-13"),
        ({"sector": "paper"}, "months[0].sector: expected one of ['power'"),
        ({"standard": "cets_power/1999"}, "expected the name of a standard pack (cets_"),
        ({"standard": "../../etc/passwd"}, "expected the name of a standard pack (cets_"),
        ({"standard": "cets_fuel/2022"}, "expected a pack of sector power, got cets_fuel/2022"),
        ({"standard": "cets_power/2019-2020"}, "expected a pack valid in 2024-03, got cets_power"),
        ({"month": "2018-07"}, "valid in 2018-07, got none"),
        ({"month": "2025-01"}, "a draft is there, name it to use it: cets_power/2025-2026"),
    ],
)  # fmt: skip
def test_bad_months_are_refused_with_their_path(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        account_document(raw({**MONTH, **change}), "in.json")
    assert message in str(caught.value)


def test_a_month_twice_is_refused() -> None:
    with pytest.raises(BadInput, match=r"months\[1\]: .* got 1 2024-03 again .first in months\[0"):
        account_document(raw(MONTH, MONTH), "in.json")


def test_all_that_is_wrong_is_told_at_once() -> None:
    bad = {**MONTH, "coals": [{"coal_t": -1}], "fuels": [{"fuel": "diesel", "fuel_t": -2}]}
    with pytest.raises(BadInput) as caught:
        account_document(raw(bad), "in.json")
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "months[0].coals[0].coal_t",
        "months[0].fuels[0].fuel_t",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b'{"a": NaN}', "the number NaN"),
        (b'{"a": -Infinity}', "the number -Infinity"),
        (b'{"a": 1' + b"0" * 60 + b"}", "characters"),
        (b"[" * 40 + b"]" * 40, "32 levels"),
        (b"[" * 100_000, "32 levels"),
        (b"{", "expected JSON"),
        (b"\xff\xfe", "expected UTF-8"),
        (b"[]", "got a list"),
        (b'{"version": 2, "enterprise": "E", "months": []}', "version: expected 1, got 2"),
    ],
)
def test_bad_documents_are_refused(text: bytes, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        account_document(text, "in.json")
    assert message in str(caught.value)


def test_too_much_is_refused() -> None:
    with pytest.raises(BadInput, match="at most 16777216 bytes"):
        loads(b" " * (BYTES_MAX + 1), "in.json")


def test_brackets_in_text_are_no_levels() -> None:
    assert loads(b'{"a": "' + b"[" * 100 + b'\\"["}', "x") == {"a": "[" * 100 + '"['}


@given(st.decimals(0, 10**6, places=9, allow_nan=False))
def test_numbers_lose_no_digit(value: Decimal) -> None:
    assert loads(f'{{"a": {value:f}}}'.encode(), "x")["a"] == value
    assert loads(f'{{"a": {value:f}}}'.encode(), "x") == {"a": value}


@settings(deadline=None, max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    )
)
def test_any_json_is_computed_or_refused_by_name(value: object) -> None:
    for document in (value, {"version": 1, "enterprise": "E", "months": [value]}):
        with pytest.raises(BadInput):
            account_document(json.dumps(document).encode(), "in.json")


# ---------------------------------------------------------------- what comes out


def test_the_result_names_every_pack_it_rests_on() -> None:
    shown = account_document(raw(MONTH), "in.json").to_json()
    assert shown["packs"] == [
        load_pack(name).to_json()
        for name in ("cets_fuel/2022", "cets_grid/2025", "cets_power/2023-2024", "hj75/2017")
    ]
    assert str(shown["software"]).startswith("tanzheng-analytics ")


def test_unverified_values_and_defaults_are_told() -> None:
    result = account_document(raw({**MONTH, "coals": [{"coal_t": 5}]}), "in.json")
    told = {(warning.code, warning.what) for warning in result.warnings}
    assert ("unverified", "coal_default.ncv_gj_per_t") in told
    assert ("default", "coal_default.ncv_gj_per_t") in told
    assert ("default", "coal_default.carbon_tc_per_gj") in told
    carbon = result.months[0].figures[0].find("coal_carbon_tc_per_gj")
    assert carbon.source is not None
    assert not carbon.source.unverified


def test_a_draft_is_used_by_name_only_and_says_so() -> None:
    heat = {"heat_supplied_gj": 1, "boiler_heat_gj": 10, "generation_mwh": 9}
    drafted = {**MONTH, **heat, "month": "2025-01", "standard": "cets_power/2025-2026"}
    shown = account_document(raw(drafted), "in.json").to_json()
    packs: Any = shown["packs"]
    assert {pack["name"]: pack["status"] for pack in packs}["cets_power/2025-2026"] == "draft"
    warnings: Any = shown["warnings"]
    assert "standard_coal.gj_per_tce" in {w["what"] for w in warnings if w["code"] == "draft"}


def test_the_output_has_the_published_shape() -> None:
    result = account_document(raw(MONTH, {**MONTH, "unit": "2"}), "in.json")
    AccountOut.model_validate_json(json.dumps(result.to_json()))


@pytest.mark.parametrize("name", sorted(schemas()))
def test_published_schemas_are_fresh(name: str) -> None:
    file = resources.files("tanzheng.analytics") / "schemas" / name
    fresh = json.dumps(schemas()[name], ensure_ascii=False, indent=2) + "\n"
    assert file.read_text() == fresh, "run python -m tanzheng.analytics.accounting.report"


# ---------------------------------------------------------------- the command


def run(tmp_path: Path, *options: str, document: bytes | None = None) -> Any:
    (tmp_path / "in.json").write_bytes(document or raw(MONTH))
    return CliRunner().invoke(
        app, ["account", str(tmp_path / "in.json"), *options], env={"COLUMNS": "110"}
    )


def test_a_person_sees_figures_packs_and_warnings(tmp_path: Path) -> None:
    shown = run(tmp_path).output
    for words in (
        "CO2 of bituminous coal",
        "烟煤排放量",
        "2,298.71",
        "cets_power/2023-2024",
        "M 95%",
    ):
        assert words in shown


def test_explain_puts_the_numbers_in(tmp_path: Path) -> None:
    shown = run(tmp_path, "--explain").output
    for words in ("= 1000.00 × 0.6324 × 99/100 × 44/12", "= 20.500 × 0.03085", "未核对", "S1"):
        assert words in shown


def test_json_is_for_machines(tmp_path: Path) -> None:
    shown = json.loads(run(tmp_path, "--json").output)
    assert shown["months"][0]["figures"][0]["value"] == "2298.71"
    assert shown["totals"][0]["value"] == "2298.71"
    AccountOut.model_validate_json(json.dumps(shown))


def test_both_ways_at_once_is_refused(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path, "--json", "--explain").exception, BadInput)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    caught = CliRunner().invoke(app, ["account", str(tmp_path / "none.json")]).exception
    assert isinstance(caught, BadInput)
    assert "none.json" in str(caught)
