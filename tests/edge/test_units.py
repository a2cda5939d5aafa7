"""The systemd unit of an installation, by systemd's own check."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from edge.world import GATEWAY_KEY
from tanzheng.edge.plan import BrokerPlan, DevicePlan, Plan
from tanzheng.edge.units import unit_text


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    key = tmp_path / "gateway.pem"
    key.write_bytes(GATEWAY_KEY.to_pem())
    spool = tmp_path / 'a spool, 100% "full" $HOME'
    spool.mkdir()
    return Plan(
        gateway="gw1", interval_ms=1000, phase_ms=0, devices=(), key_path=str(key),
        platform_key_path=str(key), spool_path=str(spool), spool_bytes_max=1, spool_age_s_max=1,
        spool_full_policy="keep_oldest", disk_free_bytes_min=0, broker=BrokerPlan("b", 1883),
        batch_slots_max=1, batch_age_s_max=1, resend_after_s=1, plant_time_socket=None,
        ntp_server=None, metrics_port=None, clock_offset_ms_max=1000,
    )  # fmt: skip


def with_links(plan: Plan, *links: Mapping[str, object]) -> Plan:
    devices = (DevicePlan(f"d{n}", link, {}, (), 1000) for n, link in enumerate(links))
    return replace(plan, devices=tuple(devices))


def settings_of(text: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("serial", [False, True])
def test_systemd_finds_nothing_wrong(plan: Plan, tmp_path: Path, serial: bool) -> None:
    links = ({"serial_port": "/dev/serial/by-id/usb-FTDI"}, {"serial_port": "/dev/ttyS1"})
    text = unit_text(with_links(plan, *(links if serial else ())), tmp_path / "edge.toml")
    unit = tmp_path / "tanzheng-edge.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "tanzheng-edge" in line]
    assert said == []
    assert done.returncode == 0
    assert settings_of(text, "User") == [tmp_path.owner()]
    assert settings_of(text, "WatchdogSec") == ["60"]


def test_words_reach_the_program_as_they_are(plan: Plan, tmp_path: Path) -> None:
    text = unit_text(plan, tmp_path / "my $edge.toml")
    (start,) = settings_of(text, "ExecStart")
    assert start.endswith(f' edge run "{tmp_path}/my $$edge.toml"')
    (spool,) = settings_of(text, "ReadWritePaths")
    assert spool.endswith(r'a spool, 100%% \"full\" $HOME"')


def test_only_what_the_links_need_is_allowed(plan: Plan, tmp_path: Path) -> None:
    text = unit_text(plan, tmp_path / "edge.toml")
    assert settings_of(text, "PrivateDevices") == ["yes"]
    assert settings_of(text, "CapabilityBoundingSet") == [""]
    ports = with_links(
        plan, {"serial_port": "/dev/ttyS1"}, {"serial_port": "/dev/ttyUSB0"},
        {"mode": "listen", "port": 212, "quarantine": "/var/lib/q"},
    )  # fmt: skip
    text = unit_text(ports, tmp_path / "edge.toml")
    assert settings_of(text, "DeviceAllow") == ["char-ttyS rw", "char-ttyUSB rw"]
    assert settings_of(text, "PrivateDevices") == []
    assert settings_of(text, "ReadWritePaths")[0].endswith(' "/var/lib/q"')
    assert settings_of(text, "CapabilityBoundingSet") == ["CAP_NET_BIND_SERVICE"]
