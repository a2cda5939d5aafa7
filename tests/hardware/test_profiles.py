"""Every profile that ships: schema, plan, served by the simulator, read back by pymodbus."""

import copy
import subprocess
import sys
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymodbus.client import AsyncModbusTcpClient

from parts import REPOSITORY
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import FIELDS
from tanzheng.hardware.blocks import decode_block, plan_blocks
from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.loader import (
    check_profile_file,
    load_profile,
    profile_ids,
    read_profile_file,
)
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.modbus.server import ModbusServer
from tanzheng.hardware.profile import Profile

FOLDER = Path(str(resources.files("tanzheng.hardware") / "profiles"))


def test_the_profiles_that_the_plant_needs_ship() -> None:
    assert {"schneider_iem3000", "sick_flowsic500", "generic_cems_modbus"} <= set(profile_ids())


@pytest.mark.parametrize("profile_id", profile_ids())
def test_shipped_profile_fits_schema_and_dictionary(profile_id: str) -> None:
    profile = check_profile_file(FOLDER / f"{profile_id}.yaml")
    assert profile == load_profile(profile_id)
    assert profile.id == profile_id
    assert Profile.from_plan(profile.to_plan()) == profile
    for point in profile.points:
        if point.field is not None:
            assert point.counter == (FIELDS[point.field].kind == "counter")


@pytest.mark.parametrize("profile_id", profile_ids())
async def test_every_point_is_served_and_read_back(profile_id: str) -> None:
    profile = load_profile(profile_id)
    image = RegisterImage(profile)
    wanted = {point.id: Fraction(at + 1) * point.factor for at, point in enumerate(profile.points)}
    for point in profile.points:
        image.set(point, wanted[point.id])
    got = await read_all(profile, image)
    assert got == {name: pytest.approx(float(value), rel=1e-6) for name, value in wanted.items()}


async def read_all(profile: Profile, image: RegisterImage) -> dict[str, float | None]:
    """All points by an independent client."""
    server = ModbusServer(image)
    port = await server.listen()
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    await client.connect()
    got: dict[str, float | None] = {}
    for block in plan_blocks(profile, profile.points):
        read = client.read_holding_registers if block.fc == 3 else client.read_input_registers
        reply = await read(block.addr, count=block.count, device_id=1)
        assert not reply.isError(), reply
        data = b"".join(word.to_bytes(2, "big") for word in reply.registers)
        got |= {
            point.id: value
            for point, value in zip(block.points, decode_block(block, data), strict=True)
        }
    client.close()
    await server.close()
    return got


async def test_points_that_nobody_sets_show_no_value() -> None:
    profile = load_profile("generic_cems_modbus")
    assert set((await read_all(profile, RegisterImage(profile))).values()) == {None}


def test_reads_never_touch_undefined_registers() -> None:
    for profile in map(load_profile, profile_ids()):
        image = RegisterImage(profile)
        for block in plan_blocks(profile, profile.points):
            assert block.count <= profile.registers_per_read_max
            assert image.registers(block.fc, block.addr, block.count) is not None


def test_a_hole_splits_a_read() -> None:
    profile = load_profile("schneider_iem3000")
    fields = ("active_power_kw", "active_energy_export_kwh")
    blocks = plan_blocks(profile, map(profile.field_point, fields))
    assert [(block.addr, block.count) for block in blocks] == [(3059, 2), (3207, 4)]


def document() -> dict[str, Any]:
    text = (FOLDER / "generic_cems_modbus.yaml").read_text(encoding="utf-8")
    parsed: dict[str, Any] = yaml.safe_load(text)
    return copy.deepcopy(parsed)


FLAWS: dict[str, dict[str, Any]] = {
    "unknown_type": {"type": "f16"},
    "unknown_field": {"field": "co2_wet_percent"},
    "scale_as_float": {"scale": 0.1},
    "address_out_of_range": {"addr": 65_535},
    "unknown_key_of_a_point": {"sacle": "1"},
    "same_field_twice": {"field": "o2_dry_percent"},
    "same_id_twice": {"id": "o2_dry"},
    "coils": {"fc": 1},
    "scale_register_without_bridge": {
        "scale_register": {"addr": 40, "type": "i16", "factors": {"0": "1"}}
    },
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_bad_point_is_refused_by_name(flaw: str, tmp_path: Path) -> None:
    bad = document()
    bad["points"][0] |= FLAWS[flaw]
    refused(bad, tmp_path)


@pytest.mark.parametrize("change", [{"points": []}, {"sacle": "1"}, {"source": []}, {"fc": 5}])
def test_a_bad_device_is_refused_by_name(change: dict[str, Any], tmp_path: Path) -> None:
    refused(document() | change, tmp_path)


def refused(bad: dict[str, Any], folder: Path) -> None:
    path = folder / "bad.yaml"
    path.write_text(yaml.safe_dump(bad), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        check_profile_file(path)
    assert "bad.yaml" in str(caught.value) or "expected" in str(caught.value)


@pytest.mark.parametrize("text", [b"- a list", b"a: [", b"\xff\xfe", b""])
def test_no_yaml_mapping_is_a_named_error(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(text)
    with pytest.raises(ProfileError, match=r"bad\.yaml"):
        read_profile_file(path)


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="schneider_iem3000"):
        load_profile("no_such_meter")


def test_the_readmes_sample_is_a_profile(tmp_path: Path) -> None:
    readme = (REPOSITORY / "hardware" / "README.md").read_text(encoding="utf-8")
    path = tmp_path / "acme_m1.yaml"
    path.write_text(readme.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    profile = check_profile_file(path)
    (power,) = plan_blocks(profile, [profile.field_point("active_power_kw")])
    assert decode_block(power, bytes.fromhex("447a0000")) == (1.0,)


def test_the_lean_process_needs_no_yaml_and_no_schema_library() -> None:
    """What the edge imports of this package once its plan is made."""
    code = "import sys, tanzheng.hardware.blocks; print(*sorted(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"yaml", "jsonschema", "typer", "rich", "asyncio"}.isdisjoint(ended.stdout.split())
