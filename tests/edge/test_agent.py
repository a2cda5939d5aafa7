"""The agent as a real process on a real broker: nothing lost, nothing twice, nothing forked."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.stub_plant import INTERVAL_MS, POINTS, START_MS, StubPlant
from edge.world import (
    GATEWAY,
    GATEWAY_KEY,
    STRANGER_KEY,
    Platform,
    Program,
    ack_of,
    gap_slots,
    readings,
    simulated_plant,
    taken_slots,
    wait_until,
    write_config,
)
from tanzheng.core.batch import Batch
from tanzheng.edge.commands import app
from tanzheng.edge.counters import STATUS_NAME
from tanzheng.edge.spool.fsck import check_spool
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.status import read_status
from tanzheng.ingest.broker import Broker

RSS_MB_MAX = 60


@contextmanager
def agent(config: Path) -> Iterator[Program]:
    with Program(config.with_name("agent.log"), "edge", "run", str(config)) as program:
        yield program


def configure(folder: Path, broker: Broker, **changes: object) -> Path:
    url = broker.gateway_url(GATEWAY)
    return write_config(folder, url, plant_time_socket="plant-time.sock", **changes)


def status_of(config: Path) -> dict[str, Any]:
    """The spool's status as `tanzheng edge status --json` prints it, without a process for it."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(read_status(config.parent / "spool"))))
    return found


def is_synced(config: Path, pid: int) -> bool:
    """Whether the agent of that process id has compared its spool with the platform's head."""
    path = config.parent / "spool" / STATUS_NAME
    found = json.loads(path.read_text()) if path.exists() else {}
    return found.get("pid") == pid and bool(found["synced"])


def is_logged(program: Program, event: str) -> bool:
    return any(line["event"] == event for line in program.log_lines())


def account(plant: StubPlant, platform: Platform) -> dict[str, int]:
    """Every slot of the month is stored once or in a gap record; values belong to their slots."""
    stored = readings(platform.batches)
    counts = Counter((point, t_ms) for point, t_ms, _ in stored)
    assert not counts or max(counts.values()) == 1, "a reading came twice"
    for point, t_ms, value in stored:
        assert value == (StubPlant.value_at(t_ms) if point == POINTS[0] else 1.0)
    gaps = {(point, t_ms) for point, t_ms, _ in gap_slots(platform.batches)}
    lost = {(point, t) for t in plant.taken for point in POINTS} - set(counts)
    assert not lost, f"taken and not stored: {sorted(lost)[:3]}"
    assert not gaps & set(counts)
    every = range(START_MS, plant.end_ms + 1, INTERVAL_MS)
    assert gaps | set(counts) == {(point, t) for t in every for point in POINTS}
    assert platform.refused == []
    return {"stored": len(stored), "gaps": len(gaps)}


def test_a_month_to_its_end(tmp_path: Path, broker: Broker) -> None:
    with StubPlant(tmp_path, 150) as plant, Platform(broker.platform_url) as platform:
        config = configure(tmp_path, broker)
        with agent(config) as program:
            assert program.wait(40) == 0
        assert account(plant, platform) == {"stored": 302, "gaps": 0}
        shown = CliRunner().invoke(app, ["status", str(config), "--json"])
        status = json.loads(shown.stdout)
        assert (status["batches"], status["unsealed"]) == (0, 0)
        assert platform.head is not None
        assert status["acked"] == status["head"] == [1, platform.head.seq]
        assert status["durable_ms"] == plant.end_ms
        assert platform.batches[0].events[0].kind == "agent_started"
        assert "last sealed batch" in CliRunner().invoke(app, ["status", str(config)]).stdout
        assert "0 batches, 0 entries" in CliRunner().invoke(app, ["fsck", str(config)]).stdout


def test_readings_go_on_while_the_broker_is_away(tmp_path: Path, broker: Broker) -> None:
    with StubPlant(tmp_path, 150) as plant, Platform(broker.platform_url) as platform:
        config = configure(tmp_path, broker)
        broker.kill()
        with agent(config) as program:
            wait_until(lambda: len(plant.taken) == 151, "all slots taken without a broker")
            assert platform.stored == []
            assert status_of(config)["unsealed"] >= 151
            broker.start()
            assert program.wait(40) == 0
        assert account(plant, platform)["gaps"] == 0


def test_a_frozen_broker(tmp_path: Path, broker: Broker) -> None:
    """SIGSTOP: connections stay open and silent. The agent finds out and starts anew."""
    with (
        StubPlant(tmp_path, 600, pause_s=0.005) as plant,
        Platform(broker.platform_url) as platform,
    ):
        config = configure(tmp_path, broker)
        with agent(config) as program:
            wait_until(lambda: platform.stored, "a first batch")
            broker.pause()
            count = len(plant.taken)
            wait_until(lambda: len(plant.taken) > count + 50, "slots without the broker")
            wait_until(lambda: is_logged(program, "broker_silent"), "notice of the silence")
            broker.resume()
            assert program.wait(60) == 0
        assert account(plant, platform)["gaps"] == 0


def test_an_absent_platform_is_offered_everything_again(tmp_path: Path, broker: Broker) -> None:
    """The broker takes and confirms batches that nobody keeps: PUBACK frees nothing."""
    with StubPlant(tmp_path, 200) as plant:
        config = configure(tmp_path, broker)
        with agent(config) as program:
            wait_until(lambda: len(plant.taken) == 201, "all slots taken")
            wait_until(lambda: status_of(config)["batches"] >= 4, "sealed batches")
            with Platform(broker.platform_url) as platform:
                assert program.wait(40) == 0
        assert account(plant, platform)["gaps"] == 0
        assert is_logged(program, "platform_silent")


def test_kill_at_random_instants(tmp_path: Path, broker: Broker) -> None:
    chance = random.Random(57028)
    with (
        StubPlant(tmp_path, 400, pause_s=0.002) as plant,
        Platform(broker.platform_url) as platform,
    ):
        config = configure(tmp_path, broker, batch_slots_max=20)
        for _ in range(4):
            before = len(plant.taken)
            with agent(config) as program:
                wait_until(lambda seen=before: len(plant.taken) > seen, "a slot taken")
                time.sleep(chance.uniform(0, 0.3))
                program.kill()
        with agent(config) as program:
            assert program.wait(60) == 0
        found = account(plant, platform)
        assert 0 < found["gaps"] <= 4 * 3 * len(POINTS)
        assert {reason for *_, reason in gap_slots(platform.batches)} == {"agent_down"}
        assert len(plant.hellos) == 5


def test_sigterm_keeps_the_spool_and_leaves_no_gap(tmp_path: Path, broker: Broker) -> None:
    with (
        StubPlant(tmp_path, 250, pause_s=0.01) as plant,
        Platform(broker.platform_url) as platform,
    ):
        platform.answering = False
        config = configure(tmp_path, broker)
        with agent(config) as program:
            wait_until(lambda: is_synced(config, program.pid), "the platform's head")
            wait_until(lambda: len(plant.taken) > 50, "fifty slots")
            assert program.stop() == 0
        status = status_of(config)
        assert status["unsealed"] == 0
        assert status["batches"] >= 1
        platform.answering = True
        with agent(config) as program:
            assert program.wait(40) == 0
        assert account(plant, platform)["stored"] >= 496


def test_forged_and_conflicting_acks_free_nothing(tmp_path: Path, broker: Broker) -> None:
    with StubPlant(tmp_path, 120) as plant, Platform(broker.platform_url) as platform:
        platform.answering = False
        config = configure(tmp_path, broker)
        with agent(config) as program:
            wait_until(lambda: len(plant.taken) == 121 and platform.stored, "batches")
            wait_until(lambda: status_of(config)["unsealed"] == 0, "all sealed")
            count = status_of(config)["batches"]
            head = platform.head
            assert head is not None
            platform.send_ack(ack_of(head, key=STRANGER_KEY))
            platform.send_ack(ack_of(type(head)(head.epoch, head.seq, bytes(32))))
            platform.send_ack(b"garbage")
            wait_until(
                lambda: status_of(config)["agent"]["counters"]["ack_malformed"] >= 1, "the count"
            )
            status = status_of(config)
            assert status["batches"] == count
            assert status["agent"]["counters"]["ack_forged"] == 1
            assert status["agent"]["counters"]["ack_conflict"] == 1
            platform.answering = True
            platform.send_ack(platform.ack())
            assert program.wait(40) == 0
        assert account(plant, platform)["gaps"] == 0
        assert {"ack_forged", "ack_conflict"} <= {line["event"] for line in program.log_lines()}


def test_a_lost_spool_continues_in_a_new_epoch(tmp_path: Path, broker: Broker) -> None:
    """The disk is new, the platform remembers: no batch is ever signed twice for one place."""
    with StubPlant(tmp_path, 200, pause_s=0.01) as plant, Platform(broker.platform_url) as platform:
        config = configure(tmp_path, broker)
        with agent(config) as program:
            wait_until(lambda: len(platform.stored) >= 1, "an acknowledged batch")
            program.kill()
        head = platform.head
        shutil.rmtree(tmp_path / "spool")
        with agent(config) as program:
            assert program.wait(40) == 0
        assert platform.refused == []
        opened = [batch for batch in platform.batches if batch.epoch == 2]
        assert head is not None
        assert opened[0].seq == 1
        assert opened[0].prev == head.digest
        kinds = [event.kind for event in opened[0].events]
        assert "epoch_opened" in kinds
        span_ms = opened[-1].span_ms
        assert span_ms is not None
        assert span_ms[1] == plant.end_ms


def test_a_device_that_is_away_is_a_gap_with_its_reason(tmp_path: Path, broker: Broker) -> None:
    with StubPlant(tmp_path, 20), Platform(broker.platform_url) as platform:
        devices = json.loads((tmp_path / "devices.json").read_text())
        devices["cems"]["port"] = 9  # discard: nobody listens
        (tmp_path / "devices.json").write_text(json.dumps(devices))
        with agent(configure(tmp_path, broker)) as program:
            assert program.wait(40) == 0
    assert readings(platform.batches) == []
    assert {reason for *_, reason in gap_slots(platform.batches)} == {"refused"}
    assert len(gap_slots(platform.batches)) == 21 * len(POINTS)


def test_the_simulated_plant(tmp_path: Path, broker: Broker) -> None:
    """Against the real simulator: kill −9 and a broker cut on the way, under 60 MB."""
    with simulated_plant(tmp_path), Platform(broker.platform_url) as platform:
        config = configure(tmp_path, broker)
        for cut in (False, True):
            with agent(config) as program:
                count = len(taken_slots(tmp_path))
                wait_until(lambda seen=count: len(taken_slots(tmp_path)) > seen + 150, "slots")
                if cut:
                    broker.stop()
                    wait_until(lambda seen=count: len(taken_slots(tmp_path)) > seen + 300, "slots")
                    broker.start()
                assert resident_mb(program.pid) < RSS_MB_MAX
                program.kill()
        with agent(config) as program:
            wait_until(lambda: is_synced(config, program.pid), "the platform's head")
            assert program.stop() == 0
        taken = {line["slot_ms"] for line in taken_slots(tmp_path) if line["readings"]}
        held = unacknowledged(tmp_path / "spool", platform)
        batches = [*platform.batches, *held]
        counts = Counter((point, t_ms) for point, t_ms, _ in readings(batches))
        assert max(counts.values()) == 1
        points = batches[0].points
        assert len(points) == 11
        assert {(point, t) for t in taken for point in points} <= set(counts)
        gaps = {(point, t) for point, t, _ in gap_slots(batches)}
        first, last = min(taken), max(t for _, t in counts)
        every = {(point, t) for t in range(first, last + 1, 60_000) for point in points}
        assert gaps | set(counts) == every
        assert not gaps & set(counts)
        assert platform.refused == []


def unacknowledged(spool: Path, platform: Platform) -> list[Batch]:
    """Batches in the spool that the platform does not have."""
    known = {signed.digest for signed in platform.stored}
    contents = check_spool(spool, GATEWAY_KEY.public)
    assert contents.entries == ()
    return [signed.batch for signed in contents.batches if signed.digest not in known]


def resident_mb(pid: int) -> float:
    """The most memory that the process ever held."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("expected VmHWM in /proc")


def test_the_lean_process_loads_no_command_or_schema_library() -> None:
    code = "import sys, tanzheng.edge.agent; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {"typer", "click", "rich", "yaml", "jsonschema", "pydantic", "structlog", "tomllib"}
    assert not loaded & heavy
    assert "sqlite3" in loaded


@pytest.mark.parametrize("arguments", [[], ["no-such-plan.json"]])
def test_a_plan_that_cannot_be_read_ends_with_2(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "tanzheng.edge.agent", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stderr)["event"] == "failed"


def test_a_spool_of_another_gateway_ends_the_agent(tmp_path: Path, broker: Broker) -> None:
    with StubPlant(tmp_path, 5):
        config = configure(tmp_path, broker)
        (tmp_path / "spool").mkdir()
        Spool(tmp_path / "spool", "other", POINTS).close()
        with agent(config) as program:
            assert program.wait(20) == 1
        assert "expected a spool of gateway lg-gw1, got one of other" in program.log.read_text()
