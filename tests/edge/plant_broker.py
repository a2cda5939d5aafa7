"""A plant's own broker: mosquitto as it comes, anonymous, sessions on disk."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parts import missing
from tanzheng.ingest.broker import find_mosquitto, free_port

CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {folder}/
max_queued_messages 100000
{more}
"""


class PlantBroker:
    """`url`, and the ways of a broker to go away."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._config.write_text(CONFIG.format(port=self.port, folder=folder, more=more))

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = find_mosquitto() or missing("mosquitto")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program, "-c", self._config], stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """In good order: sessions and queues are written."""
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        self._process.wait(10)

    def kill(self) -> None:
        """As a power cut would: what it did not write is gone."""
        self._process.kill()
        self._process.wait(10)

    def pause(self) -> None:
        """Connections stay open and silent."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def plant_broker(tmp_path: Path) -> Iterator[PlantBroker]:
    if find_mosquitto() is None:
        missing("mosquitto")
    broker = PlantBroker(tmp_path)
    broker.start()
    yield broker
    broker.stop()
