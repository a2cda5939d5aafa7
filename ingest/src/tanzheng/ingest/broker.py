"""An MQTT broker of our own: mosquitto, or amqtt where mosquitto is not installed.

Nobody logs in without a password, also in the demo. Users are the gateways' ids and `platform`;
what each may do is in `topics`. Correctness never rests on the broker: a gateway keeps its data
until the platform's signed ack.
"""

import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tanzheng.ingest import service
from tanzheng.ingest.broker_config import USERS_NAME, Listener, write_config
from tanzheng.ingest.service import ServiceFailed, ServiceUser
from tanzheng.ingest.topics import PLATFORM_USER, gateway_identifier

HOST = "127.0.0.1"
START_S_MAX = 20.0


class Broker:
    """A broker on 127.0.0.1 whose life is the `with` block; sessions and passwords stay on disk.

    `port` None: a free one is taken and kept over restarts of this object.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = Path(directory)
        self.host = HOST
        self.port = port or free_port()
        self.log = self.directory / "broker.log"
        self._mosquitto = find_mosquitto()
        self._passwords_file = self.directory / "passwords.json"
        self._process: subprocess.Popen[bytes] | None = None
        # amqtt runs as ourselves: it lives in our virtual environment, maybe closed to others.
        self._user: ServiceUser | None = service.service_user() if self._mosquitto else None

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

    @property
    def kind(self) -> str:
        """Name and version for a person; a fallback says so."""
        if self._mosquitto:
            shown = subprocess.run(
                [self._mosquitto, "-h"],
                capture_output=True,
                text=True,
                check=False,  # exits 3
            )
            return " ".join(shown.stdout.split()[:3]).replace(" version", "")
        version = importlib.metadata.version("amqtt")
        return f"amqtt {version} (fallback: mosquitto is not installed)"

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        return self._running().pid

    @property
    def platform_url(self) -> str:
        """mqtt://platform:PASSWORD@HOST:PORT for ingest."""
        return self._url(PLATFORM_USER)

    def gateway_url(self, gateway: str) -> str:
        """mqtt://GATEWAY:PASSWORD@HOST:PORT; a gateway not known yet is added.

        Returns when the running broker takes the new password.
        """
        gateway_identifier(gateway)
        if gateway not in self._passwords():
            self._add_user(gateway)
            if self._process is not None:
                self._write_users()
                if self._mosquitto:
                    self._process.send_signal(signal.SIGHUP)
                self._wait_for_login(gateway)
        return self._url(gateway)

    def start(self) -> None:
        """Start the broker and return when it takes logins; `ServiceFailed` with its log if not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if PLATFORM_USER not in self._passwords():
            self._add_user(PLATFORM_USER)
        self._write_users()
        folder = self._folder()
        program = self._program(folder)
        service.hand_over(folder, self._user)
        self._process = service.start_program(program, self._user, folder, self.log, signal.SIGTERM)
        self._wait_for_login(PLATFORM_USER)

    def stop(self) -> None:
        """Orderly end: mosquitto writes its sessions and queues to disk."""
        if self._process is not None:
            service.stop_program(self._process, signal.SIGTERM)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._running().kill()
        self._running().wait()
        self._process = None

    def pause(self) -> None:
        """Freeze it: connections stay open and silent, as on a dead link (SIGSTOP)."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End of `pause`."""
        self._running().send_signal(signal.SIGCONT)

    def wait(self) -> int:
        """Block until the broker ends; its exit code."""
        return self._running().wait()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "start() first"
        return self._process

    def _folder(self) -> Path:
        return service.service_folder(self.directory, self._user)

    def _program(self, folder: Path) -> list[str]:
        if not self._mosquitto:
            module = "tanzheng.ingest.amqtt_server"
            return [
                sys.executable,
                "-m",
                module,
                self.host,
                str(self.port),
                str(folder / USERS_NAME),
            ]
        config = write_config(folder, Listener(self.host, self.port))
        return [self._mosquitto, "-c", str(config)]

    def _url(self, user: str) -> str:
        return f"mqtt://{user}:{self._passwords()[user]}@{self.host}:{self.port}"

    def _passwords(self) -> dict[str, str]:
        if not self._passwords_file.exists():
            return {}
        return dict(json.loads(self._passwords_file.read_text()))

    def _add_user(self, user: str) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        passwords = {**self._passwords(), user: secrets.token_hex(24)}
        service.write_private(self._passwords_file, json.dumps(passwords, indent=1))

    def _write_users(self) -> None:
        lines = [f"{user}:{password_hash(word)}\n" for user, word in self._passwords().items()]
        folder = self._folder()
        service.write_private(folder / USERS_NAME, "".join(lines))
        service.hand_over(folder, self._user)

    def _wait_for_login(self, user: str) -> None:
        deadline = time.monotonic() + START_S_MAX
        while not takes_login(self.host, self.port, user, self._passwords()[user]):
            if self._running().poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServiceFailed(f"the broker does not start:\n{service.log_tail(self.log)}")
            time.sleep(0.05)


def find_mosquitto() -> str | None:
    """Path of mosquitto; Debian puts it where only root looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def password_hash(password: str, salt: bytes | None = None) -> str:
    """The form of mosquitto_passwd: PBKDF2-HMAC-SHA512, 101 rounds ("$7$").

    Few rounds are enough: our passwords are 24 random bytes, not a person's choice.
    """
    salt = salt or secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def takes_login(host: str, port: int, user: str, password: str) -> bool:
    """Whether the broker accepts an MQTT 3.1.1 login now (a session of its own, gone at once)."""
    fields = (f"probe-{secrets.token_hex(4)}", user, password)
    body = b"\x00\x04MQTT\x04\xc2\x00\x05"  # name, level 4, user + password + clean, keep-alive 5 s
    body += b"".join(struct.pack(">H", len(text)) + text.encode() for text in fields)
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(bytes((0x10, len(body))) + body)
            return connection.recv(4) == b"\x20\x02\x00\x00"
    except OSError:
        return False
