"""Counters: every raw value is kept, once, and raw + offset never steps back."""

from acceptance.case import Scene, case
from acceptance.cases_serial import came
from acceptance.cases_serial import judged as counted
from acceptance.counter_slaves import CounterSlave, steps, steps_back
from acceptance.judge import Verdict
from acceptance.serial_slaves import Meter, MeterBus
from acceptance.site import PROFILE, Run, Site, running
from acceptance.slaves import Endpoint

FIELD = "active_energy_import_kwh"
POINT = f"d1/{FIELD}"
COUNTER_PROFILE = PROFILE.replace(
    "{id: count, addr: 0, type: u32, unit: kW, field: active_power_kw}",
    f"{{id: count, addr: 0, type: u32, unit: kWh, counter: true, rollover: 4294967296, "
    f"field: {FIELD}}}",
)
U32 = 1 << 32


def site_of(scene: Scene, slave: CounterSlave) -> Site:
    return Site(
        scene.folder, scene.gateway_url, scene.platform_url, [Endpoint([slave])],
        profile=COUNTER_PROFILE, fields=(FIELD,),
    )  # fmt: skip


def judged(run: Run, missed: int, kind: str, offset: float) -> Verdict:
    """The count, and the one step that there was: told once, with its offset."""
    verdict = counted(run, missed)
    told = steps(run.platform.batches, kind)
    wrong = [at for at, told_offset in told if told_offset != offset]
    mistold = len(wrong) + abs(len(told) - 1) + steps_back(run.platform.batches, POINT)
    others = len(run.events("counter_step")) - len(told)
    return verdict.with_wrong_quality(mistold + others)


@case("counter rolls over at 2^32", "计数器在 2^32 处翻转", "steps of a counter are told")
def rollover_u32(scene: Scene) -> Verdict:
    slave = CounterSlave(1, raw=lambda n: (U32 - 5000 + 1000 * n) % U32)
    with running(site_of(scene, slave), scene.without) as run:
        missed = came(run, 14)
        return judged(run, missed, "rollover", U32)


@case("a meter set to zero", "电表清零", "steps of a counter are told")
def reset(scene: Scene) -> Verdict:
    slave = CounterSlave(1, raw=lambda n: 70_000 + n if n < 6 else n - 5)
    with running(site_of(scene, slave), scene.without) as run:
        missed = came(run, 14)
        return judged(run, missed, "reset", 70_005)


@case("one wrong reading of a counter", "计数器单次误读", "an implausible counter is read again")
def glitch(scene: Scene) -> Verdict:
    """One falls to 0, one leaps: neither may be stored, both are told."""
    slave = CounterSlave(1, raw=lambda n: 70_000 + n, glitches={5: 0, 14: U32 - 7})
    with running(site_of(scene, slave), scene.without) as run:
        missed = came(run, 18)
        verdict = counted(run, missed)
        mistold = abs(len(run.events("counter_glitch")) - 2) + len(run.events("counter_step"))
    return verdict.with_wrong_quality(mistold)


METER_PROFILE = f"""id: counting
vendor: test
models: [none]
kind: energy meter
protocol: dlt645
transport: [rtu]
trust: ours
source: [{{note: "counts its answers"}}]
points:
- {{id: energy, di: "00010000", unit: kWh, counter: true, rollover: 1000000, field: {FIELD}}}
"""


class EnergyMeter(Meter):
    """Shows hundredths of a kWh in eight digits, and counts 0.37 kWh from answer to answer."""

    def data(self, number: int) -> bytes:
        hundredths = (99_999_800 + 37 * number) % 100_000_000
        self.answered[-1] = hundredths / 100  # type: ignore[call-overload]
        return self.di.to_bytes(4, "little") + bytes.fromhex(f"{hundredths:08d}")[::-1]


@case(
    "energy of a DL/T 645 meter rolls over at 999999.99",
    "DL/T 645 电能示值在 999999.99 处翻转",
    "steps of a counter are told",
)
def rollover_dlt645(scene: Scene) -> Verdict:
    meter = EnergyMeter(161, di=0x00010000, size=4)
    site = Site(
        scene.folder, scene.gateway_url, scene.platform_url, [MeterBus([meter], scene.folder)],
        profile=METER_PROFILE, fields=(FIELD,),
    )  # fmt: skip
    with running(site, scene.without) as run:
        missed = came(run, 12)
        return judged(run, missed, "rollover", 1_000_000.0)
