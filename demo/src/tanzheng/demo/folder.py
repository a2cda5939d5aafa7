"""The folder of one rehearsal: where every part keeps its files."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core.errors import BadInput

MARK = ".tanzheng-demo"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths below `root`. Nothing of a run lies anywhere else."""

    root: Path

    @classmethod
    def fresh(cls, root: Path) -> "RunFolder":
        """An empty folder; an earlier rehearsal is removed, anything else is left and refused."""
        if root.exists() and any(root.iterdir()):
            if not (root / MARK).exists():
                raise BadInput(
                    f"{root}: expected an empty folder or one of an earlier rehearsal, "
                    "got a folder with other files"
                )
            shutil.rmtree(root)
        folder = cls(root.resolve())
        for path in (
            folder.root,
            folder.keys,
            folder.logs,
            folder.plant,
            folder.edge,
            folder.attacks,
        ):
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
    def attacks(self) -> Path:
        return self.root / "attacks"
