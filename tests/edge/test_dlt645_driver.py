"""DL/T 645 end to end: the driver against simulated meters on a pseudo-terminal and on TCP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from edge.dlt645_world import (
    ENERGY,
    ENERGY_DI,
    MINUTE_MS,
    POWER,
    T0_MS,
    VOLTAGES,
    Around,
    Site,
    a_round,
    generic,
    line_of,
    meter,
    outcomes,
    placed,
    read_once,
    with_points,
)
from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Round
from tanzheng.edge.drivers.dlt645.driver import make_lines

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
async def test_a_meter_is_read(site: Site, how: str) -> None:
    bus, at = await site.serve(how, meter())
    found = await read_once(placed(at, FIELDS))
    assert found == {
        0: (211345.67, GOOD), 1: (-1.2345, GOOD), 2: (220.1, GOOD), 3: (220.2, GOOD),
        4: "not_available", 5: (49.98, GOOD), 6: (12.345, GOOD),
    }  # fmt: skip
    assert bus.heard == 5  # the voltages in one block
    assert bus.functions == {0x11}


async def test_a_line_closed_in_a_round_hands_over_what_it_has_read(site: Site) -> None:
    """A reload comes while the second meter is silent: the first one's value is not lost."""
    bus, at = await site.serve("tcp", meter())
    silent = placed(at, (ENERGY,), first=1, address="000000000999", timeout_ms=5000)
    line, rounds = line_of([placed(at, (ENERGY,)), silent]), list[Round]()
    line.start(T0_MS, rounds.append)
    await asyncio.sleep(0.4)
    assert bus.heard == 2  # the first is answered, the second waits
    assert not rounds
    line.close()
    (found,) = rounds
    assert outcomes(found) == {0: (211345.67, GOOD)}
    await asyncio.sleep(0.05)
    assert len(rounds) == 1


async def test_secondary_values_become_primary_and_ratios_have_dates(site: Site) -> None:
    _, at = await site.serve("tcp", meter())
    change = datetime.fromtimestamp((T0_MS + 2 * MINUTE_MS) / 1000, timezone(timedelta(hours=8)))
    history = [
        {"from": "2024-01-01", "ratio": "200/5"},
        {"from": change.replace(tzinfo=None).isoformat(), "ratio": "400/5"},  # +08:00 meant
    ]
    around = Around(T0_MS - MINUTE_MS)
    device = placed(at, (ENERGY, *VOLTAGES[:1], "current_l1_a"), ct=history, pt="10000/100")
    line = line_of(device, around)
    for minutes, ct in ((0, 40), (1, 40), (2, 80), (3, 80)):
        around.t_ms = T0_MS + minutes * MINUTE_MS
        energy, voltage, current = outcomes(await a_round(line)).values()
        assert energy == (float(Decimal("211345.67") * ct * 100), GOOD)
        assert voltage == (22010.0, GOOD)
        assert current == (float(Decimal("12.345") * ct), GOOD)
    (event,) = around.events
    assert event.kind == "ratio_changed"
    assert event.detail == {"device": "m161", "ratio": "ct", "from": "40", "to": "80"}
    line.close()


@pytest.mark.parametrize(
    ("link", "what"),
    [
        ({"ct": None}, "expected a ratio"),
        ({"ct": "5/0"}, "expected a ratio"),
        ({"ct": [{"from": "2026-02-30", "ratio": "1"}]}, "expected a date"),
        ({"ct": [{"from": "2026-02-02", "ratio": "1"}] * 2}, "rising order"),
    ],
)
def test_ratios_are_never_assumed(link: dict[str, Any], what: str) -> None:
    device = placed(1, **link)
    with pytest.raises(BadInput, match=what):
        make_lines([device], Around().surroundings())


def test_meters_on_one_port_agree() -> None:
    around = Around().surroundings()
    two = [placed("/dev/x"), placed("/dev/x", address="000000000162")]
    assert len(make_lines(two, around)) == 1
    assert len(make_lines([*two, placed("/dev/y")], around)) == 2
    with pytest.raises(BadInput, match="twice"):
        make_lines([two[0], two[0]], around)
    with pytest.raises(BadInput, match="same speed"):
        make_lines([two[0], placed("/dev/x", address="000000000163", baud=9600)], around)


async def test_more_frames_follow(site: Site) -> None:
    served = meter()
    served.data_max = 8
    tariffs = tuple(Decimal(f"{number}.25") for number in range(5))
    served.values["0001FF00"] = tariffs
    bus, at = await site.serve("pty", served)
    profile = with_points(
        {"id": "all", "di": "0001FF00", "part": 0, "field": ENERGY, "counter": True},
        {"id": "t4", "di": "0001FF00", "part": 4, "field": "active_energy_import_t4_kwh",
         "counter": True},
    )  # fmt: skip
    fields = (ENERGY, "active_energy_import_t4_kwh")
    assert await read_once(placed(at, fields, profile=profile)) == {
        0: (0.25, GOOD),
        1: (4.25, GOOD),
    }
    assert bus.functions == {0x11, 0x12}
    assert bus.heard == 3


async def test_a_meter_that_never_ends_is_stopped(site: Site) -> None:
    served = meter()
    served.data_max = 1
    served.values["05060101"] = tuple(Decimal(1) for _ in range(60))
    _, at = await site.serve("tcp", served)
    profile = with_points(
        {"id": "day", "di": "05060101", "part": 0, "field": ENERGY, "counter": True}
    )
    assert await read_once(placed(at, profile=profile)) == {0: "too_many_frames"}


async def test_a_block_the_meter_does_not_know_is_read_one_by_one(site: Site) -> None:
    served = meter()
    del served.values["0201FF00"]
    bus, at = await site.serve("tcp", served)
    around = Around()
    line = line_of(placed(at, VOLTAGES), around)
    for heard in (4, 7):
        found = outcomes(await a_round(line))
        assert found == {0: (220.1, GOOD), 1: (220.2, GOOD), 2: (220.3, GOOD)}
        assert bus.heard == heard
    assert around.kinds == ["limit_learned"]
    line.close()


async def test_a_short_block_is_read_one_by_one(site: Site) -> None:
    served = meter()
    served.values["0201FF00"] = (Decimal("220.1"),)  # a single-phase meter
    del served.values["02010300"]
    _, at = await site.serve("tcp", served)
    found = await read_once(placed(at, VOLTAGES))
    assert found == {0: (220.1, GOOD), 1: (220.2, GOOD), 2: "no_such_data"}


async def test_what_the_meter_lacks_spoils_nothing_else(site: Site) -> None:
    served = meter()
    del served.values[FORWARD]
    _, at = await site.serve("tcp", served)
    found = await read_once(placed(at, (ENERGY, "frequency_hz")))
    assert found == {0: "no_such_data", 1: (49.98, GOOD)}


async def test_a_suspect_counter_is_read_again(site: Site) -> None:
    served = meter()
    bus, at = await site.serve("tcp", served)
    around = Around()

    def doubts(_index: int, value: float) -> bool:
        served.values[FORWARD] = Decimal("211345.67")
        return value == 999.0

    around.doubts = doubts
    served.values[FORWARD] = Decimal(999)
    assert await read_once(placed(at), around) == {0: (211345.67, GOOD)}
    assert bus.heard == 2
    (event,) = around.events
    assert (event.kind, event.detail) == (
        "counter_glitch", {"point": f"m161/{ENERGY}", "value": "999.0"},
    )  # fmt: skip
    # a value that stays is handed over: what it means is not the driver's to say
    around.events.clear()
    around.doubts = lambda _index, value: value == 211345.67
    assert await read_once(placed(at), around) == {0: (211345.67, GOOD)}
    assert bus.heard == 2 + 3
    assert around.events == []


async def test_slow_points_are_due_now_and_then(site: Site) -> None:
    _, at = await site.serve("tcp", meter())
    profile = with_points(
        {"id": "e", "di": FORWARD, "field": ENERGY, "counter": True},
        {"id": "f", "di": "02800002", "unit": "Hz", "field": "frequency_hz"},
    )
    device = placed(
        at, (ENERGY, "frequency_hz"), profile=profile, slow=("frequency_hz",), slow_every=3, first=5
    )
    line = line_of(device)
    phase_ms = Around().surroundings().phase_ms
    begin_ms = (T0_MS // (3 * MINUTE_MS)) * 3 * MINUTE_MS + phase_ms
    for number in range(6):
        slot_ms = begin_ms + number * MINUTE_MS
        due = (5, 6) if number % 3 == 0 else (5,)
        assert line.due(slot_ms) == due
        assert tuple(outcomes(await a_round(line, slot_ms))) == due
    line.close()


async def test_status_words_and_limits_set_the_quality(site: Site) -> None:
    served = meter()
    served.values["04000501"] = "0004"
    _, at = await site.serve("tcp", served)
    profile = with_points(
        {"id": "e", "di": FORWARD, "field": ENERGY, "counter": True,
         "validity": {"point": "s", "bits": {"2": "maintenance"}}},
        {"id": "s", "di": "04000501", "unit": "1"},
        {"id": "p", "di": "02030000", "unit": "kW", "field": POWER, "expected": [0, 100]},
        {"id": "f", "di": "02800002", "unit": "Hz", "field": "frequency_hz",
         "sentinels": [49.98]},
    )  # fmt: skip
    fields = (ENERGY, POWER, "frequency_hz")
    assert await read_once(placed(at, fields, profile=profile)) == {
        0: (211345.67, Quality.MAINTENANCE), 1: (-1.2345, Quality.OVER_RANGE), 2: "not_available",
    }  # fmt: skip
    del served.values["04000501"]
    assert (await read_once(placed(at, fields, profile=profile)))[0] == "status_unknown"


async def test_maximum_demand_is_a_value_without_its_minute(site: Site) -> None:
    served = meter()
    served.demand_stamp = bytes.fromhex("4513201126")
    _, at = await site.serve("tcp", served)
    profile = with_points({"id": "d", "di": "01010000", "unit": "kW", "field": "active_demand_kw"})
    assert await read_once(placed(at, ("active_demand_kw",), profile=profile)) == {0: (3.5, GOOD)}


def test_the_generic_profile_is_known_to_the_table() -> None:
    make_lines([placed(1, [p["field"] for p in generic()["points"]])], Around().surroundings())
