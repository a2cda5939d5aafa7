"""A log on a chain that is sealed into while things break, and the count at the end.

Every package is the same honest month with another secret: each is a correction of the one before,
and `tanzheng verify` recomputes each from its signed batches.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from analytics import plants
from evidence import GATEWAY, OPERATOR
from parts import missing
from tanzheng.analytics import package as packages
from tanzheng.analytics.closing import close
from tanzheng.analytics.month import compute
from tanzheng.analytics.series import from_batches
from tanzheng.anchor import service
from tanzheng.anchor.contract import CheckpointLog
from tanzheng.anchor.devchain import Anvil, anvil_binary
from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.node import Node
from tanzheng.anchor.sealing import Correction
from tanzheng.anchor.service import AnchorFolder
from tanzheng.cli.main import app
from tanzheng.core.hashing import sha256
from tanzheng.core.log_files import LogFiles
from tanzheng.core.statement import Statement
from tanzheng.files.durable import reader
from tanzheng.verifier.observer import read_anchors, run
from verifier.month import PLANT, PLANT_RAW, STANDARD, chain, write_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from tanzheng.anchor.sealing import Sealed

CORRECTION = Correction("recount", "Li Wei")
REQUEST_S_MAX = 1.0


@dataclass(frozen=True)
class Count:
    """What is there at the end."""

    checkpoints: int
    """Signed checkpoints on disk."""
    on_chain: int
    """Events of the contract."""
    sequences: int
    """Different sequence numbers in them; the heads are those on disk."""
    lost: int
    """Packages without a statement, and statements that counted once and are gone."""
    doubled: int
    """Packages with two statements."""
    receipts: int
    valid: int

    @property
    def clean(self) -> bool:
        """Exactly one checkpoint a sequence, nothing lost, every receipt valid."""
        one_each = self.checkpoints == self.on_chain == self.sequences
        return one_each and (self.lost, self.doubled) == (0, 0) and self.receipts == self.valid


@cache
def _month() -> Callable[[int], dict[str, bytes]]:
    batches = chain()
    recorded = from_batches([signed.batch for signed in batches], PLANT)
    result = compute(
        PLANT, "G1", plants.MONTH, recorded.series, recorded.gaps, STANDARD.pack, STANDARD.rules
    )
    closing = close(result, STANDARD.pack, STANDARD.rules, date(2018, 3, 5))

    def made(number: int) -> dict[str, bytes]:
        secret = sha256(str(number).encode())
        return packages.build(PLANT_RAW, result, closing, STANDARD, {"gw1": batches}, secret)

    return made


class World:
    """One log in `folder` on `anvil`; package n is sealed to `receipt-n.cbor`."""

    def __init__(self, anvil: Anvil, folder: Path) -> None:
        self.anvil = anvil
        self.folder = folder
        self.log = folder / "anchor"
        self.sealed: list[int] = []
        self._packages = 0
        self._counted: set[bytes] = set()
        for name, data in {
            "operator.key": OPERATOR.to_pem(),
            "operator.pem": OPERATOR.public.to_pem(),
            "gateway.pem": GATEWAY.public.to_pem(),
            "plant.toml": PLANT_RAW,
        }.items():
            (folder / name).write_bytes(data)
        self.chain = service.deploy_development_log(anvil.url, self.log)

    def package(self, number: int) -> Path:
        """Folder of package `number`."""
        bag = self.folder / f"bag-{number}"
        if not bag.exists():
            write_files(_month()(number), bag)
        return bag

    def begin(self) -> int:
        """The number of a new package."""
        self._packages += 1
        self.package(self._packages - 1)
        return self._packages - 1

    def seal(self, number: int, rpc: str | None = None) -> Sealed:
        """Seal package `number`, as the command does."""
        folder = AnchorFolder(self.log, rpc or self.anvil.url, request_s_max=REQUEST_S_MAX)
        sealed = folder.seal(
            self.folder / f"bag-{number}",
            self.folder / "operator.key",
            self.receipt(number),
            None if number == 0 else CORRECTION,
            lambda _: None,
        )
        self.sealed.append(number)
        return sealed

    def receipt(self, number: int) -> Path:
        """Where receipt `number` goes."""
        return self.folder / f"receipt-{number}.cbor"

    def note(self) -> None:
        """Remember which statements count now: they must count for ever."""
        self._counted |= set(self._hashes())

    def count(self) -> Count:
        """Hold disk, chain and receipts against what was asked for."""
        files = LogFiles(reader(self.log / "log"))
        raw = sorted((self.log / "log" / "checkpoints").glob("*.cose"))
        stated = Counter(
            statement.of(Statement).manifest_sha256
            for statement in (files.statement(index) for index in range(len(self._hashes())))
        )
        wanted = [
            sha256((self.package(n) / "data/manifest.json").read_bytes()) for n in self.sealed
        ]
        events = self._events()
        on_disk = {seq: sha256(path.read_bytes()) for seq, path in enumerate(raw, 1)}
        right = {seq for seq, head in events if on_disk.get(seq) == head}
        return Count(
            checkpoints=len(raw),
            on_chain=len(events),
            sequences=len(right),
            lost=sum(stated[digest] == 0 for digest in set(wanted))
            + len(self._counted - set(self._hashes())),
            doubled=sum(count > 1 for count in stated.values()),
            receipts=len(set(self.sealed)),
            valid=self._valid(),
        )

    def published(self) -> int:
        """Checkpoints on the chain."""
        return len(self._events())

    def _hashes(self) -> list[bytes]:
        octets = b"".join(
            path.read_bytes() for path in sorted((self.log / "log/tile/sha256/0").glob("*"))
        )
        return [octets[at : at + 32] for at in range(0, len(octets) - 31, 32)]

    def _events(self) -> list[tuple[int, bytes]]:
        node = Node(self.anvil.url)
        address = f"0x{self.chain.contract.hex()}"
        contract = CheckpointLog(node, address, self.chain.block)
        event = contract._contract.events.CheckpointPublished()
        found = event.get_logs(from_block=self.chain.block)
        return [(int(each["args"]["seq"]), bytes(each["args"]["head"])) for each in found]

    def _valid(self) -> int:
        """Receipts that `tanzheng verify` finds good, against what an observer saw."""
        trust = self.folder / "TRUST.json"
        anchors = read_anchors(
            f"0x{self.chain.contract.hex()}",
            self.chain.log_id.hex(),
            self.folder / "plant.toml",
            [self.folder / "gateway.pem"],
            [self.folder / "operator.pem"],
        )
        run(self.anvil.url, anchors, trust, confirmations=0, once=True, say=lambda _: None)
        return sum(self._verified(number, trust) for number in set(self.sealed))

    def _verified(self, number: int, trust: Path) -> bool:
        command = ["verify", str(self.receipt(number)), "--package", str(self.package(number))]
        answer = CliRunner().invoke(app, [*command, "--trust", str(trust), "--json"])
        return answer.exit_code == 0 and bool(json.loads(answer.stdout)["ok"])


@contextmanager
def world() -> Iterator[World]:
    """A log on a chain of its own, gone afterwards."""
    try:
        anvil_binary()
    except AnchorInput as error:
        missing(str(error))
    with tempfile.TemporaryDirectory(prefix="tz-") as name:
        folder = Path(name)
        with Anvil(folder / "node", ["--state", str(folder / "state.json")]) as anvil:
            yield World(anvil, folder)
