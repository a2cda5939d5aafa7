"""`tanzheng profile` and `tanzheng sim device`, as people use them."""

import os
import signal
import subprocess
import sys
import tty
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hardware.modbus_client import Reading, decoded, read_points
from tanzheng.core.errors import BadInput
from tanzheng.hardware.blocks import Memory, plan_blocks
from tanzheng.hardware.loader import SHIPPED, load_profile, profile_ids
from tanzheng.hardware.modbus.codec import crc16
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.moving import move
from tanzheng.hardware.profile import Profile
from tanzheng.hardware.profile_commands import app

TANZHENG = Path(sys.executable).with_name("tanzheng")


def run(*arguments: str, columns: int = 80) -> str:
    done = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, arguments)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_list_names_every_profile(tmp_path: Path) -> None:
    text = (SHIPPED / "eastron_sdm630.yaml").read_text(encoding="utf-8")
    (tmp_path / "own_meter.yaml").write_text(text.replace("id: eastron_sdm630", "id: own_meter"))
    shown = run("list", "--folder", str(tmp_path))
    for name in (*profile_ids(), "own_meter"):
        assert f" {name} " in shown


@pytest.mark.parametrize(
    ("profile_id", "parts"),
    [
        ("acrel_dtsd1352_adl3000", ["3:10", "u32 ABCD", "0.01 × CT", "SECONDARY", "DTSD1352"]),
        ("schneider_ion6200", ["→ voltage_l1n_v", "register 4011", "SolarNetwork"]),
        ("sick_marsic300", ["2:1004", "malfunction", "→ co2_wet_percent"]),
        ("abb_a_b_series", ["≠ 0xFFFFFFFFFFFFFFFF", "≠ 0x7FFFFFFF"]),
        ("xylem_magflux", ["u64 CDAB", "1e-09", "mm3"]),
        ("krohne_mfc400", ["-273.15 degC", "ne107_mass_flow"]),
        ("generic_hj212", ["a05001-Rtd", "≠ -9999, ≠ -999", "HJ 212-2017"]),
        ("generic_dlt645", ["00010000", "BCD", "CT × PT"]),
        ("generic_mqtt", ["active_power", "number"]),
    ],
)
def test_show_tells_all_of_a_profile(profile_id: str, parts: list[str]) -> None:
    shown = run("show", profile_id)
    for point in load_profile(profile_id).points:
        assert point.id in shown
        assert point.field is None or f"→ {point.field}" in shown
    shown = run("show", profile_id, columns=200)
    assert all(part in shown for part in parts), shown


def test_check_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    good = SHIPPED / "eastron_sdm630.yaml"
    assert "eastron_sdm630, 21 points · 测点, 21 with a field" in run("check", str(good))
    bad = tmp_path / "eastron_sdm630.yaml"
    bad.write_text(good.read_text(encoding="utf-8").replace("type: f32", "type: f33", 1))
    with pytest.raises(BadInput, match=r"eastron_sdm630\.yaml:\d+: points\.0\.type: expected"):
        run("check", str(bad))


@pytest.mark.parametrize(
    "profile_id", [name for name in profile_ids() if load_profile(name).protocol == "modbus"]
)
def test_every_device_moves_and_its_counters_rise(profile_id: str) -> None:
    profile = load_profile(profile_id)
    image = RegisterImage(profile)
    move(profile, image, 0.0)
    before = decoded_points(profile, image)
    move(profile, image, 1000.0)
    after = decoded_points(profile, image)
    for point in profile.points:
        then, now = before[point.id], after[point.id]
        assert then is not None
        assert now is not None
        if point.counter:
            assert now > then, point.id
    assert before != after


def decoded_points(profile: Profile, image: RegisterImage) -> dict[str, Reading]:
    memory: Memory = {}
    got: dict[str, Reading] = {}
    for block in plan_blocks(profile, profile.points):
        read = image.bits if block.fc <= 2 else image.registers
        data = read(block.fc, block.addr, block.count)
        assert data is not None
        got |= decoded(block, data, memory)
    return got


class Device:
    """A running `tanzheng sim device`."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [TANZHENG, "sim", "device", *arguments], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return said


async def test_a_device_is_served_and_counts_its_answers() -> None:
    device = Device("sick_marsic300", "--port", "0", "--unit-id", "7")
    assert device.first.startswith("sick_marsic300 at 127.0.0.1:")
    port = int(device.first.split("127.0.0.1:")[1].split()[0])
    profile = load_profile("sick_marsic300")
    got = await read_points(profile, profile.points, port, 7)
    reading = got["co2"]
    assert reading is not None
    assert (round(reading[0]), reading[1]) == (8, 0)
    assert "4 reads answered" in device.end()


def test_a_device_on_a_serial_port() -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    device = Device("eastron_sdm630", "--serial", os.ttyname(theirs))
    question = bytes([1, 4, 0, 70, 0, 2])
    os.write(ours, question + crc16(question))
    reply = b""
    while len(reply) < 9:
        reply += os.read(ours, 64)
    assert (reply[:3], crc16(reply[:-2])) == (b"\x01\x04\x04", reply[-2:])
    assert "1 reads answered" in device.end()
    os.close(ours)
    os.close(theirs)


def test_a_profile_of_another_protocol_is_refused() -> None:
    done = subprocess.run(
        [TANZHENG, "sim", "device", "generic_dlt645"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "expected a Modbus profile" in done.stderr
