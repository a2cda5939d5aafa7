"""Faults put into honest books, each where its maker would make it and nowhere else.

CEMS, steam and settlement belong to others or to other ends: a fault of the fuel does not reach
them. The stock ledger is the plant's own, and is adapted in half of the under-bookings.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anomaly.booking import calculated_co2
from anomaly.coal import default_carbon
from anomaly.fleet import Books, Plants, constant

EFFECT_MIN, EFFECT_MAX = 0.01, 0.20
SHARE_OF_PLANT_MONTHS = 0.02
REPORT = (
    "report_carbon", "report_ncv", "report_hydrogen", "report_sulphur", "report_moisture",
    "report_moisture_ad",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Label:
    """One faulty plant-month. `effect` is a share of the month's tonnes, or of the tonnes' worth
    of allowance for output and heat, or of the CEMS tonnes for CEMS faults; signed."""

    plant: int
    month: int
    kind: str
    effect: float
    blamed: str
    variant: str
    episode: int


# (plant, month, size) -> {month: effect}, variant; None where the fault cannot be made there.
Found = tuple[dict[int, float], str] | None


@dataclass
class Scene:
    """What a fault is put into."""

    rng: np.random.Generator
    plants: Plants
    books: Books

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def months(self) -> int:
        return int(self.books["fuel"].shape[1])

    def scale(self, name: str, plant: int, month: int, factor: float) -> None:
        self.books[name][plant, month] *= factor

    def source(self, plant: int, month: int, name: str) -> int | None:
        """A month of the plant whose `name` differs from this month's by 1 to 20 %."""
        row = self.books[name][plant]
        size = np.abs(row / row[month] - 1)
        fits = np.flatnonzero((size >= EFFECT_MIN) & (size <= EFFECT_MAX))
        fits = fits[self.books["is_default"][plant, fits] == self.books["is_default"][plant, month]]
        return int(self.rng.choice(fits)) if len(fits) else None

    def measured(self, plant: int, month: int) -> bool:
        return not self.books["is_default"][plant, month]


def carbon_other_month(scene: Scene, plant: int, month: int, size: float) -> Found:
    source = scene.source(plant, month, "carbon")
    if not scene.measured(plant, month) or source is None or scene.plants.gas[plant]:
        return None
    books = scene.books
    effect = books["carbon"][plant, source] / books["carbon"][plant, month] - 1
    books["carbon"][plant, month] = books["carbon"][plant, source]
    if scene.chance(0.3):
        return {month: effect}, "report left as it was"
    names = REPORT if scene.chance(0.5) else ("report_carbon",)
    for name in names:
        books[name][plant, month] = books[name][plant, source]
    if len(names) == 1:
        # One figure of the report was changed so that it converts to the booked carbon.
        to_ar = _to_ar(books, plant, month)
        books["report_carbon"][plant, month] = books["carbon"][plant, month] / to_ar
        return {month: effect}, "carbon of the report changed"
    return {month: effect}, "report of the other month dated anew"


def _to_ar(books: Books, plant: int, month: int) -> float:
    total, own = books["report_moisture"], books["report_moisture_ad"]
    return float((100 - total[plant, month]) / (100 - own[plant, month]))


def ncv_other_month(scene: Scene, plant: int, month: int, size: float) -> Found:
    source = scene.source(plant, month, "ncv")
    if scene.measured(plant, month) or source is None:
        return None  # by measured carbon the heating value moves no tonne
    books = scene.books
    effect = books["ncv"][plant, source] / books["ncv"][plant, month] - 1
    books["ncv"][plant, month] = books["ncv"][plant, source]
    books["carbon"][plant, month] *= 1 + effect
    return {month: effect}, ""


def copied_month(scene: Scene, plant: int, month: int, size: float) -> Found:
    books = scene.books
    tonnes = calculated_co2(books)[plant]
    away = np.abs(tonnes / tonnes[month] - 1)
    away[(away < EFFECT_MIN) | (away > EFFECT_MAX)] = np.inf
    away[books["is_default"][plant] != books["is_default"][plant, month]] = np.inf
    source = int(np.argmin(np.abs(away - size)))
    if not np.isfinite(away[source]):
        return None
    effect = tonnes[source] / tonnes[month] - 1
    dither = 1 + (0.001 * scene.rng.standard_normal() if scene.chance(0.3) else 0.0)
    for name in ("fuel", "ncv", "carbon", *REPORT):
        books[name][plant, month] = books[name][plant, source] * dither
    return {month: effect}, "exact" if dither == 1 else "copied and disguised"


def belt_scale_drift(scene: Scene, plant: int, month: int, size: float) -> Found:
    length = int(scene.rng.integers(4, 9))
    if month + length > scene.months() or scene.plants.gas[plant]:
        return None
    effects = {month + step: -size * (step + 1) / length for step in range(length)}
    effects = {at: effect for at, effect in effects.items() if abs(effect) >= EFFECT_MIN}
    for at, effect in effects.items():
        scene.scale("fuel", plant, at, 1 + effect)
    return effects, f"{length} months"


def fuel_under_booked(scene: Scene, plant: int, month: int, size: float) -> Found:
    booked = scene.books["fuel"][plant, month]
    scene.scale("fuel", plant, month, 1 - size)
    if scene.plants.gas[plant] or scene.chance(0.5):
        return {month: -size}, "ledger not adapted"
    scene.books["received"][plant, month] -= size * booked
    return {month: -size}, "ledger adapted"


def output_over_booked(scene: Scene, plant: int, month: int, size: float) -> Found:
    books = scene.books
    more = size * books["generation"][plant, month]
    books["generation"][plant, month] += more
    if scene.chance(0.5):
        books["net"][plant, month] += more
        return {month: size}, "net raised as well"
    books["auxiliary"][plant, month] += more
    return {month: size}, "hidden in the house load"


def heat_over_booked(scene: Scene, plant: int, month: int, size: float) -> Found:
    books = scene.books
    tonnes = calculated_co2(books)[plant, month]
    more = size * tonnes / constant("carbon", "heat_benchmark_t_per_gj")
    heat = books["heat"][plant, month]
    if heat <= 0 or more > 0.6 * heat:
        return None
    books["heat"][plant, month] += more
    if scene.chance(0.3):
        scene.scale("heat_settled", plant, month, 1 + more / heat)
        return {month: size}, "settlement adapted"
    return {month: size}, "settlement not adapted"


def cems_flow_bias(scene: Scene, plant: int, month: int, size: float) -> Found:
    length = int(scene.rng.integers(2, 7))
    effect = size if scene.chance(0.5) else -size
    months = range(month, min(month + length, scene.months()))
    for at in months:
        scene.scale("cems", plant, at, 1 + effect)
    return dict.fromkeys(months, effect), f"{len(months)} months"


def stuck_sensor(scene: Scene, plant: int, month: int, size: float) -> Found:
    effect = size if scene.chance(0.5) else -size
    # A gauge that stands still errs by the load it misses: at most 40 % while it lasts.
    hours = scene.books["hours"][plant, month]
    share = min(1.0, size / scene.rng.uniform(0.10, 0.40))
    name = "fuel" if scene.chance(0.6) else "cems"
    scene.books[f"{name}_run_h"][plant, month] = np.ceil(share * hours)
    scene.scale(name, plant, month, 1 + effect)
    return {month: effect}, name


def report_reused(scene: Scene, plant: int, month: int, size: float) -> Found:
    books = scene.books
    if not scene.measured(plant, month) or scene.plants.gas[plant]:
        return None
    moved = books["report_carbon"][:, month] * (100 - books["report_moisture"][:, month])
    carbon = moved / (100 - books["report_moisture_ad"][:, month])
    away = np.abs(carbon / books["carbon"][plant, month] - 1)
    away[~np.isfinite(away) | (away < EFFECT_MIN) | (away > EFFECT_MAX)] = np.inf
    away[scene.plants.gas] = np.inf
    other = int(np.argmin(np.abs(away - size)))
    if not np.isfinite(away[other]):
        return None
    effect = carbon[other] / books["carbon"][plant, month] - 1
    for name in REPORT:
        books[name][plant, month] = books[name][other, month]
    books["carbon"][plant, month] = carbon[other]
    if scene.chance(0.5):
        books["report_source"][plant, month] = other
        return {month: effect}, "the same file"
    return {month: effect}, "typed anew"


def invented_digits(scene: Scene, plant: int, month: int, size: float) -> Found:
    name = "carbon" if scene.measured(plant, month) and scene.chance(0.4) else "fuel"
    row = scene.books[name][plant]
    target = row[month] * (1 + (size if scene.chance(0.3) else -size))
    digits = 2 - int(np.floor(np.log10(abs(target)))) - int(scene.chance(0.3) and name == "fuel")
    invented = round(target, digits)
    effect = invented / row[month] - 1
    if not EFFECT_MIN <= abs(effect) <= EFFECT_MAX:
        return None
    row[month] = invented
    if name == "carbon" and not scene.plants.gas[plant]:
        scene.books["report_carbon"][plant, month] = invented / _to_ar(scene.books, plant, month)
    return {month: effect}, name


def selective_default(scene: Scene, plant: int, month: int, size: float) -> Found:
    books = scene.books
    if not scene.measured(plant, month):
        return None
    value = default_carbon(scene.plants, books["ncv"])[plant, month]
    effect = value / books["carbon"][plant, month] - 1
    if not EFFECT_MIN <= abs(effect) <= EFFECT_MAX or (scene.plants.gas[plant] and effect > 0):
        return None
    books["carbon"][plant, month] = value
    books["is_default"][plant, month] = 1
    if scene.chance(0.7):
        return {month: effect}, "report on file"
    for name in REPORT:
        books[name][plant, month] = np.nan
    return {month: effect}, "report held back"


def clock_shift(scene: Scene, plant: int, month: int, size: float) -> Found:
    if month + 1 >= scene.months():
        return None
    effect = size if scene.chance(0.5) else -size
    fuel = scene.books["fuel"][plant]
    moved = effect * fuel[month]
    back = -moved / fuel[month + 1]
    if not EFFECT_MIN <= abs(back) <= EFFECT_MAX:
        return None
    fuel[month] += moved
    fuel[month + 1] -= moved
    return {month: effect, month + 1: back}, "fuel counter read at another instant"


def counter_reset(scene: Scene, plant: int, month: int, size: float) -> Found:
    scene.scale("fuel", plant, month, 1 + size)
    scene.books["decreases"][plant, month] = 1
    return {month: size}, ""


Maker = Callable[[Scene, int, int, float], Found]
KINDS: dict[str, tuple[Maker, str]] = {
    "carbon_other_month": (carbon_other_month, "carbon"),
    "ncv_other_month": (ncv_other_month, "ncv"),
    "copied_month": (copied_month, "fuel"),
    "belt_scale_drift": (belt_scale_drift, "fuel"),
    "fuel_under_booked": (fuel_under_booked, "fuel"),
    "output_over_booked": (output_over_booked, "generation"),
    "heat_over_booked": (heat_over_booked, "heat"),
    "cems_flow_bias": (cems_flow_bias, "cems"),
    "stuck_sensor": (stuck_sensor, "fuel"),
    "report_reused": (report_reused, "carbon"),
    "invented_digits": (invented_digits, "fuel"),
    "selective_default": (selective_default, "carbon"),
    "clock_shift": (clock_shift, "fuel"),
    "counter_reset": (counter_reset, "fuel"),
}
NAMED_BY_VARIANT = {"fuel", "cems", "carbon"}
"""Variants that name the input itself: a stuck gauge or an invented figure may be of several."""


def inject(
    rng: np.random.Generator, plants: Plants, books: Books, share: float = SHARE_OF_PLANT_MONTHS
) -> list[Label]:
    """Faults until their share of the plant-months is reached; at most one episode a plant."""
    scene = Scene(rng, plants, books)
    wanted = round(share * books["fuel"].size)
    order = rng.permutation(len(plants.capacity_mw))
    labels: list[Label] = []
    kinds = list(KINDS)
    for episode, plant in enumerate(order.tolist() if wanted else []):
        for kind in (*kinds[episode % len(kinds) :], *kinds[: episode % len(kinds)]):
            made = _attempt(scene, plant, kind)
            if made is not None:
                effects, variant = made
                blamed = variant if variant in NAMED_BY_VARIANT else KINDS[kind][1]
                labels += [
                    Label(plant, month, kind, float(effect), blamed, variant, episode)
                    for month, effect in effects.items()
                ]
                break
        if len(labels) >= wanted:
            break
    return labels


def _attempt(scene: Scene, plant: int, kind: str) -> Found:
    """A few months and sizes (log-uniform) until the fault can be made; nothing changed if not."""
    for _ in range(12):
        month = int(scene.rng.integers(0, scene.months()))
        size = float(np.exp(scene.rng.uniform(np.log(EFFECT_MIN), np.log(EFFECT_MAX))))
        made = KINDS[kind][0](scene, plant, month, size)
        if made is not None and made[0]:
            return made
    return None
