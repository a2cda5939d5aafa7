"""The life of the agent's process: reload, its manager, records, what a wrong driver leaves."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.stub_plant import INTERVAL_MS, POINTS, START_MS, StubPlant
from edge.world import (
    GATEWAY_KEY,
    Platform,
    Program,
    gap_slots,
    readings,
    wait_until,
    write_config,
)
from tanzheng.edge.configuration.config import load_config
from tanzheng.edge.counters import STATUS_NAME
from tanzheng.edge.inbox import MeterSwap, hand_in
from tanzheng.edge.plan import load_plan, save_plan
from tanzheng.edge.reload import ReloadError, hand_over
from tanzheng.edge.spool.fsck import check_spool
from tanzheng.edge.spool.records import ArrivalEntry, SlotEntry
from tanzheng.ingest.broker import Broker

AWAY = "mqtt://nobody:secret@127.0.0.1:9"


class Manager:
    """What systemd is to a service: a socket that hears it."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify.sock")
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            self.heard.append(message.decode().partition("\n")[0])

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", self.path)
        self._thread.join(5)
        self._socket.close()


@contextmanager
def manager(folder: Path) -> Iterator[Manager]:
    made = Manager(folder)
    os.environ |= {"NOTIFY_SOCKET": made.path, "WATCHDOG_USEC": "800000"}
    try:
        yield made
    finally:
        del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
        made.close()


def agent(config: Path) -> Program:
    return Program(config.with_name("agent.log"), "edge", "run", str(config))


def shown(config: Path) -> dict[str, object]:
    path = config.parent / "spool" / STATUS_NAME
    found: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    return found


def test_a_new_plan_between_two_slots(tmp_path: Path, broker: Broker) -> None:
    """Under load: of the point that stays no slot is lost or doubled; a bad plan is refused."""
    with StubPlant(tmp_path, 500, 0.005) as plant, Platform(broker.platform_url) as platform:
        url = broker.gateway_url("lg-gw1")
        config = write_config(tmp_path, url, plant_time_socket="plant-time.sock")
        with agent(config) as program:
            wait_until(lambda: len(plant.taken) > 20 and shown(config), "slots")
            plan = load_config(config)
            with pytest.raises(ReloadError, match="resend_after_s"):
                hand_over(replace(plan, resend_after_s=9))
            (device,) = plan.devices
            less = replace(plan, devices=(replace(device, fields=device.fields[:1]),))
            hand_over(less)
            before = len(plant.taken)
            os.kill(program.pid, signal.SIGHUP)  # the same plan again: nothing is lost by it
            wait_until(lambda: len(plant.taken) > before + 20, "slots")
            assert program.wait(60) == 0
    stored = [t for point, t, _ in readings(platform.batches) if point == POINTS[0]]
    assert sorted(stored) == list(range(START_MS, plant.end_ms + 1, INTERVAL_MS))
    for point, t_ms, value in readings(platform.batches):
        assert value == (StubPlant.value_at(t_ms) if point == POINTS[0] else 1.0)
    assert gap_slots(platform.batches) == []
    assert {batch.points for batch in platform.batches} == {POINTS, POINTS[:1]}
    kinds = [event.kind for batch in platform.batches for event in batch.events]
    assert kinds.count("plan_reloaded") == 2
    assert any(line["event"] == "reload_refused" for line in program.log_lines())


def test_the_manager_hears_of_start_life_reload_and_end(tmp_path: Path) -> None:
    with StubPlant(tmp_path, 10_000, 0.01), manager(tmp_path) as systemd:
        config = write_config(tmp_path, AWAY, plant_time_socket="plant-time.sock")
        with agent(config) as program:
            wait_until(lambda: systemd.heard.count("WATCHDOG=1") >= 3, "signs of life")
            os.kill(program.pid, signal.SIGHUP)
            wait_until(lambda: systemd.heard.count("READY=1") == 2, "the end of the reload")
            program.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            count = len(systemd.heard)
            time.sleep(1)
            assert len(systemd.heard) == count  # a process that stands still gives no sign
            program.process.send_signal(signal.SIGCONT)
            assert program.stop() == 0
            wait_until(lambda: "STOPPING=1" in systemd.heard, "the end")
    told = [message for message in systemd.heard if message != "WATCHDOG=1"]
    assert told == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_a_meter_swap_is_taken_once(tmp_path: Path) -> None:
    swap = MeterSwap("cems", "run_state", 5, "10", "0", "test", "nobody")
    with StubPlant(tmp_path, 10_000, 0.01) as plant:
        config = write_config(tmp_path, AWAY, plant_time_socket="plant-time.sock")
        with agent(config):
            wait_until(lambda: len(plant.taken) > 5, "slots")
            path = hand_in(tmp_path / "spool", swap)
            strange = hand_in(tmp_path / "spool", replace(swap, device="other"))
            wait_until(lambda: not path.exists() and not strange.exists(), "the record taken")
            again = path.read_bytes() if path.exists() else None
    assert again is None
    assert strange.with_suffix(".refused").exists()
    entries = check_spool(tmp_path / "spool", GATEWAY_KEY.public).entries
    events = [
        event for entry in entries if isinstance(entry, (ArrivalEntry, SlotEntry))
        for event in entry.events if event.kind == "meter_swap"
    ]  # fmt: skip
    assert [event.detail["final"] for event in events] == ["10"]


def test_a_plan_that_went_bad_leaves_the_old_one(tmp_path: Path) -> None:
    with StubPlant(tmp_path, 10_000, 0.01) as plant:
        config = write_config(tmp_path, AWAY, plant_time_socket="plant-time.sock")
        with agent(config) as program:
            wait_until(lambda: len(plant.taken) > 5 and shown(config), "slots")
            path = tmp_path / "spool" / "plan.json"
            good = load_plan(path)
            (device,) = good.devices
            for number, bad in enumerate(
                [
                    replace(device, link={**device.link, "protocol": "telepathy"}),
                    replace(device, profile={"id": "nothing"}),
                    replace(device, fields=("co_dry_ppm",)),
                ],
                1,
            ):
                save_plan(replace(good, devices=(bad,)), path)
                os.kill(program.pid, signal.SIGHUP)
                wait_until(
                    lambda n=number: str(shown(config)["reload_error"]).startswith(f"{n}: "),
                    "a refusal",
                )
            before = len(plant.taken)
            wait_until(lambda: len(plant.taken) > before + 20, "slots go on")
            assert shown(config)["plan_digest"] == good.digest
            assert program.stop() == 0
