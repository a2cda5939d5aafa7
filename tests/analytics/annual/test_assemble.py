"""What belongs together in a year, what is missing, and what makes it a draft."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.chains import sign_chain
from analytics.plants import END_MS, MONTH, PLANT, PLANT_TOML, START_MS, Run, record
from analytics.years import (
    PLANT_TOML as GAS_PLANT,
)
from analytics.years import (
    YEAR,
    accepted,
    accounts,
    coal_input,
    coal_year,
    gas_figures,
    gas_package,
    gas_year,
)
from tanzheng.analytics import package
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.accounting.packfile import parse_pack
from tanzheng.analytics.annual.accounts import read_accounts
from tanzheng.analytics.annual.assemble import annual_report
from tanzheng.analytics.annual.figures import values
from tanzheng.analytics.annual.findings import check_packs
from tanzheng.analytics.annual.months import (
    AcceptanceMismatch,
    Evidence,
    MonthsMissing,
    MonthTwice,
    PackRef,
    YearMixed,
)
from tanzheng.analytics.annual.packages import read_package
from tanzheng.analytics.annual.report import Report, SumsWrong, decode
from tanzheng.analytics.closing import close
from tanzheng.analytics.month import compute
from tanzheng.analytics.package import Standard
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, EncodingError, TanzhengError
from tanzheng.core.manifest import MANIFEST_PATH, PackageInvalid


def g1(number: int, plant: str = GAS_PLANT) -> Evidence:
    files = gas_package("G1", Month(YEAR, number), gas_figures(number), plant)
    return read_package(files, f"G1-{number:02d}")


def codes(report: Report) -> list[str]:
    return [note.code for note in (*report.draft, *report.notes)]


def test_a_package_as_the_month_close_writes_it() -> None:
    series = record([Run(START_MS, END_MS)])
    pack, rules = load_pack(), load_rules()
    result = compute(PLANT, "G1", MONTH, series, (), pack, rules)
    closing = close(result, pack, rules, MONTH.last_day)
    standard = Standard(pack, rules)
    chains = {"gw1": sign_chain(series)}
    files = package.build(PLANT_TOML, result, closing, standard, chains, bytes(32))
    item = read_package(files, "folder")
    assert values(item.month.figures)["co2_calculated_t"] == result.values()["co2_calculated_t"]
    lined = {figure.name for line in item.month.lines for figure in line.figures}
    reported = {figure.name for figure in item.month.figures} | lined
    assert set(result.values()) <= reported
    assert "fuel.natural_gas.carbon_tc_per_gj" in {factor.name for factor in item.factors}
    report = annual_report([item], partial=True)
    assert report.total == result.values()["co2_calculated_t"].quantize(Decimal(1))
    assert {"months_missing", "not_accepted", "outside_validity"} <= set(codes(report))


def test_a_changed_byte_of_a_package_is_found() -> None:
    files = gas_package("G1", Month(YEAR, 1), gas_figures(1))
    files[MANIFEST_PATH] = files[MANIFEST_PATH].replace(b"co2_cems_t", b"co2_cemS_t")
    with pytest.raises(PackageInvalid, match=r"^folder: package: "):
        read_package(files, "folder")


def test_a_package_of_another_kind_is_refused() -> None:
    files = gas_package("G1", Month(YEAR, 1), gas_figures(1), kind="quarter")
    with pytest.raises(BadInput, match="kind month"):
        read_package(files, "folder")


def test_a_final_report_has_every_month_accepted() -> None:
    report = annual_report(gas_year(), accepted(gas_year()))
    assert not report.is_draft
    assert report.due == f"{YEAR + 1}-03-31"
    assert report.total == Decimal(997347)


def test_without_acceptances_it_is_a_draft() -> None:
    report = annual_report(gas_year())
    assert [note.code for note in report.draft] == ["not_accepted", "not_accepted"]


def test_another_state_than_accepted_makes_a_draft() -> None:
    told = [*accepted(gas_year())]
    told[5] = replace(told[5], state="returned")
    (note,) = annual_report(gas_year(), told).draft
    assert (note.code, note.where) == ("not_accepted", "G1")
    assert f"{YEAR}-06" in note.words.en


def test_other_evidence_than_the_accepted_is_refused() -> None:
    told = [*accepted(gas_year())]
    told[3] = replace(told[3], manifest_sha256=bytes(32))
    with pytest.raises(AcceptanceMismatch, match=r"deposited for G1 2024-04, 0000"):
        annual_report(gas_year(), told)
    with pytest.raises(AcceptanceMismatch, match="expected one acceptance, got 2"):
        annual_report(gas_year(), [*accepted(gas_year()), accepted(gas_year())[0]])


def test_a_missing_month_is_named() -> None:
    evidence = [item for item in gas_year() if item.where not in {"G1-03", "G2-11"}]
    with pytest.raises(MonthsMissing, match="G1: 2024-03; G2: 2024-11"):
        annual_report(evidence)
    report = annual_report(evidence, partial=True)
    assert [note.code for note in report.draft[:2]] == ["months_missing"] * 2


def test_a_unit_of_the_plant_file_cannot_be_left_out() -> None:
    with pytest.raises(MonthsMissing, match="G2: 2024-01"):
        annual_report([item for item in gas_year() if item.unit == "G1"])


def test_nothing_is_no_year() -> None:
    with pytest.raises(MonthsMissing, match="got none"):
        annual_report([])


def test_a_month_twice_is_named_with_both_places() -> None:
    again = replace(gas_year()[4], where="elsewhere")
    with pytest.raises(MonthTwice, match=r"2024-05 in .*elsewhere|2024-05 in G1-05"):
        annual_report([*gas_year(), again])


def test_months_of_two_years_are_refused() -> None:
    moved = replace(gas_year()[0], month=replace(gas_year()[0].month, month=Month(2023, 1)))
    with pytest.raises(YearMixed, match="2023-01"):
        annual_report([moved, *gas_year()[1:]])


def test_two_enterprises_are_refused() -> None:
    with pytest.raises(YearMixed, match="one enterprise"):
        annual_report([*gas_year(), *coal_year()])


def test_a_unit_of_two_sectors_is_refused() -> None:
    other = replace(gas_year()[2], sector="cement")
    with pytest.raises(YearMixed, match="one sector"):
        annual_report([*gas_year()[:2], other, *gas_year()[3:]])


def test_a_sector_outside_the_market_is_refused() -> None:
    with pytest.raises(YearMixed, match="got us_part75"):
        annual_report([replace(item, sector="us_part75") for item in gas_year()])


def test_two_editions_of_one_pack_are_refused() -> None:
    month = gas_year()[6].month
    other = replace(month, pack=PackRef(month.pack.name, "2", bytes(32)))
    evidence = [*gas_year()[:6], replace(gas_year()[6], month=other), *gas_year()[7:]]
    with pytest.raises(YearMixed, match=r"one version of cets_power/2023-2024.*G1-07"):
        annual_report(evidence)


def test_two_packs_are_refused_where_one_covers_the_year() -> None:
    month = gas_year()[6].month
    draft = load_pack("cets_power/2025-2026")
    other = replace(month, pack=PackRef(draft.name, draft.version, draft.sha256))
    evidence = [*gas_year()[:6], replace(gas_year()[6], month=other), *gas_year()[7:]]
    with pytest.raises(YearMixed, match=r"the one pack valid in 2024-07 \(cets_power/2023-2024\)"):
        annual_report(evidence)


def test_packs_may_follow_one_another_within_the_year() -> None:
    """The packs say so by their validity; a month by the one before or after its time is not."""
    packs = {}
    for name, old, new in (("a", "2024-12", "2024-06"), ("b", "2023-01", "2024-07")):
        raw = PACK_TOML.replace(f'= "{old}"\nuses', f'= "{new}"\nuses')
        raw = raw.replace(f'valid_from = "{old}"\nvalid_to', f'valid_from = "{new}"\nvalid_to')
        raw = raw.replace("cets_power/2023-2024", f"cets_power/{name}")
        packs[f"cets_power/{name}"] = parse_pack(raw.encode())
    refs = [PackRef(pack.name, pack.version, pack.sha256) for pack in packs.values()]

    def by(last_of_first: int) -> list[Evidence]:
        months = [(item, refs[item.month.month.month > last_of_first]) for item in gas_year()[:12]]
        return [replace(item, month=replace(item.month, pack=ref)) for item, ref in months]

    check_packs(by(6), lambda ref: packs[ref.name])
    for wrong in (5, 7):
        with pytest.raises(
            YearMixed, match=r"the one pack valid in 2024-0[67] \(cets_power/[ab]\)"
        ):
            check_packs(by(wrong), lambda ref: packs[ref.name])


def test_a_draft_standard_makes_a_draft() -> None:
    document = coal_input("1")
    for month in document["months"]:
        month["month"] = month["month"].replace("2024", "2025")
        month["standard"] = "cets_power/2025-2026"
    evidence = read_accounts(accounts(document), "one.json")
    report = annual_report(evidence, accepted(evidence))
    assert [note.code for note in report.draft] == ["draft_standard"]


def test_another_plant_file_is_noted_with_its_first_month() -> None:
    evidence = [g1(number) for number in range(1, 8)]
    changed = GAS_PLANT.replace('"meter"', '"meter2"')
    evidence += [g1(number, changed) for number in range(8, 13)]
    report = annual_report([*evidence, *gas_year()[12:]])
    (note,) = [note for note in report.notes if note.code == "plant_file_changed"]
    assert (note.where, f"{YEAR}-08" in note.words.zh) == ("G1", True)


def test_a_changed_capacity_is_noted_and_weighed() -> None:
    larger = gas_figures(12, "330")
    last = read_package(gas_package("G1", Month(YEAR, 12), larger), "G1-12")
    report = annual_report([*gas_year()[:11], last, *gas_year()[12:]])
    assert "capacity_changed" in codes(report)


def test_account_results_that_do_not_add_up_are_refused() -> None:
    raw = accounts(coal_input("1", months=range(1, 2)))
    first = read_accounts(raw, "one.json")[0].month.emission.value
    wrong = raw.replace(f'"{first}"'.encode(), f'"{first + 1}"'.encode(), 1)
    with pytest.raises(BadInput, match=r"one\.json: months\[0\].*sum of its parts"):
        read_accounts(wrong, "one.json")


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"version": 1}', b'{"version": 1, "months": 3}'])
def test_what_is_no_account_result_is_refused(raw: bytes) -> None:
    with pytest.raises((BadInput, EncodingError), match=r"one\.json"):
        read_accounts(raw, "one.json")


def test_the_json_reads_back_and_its_sums_are_checked() -> None:
    report = annual_report(coal_year(), accepted(coal_year()))
    raw = report.encode()
    assert decode(raw) == report
    total = f'"total":"{report.total}"'.encode()
    with pytest.raises(SumsWrong, match=r"total: expected 5015964 t, got 5015965 t"):
        decode(raw.replace(total, total.replace(b"964", b"965")))
    month = str(report.units[0].months[0].emission.value)
    with pytest.raises(SumsWrong, match="unit 1"):
        decode(raw.replace(f'"{month}"'.encode(), b'"1.00"', 1))
    with pytest.raises(EncodingError, match="unknown"):
        decode(raw.replace(b'"due":', b'"duE":'))
    with pytest.raises(EncodingError, match=r"weight: expected a name that is known, got 'coal_x'"):
        decode(raw.replace(b'"by":"coal_t"', b'"by":"coal_x"'))


@settings(max_examples=200, deadline=None)
@given(st.integers(0), st.integers(1, 255))
def test_any_damage_to_the_json_is_a_named_error(place: int, flip: int) -> None:
    """Or another report that adds up: a name, a note, a note's place."""
    raw = bytearray(COAL_JSON)
    raw[place % len(raw)] ^= flip
    with suppress(TanzhengError):
        assert decode(bytes(raw)).total == Decimal(5015964)


PACK_TOML = (resources.files("tanzheng.analytics") / "packs/cets_power/2023-2024.toml").read_text(
    "utf-8"
)
COAL_JSON = annual_report(coal_year()).encode()
