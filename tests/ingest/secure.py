"""mosquitto with the configuration for production, as `tanzheng ingest broker config` writes it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.certificates import Authority
from parts import missing, server_folder
from tanzheng.ingest import service
from tanzheng.ingest.broker import find_mosquitto, free_port


@dataclass
class SecureBroker:
    """A running broker on 127.0.0.1 that asks for certificates of `authority`."""

    port: int
    authority: Authority
    log: Path


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def secure_broker(address: str = "127.0.0.1") -> Iterator[SecureBroker]:
    """The broker's certificate is for `address`."""
    mosquitto = find_mosquitto()
    if mosquitto is None:
        missing("mosquitto")
    with server_folder() as folder:
        authority, port = Authority(folder), free_port()
        files = (authority.path, *authority.issue("broker", address))
        command = [str(Path(sys.executable).with_name("tanzheng")), "ingest", "broker", "config"]
        command += ["--dir", str(folder / "broker"), "--host", "127.0.0.1", "--port", str(port)]
        command += ["--tls", *map(str, files)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        log, user = folder / "log", service.service_user()
        service.hand_over(folder, user)
        program = [mosquitto, *shown.split()[1:]]
        process = service.start_program(program, user, folder, log, signal.SIGTERM)
        try:
            deadline = time.monotonic() + 10
            while not listens(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            yield SecureBroker(port, authority, log)
        finally:
            service.stop_program(process, signal.SIGTERM)
