"""What works but is seldom meant is said at a check, with file and line."""

import re
from pathlib import Path

import pytest

from edge.test_config import PLANT, RTU, SECOND, with_tables
from tanzheng.edge.configuration.config import load
from tanzheng.edge.configuration.lint import warnings_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plant.toml").write_text(PLANT)
    return tmp_path


@pytest.mark.parametrize(
    ("first", "second", "warning"),
    [
        (f"{RTU}unit_id = 1\n", f"{RTU}unit_id = 1\n", "second is unit 1 at /dev/ttyS9, as gen_"),
        (f"{RTU}unit_id = 1\n", f"{RTU}unit_id = 2\ntimeout_ms = 59500\n", "their time-outs take"),
        (f"{RTU}unit_id = 1\n", RTU.replace("S9", "USB0") + "unit_id = 2\n", "/dev/serial/by-id/"),
        (f"{RTU}unit_id = 1\n", f"{RTU}unit_id = 2\n", "1 points without a role are recorded"),
    ],
)
def test_what_is_seldom_meant_is_said_with_its_line(
    folder: Path, first: str, second: str, warning: str
) -> None:
    (folder / "plant.toml").write_text(PLANT + SECOND)
    tables = f'[[device]]\nid = "gen_meter"\n{first}[[device]]\nid = "second"\n{second}'
    found = [text for text in warnings_of(load(with_tables(folder, tables))) if warning in text]
    assert len(found) == 1
    assert re.match(r"\S+(edge|plant)\.toml:\d+: ", found[0])


def test_a_gauge_that_tells_of_operation_needs_no_role(folder: Path) -> None:
    """Of the second meter, whose points have no role, the power says whether the unit runs."""
    operating = '[unit.operating]\npoint = "second/active_power_kw"\nabove = "0"\n'
    plant = (PLANT + SECOND).replace("[[gateway]]", f"{operating}[[gateway]]", 1)
    (folder / "plant.toml").write_text(plant)
    tables = "".join(
        f'[[device]]\nid = "{name}"\n{RTU}unit_id = {number}\n'
        for number, name in enumerate(("gen_meter", "second"), 1)
    )
    warned = " ".join(warnings_of(load(with_tables(folder, tables))))
    assert "without a role" not in warned


def test_co2_without_its_unit_is_said(folder: Path) -> None:
    plant = PLANT.partition("[[device]]")[0] + (
        '[[device]]\nid = "stack"\ngateway = "lg-gw1"\nunit = "CT1"\nprofile = "generic_hj212"\n'
        '[[device.point]]\nfield = "co2_dry_percent"\nrole = "cems_co2"\n'
    )
    (folder / "plant.toml").write_text(plant)
    link = 'id = "stack"\nprotocol = "hj212"\nmode = "listen"\nhost = "127.0.0.1"\nport = 9212\n'
    path = with_tables(folder, f'[[device]]\n{link}mn = "A1"\n')
    (warning,) = warnings_of(load(path))
    assert re.search(r"edge\.toml:\d+: device\[0\]\.units: a05001 is sent in", warning)
    path.write_text(path.read_text() + 'units = {a05001 = "%"}\n')
    assert warnings_of(load(path)) == []


def test_a_line_that_is_too_slow_is_said(folder: Path) -> None:
    plant = PLANT.replace("interval_s = 60", "interval_s = 1")
    (folder / "plant.toml").write_text(plant)
    slow = f'[[device]]\nid = "gen_meter"\n{RTU}unit_id = 1\nbaud = 1200\npause_ms = 400\n'
    path = with_tables(folder, slow)
    assert any("would be busy" in text for text in warnings_of(load(path)))
    own = PLANT.replace("interval_s = 60", "interval_s = 1").replace(
        'iem3000"', 'iem3000"\ninterval_s = 60'
    )
    (folder / "plant.toml").write_text(own)
    assert not any("would be busy" in text for text in warnings_of(load(path)))


def test_points_that_change_slowly_are_named_where_a_line_is_too_slow(folder: Path) -> None:
    plant = PLANT.replace("interval_s = 60", "interval_s = 1").replace(
        "schneider_iem3000", "generic_dlt645"
    )
    tariff = '[[device.point]]\nfield = "active_energy_import_t1_kwh"\n'
    (folder / "plant.toml").write_text(plant + tariff)
    link = 'protocol = "dlt645"\nserial_port = "/dev/ttyS9"\naddress = "000000000001"\n'
    path = with_tables(folder, f'[[device]]\nid = "gen_meter"\n{link}ct = "1"\npt = "1"\n')
    (busy,) = [text for text in warnings_of(load(path)) if "would be busy" in text]
    assert busy.endswith("would do for gen_meter/active_energy_import_t1_kwh")
