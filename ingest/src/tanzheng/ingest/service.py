"""Where an embedded server lives, as whom it runs, and how it starts and stops.

Used by the embedded database and the embedded broker. Started by root, a server runs under a
user id of its own that no account has; nothing outside the server's own folder changes its
rights. A server never outlives the process that started it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core.errors import TanzhengError
from tanzheng.ingest import launch

# Between the accounts Debian gives to people (from 1000) and those it reserves (from 60000).
FIRST_SERVICE_UID = 57028
# Where the files of a server go when the user's own folder may not be entered by the server.
SHARED_STATE = Path("/var/lib/tanzheng")
STOP_S_MAX = 30.0


class ServiceFailed(TanzhengError):
    """An embedded server does not start, or stopped by itself; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """Numeric ids a server runs with; no account needs to exist for them."""

    uid: int
    gid: int


def service_user() -> ServiceUser | None:
    """Ids to drop to when we are root, else None: the server runs as ourselves."""
    if os.geteuid() != 0:
        return None
    taken = {account.pw_uid for account in pwd.getpwall()}
    uid = next(uid for uid in range(FIRST_SERVICE_UID, 60000) if uid not in taken)
    return ServiceUser(uid, uid)


def may_enter(path: Path) -> bool:
    """Whether a user without any right of its own gets through every folder above `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def service_folder(directory: Path, user: ServiceUser | None) -> Path:
    """A folder for the server's own files, below `directory` where the server can reach it.

    `directory` itself is opened for passing through; its parents are left as they are. Behind a
    closed parent (root's home, say) the files live under /var/lib/tanzheng, and
    `directory/elsewhere` links to them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if user is None:
        return _own(directory / "server", None)
    directory.chmod(directory.stat().st_mode | 0o011)
    if may_enter(directory / "server"):
        return _own(directory / "server", user)
    link = directory / "elsewhere"
    if not link.is_symlink():
        SHARED_STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
        # A name of its own: a folder made anew must not find the data of one that was removed.
        link.symlink_to(tempfile.mkdtemp(prefix=f"{directory.name}-", dir=SHARED_STATE))
    return _own(link.resolve(), user)


def remove_folder(directory: Path) -> None:
    """Remove a stopped server's `directory` with what lies elsewhere for it."""
    elsewhere = (directory / "elsewhere").resolve()
    if elsewhere.parent == SHARED_STATE:
        shutil.rmtree(elsewhere, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def _own(folder: Path, user: ServiceUser | None) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    if user is not None:
        os.chown(folder, user.uid, user.gid)
    return folder.resolve()


def hand_over(folder: Path, user: ServiceUser | None) -> None:
    """Make `user` the owner of everything in `folder`."""
    if user is None:
        return
    for parent, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(Path(parent, name), user.uid, user.gid, follow_symlinks=False)


def command(
    program: list[str], user: ServiceUser | None, parent_death_signal: signal.Signals
) -> list[str]:
    """The command line that runs `program` as `user` and ties its life to ours."""
    uid, gid = (user.uid, user.gid) if user else (-1, -1)
    ids = [str(os.getpid()), str(int(parent_death_signal)), str(uid), str(gid)]
    return [sys.executable, "-I", str(launch.__file__), *ids, *program]


def start_program(
    program: list[str],
    user: ServiceUser | None,
    folder: Path,
    log: Path,
    stop_signal: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a server in `folder`, its output appended to `log`.

    Linux sends the parent-death signal when the *thread* that started the server ends, so only
    the main thread may do it.
    """
    assert threading.current_thread() is threading.main_thread(), "start servers in the main thread"
    with log.open("ab") as output:
        return subprocess.Popen(
            command(program, user, stop_signal),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle, not the server's
        )


def stop_program(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    """Ask the server to stop, also a paused one; after 30 s it is killed."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        process.send_signal(signal.SIGCONT)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def log_tail(log: Path, lines: int = 12) -> str:
    """The end of a server's log, for an error message."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def write_private(path: Path, text: str) -> None:
    """Write a secret: the file never exists with rights for others."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def copy_for_everyone(source: Path, target: Path) -> None:
    """Copy a tree of programs so that any user may run them; a finished copy is left alone."""
    if target.exists():
        return
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, partial, symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444) | _run_bits(path))
    try:
        partial.rename(target)
    except OSError:  # another process was quicker
        shutil.rmtree(partial)


def _run_bits(path: Path) -> int:
    return 0o111 if path.stat().st_mode & 0o100 else 0
