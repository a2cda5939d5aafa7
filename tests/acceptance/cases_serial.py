"""Faults of Modbus RTU on a serial line."""

import random

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.serial_slaves import RtuSlave, SerialBus
from acceptance.site import PROFILE, Run, Site, running
from acceptance.slaves import Asked, Slave
from edge.world import wait_until

Answers = list[tuple[float, bytes]]

RTU_PROFILE = PROFILE.replace("[tcp]", "[tcp, rtu]")


def site_of(scene: Scene, slaves: list[RtuSlave], echo: bool = False, **changes: object) -> Site:
    bus = SerialBus(slaves, scene.folder, echo)
    settings: dict[str, object] = {"interval_ms": 400, "timeout_ms": 250, **changes}
    return Site(
        scene.folder, scene.gateway_url, scene.platform_url, [bus], profile=RTU_PROFILE,
        **settings,
    )  # type: ignore[arg-type]  # fmt: skip


def came(run: Run, answers: int, seconds: float = 12.0) -> int:
    """Wait for so many answers more; how many of them never came."""
    slave = run.site.slaves[-1]
    wanted = len(slave.answered) + answers
    try:
        run.more(answers, seconds)
    except AssertionError:
        return max(1, wanted - len(slave.answered))
    return 0


def flipped(data: bytes, chance: random.Random) -> bytes:
    """One bit wrong, somewhere."""
    spoiled = bytearray(data)
    spoiled[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


@case("noise on a serial line", "串口线路干扰", "CRC of an answer")
def noise(scene: Scene) -> Verdict:
    chance = random.Random(4)

    def noisy(slave: Slave, asked: Asked) -> Answers:
        if chance.random() < 0.7:
            return [(0.0, slave.good(asked))]
        return [(0.0, flipped(slave.spoiled(asked), chance))]

    site = site_of(scene, [RtuSlave(unit, noisy) for unit in (1, 2, 3)])
    with running(site, scene.without) as run:
        missed = came(run, 10)
        return run.verdict().with_lost(missed)


@case(
    "a late answer on a serial line",
    "串口上超时之后才到的应答",
    "a late answer has another length",
)
def late_answer(scene: Scene) -> Verdict:
    late: list[bytes] = []

    def slow(slave: Slave, asked: Asked) -> Answers:
        """Each fourth answer comes when the next question is there already."""
        if late:
            return [(0.0, late.pop()), (0.02, slave.good(asked))]
        if slave.requests % 4:
            return [(0.0, slave.good(asked))]
        late.append(slave.spoiled(asked))
        return []

    with running(site_of(scene, [RtuSlave(1, slow)]), scene.without) as run:
        missed = came(run, 10)
        return run.verdict().with_lost(missed)


@case("an adapter that echoes", "转换器回显发送内容", "an echo is passed over")
def echo(scene: Scene) -> Verdict:
    site = site_of(scene, [RtuSlave(1), RtuSlave(2)], echo=True)
    with running(site, scene.without) as run:
        missed = came(run, 8)
        return run.verdict().with_lost(missed)


@case(
    "USB adapter pulled, back under another name",
    "USB 转换器拔出后以另一名称恢复",
    "a port is opened by its name",
)
def pulled(scene: Scene) -> Verdict:
    site = site_of(scene, [RtuSlave(1), RtuSlave(2)])
    with running(site, scene.without) as run:
        missed = came(run, 4)
        (bus,) = site.endpoints
        run.slaves.call(bus.hang_up())
        gaps = run.verdict_so_far().gap_records
        wait_until(lambda: run.verdict_so_far().gap_records > gaps, "a gap record")
        run.slaves.call(bus.listen())
        missed += came(run, 5)
        return run.verdict().with_lost(missed)


@case("one dead slave among five on a serial line", "串口总线五台设备中一台失效", "back-off of a device")  # fmt: skip
def dead_slave(scene: Scene) -> Verdict:
    slaves = [RtuSlave(unit) for unit in range(1, 6)]
    slaves[1].fault = lambda _slave, _asked: []
    # A time-out takes longer than a slot: whoever waits for it each time loses every other one.
    with running(site_of(scene, slaves, timeout_ms=500), scene.without) as run:
        missed = came(run, 12)
        gaps = run.gap_slots("d5/active_power_kw")
        verdict = run.verdict()
    return verdict.with_lost(missed + max(0, len(gaps) - 6))
