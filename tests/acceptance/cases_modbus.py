"""Faults of devices behind Modbus TCP."""

import struct
import time

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.site import Site, running
from acceptance.slaves import Asked, Endpoint, Slave

Answers = list[tuple[float, bytes]]


def site_of(scene: Scene, endpoints: list[Endpoint], **changes: object) -> Site:
    return Site(scene.folder, scene.gateway_url, scene.platform_url, endpoints, **changes)  # type: ignore[arg-type]


def let_run(scene: Scene, site: Site, answers: int = 12) -> Verdict:
    """Everything is at work from the start; judge after so many answers."""
    with running(site, scene.without) as run:
        run.more(answers)
        return run.verdict()


@case("one dead slave among ten on one line", "同一总线十台设备中一台失效", "back-off of a device")
def dead_slave(scene: Scene) -> Verdict:
    slaves = [Slave(unit) for unit in range(1, 11)]
    slaves[4].fault = lambda _slave, _asked: []
    site = site_of(scene, [Endpoint(slaves)], timeout_ms=500)
    with running(site, scene.without) as run:
        run.more(6)
        counted = {slave.unit: len(slave.answered) for slave in slaves}
        time.sleep(3.0)
        grown = [len(slave.answered) - counted[slave.unit] for slave in slaves]
        verdict = run.verdict()
    # Of fifteen slots: a probe costs the line two or three, being asked each time costs it ten.
    return verdict.with_lost(sum(max(0, 8 - each) for each in (*grown[:4], *grown[5:])))


@case("an answer that comes after its time-out", "超时之后才到的应答", "late replies are dropped")
def late_answer(scene: Scene) -> Verdict:
    def late(slave: Slave, asked: Asked) -> Answers:
        if slave.requests % 4:
            return [(0.0, slave.good(asked))]
        return [(1.1, slave.spoiled(asked))]

    # The answer is there a tenth into the next slot. Half a second of margin on either side: who
    # was held up for as long takes a late answer for one in time, and may.
    site = site_of(scene, [Endpoint([Slave(1, late)])], interval_ms=1000, timeout_ms=500)
    return let_run(scene, site, answers=9)


@case("a device that takes one connection only", "设备只接受一个连接", "one owner of an endpoint")
def one_connection(scene: Scene) -> Verdict:
    slaves = [Slave(unit) for unit in (1, 2, 3)]
    verdict = let_run(scene, site_of(scene, [Endpoint(slaves, connections_max=1)]))
    return verdict.with_lost(sum(len(slave.answered) < 8 for slave in slaves))


@case("answers of another unit", "应答来自其他站号", "the unit of an answer is checked")
def wrong_unit(scene: Scene) -> Verdict:
    def other(slave: Slave, asked: Asked) -> Answers:
        if slave.requests % 3:
            return [(0.0, slave.good(asked))]
        return [(0.0, slave.frame(asked, 999_000_000 + slave.requests, unit=asked.unit + 1))]

    return let_run(scene, site_of(scene, [Endpoint([Slave(1, other)])]))


@case("connections cut at random", "连接随机中断", "a cut line is opened again")
def cut_connections(scene: Scene) -> Verdict:
    endpoint = Endpoint([Slave(1), Slave(2)])
    site = site_of(scene, [endpoint])
    with running(site, scene.without) as run:
        for _ in range(4):
            run.more(2)
            run.slaves.call(endpoint.hang_up())
            run.slaves.call(endpoint.listen())
        run.more(4)
        return run.verdict()


HOLE_PROFILE = """id: counting
vendor: test
models: [none]
kind: energy meter
protocol: modbus
transport: [tcp]
fc: 3
order: big
trust: ours
source: [{note: "a hole that the map does not know of"}]
bridges: [[2, 9]]
points:
- {id: count, addr: 0, type: u32, unit: kW, field: active_power_kw}
- {id: other, addr: 10, type: f32, unit: Hz, field: frequency_hz}
"""


@case("exception 2 in a hole of the register map", "寄存器空洞返回异常码 2", "a read is halved")
def hole(scene: Scene) -> Verdict:
    def exception_in_hole(slave: Slave, asked: Asked) -> Answers:
        touches = asked.address <= 9 and asked.address + asked.count > 2
        return [(0.0, slave.exception(asked) if touches else slave.good(asked))]

    slave = Slave(1, exception_in_hole, registers={10: 0x4248, 11: 0})
    site = site_of(
        scene, [Endpoint([slave])], profile=HOLE_PROFILE, fields=("active_power_kw", "frequency_hz")
    )
    with running(site, scene.without) as run:
        run.more(12)
        verdict = run.verdict(seconds=4)
    # While it learns, the slot is read again by the new cut: two answers are replaced, not lost.
    return verdict.with_lost(-min(verdict.lost, 2))


SENTINEL_PROFILE = HOLE_PROFILE.replace("bridges: [[2, 9]]\n", "").replace(
    "- {id: other, addr: 10, type: f32, unit: Hz, field: frequency_hz}",
    "- {id: other, addr: 2, type: u16, unit: Hz, sentinels: [65535], field: frequency_hz}\n"
    "- {id: third, addr: 3, type: f32, unit: V, field: voltage_l1n_v}",
)


@case("NaN and 0xFFFF for 'no value'", "以 NaN 和 0xFFFF 表示无值", "sentinels")
def no_value(scene: Scene) -> Verdict:
    nan = struct.unpack(">HH", struct.pack(">f", float("nan")))
    slave = Slave(1, registers={2: 0xFFFF, 3: nan[0], 4: nan[1]})
    site = site_of(
        scene,
        [Endpoint([slave])],
        profile=SENTINEL_PROFILE,
        fields=("active_power_kw", "frequency_hz", "voltage_l1n_v"),
    )
    with running(site, scene.without) as run:
        run.more(12)
        verdict = run.verdict()
        stored = run.stored("d1/frequency_hz") + run.stored("d1/voltage_l1n_v")
    return verdict.with_invented(len(stored))
