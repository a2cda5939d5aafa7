"""Months with a broken record, and their packages: what lineage is tried on."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache

from analytics.chains import sign_chain
from analytics.plants import (
    CEMS_POINTS,
    END_MS,
    MONTH,
    PLANT_TOML,
    RUN,
    START_MS,
    Run,
    hours_from_start,
    record,
    without,
)
from tanzheng.analytics import package
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.closing import close
from tanzheng.analytics.lineage.graph import Node
from tanzheng.analytics.month import compute
from tanzheng.analytics.package import Standard
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import PointGap, from_batches
from tanzheng.core.batch import SignedBatch
from tanzheng.core.plant import Plant

STANDARD = Standard(load_pack(), load_rules())
DIGEST = "ab" * 32
CERTIFIED = PLANT_TOML.replace(
    b'profile = "energy"\n',
    b'profile = "energy"\nserial = "DTSD-7"\n'
    b'[[device.certificate]]\nid = "JD-2017-9"\nkind = "verification"\nissuer = "Metrology"\n'
    b'valid_from = "2017-03-01"\nvalid_to = "2018-02-28"\ndocument_sha256 = "'
    + DIGEST.encode()
    + b'"\n'
    b'[[device.certificate]]\nid = "XZ-1"\nkind = "calibration"\nissuer = "Lab"\n'
    b'valid_from = "2018-02-02"\nvalid_to = "2019-02-01"\ndocument_sha256 = "'
    + (DIGEST[::-1]).encode()
    + b'"\n',
)


def built(chain: list[SignedBatch], plant_raw: bytes = PLANT_TOML) -> dict[str, bytes]:
    plant = Plant.parse(plant_raw)
    recorded = from_batches((signed.batch for signed in chain), plant)
    result = compute(
        plant, plant.units[0].id, MONTH, recorded.series, recorded.gaps, STANDARD.pack,
        STANDARD.rules, recorded.steps,
    )  # fmt: skip
    closing = close(result, STANDARD.pack, STANDARD.rules, date(2018, 3, 5))
    return package.build(plant_raw, result, closing, STANDARD, {"gw1": chain}, bytes(32))


@cache
def broken_month() -> tuple[list[SignedBatch], Mapping[str, bytes]]:
    """The unit stands for a day; the CEMS is silent for hours 50 to 52, at another rate before;
    everything is silent for 40 minutes around the end of hour 200."""
    runs = [
        Run(START_MS, hours_from_start(20), co2_t_per_h=130.0),
        Run(hours_from_start(20), hours_from_start(400)),
        Run(hours_from_start(424), END_MS),
    ]
    readings, gaps = record(runs), list[PointGap]()
    silent = {point: (hours_from_start(50), hours_from_start(53)) for point in CEMS_POINTS}
    for point, (begin, end) in silent.items():
        readings[point] = without(readings[point], begin, end)
        gaps.append(PointGap(point, begin, end, 60_000, "comms_timeout"))
    begin, end = hours_from_start(200) + 2_400_000, hours_from_start(201) + 1_200_000
    for point in readings:
        readings[point] = without(readings[point], begin, end)
        gaps.append(PointGap(point, begin, end, 60_000, "agent_down"))
    chain = sign_chain(readings, gaps)
    return chain, built(chain, CERTIFIED)


def ids(nodes: Sequence[Node]) -> set[str]:
    return {node.id for node in nodes}


TWO_GATEWAYS = (
    PLANT_TOML.replace(
        b'id = "gw1"\ninterval_s = 60\n',
        b'id = "gw1"\ninterval_s = 60\n[[gateway]]\nid = "gw2"\ninterval_s = 300\n',
    )
    .replace(b'id = "cems"\ngateway = "gw1"', b'id = "cems"\ngateway = "gw2"')
    .replace(
        b'[[device.point]]\nfield = "run_state"',
        b'[[device]]\nid = "state"\ngateway = "gw1"\nunit = "G1"\nprofile = "relay"\n'
        b'[[device.point]]\nfield = "run_state"',
    )
)


@cache
def two_gateways() -> tuple[dict[str, list[SignedBatch]], Mapping[str, bytes]]:
    """The CEMS every five minutes by a gateway of its own; the run state, read each minute, is
    silent for six minutes around the end of hour 2, where both chains begin a batch."""
    plant, readings = Plant.parse(TWO_GATEWAYS), record([Run(START_MS, END_MS)])
    readings["state/run_state"] = without(
        readings.pop(RUN), hours_from_start(2.95), hours_from_start(3.05)
    )
    for point in CEMS_POINTS:
        every = readings[point]
        readings[point] = every.where((every.t_ms - START_MS) % 300_000 == 0)
    chains = {gw: sign_chain(readings, gw=gw, plant=plant) for gw in ("gw1", "gw2")}
    recorded = from_batches((s.batch for chain in chains.values() for s in chain), plant)
    result = compute(
        plant, "G1", MONTH, recorded.series, recorded.gaps, STANDARD.pack, STANDARD.rules
    )
    closing = close(result, STANDARD.pack, STANDARD.rules, date(2018, 3, 5))
    return chains, package.build(TWO_GATEWAYS, result, closing, STANDARD, chains, bytes(32))
