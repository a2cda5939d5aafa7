"""A province's chain: a log with annual packages, four parties that sign, and a feed's folder."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from anchor.chain import funded
from anchor.packages import END_MS, OPERATOR, PLANT, START_MS, observed, written
from contracts.emissions import DEADLINE, Parties
from core.statements.samples import key_event
from tanzheng.anchor import service
from tanzheng.anchor.calls import SignedTransaction, send
from tanzheng.anchor.emissions_contract import Proof, VerifiedEmissions, deploy
from tanzheng.anchor.errors import ContractReverted
from tanzheng.anchor.node import Node
from tanzheng.anchor.sealing import Correction
from tanzheng.anchor.service import AnchorFolder
from tanzheng.core import attestation as roles
from tanzheng.core import parameter_tree, receipt
from tanzheng.core.attestation import Act, Attestation
from tanzheng.core.bag import bag_files
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.manifest import (
    MANIFEST_PATH,
    PLANT_PATH,
    DataPack,
    GatewayChain,
    Manifest,
    PackageFile,
    Parameter,
)
from tanzheng.core.statements.common import Quantity, Reference
from tanzheng.core.statements.confirmed import ConfirmedEmissions, UnitEmissions
from tanzheng.core.statements.envelope import Supersedes
from tanzheng.core.statements.key_event import KeyAct, possess
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import OperatorKey, Signer
from tanzheng.feed.collector import Collector, Source
from tanzheng.feed.outbox import Outbox
from tanzheng.feed.rpc import Finality
from tanzheng.feed.rpc import Node as Reader
from tanzheng.feed.shelf import Shelf

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tanzheng.anchor.devchain import Anvil
    from tanzheng.core.statement import SignedStatement
    from tanzheng.core.trust import Trust

PROVINCE = SigningKey.from_seed(b"province".ljust(32, b"."))
NAME = "province-bureau"
YEAR = 2025
SIGNED_MS = 4_000_000_000_000  # after every block of a test's chain
CONFIRMED = (Act.REVIEW, Act.VERIFY, Act.CONFIRM)


def year_package(unit: str, co2: str, generation: str) -> dict[str, bytes]:
    """The year of a unit of E1 as a package with two figures."""
    secret = sha256(f"{unit} {co2} {generation}".encode())
    salts = parameter_tree.salts(secret, 2)
    manifest = Manifest(
        subject=Subject("E1", unit, str(YEAR), "month.year"),
        start_ms=START_MS,
        end_ms=END_MS,
        plant_sha256=sha256(PLANT),
        standard=DataPack("cn-power", "2022", sha256(b"standard")),
        rules=DataPack("rules", "1", sha256(b"rules")),
        software="tanzheng 0.1.0",
        parameters=(
            Parameter("co2_calculated_t", co2, "t", salts[0]),
            Parameter("net_generation_mwh", generation, "MWh", salts[1]),
        ),
        padding=tuple(salts[2:]),
        files=(PackageFile.of(PLANT_PATH, PLANT),),
        gateways=(GatewayChain("gw1", 1, 1, 1, 9, sha256(b"head")),),
    )
    return bag_files({MANIFEST_PATH: manifest.encode(), PLANT_PATH: PLANT})


def in_one_step(path: Path, data: bytes) -> Path:
    """Write a file that others read meanwhile."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    return partial.rename(path)


@dataclass
class Figure:
    """Where a unit's figure stands on the contract, as the test has driven it.

    `reported`: the statement under the newest version; `confirmed`: the province's newest one.
    """

    tonnes: int = 0
    reported: SignedStatement | None = None
    version: int = 0
    sequence: int = 0
    confirmed: SignedStatement | None = None

    @property
    def statement(self) -> bytes:
        assert self.reported is not None
        return self.reported.digest


@dataclass
class World:
    """`anvil` with both contracts; `folder` holds the log, `feed/` and `shelf/`."""

    anvil: Anvil
    folder: Path
    node: Node = field(init=False)
    payer: LocalAccount = field(init=False)
    parties: Parties = field(init=False)
    emissions: VerifiedEmissions = field(init=False)
    block: int = field(init=False)
    figures: dict[str, Figure] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    province: SigningKey = PROVINCE

    def __post_init__(self) -> None:
        self.chain = service.deploy_development_log(self.anvil.url, self.folder / "log")
        self.node = Node(self.anvil.url)
        self.payer = funded(self.node, 7)
        admin = funded(self.node, 8)
        self.parties = Parties(*(Account.from_key(bytes([seed] * 32)) for seed in range(11, 16)))
        address, self.block = deploy(self.node, self.payer, admin.address)
        self.emissions = VerifiedEmissions(self.node, address)
        self.key = self.folder / "operator.pem"
        self.key.write_bytes(OPERATOR.to_pem())
        self.key.chmod(0o600)
        for name in ("feed", "shelf"):
            (self.folder / name).mkdir()
        for role, account in {
            roles.LOG_ROLE: f"0x{self.chain.contract.hex()}",
            roles.REVIEWER_ROLE: self.parties.reviewer.address,
            roles.VERIFIER_ROLE: self.parties.verifier.address,
            roles.CONFIRMER_ROLE: self.parties.confirmer.address,
            roles.DISPUTER_ROLE: self.parties.disputer.address,
        }.items():
            self.hand_in(self.emissions.sign_grant(admin, role, account))
        self.admin = admin

    # ------------------------------------------------------------ the plant and the four

    def hand_in(self, signed: SignedTransaction) -> None:
        send(self.node, signed.raw)
        while (found := self.emissions.receipt(signed.hash)) is None:
            time.sleep(0.005)
        assert found.succeeded

    def seal(self, unit: str, co2: str, generation: str = "1000") -> bytes:
        """Seal a year; its receipt."""
        bag, out = self.folder / "bag", self.folder / f"year-{unit}.cbor"
        shutil.rmtree(bag, ignore_errors=True)
        is_first = self.figures.get(unit, Figure()).version == 0
        correction = None if is_first else Correction("recount", "A. Approver")
        AnchorFolder(self.folder / "log").seal(
            written(year_package(unit, co2, generation), bag),
            *(self.key, out, correction, lambda _: None),
        )
        return out.read_bytes()

    def state_confirmed(self, unit: str, on_shelf: bool = True, **changes: Any) -> None:
        """The province states the figure as it was verified; the receipt goes to the shelf."""
        figure = self.figures[unit]
        assert figure.reported is not None
        reported, before = figure.reported.statement, figure.confirmed
        output = (Quantity("net_generation_mwh", "1000", "MWh"),)
        stated = ConfirmedEmissions(
            issuer=NAME,
            subject=Subject("E1", unit, str(YEAR), "confirmed"),
            seq=1 if before is None else before.statement.seq + 1,
            prev=None if before is None else before.digest,
            supersedes=None if before is None else Supersedes(before.digest, "recount", "B. Boss"),
            not_before=reported.not_before,
            emissions_t=figure.tonnes,
            units=(UnitEmissions(unit, figure.tonnes, output),),
            basis=(Reference(reported.subject, figure.statement),),
        )
        figure.confirmed = replace(stated, **changes).sign(self.province)
        name = f"{unit}-{figure.confirmed.digest.hex()[:8]}"
        self.register(figure.confirmed, self.folder / f"{name}.cbor")
        if on_shelf:
            self.put_on_shelf(name)

    def register(self, signed: SignedStatement, out: Path) -> None:
        """Seal what the province signed."""
        paper, key = self.folder / "stated.cose", self.folder / "province.pub.pem"
        paper.write_bytes(signed.raw)
        key.write_bytes(self.province.public.to_pem())
        AnchorFolder(self.folder / "log").register(paper, key, self.key, out, lambda _: None)

    def rotate_province(self, to: SigningKey) -> Path:
        """Another key signs for the province from here on; the receipt of that."""
        old, out = self.province, self.folder / "rotated.cbor"
        possession = possess(NAME, Role.PROVINCE, to)
        event = key_event(
            *(NAME, Role.PROVINCE), act=KeyAct.ROTATE, key=to.public, possession=possession,
            kid=old.public.kid,
        )  # fmt: skip
        self.register(event.sign(old), out)
        self.province = to
        return out

    def put_on_shelf(self, name: str) -> None:
        shutil.copy(self.folder / f"{name}.cbor", self.folder / "shelf" / f"{name}.cbor")

    def act(self, unit: str, act: Act) -> None:
        """One act on the figure as it stands; before a confirmation the province states it."""
        figure = self.figures[unit]
        if act is Act.CONFIRM and not self.is_stated(figure):
            self.state_confirmed(unit)
        self.submit(unit, self.attestation(unit, act, figure), None)
        figure.sequence += 1

    def is_stated(self, figure: Figure) -> bool:
        """Whether the province's newest statement rests on what was reported last."""
        if figure.confirmed is None:
            return False
        basis = figure.confirmed.of(ConfirmedEmissions).basis
        return figure.statement in {reference.digest for reference in basis}

    def attestation(self, unit: str, act: Act, figure: Figure) -> Attestation:
        document = sha256(f"{unit} {act} {figure.version}".encode())
        if act is Act.CONFIRM and figure.confirmed is not None:
            document = figure.confirmed.digest
        figures = (figure.version, figure.sequence, figure.tonnes, figure.statement, document)
        return Attestation(act, f"E1/{unit}", YEAR, *figures, DEADLINE)

    def submit(self, unit: str, attestation: Attestation, proof: Proof | None) -> None:
        signature = self.emissions.sign(self.parties.of(attestation.act), attestation)
        signed = self.emissions.sign_submission(self.payer, attestation, signature, proof)
        self.hand_in(signed)

    def report(self, unit: str, co2: str) -> None:
        """Seal a year and report it: the first version, or the correction of a disputed one."""
        taken = receipt.decode(self.seal(unit, co2))
        figure = self.figures.setdefault(unit, Figure())
        if figure.version == 0:
            role = roles.reporter_role(f"E1/{unit}")
            grant = self.emissions.sign_grant(self.admin, role, self.parties.reporter.address)
            self.hand_in(grant)
        act = Act.REPORT if figure.version == 0 else Act.CORRECT
        figure.version += 1
        figure.tonnes = int(Decimal(co2).to_integral_value(ROUND_HALF_UP))
        figure.reported = taken.statement
        proof = Proof(
            to_checksum_address(self.chain.contract),
            taken.checkpoint.checkpoint.seq,
            taken.checkpoint.raw,
            taken.statement.raw,
            taken.inclusion.index,
            taken.inclusion.path,
        )
        self.submit(unit, self.attestation(unit, act, figure), proof)
        figure.sequence += 1

    def confirm(self, unit: str, co2: str) -> None:
        """From the sealed year to a figure that may be booked."""
        self.report(unit, co2)
        for act in CONFIRMED:
            self.act(unit, act)

    def state(self) -> dict[str, int]:
        """What the contract says may be booked, by subject."""
        found = {}
        for unit in self.figures:
            try:
                found[f"E1/{unit}"] = self.emissions.confirmed(f"E1/{unit}", YEAR).tonnes
            except ContractReverted:
                continue
        return found

    # ------------------------------------------------------------ the feed

    def source(self, confirmations: int = 0) -> Source:
        contract = bytes.fromhex(self.emissions.address[2:])
        node = Reader(self.anvil.url)
        self.readers.append(node)
        return Source(node, contract, self.anvil.chain_id, self.block, Finality(confirmations))

    def outbox(self) -> Outbox:
        box = Outbox(self.folder / "feed")
        box.repair()
        return box

    def collector(self, outbox: Outbox, confirmations: int = 0) -> Collector:
        shelf = Shelf(self.folder / "shelf")
        return Collector(self.source(confirmations), outbox, shelf, OPERATOR, lambda: SIGNED_MS)

    def collect(self, confirmations: int = 0) -> list[bytes]:
        """One run of a new collector; all lines of the feed."""
        box = self.outbox()
        with box.lock():
            self.collector(box, confirmations).advance()
        return self.lines()

    def lines(self) -> list[bytes]:
        path = self.folder / "feed" / "items.ndjson"
        return path.read_bytes().splitlines() if path.exists() else []

    def trust(self) -> Trust:
        province = Signer(NAME, Role.PROVINCE, OperatorKey(PROVINCE.public, 0, None))
        return replace(observed(self.node, self.chain), signers=(province,))

    def write_trust(self) -> Path:
        path = self.folder / "TRUST.json"
        return in_one_step(path, self.trust().encode())

    def authority(self) -> dict[str, Any]:
        reporters = {f"E1/{unit}": [self.parties.reporter.address.lower()] for unit in self.figures}
        return {
            "version": 1,
            "chain_id": self.anvil.chain_id,
            "contract": self.emissions.address.lower(),
            "reporters": reporters,
            "reviewers": [self.parties.reviewer.address.lower()],
            "verifiers": [self.parties.verifier.address.lower()],
            "confirmers": [self.parties.confirmer.address.lower()],
            "disputers": [self.parties.disputer.address.lower()],
        }

    def write_authority(self) -> Path:
        path = self.folder / "AUTHORITY.json"
        return in_one_step(path, json.dumps(self.authority(), indent=1).encode())
