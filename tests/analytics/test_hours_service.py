"""Hours kept up by a process that stays: through restarts, new gateways and bad batches."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, plant_toml, put, second_box
from ingest.service import ask, until
from parts import server_folder
from tanzheng.analytics import hours_service
from tanzheng.analytics.database import conninfo
from tanzheng.analytics.errors import DatabaseFault
from tanzheng.analytics.hour_store import LOCK_KEY, processes, refresh
from tanzheng.analytics.hours_health import Health
from tanzheng.analytics.hours_service import HoursService, PlantFiles, Rounds
from tanzheng.core.batch import SignedBatch
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant
from tanzheng.ingest.broker import free_port
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

TANZHENG = Path(sys.executable).with_name("tanzheng")
EVERY_S = 1
NOW_MS = 1_900_000_000_000
HOURS_OF = (
    "SELECT count(DISTINCT (point_id, hour)) FROM hour JOIN point USING (point_id) "
    "WHERE gw = %s AND readings > 0"
)


@dataclass
class Service:
    """The command as a process of its own."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def health(self) -> tuple[int, list[str]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as got:
                return got.status, json.load(got)["reasons"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)["reasons"]

    def healthy(self) -> bool:
        return self.health() == (200, [])

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def started(url: str, plant: Path) -> Iterator[Service]:
    """`tanzheng hours refresh --every`, once it listens."""
    port, log = free_port(), plant.with_name("hours.log")
    words = ["hours", "refresh", "--plant", str(plant), "--every", str(EVERY_S), "--json",
             "--workers", "2", "--health", f"127.0.0.1:{port}"]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [TANZHENG, *words], stdout=output, stderr=output,
            env={**os.environ, "TANZHENG_DATABASE_URL": url},
        )  # fmt: skip
    try:
        until(lambda: "keeping hours up" in log.read_text())
        yield Service(process, port, log)
    finally:
        process.kill()
        process.wait()


def store(url: str, *batches: SignedBatch, boxes: tuple[Box, ...]) -> None:
    with closing(Writer(url, enrolled(*boxes))) as writer:
        done = put(writer, [message(each, each.batch.gw) for each in batches])
        assert done.accepted == len(batches)


def hours_of(url: str, gw: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(HOURS_OF, (gw,)).fetchone()
    assert row is not None
    return int(row[0])


def plant_file(folder: Path) -> Path:
    path = folder / "plant.toml"
    path.write_text(plant_toml())
    return path


def test_it_follows_what_comes_and_outlives_its_database(tmp_path: Path) -> None:
    one, two = Box(), second_box()
    with server_folder() as folder, EmbeddedPostgres(folder / "db") as server:
        url = server.url()
        migrate(url)
        store(url, one.next(60), boxes=(one,))
        with started(url, plant_file(tmp_path)) as service:
            until(lambda: hours_of(url, "gw1") == 3)
            until(service.healthy)
            store(url, two.next(60), boxes=(one, two))  # a gateway that was not there
            until(lambda: hours_of(url, "gw2") == 3)
            server.kill()
            until(lambda: service.health()[0] == 503)
            assert "next try in" in service.log.read_text()
            assert service.process.poll() is None
            server.start()
            store(url, one.next(60), two.next(60), boxes=(one, two))
            until(lambda: hours_of(url, "gw1") + hours_of(url, "gw2") == 12)
            until(lambda: ask(url, "SELECT FROM dirty_hour") == [])
            until(service.healthy)
            assert service.end(signal.SIGTERM) == 0, service.log.read_text()
        assert service.log.read_text().count("the database answers") == 2
        told = [line for line in service.log.read_text().splitlines() if line.startswith("{")]
        assert sum(json.loads(line)["marks"] for line in told) >= 4
        ask(url, "SELECT mark_dirty(gw, min(first_ms), max(last_ms) + 1) FROM batch GROUP BY gw")
        assert refresh(url, [Plant.parse(plant_toml().encode())], NOW_MS).written == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_for_a_database_that_is_not_there_yet(tmp_path: Path, number: int) -> None:
    url = f"postgresql://127.0.0.1:{free_port()}/nowhere"
    with started(url, plant_file(tmp_path)) as service:
        until(lambda: "next try in 2 s" in service.log.read_text())
        status, reasons = service.health()
        assert status == 503
        assert "refused" in reasons[0]
        assert service.end(number) == 0, service.log.read_text()
        assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--plant", "PLANT", "--health", "127.0.0.1:0"], 2, "expected --every with it"),
        (["--plant", "PLANT", "--every", "0"], 2, "--every"),
        (["--plant", "nowhere.toml", "--every", "1"], 2, "expected a readable file"),
        (["--plant", "nowhere.toml"], 2, "expected a readable file"),
        (["--plant", "PLANT", "--every", "1", "--health", "here"], 2, "expected HOST:PORT"),
        (["--plant", "PLANT", "--every", "1", "--health", "192.0.2.1:80"], 1, "to listen on"),
    ],
)
def test_what_cannot_work_ends_at_once(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    plant = str(plant_file(tmp_path))
    done = subprocess.run(
        [TANZHENG, "hours", "refresh", *(plant if word == "PLANT" else word for word in words)],
        env={**os.environ, "TANZHENG_DATABASE_URL": "postgresql://127.0.0.1:1/x"},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


@contextmanager
def running(service: HoursService) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield thread
    finally:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    return database_url


def service_of(url: str, plant: Path, tell: Callable[[Any], object] = str) -> HoursService:
    return HoursService(Rounds(url, PlantFiles([plant]), None), 0.05, tell)


def forge(url: str, query: str, *values: Any) -> None:
    """What nobody may do: to see it told."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(query.encode(), values)


def test_a_gateway_with_a_bad_batch_holds_up_no_other(url: str, tmp_path: Path) -> None:
    one, two = Box(), second_box()
    signed = two.next(60)
    store(url, signed, one.next(60), boxes=(one, two))
    forge(url, "UPDATE batch SET raw = 'x' WHERE gw = 'gw2'")
    service = service_of(url, plant_file(tmp_path))
    with running(service):
        until(lambda: hours_of(url, "gw1") == 3)
        until(lambda: [fault[:14] for fault in service.faults()] == ["gw2: expected "])
        assert hours_of(url, "gw2") == 0
        store(url, one.next(60), boxes=(one, two))
        until(lambda: hours_of(url, "gw1") == 6)
        assert ask(url, "SELECT DISTINCT gw FROM dirty_hour") == [("gw2",)]
        forge(url, "UPDATE batch SET raw = %s WHERE gw = 'gw2'", signed.raw)  # bare, as once
        until(lambda: hours_of(url, "gw2") == 3)
        until(lambda: service.faults() == [])


def test_a_connection_cut_in_the_middle_is_made_again(url: str, tmp_path: Path) -> None:
    box = Box()
    store(url, box.next(60), boxes=(box,))
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'tanzheng-analytics' AND wait_event = 'advisory'"
    )
    service = service_of(url, plant_file(tmp_path))
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        with running(service) as thread:
            until(lambda: ask(url, cut) == [(True,)])
            until(lambda: any("terminating connection" in each for each in service.faults()))
            other.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))
            until(lambda: hours_of(url, "gw1") == 3)
            until(lambda: service.faults() == [])
            assert thread.is_alive()


def test_what_fails_behind_each_mark_is_tried_ever_less_often(url: str, tmp_path: Path) -> None:
    box = Box()
    store(url, box.next(60), boxes=(box,))
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE hour ADD CONSTRAINT full_disk CHECK (readings < 0)")
    service = service_of(url, plant_file(tmp_path))
    assert [service._round() for _ in range(4)] == [1, 2, 4, 8]
    assert "full_disk" in service.faults()[0]
    service._failures = 100_000
    assert service._round() == hours_service.RETRY_S_MAX
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE hour DROP CONSTRAINT full_disk")
    assert service._round() == service._every_s
    assert service.faults() == []
    assert hours_of(url, "gw1") == 3


def test_it_ends_although_somebody_holds_the_lock(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hours_service, "STOP_S_MAX", 0.5)
    monkeypatch.setattr(hours_service, "STILL_S_MAX", 0.1)
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        service = service_of(url, plant_file(tmp_path))
        with running(service):
            until(lambda: any("nothing was done" in fault for fault in service.faults()))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tanzheng-analytics'"
        )
        assert ask(url, waiting + " AND datname = current_database()") == [(1,)]


def test_it_stops_between_two_gateways(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Box(), second_box()
    store(url, one.next(60), two.next(60), boxes=(one, two))
    service = service_of(url, plant_file(tmp_path))
    begun: list[tuple[int, int]] = []
    real = service._go_on

    def go_on(done: int, total: int) -> None:
        begun.append((done, total))
        if done:
            service.stop()
        real(done, total)

    monkeypatch.setattr(service, "_go_on", go_on)
    service.run()
    assert begun == [(0, 2), (1, 2)]
    assert sorted((hours_of(url, "gw1"), hours_of(url, "gw2"))) == [0, 3]
    assert len(ask(url, "SELECT FROM dirty_hour")) == 1


def test_who_is_at_work_at_the_end_is_stopped() -> None:
    begun_s = time.monotonic()
    with processes(2) as pool:
        assert pool is not None
        held = [pool.submit(time.sleep, 60) for _ in range(2)]
        until(lambda: all(each.running() for each in held))
    assert all(isinstance(each.exception(20), BrokenProcessPool) for each in held)
    assert time.monotonic() - begun_s < 60


def test_a_fault_of_our_own_ends_it(url: str, tmp_path: Path) -> None:
    box = Box()
    store(url, box.next(60), boxes=(box,))

    def tell(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        service_of(url, plant_file(tmp_path), tell).run()


def test_a_plant_file_counts_as_it_is_on_disk(tmp_path: Path) -> None:
    path = plant_file(tmp_path)
    files = PlantFiles([path])
    assert files.plants()[1] == []
    path.write_text(plant_toml().replace("Test plant", "Other name"))
    assert [plant.name for plant in files.plants()[0]] == ["Other name"]
    path.write_text("version =")
    plants, faults = files.plants()
    assert [plant.name for plant in plants] == ["Other name"]
    assert "plant.toml: expected TOML" in faults[0]
    path.unlink()
    assert "expected a readable file" in files.plants()[1][0]
    with pytest.raises(BadInput, match="expected a readable file"):
        PlantFiles([path])


def test_settings_of_the_connection_give_way_to_the_url() -> None:
    made = conninfo("postgresql://a@h/d?connect_timeout=3")
    assert "connect_timeout=3" in made
    assert "keepalives_idle=30" in made
    with pytest.raises(DatabaseFault):
        conninfo("postgresql://a@h/d?no_such=3")


def test_health_answers_for_one_path_as_long_as_the_block() -> None:
    faults = ["no database"]
    with Health("127.0.0.1:0", lambda: faults) as health:
        place = f"http://127.0.0.1:{health.port}"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{place}/health", timeout=5)
        with refused.value as error:
            assert (error.code, json.load(error)["reasons"]) == (503, ["no database"])
        faults.clear()
        with urllib.request.urlopen(f"{place}/health", timeout=5) as got:
            assert json.load(got) == {"healthy": True, "reasons": []}
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(f"{place}/metrics", timeout=5)
        refused.value.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{place}/health", timeout=5)
