"""The uplink with a real spool, a real broker and a platform in memory: order, outages."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.batches import Seal
from edge.world import GATEWAY, PLATFORM_KEY, Platform, ack_of, place
from parts import server_folder
from tanzheng.edge.counters import Counters
from tanzheng.edge.plan import BrokerPlan
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.uplink import conversation as module
from tanzheng.edge.uplink.acks import AckDesk
from tanzheng.edge.uplink.conversation import Uplink
from tanzheng.edge.uplink.resend import LIVE_BATCHES
from tanzheng.ingest.broker import Broker

POINTS = tuple(f"meter{i}/active_power_kw" for i in range(30))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool", GATEWAY, POINTS)
    yield opened
    opened.close()


@pytest.fixture
def seal(spool: Spool) -> Seal:
    return Seal(spool, POINTS)


def login(broker: Broker) -> BrokerPlan:
    password = broker.gateway_url(GATEWAY).rpartition("@")[0].rpartition(":")[2]
    return BrokerPlan(broker.host, broker.port, GATEWAY, password)


def make(plan: BrokerPlan, spool: Spool, resend_after_s: float = 1.0) -> Uplink:
    counters = Counters()
    desk = AckDesk(GATEWAY, PLATFORM_KEY.public, spool, counters)
    return Uplink(GATEWAY, plan, resend_after_s, spool, desk, counters, lambda: 7)


@asynccontextmanager
async def running(uplink: Uplink) -> AsyncIterator[None]:
    task = asyncio.create_task(uplink.run())
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


def acked(spool: Spool) -> int:
    return spool.acked.seq if spool.acked else 0


async def test_after_an_outage_the_newest_comes_first(
    broker: Broker, spool: Spool, seal: Seal
) -> None:
    seal.next()
    uplink = make(login(broker), spool)
    with Platform(broker.platform_url) as platform:
        async with running(uplink):
            await until(lambda: acked(spool) == 1)
        seal.chain(200)
        async with running(uplink):
            await until(lambda: len(platform.seen) > 3)
            live = seal.next()
            uplink.pump()
            await until(lambda: acked(spool) == 202)
        assert platform.seen[1] == (1, 201)
        assert platform.seen.index(place(live.head)) < 150
        backlog = [seq for _, seq in platform.seen[1:] if seq < 201]
        assert backlog == list(range(2, 201))
        assert len(platform.seen) == 202  # nothing twice
        assert platform.refused == []
        assert [item.seq for item in platform.batches] == list(range(1, 203))
    assert spool.bytes_used == 0


async def test_a_broker_killed_in_the_middle(broker: Broker, spool: Spool, seal: Seal) -> None:
    seal.chain(300)
    uplink = make(login(broker), spool)
    with Platform(broker.platform_url) as platform:
        async with running(uplink):
            for share in (20, 120):
                await until(lambda: acked(spool) >= share)  # noqa: B023 - called here and now
                broker.kill()
                seal.next()
                broker.start()
            await until(lambda: acked(spool) == 302)
        assert [item.seq for item in platform.batches] == list(range(1, 303))


async def test_a_frozen_broker_is_left_and_found_again(
    broker: Broker, spool: Spool, seal: Seal
) -> None:
    uplink = make(login(broker), spool)
    with Platform(broker.platform_url) as platform:
        async with running(uplink):
            await until(lambda: uplink.connected)
            broker.pause()
            seal.chain(3)
            uplink.pump()
            await until(lambda: not uplink.connected, 10)
            broker.resume()
            await until(lambda: acked(spool) == 3)
        assert [item.seq for item in platform.batches] == [1, 2, 3]


async def test_a_platform_that_never_answers_is_offered_the_same_again(
    broker: Broker, spool: Spool, seal: Seal
) -> None:
    seal.chain(60)
    uplink = make(login(broker), spool, resend_after_s=0.3)
    with Platform(broker.platform_url, answering=False) as platform:
        async with running(uplink):
            await until(lambda: platform.seen.count((1, 1)) >= 3)
            assert uplink.in_flight <= module.WINDOW_BATCHES + LIVE_BATCHES
            assert acked(spool) == 0
            platform.answering = True
            await until(lambda: acked(spool) == 60)


async def test_a_broker_of_mqtt_3_1_1(
    spool: Spool, seal: Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place is the demo without mosquitto: it keeps nothing for an absent subscriber."""
    monkeypatch.setattr("tanzheng.ingest.broker.find_mosquitto", lambda: None)
    monkeypatch.setattr("tanzheng.edge.uplink.mqtt_link.CONNECT_S_MAX", 1.0)
    seal.chain(30)
    with server_folder() as folder, Broker(folder / "amqtt") as amqtt:
        uplink = make(login(amqtt), spool)
        with Platform(amqtt.platform_url) as platform:
            async with running(uplink):
                await until(lambda: acked(spool) == 30)
            assert len(platform.batches) == 30


async def test_a_spool_copied_back_signs_nothing_into_places_that_are_taken(
    broker: Broker, tmp_path: Path
) -> None:
    """The platform has 1…10 and, early, 31…40; the copy ends at 20 and the rest is lost.

    What the copy holds is delivered first, then it goes on in a new epoch.
    """
    lost = Spool(tmp_path / "lost", GATEWAY, POINTS)
    signed = Seal(lost, POINTS).chain(40)
    lost.close()
    copy = Spool(tmp_path / "copy", GATEWAY, POINTS)
    seal = Seal(copy, POINTS)
    assert [item.raw for item in seal.chain(20)] == [item.raw for item in signed[:20]]
    with Platform(broker.platform_url) as platform:
        platform.stored = signed[:10]
        platform.early = {item.batch.seq: item for item in signed[30:]}
        platform.send_ack(platform.ack())
        uplink = make(login(broker), copy)
        heads = []
        async with running(uplink):
            while not uplink.synced:
                heads.append(copy.head)
                await asyncio.sleep(0.001)
            assert copy.opens_epoch
            assert set(heads) == {signed[19].head}
            opened = seal.next()
            uplink.pump()
            await until(lambda: copy.acked == opened.head)
        assert (opened.batch.epoch, opened.batch.seq) == (2, 1)
        assert opened.batch.prev == signed[19].digest
        assert platform.refused == []
        assert len(platform.batches) == 21
    copy.close()


def test_an_ack_from_before_lifts_nothing(tmp_path: Path) -> None:
    """`top` is remembered: a replayed ack without it must not let the copy sign."""
    copy = Spool(tmp_path, GATEWAY, POINTS)
    signed = Seal(copy, POINTS).chain(5)
    desk = AckDesk(GATEWAY, PLATFORM_KEY.public, copy, Counters())
    found = []
    for seq, top in ((1, 0), (2, 9), (1, 0), (3, 0), (5, 9)):
        desk.receive(ack_of(signed[seq - 1].head, top=top), 0)
        found.append((desk.behind, copy.opens_epoch))
    assert found == [(False, False), *[(True, False)] * 3, (False, True)]
    assert copy.head == signed[4].head
    copy.close()


async def test_a_hundred_batches_go_out_once(broker: Broker, spool: Spool, seal: Seal) -> None:
    seal.chain(100)
    with Platform(broker.platform_url) as platform:
        async with running(make(login(broker), spool)):
            await until(lambda: acked(spool) == 100)
        assert len(platform.seen) == 100


async def test_nobody_there_is_tried_again_with_jitter(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def delay(failures: int, chance: float) -> float:
        tried.append(failures)
        assert 0.0 <= chance < 1.0
        return 0.0

    monkeypatch.setattr(module, "reconnect_delay_s", delay)
    uplink = make(replace(BrokerPlan("127.0.0.1", 1)), spool)
    async with running(uplink):
        await until(lambda: len(tried) > 3)
    assert tried[:4] == [0, 1, 2, 3]
