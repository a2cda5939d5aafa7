"""Blocks of a QBFT chain (EIP-650 and its successors; Hyperledger Besu, GoQuorum): who sealed them.

A header's `extraData` is RLP [vanity, validators, vote, round, seals]. The block's hash is taken
with round 0 and no seals; each validator that commits signs the hash with the round of the block
and no seals. So a receipt carries the header as it is hashed, and the seals beside it: exactly as
many as a quorum takes, in the order of the validators, so that there is one way to write them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tanzheng.core import rlp
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.hashing import keccak256
from tanzheng.core.secp256k1 import SIGNATURE_BYTES, N, recover_address

MIX_HASH = b"ctical byzantine fault tolerance"
"""`mixHash` of every block of such a chain, the end of "practical byzantine fault tolerance"."""

VALIDATORS_MAX = 128
ADDRESS_BYTES = 20
NUMBER, EXTRA_DATA, MIX = 8, 12, 13  # places among the fields of a header


class NotSealed(CheckFailed):
    """The seals are not those of enough validators of this block."""


@dataclass(frozen=True, slots=True)
class Extra:
    """`extraData` taken apart; `validators` of 20 bytes each, `vote` as it stands."""

    vanity: bytes
    validators: tuple[bytes, ...]
    vote: rlp.Item
    round: int
    seals: tuple[bytes, ...]

    @property
    def quorum(self) -> int:
        """How many must have sealed: two thirds, rounded up."""
        return -(-2 * len(self.validators) // 3)

    def encode(self) -> bytes:
        """Return the RLP."""
        number = rlp.encode_integer(self.round)
        return rlp.encode([self.vanity, self.validators, self.vote, number, self.seals])

    def hashed(self) -> bytes:
        """Return the RLP as the block's hash covers it."""
        return replace(self, round=0, seals=()).encode()


@dataclass(frozen=True, slots=True)
class Seals:
    """The round in which a block was committed, and a quorum's signatures of 65 bytes."""

    round: int
    signatures: tuple[bytes, ...]


def decode_extra(data: bytes) -> Extra:
    """Read `extraData`; `EncodingError` where it is none of a QBFT block."""
    where = "extraData"
    items = rlp.decode(data, where)
    if isinstance(items, bytes) or len(items) != 5:
        raise EncodingError(f"{where}: expected [vanity, validators, vote, round, seals] of QBFT")
    vanity, listed, vote, number, seals = items
    if not isinstance(vanity, bytes) or isinstance(vote, bytes) or len(vote) not in {0, 2}:
        raise EncodingError(f"{where}: expected bytes of vanity and a list as vote")
    validators = tuple(_strings(listed, f"{where}.validators", ADDRESS_BYTES))
    if not validators or len(set(validators)) != len(validators):
        raise EncodingError(f"{where}: expected validators, each once")
    return Extra(
        vanity,
        validators,
        vote,
        rlp.decode_integer(number, f"{where}.round", 4),
        tuple(_strings(seals, f"{where}.seals", SIGNATURE_BYTES)),
    )


def is_qbft(mix_hash: object, number: int) -> bool:
    """Whether a block has seals: those of such a chain, but for its genesis."""
    return mix_hash == MIX_HASH and number > 0


def check_seals(header: bytes, seals: Seals) -> tuple[bytes, ...]:
    """Return the validators of the header, where a quorum of them sealed it.

    `header`: its RLP as it is hashed. `NotSealed` where it is of no such chain, or the seals are
    not exactly a quorum of its validators in their order; `SignatureInvalid`.
    """
    fields = rlp.decode(header, "header")
    if isinstance(fields, bytes) or len(fields) <= MIX or not is_qbft(fields[MIX], _number(fields)):
        raise NotSealed("seals: expected the header of a QBFT block")
    given = fields[EXTRA_DATA]
    extra = decode_extra(given if isinstance(given, bytes) else b"")
    if len(seals.signatures) != extra.quorum:
        raise NotSealed(
            f"seals: expected {extra.quorum} of {len(extra.validators)} validators, "
            f"got {len(seals.signatures)}"
        )
    digest = _committed(fields, extra, seals.round)
    signers = [recover_address(digest, each) for each in seals.signatures]
    order = [extra.validators.index(each) if each in extra.validators else -1 for each in signers]
    if -1 in order or order != sorted(set(order)):
        raise NotSealed("seals: expected validators of the block, each once, in their order")
    return extra.validators


def seals_of(header: bytes, sealed: bytes) -> Seals:
    """Return a quorum of the seals in `sealed`, the `extraData` that a node gives with its block.

    `header`: RLP as it is hashed. `NotSealed` where they are not enough.
    """
    fields, extra = rlp.decode(header, "header"), decode_extra(sealed)
    assert not isinstance(fields, bytes)
    digest = _committed(fields, extra, extra.round)
    found = dict[bytes, bytes]()
    for signature in map(_smaller, extra.seals):
        found[recover_address(digest, signature)] = signature
    chosen = [found[each] for each in extra.validators if each in found][: extra.quorum]
    seals = Seals(extra.round, tuple(chosen))
    check_seals(header, seals)
    return seals


def _number(fields: Sequence[rlp.Item]) -> int:
    return rlp.decode_integer(fields[NUMBER], "header number")


def _committed(fields: Sequence[rlp.Item], extra: Extra, number: int) -> bytes:
    """What a validator signs: the header with the round, without seals."""
    told = list(fields)
    told[EXTRA_DATA] = replace(extra, round=number, seals=()).encode()
    return keccak256(rlp.encode(told))


def _smaller(signature: bytes) -> bytes:
    """The same signature with the smaller of its two values of s."""
    s = int.from_bytes(signature[32:64], "big")
    if not N // 2 < s < N or signature[64] > 1:
        return signature
    return signature[:32] + (N - s).to_bytes(32, "big") + bytes([1 - signature[64]])


def _strings(item: rlp.Item, where: str, count: int) -> Iterator[bytes]:
    if isinstance(item, bytes) or len(item) > VALIDATORS_MAX:
        raise EncodingError(f"{where}: expected a list of at most {VALIDATORS_MAX}")
    for each in item:
        if not isinstance(each, bytes) or len(each) != count:
            raise EncodingError(f"{where}: expected {count} bytes each")
        yield each
