"""DL/T 645 with faults on the wire: right values or named gaps, and nobody waits for the dead."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from edge.dlt645_world import (
    ENERGY,
    ENERGY_DI,
    METER,
    POWER,
    T0_MS,
    VOLTAGES,
    Around,
    Site,
    a_round,
    line_of,
    meter,
    outcomes,
    placed,
    read_once,
)
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Round
from tanzheng.hardware.dlt645.bus import Bus
from tanzheng.hardware.dlt645.codec import reply

GOOD = Quality.GOOD
FORWARD = ENERGY_DI
FIELDS = (ENERGY, POWER, *VOLTAGES, "frequency_hz", "current_l1_a")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    yield found
    for bus in found.buses:
        bus.close()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["pty", "tcp"])
async def test_ten_meters_one_dead(site: Site, how: str) -> None:
    meters = [meter(f"{number:012d}") for number in range(1, 11)]
    meters[3].faults.silent = True
    _, at = await site.serve(how, *meters)
    devices = [placed(at, address=m.address, first=n) for n, m in enumerate(meters)]
    line = line_of(devices)
    for number in range(3):
        begun_s = time.monotonic()
        found = outcomes(await a_round(line))
        assert found.pop(3) == "comms_timeout"
        assert list(found.values()) == [(211345.67, GOOD)] * 9
        # two time-outs when it dies, one when it is dead, none while it is backed off
        assert time.monotonic() - begun_s < (0.2 * (2, 0, 0)[number]) + 0.3
    assert line.status()["devices"]["m004"] == {
        "answering": False, "reason": "comms_timeout", "successes": 0, "failures": 2,
    }  # fmt: skip
    meters[3].faults.silent = False
    await asyncio.sleep(1.0)  # the first back-off
    assert outcomes(await a_round(line))[3] == (211345.67, GOOD)
    line.close()


async def test_noise_of_one_percent_gives_right_values_or_none(site: Site) -> None:
    dice = random.Random(645)

    def noisy(data: bytes) -> bytes:
        return bytes(b ^ (1 << dice.randrange(8)) if dice.random() < 0.01 else b for b in data)

    served = meter()
    _, at = await site.serve("tcp", served, disturb=noisy)
    line = line_of(placed(at, FIELDS, timeout_ms=50))
    expected = outcomes(await a_round(line))
    good = 0
    for _ in range(40):
        found = outcomes(await a_round(line))
        for index, outcome in found.items():
            if isinstance(outcome, tuple):
                assert outcome == expected[index]
                good += 1
    assert good >= 0.99 * 40 * 6
    assert served.served > 40 * 5 * 1.1, "noise came"
    line.close()


async def test_a_late_answer_of_another_meter_is_passed_over(site: Site) -> None:
    slow, quick = meter("000000000001", delay_s=0.25), meter("000000000002", delay_s=0.15)
    slow.values[FORWARD] = Decimal("1.11")
    quick.values[FORWARD] = Decimal("2.22")
    _, at = await site.serve("pty", slow, quick)
    devices = [placed(at, address=m.address, first=n) for n, m in enumerate((slow, quick))]
    line = line_of(devices)
    found = outcomes(await a_round(line))
    assert found == {0: "comms_timeout", 1: (2.22, GOOD)}
    assert line.status()["passed_over"] >= 1
    line.close()


async def test_a_late_answer_for_another_identifier_is_passed_over(site: Site) -> None:
    served = meter(wrong_di=True)
    _, at = await site.serve("tcp", served)
    around = Around()
    assert await read_once(placed(at), around) == {0: "comms_timeout"}
    assert around.kinds == []


async def test_another_meter_in_its_place_is_told_once(site: Site) -> None:
    _, at = await site.serve("tcp", meter(answers_as="000000000999"))
    around = Around()
    line = line_of(placed(at), around)
    for _ in range(2):
        assert outcomes(await a_round(line)) == {0: "identity_mismatch"}
    (event,) = around.events
    assert event.detail == {"device": "m161", "expected": METER, "got": "000000000999"}
    line.close()


async def test_damaged_replies_are_asked_for_again(site: Site) -> None:
    served = meter(damage_next=2)
    _, at = await site.serve("tcp", served)
    assert await read_once(placed(at)) == {0: (211345.67, GOOD)}
    assert served.served == 3


async def test_a_port_that_is_not_there_is_a_reason(tmp_path: object, site: Site) -> None:
    line = line_of(placed(f"{tmp_path}/ttyUSB0"))
    assert outcomes(await a_round(line)) == {0: "port_missing"}
    _, at = await site.serve("pty", meter())
    owner, other = line_of(placed(at)), line_of(placed(at))
    assert outcomes(await a_round(owner)) == {0: (211345.67, GOOD)}
    assert outcomes(await a_round(other)) == {0: "port_busy"}
    owner.close()
    other.close()
    assert await read_once(placed(9)) == {0: "refused"}


@pytest.mark.parametrize("how", ["pty", "tcp"])
async def test_a_cut_line_comes_back(site: Site, how: str) -> None:
    bus, at = await site.serve(how, meter())
    device = placed(at)
    line = line_of(device)
    assert outcomes(await a_round(line)) == {0: (211345.67, GOOD)}
    bus.close()  # adapter pulled, server gone
    (reason,) = outcomes(await a_round(line)).values()
    assert reason in {"connection_lost", "port_missing", "refused"}
    if how == "tcp":
        assert isinstance(at, int)
        second = Bus([meter()])
        site.buses.append(second)
        await second.listen(port=at)
        await asyncio.sleep(1.1)
        assert outcomes(await a_round(line)) == {0: (211345.67, GOOD)}
    line.close()


async def test_a_server_that_drops_idle_connections_costs_nothing(site: Site) -> None:
    bus, at = await site.serve("tcp", meter())
    line = line_of(placed(at))
    for _ in range(3):
        assert outcomes(await a_round(line)) == {0: (211345.67, GOOD)}
        for connection in list(bus.connections):
            connection.abort()
        await asyncio.sleep(0.02)
    line.close()


async def test_an_adapter_that_echoes_is_no_answer(site: Site) -> None:
    bus, at = await site.serve("tcp", meter())

    def echoing(data: bytes) -> bytes:
        return bytes.fromhex("FEFEFEFE68610100000000681104333334331416") + data

    bus.disturb = echoing
    assert await read_once(placed(at)) == {0: (211345.67, GOOD)}


async def test_a_flood_ends_with_its_time(site: Site) -> None:
    served = meter()
    bus, at = await site.serve("tcp", served)
    bus.disturb = lambda _data: reply("000000000002", 0x11, bytes(8)) * 2000
    begun_s = time.monotonic()
    assert await read_once(placed(at)) == {0: "identity_mismatch"}
    assert time.monotonic() - begun_s < 2


async def test_a_closed_line_ends_its_round_and_says_nothing_more(site: Site) -> None:
    _, at = await site.serve("tcp", meter(delay_s=0.05))
    line = line_of(placed(at))
    told: list[Round] = []
    line.start(T0_MS, told.append)
    await asyncio.sleep(0.02)
    line.close()
    await asyncio.sleep(0.1)
    assert told == [Round([])]


@pytest.mark.parametrize("how", ["pty", "tcp"])
async def test_an_answer_after_its_time_is_dropped_and_counted(site: Site, how: str) -> None:
    late = meter(delay_s=0.3)
    late.values[ENERGY_DI] = Decimal("1.11")
    _, at = await site.serve(how, late)
    line = line_of(placed(at, timeout_ms=100))
    assert outcomes(await a_round(line)) == {0: "comms_timeout"}
    await asyncio.sleep(0.4)
    # a TCP connection without a byte for two time-outs is closed, and the answers with it
    assert line.status()["unasked_bytes"] == (2 * 24 if how == "pty" else 0)
    late.faults.delay_s = 0.0
    late.values[ENERGY_DI] = Decimal("2.22")
    await asyncio.sleep(0.6)  # the back-off
    assert outcomes(await a_round(line)) == {0: (2.22, GOOD)}
    line.close()
