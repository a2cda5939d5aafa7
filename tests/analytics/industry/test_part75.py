"""Part 75: equation G-4 on measured hours, and the conversions of Appendix F by hand."""

from collections.abc import Callable
from decimal import Decimal
from importlib import resources
from statistics import median

import pytest

from tanzheng.analytics.accounting.industry import diluent
from tanzheng.analytics.accounting.industry.part75 import HeatHour, co2_by_heat
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid
from tanzheng.core.calendar import Month
from tanzheng.hardware.epa.reader import Hour, read_month

PACK = load_pack("us_part75/2008")


def measured_hours() -> list[Hour]:
    with resources.as_file(
        resources.files("tanzheng.hardware") / "data" / "langley_gulch_ct1_2018-07.csv"
    ) as file:
        hours = read_month(file, "57028/CT1", Month(2018, 7)).hours
    return [hour for hour in hours if hour.co2_short_tons > 0]


def test_equation_g4_gives_the_printed_figure_of_every_measured_hour() -> None:
    hours = measured_hours()
    assert len(hours) == 744
    for hour in hours:
        computed = co2_by_heat(HeatHour(at="1", heat_mmbtu=hour.heat_mmbtu), PACK).value
        assert computed == hour.co2_short_tons


def test_equation_g4_differs_by_print_rounding_only() -> None:
    """The file prints 0.1 short ton of about 110: half of that is 0.045 %, its median 0.023 %."""
    off = sorted(
        abs(_exact(hour.heat_mmbtu) - hour.co2_short_tons) / hour.co2_short_tons
        for hour in measured_hours()
    )
    assert rounded(median(off), 4) == Decimal("0.0002")
    assert off[int(len(off) * 0.99)] <= Decimal("0.0005")


def _exact(heat_mmbtu: Decimal) -> Decimal:
    """CO2 (short tons) by the engine, beyond print rounding: of ten million times the heat."""
    scale = Decimal(10) ** 7
    hour = HeatHour(at="1", heat_mmbtu=heat_mmbtu * scale)
    return co2_by_heat(hour, PACK).value / scale


WORKED: dict[str, tuple[Callable[[], Node], str]] = {
    # 100 × 1800/9780 × (20.9 − 5.2)/20.9 = 13.8257…
    "F-14a": (lambda: diluent.co2_from_o2_dry(Decimal("5.2"), "bituminous", PACK), "13.8"),
    # 100/20.9 × 1800/9780 × (20.9 × 0.92 − 5.2) = 12.3533…
    "F-14b": (
        lambda: diluent.co2_from_o2_wet(Decimal("5.2"), Decimal(8), "bituminous", PACK),
        "12.4",
    ),
    # 45,000,000 × 11.2/100 / 1800 = 2800
    "F-15": (
        lambda: diluent.heat_by_co2_wet(Decimal(45000000), Decimal("11.2"), "bituminous", PACK),
        "2800.0",
    ),
    # 45,000,000 × 0.92/1800 × 12.2/100 = 2806
    "F-16": (
        lambda: diluent.heat_by_co2_dry(
            Decimal(45000000), Decimal("12.2"), Decimal(8), "bituminous", PACK
        ),
        "2806.0",
    ),
    # 45,000,000/9780 × (0.209 × 92 − 5.2)/20.9 = 3088.3197…
    "F-17": (
        lambda: diluent.heat_by_o2_wet(
            Decimal(45000000), Decimal("5.2"), Decimal(8), "bituminous", PACK
        ),
        "3088.3",
    ),
    # 45,000,000 × 0.92/9780 × (20.9 − 5.6)/20.9 = 3098.8817…
    "F-18": (
        lambda: diluent.heat_by_o2_dry(
            Decimal(45000000), Decimal("5.6"), Decimal(8), "bituminous", PACK
        ),
        "3098.9",
    ),
    # 1000 × 12,500 / 500 = 25,000
    "F-21": (lambda: diluent.coal_heat(Decimal(1000), Decimal(12500), PACK), "25000.0"),
}


@pytest.mark.parametrize("equation", WORKED)
def test_appendix_f_by_hand(equation: str) -> None:
    compute, shown = WORKED[equation]
    node = compute()
    assert f"{node.value:f}" == shown
    assert node.formula.startswith(equation)


def test_air_has_no_co2_and_gives_no_heat() -> None:
    air = Decimal("20.9")
    assert diluent.co2_from_o2_dry(air, "oil", PACK).value == 0
    assert diluent.co2_from_o2_wet(air, Decimal(10), "oil", PACK).value == 0
    assert diluent.heat_by_o2_wet(Decimal(1000), air, Decimal(10), "oil", PACK).value == 0


@pytest.mark.parametrize("oxygen", ["-0.1", "21"])
def test_oxygen_beyond_air_is_refused(oxygen: str) -> None:
    with pytest.raises(InputInvalid, match=r"expected 0 to 20\.9 %"):
        diluent.co2_from_o2_dry(Decimal(oxygen), "oil", PACK)


@pytest.mark.parametrize("moisture", ["-1", "100"])
def test_moisture_beyond_steam_is_refused(moisture: str) -> None:
    with pytest.raises(InputInvalid, match="expected 0 to below 100 %"):
        diluent.co2_from_o2_wet(Decimal(1), Decimal(moisture), "oil", PACK)
