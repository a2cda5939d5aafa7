"""Every profile that ships: schema, plan, served by the simulator, read back by pymodbus."""

import copy
import json
import struct
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from hardware.modbus_client import Reading, decoded, read_points
from parts import REPOSITORY
from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.hardware.blocks import plan_blocks
from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.loader import (
    SHIPPED,
    check_profile_file,
    load_profile,
    profile_document,
    profile_ids,
    profile_path,
)
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.modbus.server import ModbusServer
from tanzheng.hardware.profile import Profile
from tanzheng.hardware.registers import counter_limit

MODBUS = [name for name in profile_ids() if load_profile(name).protocol == "modbus"]
DEVICES = set(MODBUS) - {"generic_meter_modbus", "generic_cems_modbus"}


def test_what_ships() -> None:
    assert {"schneider_iem3000", "sick_flowsic500", "generic_cems_modbus"} <= set(profile_ids())
    assert len(DEVICES) == 22
    protocols = {load_profile(name).protocol for name in profile_ids() if "generic" in name}
    assert protocols == {"modbus", "hj212", "dlt645", "mqtt"}


@pytest.mark.parametrize("profile_id", profile_ids())
def test_shipped_profile_fits_schema_and_dictionary(profile_id: str) -> None:
    profile = check_profile_file(profile_path(profile_id))
    assert profile == load_profile(profile_id)
    assert profile.id == profile_id
    assert Profile.from_plan(json.loads(json.dumps(profile.to_plan()))) == profile
    assert len(profile_document(profile_path(profile_id))["points"]) == len(profile.points)


def values_for(profile: Profile) -> dict[str, Fraction]:
    """A value of its own for each point that others do not depend on."""
    status = {validity.point for point in profile.points for validity in point.validity}
    wanted: dict[str, Fraction] = {}
    for number, point in enumerate(profile.points):
        raw = number % 2 if point.register.type == "bit" else 3 * number + 20
        if point.id not in status:
            wanted[point.id] = raw * point.factor + point.offset * point.to_field
    return wanted


def shows(reading: Reading, value: Fraction) -> bool:
    """True for a good reading of `value`, as near as a float32 comes."""
    if reading is None or reading[1] != Quality.GOOD:
        return False
    return reading[0] == pytest.approx(float(value), rel=1e-6)


@pytest.mark.parametrize("profile_id", MODBUS)
async def test_every_point_is_served_and_read_back(profile_id: str) -> None:
    profile = load_profile(profile_id)
    image = RegisterImage(profile)
    wanted = values_for(profile)
    for name, value in wanted.items():
        image.set(profile.point(name), value)
    got = await served(profile, image)
    assert set(got) == {point.id for point in profile.points}
    for name, value in wanted.items():
        assert shows(got[name], value), name


@pytest.mark.parametrize("profile_id", MODBUS)
async def test_every_point_alone_is_served_with_what_it_needs(profile_id: str) -> None:
    """As a plant does that wants one field only."""
    profile = load_profile(profile_id)
    image = RegisterImage(profile)
    for name, value in values_for(profile).items():
        image.set(profile.point(name), value)
    server = ModbusServer(image)
    port = await server.listen()
    for name, value in list(values_for(profile).items())[::5]:
        (reading,) = (await read_points(profile, [profile.point(name)], port)).values()
        assert shows(reading, value), name
    await server.close()


async def served(profile: Profile, image: RegisterImage) -> dict[str, Reading]:
    """All points by an independent client."""
    server = ModbusServer({17: image})
    port = await server.listen()
    got = await read_points(profile, profile.points, port, 17)
    await server.close()
    return got


async def test_points_that_nobody_sets_show_no_value() -> None:
    profile = load_profile("generic_cems_modbus")
    assert set((await served(profile, RegisterImage(profile))).values()) == {None}


@pytest.mark.parametrize("profile_id", MODBUS)
def test_reads_never_touch_undefined_registers(profile_id: str) -> None:
    profile = load_profile(profile_id)
    image = RegisterImage(profile)
    for block in plan_blocks(profile, profile.points):
        if block.fc <= 2:
            assert image.bits(block.fc, block.addr, block.count) is not None
            continue
        assert block.count <= profile.registers_per_read_max
        assert image.registers(block.fc, block.addr, block.count) is not None


async def test_ratios_of_a_served_meter() -> None:
    profile = load_profile("acrel_dtsd1352_adl3000")
    image = RegisterImage(profile)
    image.set_ratio("ct", 40)
    image.set_ratio("pt", 100)
    energy, volts = profile.point("active_energy_import"), profile.point("voltage_l1n")
    image.set(energy, 123_480)
    image.set(volts, 5770)
    assert image.registers(3, 10, 2) == struct.pack(">I", 3087)
    got = await served(profile, image)
    assert (got["active_energy_import"], got["voltage_l1n"]) == ((123_480.0, 0), (5770.0, 0))


async def test_status_of_a_served_analyser() -> None:
    profile = load_profile("sick_gm32")
    image = RegisterImage(profile)
    for n in (0, 1):
        image.set(profile.point(f"component{n}_value"), 42)
    image.set_raw(profile.point("component1_status").register, 1 << 8)
    got = await served(profile, image)
    assert got["component0_value"] == (42.0, Quality.GOOD)
    assert got["component1_value"] == (42.0, Quality.CALIBRATION)


@pytest.mark.parametrize(
    ("profile_id", "point", "raw"),
    [
        ("abb_a_b_series", "active_energy_import", b"\xff" * 8),
        ("abb_a_b_series", "active_power_total", b"\x7f" + b"\xff" * 3),
        ("abb_a_b_series", "power_factor_total", b"\x7f\xff"),
        ("siemens_milltronics_bw500", "mass_flow_rate", struct.pack(">I", 30_004)),
        ("siemens_milltronics_bw500", "total_1", struct.pack(">i", -32_768)),
    ],
)
def test_codes_that_mean_no_value(profile_id: str, point: str, raw: bytes) -> None:
    profile = load_profile(profile_id)
    (block,) = plan_blocks(profile, [profile.point(point)])
    assert decoded(block, raw) == {point: None}


def test_traps_of_the_maps_are_data() -> None:
    pac = load_profile("siemens_pac2200_pac3200_pac4200").field_point("active_energy_import_t1_kwh")
    assert counter_limit(pac) == 10**12
    assert load_profile("eastron_sdm630").registers_per_read_max == 80
    socomec = load_profile("socomec_countis_diris")
    assert socomec.identity is not None
    assert (socomec.identity.equals, socomec.pause_ms) == ("SOCO", 100)
    magflux = load_profile("xylem_magflux").point("total_forward")
    assert (magflux.register.letters, magflux.scale) == ("CDAB", Fraction(1, 10**9))


def document() -> dict[str, Any]:
    return copy.deepcopy(profile_document(SHIPPED / "generic_cems_modbus.yaml"))


# Flaw of the first point → what the error says.
FLAWS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown_type": ({"type": "f16"}, "f16"),
    "unknown_field": ({"field": "co2_damp_percent"}, "co2_damp_percent"),
    "scale_as_float": ({"scale": 0.1}, "as text"),
    "scale_of_nothing": ({"scale": "0"}, "1e-30"),
    "address_out_of_range": ({"addr": 65_535}, "65535"),
    "unknown_key_of_a_point": ({"sacle": "1"}, "got sacle"),
    "same_field_twice": ({"field": "o2_dry_percent"}, "o2_dry_percent twice"),
    "same_id_twice": ({"id": "o2_dry"}, "o2_dry twice"),
    "coil_of_two_registers": ({"fc": 1}, "bit"),
    "counter_of_a_gauge": ({"counter": True}, "is a gauge"),
    "rollover_of_a_gauge": ({"rollover": 5}, "counter only"),
    "expected_upside_down": ({"expected": ["9", "1"]}, "lowest"),
    "unknown_status": ({"validity": {"point": "x", "bits": {"0": "fault"}}}, "'x'"),
    "status_of_a_float": ({"validity": {"point": "o2_dry", "bits": {"0": "fault"}}}, "integer"),
    "unknown_quality": ({"validity": {"point": "run_state", "values": {"0": "bad"}}}, "validity"),
    "text_for_a_number": ({"type": "string", "words": 2}, "string"),
    "two_protocols": ({"di": "00010000"}, "points.0"),
    "unknown_ratio": ({"times": ["vt"]}, "vt"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_bad_point_is_refused_by_name(flaw: str, tmp_path: Path) -> None:
    bad = document()
    change, said = FLAWS[flaw]
    bad["points"][0] |= change
    assert said in refused(bad, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"points": []},
        {"sacle": "1"},
        {"source": []},
        {"fc": 5},
        {"protocol": "profibus"},
        {"protocol": "dlt645"},
        {"id": "another"},
        {"bridges": [[9, 4]]},
        {"identity": {"addr": 1, "type": "string"}},
        {"registers_per_read_max": 1},
        {"pause_ms": -1},
    ],
)
def test_a_bad_device_is_refused_by_name(change: dict[str, Any], tmp_path: Path) -> None:
    refused(document() | change, tmp_path)


def refused(bad: dict[str, Any], folder: Path) -> str:
    path = folder / "generic_cems_modbus.yaml"
    path.write_text(yaml.safe_dump(bad), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        check_profile_file(path)
    assert str(caught.value).startswith(f"{path}:")
    assert "expected" in str(caught.value) or "Error" in str(caught.value)
    return str(caught.value)


def test_the_line_of_a_mistake_is_named(tmp_path: Path) -> None:
    text = (SHIPPED / "generic_cems_modbus.yaml").read_text(encoding="utf-8")
    path = tmp_path / "generic_cems_modbus.yaml"
    for right, wrong in (("addr: 4,", "addr: four,"), ("stack_flow_wet_m3", "stack_flow_damp_m3")):
        line = text[: text.index(right)].count("\n") + 1
        path.write_text(text.replace(right, wrong), encoding="utf-8")
        with pytest.raises(ProfileError, match=rf"modbus\.yaml:{line}: "):
            check_profile_file(path)


BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"\n".join(
    b"%c: &%c [%s]" % (new, new, b", ".join([b"*%c" % old] * 9))
    for old, new in pairwise(b"abcdefghi")
)


@pytest.mark.parametrize(
    "text",
    [b"- a list", b"a: [", b"\xff\xfe", b"", b"[" * 1500, b"a: 1_", b"a: &a [*a]", BOMB],
    ids=["list", "open", "utf16", "empty", "deep", "number", "round", "bomb"],
)
def test_no_profile_at_all_is_a_named_error(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(text)
    with pytest.raises(ProfileError, match=r"bad\.yaml"):
        check_profile_file(path)


def test_a_document_within_itself_is_refused_without_pythons_limit(tmp_path: Path) -> None:
    """Some libraries lift the limit of recursion for the whole process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        test_no_profile_at_all_is_a_named_error(b"a: &a [*a]", tmp_path)
    finally:
        sys.setrecursionlimit(before)


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(ProfileError, match="at most"):
        check_profile_file(path)


def test_a_plants_own_profile_goes_before_the_shipped_one(tmp_path: Path) -> None:
    own = document() | {"vendor": "Our CEMS"}
    path = tmp_path / "generic_cems_modbus.yaml"
    path.write_text(yaml.safe_dump(own), encoding="utf-8")
    assert load_profile("generic_cems_modbus", (tmp_path,)).vendor == "Our CEMS"
    assert load_profile("generic_cems_modbus").vendor == "generic"
    path.rename(tmp_path / "stack_two.yaml")
    assert "stack_two" in profile_ids((tmp_path,))
    with pytest.raises(ProfileError, match=r"stack_two\.yaml:\d+: id: expected the file's name"):
        load_profile("stack_two", (tmp_path,))


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="schneider_iem3000"):
        load_profile("no_such_meter")


async def test_the_sample_of_the_page_is_a_profile(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs/devices.md").read_text(encoding="utf-8")
    path = tmp_path / "acme_m1.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    profile = check_profile_file(path)
    image = RegisterImage(profile)
    image.set(profile.point("active_power"), 250)
    image.set(profile.point("energy_out"), 1_000_003)
    assert image.registers(3, 18, 2) == struct.pack(">f", 250_000)
    got = await served(profile, image)
    assert got == {"active_power": (250.0, 0), "energy_out": (3.0, 0), "status": (0.0, 0)}
    image.set_raw(profile.point("status").register, 0b1001)
    got = await served(profile, image)
    assert got["active_power"] == (250.0, Quality.FAULT)
    image.set_none(profile.point("energy_out"))
    assert (await served(profile, image))["energy_out"] is None


def test_the_lean_process_needs_no_yaml_and_no_schema_library() -> None:
    """What the edge imports of this package once its plan is made."""
    code = "import sys, tanzheng.hardware.blocks; print(*sorted(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"yaml", "jsonschema", "typer", "rich", "asyncio"}.isdisjoint(ended.stdout.split())
