"""The gateways that are compared, each started as its documents say, in its fastest setting."""

import subprocess
import venv
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from peers import plant
from peers.processes import GATEWAY_CORE, REST_CORE, interpreter, running, start
from peers.receiver import Platform, Receiver, ThingsBoardServer, modpoll_values
from tanzheng.core.keys import SigningKey

PEERS = Path(".parts/peers")
SOCKET = "plant-time.sock"
FOR_EVER = -1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run happens: a folder of its own, the plant's ports, the broker's port."""

    folder: Path
    ports: Sequence[int]
    broker_port: int


class Contender(ABC):
    """A gateway that reads the plant and delivers to the broker."""

    name: str

    @abstractmethod
    def install(self) -> None:
        """Whatever must be there before the clock runs."""

    def beside(self, place: Place) -> AbstractContextManager[object]:
        """What else must run while it does."""
        return nullcontext()

    @abstractmethod
    def receiver(self, place: Place) -> Receiver:
        """What counts its delivered values."""

    @abstractmethod
    def start(self, place: Place) -> "subprocess.Popen[str]":
        """The running gateway."""


class Ours(Contender):
    """This agent: decoded, with quality, durable on disk, signed, delivered, acknowledged."""

    name = "tanzheng edge"

    def __init__(self, fast_slots: int | None = None) -> None:
        """A slot a second by the machine's clock; with `fast_slots`: so many slots of plant time as
        fast as they are taken, then one a second."""
        self._fast_slots = fast_slots
        self.platform: Platform | None = None

    def receiver(self, place: Place) -> Receiver:
        # New keys each time: the broker still holds the last run's retained ack.
        self.gateway, self.key = SigningKey.generate(), SigningKey.generate()
        self.platform = Platform(place.broker_port, self.gateway.public, self.key)
        return self.platform.receiver

    def install(self) -> None:
        """It is installed: it runs this benchmark."""

    def beside(self, place: Place) -> AbstractContextManager[object]:
        if self._fast_slots is None:
            return nullcontext()
        place.folder.mkdir(parents=True)
        script = Path(__file__).with_name("plant_time.py")
        arguments = [interpreter(), script, place.folder / SOCKET, self._fast_slots]
        return running(start(REST_CORE, arguments))

    def start(self, place: Place) -> "subprocess.Popen[str]":
        url = f"mqtt://127.0.0.1:{place.broker_port}"
        settings = {} if self._fast_slots is None else {"plant_time_socket": SOCKET}
        path = plant.write_ours(place.folder, place.ports, url, **settings)
        (place.folder / "gateway.pem").write_bytes(self.gateway.to_pem())
        (place.folder / "gateway.pem").chmod(0o600)
        (place.folder / "platform.pub.pem").write_bytes(self.key.public.to_pem())
        tanzheng = Path(interpreter()).with_name("tanzheng")
        return start(GATEWAY_CORE, [tanzheng, "edge", "run", path], log=place.folder / "log")


class Peer(Contender):
    """A gateway from the package index, in an environment of its own."""

    package: str

    @property
    def _environment(self) -> Path:
        return PEERS.absolute() / self.package

    def install(self) -> None:
        if (self._environment / "ready").exists():
            return
        venv.create(self._environment, with_pip=True, clear=True)
        python = self._environment / "bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", self.package], check=True)
        (self._environment / "ready").touch()

    def _program(self, name: str) -> Path:
        return self._environment / "bin" / name


class Modpoll(Peer):
    """modpoll: one endpoint a process, so the fifty devices are units behind the first port."""

    name = "modpoll 1.6"
    package = "modpoll==1.6.0"

    def receiver(self, place: Place) -> Receiver:
        return Receiver(place.broker_port, "modpoll/+/data", modpoll_values)

    def start(self, place: Place) -> "subprocess.Popen[str]":
        place.folder.mkdir(parents=True)
        config = plant.write_modpoll(place.folder)
        arguments = [
            self._program("modpoll"), "-d", "-r", "0", "--interval", "0", "--timestamp",
            "--tcp", "127.0.0.1", "--tcp-port", place.ports[0], "-f", config,
            "--mqtt-version", "5.0", "--mqtt-host", "127.0.0.1",
            "--mqtt-port", place.broker_port, "--mqtt-qos", "1", "--mqtt-clientid", "modpoll",
            "--loglevel", "ERROR",
        ]  # fmt: skip
        return start(GATEWAY_CORE, arguments, log=place.folder / "log")


class ThingsBoard(Peer):
    """ThingsBoard IoT Gateway."""

    name = "thingsboard-gateway 3.8.5"
    package = "thingsboard-gateway==3.8.5"

    def receiver(self, place: Place) -> Receiver:
        return ThingsBoardServer(place.broker_port)

    def start(self, place: Place) -> "subprocess.Popen[str]":
        plant.write_thingsboard(
            place.folder / "config", place.ports, "127.0.0.1", place.broker_port, "bench"
        )
        return start(
            GATEWAY_CORE,
            [self._program("thingsboard-gateway")],
            {
                "TB_GW_CONFIG_DIR": f"{place.folder / 'config'}/",
                "TB_GW_LOGS_PATH": str(place.folder),
            },
            cwd=place.folder,
            log=place.folder / "log",
        )
