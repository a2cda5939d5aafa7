"""A feed item made in memory, with keys and proofs of its own."""

from __future__ import annotations

from eth_account import Account

from contracts.emissions import DEADLINE
from evidence import CHAIN_ID, Operator, statement
from tanzheng.core.attestation import Act, Attestation, Domain
from tanzheng.core.disclosure import Disclosure
from tanzheng.core.feed import FeedItem, FeedStatus
from tanzheng.core.feed_parts import FeedAct, FeedEvent, FigureProof
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import MANIFEST_PATH

CONTRACT = bytes(range(40, 60))
PARTIES = tuple(Account.from_key(bytes([seed] * 32)) for seed in range(11, 15))
STEPS = (Act.REPORT, Act.REVIEW, Act.VERIFY, Act.CONFIRM)


def feed_item(seq: int = 1, prev: bytes | None = None) -> FeedItem:
    """The first confirmed figure of E1/U1 in 2025; its storage proof leads nowhere."""
    from feed.world import year_package

    raw = year_package("U1", "1234567.4", "1000")[MANIFEST_PATH]
    disclosure = Disclosure.of(raw, ["co2_calculated_t"])
    stated = statement(
        Subject("E1", "U1", "2025", "month.year"),
        manifest_sha256=disclosure.manifest_sha256,
        manifest_sm3=disclosure.manifest_sm3,
        parameters_root=disclosure.parameters_root,
    )
    operator = Operator()
    operator.seal(stated)
    return FeedItem(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        seq=seq,
        prev=prev,
        signed_ms=1_790_000_000_000,
        subject="E1/U1",
        year=2025,
        figure_version=1,
        status=FeedStatus.CONFIRMED,
        tonnes=1_234_567,
        statement=operator.leaves[0].digest,
        event=FeedEvent(7, sha256(b"block"), 1_790_000_000, sha256(b"transaction"), 0),
        acts=tuple(_act(n, operator.leaves[0].digest) for n in range(4)),
        disclosure=disclosure,
        receipt=operator.receipt(),
        proof=FigureProof(b"header", (b"node",), ((b"node",),) * 5),
    )


def _act(number: int, stated: bytes) -> FeedAct:
    act, key, document = STEPS[number], PARTIES[number], sha256(b"document")
    told = Attestation(act, "E1/U1", 2025, 1, number, 1_234_567, stated, document, DEADLINE)
    digest = told.digest(Domain(CHAIN_ID, CONTRACT))
    signature = bytes(Account.unsafe_sign_hash(digest, key.key).signature)
    address = bytes.fromhex(key.address[2:])
    return FeedAct(act, 1, number, 1_234_567, stated, document, address, DEADLINE, signature)
