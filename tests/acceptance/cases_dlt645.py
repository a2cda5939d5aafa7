"""Faults of DL/T 645-2007 meters on a serial line."""

import random

from acceptance.case import Scene, case
from acceptance.cases_serial import came, flipped, judged
from acceptance.judge import Verdict
from acceptance.serial_slaves import Meter, MeterBus
from acceptance.site import Site, running
from acceptance.slaves import Asked, Slave

Answers = list[tuple[float, bytes]]
FIRST, FOLLOWING = 0x11, 0x12
POINT = "d5/active_power_kw"
METER_PROFILE = """id: counting
vendor: test
models: [none]
kind: energy meter
protocol: dlt645
transport: [rtu]
trust: ours
source: [{note: "counts its answers"}]
points:
- {id: power, di: "02030000", unit: kW, scale: "10000", field: active_power_kw}
"""


def site_of(scene: Scene, meters: list[Meter], timeout_ms: int = 200) -> Site:
    bus = MeterBus(meters, scene.folder)
    return Site(
        scene.folder, scene.gateway_url, scene.platform_url, [bus], interval_ms=400,
        timeout_ms=timeout_ms, profile=METER_PROFILE,
    )  # fmt: skip


@case("noise on a line of DL/T 645 meters", "DL/T 645 线路干扰", "checksum of a meter's frame")
def noise(scene: Scene) -> Verdict:
    chance = random.Random(9)

    def noisy(meter: Slave, asked: Asked) -> Answers:
        if chance.random() < 0.6:
            return [(0.0, meter.good(asked))]
        frame = meter.spoiled(asked)  # what is damaged is its value, its checksum or its end
        return [(0.0, frame[:-5] + flipped(frame[-5:], chance))]

    site = site_of(scene, [Meter(unit, noisy) for unit in (1, 2, 3)])
    with running(site, scene.without) as run:
        missed = came(run, 10)
        return judged(run, missed)


@case("one dead meter of five on one line", "同一总线五块电表中一块失效", "back-off of a device")
def dead_meter(scene: Scene) -> Verdict:
    meters = [Meter(unit) for unit in range(1, 6)]
    meters[1].fault = lambda _meter, _asked: []
    # A time-out takes longer than a slot: whoever waits for it each time loses every other one.
    with running(site_of(scene, meters, timeout_ms=500), scene.without) as run:
        missed = came(run, 12)
        gaps = run.gap_slots(POINT)
        return judged(run, missed + max(0, len(gaps) - 6))


@case(
    "an answer in two frames (more frames follow)",
    "应答分两帧（有后续帧）",
    "frames that follow are asked for",
)
def more_follows(scene: Scene) -> Verdict:
    """The second frame brings the last byte; before it comes one with another number."""

    def in_two(meter: Slave, asked: Asked) -> Answers:
        assert isinstance(meter, Meter)
        whole = meter.data(len(meter.answered) + 1)
        di, first, rest = whole[:4], whole[4:6], whole[6:]
        if asked.function == FIRST:
            return [(0.0, meter.reply(asked.unit, 0xB1, di + first))]
        meter.answered.append(len(meter.answered) + 1)
        wrong = meter.reply(asked.unit, 0x92, di + b"\x77" + bytes([asked.count + 1]))
        right = meter.reply(asked.unit, 0x92, di + rest + bytes([asked.count]))
        return [(0.0, wrong), (0.0, right)]

    with running(site_of(scene, [Meter(1, in_two)]), scene.without) as run:
        missed = came(run, 8)
        return judged(run, missed)
