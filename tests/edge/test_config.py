"""EDGE.toml: what is wrong is named by file, line, key, what was expected and what is there."""

import json
import re
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.world import GATEWAY_KEY, write_config
from parts import REPOSITORY
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.edge import drivers
from tanzheng.edge.configuration.config import DEFAULTS, ConfigError, load_config
from tanzheng.edge.configuration.documents import Document, Problems, check_schema, own_schema
from tanzheng.edge.configuration.links import link_schema
from tanzheng.edge.drivers import PROTOCOLS
from tanzheng.edge.plan import Plan, load_plan, save_plan

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
SECOND = """\
[[device]]
id = "second"
gateway = "lg-gw1"
unit = "CT1"
profile = "schneider_iem3000"
[[device.point]]
field = "active_power_kw"
"""
LINK: dict[str, Any] = {
    "profile": "schneider_iem3000", "protocol": "modbus_tcp", "host": "192.0.2.1", "unit_id": 1,
}  # fmt: skip
RTU = 'protocol = "modbus_rtu"\nserial_port = "/dev/ttyS9"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plant.toml").write_text(PLANT)
    (tmp_path / "devices.json").write_text(json.dumps({"gen_meter": LINK}))
    return tmp_path


def with_tables(folder: Path, tables: str, **changes: object) -> Path:
    """EDGE.toml with `[[device]]` tables; line numbers count from 1 at the first table."""
    path = write_config(folder, "mqtt://b", devices=None, **changes)
    path.write_text(path.read_text() + tables)
    return path


def errors_of(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load_config(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def line_with(path: Path, text: str) -> int:
    """The number of the first line of a file that has `text`."""
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_a_right_configuration_becomes_a_plan(folder: Path) -> None:
    plan = load_config(write_config(folder, "mqtt://lg-gw1:secret@broker:1884"))
    assert plan.points == ("gen_meter/active_energy_export_kwh", "gen_meter/active_power_kw")
    assert (plan.broker.host, plan.broker.port, plan.broker.username) == ("broker", 1884, "lg-gw1")
    assert (plan.interval_ms, plan.phase_ms, plan.batch_slots_max) == (60_000, 0, 60)
    assert (plan.spool_full_policy, plan.clock_offset_ms_max) == ("keep_oldest", 1000)
    assert (plan.plant_time_socket, plan.ntp_server, plan.metrics_port) == (None, None, None)
    assert plan.devices[0].link == {
        "protocol": "modbus_tcp", "host": "192.0.2.1", "unit_id": 1,
    }  # fmt: skip
    assert "secret" not in repr(plan)
    save_plan(plan, folder / "plan.json")
    again = load_plan(folder / "plan.json")
    assert (again, again.digest) == (plan, plan.digest)
    assert (folder / "plan.json").stat().st_mode & 0o077 == 0


def test_devices_may_be_tables_of_the_same_file(folder: Path) -> None:
    (folder / "plant.toml").write_text(PLANT + SECOND)
    tables = (
        '[[device]]\nid = "second"\nprotocol = "modbus_tcp"\nhost = "192.0.2.2"\nunit_id = 2\n'
        f'[[device]]\nid = "gen_meter"\n{RTU}unit_id = 7\nbaud = 19200\nct = "2000/5"\n'
    )
    path = with_tables(folder, tables.replace('ct = "2000/5"\n', ""))
    plan = load_config(path)
    assert [device.id for device in plan.devices] == ["gen_meter", "second"]  # as in the plant file
    assert plan.devices[0].link["baud"] == 19200
    placed = plan.placed()
    assert [(each.id, each.first, len(each.fields)) for each in placed] == [
        ("gen_meter", 0, 2), ("second", 2, 1),
    ]  # fmt: skip
    names = [f"{each.id}/{name}" for each in placed for name in each.fields]
    assert tuple(names) == plan.points


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "edge.toml:1: version: expected 1, got 2"),
        ({"gateway": None}, "edge.toml:1: gateway: expected a value, got none"),
        ({"gateway": "x"}, "edge.toml:2: gateway: expected a gateway of (lg-gw1, idle), got 'x'"),
        ({"gateway": "idle"}, "plant.toml:17: device: expected a device of gateway idle, got none"),
        ({"colour": 1}, "edge.toml:11: colour: expected one of batch_age_s_max"),
        ({"batch_slots_max": 0}, "11: batch_slots_max: expected 1 to 1440 slots, got 0"),
        ({"batch_slots_max": "60"}, "batch_slots_max: expected 1 to 1440 slots, got '60'"),
        ({"resend_after_s": -1}, "10: resend_after_s: expected 0.5 to 3600 seconds, got -1"),
        ({"spool_bytes_max": 5}, "11: spool_bytes_max: expected at least 1048576 bytes, got 5"),
        ({"spool_full_policy": "x"}, "spool_full_policy: expected keep_oldest or keep_newest"),
        ({"metrics_port": 0}, "metrics_port: expected a port from 1 to 65535, got 0"),
        ({"ntp_server": "a b"}, "ntp_server: expected the name or address of an NTP server"),
        ({"broker": "broker:1883"}, "8: broker: expected mqtt[s]://[USER:PASSWORD@]HOST[:PORT]"),
        ({"broker": "mqtt://h:99999"}, "broker: expected mqtt[s]://[USER:PASSWORD@]HOST[:PORT]"),
        ({"broker": "mqtts://h"}, "broker_ca: expected with mqtts:// and only there"),
        ({"broker_cert": "x"}, "broker_cert: expected together with broker_key"),
        ({"plant": "no.toml"}, "no.toml: expected a readable file, got No such file"),
        ({"devices": "no.json"}, "no.json: expected a readable file, got No such file"),
        ({"key": "keys/platform.pub.pem"}, "edge.toml:5: key: "),
        ({"platform_key": "plant.toml"}, "plant.toml: expected a PEM public key"),
        ({"devices": None}, "devices: expected either a file of links or [[device]] tables"),
    ],
)
def test_a_wrong_setting_is_named(folder: Path, changes: dict[str, object], message: str) -> None:
    broker = str(changes.get("broker", "mqtt://b"))
    rest = {key: value for key, value in changes.items() if key != "broker"}
    assert message in errors_of(write_config(folder, broker, **rest))


def test_every_error_is_told_at_once(folder: Path) -> None:
    (folder / "plant.toml").write_text(PLANT + SECOND)
    table = '[[device]]\nid = "gen_meter"\nprotocol = "modbus_tcp"\nhost = 5\nunit_id = 300\n'
    path = with_tables(folder, table, platform_key="plant.toml", broker_cert="x")
    said = errors_of(path).splitlines()
    assert [re.sub(r"^.*edge\.toml:(\d+): (\S+):.*", r"\1 \2", line) for line in said] == [
        f"{line_with(path, 'host =')} device[0].host",
        f"{line_with(path, 'unit_id')} device[0].unit_id",
        f"{line_with(path, '[[device]]')} device",
        *[f"{line_with(path, 'broker_cert')} broker_cert"] * 3,
        f"{line_with(path, 'platform_key')} platform_key",
    ]


def test_a_file_of_errors_is_cut_short(folder: Path) -> None:
    links = {f"d{number}": LINK for number in range(50)}
    (folder / "devices.json").write_text(json.dumps(links))
    said = errors_of(write_config(folder, "mqtt://b")).splitlines()
    assert len(said) == 21
    assert said[-1].startswith("… and 31 more")


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({}, "devices.json:1: gen_meter: expected a link of device gen_meter, got none"),
        ({"gen_meter": {**LINK, "port": 0}}, "devices.json:7: gen_meter.port: expected "),
        ({"gen_meter": {**LINK, "x": 0}}, "devices.json:7: gen_meter.x: expected one of "),
        ({"gen_meter": {"host": "h"}}, "devices.json:2: gen_meter.protocol: expected a value, got"),
        (
            {"gen_meter": {**LINK, "profile": "sick_flowsic500"}},
            "devices.json:3: gen_meter.profile: expected 'schneider_iem3000' as in the plant file",
        ),
        ({"gen_meter": LINK, "x": LINK}, "json:8: x: expected a device of the plant file, got 'x'"),
        (
            {"gen_meter": {**LINK, "baud": 9600}},
            "devices.json:7: gen_meter.baud: expected nothing, with these other settings, got 9600",
        ),
        ([], "devices.json:1: expected a map of device ids to links, got []"),
        (
            {"gen_meter": {**LINK, "protocol": "dlt645", "address": "1" * 12, "port": 4}},
            "devices.json:4: gen_meter.protocol: expected a protocol of profile schneider_iem3000",
        ),
    ],
)
def test_a_wrong_link_is_named(folder: Path, links: object, message: str) -> None:
    (folder / "devices.json").write_text(json.dumps(links, indent=1))
    assert message in errors_of(write_config(folder, "mqtt://b"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('interval_s = 60\n[[gateway]]\nid = "idle"', 'interval_s = 7\n[[gateway]]\nid = "idle"',
         "plant.toml:13: gateway[0].interval_s: expected 1 to 3600"),
        ('"active_power_kw"', '"colour"',
         "plant.toml:26: device[0].point[1].field: expected a name of the dictionary"),
        ('"active_power_kw"', '"co2_dry_percent"',
         "plant.toml:26: device[0].point[1].field: profile schneider_iem3000: expected one of"),
        ('"schneider_iem3000"', '"nobody"', "plant.toml:21: device[0].profile: expected one of"),
        ("version = 1", "version = ", "plant.toml:1: expected TOML, got Invalid value"),
        ('name = "Test"', 'name = "Te', "plant.toml:3: expected TOML"),
    ],
)  # fmt: skip
def test_the_plant_file_is_named_with_its_line(
    folder: Path, old: str, new: str, message: str
) -> None:
    (folder / "plant.toml").write_text(PLANT.replace(old, new))
    assert message in errors_of(write_config(folder, "mqtt://b"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\nb = [", "edge.toml:2: expected TOML"),
        (b"a = 1\n\n\xff", "edge.toml:3: expected UTF-8 text"),
        (b"a = " + b"[" * 3000, "edge.toml:1: expected TOML"),
        (b"a = 1" + b"0" * 9000, "edge.toml:1: expected TOML"),
        (b"", "edge.toml:1: version: expected a value, got none"),
    ],
)
def test_what_is_no_toml_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "edge.toml").write_bytes(content)
    assert message in errors_of(tmp_path / "edge.toml")


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from([
            "version = 1\n", 'gateway = "lg-gw1"\n', 'plant = "edge.toml"\n', "[[device]]\n",
            'id = "x"\n', 'protocol = "mqtt"\n', 'devices = "edge.toml"\n', 'broker = "mqtt://["\n',
            'key = "edge.toml"\n', 'platform_key = ""\n', 'spool = "s"\n', "[device]\n", "x = 1\n",
        ]),
        max_size=14,
    ).map(lambda lines: "".join(lines).encode())
)  # fmt: skip
def test_garbage_is_named(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("garbage") / "edge.toml"
    path.write_bytes(content)
    with pytest.raises(TanzhengError, match="expected"):
        load_config(path)


LINK_VALUES = st.none() | st.booleans() | st.integers(-9, 99999) | st.text(max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    protocol=st.sampled_from(sorted(PROTOCOLS)),
    link=st.dictionaries(
        st.sampled_from(["host", "port", "unit_id", "serial_port", "baud", "address", "mode", "mn",
                         "url", "format", "client_id", "ct", "units", "x"]),
        LINK_VALUES | st.lists(LINK_VALUES, max_size=2), max_size=6,
    ),
)  # fmt: skip
def test_any_link_is_taken_or_named(
    tmp_path_factory: pytest.TempPathFactory, protocol: str, link: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("links")
    (folder / "plant.toml").write_text(PLANT)
    (folder / "devices.json").write_text(json.dumps({"gen_meter": {"protocol": protocol, **link}}))
    said = "none"
    try:
        load_config(write_config(folder, "mqtt://b"))
    except ConfigError as error:
        said = str(error)
    assert re.match(r"none|\S+devices\.json:1: gen_meter\S*: ", said)


def test_a_password_is_never_shown(folder: Path) -> None:
    said = errors_of(write_config(folder, "http://lg-gw1:secret@broker"))
    link = {"protocol": "mqtt", "url": "mqtt://u:secret@h/x", "password": "secret", "topic": 5}
    (folder / "devices.json").write_text(json.dumps({"gen_meter": link}))
    said += errors_of(write_config(folder, "mqtt://b"))
    assert "gen_meter.url" in said
    assert "secret" not in said


def test_a_new_password_reads_the_same_values(folder: Path) -> None:
    def digest(**changes: object) -> bytes:
        plan = load_config(write_config(folder, "mqtt://b"))
        first = plan.devices[0]
        link = {**first.link, "url": "mqtt://u:a@h", "password": "a", **changes}
        return replace(plan, devices=(replace(first, link=link),)).acquisition_digest

    assert digest() == digest(password="b") == digest(url="mqtt://u:b@h")
    assert len({digest(), digest(url="mqtt://u:a@i"), digest(unit_id=2)}) == 3


def test_a_private_key_open_to_others_is_refused(folder: Path) -> None:
    path = write_config(folder, "mqtt://b")
    (folder / "keys" / "gateway.pem").chmod(0o644)
    said = errors_of(path)
    assert "edge.toml:5: key: " in said
    assert "expected mode 0600, got 0644" in said
    assert GATEWAY_KEY.to_pem().decode().splitlines()[1] not in said


def test_an_endpoint_has_one_owner(folder: Path) -> None:
    (folder / "plant.toml").write_text(PLANT + SECOND)
    other = {**LINK, "protocol": "modbus_rtu_over_tcp", "unit_id": 2}
    links = {"gen_meter": LINK, "second": other}
    (folder / "devices.json").write_text(json.dumps(links, indent=1))
    assert (
        "devices.json:10: second.protocol: expected modbus_tcp as for gen_meter at 192.0.2.1:502, "
        "got modbus_rtu_over_tcp"
    ) in errors_of(write_config(folder, "mqtt://b"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 9}', '{"version": 2}'])
def test_a_plan_that_is_none(text: str) -> None:
    with pytest.raises(BadInput, match="expected"):
        Plan.from_json(text, "plan.json")


def test_the_readmes_sample_is_a_right_configuration(tmp_path: Path) -> None:
    text = (REPOSITORY / "edge-agent" / "README.md").read_text()
    sample = text.partition("```toml\n")[2].partition("```")[0]
    document, problems = Document(tmp_path / "README.md", tomllib.loads(sample), {}), Problems()
    check_schema(document.body, own_schema("edge.schema.json"), document, (), problems)
    assert problems.errors == []
    commented = "\n".join(re.findall(r"^# (\w+ = [^#]+?) *(?:#.*)?$", sample, re.MULTILINE))
    defaults = {key: value for key, value in tomllib.loads(commented).items() if key in DEFAULTS}
    assert defaults == DEFAULTS


@pytest.mark.parametrize("driver", sorted(set(PROTOCOLS.values())))
def test_the_sample_of_each_driver_has_right_links(tmp_path: Path, driver: str) -> None:
    path = tmp_path / "sample.toml"
    path.write_bytes((resources.files(f"{drivers.__name__}.{driver}") / path.name).read_bytes())
    document, problems = Document.toml(path), Problems()
    for index, table in enumerate(document.body["device"]):
        link = {key: value for key, value in table.items() if key not in ("id", "profile")}
        schema = link_schema(link["protocol"])
        check_schema(link, schema, document, ("device", index), problems)
    assert problems.errors == []


def test_both_schemas_know_every_protocol() -> None:
    edge, devices = own_schema("edge.schema.json"), own_schema("devices.schema.json")
    there = devices["additionalProperties"]["properties"]["protocol"]["enum"]
    assert set(edge["$defs"]["protocol"]["enum"]) == set(there) == set(PROTOCOLS)


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_every_protocol_has_a_schema_that_closes_its_links(protocol: str) -> None:
    schema = link_schema(protocol)
    assert schema["properties"]["protocol"]
    assert schema.get("additionalProperties") is False or "unevaluatedProperties" in schema
