"""Runs the ```console blocks of a document as its reader would, and holds the shown output to it.

    $ tanzheng verify receipt.cbor …      # exit code 3
    $ tanzheng sim run --dir trial &      a program that stays; `$ kill %1` ends it
    $ export RPC='http://127.0.0.1:…'     a value that an earlier command printed (`PRINTED_AS`)

Shown output is a selection: its lines occur in this order in the real output, `…` stands for
anything, any number for any other, for ports, times and digests differ from run to run.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tanzheng.core.errors import TanzhengError

READY_S_MAX = 60.0
COMMAND_S_MAX = 120.0
STOP_S_MAX = 40.0
PRINTED_AS = {
    "TANZHENG_DATABASE_URL": "url",
    "TANZHENG_BROKER": "platform",
    "RPC": "url",
    "CONTRACT": "contract",
    "FEED": "url",
    "LOG_ID": "log_id",
}
"""Which JSON key of an earlier command's output the reader copies into a variable."""
STAYS_READY = {
    "tanzheng ingest database start": '"url"',
    "tanzheng ingest broker start": '"platform"',
    "tanzheng ingest run": "connected to the broker",
    "tanzheng anchor devchain": '"url"',
    "tanzheng edge run": '"started"',
    "tanzheng feed serve": '"url"',
    "tanzheng feed push": '"pushing"',
    "tanzheng hours refresh": "the database answers",
    "tanzheng sim device": "reads answered",
}
"""What a program that stays says when it is ready; the others write a file (see `_ready`)."""
FILES = ("toml", "yaml")
"""Languages of blocks that are a file, where the first line is a comment with its path. JSON has no
comments: there the path follows the language, ```json its/path.json."""


class DocumentWrong(TanzhengError):
    """A document shows what does not happen."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A command of a document with the output and the exit code that it shows."""

    line: int
    command: str
    output: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        stated = re.search(r"# exit code (\d+)$", self.command)
        return int(stated[1]) if stated else 0

    @property
    def stays(self) -> bool:
        return self.command.partition("  #")[0].rstrip().endswith("&")


@dataclass(frozen=True, slots=True)
class Sample:
    """A file that a document shows: a block whose first line is `# its/path`."""

    line: int
    path: str
    text: str


def blocks(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Fenced blocks: number of the first line within, language, lines."""
    language, start, lines = "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            lines.append(line)
        elif start:
            yield start, language, lines
            start = 0
        else:
            language, start, lines = line[3:].strip(), number + 1, []


def steps(text: str) -> list[Shown | Sample]:
    """What a reader does, in order: commands, and files to write."""
    found: list[Shown | Sample] = []
    for start, language, lines in blocks(text):
        if named := _named_file(language, lines):
            found.append(Sample(start, named[1], "\n".join(lines) + "\n"))
        elif language == "console":
            found += _commands(start, lines)
    return found


def _named_file(language: str, lines: list[str]) -> re.Match[str] | None:
    if language in FILES:
        return re.fullmatch(rf"# (\S+\.{language})", lines[0])
    return re.fullmatch(r"json (\S+\.json)", language)


def _commands(start: int, lines: list[str]) -> Iterator[Shown]:
    at = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    assert at[0] == 0, f"line {start}: expected a command first, got {lines[0]!r}"
    for first, following in zip(at, [*at[1:], len(lines)], strict=True):
        end = first + 1
        while lines[end - 1].endswith("\\"):
            end += 1
        command = "\n".join(lines[first:end]).removeprefix("$ ")
        shown = tuple(line for line in lines[end:following] if line.strip())
        yield Shown(start + first, command, shown)


@dataclass(frozen=True, slots=True)
class Job:
    """A program that stays, and what it prints."""

    command: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@dataclass(slots=True)
class Reader:
    """Somebody in `folder` who does what a document says; `close` ends what still runs."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    jobs: "list[Job]" = field(default_factory=list)

    def do(self, step: Shown | Sample) -> None:
        """Do one step; `DocumentWrong` where something else happens than the document shows."""
        if isinstance(step, Sample):
            target = self.folder / step.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(step.text)
            return
        try:
            self._do(step)
        except DocumentWrong as error:
            raise DocumentWrong(f"line {step.line}: {step.command}\n{error}") from None

    def close(self) -> None:
        """End what still runs, the last first: clients before their servers."""
        for job in reversed(self.jobs):
            if job.process.poll() is None:
                job.stop()

    def _do(self, step: Shown) -> None:
        if setting := re.fullmatch(r"export (\w+)='(.*)'", step.command):
            self._set(setting[1], setting[2])
        elif stopped := re.match(r"kill ((?:%\d ?)+)", step.command):
            for number in re.findall(r"\d", stopped[1]):
                self._kill(int(number))
        elif step.stays:
            self._start(step)
        else:
            self._run(step)

    def _set(self, name: str, shown: str) -> None:
        if name not in PRINTED_AS:
            self.variables[name] = shown
            return
        value = self.printed.get(PRINTED_AS[name], "(nothing)")
        if not re.fullmatch(_pattern(shown), _plain(value)):
            raise DocumentWrong(f"expected a value like {shown}, got {value}")
        self.variables[name] = value

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "COLUMNS": "80", **self.variables}

    def _run(self, step: Shown) -> None:
        recorded = self._recorded()
        done = subprocess.run(
            ["bash", "-c", step.command], cwd=self.folder, env=self._environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=COMMAND_S_MAX, check=False,
        )  # fmt: skip
        if done.returncode != step.exit_code:
            raise DocumentWrong(
                f"expected exit code {step.exit_code}, got {done.returncode}\n{done.stdout}"
            )
        self._learn(done.stdout)
        compare(step.output, done.stdout)
        anchored = ("tanzheng anchor seal", "tanzheng anchor register")
        if step.command.startswith(anchored) and step.exit_code == 0:
            self._wait_for_observers(recorded)

    def _start(self, step: Shown) -> None:
        log = self.folder / f"job-{len(self.jobs) + 1}.log"
        command = step.command.partition("  #")[0].rstrip().removesuffix("&")
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self._environment(),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.jobs.append(Job(command, process, log))
        ready = self._ready(command, log)
        _wait(lambda: ready() or process.poll() is not None, command)
        if process.poll() is not None:
            raise DocumentWrong(f"expected it to stay, got its end\n{log.read_text()}")
        self._learn(log.read_text())
        compare(step.output, log.read_text())

    def _ready(self, command: str, log: Path) -> Callable[[], bool]:
        if sign := next((s for name, s in STAYS_READY.items() if command.startswith(name)), None):
            return lambda: sign in log.read_text()
        if command.startswith("tanzheng sim run"):
            return (self.folder / _option(command, "--dir") / "devices.json").exists
        return (self.folder / _option(command, "--out")).exists

    def _kill(self, number: int) -> None:
        job = self.jobs[number - 1]
        if (code := job.stop()) != 0:
            said = job.log.read_text()
            raise DocumentWrong(f"%{number}: expected exit code 0, got {code}\n{said}")

    def _learn(self, output: str) -> None:
        """Keep what a command printed as JSON on one line."""
        for line in output.splitlines():
            if line.startswith("{") and line.endswith("}"):
                told: dict[str, Any] = json.loads(line)
                self.printed |= {key: str(value) for key, value in told.items()}

    def _recorded(self) -> int:
        """Blocks in the trust files of the observers that run."""
        observers = [
            job
            for job in self.jobs
            if "trust observe" in job.command and job.process.poll() is None
        ]
        files = [_option(job.command, "--out") for job in observers]
        return sum(len(json.loads((self.folder / name).read_text())["blocks"]) for name in files)

    def _wait_for_observers(self, before: int) -> None:
        """A person is slower than the observer's half second; we are not."""
        if any("trust observe" in job.command for job in self.jobs):
            _wait(lambda: self._recorded() > before, "trust file")


def compare(shown: tuple[str, ...], output: str) -> None:
    """`DocumentWrong` where a shown line does not occur in the output, or not in its place."""
    left = iter([_plain(line) for line in output.splitlines()])
    for line in shown:
        pattern = re.compile(_pattern(line))
        if line.strip() != "…" and not any(pattern.fullmatch(real) for real in left):
            raise DocumentWrong(f"expected the output to have, in this place:\n{line}\n\n{output}")


def _plain(line: str) -> str:
    """A line without what differs from run to run: numbers, digests, the width of columns."""
    line = re.sub(r"[0-9a-f]{16,}|[0-9][0-9.,:]*", "0", line)
    return re.sub(r"[\s─━]+", " ", line).strip()


def _pattern(shown: str) -> str:
    return ".*".join(re.escape(_plain(part)) for part in shown.split("…"))


def _option(command: str, name: str) -> str:
    words = command.split()
    return words[words.index(name) + 1]


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while not ready():
        if time.monotonic() > deadline:
            raise DocumentWrong(f"{what}: expected it ready within {READY_S_MAX:.0f} s")
        time.sleep(0.1)
