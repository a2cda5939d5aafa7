"""EDGE.toml: what is wrong is named by file, key, what was expected and what is there."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.world import GATEWAY_KEY, write_config
from parts import REPOSITORY
from tanzheng.core.errors import BadInput
from tanzheng.edge.commands import app
from tanzheng.edge.config import DEFAULTS, check_schema, load_config
from tanzheng.edge.drivers import modbus_tcp
from tanzheng.edge.plan import Plan, load_plan, save_plan
from tanzheng.hardware.loader import load_profile

PLANT = """\
version = 1
enterprise = "US-ORIS-57028"
name = "Test"
name_zh = "试验"
utc_offset = "-07:00"
[[unit]]
id = "CT1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "test"
[[gateway]]
id = "lg-gw1"
interval_s = 60
[[gateway]]
id = "idle"
interval_s = 60
[[device]]
id = "gen_meter"
gateway = "lg-gw1"
unit = "CT1"
profile = "schneider_iem3000"
[[device.point]]
field = "active_energy_export_kwh"
role = "generation"
[[device.point]]
field = "active_power_kw"
role = "power"
"""
ADDRESS = {"profile": "schneider_iem3000", "host": "192.0.2.1", "port": 502, "unit_id": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plant.toml").write_text(PLANT)
    (tmp_path / "devices.json").write_text(json.dumps({"gen_meter": ADDRESS}))
    return tmp_path


def test_a_right_configuration_becomes_a_plan(folder: Path) -> None:
    plan = load_config(write_config(folder, "mqtt://lg-gw1:secret@broker:1884"))
    assert plan.points == ("gen_meter/active_energy_export_kwh", "gen_meter/active_power_kw")
    assert (plan.broker.host, plan.broker.port, plan.broker.username) == ("broker", 1884, "lg-gw1")
    assert (plan.interval_ms, plan.phase_ms, plan.batch_slots_max) == (60_000, 0, 60)
    assert plan.plant_time_socket is None
    assert "secret" not in repr(plan)
    save_plan(plan, folder / "plan.json")
    assert load_plan(folder / "plan.json") == plan
    assert (folder / "plan.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "edge.toml: version: expected 1, got 2"),
        ({"gateway": None}, "edge.toml: gateway: expected a value, got none"),
        ({"gateway": "x"}, "expected a gateway of (lg-gw1, idle), got 'x'"),
        ({"gateway": "idle"}, "plant.toml: device: expected one of gateway idle, got none"),
        ({"colour": 1}, "edge.toml: colour: expected one of batch_age_s_max"),
        ({"batch_slots_max": 0}, "batch_slots_max: expected 1 to 1440 slots, got 0"),
        ({"batch_slots_max": "60"}, "batch_slots_max: expected 1 to 1440 slots, got '60'"),
        ({"resend_after_s": -1}, "resend_after_s: expected 0.5 to 3600 seconds, got -1"),
        ({"spool_bytes_max": 5}, "spool_bytes_max: expected at least 1048576 bytes, got 5"),
        ({"broker": "broker:1883"}, "broker: expected mqtt[s]://[USER:PASSWORD@]HOST[:PORT]"),
        ({"broker": "mqtt://h:99999"}, "broker: expected mqtt[s]://[USER:PASSWORD@]HOST[:PORT]"),
        ({"broker": "mqtts://h"}, "broker_ca: expected with mqtts:// and only there"),
        ({"plant": "no.toml"}, "no.toml: expected a readable file, got No such file"),
        ({"key": "keys/platform.pub.pem"}, "platform.pub.pem: expected an unencrypted PEM private"),
        ({"platform_key": "plant.toml"}, "plant.toml: expected a PEM public key"),
    ],
)
def test_a_wrong_setting_is_named(folder: Path, changes: dict[str, object], message: str) -> None:
    settings = {"broker_url": "mqtt://b", **changes}
    broker = str(settings.pop("broker", settings.pop("broker_url")))
    settings.pop("broker_url", None)
    path = write_config(folder, broker, **settings)
    with pytest.raises(BadInput) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        ({}, "devices.json: gen_meter: expected an address, got none"),
        ({"gen_meter": {**ADDRESS, "port": 0}}, "gen_meter.port: expected a port from 1 to 65535"),
        ({"gen_meter": {**ADDRESS, "x": 0}}, "gen_meter.x: expected one of host, port, profile"),
        ({"gen_meter": {"host": "h"}}, "gen_meter.profile: expected a value, got none"),
        (
            {"gen_meter": {**ADDRESS, "profile": "sick_flowsic500"}},
            "gen_meter.profile: expected 'schneider_iem3000' as in the plant file",
        ),
        ([], "devices.json: file: expected a map of device ids to addresses, got []"),
    ],
)
def test_a_wrong_address_is_named(folder: Path, addresses: object, message: str) -> None:
    (folder / "devices.json").write_text(json.dumps(addresses))
    with pytest.raises(BadInput) as caught:
        load_config(write_config(folder, "mqtt://b"))
    assert message in str(caught.value)


def test_a_password_is_never_shown(folder: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_config(write_config(folder, "http://lg-gw1:secret@broker"))
    assert "secret" not in str(caught.value)


def test_a_private_key_open_to_others_is_refused(folder: Path) -> None:
    path = write_config(folder, "mqtt://b")
    (folder / "keys" / "gateway.pem").chmod(0o644)
    with pytest.raises(BadInput, match="expected mode 0600, got 0644") as caught:
        load_config(path)
    assert GATEWAY_KEY.to_pem().decode().splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 9}', '{"version": 1}'])
def test_a_plan_that_is_none(text: str) -> None:
    with pytest.raises(BadInput, match="expected"):
        Plan.from_json(text, "plan.json")


def test_check_shows_the_devices_and_connects_to_nothing(folder: Path) -> None:
    path = write_config(folder, "mqtt://192.0.2.9")
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 0
    assert "192.0.2.1:502/1" in result.output
    assert "configuration is valid" in result.output


def test_the_readmes_sample_is_a_right_configuration() -> None:
    text = (REPOSITORY / "edge-agent" / "README.md").read_text()
    sample = text.partition("```toml\n")[2].partition("```")[0]
    check_schema(tomllib.loads(sample), "edge.schema.json", "README.md")
    defaults = tomllib.loads("\n".join(re.findall(r"^# (\w+ = [\d]+)$", sample, re.MULTILINE)))
    assert defaults.items() <= DEFAULTS.items()
    assert len(defaults) == 4


def test_the_drivers_sample_names_a_profile_and_its_fields() -> None:
    sample = tomllib.loads((Path(modbus_tcp.__path__[0]) / "sample.toml").read_text())
    profile = load_profile(sample["profile"])
    assert [profile.field_point(field).field for field in sample["fields"]] == sample["fields"]
