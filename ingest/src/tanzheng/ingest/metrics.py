"""Metrics for Prometheus and the service's health, over plain HTTP.

Counts come from `Meter` at each scrape. What the ledger alone knows, whichever worker stored it
(how old each gateway's newest reading is), is asked of the database by a connection of its own, at
most every `LEDGER_EVERY_S`. No name of a user, no address and no key is shown.

    GET /metrics    Prometheus text
    GET /health     200 {"healthy": true, …}, or 503 with the reasons
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.ingest.meter import COMMIT_S_BOUNDS, Meter

GATEWAYS_MAX = 500
"""Series of one family: those whose newest reading is oldest. The rest is counted."""
LEDGER_EVERY_S = 15.0
LEDGER_S_MAX = 5.0
REQUEST_S_MAX = 5.0
ANSWER_S_MAX = 20.0
"""A whole request with its answer, also where the database is slow."""
REQUESTS_AT_ONCE_MAX = 8

_NEWEST = """
SELECT g.gw, g.state = 'suspended', newest.last_ms FROM gateway g
LEFT JOIN LATERAL (SELECT last_ms FROM batch b WHERE b.gw = g.gw AND b.readings > 0
                   ORDER BY last_ms DESC LIMIT 1) AS newest ON true
ORDER BY newest.last_ms NULLS FIRST, g.gw
"""
_COUNTERS = {
    "accepted": ("batches_accepted", "Batches stored, early ones included"),
    "early": ("batches_early", "Of these, ahead of their chain"),
    "duplicates": ("batches_duplicate", "Batches that were stored before"),
    "readings": ("readings", "Readings stored"),
}
Newest = list[tuple[str, bool, int | None]]
"""Gateway, suspended, last instant of its newest batch with readings (UTC ms)."""


class MetricsFailed(TanzhengError):
    """The address for metrics cannot be had."""


class Ledger:
    """The newest reading of each gateway; asked seldom, by one thread at a time."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._lock = threading.Lock()
        self._asked_s = float("-inf")
        self._known: Newest = []

    def newest(self) -> Newest:
        """As of the last `LEDGER_EVERY_S`; what was known where the database does not answer."""
        with self._lock:
            if time.monotonic() - self._asked_s >= LEDGER_EVERY_S:
                self._asked_s = time.monotonic()
                try:
                    self._known = self._ask()
                except psycopg.Error:
                    self._known = []  # the gauge of the database says why
            return self._known

    def _ask(self) -> Newest:
        timeout_ms = int(LEDGER_S_MAX * 1000)
        with psycopg.connect(
            self._url,
            application_name="tanzheng-ingest-metrics",
            connect_timeout=int(LEDGER_S_MAX),
            options=f"-c statement_timeout={timeout_ms}",
        ) as connection:
            connection.read_only = True
            return connection.execute(_NEWEST).fetchall()


class _Collected(Collector):
    """Families made at each scrape."""

    def __init__(self, meter: Meter, ledger: Ledger) -> None:
        self._meter, self._ledger = meter, ledger

    def collect(self) -> Iterator[Metric]:
        """What Prometheus asks for."""
        meter = self._meter
        for name, (metric, text) in _COUNTERS.items():
            yield CounterMetricFamily(f"tanzheng_ingest_{metric}", text, getattr(meter, name))
        refused = CounterMetricFamily(
            "tanzheng_ingest_batches_quarantined", "Messages refused, by reason", labels=["reason"]
        )
        for reason, count in sorted(meter.refused.copy().items()):
            refused.add_metric([reason], count)
        yield refused
        yield _commit_seconds(meter)
        yield _gauge("queue_depth", "Messages that wait to be written", meter.queue_depth())
        yield _gauge("database_up", "1 while the database answers", meter.database_up)
        yield _gauge("broker_connected", "1 while the broker is connected", meter.broker_connected)
        yield from _gateways(self._ledger.newest())


def _commit_seconds(meter: Meter) -> Metric:
    buckets, total = [], 0
    for bound, count in zip((*map(str, COMMIT_S_BOUNDS), "+Inf"), list(meter.commits), strict=True):
        total += count
        buckets.append((bound, float(total)))
    text = "From a group's first statement to its commit"
    return HistogramMetricFamily(
        "tanzheng_ingest_commit_seconds", text, buckets=buckets, sum_value=meter.commit_s_sum
    )


def _gateways(newest: Newest) -> Iterator[Metric]:
    if not newest:
        return
    text = "Age of a gateway's newest stored reading"
    lag = GaugeMetricFamily("tanzheng_ingest_newest_age_seconds", text, labels=["gateway"])
    now_ms = time.time_ns() // 1_000_000
    for gw, _, last_ms in [each for each in newest if each[2] is not None][:GATEWAYS_MAX]:
        lag.add_metric([gw], (now_ms - (last_ms or 0)) / 1000)
    yield lag
    yield _gauge("gateways", "Enrolled gateways", len(newest))
    suspended = sum(suspended for _, suspended, _ in newest)
    yield _gauge("gateways_suspended", "Gateways from which nothing is taken", suspended)
    silent = sum(last_ms is None for *_, last_ms in newest)
    yield _gauge("gateways_silent", "Gateways without any reading yet", silent)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tanzheng_ingest_{name}", text, float(value))


class MetricsServer:
    """Serves `/metrics` and `/health` from threads of its own until `close`."""

    def __init__(self, address: str, meter: Meter, database_url: str) -> None:
        """Listens on HOST:PORT (port 0: a free one); `BadInput`, `MetricsFailed`."""
        host, port = _parsed(address)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collected(meter, Ledger(database_url)))
        ProcessCollector(registry=self._registry)
        self._meter = meter
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise MetricsFailed(f"metrics: expected to listen on {address}, got {error}") from error
        self._server.answer = self.answer
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        if path == "/health":
            faults = self._meter.faults()
            body = json.dumps({"healthy": not faults, "reasons": faults}) + "\n"
            return 503 if faults else 200, "application/json", body.encode()
        return 404, "text/plain", b"expected /metrics or /health\n"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """At most `REQUESTS_AT_ONCE_MAX` requests at a time; further ones are closed at once."""

    daemon_threads = True
    answer: Any = None

    def __init__(self, *arguments: Any) -> None:
        self._room = threading.BoundedSemaphore(REQUESTS_AT_ONCE_MAX)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a connection, where there is room."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, from its first byte to its end, which comes in time."""
        limit = threading.Timer(ANSWER_S_MAX, _hang_up, (request,))
        limit.daemon = True
        limit.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            limit.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away in the middle: nothing to tell it."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_S_MAX

    def do_GET(self) -> None:
        """One request a connection."""
        assert isinstance(self.server, _Server)
        status, kind, body = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Which Python answers is nobody's business."""
        return "tanzheng"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Scrapes are no events."""


def _hang_up(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _parsed(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise BadInput(f"--metrics: expected HOST:PORT, got {address!r}")
    return host, int(port)
