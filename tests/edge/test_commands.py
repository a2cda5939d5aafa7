"""The commands as a person meets them: narrow terminals, a running agent, wrong arguments."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from typer.testing import CliRunner, Result

from edge.test_metrics import free_port
from edge.test_scan import image, modbus
from edge.world import Program, wait_until, write_config
from parts import REPOSITORY
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.edge import reload as reloading
from tanzheng.edge.commands import app
from tanzheng.edge.configuration.config import load_config
from tanzheng.edge.counters import STATUS_NAME
from tanzheng.edge.inbox import FOLDER, look
from tanzheng.edge.status import SpoolStatus
from tanzheng.edge.swap import instant_ms
from tanzheng.edge.views import status_view

METER = "schneider_iem3000"
FIELDS = ("active_energy_export_kwh", "active_power_kw")
PLANT = """\
version = 1
enterprise = "TEST-1"
name = "Test"
name_zh = "试验"
utc_offset = "+08:00"
[[unit]]
id = "CT1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "test"
[[gateway]]
id = "lg-gw1"
interval_s = 1
[[device]]
id = "gen_meter"
gateway = "lg-gw1"
unit = "CT1"
profile = "schneider_iem3000"
[[device.point]]
field = "active_energy_export_kwh"
role = "generation"
"""
MORE = '[[device.point]]\nfield = "active_power_kw"\n'


def configure(folder: Path, port: int, **changes: object) -> Path:
    """A configuration with one meter at 127.0.0.1:`port`."""
    (folder / "plant.toml").write_text(PLANT + MORE)
    path = write_config(folder, "mqtt://127.0.0.1:1", devices=None, **changes)
    link = f'protocol = "modbus_tcp"\nhost = "127.0.0.1"\nport = {port}\nunit_id = 1\n'
    path.write_text(f'{path.read_text()}[[device]]\nid = "gen_meter"\ntimeout_ms = 200\n{link}')
    return path


def call(*arguments: str | Path, columns: int = 80) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": str(columns)})


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_name_is_cut_on_a_narrow_terminal(tmp_path: Path, columns: int) -> None:
    shown = call("check", configure(tmp_path, 502), columns=columns)
    assert shown.exit_code == 0, shown.output
    assert "…" not in shown.output
    assert all(field in shown.output for field in FIELDS)
    assert (
        max(len(line.rstrip()) for line in shown.output.splitlines() if "warn" not in line) <= 120
    )
    assert "configuration is valid" in shown.output
    assert "1 points without a role are recorded" in re.sub(r"\s+", " ", shown.output)


def test_a_serial_line_is_shown_with_its_load(tmp_path: Path) -> None:
    path = configure(tmp_path, 502)
    text = path.read_text().replace("modbus_tcp", "modbus_rtu")
    text = re.sub(r"host = .*\nport = .*\n", 'serial_port = "/dev/ttyS9"\nbaud = 1200\n', text)
    path.write_text(text)
    shown = call("check", path)
    assert shown.exit_code == 0, shown.output
    assert "1200 8N1" in shown.output
    (line,) = [line for line in shown.output.splitlines() if "/dev/ttyS9" in line and "≈" in line]
    seconds, percent = re.findall(r"≈ ([\d.]+)", line)
    # Two requests: 8 + 5 + 8 and 8 + 5 + 4 characters of 10 bits, two silences and 50 ms each.
    expected = sum((n + 7) * 10 / 1200 + 0.05 for n in (21, 17))
    assert float(seconds) == pytest.approx(expected, abs=0.01)
    assert float(percent) == pytest.approx(100 * expected, abs=1)


def test_read_once_tells_by_its_exit_code(tmp_path: Path) -> None:
    with modbus({1: image(active_power_kw=12.5)}) as port:
        path = configure(tmp_path, port)
        good = call("read-once", path, "--json")
        shown = call("read-once", path, "--device", "gen_meter", columns=100)
    assert (good.exit_code, shown.exit_code) == (0, 0)
    (reading,) = json.loads(good.output)
    values = {point["point"]: point["value"] for point in reading["points"]}
    assert values["active_power_total"] == 12.5
    assert "12.5 kW" in shown.output
    gone = call("read-once", path)
    assert gone.exit_code == 1
    assert "refused" in gone.output


@dataclass
class Running:
    """A real agent over a real meter; no broker is there."""

    config: Path
    program: Program
    metrics_port: int

    @property
    def status(self) -> dict[str, Any]:
        body = json.loads((self.config.parent / "spool" / STATUS_NAME).read_text())
        assert isinstance(body, dict)
        return body


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, port = tmp_path_factory.mktemp("agent"), free_port()
    with modbus({1: image(active_power_kw=12.5, active_energy_export_kwh=70)}) as meter:
        config = configure(folder, meter, metrics_port=port)
        with Program(folder / "agent.log", "edge", "run", str(config)) as program:
            found = Running(config, program, port)
            path = folder / "spool" / STATUS_NAME
            wait_until(lambda: path.exists() and found.status["counters"]["readings"] > 2, "slots")
            yield found
            assert program.stop() == 0, (folder / "agent.log").read_text()


@pytest.fixture
def running(agent: Running) -> Iterator[Running]:
    """The one agent; its files are as they were when a test is over."""
    texts = {path: path.read_text() for path in agent.config.parent.glob("*.toml")}
    yield agent
    for path, text in texts.items():
        path.write_text(text)
    assert call("reload", agent.config).exit_code == 0


def test_a_running_agent_shows_its_health(running: Running) -> None:
    wait_until(lambda: '"answering": true' in json.dumps(running.status), "an answer")
    as_json = call("status", running.config, "--json")
    told = json.loads(as_json.output)
    assert told["agent"]["connected"] is False
    assert told["unsealed"] > 0
    shown = call("status", running.config).output
    assert "gen_meter" in shown
    assert re.search(r"127\.0\.0\.1:\d+ +yes 是", shown)
    assert "… its age 其时长" in shown
    assert re.search(r"agent runs 程序运行 +│ yes 是", shown)
    with urlopen(f"http://127.0.0.1:{running.metrics_port}/metrics", timeout=10) as answer:
        families = {each.name: each for each in text_string_to_metric_families(
            answer.read().decode()
        )}  # fmt: skip
    (up,) = families["tanzheng_device_up"].samples
    assert (up.labels["device"], up.value) == ("gen_meter", 1)
    assert families["tanzheng_readings"].samples[0].value > 2
    assert families["tanzheng_device_successes"].samples[0].value > 0
    assert families["tanzheng_spool_oldest_age_seconds"].samples[0].value < 60
    assert families["tanzheng_broker_connected"].samples[0].value == 0
    assert families["tanzheng_slot_lateness_seconds"].samples


def test_a_running_agent_takes_changed_files(running: Running) -> None:
    before = running.status
    plant = running.config.parent / "plant.toml"
    plant.write_text(PLANT)
    done = call("reload", running.config)
    assert done.exit_code == 0, done.output
    after = running.status
    assert after["plan_digest"] != before["plan_digest"]
    assert after["pid"] == before["pid"] == running.program.pid
    assert after["counters"]["reloads"] == before["counters"]["reloads"] + 1
    plant.write_text("version = 2")
    wrong = call("reload", running.config)
    assert isinstance(wrong.exception, BadInput)
    assert running.status["plan_digest"] == after["plan_digest"]


def test_an_agent_that_refuses_says_why(running: Running) -> None:
    text = running.config.read_text()
    running.config.write_text(text.replace('spool = "spool"', 'spool = "spool2"'))
    (running.config.parent / "spool2").symlink_to(running.config.parent / "spool")
    refused = call("reload", running.config)
    assert isinstance(refused.exception, reloading.ReloadError)
    assert "expected" in str(refused.exception)


def test_no_stranger_gets_a_signal(tmp_path: Path) -> None:
    config = configure(tmp_path, 502)
    spool = tmp_path / "spool"
    assert "expected the spool of an agent that has run" in str(call("reload", config).exception)
    spool.mkdir()
    assert "expected a running agent, got none" in str(call("reload", config).exception)
    with Program(tmp_path / "log", "--help") as stranger:
        (spool / STATUS_NAME).write_text(json.dumps({"pid": stranger.pid}))
        assert "expected a running agent, got none" in str(call("reload", config).exception)
        stranger.process.wait(20)


def test_an_agent_that_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "is_agent", lambda _pid: True)
    plan = load_config(configure(tmp_path, 502))
    (tmp_path / "spool").mkdir()
    with subprocess.Popen(["env", "--default-signal=HUP", "sleep", "60"]) as other:
        (tmp_path / "spool" / STATUS_NAME).write_text(json.dumps({"pid": other.pid}))
        with pytest.raises(reloading.ReloadError, match="to take the plan within 1 s"):
            reloading.hand_over(plan, 1)
        assert other.wait(20) == -signal.SIGHUP  # it got the signal, which ends a `sleep`


def swap(config: Path, *changes: str) -> Result:
    arguments = {
        "--device": "gen_meter", "--field": FIELDS[0], "--final": "999.50", "--initial": "0.2",
        "--reason": "meter was struck 雷击", "--by": "Wang",
    } | dict(zip(changes[::2], changes[1::2], strict=True))  # fmt: skip
    return call("swap", config, *(word for pair in arguments.items() for word in pair))


def test_a_swap_lies_in_the_inbox(tmp_path: Path) -> None:
    config = configure(tmp_path, 502)
    (tmp_path / "spool").mkdir()
    done = swap(config, "--at", "2026-01-01T00:00:00+08:00")
    assert done.exit_code == 0, done.output
    (found,) = look(tmp_path / "spool")
    assert found.record is not None
    assert (found.record.final, found.record.initial) == ("999.50", "0.2")
    assert found.record.t_ms == 1767196800000
    assert found.record.reason == "meter was struck 雷击"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--field", "active_power_kw"), "expected a counter"),
        (("--device", "x"), "expected a point of"),
        (("--final", "many"), "final: expected a number"),
        (("--initial", "-1"), "initial: expected a number from 0"),
        (("--by", ""), "by: expected a line of text"),
        (("--reason", "a\nb"), "reason: expected a line of text"),
        (("--at", "2026-01-01T00:00:00"), "expected an instant with its zone"),
        (("--at", "2999-01-01T00:00:00Z"), "expected an instant that has passed"),
    ],
)
def test_a_wrong_swap_is_named(tmp_path: Path, changes: tuple[str, ...], message: str) -> None:
    config = configure(tmp_path, 502)
    (tmp_path / "spool").mkdir()
    refused = swap(config, *changes)
    assert isinstance(refused.exception, TanzhengError)
    assert message in str(refused.exception)
    assert look(tmp_path / "spool") == []
    assert not (tmp_path / "spool" / FOLDER).exists()


def test_a_running_agent_takes_a_swap(running: Running) -> None:
    done = swap(running.config)
    assert done.exit_code == 0, done.output
    wait_until(lambda: running.status["counters"]["records_taken"] == 1, "the record taken")
    assert look(running.config.parent / "spool") == []


def test_the_words_of_the_troubleshooting_page_are_the_agents_own() -> None:
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
    words = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", page))
    members = ("core", "hardware", "edge-agent")
    paths = [path for name in members for path in (REPOSITORY / name / "src").rglob("*.*")]
    said = "".join(path.read_text() for path in paths if path.suffix in (".py", ".json", ".yaml"))
    assert len(words) > 25
    assert [w for w in words if w not in said and not re.fullmatch(r"exception_\d+", w)] == []


def test_an_agent_that_died_is_not_shown_as_running() -> None:
    found = SpoolStatus("gw", 0, 0, 0, 0, 0, None, None, None, None, {"pid": 2**22 + 1})
    console = Console(width=80, record=True, file=StringIO())
    console.print(status_view(found, 0))
    assert re.search(r"agent runs 程序运行 +│ no 否", console.export_text())


def test_now_is_the_default_instant() -> None:
    assert abs(instant_ms("") - time.time() * 1000) < 5000


def test_the_unit_is_printed(tmp_path: Path) -> None:
    printed = call("unit", configure(tmp_path, 502))
    assert printed.exit_code == 0
    assert f'edge run "{tmp_path}/edge.toml"' in printed.output
