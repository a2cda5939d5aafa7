"""A TimescaleDB server of the tests: a chroot into the Debian tree that `make setup` made.

The programs inside need a newer C library than Debian 12 has, so everything of them runs inside.
Files are handed over by number: user ids inside differ from the host's. Nothing here is meant to
survive a power cut; fsync is off.
"""

import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from parts import REPOSITORY
from tanzheng.ingest.broker import free_port

TREE = REPOSITORY / ".parts" / "timescaledb"
INSIDE = Path("/var/lib/tanzheng-tests")
BINARIES = "/usr/lib/postgresql/17/bin"
OWNER = "tanzheng"
START_S_MAX = 60.0
STOP_S_MAX = 30.0

# The parent-death signal ends the server with us, also if we are killed. setpriv arms it after it
# changed the user, because the kernel clears it there; chroot --userspec could not.
AS_POSTGRES = ("/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")

SETTINGS = {
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "40",
    "max_worker_processes": "24",
    "shared_buffers": "128MB",
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timezone": "UTC",
    "unix_socket_directories": "",
}


class Timescale:
    """A server on a free port of 127.0.0.1 whose life, data included, is the `with` block.

    `inside`: the tree's folder in which it makes its own; `settings`: what differs from `SETTINGS`.
    """

    def __init__(self, inside: Path = INSIDE, **settings: str) -> None:
        self._settings = {**SETTINGS, **settings}
        self.port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._inside = inside / secrets.token_hex(8)
        self._folder = TREE / self._inside.relative_to("/")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._create()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def pid(self) -> int:
        """Process id of the running server's postmaster: everything before it became it."""
        assert self._process is not None, "start() first"
        return self._process.pid

    def url(self, dbname: str) -> str:
        """libpq URL of a database."""
        return f"postgresql://{OWNER}:{self._password}@127.0.0.1:{self.port}/{dbname}"

    def _create(self) -> None:
        self._folder.mkdir(parents=True)
        (self._folder / "password").write_text(self._password)
        user, group = _postgres_ids()
        for path in (self._folder, self._folder / "password"):
            shutil.chown(path, user, group)
        command = [f"{BINARIES}/initdb", "-D", f"{self._inside}/data", "-U", OWNER, "--no-sync"]
        command += ["--auth=scram-sha-256", f"--pwfile={self._inside}/password"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8"]
        command += [f"-c{name}={value}" for name, value in self._settings.items()]
        subprocess.run(
            ["chroot", TREE, *AS_POSTGRES, *command], check=True, stdout=subprocess.DEVNULL
        )

    def start(self) -> None:
        """Start the server on its data; it answers when this returns."""
        deadline = time.monotonic() + START_S_MAX
        while not self._answers_after_start(deadline):
            said = (self._folder / "log").read_text()[-2000:]
            # After a kill −9 the old server's children hold its shared memory for a moment.
            if "is still in use" not in said or time.monotonic() > deadline:
                raise RuntimeError(f"TimescaleDB: {said}")
            time.sleep(0.2)

    def _answers_after_start(self, deadline: float) -> bool:
        command = [f"{BINARIES}/postgres", "-D", f"{self._inside}/data", "-p", str(self.port)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["chroot", TREE, *AS_POSTGRES, "--pdeathsig=INT", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Fast shutdown; nothing where it is gone already."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_S_MAX)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL). `start()` recovers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _postgres_ids() -> tuple[int, int]:
    """User and group id of `postgres` inside the tree."""
    for line in (TREE / "etc/passwd").read_text().splitlines():
        name, _, user, group, *_ = line.split(":")
        if name == "postgres":
            return int(user), int(group)
    raise LookupError(f"expected a user postgres in {TREE}/etc/passwd, got none")
