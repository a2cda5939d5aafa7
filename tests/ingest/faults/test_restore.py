"""docs/backup.md rehearsed: a lost machine, and a restore to the moment before a mistake."""

import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, put, second_box, write_files
from ingest.faults.counting import count
from ingest.faults.place import Service, wait_for
from ingest.faults.senders import Sender
from ingest.test_commands import tanzheng
from parts import REPOSITORY, server_folder
from tanzheng.ingest import service
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.embedded import EmbeddedPostgres, reachable_binaries
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

PAGE = (REPOSITORY / "docs/backup.md").read_text()
BASE = ("-X", "stream", "-c", "fast")
RECEIVE = ("--synchronous", "--no-loop")
NAMES = "ALTER SYSTEM SET synchronous_standby_names = 'archive'"


class Archive:
    """Base backup and streamed log of a server, as somebody on another machine has them."""

    def __init__(self, server: EmbeddedPostgres, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.base, self.log = folder / "base", folder / "wal"
        self.log.mkdir()
        self._programs = reachable_binaries(service.service_user()) / "bin"

    def _command(self, program: str, *words: str) -> list[str]:
        url = self.server.url("postgres").replace("/postgres?", "/?")
        return [str(self._programs / program), "-d", f"{url}&application_name=archive", *words]

    def take(self) -> None:
        """The base backup, with what is needed to start it."""
        subprocess.run(self._command("pg_basebackup", "-D", str(self.base), *BASE), check=True)

    @contextmanager
    def receive(self) -> Iterator[None]:
        """Commits wait until their log is on the archive's disk."""
        command = self._command("pg_receivewal", "-D", str(self.log), *RECEIVE)
        with subprocess.Popen(command) as receiver:
            try:
                self._ask(NAMES)
                self._ask("SELECT pg_reload_conf()")
                wait_for(lambda: self._ask("SELECT sync_state FROM pg_stat_replication") == "sync")
                yield
            finally:
                receiver.send_signal(signal.SIGINT)

    def _ask(self, statement: str) -> object:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            row = found.fetchone() if found.description else None
            return row[0] if row else None

    def restored(self, folder: Path, until: str | None) -> EmbeddedPostgres:
        """A server of its own from the backup, at the named moment, or at the end of the log."""
        made = EmbeddedPostgres(folder)
        user = service.service_user()
        inside = service.service_folder(folder, user)
        shutil.copytree(self.base, inside / "data")
        shutil.copy(self.server.directory / "pgpass", folder / "pgpass")
        for part in self.log.glob("*.partial"):  # the segment that was being written
            shutil.copy(part, part.with_suffix(""))
        settings = f"restore_command = 'cp {self.log}/%f %p'\nsynchronous_standby_names = ''\n"
        if until is not None:
            settings += f"recovery_target_name = '{until}'\nrecovery_target_action = 'promote'\n"
        with (inside / "data/postgresql.auto.conf").open("a") as file:
            file.write(settings)
        (inside / "data/recovery.signal").touch()
        for path in (self.folder, self.log, *self.log.iterdir()):
            path.chmod(0o755)
        service.hand_over(inside, user)
        return made


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    with server_folder() as folder, EmbeddedPostgres(folder / "first") as running:
        migrate(running.url())
        yield running


@pytest.fixture
def archive(server: EmbeddedPostgres) -> Iterator[Archive]:
    with server_folder() as folder:
        made = Archive(server, folder)
        made.take()
        yield made


def test_the_page_has_the_words_that_are_rehearsed_here() -> None:
    words = [f"-D base {' '.join(BASE)}", f"-D wal {' '.join(RECEIVE)}", NAMES, "recovery.signal"]
    words += ["restore_command = 'cp ", "recovery_target_action = 'promote'"]
    words += ["recovery_target_name", "ingest recover --gateways", "TANZHENG_DATABASE_FROM"]
    assert [each for each in words if each not in PAGE] == []


def promoted(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.url()) as connection:
        return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


def test_a_lost_machine_costs_nothing_that_was_acknowledged(
    server: EmbeddedPostgres, archive: Archive
) -> None:
    """Log streamed synchronously: killed at once after the commit, its disk never seen again."""
    box, other = Box(), second_box()
    with archive.receive(), closing(Writer(server.url(), enrolled(box, other))) as writer:
        for _ in range(30):
            put(writer, [message(box.next())])
        put(writer, [message(other.next(), "gw2")])
        server.kill()
    with server_folder() as folder, archive.restored(folder, None) as second:
        wait_for(lambda: promoted(second))
        counted = count(second.url(), [box, other], Counter())
    assert counted.clean, counted
    assert counted.stored == 31 * 30


def test_back_to_before_a_mistake_and_what_came_after_recovered(
    server: EmbeddedPostgres, archive: Archive, tmp_path: Path
) -> None:
    """The gateways freed what the restore takes away: it is in the damaged database still."""
    boxes = [Box(), second_box()]
    gateways = write_files(tmp_path, *boxes)
    with server_folder() as folder, Broker(folder) as broker:
        senders = [Sender(broker, box, seed=n) for n, box in enumerate(boxes)]
        run = Service(broker, server.url(), tmp_path, gateways)
        run.start()
        try:
            with archive.receive():
                deliver(senders, 20)
                mistake(server)
                deliver(senders, 20)
            with server_folder() as place, archive.restored(place, "before") as second:
                wait_for(lambda: promoted(second))
                run.kill()
                run.url = second.url()
                run.start()
                for sender in senders:
                    sender.offer(5, 10)
                assert holes_of(second.url()) == [[21, 20], [21, 20]]
                assert [sender.delivered for sender in senders] == [40, 40]
                assert recovered(gateways, second, server) == (40, 40, {})
                wait_for(lambda: [sender.delivered for sender in senders] == [45, 45])
                counted = count(second.url(), boxes, Counter())
        finally:
            run.kill()
            for sender in senders:
                sender.close()
    assert counted.clean, counted


def deliver(senders: list[Sender], batches: int) -> None:
    for sender in senders:
        sender.offer(batches, 10)
    wait_for(lambda: all(each.delivered == len(each.box.signed) for each in senders))


def recovered(
    gateways: Path, here: EmbeddedPostgres, damaged: EmbeddedPostgres
) -> tuple[int, int, dict[str, int]]:
    """What the command says: found, accepted, refused by reason."""
    words = ("--gateways", str(gateways), "--from", damaged.url(), "--json")
    done = tanzheng("recover", *words, url=here.url())
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told["found"], told["accepted"], told["refused"]


def mistake(server: EmbeddedPostgres) -> None:
    """Somebody deletes what was never to be touched; the moment before it bears a name."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_create_restore_point('before')")
        connection.execute("DELETE FROM reading WHERE batch_id % 2 = 0")
        connection.execute("DELETE FROM batch WHERE seq BETWEEN 3 AND 7")


def holes_of(url: str) -> list[list[int]]:
    """First missing number and how many, of each gateway, when both are seen."""

    def seen() -> list[list[int]]:
        told = json.loads(tanzheng("status", "--json", url=url).stdout)
        holes = [gateway["holes"] for gateway in told["gateways"]]
        return [[hole["first_seq"], hole["batches"]] for each in holes for hole in each]

    deadline = time.monotonic() + 20
    while len(seen()) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen()


def test_a_forged_batch_of_the_other_database_is_refused(database_url: str, tmp_path: Path) -> None:
    """The source is not believed: a changed batch goes to quarantine, the others come."""
    box = Box()
    gateways = write_files(tmp_path, box)
    with server_folder() as folder, EmbeddedPostgres(folder) as damaged:
        migrate(damaged.url())
        migrate(database_url)
        with closing(Writer(damaged.url(), enrolled(box))) as writer:
            put(writer, [message(box.next()) for _ in range(4)])
        with psycopg.connect(damaged.url()) as connection:
            forged = bytearray(box.signed[2].raw)
            forged[300] ^= 1
            connection.execute("UPDATE batch SET raw = %s WHERE seq = 3", (bytes(forged),))
        words = ("--gateways", str(gateways), "--from", damaged.url())
        done = tanzheng("recover", *words, url=database_url)
        assert done.returncode == 3
        assert "3 of 4 batches" in done.stdout
        assert "signature_invalid" in done.stderr
        again = tanzheng("recover", *words, "--json", url=database_url)
    told = json.loads(again.stdout)
    assert (told["found"], told["accepted"], told["duplicates"]) == (2, 0, 1)
