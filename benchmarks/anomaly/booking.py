"""What honest books and cross-sources say of the months, and the marks of the series beneath."""

import numpy as np

from anomaly.coal import analyse, composition, default_carbon, lower_heating_value
from anomaly.fleet import Array, Books, Plants, constant, noise, operate


def book(rng: np.random.Generator, plants: Plants, months: int) -> Books:
    """Everything that is booked when nothing is wrong, and the truth in `true_*`."""
    shape = (len(plants.capacity_mw), months)
    truth = operate(rng, plants, months)
    coal = composition(rng, plants, shape)
    books = analyse(rng, plants, coal)
    gas = plants.gas[:, None]
    true_ncv = np.where(gas, books["report_ncv"], lower_heating_value(coal))
    true_carbon = coal["carbon_d"] / 100 * (100 - coal["moisture"]) / 100
    true_carbon = np.where(gas, books["report_carbon"], true_carbon)
    true_fuel = truth["fuel_heat"] / true_ncv
    scale = noise("belt_scale_bias") * rng.standard_normal((shape[0], 1))
    month = np.where(gas, noise("gas_flow_month"), noise("belt_scale_month"))
    books["fuel"] = true_fuel * (1 + scale + month * rng.standard_normal(shape))
    books |= {"load": truth["load"], "hours": truth["hours"], "generation": truth["power"]}
    books |= {"heat": truth["heat"], "true_fuel": true_fuel}
    books["true_co2"] = true_fuel * true_carbon * _co2_per_carbon()
    books["is_default"] = np.where(plants.measured[:, None], rng.random(shape) < 0.008, True) * 1.0
    _ledger(rng, plants, books)
    _cross_sources(rng, plants, truth["fuel_heat"], books)
    _marks(rng, books)
    apply_default(plants, books)
    return books


def _co2_per_carbon() -> float:
    return constant("carbon", "oxidation_coal") * constant("carbon", "co2_per_carbon")


def apply_default(plants: Plants, books: Books) -> None:
    """Months without a valid carbon test: the default stands, and no report is filed."""
    used = books["is_default"] > 0
    books["carbon"] = np.where(used, default_carbon(plants, books["ncv"]), books["carbon"])
    for name in [key for key in books if key.startswith("report_") and key != "report_source"]:
        books[name] = np.where(used, np.nan, books[name])


def calculated_co2(books: Books) -> Array:
    """Tonnes by the books: fuel × carbon × oxidation × 44/12."""
    return np.asarray(books["fuel"] * books["carbon"] * _co2_per_carbon())


def _ledger(rng: np.random.Generator, plants: Plants, books: Books) -> None:
    """Stock by survey and receipts by rail scale; gas has no stock."""
    shape = books["fuel"].shape
    days = np.clip(18 + 4 * rng.standard_normal((shape[0], shape[1] + 1)), 8, 30)
    mean = books["true_fuel"].mean(axis=1, keepdims=True)
    stock = mean * days / 30
    received = books["true_fuel"] + np.diff(stock, axis=1)
    short = received < 0.05 * mean
    received = np.where(short, 0.05 * mean, received)
    seen = stock * (1 + noise("stock_survey") * rng.standard_normal(stock.shape))
    # What the pile truly holds follows from receipts and use; the survey errs about it.
    drawn = np.cumsum(received - books["true_fuel"] - np.diff(stock, axis=1), axis=1)
    seen[:, 1:] += drawn
    books["opening"], books["closing"] = seen[:, :-1], seen[:, 1:]
    books["received"] = received * (1 + noise("received_month") * rng.standard_normal(shape))
    for name in ("opening", "closing", "received"):
        books[name][plants.gas] = np.nan


def _cross_sources(
    rng: np.random.Generator, plants: Plants, fuel_heat: Array, books: Books
) -> None:
    """CEMS, steam, settlement and house load: instruments of other people or for other ends."""
    shape = books["fuel"].shape
    column = (shape[0], 1)
    flow = noise("cems_bias") * rng.standard_normal(column)
    books["cems"] = (
        books["true_co2"] * (1 + flow) * (1 + noise("cems_month") * rng.standard_normal(shape))
    )
    efficiency = np.where(plants.gas, 0.86, rng.uniform(0.89, 0.94, shape[0]))[:, None]
    steam = efficiency * (1 + noise("boiler_heat_bias") * rng.standard_normal(column))
    books["boiler_heat"] = (
        fuel_heat * steam * (1 + noise("boiler_heat_month") * rng.standard_normal(shape))
    )
    house = plants.house_percent[:, None] * (1 + 0.35 * (0.8 - books["load"]))
    house += noise("house_load_month_percent") * rng.standard_normal(shape)
    books["auxiliary"] = books["generation"] * house / 100
    books["net"] = books["generation"] - books["auxiliary"]
    loss = rng.uniform(0.001, 0.006, column)
    books["settled"] = (
        books["net"] * (1 - loss) * (1 + noise("settled_month") * rng.standard_normal(shape))
    )
    loss = rng.uniform(0.01, 0.05, column)
    books["heat_settled"] = (
        books["heat"] * (1 - loss) * (1 + noise("heat_settled_month") * rng.standard_normal(shape))
    )


def _marks(rng: np.random.Generator, books: Books) -> None:
    """Longest constant runs (h), decreases of the fuel counter; both happen to honest meters."""
    shape = books["fuel"].shape
    for name in ("fuel_run_h", "cems_run_h"):
        rare = np.where(rng.random(shape) < 0.01, rng.uniform(6, 40, shape), 0.0)
        books[name] = np.ceil(rng.exponential(1.5, shape) + rare)
    books["decreases"] = np.where(rng.random(shape) < 0.01, 1.0, 0.0)
    books["report_source"] = np.full(shape, -1.0)
