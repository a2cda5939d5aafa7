"""Faults of a plant's broker and of those who publish there."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from acceptance.case import Scene, case
from acceptance.cases_serial import came
from acceptance.cases_serial import judged as counted
from acceptance.judge import Verdict
from acceptance.senders import Sender, SenderSide
from acceptance.site import Run, Site, running
from edge.plant_broker import PlantBroker
from edge.world import readings, wait_until
from tanzheng.hardware.mqtt.sparkplug import SparkplugNode

FIELD = "active_power_kw"
POINT = f"d1/{FIELD}"
SENDER_PROFILE = f"""id: counting
vendor: test
models: [none]
kind: energy meter
protocol: mqtt
transport: [mqtt]
trust: ours
source: [{{note: "counts its messages"}}]
points:
- {{id: count, path: count, unit: kW, field: {FIELD}}}
"""
JSON = {"format": "json", "topic": "meter/count", "timestamp_path": "ts"}
SCALAR = {"format": "scalar", "topic": "meter/count"}
SPARKPLUG = {"format": "sparkplug", "topic": "spBv1.0/plant/node", "rebirth": True}
LONG_AGO = 800_000


class SeenBroker(PlantBroker):
    """A broker whose log tells of subscriptions."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder, "log_type all")
        self.log = folder / "mosquitto.log"

    @property
    def subscribed(self) -> int:
        """How often the agent's subscription was confirmed."""
        return self.log.read_text(errors="replace").count("Sending SUBACK to gw")


@contextlib.contextmanager
def plant_broker(folder: Path) -> Iterator[SeenBroker]:
    broker = SeenBroker(folder / "plant-broker")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def sending(
    scene: Scene,
    sender: Sender,
    link: Mapping[str, object],
    before: Callable[[Sender], None] | None = None,
) -> Iterator[tuple[Run, SeenBroker]]:
    """Agent and sender at a broker; the sender begins when the agent has subscribed, with what
    `before` publishes."""
    with plant_broker(scene.folder) as broker:
        side = SenderSide(sender, broker, link)
        site = Site(
            scene.folder, scene.gateway_url, scene.platform_url, [side],
            profile=SENDER_PROFILE, pushed=True,
        )  # fmt: skip
        with running(site, scene.without) as run:
            wait_until(lambda: broker.subscribed, "a subscription")
            if before is not None:
                before(sender)
            sender.waits = False
            yield run, broker


def judged(run: Run, sender: Sender, missed: int) -> Verdict:
    """The count; a value that is not of the instant it was sent for is a wrong one."""
    verdict = counted(run, missed)
    elsewhere = [
        value
        for _, t_ms, value in readings(run.platform.batches)
        if sender.times.get(value, t_ms) != t_ms
    ]
    return verdict.with_wrong_quality(len(elsewhere))


@case("plant's broker restarted", "厂内消息代理重启", "the session stays at the broker")
def broker_restarted(scene: Scene) -> Verdict:
    """The agent comes back later than the meter: what is sent before waits in its session."""
    sender = Sender(1)
    with sending(scene, sender, JSON) as (run, broker):
        missed = came(run, 20)
        for _ in range(3):
            broker.stop()
            broker.start()
            missed += came(run, 20)
        return judged(run, sender, missed)


@case("agent killed while messages go on", "消息持续时代理被杀", "confirmed when durable")
def agent_killed(scene: Scene) -> Verdict:
    chance = random.Random(scene.folder.name)
    sender = Sender(1, pace_s=0.01)
    with sending(scene, sender, JSON) as (run, broker):
        missed = 0
        for _ in range(5):
            subscribed = broker.subscribed
            missed += came(run, chance.randrange(20, 60))
            run.gateway.kill()
            missed += came(run, 20)
            run.gateway = run.site.start(scene.without)
            wait_until(lambda: broker.subscribed > subscribed, "a subscription")  # noqa: B023
        missed += came(run, 20)
        return judged(run, sender, missed)


@case("a retained value of long ago", "很久以前的保留消息", "a retained value is not of now")
def retained(scene: Scene) -> Verdict:
    """Bare numbers have the time of their arrival; what the broker had kept has none."""

    def bare(_sender: Sender, number: int) -> tuple[str, bytes, bool]:
        return "meter/count", str(number).encode(), True

    sender = Sender(1, make=bare, pace_s=0.05)
    sender.publish("meter/count", str(LONG_AGO).encode(), retained=True)
    with sending(scene, sender, SCALAR) as (run, broker):
        missed = came(run, 15)
        sender.waits = True
        wait_until(lambda: not (sender.outbox or run.lost()), "everything stored")
        subscribed = broker.subscribed
        run.gateway.kill()
        run.gateway = run.site.start(scene.without)
        wait_until(lambda: broker.subscribed > subscribed, "a subscription")
        sender.waits = False
        missed += came(run, 10)
        return judged(run, sender, missed)


@case(
    "plant's broker frozen, then killed", "厂内消息代理冻结后被杀", "subscribed on every connection"
)
def broker_frozen(scene: Scene) -> Verdict:
    """What it had not handed over dies with it, so nothing is sent meanwhile; its sessions, too."""
    sender = Sender(1)
    with sending(scene, sender, JSON) as (run, broker):
        missed = came(run, 20)
        sender.waits = True
        wait_until(lambda: not (sender.outbox or run.lost()), "everything stored")
        gaps, subscribed = run.verdict_so_far().gap_records, broker.subscribed
        broker.pause()
        wait_until(lambda: run.verdict_so_far().gap_records > gaps, "a gap record")
        broker.kill()
        (broker.log.parent / "mosquitto.db").unlink(missing_ok=True)
        broker.start()
        with contextlib.suppress(AssertionError):
            wait_until(lambda: broker.subscribed > subscribed, "a subscription", 12)
        sender.waits = False
        missed += came(run, 20)
        return judged(run, sender, missed)


class Node:
    """A Sparkplug node that births when it is asked, and counts."""

    def __init__(self) -> None:
        self.node = SparkplugNode("plant", "node", {"": ["count"]})
        self.births = 0
        self.node.will()

    def born(self, sender: Sender) -> None:
        """Its births, without a value."""
        self.births += 1
        for topic, payload, _ in self.node.births(sender.now_ms(), {}):
            sender.publish(topic, payload)

    def data(self, sender: Sender, number: int) -> tuple[str, bytes, bool]:
        """A number by its alias."""
        t_ms = sender.times[number] = sender.now_ms()
        topic, payload, _ = self.node.data("", t_ms, {"count": number})
        return topic, payload, False

    def sender(self) -> Sender:
        return Sender(
            1, make=self.data, subscribes="spBv1.0/plant/NCMD/node", on_asked=self.born
        )  # fmt: skip


@case(
    "Sparkplug: a message lost, a gap in the sequence",
    "Sparkplug 序号缺口（丢一条消息）",
    "a gap in the sequence asks for births",
)
def sequence_gap(scene: Scene) -> Verdict:
    node = Node()
    sender = node.sender()
    with sending(scene, sender, SPARKPLUG, node.born) as (run, _):
        missed = came(run, 10)
        births = node.births
        node.node.data("", sender.now_ms(), {"count": LONG_AGO})  # never published
        missed += came(run, 10)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: node.births > births, "a rebirth", 8)
        missed += came(run, 10)
        verdict = judged(run, sender, missed)
        asked = node.births - births
        told = len(run.events("sparkplug_rebirth"))
    return verdict.with_wrong_quality(not (asked == 1 and told == 1))


@case(
    "Sparkplug: data before the births", "Sparkplug 数据先于出生报文", "data wait for their births"
)
def data_before_births(scene: Scene) -> Verdict:
    """The agent comes when the node was born long ago: it asks, and decodes what it kept."""
    node = Node()
    sender = node.sender()
    node.node.births(sender.now_ms(), {})  # before there was an agent
    with sending(scene, sender, SPARKPLUG) as (run, _):
        missed = came(run, 20)
        return judged(run, sender, missed)
