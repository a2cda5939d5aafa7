"""The services of docker-compose.yml without a container engine: the same command lines, settings
and files, with a container's paths and names replaced by this machine's."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from parts import REPOSITORY, missing
from tanzheng.anchor.devchain import anvil_binary
from tanzheng.ingest import service
from tanzheng.ingest.broker import find_mosquitto, free_port

COMPOSE = REPOSITORY / "deploy/docker-compose.yml"
PORTS = {"5432", "8883", "9464", "9465", "5020", "8545"}
READY_S_MAX = 40.0
HOSTS = ("database", "broker", "plant")


def described(secrets: Path) -> dict[str, Any]:
    """The file as `docker-compose config` understands it, every profile included."""
    program = shutil.which("docker-compose")
    if program is None:
        missing("docker-compose")
    done = subprocess.run(
        [program, "--file", str(COMPOSE), "--profile", "demo", "config"],
        env={**os.environ, "TANZHENG_SECRETS": str(secrets)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


@dataclass
class Machine:
    """Where the services run; `folder` may be entered by everyone."""

    folder: Path
    compose: dict[str, Any]
    ports: dict[str, str] = field(default_factory=lambda: {p: str(free_port()) for p in PORTS})

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.compose["services"][name]
        return found

    def here(self, name: str, text: str) -> str:
        """What a text of service `name` means here: paths of its mounts, hosts, ports."""
        for secret in self.service(name).get("secrets", []):
            inside = f"/run/secrets/{secret['source']}"
            outside = str(self._secret(name, secret["source"]))
            text = re.sub(rf"{inside}(?!\w)", outside, text)
        for mount in self.service(name).get("volumes", []):
            source, target = re.match(r"([^:]+):([^:]+)", mount).groups()  # type: ignore[union-attr]
            text = text.replace(target, str(self._mounted(name, source)))
        text = re.sub(rf"(?<=[/\"=])({'|'.join(HOSTS)})(?=[\":\n])", "127.0.0.1", text)
        text = text.replace("0.0.0.0", "127.0.0.1")
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: self.ports[found[0]], text)

    def _secret(self, name: str, source: str) -> Path:
        file = Path(self.compose["secrets"][source]["file"])
        if source != "pg_service":
            return file
        copy = self.folder / f"{name}.pg_service"
        text = file.read_text().replace("port=5432", f"port={self.ports['5432']}")
        copy.write_text(text.replace("host=database", "host=127.0.0.1"))
        return copy

    def _mounted(self, name: str, source: str) -> Path:
        """A named volume is an empty folder; a folder of ours a copy whose texts mean this here."""
        target = self.folder / f"{name}-{Path(source).name}"
        if not target.exists():
            target.mkdir()
            for file in Path(source).iterdir() if source.startswith("/") else ():
                (target / file.name).write_text(file.read_text())
            for file in target.iterdir():
                file.write_text(self.here(name, file.read_text()))
        return target

    def environment(self, name: str) -> dict[str, str]:
        given = self.service(name).get("environment", {})
        return {**os.environ, **{key: self.here(name, value) for key, value in given.items()}}

    def words(self, name: str, command: list[str]) -> list[str]:
        """A command line of the service."""
        programs = {
            "mosquitto": find_mosquitto() or missing("mosquitto"),
            "python": sys.executable,
            "anvil": str(anvil_binary()),
            "tanzheng": str(Path(sys.executable).with_name("tanzheng")),
        }
        return [programs.get(command[0], command[0]), *(self.here(name, w) for w in command[1:])]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """The service as the image's entry point would start it; its log is `NAME.log`."""
        command = self.service(name)["command"]
        if self.service(name)["image"].startswith("tanzheng:"):
            command = ["tanzheng", *command]
        command = [*(self.service(name).get("entrypoint") or []), *command]
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.words(name, command),
                cwd=self.folder,
                env=self.environment(name),
                stdout=log,
                stderr=log,
            )

    def start_broker(self) -> subprocess.Popen[bytes]:
        """mosquitto, under a user of its own as in its image."""
        user = service.service_user()
        words = self.words("broker", self.service("broker")["command"])
        service.hand_over(self._mounted("broker", "broker"), user)
        log = self.folder / "broker.log"
        return service.start_program(words, user, self.folder, log, signal.SIGTERM)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Return when it holds; fail with all logs when it does not for long."""
        deadline = time.monotonic() + READY_S_MAX
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.said()}"
            time.sleep(0.2)

    def healthy(self, name: str) -> bool:
        """Whether the service's own health check says so."""
        _, *test = self.service(name)["healthcheck"]["test"]
        done = subprocess.run(
            self.words(name, test), env=self.environment(name), capture_output=True, check=False
        )
        return done.returncode == 0

    def said(self) -> str:
        """The end of every log, for a failed test."""
        return "\n".join(f"{log}: {log.read_text()[-1500:]}" for log in self.folder.glob("*.log"))
