"""The real parts below a run: database, broker, chain, and what the plant replays."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tanzheng.anchor.devchain import Anvil
from tanzheng.demo.folder import RunFolder
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.embedded import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Replay:
    """What the plant replays: a file of hours, or the shipped one; a unit and a month of it."""

    file: Path | None
    unit: str | None
    month: str | None

    def arguments(self) -> list[str | Path]:
        """The options of `tanzheng sim`."""
        named = {"--replay": self.file, "--unit": self.unit, "--month": self.month}
        return [
            word for name, value in named.items() if value is not None for word in (name, value)
        ]


@dataclass(slots=True)
class Servers:
    """The real parts below a run."""

    database: EmbeddedPostgres
    broker: Broker
    chain: Anvil

    @classmethod
    def start(cls, folder: RunFolder, stack: ExitStack) -> "Servers":
        database = stack.enter_context(EmbeddedPostgres(folder.root / "database"))
        broker = stack.enter_context(Broker(folder.root / "broker"))
        return cls(database, broker, stack.enter_context(Anvil(folder.root / "chain")))

    @property
    def secrets(self) -> dict[str, str]:
        """What ingest and the month close get in their environment."""
        return {
            "TANZHENG_DATABASE_URL": self.database.url(),
            "TANZHENG_BROKER": self.broker.platform_url,
        }
