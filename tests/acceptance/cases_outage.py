"""Broker, platform and the gateway itself go away, in every way they do."""

import random
import shutil
import time
from pathlib import Path

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.site import Run, Site, running
from acceptance.slaves import Endpoint, Slave
from edge.world import PLATFORM_KEY, STRANGER_KEY, ack_of, wait_until


def site_of(scene: Scene, **settings: object) -> Site:
    endpoints = [Endpoint([Slave(1)]) for _ in range(3)]
    return Site(scene.folder, scene.gateway_url, scene.platform_url, endpoints, settings=settings)


@case("broker killed, away for 3 s", "消息代理被杀，离线 3 秒", "resend above the ack")
def broker_killed(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.more(5)
        scene.broker.kill()
        run.more(15)
        scene.broker.start()
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


@case("platform takes batches and is killed before it keeps them", "平台收批次后未存即崩溃", "space is freed by the signed ack only")  # fmt: skip
def platform_forgets(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.platform.answering = False
        run.more(8)
        run.platform.stored.clear()
        run.platform.answering = True
        return run.verdict(40)


@case("platform acknowledges late", "平台延迟确认", "duplicates are known by their place")
def late_ack(scene: Scene) -> Verdict:
    with running(site_of(scene), scene.without) as run:
        run.platform.answering = False
        run.more(20)
        run.platform.answering = True
        return run.verdict(40)


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
    """Half a frame at the end of the write-ahead log, as a power cut leaves it."""
    log = spool / "spool.sqlite-wal"
    data = log.read_bytes()
    log.write_bytes(data + data[32 : 32 + 2000])
