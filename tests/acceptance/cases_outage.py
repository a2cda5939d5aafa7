"""Broker, platform and the gateway itself go away, in every way they do."""

import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.site import Run, Site, running
from acceptance.slaves import Endpoint, Slave
from edge.world import PLATFORM_KEY, STRANGER_KEY, ack_of, wait_until


def site_of(scene: Scene, **settings: object) -> Site:
    endpoints = [Endpoint([Slave(1)]) for _ in range(3)]
    return Site(scene.folder, scene.gateway_url, scene.platform_url, endpoints, settings=settings)


@case("broker killed while the platform is away", "平台离线时消息代理被杀", "resend above the ack")
def broker_killed(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.more(5)
        run.platform.leave()
        run.more(8)
        scene.broker.kill()
        run.more(8)
        scene.broker.start()
        run.platform.come_back()
        run.more(5)
        return run.verdict(40)


@case(
    "broker frozen without a reset, then killed",
    "消息代理冻结（无复位）后被杀",
    "resend above the ack",
)
def broker_frozen(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.more(5)
        scene.broker.pause()
        run.more(15)
        scene.broker.resume()
        scene.broker.kill()
        scene.broker.start()
        run.more(5)
        return run.verdict(40)


@case(
    "platform takes batches and is killed before it keeps them",
    "平台收批次后未存即崩溃",
    "space is freed by the signed ack only",
)
def platform_forgets(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.platform.answering = False
        run.more(8)
        run.platform.stored.clear()
        run.platform.answering = True
        return run.verdict(40)


@case("platform acknowledges late", "平台延迟确认", "the platform knows a batch by its place")
def late_ack(scene: Scene) -> Verdict:
    """What is sent again must not count twice. That protection is the platform's own: without it
    each arrival counts."""
    with running(site_of(scene)) as run:
        run.platform.answering = False
        run.more(8)
        scene.broker.kill()
        scene.broker.start()
        run.more(8)
        run.platform.answering = True
        verdict = run.verdict(40)
        repeated = len(run.platform.seen) - len(set(run.platform.seen))
    assert repeated, "expected batches that were sent twice"
    return replace(verdict, duplicated=repeated) if scene.without else verdict


@case("forged acks", "伪造的确认", "signature of an ack")
def forged_acks(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.platform.answering = False
        for _ in range(4):
            run.more(4)
            if run.platform.head is not None:
                run.platform.send_ack(ack_of(run.platform.head, STRANGER_KEY))
        run.platform.stored.clear()
        run.platform.answering = True
        return run.verdict(40)


@case("replayed ack of another gateway", "重放其他网关的确认", "an ack names its gateway")
def foreign_ack(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.platform.answering = False
        for _ in range(4):
            run.more(4)
            if run.platform.head is not None:
                run.platform.send_ack(ack_of(run.platform.head, PLATFORM_KEY, "other-gw"))
        run.platform.stored.clear()
        run.platform.answering = True
        return run.verdict(40)


@case("kill -9 at ten random moments", "随机十次 kill -9", "a slot is durable before it is done")
def killed(scene: Scene) -> Verdict:
    chance = random.Random(scene.folder.name)
    site = site_of(scene)
    with running(site, scene.without) as run:
        for _ in range(10):
            run.more(chance.randrange(1, 5))
            time.sleep(chance.random() * site.interval_ms / 1000)
            run.kill()
            run.gateway = site.start(scene.without)
        run.more(5)
        return run.verdict(40)


@case("spool of yesterday copied back", "还原昨日的缓存", "a new epoch from the platform's head")
def restored_spool(scene: Scene) -> Verdict:
    site = site_of(scene)
    copy = scene.folder / "yesterday"
    with running(site, scene.without) as run:
        run.more(8)
        stop_drained(run)
        shutil.copytree(scene.folder / "spool", copy)
        run.gateway = site.start(scene.without)
        run.more(8)
        stop_drained(run)
        shutil.rmtree(scene.folder / "spool")
        shutil.copytree(copy, scene.folder / "spool")
        run.gateway = site.start(scene.without)
        run.more(8)
        verdict = run.verdict(40)
        forked = [text for text in run.platform.refused if "seq" in text]
    return verdict.with_invented(len(forked))


def stop_drained(run: Run) -> None:
    """Stop the gateway when the platform has all that it sealed."""
    for slave in run.site.slaves:
        slave.fault = lambda _slave, _asked: []
    wait_until(lambda: not run.lost(), "everything at the platform", 8)
    run.gateway.stop()
    for slave in run.site.slaves:
        slave.fault = None


@case("last write torn", "最后一次写入不完整", "the write-ahead log")
def torn_write(scene: Scene) -> Verdict:
    site = site_of(scene)
    with running(site, scene.without) as run:
        run.more(8)
        run.kill()
        tear(scene.folder / "spool")
        run.gateway = site.start(scene.without)
        run.more(8)
        return run.verdict(40)


def tear(spool: Path) -> None:
    """Half a write at the end of the file that was written last, as a power cut leaves it."""
    log, database = spool / "spool.sqlite-wal", spool / "spool.sqlite"
    if log.exists():
        data = log.read_bytes()
        log.write_bytes(data + data[32 : 32 + 2000])
    else:
        data = database.read_bytes()
        database.write_bytes(data[:-6000])
