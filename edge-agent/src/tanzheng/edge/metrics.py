"""Metrics for Prometheus, over plain HTTP on 127.0.0.1, in the agent's own loop.

Nothing is counted here: at a scrape the agent's state is asked for, the one that is in the status
file too, and written as families. So a figure exists once. The state is a mapping with

    counters            `dataclasses.asdict(Counters)`, `missed_by_reason` among them
    lines               endpoint → `Line.status()`: see `health.py`
    spool               bytes, unsealed, batches, oldest_ms
    clock               source, synchronised, offset_ms
    slot_lateness_ms    from the last slot's instant to its being durable
    connected, in_flight, spool_full, now_ms

What is missing or of another type is left out of the answer, never made up.

The client library costs 1.3 MiB of resident memory (0.26 on CPython 3.11, over the agent's other
imports), so this module is imported only where a `metrics_port` is set.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from tanzheng.edge.health import DeviceHealth, health_of

HOST: Final = "127.0.0.1"
REQUEST_BYTES_MAX: Final = 8192
REQUEST_S_MAX: Final = 5.0
REQUESTS_AT_ONCE_MAX: Final = 8
SERIES_MAX: Final = 5000
"""Of one family: a plant has fewer devices and reasons, a fault must not fill memory."""

State = Mapping[str, Any]

_COUNTERS: Final = {
    "slots": "Slots made durable",
    "readings": "Values read in slots and made durable",
    "arrived": "Values that devices sent by themselves, made durable",
    "slots_spool_full": "Slots refused because the spool was full",
    "slots_refused": "Slots that the disk did not take",
    "dropped": "Readings that made room for newer ones",
    "events_dropped": "Events for which there was no room",
    "source_restarts": "Restarts of sources that failed",
    "reloads": "Configurations taken while running",
    "reloads_refused": "Configurations refused while running",
    "sealed": "Batches sealed and signed",
    "published": "Batches published, repeats included",
    "offered_again": "Batches published again for want of an acknowledgement",
    "connections": "Connections to the broker",
    "epochs_opened": "Chain epochs opened after a restored spool",
}
_ACKS: Final = ("accepted", "stale", "forged", "malformed", "foreign", "conflict")
_FLAGS: Final = {
    "connected": ("broker_connected", "1 while the broker is connected"),
    "spool_full": ("spool_full", "1 while new slots are refused"),
    "in_flight": ("batches_in_flight", "Batches published and not yet acknowledged"),
}
_SPOOL: Final = {
    "bytes": ("spool_bytes", "Bytes that the spool holds"),
    "unsealed": ("spool_entries", "Entries not yet sealed"),
    "batches": ("spool_batches", "Batches not yet acknowledged"),
}


class Metrics:
    """Writes the agent's `state` for Prometheus, and serves it."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_AgentCollector(state))
        ProcessCollector(registry=self._registry)
        self._serving = 0

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    async def serve(self, port: int) -> asyncio.Server:
        """Answer `GET /metrics` on 127.0.0.1:`port` until the server is closed; `OSError`."""
        return await asyncio.start_server(self._answer, HOST, port, limit=REQUEST_BYTES_MAX)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection; whatever the peer does ends here."""
        self._serving += 1
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                if self._serving > REQUESTS_AT_ONCE_MAX:
                    writer.write(_response("503 Service Unavailable", b"busy\n"))
                else:
                    writer.write(await self._reply(reader))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # a peer that went away or never came to the point: nothing to tell it
        finally:
            self._serving -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _response("431 Request Header Fields Too Large", b"too large\n")
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _response("400 Bad Request", b"expected HTTP/1.x\n")
        if words[0] != b"GET":
            return _response("405 Method Not Allowed", b"expected GET\n", "Allow: GET\r\n")
        if words[1].partition(b"?")[0] != b"/metrics":
            return _response("404 Not Found", b"expected /metrics\n")
        return _response("200 OK", self.text(), content_type=CONTENT_TYPE_LATEST)


class _AgentCollector(Collector):
    """Families from the agent's state, made at each scrape."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """What Prometheus asks for."""
        state = self._state()
        yield from _counted(_mapping(state, "counters"))
        for key, (name, text) in _FLAGS.items():
            yield from _gauge(name, text, state.get(key))
        yield from _spool(_mapping(state, "spool"), state.get("now_ms"))
        yield from _clock(_mapping(state, "clock"), state.get("slot_lateness_ms"))
        yield from _devices(list(health_of(state.get("lines"))))


def _counted(counters: State) -> Iterator[Metric]:
    for key, text in _COUNTERS.items():
        if _number(value := counters.get(key)):
            yield CounterMetricFamily(f"tanzheng_{key}", text, value=value)
    acks = [((name,), counters.get(f"ack_{name}")) for name in _ACKS]
    yield from _family("acks_total", "Acknowledgements by what they were", ["outcome"], acks)
    missed = _mapping(counters, "missed_by_reason")
    reasons = [((str(reason),), count) for reason, count in missed.items()]
    yield from _family("missed_total", "Values not read, by reason", ["reason"], reasons)


def _spool(spool: State, now_ms: Any) -> Iterator[Metric]:
    for key, (name, text) in _SPOOL.items():
        yield from _gauge(name, text, spool.get(key))
    if spool and _number(now_ms):
        oldest_ms = spool.get("oldest_ms")
        age_s = max(0.0, (now_ms - oldest_ms) / 1000) if _number(oldest_ms) else 0.0
        yield from _gauge("spool_oldest_age_seconds", "Age of the oldest not acknowledged", age_s)


def _clock(clock: State, lateness_ms: Any) -> Iterator[Metric]:
    text = "1 while the clock is synchronised"
    yield from _gauge("clock_synchronised", text, clock.get("synchronised"))
    if _number(offset_ms := clock.get("offset_ms")):
        yield from _gauge("clock_offset_seconds", "Offset as last measured", offset_ms / 1000)
    if _number(lateness_ms):
        text = "From the last slot's instant to its being durable"
        yield from _gauge("slot_lateness_seconds", text, lateness_ms / 1000)


def _devices(devices: Sequence[DeviceHealth]) -> Iterator[Metric]:
    for key, name, text in (
        ("answering", "device_up", "1 while the device answers"),
        ("successes", "device_successes_total", "Reads or messages that gave values"),
        ("failures", "device_failures_total", "Reads that failed, messages that were refused"),
        ("backoff_s", "device_backoff_seconds", "Pause before the device is tried again"),
    ):
        values = [((each.line, each.device), getattr(each, key)) for each in devices]
        yield from _family(name, text, ["line", "device"], values)
    failing = [((each.line, each.device, each.reason), 1) for each in devices if each.reason]
    text = "The reason of the last failure of a device"
    yield from _family("device_last_error", text, ["line", "device", "reason"], failing)


def _gauge(name: str, text: str, value: Any) -> Iterator[Metric]:
    if _number(value):
        yield GaugeMetricFamily(f"tanzheng_{name}", text, value=float(value))


def _family(
    name: str, text: str, labels: list[str], values: Iterable[tuple[tuple[Any, ...], Any]]
) -> Iterator[Metric]:
    """A family with labels: a counter where the name ends so. Without a value there is none."""
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(f"tanzheng_{name}", text, labels=labels)
    for number, (label_values, value) in enumerate(values):
        if number < SERIES_MAX and _number(value):
            family.add_metric(list(label_values), float(value))
    if family.samples:
        yield family


def _mapping(state: State, key: str) -> State:
    found = state.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float)


def _response(
    status: str, body: bytes, header: str = "", content_type: str = "text/plain"
) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"{header}Connection: close\r\n\r\n"
    )
    return head.encode() + body
