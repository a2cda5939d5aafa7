"""A whole chain of evidence in memory: log, heads, checkpoints, a block with proofs, a receipt.

The trie is built here by its definition with the peer libraries `rlp` and pycryptodome, so that
core's reader is held against another writer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import rlp  # type: ignore[import-untyped]
from Crypto.Hash import keccak
from eth_keys.datatypes import PrivateKey

from tanzheng.core import inclusion, receipt
from tanzheng.core.checkpoint import NO_CHECKPOINT, Checkpoint, SignedCheckpoint
from tanzheng.core.evm import head_slot
from tanzheng.core.hashing import sm3
from tanzheng.core.heads import Head, HeadsTree
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.manifest import DataPack
from tanzheng.core.merkle import Tree
from tanzheng.core.qbft import MIX_HASH, seals_of
from tanzheng.core.receipt import EvmProof
from tanzheng.core.statement import BlockReference, SignedStatement, Statement
from tanzheng.core.trust import OperatorKey, Trust, TrustedBlock, TrustedGateway, TrustedPlant

OPERATOR = SigningKey.from_seed(b"operator".ljust(32, b"."))
GATEWAY = SigningKey.from_seed(b"gateway".ljust(32, b"."))
CONTRACT = bytes(range(20))
LOG_ID = bytes(range(32))
CHAIN_ID = 31337
TIME_S = 1_790_000_000
PACK = DataPack("pack", "1", bytes(32))


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


# ------------------------------------------------------------------ the chain


def compact(digits: str, leaf: bool) -> bytes:
    """Hex-prefix encoding (yellow paper, appendix C)."""
    flag = 2 * leaf + len(digits) % 2
    return bytes.fromhex(f"{flag:x}{'' if len(digits) % 2 else '0'}{digits}")


def trie_node(pairs: Mapping[str, bytes]) -> Any:
    """The node of a trie over hex-digit keys of one length."""
    if not pairs:
        return b""
    if len(pairs) == 1:
        [(digits, value)] = pairs.items()
        return [compact(digits, leaf=True), value]
    first, *others = sorted(pairs)
    shared = 0
    while all(other[: shared + 1] == first[: shared + 1] for other in others):
        shared += 1
    if shared:
        below = trie_node({digits[shared:]: value for digits, value in pairs.items()})
        return [compact(first[:shared], leaf=False), reference(below)]
    branch = [
        reference(trie_node({k[1:]: v for k, v in pairs.items() if k[0] == digit}))
        for digit in "0123456789abcdef"
    ]
    return [*branch, b""]


def reference(node: Any) -> Any:
    data = rlp.encode(node)
    return node if len(data) < 32 else keccak256(data)


class Trie:
    def __init__(self, pairs: Mapping[bytes, bytes]) -> None:
        self.pairs = {keccak256(key).hex(): value for key, value in pairs.items()}
        self.root = keccak256(rlp.encode(trie_node(self.pairs)))

    def proof(self, key: bytes) -> list[bytes]:
        """The nodes on the way to `key`, as eth_getProof lists them."""
        digits, pairs = keccak256(key).hex(), self.pairs
        nodes: list[bytes] = []
        while pairs:
            node = trie_node(pairs)
            data = rlp.encode(node)
            if not nodes or len(data) >= 32:
                nodes.append(data)
            if len(pairs) == 1:
                break
            step = 1 if len(node) == 17 else len(node[0].hex()) - (1 if node[0][0] & 0x10 else 2)
            pairs = {k[step:]: v for k, v in pairs.items() if k[:step] == digits[:step]}
            digits = digits[step:]
        return nodes


def block_header(
    state_root: bytes, number: int, time_s: int, extra: bytes = b"", mix_hash: bytes = bytes(32)
) -> bytes:
    zero = bytes(32)
    fields: list[Any] = [zero, zero, bytes(20), state_root, zero, zero, bytes(256), 0, number]
    fields += [30_000_000, 55_212, time_s, extra, mix_hash, bytes(8), 7, zero, 0, 0, zero, zero]
    return bytes(rlp.encode(fields))


@dataclass(frozen=True)
class Validators:
    """Who seals blocks as QBFT has it; those of `sealing` do, in that order, in round `round`."""

    keys: Sequence[PrivateKey]
    sealing: Sequence[int]
    round: int = 0

    @property
    def addresses(self) -> list[bytes]:
        return [key.public_key.to_canonical_address() for key in self.keys]

    def extra(self, number: int, seals: Sequence[bytes] = ()) -> bytes:
        return bytes(rlp.encode([bytes(32), self.addresses, [], number, seals]))

    def sealed(self, state_root: bytes, number: int, time_s: int) -> bytes:
        """`extraData` as a node gives it, with the seals."""
        committed = block_header(state_root, number, time_s, self.extra(self.round), MIX_HASH)
        digest = keccak256(committed)
        made = [self.keys[n].sign_msg_hash(digest).to_bytes() for n in self.sealing]
        return self.extra(self.round, made)


def anchored(
    heads: Mapping[int, bytes],
    seq: int,
    number: int,
    time_s: int,
    validators: Validators | None = None,
) -> EvmProof:
    """The proofs that the contract's head[seq] is in block `number`, among `seq` other accounts."""
    values = {head_slot(n): rlp.encode(int.from_bytes(head, "big")) for n, head in heads.items()}
    slots = Trie({**values, (2).to_bytes(32, "big"): b"\x01"})
    account = rlp.encode([1, 0, slots.root, keccak256(b"code")])
    others = {bytes([n]) * 20: rlp.encode([n, n, bytes(32), bytes(32)]) for n in range(seq)}
    state = Trie({**others, CONTRACT: account})
    header, seals = block_header(state.root, number, time_s), None
    if validators is not None:
        header = block_header(state.root, number, time_s, validators.extra(0), MIX_HASH)
        seals = seals_of(header, validators.sealed(state.root, number, time_s))
    proofs = tuple(state.proof(CONTRACT)), tuple(slots.proof(head_slot(seq)))
    return EvmProof(header, *proofs, seals)


# ------------------------------------------------------------------ the operator


def statement(subject: Subject | None = None, **changes: Any) -> Statement:
    plain = Statement(
        issuer="operator",
        subject=subject or Subject("E1", "CT1", "2018-07", "month"),
        start_ms=1_530_428_400_000,
        end_ms=1_533_106_800_000,
        seq=1,
        prev=None,
        supersedes=None,
        manifest_sha256=b"\x11" * 32,
        manifest_sm3=b"\x12" * 32,
        parameters_root=b"\x13" * 32,
        gateways=(),
        standard=PACK,
        rules=PACK,
        software="tanzheng 0.1.0",
        not_before=BlockReference(1, b"\x01" * 32),
    )
    return replace(plain, **changes)


@dataclass
class Operator:
    """Seals statements into one log; `trust` is what an observer would have recorded."""

    key: SigningKey = OPERATOR
    validators: Validators | None = None
    leaves: list[SignedStatement] = field(default_factory=list)
    checkpoints: list[SignedCheckpoint] = field(default_factory=list)
    tree: Tree = field(default_factory=Tree)
    tree_sm3: Tree = field(default_factory=lambda: Tree(sm3))
    blocks: list[TrustedBlock] = field(
        default_factory=lambda: [TrustedBlock(1, b"\x01" * 32, TIME_S - 60)]
    )

    def heads(self) -> HeadsTree:
        latest = {signed.statement.subject: signed for signed in self.leaves}
        return HeadsTree(Head(s, x.statement.seq, x.digest) for s, x in latest.items())

    def seal(self, *statements: Statement | SignedStatement, **changes: Any) -> SignedCheckpoint:
        """Append statements, signed by others or else by the operator, and publish a checkpoint.

        It is in a block of its own.
        """
        for stated in statements:
            signed: SignedStatement = (
                stated.sign(self.key) if isinstance(stated, Statement) else stated
            )
            self.leaves.append(signed)
            self.tree.append(signed.raw)
            self.tree_sm3.append(signed.raw)
        seq = len(self.checkpoints) + 1
        plain = Checkpoint(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            log_id=LOG_ID,
            seq=seq,
            size=self.tree.size,
            root_sha256=self.tree.root(),
            root_sm3=self.tree_sm3.root(),
            heads_root=self.heads().root,
            previous=self.checkpoints[-1].digest if self.checkpoints else NO_CHECKPOINT,
            t_ms=(TIME_S + 10 * seq) * 1000 - 500,
        )
        self.checkpoints.append(replace(plain, **changes).sign(self.key))
        return self.checkpoints[-1]

    def receipt(self, index: int = -1, attestations: Mapping[str, bytes] | None = None) -> bytes:
        """The receipt of a statement as of the last checkpoint."""
        signed, last = self.leaves[index], self.checkpoints[-1]
        at, size = index % len(self.leaves), last.checkpoint.size
        path: Sequence[bytes] = self.tree.inclusion(at, self.tree.size)
        cose = inclusion.sign(last.checkpoint.root_sha256, size, at, path, self.key)
        head, place = self.heads().current(signed.statement.subject)
        transparent = inclusion.attach(signed.raw, cose)
        return receipt.encode(transparent, last.raw, head, place, self.evm(), attestations)

    def evm(self) -> EvmProof:
        seq = len(self.checkpoints)
        heads = {n: signed.digest for n, signed in enumerate(self.checkpoints, start=1)}
        number, time_s = 100 + seq, TIME_S + 10 * seq
        proof = anchored(heads, seq, number, time_s, self.validators)
        block = TrustedBlock(number, keccak256(proof.header), time_s)
        if block not in self.blocks:
            self.blocks.append(block)
        return proof

    def trust(self, **changes: Any) -> Trust:
        plain = Trust(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            log_id=LOG_ID,
            operator_keys=(OperatorKey(OPERATOR.public, 0, None),),
            gateways=(TrustedGateway("gw1", GATEWAY.public),),
            plants=(TrustedPlant("E1", bytes(32)),),
            blocks=tuple(self.blocks),
        )
        return replace(plain, **changes)
