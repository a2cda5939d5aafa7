"""Courses of faults for a soak, each undone again."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator

from acceptance.little_disk import fill
from acceptance.soak_slaves import FAULTS
from acceptance.soak_world import Lane, Soak

HOUR_MS = 3_600_000


def device_faults(soak: Soak, chance: random.Random) -> Lane:
    """One device after the other is silent, late, someone else, busy, broken, NaN, or cut off."""
    while True:
        yield chance.uniform(0.2, 6.0)
        kind = chance.choice([*FAULTS, "cut"])
        device = chance.randrange(sum(soak.units))
        endpoint = chance.randrange(len(soak.units))
        soak.tell(f"device {kind}", f"e{endpoint}" if kind == "cut" else f"d{device + 1}")
        if kind == "cut":
            soak.devices.order("cut", endpoint=endpoint)
        else:
            soak.devices.order("fault", device=device, fault=kind)
        try:
            yield soak.lasts(chance, 12.0)
        finally:
            if kind == "cut":
                soak.devices.order("mend", endpoint=endpoint)
            else:
                soak.devices.order("fault", device=device, fault=None)


def way_faults(soak: Soak, chance: random.Random) -> Lane:
    """The broker and the platform go away, one at a time."""
    kinds: dict[str, Callable[[Soak], contextlib.AbstractContextManager[None]]] = {
        "broker killed": broker_killed,
        "broker frozen": broker_frozen,
        "broker frozen, then killed": broker_frozen_and_killed,
        "broker restarted": broker_restarted,
        "platform silent": platform_silent,
        "platform away": platform_away,
    }
    while True:
        yield chance.uniform(1.0, 10.0)
        kind = chance.choice(list(kinds))
        soak.tell(kind)
        with kinds[kind](soak):
            yield soak.lasts(chance, 20.0)


@contextlib.contextmanager
def broker_killed(soak: Soak) -> Iterator[None]:
    soak.broker.kill()
    try:
        yield
    finally:
        soak.broker.start()


@contextlib.contextmanager
def broker_restarted(soak: Soak) -> Iterator[None]:
    soak.broker.stop()
    try:
        yield
    finally:
        soak.broker.start()


@contextlib.contextmanager
def broker_frozen(soak: Soak) -> Iterator[None]:
    soak.broker.pause()
    try:
        yield
    finally:
        soak.broker.resume()


@contextlib.contextmanager
def broker_frozen_and_killed(soak: Soak) -> Iterator[None]:
    soak.broker.pause()
    try:
        yield
    finally:
        soak.broker.resume()
        soak.broker.kill()
        soak.broker.start()


@contextlib.contextmanager
def platform_silent(soak: Soak) -> Iterator[None]:
    soak.platform.answering = False
    try:
        yield
    finally:
        soak.platform.answering = True


@contextlib.contextmanager
def platform_away(soak: Soak) -> Iterator[None]:
    soak.platform.leave()
    try:
        yield
    finally:
        soak.platform.come_back()


def gateway_faults(soak: Soak, chance: random.Random) -> Lane:
    """The agent is killed or reloaded, its clock jumps, its disk fills up, one at a time."""
    while True:
        yield soak.lasts(chance, 20.0)
        kinds = ["reload", "clock", *(["disk full"] if soak.disk else [])]
        kind = "kill -9" if not 0.1 < soak.passed < 0.9 else chance.choice(kinds)
        if kind == "kill -9":
            soak.tell(kind)
            kill(soak)
        elif kind == "reload":
            soak.tell(kind)
            os.kill(soak.gateway.pid, signal.SIGHUP)
        elif kind == "clock":
            offset_ms = chance.choice([-HOUR_MS, HOUR_MS])
            soak.tell("clock ±1 h", f"{offset_ms} ms")
            with clock_off(soak, offset_ms):
                yield soak.lasts(chance, 20.0)
            yield 1.0
        else:
            soak.tell(kind)
            with disk_full(soak):
                yield soak.lasts(chance, 10.0)


def kill(soak: Soak) -> None:
    """What was read and not yet durable may be in a gap: a count or two of each device."""
    soak.gateway.kill()
    after = soak.counts()
    soak.tally.excuses.append(([at - 1 for at in after], after))
    soak.gateway = soak.site.start()
    soak.lives.append([])


@contextlib.contextmanager
def clock_off(soak: Soak, offset_ms: int) -> Iterator[None]:
    begun_ms = time.time() * 1000
    soak.tally.jumps.append((begun_ms, float("inf")))
    soak.site.set_clock(offset_ms, synced=False)
    try:
        yield
    finally:
        soak.site.set_clock()
        soak.tally.jumps[-1] = (begun_ms, time.time() * 1000)


@contextlib.contextmanager
def disk_full(soak: Soak) -> Iterator[None]:
    """What devices offer while no byte is free may be in a gap."""
    assert soak.disk is not None
    before, ballast = soak.counts(), soak.disk / "ballast"
    fill(ballast)
    far = [1 << 40] * len(before)
    soak.tally.excuses.append((before, far))
    try:
        yield
    finally:
        ballast.unlink()
        time.sleep(0.2)
        soak.tally.excuses[-1] = (before, [at + 1 for at in soak.counts()])
