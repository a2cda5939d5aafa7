"""The source against a real broker: what is published is committed once, whatever goes away."""

import asyncio
import contextlib
import time
from collections import Counter
from functools import partial
from typing import Any

import pytest

from edge.mqtt_world import (
    INTERVAL_MS,
    TIMED,
    Plant,
    message,
    misses,
    now_ms,
    profile,
    publishing,
    until,
)
from edge.plant_broker import PlantBroker, plant_broker
from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.edge_node import STALE
from tanzheng.hardware.mqtt.simulator import Publisher
from tanzheng.hardware.mqtt.sparkplug import SparkplugNode

__all__ = ["plant_broker"]


async def test_values_come_with_their_own_time_scaled(plant_broker: PlantBroker) -> None:
    plant, t_ms = Plant(), now_ms() - 5000
    line = plant.line(
        plant_broker.url, {**TIMED, "topic": "m/{device}"}, {**TIMED, "topic": "m/{device}"}
    )
    async with plant.running(line), publishing(plant_broker) as meter:
        meter.publish("m/m1", message(t_ms, P=1500, E=7.25))
        meter.publish("m/stranger", message(t_ms, P=1, E=1))
        meter.publish("m/m0", message(t_ms + 1, P=None, E=""))
        await until(lambda: line.status()["counts"].get("no_value") == 2, "three messages")
        status = line.status()
    assert plant.values == [(2, t_ms, 1.5), (3, t_ms, 7.25)]
    assert status["counts"]["unwanted"] == 1
    assert status["version"] == "5.0"
    assert misses(line, now_ms())["not_available"] == (0, 1)


async def test_bare_values_are_stamped_on_arrival_and_retained_ones_never(
    plant_broker: PlantBroker,
) -> None:
    plant = Plant()
    shape = profile(topic_p="shellies/{device}/power", topic_e="shellies/{device}/energy")
    async with publishing(plant_broker) as meter:
        meter.publish("shellies/plug/power", b"1000", retain=True)
        line = plant.line(plant_broker.url, {"format": "scalar", "device": "plug"}, shape=shape)
        async with plant.running(line):
            await until(lambda: line.status()["counts"].get("retained") == 1, "the retained one")
            assert plant.values == []
            begin = now_ms()
            meter.publish("shellies/plug/power", b"231.5 W", retain=True)
            await until(lambda: plant.values, "a value")
            ((point, t_ms, value),) = plant.values
            assert (point, value) == (0, 0.2315)
            assert begin <= t_ms <= now_ms()


async def test_a_retained_message_with_its_own_time_counts_once(plant_broker: PlantBroker) -> None:
    plant, t_ms = Plant(), now_ms() - 3_600_000
    line = plant.line(plant_broker.url, {**TIMED, "topic": "m"})
    async with publishing(plant_broker) as meter:
        meter.publish("m", message(t_ms, P=1), retain=True)
        async with plant.running(line):
            await until(lambda: plant.values, "the retained one")
        assert misses(line, now_ms()) == {STALE: (0, 1)}, "an old value is no new one"
        async with plant.running(line):
            await until(lambda: line.status()["counts"].get("duplicate") == 1, "it again")
    assert plant.values == [(0, t_ms, 0.001)]


async def test_bare_values_do_not_wait_in_the_broker(plant_broker: PlantBroker) -> None:
    """An hour later they would come as new ones."""
    plant, link = Plant(), {"format": "scalar", "topic": "m"}
    line = plant.line(plant_broker.url, link)
    async with publishing(plant_broker) as meter:
        async with plant.running(line):
            pass
        meter.publish("m", b"1")
        async with plant.running(line):
            meter.publish("m", b"2")
            await until(lambda: len(plant.values) >= 2, "the new one")
    assert {value for _, _, value in plant.values} == {2.0, 0.002}


async def test_what_was_published_while_the_agent_was_away_arrives(
    plant_broker: PlantBroker,
) -> None:
    plant, t_ms, link = Plant(), now_ms() - 500_000, {**TIMED, "topic": "m"}
    async with publishing(plant_broker) as meter:
        async with plant.running(plant.line(plant_broker.url, link)):
            meter.publish("m", message(t_ms, P=0))
            await until(lambda: plant.values, "the first")
        for n in range(1, 500):
            meter.publish_soon("m", message(t_ms + n, P=n))
        meter.publish("m", message(t_ms + 500, P=500))
        async with plant.running(plant.line(plant_broker.url, link)):
            await until(lambda: len(plant.values) >= 501, "the others")
            await asyncio.sleep(0.2)
    assert sorted(t for _, t, _ in plant.values) == [t_ms + n for n in range(501)]


async def test_an_agent_that_dies_before_it_is_durable_gets_it_again(
    plant_broker: PlantBroker,
) -> None:
    dying, plant, t_ms, link = Plant(refuse=True), Plant(), now_ms(), {**TIMED, "topic": "m"}
    line = dying.line(plant_broker.url, link)
    async with dying.running(line), publishing(plant_broker) as meter:
        for n in range(50):
            meter.publish("m", message(t_ms + n, P=n))
        await until(lambda: line.status()["counts"].get("commit_failed"), "a try")
    assert dying.values == []
    async with plant.running(plant.line(plant_broker.url, link)):
        await until(lambda: len(plant.values) >= 50, "all of them")
    assert sorted(t for _, t, _ in plant.values) == [t_ms + n for n in range(50)]


async def test_a_new_topic_is_subscribed_in_the_old_session(plant_broker: PlantBroker) -> None:
    plant, t_ms = Plant(), now_ms()
    async with plant.running(plant.line(plant_broker.url, {**TIMED, "topic": "a"})):
        pass
    line = plant.line(plant_broker.url, {**TIMED, "topic": "b"})
    async with plant.running(line), publishing(plant_broker) as meter:
        meter.publish("a", message(t_ms, P=1))
        meter.publish("b", message(t_ms, P=2))
        await until(lambda: plant.values, "the new topic")
        assert line.status()["counts"]["unwanted"] == 1
    assert plant.values == [(0, t_ms, 0.002)]


async def test_a_broker_restart_loses_nothing(plant_broker: PlantBroker) -> None:
    plant, t_ms = Plant(), now_ms()
    line = plant.line(plant_broker.url, {**TIMED, "topic": "m"})
    async with plant.running(line):
        async with publishing(plant_broker) as meter:
            meter.publish("m", message(t_ms, P=0))
        await until(lambda: plant.values, "the first")
        plant.refuse = True  # the agent's disk is full: nothing is confirmed
        async with publishing(plant_broker) as meter:
            for n in range(1, 200):
                meter.publish("m", message(t_ms + n, P=n))
        await until(lambda: not line.status()["connected"], "the source to leave")
        assert "the disk is full" in line.status()["last_error"]
        await asyncio.to_thread(plant_broker.stop)
        plant.refuse = False
        await asyncio.to_thread(plant_broker.start)
        await until(lambda: line.status()["connected"], "a connection")
        async with publishing(plant_broker) as meter:
            meter.publish("m", message(t_ms + 200, P=200))
        await until(lambda: len(plant.values) >= 201, "all of them")
        await asyncio.sleep(0.1)
    assert sorted(t for _, t, _ in plant.values) == [t_ms + n for n in range(201)]


async def test_a_frozen_broker_is_left_and_found_again(plant_broker: PlantBroker) -> None:
    plant, t_ms = Plant(), now_ms()
    line = plant.line(plant_broker.url, {**TIMED, "topic": "m"})
    async with plant.running(line):
        plant_broker.pause()
        begin = time.monotonic()
        await until(lambda: not line.status()["connected"], "silence to be noticed")
        assert time.monotonic() - begin < 8
        plant_broker.resume()
        await until(lambda: line.status()["connected"], "a connection")
        async with publishing(plant_broker) as meter:
            meter.publish("m", message(t_ms, P=5))
        await until(lambda: plant.values, "a value")


async def test_ten_thousand_messages_are_counted_once(plant_broker: PlantBroker) -> None:
    """Connections are cut in the midst: what was not confirmed comes again, what was does not."""
    plant, t_ms, count = Plant(), now_ms() - 10_000_000, 10_000
    line = plant.line(plant_broker.url, {**TIMED, "topic": "m/#"})
    async with plant.running(line), publishing(plant_broker) as meter:
        for n in range(count):
            meter.publish_soon(f"m/{n % 7}", message(t_ms + n, P=n))
        for cut in (2000, 5000, 8000):
            await until(partial(plant.has, cut), f"{cut} values")
            assert line._link is not None
            line._link.close()
        await until(lambda: len(plant.values) >= count, "all of them", 40)
        await asyncio.sleep(0.2)
        counts = line.status()["counts"]
    assert Counter(t for _, t, _ in plant.values) == Counter(t_ms + n for n in range(count))
    assert counts["messages"] == count + counts.get("repeated", 0) + counts.get("duplicate", 0)


async def test_a_flood_is_survived_and_counted(plant_broker: PlantBroker) -> None:
    plant, count = Plant(), 12_000
    line = plant.line(
        plant_broker.url, {"format": "scalar", "topic": "flood"}, {**TIMED, "topic": "m"}
    )
    async with plant.running(line), publishing(plant_broker) as meter:
        for _ in range(count):
            meter.publish_soon("flood", b"x" * 1000, qos=0)
        meter.publish("m", message(now_ms(), P=5))
        await until(lambda: plant.values, "the one good value")
        status = line.status()
    counts = status["counts"]
    assert counts["not_a_number"] + status["queued"] + 1 == counts["messages"]
    assert [e.detail["reason"] for e in plant.events if e.kind == "payload_refused"] == [
        "not_a_number"
    ]


async def test_a_full_queue_is_not_read_into(
    plant_broker: PlantBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tanzheng.edge.drivers.mqtt.driver.QUEUE_MESSAGES_MAX", 50)
    monkeypatch.setattr("tanzheng.edge.drivers.mqtt.driver.CHUNK_MESSAGES", 10)
    plant, t_ms, count, link = Plant(), now_ms() - 10_000, 600, {**TIMED, "topic": "m"}
    async with plant.running(plant.line(plant_broker.url, link)):
        pass
    async with publishing(plant_broker) as meter:
        for n in range(count):
            meter.publish_soon("m", message(t_ms + n, P=n))
        meter.publish("m", message(t_ms + count, P=count))
    line, plant.disk_s = plant.line(plant_broker.url, link), 0.02
    async with plant.running(line):
        while not plant.has(count):
            assert line.status()["queued"] <= 50
            await asyncio.sleep(0.001)
        assert line.status()["counts"]["paused"] > 0
    assert sorted(t for _, t, _ in plant.values) == [t_ms + n for n in range(count + 1)]


async def test_malformed_payloads_are_counted_and_confirmed(plant_broker: PlantBroker) -> None:
    plant = Plant()
    line = plant.line(plant_broker.url, {**TIMED, "topic": "m"}, {"format": "neuron", "topic": "n"})
    bad = [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"P":1}', b'{"ts":5,"P":1}', b"x" * 300_000]
    async with plant.running(line), publishing(plant_broker) as meter:
        for payload in bad:
            meter.publish("m", payload)
        meter.publish("n", b"[]")
        meter.publish("m", message(now_ms(), P=1))
        await until(lambda: plant.values, "the good one")
        status = line.status()
        async with plant.running(plant.line(plant_broker.url, {**TIMED, "topic": "m"})) as again:
            await asyncio.sleep(0.3)
            assert not again.status()["counts"], "nothing comes again"
    assert status["counts"] == {
        "messages": 9, "not_json": 2, "not_text": 1, "json_too_deep": 1, "no_time": 1,
        "bad_time": 1, "too_large": 1, "not_neuron": 1, "values": 1,
    }  # fmt: skip
    assert status["devices"]["m0"]["last_refusal"] == "bad_time"


async def test_a_silent_meter_is_stale_and_never_repeated(plant_broker: PlantBroker) -> None:
    plant, t_ms = Plant(), now_ms() // INTERVAL_MS * INTERVAL_MS
    line = plant.line(plant_broker.url, {**TIMED, "topic": "m", "stale_after": 3})
    assert misses(line, t_ms) == {STALE: (0, 1)}
    async with plant.running(line), publishing(plant_broker) as meter:
        meter.publish("m", message(t_ms, P=1))
        await until(lambda: plant.values, "a value")
        assert line.due(t_ms) == (0, 1)
        assert misses(line, t_ms + 2 * INTERVAL_MS) == {STALE: (1,)}
        assert misses(line, t_ms + 3 * INTERVAL_MS) == {STALE: (0, 1)}
        meter.publish("m", message(t_ms - 60_000, P=2))
        await until(lambda: len(plant.values) == 2, "an old one")
        assert misses(line, t_ms + 3 * INTERVAL_MS) == {}, "a slot is told once"
        assert misses(line, t_ms + 4 * INTERVAL_MS) == {STALE: (0, 1)}


async def test_a_clock_ahead_is_marked_and_keeps_nothing_fresh(plant_broker: PlantBroker) -> None:
    plant, ahead_ms = Plant(), now_ms() + 3_600_000
    line = plant.line(plant_broker.url, {**TIMED, "topic": "m"})
    async with plant.running(line), publishing(plant_broker) as meter:
        meter.publish("m", message(ahead_ms, P=1))
        await until(lambda: plant.values, "a value")
    assert list(plant.takes[0].quality) == [Quality.UNCERTAIN_CLOCK]
    assert misses(line, now_ms() + 5000) == {STALE: (0, 1)}


@pytest.mark.parametrize("rebirth", [False, True])
async def test_sparkplug_from_birth_to_death(plant_broker: PlantBroker, rebirth: bool) -> None:
    plant, t_ms = Plant(), now_ms()
    topic = "spBv1.0/g/edge/{device}"
    line = plant.line(
        plant_broker.url,
        {"format": "sparkplug", "topic": topic, "device": "d1", "rebirth": rebirth},
    )
    node = SparkplugNode("g", "edge", {"d1": ("P", "E")})
    async with plant.running(line):
        meter = await asyncio.to_thread(Publisher, plant_broker.url, "edge", node.will())
        node.births(t_ms, {})  # nobody heard them
        meter.publish(*node.data("d1", t_ms, {"P": 1500.0}))
        if rebirth:
            await until(
                lambda: [e for e in plant.events if e.kind == "sparkplug_rebirth"], "a request"
            )
        else:
            await until(lambda: line.status()["counts"].get("messages"), "a message")
        for publication in node.births(t_ms + 1, {("d1", "P"): 2000.0, ("d1", "E"): 5.0}):
            meter.publish(*publication)
        await until(lambda: len(plant.values) == 3, "what was kept, and the birth")
        assert misses(line, t_ms + 1000) == {}
        meter.vanish()
        await until(lambda: misses(line, t_ms + 1000) == {STALE: (0, 1)}, "the death")
    assert sorted(plant.values) == [(0, t_ms, 1.5), (0, t_ms + 1, 2.0), (1, t_ms + 1, 5.0)]
    assert line.status()["births_known"] == {"g/edge": False}


async def test_a_broker_that_knows_only_3_1_1(plant_broker: PlantBroker) -> None:
    """A door before the broker that refuses CONNECT of level 5, as mosquitto 1.4 does."""

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(9)
        if first[8] == 5:
            writer.write(b"\x20\x02\x00\x01")
            await leave(writer)
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", plant_broker.port)
        inner_writer.write(first)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    plant, server = Plant(), await asyncio.start_server(door, "127.0.0.1", 0)
    url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    line = plant.line(url, {**TIMED, "topic": "m"})
    async with plant.running(line), publishing(plant_broker) as meter:
        meter.publish("m", message(now_ms(), P=1))
        await until(lambda: plant.values, "a value")
        assert line.status()["version"] == "3.1.1"
    server.close()
    await asyncio.sleep(0.1)


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    await leave(writer)


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_a_broker_that_speaks_nonsense_is_tried_again() -> None:
    tries = 0

    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.write(b"\x20\x7f" + bytes(range(256)))
        await leave(writer)

    plant, server = Plant(), await asyncio.start_server(nonsense, "127.0.0.1", 0)
    line = plant.line(
        f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", {**TIMED, "topic": "m"}
    )
    task = asyncio.create_task(line.run(plant))
    await until(lambda: tries >= 3, "further tries")
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})
    server.close()
    await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("links", "what"),
    [
        ([{"format": "json"}], "topic: expected one for point p"),
        ([{"format": "json", "topic": "a/#/b"}], "expected a topic filter"),
        ([{"format": "json", "topic": "a", "timestamp_path": "a..b"}], "expected a JSON path"),
        ([{"format": "sparkplug", "topic": "spBv1.0/g"}], "expected spBv1.0/GROUP/EDGE_NODE"),
        (
            [{**TIMED, "topic": "a"}, {"format": "scalar", "topic": "a"}],
            "for all devices or for none",
        ),
        ([{**TIMED, "topic": "a", "url": "mqtt://[::1"}], "url: expected"),
        (
            [{**TIMED, "topic": "a"}, {**TIMED, "topic": "b", "url": "mqtts://h:1883"}],
            "login of m0",
        ),
    ],
)
def test_settings_that_do_not_fit(links: list[dict[str, Any]], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        Plant().line("mqtt://h:1883", *links)
