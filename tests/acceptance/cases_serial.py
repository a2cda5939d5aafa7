"""Faults of Modbus RTU on a serial line."""

import random

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.serial_slaves import RtuSlave, SerialBus
from acceptance.site import PROFILE, Run, Site, running
from acceptance.slaves import Asked, Slave
from edge.world import wait_until

Answers = list[tuple[float, bytes]]

PATIENCE_S = 30.0
"""As long as a machine with other work to do may take for what is there in a second."""
SILENCE_S = 5.0
"""Longer than any pause between two answers of a device that is read well."""
RTU_PROFILE = PROFILE.replace("[tcp]", "[tcp, rtu]")


def site_of(
    scene: Scene, slaves: list[RtuSlave], echo: bool = False, timeout_ms: int = 250
) -> Site:
    bus = SerialBus(slaves, scene.folder, echo)
    return Site(
        scene.folder, scene.gateway_url, scene.platform_url, [bus], interval_ms=400,
        timeout_ms=timeout_ms, profile=RTU_PROFILE,
    )  # fmt: skip


def came(run: Run, answers: int) -> int:
    """Wait for so many answers more; how many of them never came. Who brings none for a while is
    given up, sooner where a protection is switched off: as long as answers come, they are waited
    for."""
    slave = run.site.slaves[-1]
    wanted = len(slave.answered) + answers
    while len(slave.answered) < wanted:
        try:
            run.more(1, PATIENCE_S if run.without is None else SILENCE_S)
        except AssertionError:
            return wanted - len(slave.answered)
    return 0


def judged(run: Run, missed: int = 0) -> Verdict:
    """The count, with what never came."""
    return run.verdict(PATIENCE_S).with_lost(missed)


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
        return judged(run, missed)


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
        return judged(run, missed)


@case("an adapter that echoes", "转换器回显发送内容", "an echo is passed over")
def echo(scene: Scene) -> Verdict:
    site = site_of(scene, [RtuSlave(1), RtuSlave(2)], echo=True)
    with running(site, scene.without) as run:
        missed = came(run, 8)
        return judged(run, missed)


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
        for point, numbers in site.offered().items():  # the last answer may have been on the wire
            run.in_flight[point] = set(numbers[-1:])
        gaps = run.verdict_so_far().gap_records
        wait_until(lambda: run.verdict_so_far().gap_records > gaps, "a gap record")
        run.slaves.call(bus.listen())
        missed += came(run, 5)
        return judged(run, missed)


@case(
    "one dead slave among five on a serial line",
    "串口总线五台设备中一台失效",
    "back-off of a device",
)
def dead_slave(scene: Scene) -> Verdict:
    slaves = [RtuSlave(unit) for unit in range(1, 6)]
    slaves[1].fault = lambda _slave, _asked: []
    # A time-out takes longer than a slot: whoever waits for it each time loses every other one.
    with running(site_of(scene, slaves, timeout_ms=500), scene.without) as run:
        missed = came(run, 12)
        gaps = run.gap_slots("d5/active_power_kw")
        return judged(run, missed + max(0, len(gaps) - 6))
