"""The logs, keys and files that the vectors and the mutants are cut from: fixed seeds, no clock."""

from dataclasses import replace
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from eth_keys.datatypes import PrivateKey

from evidence import CHAIN_ID, Operator, Validators, statement
from tanzheng.core import manifest as shape
from tanzheng.core import parameter_tree
from tanzheng.core.bag import bag_files
from tanzheng.core.checkpoint import ConsistencyProof
from tanzheng.core.disclosure import Disclosure
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.manifest import DataPack, GatewayChain, Manifest, PackageFile, Parameter
from tanzheng.core.opentimestamps import MAGIC
from tanzheng.core.statement import Statement, Supersedes
from tanzheng.core.witness import Witness, WitnessPolicy, cosign, encode_all, open_cosignature

SUBJECTS = [Subject("E1", f"CT{n}", "2018-07", "month") for n in range(1, 8)]
STRANGER = SigningKey.from_seed(b"stranger".ljust(32, b"."))
P256 = SigningKey(derive_private_key(0x5EED, SECP256R1()))
WITNESSES = [SigningKey.from_seed(f"witness {n}".encode().ljust(32, b".")) for n in (1, 2, 3)]
POLICY = WitnessPolicy(2, tuple(Witness(f"w{n}", k.public) for n, k in enumerate(WITNESSES, 1)))
SEALERS = [PrivateKey(bytes([n]) * 32) for n in range(1, 8)]
VALIDATORS = Validators(SEALERS[:4], (0, 2, 3))
FIGURES = {"co2_calculated_t": ("65469.74", "t"), "generation_mwh": ("153210.100", "MWh")}
SECRET = b"package secret".ljust(32, b".")
SOFTWARE = "tanzheng 0.1.0"


@cache
def package() -> dict[str, bytes]:
    """A bag of every kind of file, each of a few bytes: shape and digests are real, data is not."""
    salts = parameter_tree.salts(SECRET, len(FIGURES))
    data = {
        shape.PLANT_PATH: b'name = "a plant"\n',
        shape.HOURS_PATH: b'{"version":1}',
        shape.FINDINGS_PATH: b"{}",
        "data/batches/gw1.cborseq": b"\xd2\x84\x40\xa0\x41\x00\x40",
        "data/books/coal.csv": "日期,吨\n2018-07-01,12.5\n".encode(),
    }
    described = Manifest(
        subject=SUBJECTS[0],
        start_ms=1_530_374_400_000,
        end_ms=1_533_052_800_000,
        plant_sha256=sha256(data[shape.PLANT_PATH]),
        standard=DataPack("cets_power/2023-2024", "1", b"\x21" * 32),
        rules=DataPack("gas_unit", "1", b"\x22" * 32),
        software=SOFTWARE,
        parameters=tuple(
            Parameter(name, value, unit, salt)
            for (name, (value, unit)), salt in zip(FIGURES.items(), salts, strict=False)
        ),
        padding=tuple(salts[len(FIGURES) :]),
        files=tuple(PackageFile.of(path, data[path]) for path in sorted(data)),
        gateways=(GatewayChain("gw1", 1, 1, 1, 744, b"\x23" * 32),),
    )
    return bag_files({**data, shape.MANIFEST_PATH: described.encode()})


def stated() -> Statement:
    """The statement of that package."""
    raw = package()[shape.MANIFEST_PATH]
    described = Manifest.decode(raw)
    return statement(
        described.subject,
        start_ms=described.start_ms,
        end_ms=described.end_ms,
        manifest_sha256=sha256(raw),
        manifest_sm3=sm3(raw),
        parameters_root=parameter_tree.tree(described).root(),
        gateways=described.gateways,
        standard=described.standard,
        rules=described.rules,
        software=described.software,
    )


def disclosure() -> bytes:
    """One figure of the package with its path."""
    return Disclosure.of(package()[shape.MANIFEST_PATH], ["co2_calculated_t"]).encode()


@cache
def small() -> Operator:
    """A log of one leaf: the package's statement."""
    operator = Operator()
    operator.seal(stated())
    return operator


@cache
def grown() -> Operator:
    """A log of seven leaves behind three checkpoints, of 2, 3 and 7."""
    operator = Operator()
    operator.seal(stated(), statement(SUBJECTS[1]))
    operator.seal(statement(SUBJECTS[2]))
    operator.seal(*map(statement, SUBJECTS[3:]))
    return operator


@cache
def corrected() -> Operator:
    """The first statement was superseded in a checkpoint of its own."""
    operator = Operator()
    operator.seal(stated(), statement(SUBJECTS[1]))
    digest = operator.leaves[0].digest
    why = Supersedes(digest, "meter-replaced", "Li Na 李娜")
    operator.seal(replace(stated(), seq=2, prev=digest, supersedes=why))
    return operator


@cache
def forked() -> Operator:
    """As many leaves and checkpoints as `grown`, with another history."""
    operator = Operator()
    operator.seal(statement(SUBJECTS[0], software="forged"), statement(SUBJECTS[1]))
    operator.seal(statement(SUBJECTS[2]))
    operator.seal(*map(statement, SUBJECTS[3:]))
    return operator


@cache
def sealed() -> Operator:
    """A log of one leaf on a QBFT chain of four validators; three sealed its block."""
    operator = Operator(validators=VALIDATORS)
    operator.seal(stated())
    return operator


def consistency(operator: Operator, first: int, second: int) -> bytes:
    """The file of a consistency proof."""
    path = operator.tree.consistency(first, second)
    return ConsistencyProof(first, second, tuple(path)).encode()


def cosignatures(operator: Operator, *witnesses: int, seq: int = -1) -> bytes:
    """The list of some witnesses' cosignatures of a checkpoint, by default of the last one."""
    signed = operator.checkpoints[seq]
    keys = [WITNESSES[n - 1] for n in witnesses]
    raws = [cosign(signed, signed.checkpoint.t_ms + 1000, key) for key in keys]
    return encode_all([open_cosignature(raw) for raw in raws])


def ots(digest: bytes) -> bytes:
    """An OpenTimestamps proof of that digest with a calendar's promise and a block."""
    url = b"https://calendar.example"
    promise = bytes([len(url) + 1, len(url)]) + url
    pending = b"\x00" + bytes.fromhex("83dfe30d2ef90c8e") + promise
    block = b"\x00" + bytes.fromhex("0588960d73d71901") + b"\x03\x80\xea\x30"
    hashed = b"\xf0\x04" + digest[:4] + b"\x08" + b"\xf1\x02ab" + b"\x08" + block
    return MAGIC + b"\x01\x08" + digest + b"\xff" + pending + hashed


__all__ = ["CHAIN_ID", "POLICY", "STRANGER", "SUBJECTS", "WITNESSES"]
