"""From a topic and a payload to readings, for all devices of one broker session. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tanzheng.core.errors import BadInput
from tanzheng.edge.drivers.mqtt.codec import Body, PayloadRefused, Sample
from tanzheng.edge.drivers.mqtt.edge_node import KINDS, EdgeNode
from tanzheng.edge.drivers.mqtt.feeds import Device, Feed, Reading, wanted
from tanzheng.edge.drivers.mqtt.hj212_text import Hj212Shape, hj212_name, hj212_samples
from tanzheng.edge.drivers.mqtt.json_path import parse_path
from tanzheng.edge.drivers.mqtt.json_payload import json_samples
from tanzheng.edge.drivers.mqtt.neuron import group_of, neuron_samples
from tanzheng.edge.drivers.mqtt.scalar import parse_scalar
from tanzheng.edge.drivers.mqtt.settings import DeviceLink
from tanzheng.edge.drivers.mqtt.topics import DEVICE, TOPIC, TopicFilter
from tanzheng.hardware.points import PointSpec
from tanzheng.hardware.profile import Hj212At, MqttAt, Profile

SPARKPLUG: Final = "spBv1.0"
QOS_TIMED: Final = 1
QOS_TIMELESS: Final = 0
"""A value without a time of its own must not wait in the broker: it would arrive as a new one."""


@dataclass(slots=True)
class Routed:
    """What a message came to. `refused`: (device, reason); `silent`: points of what has died."""

    readings: list[Reading] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)
    rebirth: str | None = None
    known: bool = False


@dataclass(slots=True)
class _Node:
    """A Sparkplug edge node and the devices of the plan behind it, by their names there."""

    path: str
    rebirth: bool
    state: EdgeNode = field(default_factory=EdgeNode)
    devices: dict[str, list[tuple[Device, Mapping[str, tuple[PointSpec, ...]]]]] = field(
        default_factory=dict
    )


@dataclass(slots=True)
class Router:
    """All feeds of one session. `subscriptions` is filter → QoS."""

    subscriptions: dict[str, int] = field(default_factory=dict)
    _exact: dict[str, list[Feed]] = field(default_factory=dict)
    _wild: dict[TopicFilter, dict[str, list[Feed]]] = field(default_factory=dict)
    _nodes: dict[tuple[str, str], _Node] = field(default_factory=dict)

    def add(self, device: Device, profile: Profile, link: DeviceLink) -> None:
        """Take in a device of the plan; `BadInput` where its topics or paths are none."""
        specs = wanted(device, profile.points)
        if link.form == "sparkplug":
            self._add_to_node(device, specs, link)
            return
        by_topic: dict[str, list[PointSpec]] = {}
        for spec in specs:
            by_topic.setdefault(_topic(spec, link), []).append(spec)
        for topic, group in by_topic.items():
            self._add_feed(TopicFilter.parse(topic), link, _feed(device, group, link))

    def _add_feed(self, where: TopicFilter, link: DeviceLink, feed: Feed) -> None:
        timed = link.form in ("neuron", "hj212") or link.shape.time is not None
        qos = QOS_TIMED if timed and link.form != "scalar" else QOS_TIMELESS
        before = self.subscriptions.get(where.text)
        if before is not None and before != qos:
            raise BadInput(f"topic {where.text}: expected a time stamp for all devices or for none")
        self.subscriptions[where.text] = qos
        if where.wild:
            name = link.name if where.place >= 0 else ""
            self._wild.setdefault(where, {}).setdefault(name, []).append(feed)
        else:
            self._exact.setdefault(where.text, []).append(feed)

    def _add_to_node(self, device: Device, specs: list[PointSpec], link: DeviceLink) -> None:
        levels = link.topic.replace(DEVICE, link.name).split("/")
        if levels[0] != SPARKPLUG or len(levels) not in (3, 4) or not _plain(levels):
            raise BadInput(
                f"topic: expected {SPARKPLUG}/GROUP/EDGE_NODE[/DEVICE], got {link.topic!r}"
            )
        _, group, edge_node, *rest = levels
        node = self._nodes.setdefault(
            (group, edge_node), _Node(f"{group}/{edge_node}", rebirth=False)
        )
        node.rebirth = node.rebirth or link.rebirth
        node.devices.setdefault(rest[0] if rest else "", []).append((device, _by_path(specs)))
        for kind in KINDS:
            tail = "/+" if kind.startswith("D") else ""
            self.subscriptions[f"{SPARKPLUG}/{group}/{kind}/{edge_node}{tail}"] = QOS_TIMED

    def route(self, topic: str, raw: bytes) -> Routed:
        """What the message says. Anything may come, also from topics of a former plan."""
        routed = Routed()
        levels = topic.split("/")
        if levels[0] == SPARKPLUG and self._nodes:
            self._route_sparkplug(levels, raw, routed)
        body = Body(raw)
        for feed in self._feeds(topic, levels):
            routed.known = True
            try:
                routed.readings += feed.readings(body)
            except PayloadRefused as error:
                routed.refused.append((feed.device.id, error.reason))
        return routed

    def _feeds(self, topic: str, levels: list[str]) -> list[Feed]:
        feeds = list(self._exact.get(topic, ()))
        for where, by_name in self._wild.items():
            if (name := where.match(levels)) is not None:
                feeds += by_name.get(name, ())
        return feeds

    def _route_sparkplug(self, levels: list[str], raw: bytes, routed: Routed) -> None:
        if len(levels) not in (4, 5) or levels[2] not in KINDS:
            return
        node = self._nodes.get((levels[1], levels[3]))
        name = levels[4] if len(levels) == 5 else ""
        if node is None or (name != "") != levels[2].startswith("D"):
            return
        routed.known = True
        try:
            heard = node.state.take(levels[2], name, raw)
        except PayloadRefused as error:
            everybody = (device for devices in node.devices.values() for device, _ in devices)
            routed.refused += [(device.id, error.reason) for device in everybody]
            return
        if heard.rebirth and node.rebirth:
            routed.rebirth = node.path
        if heard.dead is not None:
            routed.silent += _points_of(node, heard.dead)
        routed.readings += _node_readings(node, heard.samples)

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """What the Sparkplug nodes could not use, by node and reason."""
        return {node.path: dict(node.state.counts) for node in self._nodes.values()}

    def births_known(self) -> Mapping[str, bool]:
        """Sparkplug node → whether its birth was seen since it last died."""
        return {node.path: node.state.born for node in self._nodes.values()}


def rebirth_topic(node: str) -> str:
    """Where an edge node `group/node` takes commands."""
    group, _, edge_node = node.partition("/")
    return f"{SPARKPLUG}/{group}/NCMD/{edge_node}"


def _plain(levels: Sequence[str]) -> bool:
    return all(level and not set(level) & set("+#\0") for level in levels)


def _points_of(node: _Node, dead: str) -> list[int]:
    return [
        point
        for name, devices in node.devices.items()
        if dead in ("", name)
        for device, _ in devices
        for point in device.points
    ]


def _node_readings(node: _Node, samples: Sequence[tuple[str, Sample]]) -> list[Reading]:
    readings: list[Reading] = []
    by_device: dict[str, list[Sample]] = {}
    for name, sample in samples:
        by_device.setdefault(name, []).append(sample)
    for name, own in by_device.items():
        for device, specs in node.devices.get(name, ()):
            readings += device.readings(
                (spec, sample) for sample in own for spec in specs.get(sample.name, ())
            )
    return readings


def _topic(spec: PointSpec, link: DeviceLink) -> str:
    own = spec.at.topic if isinstance(spec.at, MqttAt) else None
    topic = (own or TOPIC).replace(TOPIC, link.topic)
    if not topic:
        raise BadInput(f"topic: expected one for point {spec.id}, got none")
    return topic


def _path(spec: PointSpec) -> str:
    if isinstance(spec.at, MqttAt):
        return spec.at.path
    if isinstance(spec.at, Hj212At):
        return hj212_name(spec.at)
    raise BadInput(f"expected a profile for mqtt or hj212, got point {spec.id} at {spec.at}")


def _by_path(specs: Sequence[PointSpec]) -> dict[str, tuple[PointSpec, ...]]:
    found: dict[str, tuple[PointSpec, ...]] = {}
    for spec in specs:
        path = _path(spec)
        found[path] = (*found.get(path, ()), spec)
    return found


def _feed(device: Device, specs: Sequence[PointSpec], link: DeviceLink) -> Feed:
    names = _by_path(specs)
    if link.form == "scalar":
        return Feed(device, {"": tuple(specs)}, _scalar)
    if link.form == "json":
        paths = {name: parse_path(name) for name in names}
        return Feed(device, names, lambda body: json_samples(body.json, paths, link.shape))
    if link.form == "neuron":
        return Feed(device, names, partial(_neuron, link.neuron))
    return Feed(device, names, partial(_hj212, link.hj212))


def _scalar(body: Body) -> list[Sample]:
    value, unit = parse_scalar(body.text)
    return [Sample("", None, value, unit=unit)]


def _neuron(wanted_group: tuple[str | None, str | None], body: Body) -> list[Sample]:
    found = group_of(body.json)
    same = all(want in (None, is_) for want, is_ in zip(wanted_group, found, strict=True))
    return neuron_samples(body.json) if same else []


def _hj212(shape: Hj212Shape, body: Body) -> list[Sample]:
    return hj212_samples(body.raw, shape)
