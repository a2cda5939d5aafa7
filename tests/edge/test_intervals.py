"""How often a device and its points are read: by the plant file, down to the requests."""

import json
from pathlib import Path

import pytest

from edge.rounds import (
    INTERVAL_MS,
    Rhythm,
    Slave,
    floats,
    one_line,
    placed,
    read,
    tcp_server,
    tcp_slaves,
)
from edge.test_config import LINK, PLANT, errors_of, with_tables
from edge.test_modbus_device import GAUGES, line_of, profile
from edge.world import write_config
from tanzheng.edge.configuration.config import load_config
from tanzheng.edge.plan import load_plan, save_plan
from tanzheng.edge.timekeeping.scheduler import Grid


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plant.toml").write_text(PLANT)
    (tmp_path / "devices.json").write_text(json.dumps({"gen_meter": LINK}))
    return tmp_path


def test_intervals_of_devices_and_points_are_those_of_the_plant_file(folder: Path) -> None:
    plant = PLANT.replace('iem3000"', 'iem3000"\ninterval_s = 300').replace(
        '"active_power_kw"', '"active_power_kw"\ninterval_s = 900'
    )
    (folder / "plant.toml").write_text(plant)
    path = write_config(folder, "mqtt://b")
    plan = load_config(path)
    (device,) = plan.devices
    assert (device.interval_ms, device.slow_fields, device.slow_every) == (
        300_000, ("active_power_kw",), 3,
    )  # fmt: skip
    assert plan.grids == {
        "gen_meter/active_energy_export_kwh": Grid(300_000),
        "gen_meter/active_power_kw": Grid(900_000),
    }  # fmt: skip
    save_plan(plan, folder / "plan.json")
    assert load_plan(folder / "plan.json") == plan
    (folder / "plant.toml").write_text(plant.replace('"-07:00"', '"+05:30"'))
    half = load_config(path)
    assert (half.phase_ms, half.devices[0].phase_ms) == (0, 1_800_000)


def test_a_device_has_one_slow_interval_and_a_sender_none(folder: Path) -> None:
    third = '[[device.point]]\nfield = "frequency_hz"\ninterval_s = 600\n'
    plant = PLANT.replace('"active_power_kw"', '"active_power_kw"\ninterval_s = 900') + third
    (folder / "plant.toml").write_text(plant)
    message = "plant.toml:31: device[0].point[2].interval_s: expected one interval for all slow"
    assert message in errors_of(write_config(folder, "mqtt://b"))
    stack = plant.partition("[[device]]")[0] + (
        '[[device]]\nid = "stack"\ngateway = "lg-gw1"\nunit = "CT1"\nprofile = "generic_hj212"\n'
        '[[device.point]]\nfield = "co2_dry_percent"\ninterval_s = 120\n'
    )
    (folder / "plant.toml").write_text(stack)
    link = 'id = "stack"\nprotocol = "hj212"\nmode = "listen"\nhost = "127.0.0.1"\nport = 9212\n'
    errors = errors_of(with_tables(folder, f'[[device]]\n{link}mn = "A1"\n'))
    assert "point[0].interval_s: expected that of a device which sends by itself, 60" in errors


async def test_slow_points_are_due_in_slow_rounds_only() -> None:
    points = [
        {"id": "a", "addr": 0, "type": "f32", "field": GAUGES[0]},
        {"id": "b", "addr": 2, "type": "f32", "field": GAUGES[1]},
    ]
    slave = Slave(floats(0, [1.5, 2.5]))
    rhythm = Rhythm(slow=(GAUGES[1],), slow_every=4)
    async with line_of(profile(points), slave, rhythm=rhythm) as line:
        dues = [line.due(at * INTERVAL_MS) for at in range(6)]
        assert dues == [(0, 1), (0,), (0,), (0,), (0, 1), (0,)]
        assert await read(line, 0) == [1.5, 2.5]
        assert await read(line, INTERVAL_MS) == [1.5]
        assert slave.asked == [(3, 0, 4), (3, 0, 2)]


async def test_a_device_is_read_at_its_own_slots_only() -> None:
    """Beside another on the same line that is read at each slot of the gateway."""
    shape, fields = profile([{"id": "a", "addr": 0, "type": "f32", "field": GAUGES[0]}]), GAUGES[:1]
    slaves = [Slave(floats(0, [1.5])), Slave(floats(0, [2.5]), unit=2)]
    async with tcp_server(tcp_slaves(*slaves)) as port:
        often = placed(shape, fields, port=port)
        seldom = placed(shape, fields, 1, "n", Rhythm(3 * INTERVAL_MS), port=port, unit_id=2)
        line = one_line([often, seldom])
        found = [await read(line, at * INTERVAL_MS) for at in range(5)]
        assert found == [[1.5, 2.5], [1.5], [1.5], [1.5, 2.5], [1.5]]
        assert [len(slave.asked) for slave in slaves] == [5, 2]
        line.close()
