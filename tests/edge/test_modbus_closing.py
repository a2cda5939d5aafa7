"""A Modbus line that is closed: its round ends at once, with what was read so far."""

import asyncio

from edge.rounds import (
    INTERVAL_MS,
    Slave,
    one_line,
    outcomes,
    placed,
    tcp_server,
    tcp_slaves,
)
from edge.test_modbus_driver import CEMS, CEMS_FIELDS, CEMS_TABLE, CEMS_VALUES, cems
from tanzheng.edge.abc import Round


async def test_a_line_closed_in_a_round_hands_over_what_it_has_read() -> None:
    """A reload comes while the second device is silent: the first one's values are not lost."""
    async with tcp_server(tcp_slaves(Slave(CEMS_TABLE), Slave(unit=2, alive=False))) as port:
        devices = [
            placed(CEMS, CEMS_FIELDS, 3 * n, f"d{n}", port=port, timeout_ms=5000, unit_id=n + 1)
            for n in range(2)
        ]
        line, rounds = one_line(devices), list[Round]()
        line.start(INTERVAL_MS, rounds.append)
        await asyncio.sleep(0.4)
        assert not rounds
        line.close()
        (found,) = rounds
        assert outcomes(found) == dict(enumerate(CEMS_VALUES))
        await asyncio.sleep(0.05)
        assert len(rounds) == 1


async def test_closing_in_the_middle_of_everything() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(silent) as port:
        told: list[Round] = []
        for delay in (0.0, 0.001, 0.05):
            line = cems(port)
            line.start(INTERVAL_MS, told.append)
            await asyncio.sleep(delay)
            line.close()
        await asyncio.sleep(0.05)
        assert told == [Round([])] * 3
