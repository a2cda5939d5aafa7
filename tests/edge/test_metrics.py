"""The agent's state as Prometheus reads it, over a real socket; hostile requests harm nothing."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tanzheng.edge import metrics
from tanzheng.edge.counters import Counters
from tanzheng.edge.metrics import Metrics

STATE: dict[str, Any] = {
    "counters": asdict(Counters()) | {"readings": 77, "ack_forged": 3, "sealed": 5, "dropped": 12}
    | {"missed_by_reason": {"comms_timeout": 4, "not_available": 1}},
    "lines": {
        "192.0.2.1:502": {
            "open": True,
            "devices": {
                "a": {"answering": True, "reason": None, "successes": 9, "failures": 0},
                'b"\n': {
                    "answering": False, "reason": "refused", "answers": 0, "failures": 6,
                    "backoff_s": 8.0,
                },
            },
        },
        "broken": {"devices": {"x": 3}}, "more": 4,
    },
    "spool": {"bytes": 4096, "unsealed": 2, "batches": 1, "oldest_ms": 1_000},
    "clock": {"source": "chrony", "synchronised": True, "offset_ms": -20},
    "slot_lateness_ms": 35,
    "connected": True,
    "in_flight": 1,
    "spool_full": False,
    "now_ms": 61_000,
}  # fmt: skip


def samples(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values by label) → value, by the library's own parser."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serving(work: Callable[[int], Awaitable[Any]], state: dict[str, Any] = STATE) -> Any:
    """What `work` gives while metrics are served on its port."""

    async def run() -> Any:
        port = free_port()
        server = await Metrics(lambda: state).serve(port)
        try:
            return await work(port)
        finally:
            server.close()

    return asyncio.run(run())


async def ask(port: int, request: bytes, eof: bool = False) -> bytes:
    """The whole answer to `request`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        if eof:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_a_scrape_shows_the_state() -> None:
    answer = serving(lambda port: ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    found = samples(body)
    expected: dict[tuple[str, tuple[str, ...]], float] = {
        ("tanzheng_readings_total", ()): 77,
        ("tanzheng_sealed_total", ()): 5,
        ("tanzheng_missed_total", ("comms_timeout",)): 4,
        ("tanzheng_missed_total", ("not_available",)): 1,
        ("tanzheng_acks_total", ("forged",)): 3,
        ("tanzheng_acks_total", ("accepted",)): 0,
        ("tanzheng_device_up", ("a", "192.0.2.1:502")): 1,
        ("tanzheng_device_up", ('b"\n', "192.0.2.1:502")): 0,
        ("tanzheng_device_failures_total", ('b"\n', "192.0.2.1:502")): 6,
        ("tanzheng_device_backoff_seconds", ('b"\n', "192.0.2.1:502")): 8,
        ("tanzheng_device_last_error", ('b"\n', "192.0.2.1:502", "refused")): 1,
        ("tanzheng_spool_bytes", ()): 4096,
        ("tanzheng_spool_entries", ()): 2,
        ("tanzheng_spool_oldest_age_seconds", ()): 60,
        ("tanzheng_dropped_total", ()): 12,
        ("tanzheng_broker_connected", ()): 1,
        ("tanzheng_spool_full", ()): 0,
        ("tanzheng_clock_synchronised", ()): 1,
        ("tanzheng_clock_offset_seconds", ()): -0.02,
        ("tanzheng_slot_lateness_seconds", ()): 0.035,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["process_resident_memory_bytes", ()] > 1 << 20
    assert ("process_cpu_seconds_total", ()) in found


def test_what_is_not_known_is_left_out() -> None:
    found = samples(Metrics(lambda: {"lines": {"x": 3}, "clock": {"offset_ms": None}}).text())
    assert not [name for name, _ in found if name.startswith("tanzheng_")]


def test_an_empty_spool_has_no_age() -> None:
    state = {"spool": {"bytes": 0, "oldest_ms": None}, "now_ms": 5}
    found = samples(Metrics(lambda: state).text())
    assert found["tanzheng_spool_oldest_age_seconds", ()] == 0


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"405"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET /metrics SSH-2.0\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n", b"431"),
    ],
)
def test_other_requests_are_refused_by_name(request_bytes: bytes, status: bytes) -> None:
    answer = serving(lambda port: ask(port, request_bytes))
    # A peer that sends more than is read may see a reset instead of the answer.
    assert answer[9:12] == status or (status == b"431" and answer == b"")


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_survived(garbage: bytes) -> None:
    async def work(port: int) -> bytes:
        await ask(port, garbage, eof=True)
        return await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert serving(work).startswith(b"HTTP/1.1 200")


def test_a_peer_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "REQUEST_S_MAX", 0.2)
    assert serving(lambda port: ask(port, b"GET /met")) == b""


def test_silent_peers_do_not_pile_up() -> None:
    async def work(port: int) -> tuple[bytes, bytes]:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        await asyncio.sleep(0.1)
        refused = await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        for _, writer in silent:
            writer.close()
        await asyncio.sleep(0.1)
        return refused, await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")

    refused, after = serving(work)
    assert refused[9:12] == b"503" or refused == b""
    assert after[9:12] == b"200"
