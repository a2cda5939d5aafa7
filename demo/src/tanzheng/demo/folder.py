"""The folder of one rehearsal: where every part keeps its files."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core.errors import BadInput
from tanzheng.ingest import service

MARK = ".tanzheng-demo"
OUR_NAMES = (
    "TRUST.json", "anchor", "attacks", "broker", "chain", "database", "edge", "gateways.toml",
    "keys", "logs", "month.png", "package", "package.secret", "plant", "receipt.cbor",
    "summary.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths below `root`. Nothing of a run lies anywhere else."""

    root: Path

    @classmethod
    def fresh(cls, root: Path) -> "RunFolder":
        """The folder made anew: what an earlier rehearsal left is removed, other files stay.

        `BadInput` where a file that is not of a rehearsal has the name of one of ours.
        """
        folder = cls(root.resolve())
        ours = [folder.root / name for name in OUR_NAMES]
        taken = [path for path in ours if path.exists()]
        if taken and not (folder.root / MARK).exists():
            raise BadInput(
                f"{root}: expected a folder without {taken[0].name!r} or one of an earlier "
                "rehearsal, got a folder with such a file"
            )
        for server in (folder.database, folder.broker):
            service.remove_folder(server)
        for path in ours:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for path in (folder.root, folder.keys, folder.logs, folder.plant, folder.edge,
                     folder.attacks):  # fmt: skip
            path.mkdir(parents=True, exist_ok=True)
        folder.keys.chmod(0o700)
        (folder.root / MARK).touch()
        return folder

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def plant(self) -> Path:
        """What the simulator writes: plant.toml, devices.json, taken.jsonl, sim-status.json."""
        return self.root / "plant"

    @property
    def edge(self) -> Path:
        return self.root / "edge"

    @property
    def edge_file(self) -> Path:
        return self.edge / "edge.toml"

    @property
    def plant_file(self) -> Path:
        return self.plant / "plant.toml"

    @property
    def gateways_file(self) -> Path:
        return self.root / "gateways.toml"

    @property
    def anchor(self) -> Path:
        return self.root / "anchor"

    @property
    def package(self) -> Path:
        return self.root / "package"

    @property
    def receipt(self) -> Path:
        return self.root / "receipt.cbor"

    @property
    def trust(self) -> Path:
        return self.root / "TRUST.json"

    @property
    def picture(self) -> Path:
        return self.root / "month.png"

    @property
    def summary(self) -> Path:
        return self.root / "summary.json"

    @property
    def database(self) -> Path:
        return self.root / "database"

    @property
    def broker(self) -> Path:
        return self.root / "broker"

    @property
    def chain(self) -> Path:
        return self.root / "chain"

    @property
    def attacks(self) -> Path:
        return self.root / "attacks"
