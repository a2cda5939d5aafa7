"""Messages that must not get in, each named by its flaw, with the reason it must be given."""

import struct
from array import array
from collections.abc import Callable

import zstandard

from ingest.boxes import INTERVAL_MS, NOW_MS, Box, message, wire
from tanzheng.core import cbor, cose
from tanzheng.core.batch import BATCH_BYTES_MAX, CONTENT_TYPE, Column, Event, Gap, encode, sign
from tanzheng.core.keys import SigningKey
from tanzheng.core.topics import batch_topic
from tanzheng.ingest.decide import AHEAD_MS_MAX, Message, Reason

Flawed = Callable[[Box], Message]


def flipped_bit(box: Box) -> Message:
    """One bit of a value: the form is right, the signature is not."""
    raw = bytearray(box.next().raw)
    raw[len(raw) // 2] ^= 1
    return message(bytes(raw))


def wrong_signer(box: Box) -> Message:
    return message(sign(box.batch(), SigningKey.generate()))


def wrong_signer_with_the_right_key_id(box: Box) -> Message:
    raw = sign(box.batch(), box.key).raw
    tag = cbor.loads(raw, "batch")
    forged = [*tag.value[:3], SigningKey.generate().sign(raw)]
    return message(cbor.dumps(cbor.Tag(tag.tag, forged)))


def garbage(box: Box) -> Message:
    return Message(batch_topic("gw1"), b"\x00garbage" * 9, NOW_MS)


def empty(box: Box) -> Message:
    return Message(batch_topic("gw1"), b"", NOW_MS)


def truncated_frame(box: Box) -> Message:
    return Message(batch_topic("gw1"), wire(box.next())[:-7], NOW_MS)


def trailing_bytes(box: Box) -> Message:
    return Message(batch_topic("gw1"), wire(box.next()) + b"\0", NOW_MS)


def frame_without_size(box: Box) -> Message:
    stream = zstandard.ZstdCompressor().compressobj()
    return Message(batch_topic("gw1"), stream.compress(box.next().raw) + stream.flush(), NOW_MS)


def bomb(box: Box) -> Message:
    """A few KB that would unpack to more than a batch may have."""
    return Message(batch_topic("gw1"), zstandard.compress(bytes(BATCH_BYTES_MAX + 1)), NOW_MS)


def signed_garbage(box: Box) -> Message:
    return message(cose.sign1(b"garbage", box.key, CONTENT_TYPE))


def other_content_type(box: Box) -> Message:
    return message(cose.sign1(b"\xa0", box.key, "application/other"))


def unknown_gateway(box: Box) -> Message:
    return message(box.next(), gw="gw9")


def unknown_topic(box: Box) -> Message:
    return Message("tanzheng/v1/gw1/else", wire(box.next()), NOW_MS)


def batch_of_another_gateway(box: Box) -> Message:
    return message(box.next(gw="gw2"))


def unknown_point(box: Box) -> Message:
    return message(box.next(points=(*box.points[:-1], "meter/gas_volume_nm3")))


def reading_of_the_future(box: Box) -> Message:
    late = NOW_MS + AHEAD_MS_MAX + 1
    column = Column(array("q", [late]), array("d", [1.0]), b"\0")
    return message(box.next(columns=(column,) * 3))


def gap_of_the_future(box: Box) -> Message:
    late = NOW_MS + AHEAD_MS_MAX + INTERVAL_MS
    return message(box.next(gaps=(Gap((0,), NOW_MS, late + 1, INTERVAL_MS, "agent_down"),)))


def event_of_the_future(box: Box) -> Message:
    return message(box.next(events=(Event(NOW_MS + AHEAD_MS_MAX + 1, "config_changed", {}),)))


def not_a_number(box: Box) -> Message:
    """Signed past `batch.sign`, which refuses it: the bytes of a reading changed before."""
    batch = box.batch()
    value, nan = (struct.pack("<d", x) for x in (batch.columns[0].value[0], float("nan")))
    payload = encode(batch)
    assert payload.count(value) == 1
    return message(cose.sign1(payload.replace(value, nan), box.key, CONTENT_TYPE))


def first_sequence_two(box: Box) -> Message:
    return message(box.next(seq=2))


def broken_chain(box: Box) -> Message:
    return message(box.next(prev=bytes(31) + b"\1"))


def epoch_from_nowhere(box: Box) -> Message:
    return message(box.next(epoch=2, seq=1))


ZOO: dict[Flawed, Reason] = {
    flipped_bit: Reason.SIGNATURE,
    wrong_signer: Reason.SIGNATURE,
    wrong_signer_with_the_right_key_id: Reason.SIGNATURE,
    garbage: Reason.ZSTD,
    empty: Reason.ZSTD,
    truncated_frame: Reason.ZSTD,
    trailing_bytes: Reason.ZSTD,
    frame_without_size: Reason.ZSTD,
    bomb: Reason.OVERSIZE,
    signed_garbage: Reason.ENCODING,
    other_content_type: Reason.ENCODING,
    not_a_number: Reason.ENCODING,
    unknown_gateway: Reason.GATEWAY,
    unknown_topic: Reason.TOPIC,
    batch_of_another_gateway: Reason.TOPIC_MISMATCH,
    unknown_point: Reason.POINT,
    reading_of_the_future: Reason.FUTURE,
    gap_of_the_future: Reason.FUTURE,
    event_of_the_future: Reason.FUTURE,
    first_sequence_two: Reason.SKIPPED,
    broken_chain: Reason.CHAIN,
    epoch_from_nowhere: Reason.EPOCH,
}
