"""Months in plant time, the field dictionary, subjects, states and the plant file."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.calendar import CHINA, Month, PlantZone, slots
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.fields import FIELDS, field, point_field
from tanzheng.core.ids import Subject
from tanzheng.core.plant import Plant, Role
from tanzheng.core.quality import HJ212_FLAG, LABELS, Quality
from tanzheng.core.states import MOVES, State, move

LAST_MONTH = Month(9998, 12)
months = st.builds(Month, st.integers(1970, 9998), st.integers(1, 12))
zones = st.builds(PlantZone, st.integers(-14 * 60, 14 * 60))


@given(months, zones)
def test_months_follow_one_another_without_a_hole(month: Month, zone: PlantZone) -> None:
    start, end = month.bounds_ms(zone)
    if month < LAST_MONTH:
        assert end == month.next.bounds_ms(zone)[0]
    assert end - start == month.hours * 3_600_000
    assert zone.day(end - 1) == month.last_day
    assert zone.day(start) == month.first_day
    assert zone.day(start - 1) < month.first_day
    assert zone.datetime(start).isoformat() == f"{month}-01T00:00:00{zone}"
    assert Month.parse(str(month)) == month
    assert PlantZone.parse(str(zone)) == zone


def test_the_last_month_has_an_end_and_no_next() -> None:
    assert LAST_MONTH.bounds_ms(CHINA)[1] == CHINA.midnight_ms(date(9999, 1, 1))
    with pytest.raises(BadInput, match="1970 to 9998, got 9999-1"):
        _ = LAST_MONTH.next


def test_month_start_agrees_with_the_standard_library() -> None:
    expected = datetime(2018, 7, 1, tzinfo=timezone(timedelta(hours=-7))).astimezone(UTC)
    start, _ = Month(2018, 7).bounds_ms(PlantZone.parse("-07:00"))
    assert start == expected.timestamp() * 1000
    assert CHINA.midnight_ms(date(2024, 1, 1)) == 1_704_038_400_000


def test_slots_are_half_open() -> None:
    start, end = Month(2018, 7).bounds_ms(CHINA)
    grid = slots(start, end, 60_000)
    assert (len(grid), grid[0], grid[-1]) == (44_640, start, end - 60_000)


@pytest.mark.parametrize("text", ["2018-13", "2018-00", "18-07", "2018-7", "2018-07-01", "", "x"])
def test_bad_months(text: str) -> None:
    with pytest.raises(BadInput, match="expected a month"):
        Month.parse(text)


@pytest.mark.parametrize("text", ["+8:00", "+15:00", "+08:60", "Asia/Shanghai", "", "08:00"])
def test_bad_zones(text: str) -> None:
    with pytest.raises(BadInput, match="expected an offset"):
        PlantZone.parse(text)


UNIT_SUFFIX = {
    "%": "percent", "°C": "degc", "m3/h": "m3_per_h", "Nm3/h": "nm3_per_h",
    "t/MWh": "t_per_mwh",
}  # fmt: skip


def test_every_field_ends_in_its_unit() -> None:
    for name, item in FIELDS.items():
        assert name == item.name
        suffix = UNIT_SUFFIX.get(item.unit, item.unit.lower().replace("/", "_per_"))
        assert item.unit == "1" or name.endswith(f"_{suffix}")
        assert item.en
        assert item.zh
        assert (item.decimals is not None) == (item.kind in ("parameter", "constant"))


def test_gas_volumes_have_a_reference_state() -> None:
    for item in FIELDS.values():
        if item.unit.startswith(("Nm3", "1e4Nm3")):
            assert item.reference == "0 °C, 101.325 kPa", item.name


def test_unknown_fields_are_named() -> None:
    with pytest.raises(BadInput, match="'speed'"):
        field("speed")
    with pytest.raises(BadInput, match="DEVICE/FIELD"):
        point_field("run_state")
    assert point_field("cems/run_state").kind == "state"


def test_subject_round_trip() -> None:
    text = "US-ORIS-57028/CT1/2018-07/month"
    assert str(Subject.parse(text)) == text
    for bad in ("a/b/c", "a/b/c/d/e", "a//c/d", "a/b/c/ä"):
        with pytest.raises(BadInput):
            Subject.parse(bad)


def test_quality_codes_are_fixed_labelled_and_mapped() -> None:
    assert [code.name for code in sorted(Quality)][:3] == ["GOOD", "UNCERTAIN_CLOCK", "MANUAL"]
    assert set(LABELS) == set(Quality)
    assert {mark for mark, code in HJ212_FLAG.items() if code.valid} == {"N", "S"}
    assert set(HJ212_FLAG) == set("NFMSDCTB")


def test_states_lead_from_sampled_to_final_and_nowhere_else() -> None:
    reached, frontier = set[State](), {State.SAMPLED}
    while frontier:
        reached |= frontier
        frontier = {to for state in frontier for to in MOVES[state]} - reached
    assert reached == set(State) == set(MOVES)
    assert move(State.PUBLISHED, State.COMMITTED) is State.COMMITTED
    with pytest.raises(TanzhengError, match="expected a move from final to one of"):
        move(State.FINAL, State.SAMPLED)


PLANT = """
version = 1
enterprise = "E1"
name = "Plant"
name_zh = "电厂"
utc_offset = "+08:00"
[[unit]]
id = "U1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "assumed"
[[gateway]]
id = "g1"
interval_s = 60
[[device]]
id = "meter"
gateway = "g1"
unit = "U1"
profile = "schneider_iem3000"
[[device.point]]
field = "active_energy_export_kwh"
role = "generation"
[[device.point]]
field = "active_power_kw"
"""


def test_plant_file() -> None:
    plant = Plant.parse(PLANT.encode())
    assert plant.unit("U1").rated_capacity_mw == Decimal(300)
    assert [point.name for point in plant.points_of_gateway("g1")] == [
        "meter/active_energy_export_kwh",
        "meter/active_power_kw",
    ]
    assert set(plant.roles("U1")) == {Role.GENERATION}
    assert plant.gateways_of_unit("U1") == plant.gateways
    assert plant.gateway("g1").interval_ms == 60_000
    assert plant.sha256 != Plant.parse(PLANT.encode() + b"\n").sha256


def test_a_device_and_a_point_may_have_a_longer_interval() -> None:
    plant = Plant.parse(PLANT.encode())
    (device,) = plant.devices
    assert [plant.interval_ms(device, point) for point in device.points] == [60_000] * 2
    slower = PLANT.replace('iem3000"', 'iem3000"\ninterval_s = 300')
    slower = slower.replace('"active_power_kw"', '"active_power_kw"\ninterval_s = 600')
    plant = Plant.parse(slower.encode())
    (device,) = plant.devices
    assert plant.interval_ms(device) == 300_000
    assert [plant.interval_ms(device, point) for point in device.points] == [300_000, 600_000]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "version = 2", "version: expected 1"),
        ("version = 1", "", "version: expected int, got None"),
        ('"+08:00"', '"CST"', "expected an offset"),
        ('"300"', '"-3"', "expected a decimal above 0"),
        ('"300"', "300", "rated_capacity_mw: expected str"),
        ("interval_s = 60", "interval_s = 7", "dividing the hour, got 7"),
        (
            '"schneider_iem3000"',
            '"schneider_iem3000"\ninterval_s = 70',
            "dividing the hour, got 70",
        ),
        (
            '"schneider_iem3000"',
            '"schneider_iem3000"\ninterval_s = 30',
            "device meter: interval_s: expected a multiple of 60, got 30",
        ),
        (
            '"active_power_kw"',
            '"active_power_kw"\ninterval_s = 20',
            "point meter/active_power_kw: interval_s: expected a multiple of 60, got 20",
        ),
        ('gateway = "g1"', 'gateway = "g2"', r"expected a gateway of \(g1\), got 'g2'"),
        ('unit = "U1"', 'unit = "U2"', r"expected a unit of \(U1\)"),
        ('"active_power_kw"', '"power"', r"device\[0\]: point\[1\]: field: expected a name"),
        ('"generation"', '"fuel"', "role: expected one of"),
        ('profile = "schneider_iem3000"', 'profile = "x"\nip = "1"', "got 'ip'"),
        ('name = "Plant"', 'name = "Plant"\nmore = 1', "got 'more'"),
        ('id = "U1"\nkind', 'id = "U 1"\nkind', "id: expected an identifier"),
        ("[[unit]]", "[unit]", "unit: expected list"),
        ("version = 1", "version = ", "expected TOML"),
    ],
)
def test_plant_errors_name_the_place(old: str, new: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Plant.parse(PLANT.replace(old, new, 1).encode())


def test_a_unit_may_name_its_filed_plan() -> None:
    assert Plant.parse(PLANT.encode()).unit("U1").filed_plan_sha256 is None
    line = f'rated_capacity_mw = "300"\nfiled_plan_sha256 = "{64 * "a"}"'
    named = PLANT.replace('rated_capacity_mw = "300"', line)
    assert Plant.parse(named.encode()).unit("U1").filed_plan_sha256 == 32 * b"\xaa"
    with pytest.raises(BadInput, match=r"unit\[0\]: filed_plan_sha256: expected 64 hexadecimal"):
        Plant.parse(named.replace("aaa", "AAA", 1).encode())


GAUGE, COUNTER = "meter/active_power_kw", "meter/active_energy_export_kwh"
OPERATING = PLANT.replace(
    "[[gateway]]", f'[unit.operating]\npoint = "{GAUGE}"\nabove = "600"\n[[gateway]]', 1
)


def test_a_unit_may_operate_by_a_filed_gauge() -> None:
    assert Plant.parse(PLANT.encode()).unit("U1").operating is None
    operating = Plant.parse(OPERATING.encode()).unit("U1").operating
    assert operating is not None
    assert (operating.point, operating.above) == (GAUGE, Decimal(600))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"600"', '"-1"', r"unit\[0\]: operating: above: expected a decimal of at least 0"),
        ('"600"', '"NaN"', "above: expected a decimal of at least 0, got 'NaN'"),
        ('"600"', "600", "above: expected str, got 600"),
        ('above = "600"', "", "above: expected str, got None"),
        ('above = "600"', 'above = "600"\nbelow = "9"', "got 'below'"),
        (GAUGE, "m2/active_power_kw", "unit U1: operating: point: expected one of"),
        # a counter tells how much, not whether
        (GAUGE, COUNTER, f"expected one of .'{GAUGE}'"),
        ('role = "generation"', 'role = "run_state"', "none beside a point of role run_state"),
    ],
)
def test_a_gauge_that_tells_nothing_is_refused(old: str, new: str, message: str) -> None:
    assert old in OPERATING
    with pytest.raises(BadInput, match=message):
        Plant.parse(OPERATING.replace(old, new, 1).encode())


CERTIFIED = (
    PLANT
    + '''
[[device.certificate]]
id = "JD-1"
kind = "verification"
issuer = "Metrology institute"
valid_from = "2024-03-01"
valid_to = "2025-02-28"
document_sha256 = "'''
    + 64 * "a"
    + '"\n'
)


def test_a_device_may_have_a_serial_and_certificates() -> None:
    (plain,) = Plant.parse(PLANT.encode()).devices
    assert (plain.serial, plain.certificates) == ("", ())
    named = CERTIFIED.replace('profile = "s', 'serial = "S-7"\nprofile = "s')
    (device,) = Plant.parse(named.encode()).devices
    (certificate,) = device.certificates
    assert device.serial == "S-7"
    assert (certificate.id, certificate.kind) == ("JD-1", "verification")
    assert certificate.valid_to.isoformat() == "2025-02-28"
    assert certificate.document_sha256 == 32 * b"\xaa"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"verification"', '"opinion"', r"certificate\[0\]: kind: expected one of"),
        (64 * "a", 63 * "a", "document_sha256: expected 64 hexadecimal digits"),
        ('"2024-03-01"', '"March"', "valid_from: expected YYYY-MM-DD, got 'March'"),
        ('"2024-03-01"', '"2026-03-01"', "expected valid_from ≤ valid_to"),
        ("issuer", "maker", "issuer: expected str"),
    ],
)
def test_certificate_errors_name_the_place(old: str, new: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Plant.parse(CERTIFIED.replace(old, new, 1).encode())


def test_each_certificate_of_a_device_once() -> None:
    twice = CERTIFIED + CERTIFIED.removeprefix(PLANT)
    with pytest.raises(BadInput, match="expected each certificate once"):
        Plant.parse(twice.encode())


def test_a_role_belongs_to_one_point() -> None:
    twice = PLANT.replace('field = "active_power_kw"', 'field = "run_state"\nrole = "generation"')
    with pytest.raises(BadInput, match="expected each role once"):
        Plant.parse(twice.encode())


def test_plant_file_size_is_bounded() -> None:
    with pytest.raises(BadInput, match="at most"):
        Plant.parse(b"#" * (2 << 20))
