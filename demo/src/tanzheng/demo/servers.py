"""What runs below every demo: database, broker, chain, the simulated plant and ingest."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tanzheng.anchor.devchain import Anvil
from tanzheng.core.calendar import Month
from tanzheng.core.plant import Plant
from tanzheng.demo.enrolment import Enrolment, enrol, write_edge_configuration
from tanzheng.demo.folder import RunFolder
from tanzheng.demo.parts import Part, Parts, must, run
from tanzheng.hardware.commands import shipped_replay
from tanzheng.hardware.epa import MonthOfHours, read_month
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.embedded import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Replay:
    """What the plant replays: a file of hours or the shipped one, a unit and a month of it.

    `live` replays on the machine's clock instead of plant time that the agent drives.
    """

    file: Path | None
    unit: str | None
    month: str | None
    live: bool = False

    def read(self) -> MonthOfHours:
        """The hours themselves; a `BadInput` says what is wrong with file, unit or month."""
        month = None if self.month is None else Month.parse(self.month)
        return read_month(self.file or shipped_replay(), self.unit, month)

    def arguments(self) -> list[str | Path]:
        """The options of `tanzheng sim run`."""
        named = {"--replay": self.file, "--unit": self.unit, "--month": self.month}
        words = [
            word for name, value in named.items() if value is not None for word in (name, value)
        ]
        return [*words, *(["--live"] if self.live else [])]


@dataclass(frozen=True, slots=True)
class Servers:
    """The real servers. `secrets` is what ingest and the month close get in their environment."""

    database: EmbeddedPostgres
    broker: Broker
    chain: Anvil

    @property
    def secrets(self) -> dict[str, str]:
        return {
            "TANZHENG_DATABASE_URL": self.database.url(),
            "TANZHENG_BROKER": self.broker.platform_url,
        }


@dataclass(frozen=True, slots=True)
class Platform:
    """Servers, plant and ingest, running and enrolled; the agent is not started yet."""

    servers: Servers
    parts: Parts
    plant: Plant
    keys: Enrolment
    sim: Part
    ingest: Part
    agent_file: Path

    @classmethod
    def start(cls, folder: RunFolder, replay: Replay, stack: ExitStack) -> "Platform":
        """Start everything; `stack` ends it."""
        parts = Parts(folder.logs, stack)
        sim = parts.start("sim", "sim", "run", *replay.arguments(), "--dir", folder.plant)
        sim.wait_for((folder.plant / "devices.json").exists, "listening devices")
        plant = Plant.parse(folder.plant_file.read_bytes())
        gateway = plant.gateways[0].id
        servers = Servers(
            stack.enter_context(EmbeddedPostgres(folder.database)),
            stack.enter_context(Broker(folder.broker)),
            stack.enter_context(Anvil(folder.chain)),
        )
        keys = enrol(folder, gateway)
        write_edge_configuration(
            folder, gateway, servers.broker.gateway_url(gateway), plant_time=not replay.live
        )
        must(run("ingest", "migrate", secrets=servers.secrets), "ingest migrate")
        ingest = parts.start(
            "ingest", "ingest", "run", "--gateways", folder.gateways_file,
            "--key", keys.platform.private, secrets=servers.secrets,
        )  # fmt: skip
        return cls(servers, parts, plant, keys, sim, ingest, folder.edge_file)

    def start_agent(self) -> Part:
        """Start the edge agent, also again after its death."""
        return self.parts.start("edge", "edge", "run", self.agent_file)
