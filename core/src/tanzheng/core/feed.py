"""The registry feed: what has become of a year's figure, one signed line an item.

    {"item": {…}, "signature": "base64"}    one line of NDJSON, canonical JSON (RFC 8785)

`signature` is a COSE_Sign1 with the item's canonical bytes as detached payload: the one signature
format of the house, bound to content type and key, while the item stays JSON that anybody reads.
Items are a chain: `seq` from 1 without a gap, `prev` the SHA-256 of the item before. What an item
says is proved by what it carries: the four parties' signatures, the contract's storage, and the
receipt of the province's statement of confirmed emissions. See docs/registry-feed.md.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tanzheng.core import base64_text, canonical_json, closed, cose, signed_json
from tanzheng.core.attestation import Act, Attestation, Domain, Status, check_subject
from tanzheng.core.errors import EncodingError
from tanzheng.core.feed_parts import ACTS_MAX, FeedAct, FeedEvent, FigureProof
from tanzheng.core.hashing import HASH_BYTES, sha256
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.receipt import RECEIPT_BYTES_MAX
from tanzheng.core.statements.confirmed import ConfirmedEmissions, UnitEmissions
from tanzheng.core.statements.forms import forms_of

TYPE, VERSION = "tanzheng/feed-item", 1
CONTENT_TYPE = "application/vnd.tanzheng.feed-item+json"
LINE_BYTES_MAX = 8 << 20
CONFIRMATION = 3
"""Where among the acts of a version the province's stands: after report, review, verification."""
_KEYS = (
    *("type", "version", "chain_id", "contract", "seq", "prev", "signed_ms", "subject", "year"),
    *("figure_version", "status", "tonnes", "statement", "event", "acts", "units"),
    *("receipt", "proof"),
)
_UNITS = forms_of(ConfirmedEmissions)["units"]


class FeedStatus(StrEnum):
    """What a registry does: book, book in the place of an earlier one, hold, take back."""

    CONFIRMED = "confirmed"
    CORRECTED = "corrected"
    DISPUTED = "disputed"
    WITHDRAWN = "withdrawn"


STORED = {
    FeedStatus.CONFIRMED: Status.CONFIRMED,
    FeedStatus.CORRECTED: Status.CONFIRMED,
    FeedStatus.DISPUTED: Status.DISPUTED,
    FeedStatus.WITHDRAWN: Status.CORRECTED,
}
"""What the contract's storage says of the version after the event of an item."""
_LAST_ACTS = {
    FeedStatus.CONFIRMED: (Act.CONFIRM, Act.UPHOLD),
    FeedStatus.CORRECTED: (Act.CONFIRM,),
    FeedStatus.DISPUTED: (Act.DISPUTE,),
    FeedStatus.WITHDRAWN: (Act.CORRECT,),
}


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One item. `subject` is ENTERPRISE/UNIT, `tonnes` whole tonnes of CO2 equivalent.

    `statement`: digest of what was reported. `acts`: of the four parties on this version, in their
    order, then the act that led to `status` where it is another. `units`: emissions and output as
    the province stated them, each with its unit; `receipt`: of that statement, the document of the
    confirmation. `signed_ms`: the operator's clock. `proof`: the version's storage after `event`.
    """

    chain_id: int
    contract: bytes
    seq: int
    prev: bytes | None
    signed_ms: int
    subject: str
    year: int
    figure_version: int
    status: FeedStatus
    tonnes: int
    statement: bytes
    event: FeedEvent
    acts: tuple[FeedAct, ...]
    units: tuple[UnitEmissions, ...]
    receipt: bytes = field(repr=False)
    proof: FigureProof | None = field(repr=False)

    @property
    def domain(self) -> Domain:
        """Chain and contract that the parties' signatures name."""
        return Domain(self.chain_id, self.contract)

    @property
    def confirmation(self) -> FeedAct:
        """The act by which the province confirmed this version."""
        return self.acts[CONFIRMATION]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: `prev` of the next item."""
        return sha256(self.encode())

    def attestation(self, act: FeedAct) -> Attestation:
        """What the party signed; `BadInput` where the transaction did not show it."""
        return act.attestation(self.subject, self.year)

    def encode(self) -> bytes:
        """The canonical bytes that are signed, checked by reading them back."""
        data = canonical_json.dumps(_to_json(self))
        if decode(data) != self:
            raise EncodingError("feed item: expected fields that survive a round trip")
        return data

    def sign(self, key: SigningKey) -> "SignedItem":
        """The item as a line of the feed."""
        return open_line(signed_json.sign("item", self.encode(), key, CONTENT_TYPE))


@dataclass(frozen=True, slots=True)
class SignedItem:
    """A line of the feed, without its line feed; nothing in it is trusted yet."""

    line: bytes
    item: FeedItem
    digest: bytes
    _message: cose.Sign1 = field(repr=False, compare=False)

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    def verify(self, operator: VerifyKey) -> None:
        """Return where `operator` signed this; else `SignatureInvalid`."""
        self._message.verify(operator)


def open_line(line: bytes) -> SignedItem:
    """Read a line: its form is checked, its signature not yet. `EncodingError` names the field."""
    where = "feed line"
    item, payload, message = signed_json.read(line, "item", CONTENT_TYPE, LINE_BYTES_MAX, where)
    return SignedItem(line, _from_json(item), sha256(payload), message)


def decode(data: bytes) -> FeedItem:
    """Read an item's canonical bytes; `EncodingError` names the first field out of shape."""
    return _from_json(canonical_json.loads(data, "feed item"))


# ------------------------------------------------------------------ JSON form


def _to_json(item: FeedItem) -> dict[str, Any]:
    return {
        "type": TYPE,
        "version": VERSION,
        "chain_id": item.chain_id,
        "contract": item.contract.hex(),
        "seq": item.seq,
        "prev": item.prev.hex() if item.prev is not None else None,
        "signed_ms": item.signed_ms,
        "subject": item.subject,
        "year": item.year,
        "figure_version": item.figure_version,
        "status": item.status.value,
        "tonnes": item.tonnes,
        "statement": item.statement.hex(),
        "event": item.event.to_json(),
        "acts": [act.to_json() for act in item.acts],
        "units": _UNITS.show(_UNITS.write(item.units)),
        "receipt": base64_text.encode(item.receipt),
        "proof": item.proof.to_json() if item.proof is not None else None,
    }


def _from_json(value: object) -> FeedItem:
    where = "feed item"
    source = closed.record(value, _KEYS, where)
    if source["type"] != TYPE:
        raise EncodingError(f"{where}.type: expected {TYPE!r}, got {source['type']!r}")
    closed.version(source, VERSION, where)
    prev, proof = source["prev"], source["proof"]
    item = FeedItem(
        chain_id=closed.integer(source, "chain_id", where, least=1),
        contract=closed.hexadecimal(source["contract"], 20, f"{where}.contract"),
        seq=closed.integer(source, "seq", where, least=1),
        prev=None if prev is None else closed.hexadecimal(prev, HASH_BYTES, f"{where}.prev"),
        signed_ms=closed.integer(source, "signed_ms", where),
        subject=closed.text(source, "subject", where),
        year=closed.integer(source, "year", where),
        figure_version=closed.integer(source, "figure_version", where, least=1),
        status=_status(source["status"]),
        tonnes=closed.integer(source, "tonnes", where),
        statement=closed.hexadecimal(source["statement"], HASH_BYTES, f"{where}.statement"),
        event=FeedEvent.from_json(source["event"]),
        acts=tuple(map(FeedAct.from_json, closed.items(source, "acts", where, ACTS_MAX))),
        units=_UNITS.read(_UNITS.told(source["units"], f"{where}.units"), f"{where}.units"),
        receipt=base64_text.decode(source["receipt"], RECEIPT_BYTES_MAX, f"{where}.receipt"),
        proof=None if proof is None else FigureProof.from_json(proof),
    )
    check_subject(item.subject)
    if (item.prev is None) != (item.seq == 1):
        raise EncodingError(f"{where}.prev: expected it exactly from seq 2 on")
    _check_acts(item)
    return item


def _status(value: object) -> FeedStatus:
    known = [status.value for status in FeedStatus]
    if value not in known:
        raise EncodingError(f"feed item.status: expected one of {known}, got {str(value)[:40]!r}")
    return FeedStatus(str(value))


def _check_acts(item: FeedItem) -> None:
    """The acts tell of this figure and lead to its status."""
    where, kinds = "feed item.acts", [act.act for act in item.acts]
    opening = Act.REPORT if item.figure_version == 1 else Act.CORRECT
    last = kinds[-1] if kinds else None
    further = [] if last is Act.CONFIRM else [last]
    if kinds != [opening, Act.REVIEW, Act.VERIFY, Act.CONFIRM, *further]:
        raise EncodingError(f"{where}: expected those of the four parties, got {kinds}")
    if last not in _LAST_ACTS[item.status]:
        raise EncodingError(f"{where}: expected one that leads to {item.status}, got {last}")
    if item.status is FeedStatus.CORRECTED and item.figure_version == 1:
        raise EncodingError(f"{where}: expected a version from 2 on to be a correction, got 1")
    sequences = [act.sequence for act in item.acts]
    if sequences != sorted(set(sequences)):
        raise EncodingError(f"{where}: expected rising sequences, got {sequences}")
    figure = (item.figure_version, item.tonnes, item.statement)
    told = [(act.version, act.tonnes, act.statement) for act in item.acts]
    if item.status is FeedStatus.WITHDRAWN and told.pop()[0] != item.figure_version + 1:
        raise EncodingError(f"{where}: expected a correction that opens the next version")
    if any(each != figure for each in told):
        raise EncodingError(f"{where}: expected all on version {figure[0]}, {figure[1]} t")
