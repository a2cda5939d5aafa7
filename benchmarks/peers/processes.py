"""What a process used, by the kernel's own account, and how to keep processes off each other."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE, REST_CORE = CORES[0], CORES[-1]
"""The gateway has a core of its own; plant, broker and receiver share the other."""


def start(
    core: int,
    arguments: Sequence[object],
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> "subprocess.Popen[str]":
    """A process on `core`. Its output goes to `log`; without one it is the caller's to read."""
    with (log or Path(os.devnull)).open("a") as output:
        return subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *(str(argument) for argument in arguments)],
            stdin=subprocess.PIPE,
            stdout=output if log else subprocess.PIPE,
            stderr=output if log else None,
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            text=True,
        )


@contextmanager
def running(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Kill it in the end."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def cpu_s(pid: int) -> float:
    """User and system seconds of the process and its children, living and waited for."""
    return sum(_own_cpu_s(each) for each in _family(pid))


def rss_bytes(pid: int) -> int:
    """Resident memory of the process and its children."""
    return sum(
        int(Path(f"/proc/{each}/statm").read_text().split()[1]) * PAGE_BYTES
        for each in _family(pid)
    )


def interpreter() -> str:
    """The Python that runs us."""
    return sys.executable


def _own_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_S


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))
