"""A feed item made in memory, with keys and proofs of its own."""

from __future__ import annotations

from dataclasses import replace

from eth_account import Account

from contracts.emissions import DEADLINE
from core.statements.samples import KEYS, envelope
from evidence import CHAIN_ID, Operator
from tanzheng.core.attestation import Act, Attestation, Domain
from tanzheng.core.feed import CONFIRMATION, FeedItem, FeedStatus
from tanzheng.core.feed_parts import FeedAct, FeedEvent, FigureProof
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.statements.common import Quantity, Reference
from tanzheng.core.statements.confirmed import ConfirmedEmissions, UnitEmissions
from tanzheng.core.statements.roles import Role

CONTRACT = bytes(range(40, 60))
PARTIES = tuple(Account.from_key(bytes([seed] * 32)) for seed in range(11, 15))
REPORTED = sha256(b"the year as reported")
STEPS = (Act.REPORT, Act.REVIEW, Act.VERIFY, Act.CONFIRM)


def feed_item(seq: int = 1, prev: bytes | None = None) -> FeedItem:
    """The first confirmed figure of E1/U1 in 2025; its storage proof leads nowhere."""
    about = Subject("E1", "U1", "2025", "month.year")
    units = (UnitEmissions("U1", 1_234_567, (Quantity("net_generation_mwh", "1000", "MWh"),)),)
    stated = ConfirmedEmissions(
        **envelope("province-bureau", replace(about, kind="confirmed")),
        emissions_t=1_234_567,
        units=units,
        basis=(Reference(about, REPORTED),),
    )
    operator = Operator()
    operator.seal(stated.sign(KEYS[Role.PROVINCE]))
    confirmed = operator.leaves[0].digest
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
        statement=REPORTED,
        event=FeedEvent(7, sha256(b"block"), 1_790_000_000, sha256(b"transaction"), 0),
        acts=tuple(_act(n, confirmed if n == CONFIRMATION else sha256(b"x")) for n in range(4)),
        units=units,
        receipt=operator.receipt(),
        proof=FigureProof(b"header", (b"node",), ((b"node",),) * 5),
    )


def _act(number: int, document: bytes) -> FeedAct:
    act, key = STEPS[number], PARTIES[number]
    told = Attestation(act, "E1/U1", 2025, 1, number, 1_234_567, REPORTED, document, DEADLINE)
    digest = told.digest(Domain(CHAIN_ID, CONTRACT))
    signature = bytes(Account.unsafe_sign_hash(digest, key.key).signature)
    address = bytes.fromhex(key.address[2:])
    return FeedAct(act, 1, number, 1_234_567, REPORTED, document, address, DEADLINE, signature)
