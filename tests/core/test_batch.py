"""Batches, their chain, and the platform's acknowledgement."""

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.strategies import batches
from tanzheng.core import batch as codec
from tanzheng.core import cbor, cose
from tanzheng.core.ack import Ack, open_ack, sign_ack
from tanzheng.core.batch import GENESIS, Batch, ChainHead, ClockState, Column, Gap
from tanzheng.core.errors import (
    BadInput,
    ChainBroken,
    EncodingError,
    EpochInvalid,
    SequenceError,
    SequenceRepeated,
    SequenceSkipped,
    SignatureInvalid,
)
from tanzheng.core.keys import SigningKey

KEY = SigningKey.from_seed(bytes(range(32)))
T0 = 1_530_428_400_000


def sample(**changes: object) -> Batch:
    column = Column(array("q", [T0, T0 + 60_000]), array("d", [1.5, -0.0]), bytes([0, 5]))
    first = Batch(
        "gw1", 1, 1, GENESIS, T0 + 60_001, ClockState("ntp", True, -12),
        ("m/active_power_kw", "m/run_state"), (column, column),
        (Gap((1,), T0 + 120_000, T0 + 180_001, 60_000, "comms_timeout"),),
    )  # fmt: skip
    return replace(first, **changes)  # type: ignore[arg-type]


@given(batches())
def test_round_trip(batch: Batch) -> None:
    payload = codec.encode(batch)
    assert codec.decode(payload) == batch
    assert codec.encode(codec.decode(payload)) == payload


def test_signed_round_trip_and_span() -> None:
    signed = codec.sign(sample(), KEY)
    signed.verify(KEY.public)
    assert codec.open_signed(signed.raw).batch == sample()
    assert sample().span_ms == (T0, T0 + 180_000)
    assert sample().readings == 4
    assert list(sample().gaps[0].slots) == [T0 + 120_000, T0 + 180_000]
    assert replace(sample(), columns=(), points=(), gaps=()).span_ms is None


@given(st.binary(max_size=200))
def test_any_payload_is_a_batch_or_a_named_error(data: bytes) -> None:
    with pytest.raises(BadInput):
        codec.decode(data)
    with pytest.raises(BadInput):
        codec.open_signed(data)


@given(st.integers(0, 10**9))
def test_a_flipped_bit_is_refused(seed: int) -> None:
    raw = bytearray(codec.sign(sample(), KEY).raw)
    raw[seed // 8 % len(raw)] ^= 1 << seed % 8
    with pytest.raises((BadInput, SignatureInvalid)):
        codec.open_signed(bytes(raw)).verify(KEY.public)


def damaged(**changes: object) -> bytes:
    body = cbor.loads(codec.encode(sample()))
    return cbor.dumps({**body, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"v": True}, "expected int, got bool"),
        ({"v": 2}, "expected version 1, got 2"),
        ({"seq": 0}, "seq: expected a number from 1, got 0"),
        ({"seq": True}, "seq: expected int, got bool"),
        ({"seq": 2**53}, "seq: expected a number"),
        ({"gw": "a/b"}, "gw: expected an identifier"),
        ({"prev": b"short"}, "prev: expected 32 bytes, got 5"),
        ({"points": ["m/run_state", "m/run_state"]}, "each point once"),
        ({"points": ["m", "m/run_state"]}, "expected an identifier"),
        ({"n": [4]}, "expected 2 counts"),
        ({"n": [2, 10**9]}, "expected 2 counts with a sum up to"),
        ({"n": [3, 2]}, "t: expected 20 bytes, got 16"),
        ({"t": b"x" * 16}, "expected an RFC 8746 array with tag 70"),
        ({"t": cbor.Tag(70, bytes(16))}, "rising instants"),
        ({"t0": T0 + 1, "t": cbor.Tag(70, b"\x01\0\0\0\x02\0\0\0" * 2)}, "t0: expected the first"),
        ({"x": cbor.Tag(86, b"\0\0\0\0\0\0\xf0\x7f" * 4)}, "expected finite values"),
        ({"x": cbor.Tag(86, b"\0\0\0\0\0\0\xf8\x7f" * 4)}, "expected finite values"),
        ({"q": cbor.Tag(64, b"\0\0\0\xff")}, "known quality codes"),
        ({"gaps": [{}]}, "missing \\['every'"),
        ({"gaps": 1}, "gaps: expected a list"),
        ({"clock": {"source": "ntp", "synced": 1, "offset_us": 0}}, "synced: expected bool"),
        ({"events": [{"t": 1, "kind": "x", "detail": {"a": [1]}}]}, "event detail"),
        ({"more": 1}, "missing \\[\\] and unknown \\['more'\\]"),
    ],
)
def test_the_zoo_of_bad_batches(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        codec.decode(damaged(**changes))


@pytest.mark.parametrize(
    "gap",
    [
        {"points": [], "from": 1, "to": 2, "every": 1, "reason": "x"},
        {"points": [1, 0], "from": 1, "to": 2, "every": 1, "reason": "x"},
        {"points": [2], "from": 1, "to": 2, "every": 1, "reason": "x"},
        {"points": [0], "from": 2, "to": 2, "every": 1, "reason": "x"},
        {"points": [0], "from": 1, "to": 2**52, "every": 1, "reason": "x"},
        {"points": [0], "from": 1, "to": 2, "every": 0, "reason": "x"},
        {"points": [0], "from": 1, "to": 2, "every": 1, "reason": ""},
    ],
)
def test_bad_gaps(gap: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="gap"):
        codec.decode(damaged(gaps=[gap]))


def test_a_span_beyond_32_bits_is_refused_when_writing() -> None:
    column = Column(array("q", [T0, T0 + 2**32]), array("d", [1.0, 2.0]), bytes(2))
    with pytest.raises(EncodingError, match="expected a span up to"):
        codec.encode(sample(points=("m/run_state",), columns=(column,), gaps=()))


def test_oversize_is_refused_before_decoding() -> None:
    with pytest.raises(EncodingError, match="at most"):
        codec.open_signed(bytes(codec.BATCH_BYTES_MAX + 1))


HEAD = ChainHead(2, 7, b"h" * 32)


@pytest.mark.parametrize(
    ("epoch", "seq", "prev"), [(2, 8, b"h" * 32), (3, 1, b"h" * 32)], ids=["next", "new epoch"]
)
def test_legal_successors(epoch: int, seq: int, prev: bytes) -> None:
    codec.check_successor(HEAD, sample(epoch=epoch, seq=seq, prev=prev))


@pytest.mark.parametrize(
    ("epoch", "seq", "error"),
    [
        (2, 7, SequenceRepeated),
        (2, 1, SequenceRepeated),
        (1, 99, SequenceRepeated),
        (2, 9, SequenceSkipped),
        (3, 2, SequenceSkipped),
        (4, 1, EpochInvalid),
    ],
)
def test_illegal_successors(epoch: int, seq: int, error: type[SequenceError]) -> None:
    with pytest.raises(error, match="gw1 epoch"):
        codec.check_successor(HEAD, sample(epoch=epoch, seq=seq, prev=HEAD.digest))


def test_first_batch() -> None:
    codec.check_successor(None, sample())
    with pytest.raises(ChainBroken, match="expected prev 0000"):
        codec.check_successor(None, sample(prev=b"x" * 32))
    with pytest.raises(SequenceSkipped):
        codec.check_successor(None, sample(seq=2))
    with pytest.raises(EpochInvalid):
        codec.check_successor(None, sample(epoch=2))


@pytest.mark.parametrize("place", [(2, 8), (3, 1)])
def test_a_broken_link_is_named(place: tuple[int, int]) -> None:
    with pytest.raises(ChainBroken, match="expected prev 6868"):
        codec.check_successor(HEAD, sample(epoch=place[0], seq=place[1], prev=b"x" * 32))


ACK = Ack("gw1", 1, 5, b"h" * 32, T0)


def test_ack_round_trip() -> None:
    assert open_ack(sign_ack(ACK, KEY), KEY.public) == ACK


def test_forged_ack_is_refused() -> None:
    forger = SigningKey.from_seed(bytes(32))
    with pytest.raises(SignatureInvalid):
        open_ack(sign_ack(ACK, forger), KEY.public)
    raw = sign_ack(ACK, KEY)
    for index in range(len(raw)):
        with pytest.raises((BadInput, SignatureInvalid)):
            open_ack(raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :], KEY.public)


@pytest.mark.parametrize(
    "body",
    [
        {"v": 2, "gw": "g", "epoch": 1, "seq": 1, "head": bytes(32), "t": 1},
        {"v": True, "gw": "g", "epoch": 1, "seq": 1, "head": bytes(32), "t": 1, "top": 0},
        {"v": 1, "gw": "g", "epoch": 1, "seq": -1, "head": bytes(32), "t": 1},
        {"v": 1, "gw": "g", "epoch": 1, "seq": 1, "head": bytes(31), "t": 1},
        {"v": 1, "gw": "", "epoch": 1, "seq": 1, "head": bytes(32), "t": 1},
        {"v": 1, "gw": "g", "epoch": 1, "seq": 1, "head": bytes(32)},
    ],
)
def test_bad_acks(body: dict[str, object]) -> None:
    raw = cose.sign1(cbor.dumps(body), KEY, "application/vnd.tanzheng.ack+cbor")
    with pytest.raises(BadInput):
        open_ack(raw, KEY.public)


def test_large_ack_is_refused() -> None:
    with pytest.raises(EncodingError, match="at most 1024"):
        open_ack(bytes(2000), KEY.public)
