"""What is read out of payloads: the usual shapes, their traps, and anything whatever."""

import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import fuzz_mqtt_source
from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.codec import Body, PayloadRefused, Sample, json_depth
from tanzheng.edge.drivers.mqtt.hj212_text import Hj212Shape, hj212_samples
from tanzheng.edge.drivers.mqtt.json_path import ABSENT, look_up, parse_path
from tanzheng.edge.drivers.mqtt.json_payload import JsonShape, json_samples
from tanzheng.edge.drivers.mqtt.neuron import neuron_samples
from tanzheng.edge.drivers.mqtt.scalar import parse_scalar
from tanzheng.edge.drivers.mqtt.timestamps import parse_time
from tanzheng.edge.drivers.mqtt.topics import TopicFilter
from tanzheng.hardware.mqtt import codec as senders

T_MS = 1_790_000_000_123


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("231.4", 231.4, ""), ("-5", -5.0, ""), (" .5 ", 0.5, ""), ("1e3", 1000.0, ""),
        ("ON", 1.0, ""), ("off", 0.0, ""), ("true", 1.0, ""), ("False", 0.0, ""),
        ("12.5 kW", 12.5, "kW"), ("12.5kWh", 12.5, "kWh"), ("21.0 °C", 21.0, "°C"),
        ("3 m³/h", 3.0, "m³/h"), ("3 m3/h", 3.0, "m3/h"), ("7%", 7.0, "%"),
        ("", None, ""), ("nan", None, ""), ("-Infinity", None, ""), ("null", None, ""),
        ("1e999", None, ""), ("unavailable", None, ""),
    ],
)  # fmt: skip
def test_scalars(text: str, value: float | None, unit: str) -> None:
    assert parse_scalar(text) == (value, unit)


@pytest.mark.parametrize(
    "text",
    ["1,234", "1 234", "12.5 kW x", "1.2.3", "0x10", "twelve", "٣", "1" * 65, "1_000", "5,2 kW"],
)
def test_what_is_no_scalar(text: str) -> None:
    with pytest.raises(PayloadRefused, match="expected a number"):
        parse_scalar(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back(value: float) -> None:
    assert parse_scalar(repr(value)) == (value, "")
    assert parse_scalar(f"{value!r} kW") == (value, "kW")


@pytest.mark.parametrize(
    ("raw", "form", "expected"),
    [
        (1_790_000_000, "unix_s", 1_790_000_000_000),
        (1_790_000_000.123, "unix_s", T_MS),
        ("1790000000.123", "unix_s", T_MS),
        (T_MS, "unix_ms", T_MS),
        (T_MS * 1000 + 499, "unix_us", T_MS),
        ("2026-09-21T14:13:20.123Z", "iso8601", T_MS),
        ("2026-09-21 16:13:20.123456+02:00", "iso8601", T_MS),
        ("2026-09-21T22:13:20,123", "iso8601", T_MS),
        ("2026-09-21T22:13:20.123+0800", "iso8601", T_MS),
        ("20260921221320", "compact", T_MS - 123),
        ("20260921221320123", "compact", T_MS),
        (20260921221320, "compact", T_MS - 123),
    ],
)
def test_times(raw: Any, form: str, expected: int) -> None:
    """Zone-less ones are at +08:00."""
    assert parse_time(raw, form, 480) == expected


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (1_790_000_000, "unix_ms"), (T_MS, "unix_s"), (True, "unix_s"), (None, "unix_ms"),
        ("soon", "unix_s"), (float("nan"), "unix_s"), (10**400, "unix_s"), ([], "unix_ms"),
        ("2026-02-30T00:00:00Z", "iso8601"), ("2026-09-21", "iso8601"),
        ("1999-12-31T00:00Z", "iso8601"),
        ("2026-09-21T22:13:20+99:00", "iso8601"), ("20261301000000", "compact"),
        ("2026", "compact"),
    ],
)  # fmt: skip
def test_what_is_no_time(raw: Any, form: str) -> None:
    """Seconds read as milliseconds are 1970, milliseconds as seconds are the year 58 000."""
    with pytest.raises(PayloadRefused, match="expected a time as"):
        parse_time(raw, form, 480)


DOCUMENT = {
    "values": {"P": 5, "a.b": 6, "em:0": {"act": 7}},
    "list": [[1, 2], [3, 4]],
    "devices": [{"id": "m0", "p": 1}, {"id": "m1", "p": 2}, {"id": 3, "p": 4}, 5],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("values.P", 5), ("$.values.P", 5), ('values["a.b"]', 6), ("values['a.b']", 6),
        ("values.em:0.act", 7), ("list[1][0]", 3), ("list[-1][-1]", 4), ("devices[1].p", 2),
        ("devices[?id=m1].p", 2), ("devices[?(@.id=='m1')].p", 2), ("devices[?id=3].p", 4),
        ("", DOCUMENT), ("values.Q", ABSENT), ("list[2]", ABSENT), ("devices[?id=m9].p", ABSENT),
        ("values[0]", ABSENT), ("list.P", ABSENT), ("values.P.x", ABSENT),
        ("devices[?x=1]", ABSENT),
    ],
)  # fmt: skip
def test_paths(path: str, expected: Any) -> None:
    assert look_up(DOCUMENT, parse_path(path)) == expected


@pytest.mark.parametrize("path", ["a..b", "a[", "a[]", "a]", "[?x]", ".".join("a" * 40)])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(BadInput, match="expected a JSON path"):
        parse_path(path)


@given(st.text(max_size=80))
def test_a_path_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(BadInput):
        look_up(DOCUMENT, parse_path(text))


def read(payload: bytes, shape: JsonShape, *paths: str) -> list[Sample]:
    return json_samples(Body(payload).json, {path: parse_path(path) for path in paths}, shape)


def test_tasmota_writes_local_time_without_its_zone() -> None:
    _, payload = senders.tasmota("plug", T_MS, {"Total": 1.956, "Power": 9}, 480)
    shape = JsonShape(parse_path("Time"), "iso8601", 480)
    assert read(payload, shape, "ENERGY.Power", "ENERGY.Total", "ENERGY.Voltage") == [
        Sample("ENERGY.Power", T_MS - 123, 9.0),
        Sample("ENERGY.Total", T_MS - 123, 1.956),
    ]


def test_shelly_leaves_out_what_did_not_change() -> None:
    _, payload = senders.shelly_gen2("em", T_MS, {"total_act_power": 500.5})
    shape = JsonShape(parse_path("params.ts"), "unix_s")
    found = read(payload, shape, "params.em:0.total_act_power", "params.em:0.n_current")
    assert found == [Sample("params.em:0.total_act_power", T_MS, 500.5)]


def test_thingsboard_sends_several_records_at_once() -> None:
    _, payload = senders.thingsboard("Dev A", {T_MS: {"P": 1}, T_MS + 1: {"P": 2}})
    shape = JsonShape(parse_path("ts"), records=parse_path('["Dev A"]'))
    assert read(payload, shape, "values.P") == [
        Sample("values.P", T_MS, 1.0),
        Sample("values.P", T_MS + 1, 2.0),
    ]


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("null", None, "not_available"), ('""', None, "not_available"),
        ("NaN", None, "not_available"), ("1e999", None, "not_available"),
        ('"12.5 kW"', 12.5, "not_available"), ("true", 1.0, "not_available"),
        ('"1,234"', None, "not_a_number"), ("[1]", None, "not_a_number"),
        ("9" * 400, None, "not_available"),
    ],
)  # fmt: skip
def test_values_in_json(text: str, value: float | None, reason: str) -> None:
    (sample,) = read(b'{"v":' + text.encode() + b"}", JsonShape(), "v")
    assert (sample.value, sample.reason) == (value, reason)


@pytest.mark.parametrize(
    ("mark", "quality"),
    [('"ok"', Quality.GOOD), ("192", Quality.GOOD), ("true", Quality.GOOD),
     ('"M"', Quality.MAINTENANCE),
     ('"?"', Quality.FAULT), ("null", Quality.FAULT), ("{}", Quality.FAULT)],
)  # fmt: skip
def test_a_mark_that_nobody_explained_is_a_fault(mark: str, quality: Quality) -> None:
    good = dict.fromkeys(("ok", "192", "true"), Quality.GOOD)
    shape = JsonShape(quality=parse_path("q"), qualities={**good, "M": Quality.MAINTENANCE})
    (sample,) = read(b'{"v":1,"q":' + mark.encode() + b"}", shape, "v")
    assert sample.quality == quality
    (sample,) = read(b'{"v":1}', shape, "v")
    assert sample.quality == Quality.FAULT


def test_a_time_that_was_promised_must_be_there() -> None:
    shape = JsonShape(parse_path("t"))
    with pytest.raises(PayloadRefused, match="expected a time stamp, got none") as caught:
        read(b'{"v":1}', shape, "v")
    assert caught.value.reason == "no_time"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[" * 100_000, "json_too_deep"), (b'{"a":' * 5000, "json_too_deep"),
        (b"[" * 33 + b"]" * 33, "json_too_deep"), (b"[" * 30 + b"]" * 30, ""),
        (b'"' + b"[" * 100 + b'"', ""), (b'"\\"' + b"[" * 100 + b'"', ""),
        (b"{", "not_json"), (b"", "not_json"), (b"\xff", "not_text"), (b"[1,]", "not_json"),
    ],
)  # fmt: skip
def test_json_that_is_none_or_too_deep(payload: bytes, reason: str) -> None:
    if not reason:
        assert Body(payload).json is not None
        return
    for _ in range(2):
        with pytest.raises(PayloadRefused) as caught:
            _ = Body(payload).json
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    "payload",
    [
        b'"' + b'\\"' * 120_000,
        b"[" * 40 + b'"\\' * 120_000,
        b"9" * 250_000,
        b"[" * 40 + b'"' * 200_001,
    ],
)
def test_the_work_is_linear_in_the_payload(payload: bytes) -> None:
    begin = time.perf_counter()
    json_depth(payload)
    with contextlib.suppress(PayloadRefused):
        _ = Body(payload).json
    assert time.perf_counter() - begin < 0.5


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
)


@given(JSON)
def test_depth_is_never_under_estimated_where_it_matters(document: Any) -> None:
    raw = json.dumps([[document]] * 40).encode()
    assert json_depth(raw) == depth_of(json.loads(raw))


def depth_of(item: Any) -> int:
    inner: Sequence[Any] = list(item.values()) if isinstance(item, dict) else item
    return 1 + max(map(depth_of, inner), default=0) if isinstance(item, dict | list) else 0


@pytest.mark.parametrize("make", [senders.neuron_values, senders.neuron_tags])
def test_neuron_in_both_formats(make: Any) -> None:
    _, payload = make("m1", "fast", T_MS, {"P": 1.5, "E": 2}, {"Q": 3002})
    assert neuron_samples(json.loads(payload)) == [
        Sample("P", T_MS, 1.5),
        Sample("E", T_MS, 2.0),
        Sample("Q", T_MS, None, reason="tag_error"),
    ]


FRAME = (
    b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&RtdInterval=30&&1C80"
)


def hj212_frame(content: str, cn: str = "2011") -> bytes:
    from tanzheng.hardware.hj212.codec import crc_text

    text = f"QN=20260921221320123;ST=31;CN={cn};PW=123456;MN=88888880000001;Flag=4;CP=&&{content}&&"
    return b"##%04d" % len(text) + text.encode() + crc_text(text.encode()) + b"\r\n"


SHAPE = Hj212Shape("2011", None, 480)


def test_hj212_text_in_a_payload() -> None:
    content = (
        "DataTime=20260921221320;a21026-Rtd=1.5,a21026-Flag=N;"
        "a05001-Rtd=8,a05001-Flag=C;a19001-Rtd=-999"
    )
    raw = hj212_frame(content)
    expected = [
        Sample("a21026-Rtd", T_MS - 123, 1.5),
        Sample("a05001-Rtd", T_MS - 123, 8.0, Quality.CALIBRATION),
        Sample("a19001-Rtd", T_MS - 123, None),
    ]
    assert hj212_samples(raw, SHAPE) == expected
    assert hj212_samples(raw.rstrip(), SHAPE) == expected
    assert hj212_samples(raw + hj212_frame(content, cn="2051"), SHAPE) == expected
    with pytest.raises(PayloadRefused, match="check sum"):
        hj212_samples(raw.replace(b"=8,", b"=9,"), SHAPE)
    with pytest.raises(PayloadRefused, match="got none"):
        hj212_samples(b"hello", SHAPE)
    assert hj212_samples(FRAME, SHAPE) == []


@pytest.mark.parametrize(
    ("text", "topic", "captured"),
    [
        ("a/b", "a/b", ""), ("a/+/b", "a/x/b", ""), ("a/#", "a/b/c", ""), ("a/#", "a", ""),
        ("s/{device}/p", "s/m1/p", "m1"), ("+/{device}", "x/y", "y"), ("a/b", "a/b/c", None),
        ("a/+", "a", None), ("#", "$SYS/x", None), ("{device}/a", "$SYS/a", None),
        ("/n/+", "/n/x", ""),
    ],
)  # fmt: skip
def test_topics(text: str, topic: str, captured: str | None) -> None:
    assert TopicFilter.parse(text).match(topic.split("/")) == captured


@pytest.mark.parametrize(
    "text", ["", "a/#/b", "a+/b", "x{device}/a", "{device}/{device}", "a#", "a\0"]
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(BadInput, match="expected a topic filter"):
        TopicFilter.parse(text)


@settings(max_examples=400)
@given(st.binary(max_size=200), st.integers(0, 255))
def test_any_bytes_on_any_topic(payload: bytes, head: int) -> None:
    fuzz_mqtt_source.TestOneInput(bytes([head]) + payload)


KEYS = st.sampled_from(["v", "d", "r", "t", "values", "tags", "errors"])


@settings(max_examples=300)
@given(JSON, st.sampled_from(["j", "i", "n"]), KEYS, st.booleans())
def test_any_json_on_the_topics_of_json(document: Any, topic: str, key: str, timed: bool) -> None:
    whole = {key: document, "t" if topic != "n" else "timestamp": T_MS if timed else document}
    whole["r"] = [whole.copy(), document]
    fuzz_mqtt_source.TestOneInput(
        bytes([fuzz_mqtt_source.TOPICS.index(topic)]) + json.dumps(whole).encode()
    )
