"""A Sparkplug node as the source hears it: births, aliases, sequence, death, late joiners.

The encoder is the simulator's, which shares no code with the reader.
"""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.codec import PayloadRefused, Sample
from tanzheng.edge.drivers.mqtt.edge_node import HELD_MESSAGES_MAX, EdgeNode, Heard
from tanzheng.edge.drivers.mqtt.sparkplug import decode_message, encode_rebirth, number_of
from tanzheng.hardware.mqtt import sparkplug as sender

T_MS = 1_790_000_000_000
Values = dict[tuple[str, str], float | None]
BORN: Values = {("", "load"): 1.0, ("m1", "P"): 2.0, ("m1", "E"): 3.0}


def make_sender() -> sender.SparkplugNode:
    node = sender.SparkplugNode("g", "n", {"": ("load",), "m1": ("P", "E")})
    node.will()
    return node


def hear(node: EdgeNode, publication: sender.Publication) -> Heard:
    levels = publication[0].split("/")
    return node.take(levels[2], levels[4] if len(levels) == 5 else "", publication[1])


def values(heard: Heard) -> list[tuple[str, str, float | None]]:
    return [(device, s.name, s.value) for device, s in heard.samples
            if s.name not in ("bdSeq", sender.REBIRTH)]  # fmt: skip


def born() -> tuple[sender.SparkplugNode, EdgeNode]:
    there, node = make_sender(), EdgeNode()
    for publication in there.births(T_MS, BORN):
        hear(node, publication)
    return there, node


def test_births_give_values_and_the_names_of_aliases() -> None:
    there, node = make_sender(), EdgeNode()
    first, second = (values(hear(node, one)) for one in there.births(T_MS, BORN))
    assert first == [("", "load", 1.0)]
    assert second == [("m1", "P", 2.0), ("m1", "E", 3.0)]
    heard = hear(node, there.data("m1", T_MS + 1, {"E": 3.5}))
    assert heard.samples == [("m1", Sample("E", T_MS + 1, 3.5))]
    assert not heard.rebirth
    assert not node.counts


def test_quality_null_and_history() -> None:
    there, node = born()
    for quality, expected in (
        (192, Sample("P", T_MS, 5.0)),
        (0, Sample("P", T_MS, 5.0, Quality.FAULT)),
        (500, Sample("P", T_MS, None, Quality.FAULT, "stale")),
    ):
        assert hear(node, there.data("m1", T_MS, {"P": 5.0}, quality)).samples == [("m1", expected)]
    ((_, null),) = hear(node, there.data("m1", T_MS, {"P": None})).samples
    assert (null.value, null.reason) == (None, "not_available")
    ((_, old),) = hear(
        node, there.data("m1", T_MS - 86_400_000, {"P": 4.0}, historical=True)
    ).samples
    assert old == Sample("P", T_MS - 86_400_000, 4.0)


def test_the_sequence_wraps_and_a_gap_is_seen() -> None:
    there, node = born()
    for _ in range(300):
        assert not hear(node, there.data("m1", T_MS, {"P": 5.0})).rebirth
    there.data("m1", T_MS, {"P": 6.0})  # lost
    heard = hear(node, there.data("m1", T_MS, {"P": 7.0}))
    assert heard.rebirth
    assert values(heard) == [("m1", "P", 7.0)]
    assert node.counts == {"seq_gap": 1}
    assert not hear(node, there.data("m1", T_MS, {"P": 8.0})).rebirth


def test_after_a_death_nothing_is_known_until_the_next_birth() -> None:
    there, node = born()
    assert hear(node, there.device_death("m1", T_MS)).dead == "m1"
    heard = hear(node, there.data("m1", T_MS, {"P": 5.0}))
    assert (heard.samples, heard.rebirth) == ([], True)
    assert hear(node, there.death()).dead == ""
    assert not node.born
    assert node.counts["undecodable"] == 1, "held data of a dead session are given up"
    assert hear(node, there.data("", T_MS, {"load": 5.0})).samples == []


def test_an_old_will_does_not_kill_the_next_session() -> None:
    there, node = born()
    old = there.death()
    there.will()
    for publication in there.births(T_MS, BORN):
        hear(node, publication)
    assert hear(node, old).dead is None
    assert node.counts == {"old_death": 1}
    assert values(hear(node, there.data("m1", T_MS, {"P": 5.0}))) == [("m1", "P", 5.0)]
    assert hear(node, there.death()).dead == ""


def test_a_late_joiner_keeps_data_until_the_births() -> None:
    there, node = make_sender(), EdgeNode()
    there.births(T_MS, BORN)  # before we came
    for n in range(5):
        heard = hear(node, there.data("m1", T_MS + n, {"P": float(n)}))
        assert (heard.samples, heard.rebirth) == ([], True)
    own, device = there.births(T_MS + 9, BORN)
    assert values(hear(node, own)) == [("", "load", 1.0)]
    found = values(hear(node, device))
    assert found[:5] == [("m1", "P", float(n)) for n in range(5)]
    assert not node.counts["undecodable"]


def test_what_is_kept_is_bounded_and_the_rest_is_counted() -> None:
    there, node = make_sender(), EdgeNode()
    for n in range(HELD_MESSAGES_MAX + 7):
        hear(node, there.data("m1", T_MS + n, {"P": float(n)}))
    assert node.counts["undecodable"] == 7


def test_a_message_that_names_everything_needs_no_birth() -> None:
    node, metric = EdgeNode(), sender.Metric("P", 5.5, T_MS)
    heard = node.take("DDATA", "m1", sender.encode_message([metric], T_MS, 9))
    assert heard.samples == [("m1", Sample("P", T_MS, 5.5))]


def test_a_metric_without_time_takes_that_of_the_message_and_never_ours() -> None:
    node, metric = EdgeNode(), sender.Metric("P", 5.5)
    assert (
        node.take("NDATA", "", sender.encode_message([metric], T_MS, 1)).samples[0][1].t_ms == T_MS
    )
    assert node.take("NDATA", "", sender.encode_message([metric], None, 2)).samples == []
    assert node.counts == {"bad_time": 1}


def test_devices_that_number_their_aliases_each_from_one_are_told_apart() -> None:
    node = EdgeNode()
    for device, value in (("a", 1.0), ("b", 2.0)):
        metric = sender.Metric("P", value, T_MS, alias=1)
        node.take("DBIRTH", device, sender.encode_message([metric], T_MS))
    data = sender.encode_message([sender.Metric(None, 9.0, T_MS, alias=1)], T_MS)
    assert values(node.take("DDATA", "a", data)) == [("a", "P", 9.0)]


@pytest.mark.parametrize(
    ("datatype", "wire", "expected"),
    [
        (1, 0xFF, -1.0), (1, 0xFFFF_FFFF, -1.0), (2, 0x8000, -32768.0), (3, 0xFFFF_FFFE, -2.0),
        (4, -5, -5.0), (7, 0xFFFF_FFFF, 4294967295.0), (8, 2**64 - 1, float(2**64 - 1)),
        (11, 1, 1.0), (12, 1, None), (13, 1, None),
    ],
)  # fmt: skip
def test_integers_by_their_birth(datatype: int, wire: int, expected: float | None) -> None:
    raw = sender.encode_message([sender.Metric("x", wire, T_MS, datatype)])
    (metric,) = decode_message(raw).metrics
    assert number_of(metric, datatype) == expected


@given(st.floats())
def test_doubles_come_back_and_nothing_else_does(value: float) -> None:
    (metric,) = decode_message(sender.encode_message([sender.Metric("x", value, T_MS)])).metrics
    assert number_of(metric, 10) == (value if value - value == 0 else None)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1))
def test_integers_come_back(small: int, large: int) -> None:
    metrics = [
        sender.Metric("a", small, 1, sender.INT32),
        sender.Metric("b", large, 1, sender.INT64),
    ]
    first, second = decode_message(sender.encode_message(metrics)).metrics
    assert number_of(first, None) != small or small >= 0, "unsigned until its type is known"
    assert number_of(first, sender.INT32) == small
    assert number_of(second, sender.INT64) == float(large)


def test_the_rebirth_request_is_read_back_as_one() -> None:
    message = decode_message(encode_rebirth(T_MS))
    assert message.t_ms == T_MS
    (metric,) = message.metrics
    assert (metric.name, metric.datatype, metric.value) == (sender.REBIRTH, sender.BOOLEAN, 1.0)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"\x08", "the end of a number"), (b"\x08" + b"\xff" * 11, "the end of a number"),
        (b"\x12\x05ab", "expected 5 bytes"), (b"\x13", "wire type"), (b"\x00\x00", "field number"),
        (b"\x0a\x00", "expected a number"), (b"\x10\x00", "expected a message"),
        (b"\x12\x04\x0a\x02\xff\xfe", "UTF-8"), (b"\x18\x80\x02", "seq 0 to 255"),
        (b"\x12\x03\x68\x80\x01", "a float"), (b"\x12\x09\x15" + struct.pack("<d", 1), "expected"),
    ],
)  # fmt: skip
def test_what_is_no_payload(raw: bytes, what: str) -> None:
    with pytest.raises(PayloadRefused, match=what):
        decode_message(raw)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(PayloadRefused):
        decode_message(raw)


@given(st.data())
def test_a_damaged_birth_is_read_or_refused(data: st.DataObject) -> None:
    there, node = make_sender(), EdgeNode()
    raw = bytearray(there.births(T_MS, BORN)[1][1])
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(PayloadRefused):
        node.take("DBIRTH", "m1", bytes(raw[: data.draw(st.integers(0, len(raw)))]))
