"""Loggers on real sockets: what is durable, what is answered, what is refused, what is bounded."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edge.hj212_world import (
    MINUTE,
    MN,
    NOW_MS,
    UPLOAD,
    VALUES,
    MemorySink,
    World,
    connected,
    decode,
    exchange,
    logger_of,
    placed,
    until,
)
from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Miss, Surroundings
from tanzheng.edge.drivers.hj212 import packets
from tanzheng.edge.drivers.hj212.driver import make_lines
from tanzheng.hardware.hj212.codec import Upload, build, frame
from tanzheng.hardware.hj212.simulator import DataLogger, Faults, LoggerSettings


async def nothing_comes(reader: asyncio.StreamReader, seconds: float = 0.15) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await reader.readexactly(1)


# -- answers


@pytest.mark.parametrize(("version", "flag"), [(2005, 0), (2017, 4), (2025, 8)])
@pytest.mark.parametrize(
    ("cn", "command"),
    [("2011", "9014"), ("2051", "9014"), ("1013", "9013"), ("9015", "9013"), ("3019", "9013")],
)
async def test_an_answer_repeats_what_it_must(
    version: Any, flag: int, cn: str, command: str
) -> None:
    async with World() as world:
        line = await exchange(world, Upload(cn, b"", "2" * 17, version=version, answer=True))
    (answer,) = decode(line)
    assert (answer.valid_crc, answer.length_ok, answer.deviations) == (True, True, ())
    got = answer.qn, answer.st, answer.cn, answer.pw, answer.mn, answer.flag, answer.items
    assert got == ("2" * 17, "91", command, "123456", MN, flag, ())


async def test_no_answer_before_it_is_durable() -> None:
    world = World(sink=MemorySink(delay_s=0.3))
    async with world, connected(world) as (reader, writer):
        writer.write(build(UPLOAD))
        await until(lambda: world.sink.begun)
        await nothing_comes(reader)
        assert world.sink.commits == 0
        await reader.readuntil(b"\r\n")
        assert world.sink.commits == 1


async def test_no_answer_where_the_spool_is_full_and_none_lost_later() -> None:
    world = World(sink=MemorySink(full=True))
    settings = LoggerSettings(answer_s_max=0.1)
    async with world, logger_of(world, DataLogger(settings)) as logger:
        logger.measure("2011", NOW_MS - MINUTE, VALUES)
        await until(lambda: world.device().get("frames_not_stored", 0) > 2)
        assert logger.counts.acknowledged == 0
        world.sink.full = False
        await logger.idle()
    assert world.sink.values() == {(point, NOW_MS - MINUTE): [v] for point, v in
                                   enumerate((12.0, 6.5, 360_000.0))}  # fmt: skip


async def test_who_asks_for_no_answer_gets_none() -> None:
    async with World() as world, connected(world) as (reader, writer):
        writer.write(build(Upload("2011", UPLOAD.content, "2" * 17)))
        await until(lambda: world.sink.commits)
        writer.write(build(Upload("9014", b"", "2" * 17, st="91", answer=True)))
        await nothing_comes(reader)
        assert world.device()["answers_unasked"] == 1


async def test_the_process_dies_between_disk_and_answer_and_the_frame_comes_again() -> None:
    """The sink outlives the line, as the spool outlives the process."""
    sink = MemorySink(delay_s=0.2)
    async with World(sink=sink) as world, connected(world) as (reader, writer):
        writer.write(build(UPLOAD))
        await until(lambda: sink.begun)
    assert sink.commits == 0, "cancelled before it was durable: never answered"
    assert await reader.read() == b""
    async with World(sink=sink) as world:
        assert b"CN=9014" in await exchange(world, UPLOAD)
    assert list(sink.values().values()) == [[12.0]]


# -- refusals


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (build(UPLOAD).replace(b"=12.0", b"=13.0"), "crc"),
        (build(UPLOAD, "modbus_le"), "crc"),
        (build(Upload("2011", UPLOAD.content, "2" * 17, mn="X" * 14, answer=True)), "unknown_mn"),
        (build(Upload("2011", UPLOAD.content, "2" * 17, pw="654321", answer=True)), "password"),
        (build(Upload("2011", UPLOAD.content, "2" * 17, answer=True), key=b"k" * 16),
         "sm4_key_missing"),
    ],
)  # fmt: skip
async def test_what_is_not_believed_is_kept_aside_and_not_answered(
    raw: bytes, reason: str, tmp_path: Path
) -> None:
    link = {"password": "123456", "quarantine": str(tmp_path / "q")}
    async with World([link]) as world, connected(world) as (reader, writer):
        writer.write(raw)
        await until(lambda: world.line.status()["refused"])
        await nothing_comes(reader)
        status = world.line.status()
    assert status["refused"] == {reason: 1}
    assert status["unknown_mn"] == ({"X" * 14: 1} if reason == "unknown_mn" else {})
    assert (world.sink.takes, world.sink.events) == ([], [])
    (file,) = (tmp_path / "q").iterdir()
    assert raw[:-2].hex() in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    noted = [event.detail["refused"] for event in world.notes if event.kind == "frame_refused"]
    assert noted == ([] if reason == "unknown_mn" else [reason])


@pytest.mark.parametrize(("rule", "mode"), [("modbus_le", "modbus_le"), ("modbus_le", "hj212"),
                                            ("off", "modbus_le")])  # fmt: skip
async def test_the_check_sum_of_the_device(rule: str, mode: Any) -> None:
    world = World([{"crc": rule}])
    async with world, logger_of(world, DataLogger(LoggerSettings(crc=mode))) as logger:
        logger.measure("2011", NOW_MS - MINUTE, VALUES)
        await logger.idle()
        assert logger.counts.acknowledged == 1


async def test_crc_off_takes_a_wrong_sum_and_says_so() -> None:
    async with World([{"crc": "off"}]) as world, connected(world) as (reader, writer):
        writer.write(frame(UPLOAD.segment(), b"FFFF"))
        await reader.readuntil(b"\r\n")
    assert world.sink.events[0].detail["deviations"] == "crc_invalid"


def test_the_quarantine_is_bounded(tmp_path: Path) -> None:
    world = World([{"quarantine": str(tmp_path)}])
    keep = world.line._quarantine.keep
    for number in range(3000):
        keep(0, "unknown_mn", "192.0.2.9", f"MN{number}", b"x" * 500)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1 << 20
    assert len(world.line.status()["unknown_mn"]) == 32


# -- whole loggers

LOGGERS = {
    "plain": LoggerSettings(),
    "byte by byte": LoggerSettings(faults=Faults(chunk_bytes=1)),
    "modbus": LoggerSettings(crc="modbus_le"),
    "noise": LoggerSettings(faults=Faults(noise=b"\x00##12\xff\r\n")),
    "wrong length": LoggerSettings(faults=Faults(wrong_length=-3)),
    "too long": LoggerSettings(faults=Faults(wrong_length=700)),
    "lower case": LoggerSettings(faults=Faults(lower_case=True)),
    "bad sums": LoggerSettings(faults=Faults(bad_crc_every=3), answer_s_max=0.1),
    "cut off": LoggerSettings(faults=Faults(cut_every=4)),
    "packets": LoggerSettings(content_bytes_max=60, faults=Faults(reverse_packets=True)),
    "no answers": LoggerSettings(answer=False),
    "encrypted": LoggerSettings(version=2025, sm4_key=b"0123456789abcdef"),
    "another zone": LoggerSettings(utc_offset_h=0),
}


@pytest.mark.parametrize("name", LOGGERS)
async def test_none_lost_none_twice(name: str, tmp_path: Path) -> None:
    settings = LOGGERS[name]
    (tmp_path / "key").write_text("30313233343536373839616263646566\n")
    link = {
        "crc": settings.crc,
        "sm4_key_file": str(tmp_path / "key"),
        "utc_offset": f"+{settings.utc_offset_h:02d}:00",
    }
    world = World([link])
    async with world, logger_of(world, DataLogger(settings)) as logger:
        for minute in range(20):
            t_ms = NOW_MS - (20 - minute) * MINUTE
            logger.measure("2011", t_ms, VALUES | {"a05001-Rtd": f"{minute}.5"})
        await logger.idle()
        await until(lambda: world.device()["values"] == 60)
    expected = {
        (point, NOW_MS - (20 - minute) * MINUTE): [value]
        for minute in range(20)
        for point, value in enumerate((minute + 0.5, 6.5, 360_000.0))
    }
    assert world.sink.values() == expected
    assert all(take.quality == bytes(len(take.points)) for take in world.sink.takes)
    assert logger.commands == [], "nothing is ever commanded"
    assert {event.kind for event in world.sink.events} == {"frame"}


async def test_values_sent_again_later_are_dropped_and_counted() -> None:
    world = World()
    async with world, logger_of(world, DataLogger()) as logger:
        for resent in (False, True, True):
            logger.measure("2011", NOW_MS - MINUTE, VALUES, resent=resent)
            await logger.idle()
        assert logger.counts.acknowledged == 3
    assert {len(values) for values in world.sink.values().values()} == {1}
    assert (world.device()["duplicates"], world.device()["values"]) == (6, 3)
    assert [event.detail.get("duplicates") for event in world.sink.events] == [None, 3, 3]


def test_a_packet_sent_again_opens_nothing_that_was_complete() -> None:
    known = packets.Packets()
    two = [
        decode(build(Upload("2051", UPLOAD.content, f"{qn:017d}", packet=(2, number))))[0]
        for qn, number in ((1, 2), (2, 1), (3, 2))
    ]
    for one in two:
        known.add(one, 0.0)
    assert len(known) == 0
    for number in range(1000):
        lone = Upload("2051", b"DataTime=%014d" % number, packet=(2, 1))
        known.add(decode(build(lone))[0], 0.0)
        known.overdue(0.0)
    assert len(known) == packets.OPEN_MAX
    assert len(known.overdue(packets.AGE_S_MAX)) == packets.OPEN_MAX


async def test_we_connect_to_a_logger_that_listens_and_again_after_it_was_away() -> None:
    logger = DataLogger()
    server = await logger.listen()
    port = server.sockets[0].getsockname()[1]
    async with World([{"mode": "connect", "port": port}]) as world:
        logger.measure("2011", NOW_MS - 2 * MINUTE, VALUES)
        await logger.idle()
        server.close()
        world.line.close()
        await server.wait_closed()
        server = await logger.listen(port=port)
        logger.measure("2011", NOW_MS - MINUTE, VALUES)
        await logger.idle()
        server.close()
    assert len(world.sink.values()) == 6
    assert all(len(values) == 1 for values in world.sink.values().values())


async def test_several_loggers_on_one_port() -> None:
    world = World([{}, {"mn": "B" * 24}])
    settings = LoggerSettings(mn="B" * 24)
    one, other = DataLogger(), DataLogger(settings)
    async with world, logger_of(world, one), logger_of(world, other):
        one.measure("2011", NOW_MS - MINUTE, VALUES)
        other.measure("2011", NOW_MS - MINUTE, VALUES)
        await one.idle()
        await other.idle()
    assert {point for point, _ in world.sink.values()} == {0, 1, 2, 3, 4, 5}


async def test_a_missing_packet_is_told_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "AGE_S_MAX", 0.05)
    faults = Faults(drop_packets=frozenset({2}))
    world = World([{"data": "2051"}])
    settings = LoggerSettings(content_bytes_max=60, faults=faults)
    async with world, logger_of(world, DataLogger(settings)) as logger:
        statistics = {name.replace("Rtd", "Avg"): text for name, text in VALUES.items()}
        logger.measure("2051", NOW_MS - MINUTE, statistics)
        await logger.idle()
        assert logger.counts.acknowledged == 2
        await asyncio.sleep(0.06)
        world.round(NOW_MS)
        world.round(NOW_MS)
    (event,) = world.notes
    assert event.kind == "packets_missing"
    assert (event.detail["packets"], event.detail["missing"]) == (3, "2")
    assert {point for point, _ in world.sink.values()} == {0, 2}


async def test_backfilled_data_keep_their_own_time() -> None:
    world = World()
    old_ms = NOW_MS - 3 * 86_400_000
    async with world, logger_of(world, DataLogger(LoggerSettings(version=2025))) as logger:
        logger.measure("2011", NOW_MS - MINUTE, VALUES)
        logger.measure("2011", old_ms, VALUES, resent=True)
        await logger.idle()
    assert {t_ms for _, t_ms in world.sink.values()} == {NOW_MS - MINUTE, old_ms}
    assert not world.round(NOW_MS).misses, "the newest value counts, whatever came last"


@pytest.mark.parametrize(("mark", "quality"), [("N", Quality.GOOD), ("S", Quality.MANUAL),
    ("M", Quality.MAINTENANCE), ("C", Quality.CALIBRATION), ("F", Quality.FAULT),
    ("D", Quality.FAULT), ("T", Quality.OVER_RANGE), ("B", Quality.COMMS)])  # fmt: skip
async def test_marks_are_qualities(mark: str, quality: Quality) -> None:
    world = World()
    async with world, logger_of(world, DataLogger()) as logger:
        logger.measure("2011", NOW_MS - MINUTE, VALUES, mark)
        await logger.idle()
    (take,) = world.sink.takes
    assert list(take.quality) == [quality] * 3


# -- rounds


async def test_a_point_is_missing_after_its_time_and_never_the_old_value_again() -> None:
    world = World([{"stale_after": 2}])
    async with world, logger_of(world, DataLogger()) as logger:
        (miss,) = world.round(NOW_MS).misses
        assert (miss.points, miss.reason) == ((0, 1, 2), "stale")
        logger.measure("2011", NOW_MS, VALUES | {"a19001-Rtd": "-999"})
        await logger.idle()
    (miss,) = world.round(NOW_MS + MINUTE).misses
    assert (miss.points, miss.reason) == ((1,), "not_available")
    reasons = {miss.reason for miss in world.round(NOW_MS + 3 * MINUTE).misses}
    assert reasons == {"stale"}


async def test_a_single_upload_that_stays_away_is_a_gap_of_its_slot() -> None:
    """The uploads of 12:02 and 12:04 come; nobody ever sends that of 12:03."""
    world = World([{"stale_after": 3}])
    async with world, logger_of(world, DataLogger()) as logger:
        told: list[Miss] = []
        for minute in range(7):
            told += world.round(NOW_MS + minute * MINUTE).misses
            if minute != 2:
                logger.measure("2011", NOW_MS + minute * MINUTE, VALUES)
                await logger.idle()
    missed = NOW_MS + 2 * MINUTE
    (only,) = [miss for miss in told if miss.reason == "not_received"]
    assert (only.points, only.slots) == ((0, 1, 2), range(missed, missed + MINUTE, MINUTE))
    assert [miss.reason for miss in told] == ["stale", "not_received"], "before the first upload"
    assert world.line.due(NOW_MS) == (0, 1, 2)


async def test_the_status_tells_a_logger_that_went_silent() -> None:
    world = World()
    assert (world.device()["answering"], world.device()["reason"]) == (False, "no_frame_yet")
    async with world, logger_of(world, DataLogger()) as logger:
        logger.measure("2011", NOW_MS - MINUTE, VALUES)
        await logger.idle()
        assert (world.device()["answering"], world.device()["reason"]) == (True, "")
        world.now_ms += 4 * MINUTE
        assert (world.device()["answering"], world.device()["reason"]) == (False, "silent")


async def test_a_doubtful_unit_is_said_once_and_its_value_is_not_good() -> None:
    world = World([{"units": {"a05001": "mg/m3"}}])
    async with world, logger_of(world, DataLogger()) as logger:
        for minute in range(5):
            logger.measure("2011", NOW_MS - (5 - minute) * MINUTE, VALUES)
        await logger.idle()
    doubts = [event for event in world.sink.events if event.kind == "value_doubtful"]
    assert [event.detail["point"] for event in doubts] == ["a05001-Rtd"]
    assert "not credible" in str(doubts[0].detail["what"])
    assert {take.quality for take in world.sink.takes} == {bytes([Quality.OVER_RANGE, 0, 0])}
    assert world.device()["doubtful"]


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"units": {"a05001": "furlong"}}, "unit of a05001: expected one of"),
        ({"units": {"a05001": "m/s"}}, "leads to mg/m3"),
        ({"units": {"b99999": "%"}}, "expected codes of profile"),
        ({"sm4_key_file": "/nonexistent"}, "32 hex digits"),
    ],
)
def test_settings_that_do_not_fit(link: dict[str, Any], message: str) -> None:
    around = Surroundings(lambda: 0, lambda _: None, lambda *_: False, 60_000, 0)
    with pytest.raises(BadInput, match=f"device cems0: .*{message}"):
        make_lines([placed(link)], around)
    with pytest.raises(BadInput, match="an MN of its own"):
        make_lines([placed({}), placed({}, first=3)], around)


@pytest.mark.parametrize("closed_first", [True, False])
async def test_what_is_accepted_as_the_line_closes_is_cut(closed_first: bool) -> None:
    """asyncio leaves a connection open whose handler is cancelled before its first step."""
    world = World()
    async with world, connected(world) as (reader, writer):
        if closed_first:
            world.line.close()
        world.line._accept(reader, writer)
        world.line.close()
        await until(writer.transport.is_closing)
