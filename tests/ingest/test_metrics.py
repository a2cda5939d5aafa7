"""What the service tells of itself: over real sockets, from a real process, and never a secret."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingest.boxes import Box, enrolled, message, put, second_box
from ingest.service import Uplink, ingest, until
from parts import server_folder
from tanzheng.core.errors import BadInput
from tanzheng.ingest import metrics
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.decide import Reason
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.meter import STUCK_S_MAX, Meter
from tanzheng.ingest.metrics import MetricsFailed, MetricsServer
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Outcome, Writer

AWAY = "postgresql://nobody:hidden-word@127.0.0.1:1/none"
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(text: str) -> Samples:
    """(name, label values) → value, by the library's own parser."""
    return {
        (sample.name.removeprefix("tanzheng_ingest_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:  # no room, or nobody there yet
        return 0, ""


@pytest.fixture
def meter() -> Meter:
    return Meter(queue_depth=lambda: 7)


@pytest.fixture
def server(meter: Meter) -> Iterator[MetricsServer]:
    with closing(MetricsServer("127.0.0.1:0", meter, AWAY)) as made:
        yield made


def test_a_scrape_shows_the_counts(meter: Meter, server: MetricsServer) -> None:
    outcome = Outcome(accepted=3, early=1, readings=90, duplicates=2)
    outcome.refused = Counter({Reason.FORK: 1, Reason.ZSTD: 4})
    for seconds in (0.004, 0.02, 0.02, 30.0):
        meter.wrote(outcome, seconds)
    meter.broker_connected = True
    status, text = get(server.port, "/metrics")
    assert status == 200
    found = samples(text)
    expected: Samples = {
        ("batches_accepted_total", ()): 12,
        ("batches_early_total", ()): 4,
        ("batches_duplicate_total", ()): 8,
        ("readings_total", ()): 360,
        ("batches_quarantined_total", ("sequence_forked",)): 4,
        ("batches_quarantined_total", ("zstd_invalid",)): 16,
        ("commit_seconds_bucket", ("0.005",)): 1,
        ("commit_seconds_bucket", ("0.01",)): 1,
        ("commit_seconds_bucket", ("0.025",)): 3,
        ("commit_seconds_bucket", ("10.0",)): 3,
        ("commit_seconds_bucket", ("+Inf",)): 4,
        ("commit_seconds_count", ()): 4,
        ("queue_depth", ()): 7,
        ("database_up", ()): 0,
        ("broker_connected", ()): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["commit_seconds_sum", ()] == pytest.approx(30.044)
    assert not [key for key in found if key[0].startswith(("gateways", "newest"))]
    assert "hidden-word" not in text


def test_health_says_why(meter: Meter, server: MetricsServer) -> None:
    both = ["broker not connected", "database away"]
    status, text = get(server.port, "/health")
    assert (status, json.loads(text)) == (503, {"healthy": False, "reasons": both})
    meter.broker_connected = True
    meter.database(0, up=True)
    assert get(server.port, "/health") == (200, '{"healthy": true, "reasons": []}\n')
    meter.alive_s[0] -= STUCK_S_MAX + 5
    status, text = get(server.port, "/health")
    assert (status, json.loads(text)["reasons"]) == (503, ["no sign of life for 65 s"])
    assert get(server.port, "/")[0] == 404
    assert get(server.port, "/health?x=1")[0] == 503


def test_the_newest_reading_of_each_gateway(
    database_url: str, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, other = Box(), second_box()
    other.t_ms -= 86_400_000
    migrate(database_url)
    with (
        closing(Writer(database_url, enrolled(box, other))) as writer,
        closing(MetricsServer("127.0.0.1:0", meter, database_url)) as server,
    ):
        put(writer, [message(box.next())])
        found = samples(get(server.port, "/metrics")[1])
        assert (found["gateways", ()], found["gateways_silent", ()]) == (2, 1)
        age_s = found["newest_age_seconds", ("gw1",)]
        assert age_s == pytest.approx(time.time() - box.t_ms / 1000 + 60, abs=60)
        put(writer, [message(other.next(), "gw2"), message(Box(key=box.key).next(slots=9))])
        known = samples(get(server.port, "/metrics")[1])
        assert known["gateways_silent", ()] == 1  # not asked again so soon
    monkeypatch.setattr(metrics, "GATEWAYS_MAX", 1)
    with closing(MetricsServer("127.0.0.1:0", meter, database_url)) as server:
        found = samples(get(server.port, "/metrics")[1])
    assert (found["gateways_silent", ()], found["gateways_suspended", ()]) == (0, 1)
    # One series only, and that is the gateway with the oldest data.
    assert [labels for name, labels in found if name == "newest_age_seconds"] == [("gw2",)]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"501"),
        (b"GET /metrics SSH-2.0\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
    ],
)
def test_other_requests_are_refused(
    server: MetricsServer, request_bytes: bytes, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
        peer.sendall(request_bytes)
        assert status in peer.makefile("rb").read()
    assert get(server.port, "/health")[0] == 503


def test_silent_peers_do_not_pile_up(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "ANSWER_S_MAX", 0.5)
    peers = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(12)]
    for peer in peers:  # the last four at once, the others when their time is over
        peer.settimeout(10)
        assert peer.recv(10) == b""
        peer.close()
    until(lambda: get(server.port, "/health")[0] == 503)


@pytest.mark.parametrize("address", ["9100", ":9100", "127.0.0.1:", "127.0.0.1:x", "h:70000"])
def test_a_wrong_address_is_named(meter: Meter, address: str) -> None:
    with pytest.raises(BadInput, match="--metrics: expected HOST:PORT"):
        MetricsServer(address, meter, AWAY)


def test_an_address_that_is_taken_is_named(meter: Meter, server: MetricsServer) -> None:
    with pytest.raises(MetricsFailed, match="expected to listen"):
        MetricsServer(f"127.0.0.1:{server.port}", meter, AWAY)


def test_the_service_itself(broker: Broker, tmp_path: Path) -> None:
    """Database killed, broker killed: health says which, and all is well again by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    uplink = Uplink(broker, Box())
    extra = ("--metrics", f"127.0.0.1:{port}")

    def health() -> tuple[int, list[str]]:
        status, text = get(port, "/health")
        return status, json.loads(text)["reasons"] if text else []

    with server_folder() as folder, EmbeddedPostgres(folder) as server:
        migrate(server.url())
        with ingest(broker, server.url(), tmp_path, uplink.box, options=extra) as process:
            uplink.deliver(uplink.box.next(), uplink.box.next())
            uplink.publish(b"garbage")
            until(lambda: health() == (200, []))
            until(lambda: 'reason="encoding_invalid"' in get(port, "/metrics")[1])
            _, text = get(port, "/metrics")
            found = samples(text)
            assert (found["batches_accepted_total", ()], found["readings_total", ()]) == (2, 60)
            assert (found["database_up", ()], found["broker_connected", ()]) == (1, 1)
            assert found["process_resident_memory_bytes", ()] > 1 << 20
            for secret in (urlsplit(broker.platform_url).password, "passfile", "password"):
                assert secret is not None
                assert secret not in text
            server.kill()
            uplink.publish(uplink.box.next())
            until(lambda: health() == (503, ["database away"]))
            server.start()
            until(lambda: health() == (200, []))
            broker.kill()
            until(lambda: health() == (503, ["broker not connected"]))
            broker.start()
            until(lambda: health() == (200, []))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    uplink.close()


def test_without_metrics_the_library_is_not_loaded() -> None:
    code = "import sys, tanzheng.ingest.consumer; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "prometheus_client" not in done.stdout
