"""What a host knows of one Sparkplug edge node: births, aliases, sequence, death. Pure.

"" is the node itself among its devices.

| | birth seen | no birth seen |
|---|---|---|
| birth | learned anew | learned, and data held for it are decoded |
| data | decoded | decoded if they name everything, else held, bounded |
| death | forgotten, held data given up (NDEATH only if its bdSeq is the birth's) | the same |

Held data are decoded by the aliases of a later birth only if no death came between: then both
belong to one session (Sparkplug 3.0, "Edge Node Session Establishment").
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.codec import NOT_AVAILABLE, Sample
from tanzheng.edge.drivers.mqtt.sparkplug import (
    BD_SEQ,
    Message,
    Metric,
    decode_message,
    number_of,
)
from tanzheng.edge.drivers.mqtt.timestamps import EARLIEST_MS, LATEST_MS

HELD_MESSAGES_MAX: Final = 256
HELD_BYTES_MAX: Final = 1 << 20
METRICS_KNOWN_MAX: Final = 50_000
DEVICES_MAX: Final = 1_000
STALE: Final = "stale"
BIRTHS: Final = ("NBIRTH", "DBIRTH")
KINDS: Final = (*BIRTHS, "NDATA", "DDATA", "NDEATH", "DDEATH")
_GOOD, _STALE = 192, 500


@dataclass(slots=True)
class Heard:
    """What came of a message: (device, sample) pairs, who died, whether births are missing."""

    samples: list[tuple[str, Sample]] = field(default_factory=list)
    dead: str | None = None
    rebirth: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """What a birth said of a metric."""

    name: str
    datatype: int | None


@dataclass(slots=True)
class _Births:
    """The metrics of one device by name and by alias.

    Aliases are unique over the whole node; the device is in the topic, so a sender that gives
    each device its own aliases is understood as well.
    """

    names: dict[str, _Known] = field(default_factory=dict)
    aliases: dict[int, _Known] = field(default_factory=dict)


@dataclass(slots=True)
class EdgeNode:
    """One edge node with its devices. `counts` says what was not used, and why."""

    counts: Counter[str] = field(default_factory=Counter)
    _bd_seq: int | None = None
    _seq: int | None = None
    _born: dict[str, _Births] = field(default_factory=dict)
    _held: deque[tuple[str, Message, int]] = field(default_factory=deque)
    _held_bytes: int = 0

    @property
    def born(self) -> bool:
        """True where the node's own birth is known."""
        return "" in self._born

    def take(self, kind: str, device: str, raw: bytes) -> Heard:
        """A message of one of `KINDS`; `PayloadRefused` where it is none."""
        message = decode_message(raw)
        if kind == "NDEATH":
            return self._node_death(message)
        heard = Heard()
        if kind == "NBIRTH":
            self._born.clear()
            self._bd_seq, self._seq = _bd_seq(message), message.seq
        else:
            heard.rebirth = self._gap(message)
        if kind in BIRTHS:
            self._birth(device, message, heard)
        elif kind == "DDEATH":
            self._born.pop(device, None)
            heard.dead = device
        elif device in self._born or _names_everything(message):
            self._decode(device, message, heard)
        else:
            self._hold(device, message, len(raw))
            heard.rebirth = True
        return heard

    def _birth(self, device: str, message: Message, heard: Heard) -> None:
        if len(self._born) >= DEVICES_MAX:
            self.counts["too_many_devices"] += 1
            return
        self._born[device] = self._learned(message)
        waiting, self._held, self._held_bytes = self._held, deque(), 0
        for other, held, size in waiting:
            if other == device:
                self._decode(device, held, heard)
            else:
                self._hold(other, held, size)
        self._decode(device, message, heard)

    def _learned(self, message: Message) -> _Births:
        births = _Births()
        for metric in message.metrics[:METRICS_KNOWN_MAX]:
            if metric.name is None:
                self.counts["metric_without_name"] += 1
                continue
            known = births.names[metric.name] = _Known(metric.name, metric.datatype)
            if metric.alias is not None:
                if metric.alias in births.aliases:
                    self.counts["alias_twice"] += 1
                births.aliases[metric.alias] = known
        return births

    def _node_death(self, message: Message) -> Heard:
        """A Will of the session before may come after the next birth: it is not about this one."""
        bd_seq = _bd_seq(message)
        if bd_seq is not None and self._bd_seq is not None and bd_seq != self._bd_seq:
            self.counts["old_death"] += 1
            return Heard()
        self.counts["undecodable"] += len(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._born.clear()
        self._bd_seq = self._seq = None
        return Heard(dead="")

    def _gap(self, message: Message) -> bool:
        """Whether messages are missing before this one, which takes its place in the sequence."""
        if message.seq is None:
            self.counts["no_seq"] += 1
            return False
        expected = None if self._seq is None else (self._seq + 1) % 256
        self._seq = message.seq
        if expected in (None, message.seq):
            return False
        self.counts["seq_gap"] += 1
        return True

    def _hold(self, device: str, message: Message, size: int) -> None:
        self._held.append((device, message, size))
        self._held_bytes += size
        while len(self._held) > HELD_MESSAGES_MAX or self._held_bytes > HELD_BYTES_MAX:
            self._held_bytes -= self._held.popleft()[2]
            self.counts["undecodable"] += 1

    def _decode(self, device: str, message: Message, heard: Heard) -> None:
        births = self._born.get(device) or _Births()
        for metric in message.metrics:
            known = _known(metric, births)
            if known is None:
                self.counts["unknown_alias"] += 1
                heard.rebirth = True
                continue
            t_ms = metric.t_ms if metric.t_ms is not None else message.t_ms
            if t_ms is None or not EARLIEST_MS <= t_ms < LATEST_MS:
                self.counts["bad_time"] += 1
                continue
            heard.samples.append((device, _sample(known, t_ms, metric)))


def _known(metric: Metric, births: _Births) -> _Known | None:
    if metric.name is None:
        return births.aliases.get(-1 if metric.alias is None else metric.alias)
    return births.names.get(metric.name) or _Known(metric.name, metric.datatype)


def _sample(known: _Known, t_ms: int, metric: Metric) -> Sample:
    datatype = metric.datatype if known.datatype is None else known.datatype
    value, reason = number_of(metric, datatype), NOT_AVAILABLE
    if metric.quality == _STALE:
        value, reason = None, STALE
    quality = Quality.GOOD if metric.quality in (None, _GOOD) else Quality.FAULT
    return Sample(known.name, t_ms, value, quality, reason)


def _names_everything(message: Message) -> bool:
    return all(metric.name is not None and metric.datatype is not None
               for metric in message.metrics)  # fmt: skip


def _bd_seq(message: Message) -> int | None:
    for metric in message.metrics:
        if metric.name == BD_SEQ and isinstance(metric.value, int):
            return metric.value
    return None
