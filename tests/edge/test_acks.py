"""Acks at the desk: only the platform's word on our own batch frees space."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.batches import Seal
from edge.world import GATEWAY, PLATFORM_KEY, STRANGER_KEY, ack_of
from tanzheng.core.batch import ChainHead
from tanzheng.edge import log
from tanzheng.edge.counters import Counters
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.uplink.acks import AckDesk

POINTS = ("m/active_power_kw",)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool with five sealed batches of one slot each."""
    spool = Spool(tmp_path, GATEWAY, POINTS)
    Seal(spool, POINTS).chain(5)
    yield spool
    spool.close()


def head_at(spool: Spool, seq: int) -> ChainHead:
    found = spool.next_batch(1, seq - 1)
    assert found is not None
    return found[0]


def held(spool: Spool) -> int:
    """How many batches the spool holds."""
    count, place = 0, (0, 0)
    while found := spool.next_batch(*place):
        count, place = count + 1, (found[0].epoch, found[0].seq)
    return count


def desk_of(spool: Spool) -> tuple[AckDesk, Counters]:
    counters = Counters()
    return AckDesk(GATEWAY, PLATFORM_KEY.public, spool, counters), counters


def test_a_signed_ack_frees_up_to_its_place(spool: Spool) -> None:
    desk, counters = desk_of(spool)
    assert desk.receive(ack_of(head_at(spool, 3)), 0) is not None
    assert (held(spool), counters.ack_accepted) == (2, 1)


def test_a_forged_ack_is_refused_counted_and_logged(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    desk, counters = desk_of(spool)
    with caplog.at_level(logging.ERROR, logger="tanzheng.edge"):
        assert desk.receive(ack_of(head_at(spool, 3), key=STRANGER_KEY), 0) is None
    assert (held(spool), counters.ack_forged) == (5, 1)
    assert [record.getMessage() for record in caplog.records] == ["ack_forged"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_passes(spool: Spool, data: st.DataObject) -> None:
    desk, counters = desk_of(spool)
    raw = bytearray(ack_of(head_at(spool, 3)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert desk.receive(bytes(raw), 0) is None
    assert held(spool) == 5
    assert counters.ack_forged + counters.ack_malformed == 1


@pytest.mark.parametrize("raw", [b"", b"\x00", b"garbage", b"\xd2" * 2000])
def test_garbage_is_counted(spool: Spool, raw: bytes) -> None:
    desk, counters = desk_of(spool)
    assert desk.receive(raw, 0) is None
    assert (held(spool), counters.ack_malformed) == (5, 1)


def test_an_ack_for_another_gateway_is_refused(spool: Spool) -> None:
    desk, counters = desk_of(spool)
    assert desk.receive(ack_of(head_at(spool, 3), gateway="lg-gw2"), 0) is None
    assert (held(spool), counters.ack_foreign) == (5, 1)


def test_a_replayed_old_ack_is_harmless(spool: Spool) -> None:
    desk, counters = desk_of(spool)
    old, new = ack_of(head_at(spool, 2)), ack_of(head_at(spool, 4))
    for raw in (old, new, old, old, new):
        desk.receive(raw, 0)
    assert (held(spool), counters.ack_accepted, counters.ack_stale) == (1, 2, 3)
    assert spool.acked is not None
    assert spool.acked.seq == 4


def test_a_wrong_head_never_frees(spool: Spool) -> None:
    """The platform signed for another batch at our place: a fork, for people to look at."""
    desk, counters = desk_of(spool)
    desk.receive(ack_of(ChainHead(1, 3, bytes([5]) * 32)), 0)
    assert (held(spool), counters.ack_conflict) == (5, 1)
    assert spool.acked is None


def test_an_ack_ahead_opens_an_epoch_that_names_the_platforms_head(spool: Spool) -> None:
    """The disk came back from a backup: nothing is sealed on top of its stale end."""
    desk, counters = desk_of(spool)
    platform = ChainHead(1, 40, bytes([6]) * 32)
    desk.receive(ack_of(platform), 1234)
    assert (held(spool), counters.epochs_opened) == (0, 1)
    Seal(spool, POINTS).next()
    found = spool.next_batch(1, 40)
    assert found is not None
    assert (found[0].epoch, found[0].seq) == (2, 1)
    desk.receive(ack_of(platform), 1234)  # repeated: no further epoch
    assert counters.epochs_opened == 1
    assert desk.receive(ack_of(found[0]), 1234) is not None
    assert spool.acked == found[0]


def test_log_lines_are_json() -> None:
    formatter = log.JsonLines()
    record = logging.LogRecord("n", logging.ERROR, "f", 1, "ack_forged", None, None)
    record.fields = {"detail": "平台"}
    line = json.loads(formatter.format(record))
    assert (line["event"], line["level"], line["detail"]) == ("ack_forged", "error", "平台")
