"""The simulated logger: it sends until it is answered, and counts."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

from tanzheng.hardware.hj212.simulator import DataLogger, Faults, LoggerSettings

T_MS = 1_788_235_200_000  # 2026-09-01 12:00 in China


class Platform:
    """Keeps what comes and answers each frame once `answers_after` were ignored."""

    def __init__(self, answers_after: int = 0) -> None:
        self.ignore = answers_after
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                self.received += data
                for qn in re.findall(rb"QN=(\d{17});", data):
                    self.ignore -= 1
                    if self.ignore < 0:
                        writer.write(b"##0000QN=%s;ST=91;CN=9014;CP=&&&&0000\r\n" % qn)
                        writer.write(b"##0000QN=1;ST=31;CN=1012;CP=&&&&0000\r\n")
        writer.close()


@contextlib.asynccontextmanager
async def served(platform: Platform, logger: DataLogger) -> AsyncIterator[None]:
    server = await asyncio.start_server(platform.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    task = asyncio.create_task(logger.connect("127.0.0.1", port, retry_s=0))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()


async def test_it_sends_again_until_it_is_answered() -> None:
    platform, logger = Platform(answers_after=2), DataLogger(LoggerSettings(answer_s_max=0.05))
    async with served(platform, logger):
        logger.measure("2011", T_MS, {"a05001-Rtd": "12.0"})
        logger.measure("2011", T_MS + 1000, {"a05001-Rtd": "12.5"})
        await logger.idle()
    counts = logger.counts
    assert (counts.sent, counts.resent, counts.acknowledged, counts.values) == (4, 2, 2, 2)
    assert platform.received.count(b"DataTime=20260901120000;a05001-Rtd=12.0,a05001-Flag=N") == 3
    assert logger.commands, "a platform that commands is found out"


async def test_faults_are_on_the_wire() -> None:
    faults = Faults(
        noise=b"~~", wrong_length=3, lower_case=True, reverse_packets=True, chunk_bytes=7,
        drop_packets=frozenset({1}), bad_crc_every=2,
    )  # fmt: skip
    platform = Platform()
    settings = LoggerSettings(content_bytes_max=60, faults=faults, answer=False, crc="modbus_le")
    logger = DataLogger(settings)
    async with served(platform, logger):
        logger.measure("2051", T_MS, {f"a0500{number}-Avg": "1.0" for number in range(3)})
        await logger.idle()
        await asyncio.sleep(0.05)
    frames = platform.received.split(b"~~")[1:]
    assert [re.findall(rb"PNO=(\d)", raw) for raw in frames] == [[b"3"], [b"2"]]
    assert frames[1].endswith(b"ffff\r\n")
    assert not frames[0].endswith(b"ffff\r\n")
    assert all(int(raw[2:6]) == len(raw) - 12 + 3 for raw in frames)


async def test_a_connection_that_is_cut_is_made_again() -> None:
    platform, logger = Platform(), DataLogger(LoggerSettings(faults=Faults(cut_every=2)))
    async with served(platform, logger):
        for minute in range(4):
            logger.measure("2011", T_MS + 60_000 * minute, {"a05001-Rtd": "12.0"})
        await logger.idle()
    assert logger.counts.acknowledged == 4
    assert logger.counts.connections == 4
