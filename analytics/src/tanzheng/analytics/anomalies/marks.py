"""Marks that a figure bears by itself: copies, round digits, a gauge that stood still, a counter
that fell, a default beside a valid report. Each has the chance of an honest month bearing it."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tanzheng.analytics.anomalies.graph import Graph
from tanzheng.analytics.anomalies.panel import Panel, place
from tanzheng.analytics.anomalies.residuals import to_as_received
from tanzheng.analytics.anomalies.robust import Array

CHANCE_MAX = 0.02
"""A mark that more honest months bear says nothing."""
DECIMALS = {"fuel": 2, "ncv": 3, "carbon": 4}
PROVEN = 1e-8
"""Two documents that cannot both be true: left to no statistics."""
SAME_REPORT = ("report_carbon", "report_ncv", "report_hydrogen", "report_sulphur")
COPIED = ("fuel", "ncv", "carbon")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of unit (row) and month (column); `twin` is the other bearer of a copy.

    `effect` is the change of the blamed figure where the mark itself shows it.
    """

    kind: str
    row: int
    column: int
    inputs: tuple[str, ...]
    chance: float
    en: str
    zh: str
    twin: tuple[int, int] | None = None
    effect: float | None = None


def find(
    panel: Panel, lab_report: pl.DataFrame, point_month: pl.DataFrame, graph: Graph
) -> list[Mark]:
    """All marks whose chance is small enough to speak."""
    found = [
        *_round(panel),
        *_copied(panel),
        *_same_report(panel, lab_report),
        *_default_beside_report(panel),
        *_report_differs(panel),
        *_points(panel, point_month, graph),
    ]
    return [mark for mark in found if mark.chance <= CHANCE_MAX]


def _round(panel: Panel) -> list[Mark]:
    """Trailing zeros of the decimals that are due: n zeros have the chance 10⁻ⁿ."""
    found = []
    for name, decimals in DECIMALS.items():
        values = panel.figures[name]
        whole = np.where(np.isfinite(values), np.round(values * 10**decimals), 1).astype(np.int64)
        zeros = np.zeros(values.shape, np.int64)
        for power in range(1, 10):
            zeros += (whole % 10**power == 0) & (whole != 0)
        measured = panel.figures["default"] == 0 if name == "carbon" else whole != 0
        for row, column in np.argwhere((zeros >= 2) & measured).tolist():
            count = int(zeros[row, column])
            found.append(
                Mark(
                    "round",
                    row,
                    column,
                    (name,),
                    10.0**-count,
                    f"{values[row, column]:,.{decimals}f} ends in {count} zeros",
                    f"{values[row, column]:,.{decimals}f} 末尾有 {count} 个零",
                )
            )
    return found


def _copied(panel: Panel) -> list[Mark]:
    """Fuel, heating value and carbon of two months in the same proportion: copied, maybe disguised.

    The chance counts the pairs of the unit and the room that its own months take.
    """
    logs = np.stack([np.log(panel.figures[name]) for name in COPIED], axis=-1)
    found = []
    for row, whole in enumerate(logs):
        own = whole[:, _lively(whole)]
        if not own.shape[1]:
            continue
        gap = own[:, None] - own[None, :]
        middle = gap.mean(axis=-1)
        apart = np.abs(gap - middle[..., None]).max(axis=-1)
        # By default the carbon follows the heating value: one proportion is left, not two.
        by_default = panel.figures["default"][row].mean() > 0.5
        free = max(own.shape[1] - 1 - int(by_default), 0)
        near = np.triu((apart < 4e-4) & (np.abs(middle) < 0.01), 1)
        room = 2 * float(np.nanstd(own, axis=0).mean())
        pairs = own.shape[0] * (own.shape[0] - 1) / 2
        for one, two in np.argwhere(near).tolist():
            width = max(float(apart[one, two]), 1e-5) / room
            drift = max(abs(float(middle[one, two])), 1e-5) / room
            chance = min(1.0, pairs * min(1.0, width) ** free * min(1.0, drift))
            months = (panel.months[one], panel.months[two])
            found += [
                Mark(
                    "copied",
                    row,
                    at,
                    ("fuel",),
                    chance,
                    f"fuel, heating value and carbon of {months[0]:%Y-%m} and {months[1]:%Y-%m} "
                    f"agree to {apart[one, two]:.1e}",
                    f"{months[0]:%Y-%m} 与 {months[1]:%Y-%m} 的消耗量、热值、碳含量一致",
                    twin=(row, other),
                )
                for at, other in ((one, two), (two, one))
            ]
    return found


def _lively(figures: Array) -> list[int]:
    """Which figures (months, n) move by more than a tenth of a per cent: a constant is no copy."""
    known = np.isfinite(figures).sum(axis=0) > 1
    return [at for at in np.flatnonzero(known).tolist() if np.nanstd(figures[:, at]) > 1e-3]


def _same_report(panel: Panel, lab_report: pl.DataFrame) -> list[Mark]:
    """The same file, or the same four figures, under two units or months."""
    rows = pl.DataFrame(
        {
            "enterprise": [unit[0] for unit in panel.units],
            "unit": [unit[1] for unit in panel.units],
        }
    ).with_row_index("row")
    table, at = place(lab_report, rows, panel.months)
    places = [(int(row), int(column)) for row, column in at.iter_rows()]
    groups: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    if "report_sha256" in table.columns:
        for digest, spot in zip(table["report_sha256"].to_list(), places, strict=True):
            groups.setdefault(("file", digest), []).append(spot)
    stacked = np.stack([panel.figures[name] for name in SAME_REPORT], axis=-1)
    for row, column in places:
        figures = tuple(stacked[row, column].tolist())
        if np.isfinite(stacked[row, column]).all():
            groups.setdefault(("figures", *figures), []).append((row, column))
    return [
        mark
        for key, spots in groups.items()
        for one in spots
        for two in spots
        if one != two
        for mark in [_reused(panel, str(key[0]), one, two)]
    ]


def _reused(panel: Panel, what: str, one: tuple[int, int], two: tuple[int, int]) -> Mark:
    other = panel.named(*two)
    what_zh = "文件" if what == "file" else "数值"
    return Mark(
        "same_report",
        *one,
        ("carbon", "report"),
        PROVEN,
        f"the report has the same {what} as that of {other}",
        f"检测报告{what_zh}与 {other} 的相同",
        twin=two,
    )


def _as_booked(panel: Panel) -> Array:
    return panel.figures["report_carbon"] * to_as_received(panel)


def _default_beside_report(panel: Panel) -> list[Mark]:
    expected = _as_booked(panel)
    used = (panel.figures["default"] > 0) & np.isfinite(expected)
    off = panel.figures["carbon"] / expected - 1
    return [
        Mark(
            "default_beside_report",
            row,
            column,
            ("carbon",),
            PROVEN,
            f"the default {panel.figures['carbon'][row, column]:.4f} is used although a report "
            f"gives {expected[row, column]:.4f}",
            f"有检测报告（{expected[row, column]:.4f}）却采用缺省值",
            effect=float(off[row, column]),
        )
        for row, column in np.argwhere(used).tolist()
    ]


def _report_differs(panel: Panel) -> list[Mark]:
    """Carbon that does not follow from its own report, beyond rounding (f.4: 0.0005)."""
    expected = _as_booked(panel)
    booked = panel.figures["carbon"]
    gap = np.abs(booked - expected)
    differs = (panel.figures["default"] == 0) & (gap > 0.0005 * np.maximum(1, expected))
    return [
        Mark(
            "report_differs",
            row,
            column,
            ("carbon",),
            PROVEN,
            f"carbon booked {booked[row, column]:.4f}, by its report {expected[row, column]:.4f}",
            f"碳含量填报 {booked[row, column]:.4f}，按报告为 {expected[row, column]:.4f}",
            effect=float(booked[row, column] / expected[row, column] - 1),
        )
        for row, column in np.argwhere(differs).tolist()
    ]


def _points(panel: Panel, point_month: pl.DataFrame, graph: Graph) -> list[Mark]:
    """Runs that few points of the field have, and counters that fell; chances by all units."""
    rows = pl.DataFrame(
        {
            "enterprise": [unit[0] for unit in panel.units],
            "unit": [unit[1] for unit in panel.units],
        }
    ).with_row_index("row")
    table, _ = place(point_month, rows, panel.months)
    found = []
    for name, input_id in graph.points.items():
        of = table.filter(pl.col("field") == name)
        if of.is_empty():
            continue
        run = (of["longest_constant_run"] / of["expected_readings"]).fill_nan(0).to_numpy()
        rank = run.size - np.searchsorted(np.sort(run), run, side="left")
        fell = float((of["decreases"].to_numpy() > 0).mean())
        spots = of.select("row", "column", "longest_constant_run", "decreases").iter_rows()
        for (row, column, longest, decreases), above in zip(spots, rank.tolist(), strict=True):
            if above / run.size <= CHANCE_MAX:
                found.append(_stuck(row, column, input_id, above / run.size, longest))
            if decreases:
                found.append(
                    Mark(
                        "counter_fell",
                        row,
                        column,
                        (input_id,),
                        fell,
                        f"the counter fell {decreases} time(s) in the month",
                        f"本月计数器下降 {decreases} 次",
                    )
                )
    return found


def _stuck(row: int, column: int, input_id: str, chance: float, longest: int) -> Mark:
    return Mark(
        "stuck",
        row,
        column,
        (input_id,),
        chance,
        f"{longest:,} readings in a row are the same",
        f"连续 {longest:,} 个读数不变",
    )
