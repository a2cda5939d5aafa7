"""Coal and gas of each month: composition, heating value by Dulong, what the laboratories found."""

import numpy as np

from anomaly.fleet import Array, Books, Plants, autoregressive, constant, noise

# P within f.2: total and inherent moisture (%), ash dry (%), carbon, hydrogen and oxygen (% daf).
RANKS = {
    "bituminous": ((9, 15), (2, 5), (14, 26), (79, 83), (4.9, 5.4), (9, 13)),
    "lignite": ((26, 34), (9, 14), (12, 22), (71, 75), (4.8, 5.2), (18, 22)),
    "gangue": ((7, 12), (1, 3), (48, 58), (78, 82), (4.8, 5.4), (10, 14)),
}


def lower_heating_value(made: Books) -> Array:
    """GJ/t as received by the Dulong-type formula of f.4 from composition on the dry basis (%)."""
    gross = (
        0.3383 * made["carbon_d"]
        + 1.443 * (made["hydrogen_d"] - made["oxygen_d"] / 8)
        + 0.0942 * made["sulphur_d"]
    )
    dry = (100 - made["moisture"]) / 100
    return np.asarray((gross - 0.206 * made["hydrogen_d"]) * dry - 0.023 * made["moisture"])


def composition(rng: np.random.Generator, plants: Plants, shape: tuple[int, int]) -> Books:
    """The coal that was burned, percent by mass; gas units get the columns of bituminous coal."""
    bounds = np.array([RANKS.get(str(fuel), RANKS["bituminous"]) for fuel in plants.fuel])
    mean = rng.uniform(bounds[:, :, 0], bounds[:, :, 1])
    blend = rng.uniform(0.6, 1.6, (shape[0], 1))
    moisture = mean[:, [0]] * (1 + 0.07 * blend * autoregressive(rng, shape, 0.4))
    inherent = np.minimum(mean[:, [1]] * (1 + 0.08 * rng.standard_normal(shape)), moisture * 0.8)
    ash = mean[:, [2]] + 2.6 * blend * autoregressive(rng, shape, 0.4)
    ash = np.clip(ash, 6, 66)
    sulphur = np.clip(rng.uniform(0.5, 1.6, (shape[0], 1)) * np.exp(
        0.12 * rng.standard_normal(shape)), 0.2, 4)  # fmt: skip
    organic = (100 - ash - sulphur) / 100
    rank = 0.35 * autoregressive(rng, shape, 0.6)
    return {
        "moisture": moisture,
        "moisture_ad": inherent,
        "ash_d": ash,
        "sulphur_d": sulphur,
        "carbon_d": (mean[:, [3]] + rank) * organic,
        "hydrogen_d": (mean[:, [4]] + 0.06 * rng.standard_normal(shape)) * organic,
        "oxygen_d": (mean[:, [5]] - 0.7 * rank + 0.25 * rng.standard_normal(shape)) * organic,
    }


def sampled(rng: np.random.Generator, made: Books, samples: int) -> Books:
    """The composition that `samples` sampling units show: ash is what segregates."""
    spread = noise("sampling_ash_percent") / np.sqrt(samples)
    error = spread * rng.standard_normal(made["ash_d"].shape)
    shown = dict(made)
    shown["ash_d"] = made["ash_d"] + error
    for name in ("carbon_d", "hydrogen_d", "oxygen_d"):
        shown[name] = made[name] * (1 - error / (100 - made["ash_d"]))
    return shown


def analyse(rng: np.random.Generator, plants: Plants, made: Books) -> Books:
    """Daily heating value of the plant, and the outside laboratory on the monthly composite."""
    shape = made["ash_d"].shape
    daily = lower_heating_value(sampled(rng, made, 30))
    bias = noise("ncv_lab_gj_per_t") / 2 * rng.standard_normal((shape[0], 1))
    single = noise("ncv_lab_gj_per_t") * rng.standard_normal(shape) / np.sqrt(30)
    composite = sampled(rng, made, 8)
    to_ad = (100 - made["moisture_ad"]) / 100
    to_ar = (100 - made["moisture"]) / (100 - made["moisture_ad"])
    carbon = composite["carbon_d"] + noise("carbon_lab_percent") * rng.standard_normal(shape)
    hydrogen = composite["hydrogen_d"] + noise("hydrogen_lab_percent") * rng.standard_normal(shape)
    sulphur = composite["sulphur_d"] + noise("sulphur_lab_percent") * rng.standard_normal(shape)
    report_ncv = lower_heating_value(composite)
    report_ncv += noise("ncv_lab_gj_per_t") * rng.standard_normal(shape)
    books: Books = {
        "ncv": daily + bias + single,
        "report_carbon": carbon * to_ad / 100,
        "report_ncv": report_ncv,
        "report_hydrogen": hydrogen * to_ad,
        "report_sulphur": sulphur * to_ad,
        "report_moisture": made["moisture"],
        "report_moisture_ad": made["moisture_ad"],
        "ash_ad": composite["ash_d"] * to_ad,
    }
    books["carbon"] = books["report_carbon"] * to_ar
    _gas(rng, plants, books)
    return books


def _gas(rng: np.random.Generator, plants: Plants, books: Books) -> None:
    """Natural gas: heating value, and carbon that follows it (GJ and tC per 10⁴ Nm³)."""
    count, months = int(plants.gas.sum()), books["ncv"].shape[1]
    mean = rng.uniform(345, 375, (count, 1))
    ncv = mean * (1 + noise("gas_quality_month") * autoregressive(rng, (count, months), 0.5))
    factor = 0.01535 * (1 + 0.012 * rng.standard_normal((count, 1)))
    carbon = ncv * factor * (1 + 0.003 * rng.standard_normal((count, months)))
    for name in [key for key in books if key.startswith("report_") or key == "ash_ad"]:
        books[name][plants.gas] = np.nan
    books["ncv"][plants.gas] = ncv * (1 + 0.002 * rng.standard_normal((count, months)))
    books["carbon"][plants.gas] = carbon
    books["report_carbon"][plants.gas] = carbon
    books["report_ncv"][plants.gas] = ncv


def default_carbon(plants: Plants, ncv: Array) -> Array:
    """Carbon by the default per heat."""
    factor = np.where(
        plants.gas,
        constant("carbon", "gas_default_tc_per_gj"),
        constant("carbon", "default_tc_per_gj"),
    )
    return np.asarray(ncv * factor[:, None])
