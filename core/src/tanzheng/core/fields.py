"""The dictionary of quantities: where a name, its unit and its reference state are set, once.

A name ends in its unit. Database columns, point names, parameters, reports and documents are
checked against this table. Sources: GB/T 3102 (quantities and units), HJ 75-2017 (stack gas,
standard state 273 K and 101.325 kPa), the power guideline (standard pack cets_power_2022_485).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tanzheng.core.errors import BadInput

Kind = Literal["counter", "gauge", "state", "parameter", "constant"]

NORMAL_STATE = "0 °C, 101.325 kPa"
ACTUAL_STATE = "actual temperature and pressure, wet"


@dataclass(frozen=True, slots=True)
class Field:
    """A quantity with its unit.

    `decimals` is the number of decimals a *reported* value carries (None: not reported);
    `reference` is the reference state of gas volumes and concentrations.
    """

    name: str
    kind: Kind
    quantity: str
    unit: str
    en: str
    zh: str
    reference: str = ""
    decimals: int | None = None


_READINGS = (
    Field(
        "active_energy_export_kwh",
        "counter",
        "energy",
        "kWh",
        "active energy exported",
        "上网（输出）有功电量",
    ),
    Field("active_power_kw", "gauge", "power", "kW", "active power", "有功功率"),
    Field(
        "gas_volume_nm3",
        "counter",
        "volume",
        "Nm3",
        "fuel gas volume",
        "天然气累计流量",
        NORMAL_STATE,
    ),
    Field(
        "gas_flow_nm3_per_h",
        "gauge",
        "volume flow",
        "Nm3/h",
        "fuel gas flow",
        "天然气瞬时流量",
        NORMAL_STATE,
    ),
    Field(
        "co2_dry_percent", "gauge", "volume fraction", "%", "CO2, dry", "干基二氧化碳浓度", "dry"
    ),
    Field("o2_dry_percent", "gauge", "volume fraction", "%", "O2, dry", "干基含氧量", "dry"),
    Field(
        "stack_flow_wet_m3_per_h",
        "gauge",
        "volume flow",
        "m3/h",
        "stack gas flow, wet",
        "湿基工况烟气流量",
        ACTUAL_STATE,
    ),
    Field(
        "stack_temperature_degc", "gauge", "temperature", "°C", "stack gas temperature", "烟气温度"
    ),
    Field(
        "stack_pressure_kpa",
        "gauge",
        "absolute pressure",
        "kPa",
        "stack gas absolute pressure",
        "烟气绝对压力",
    ),
    Field(
        "stack_moisture_percent", "gauge", "volume fraction", "%", "stack gas moisture", "烟气湿度"
    ),
    Field(
        "run_state",
        "state",
        "state",
        "1",
        "unit firing (1) or standing (0)",
        "机组运行状态（1 运行，0 停运）",
    ),
)

_PARAMETERS = (
    Field("generation_mwh", "parameter", "energy", "MWh", "electricity generated", "发电量", "", 3),
    Field("heat_supplied_gj", "parameter", "energy", "GJ", "heat supplied", "供热量", "", 2),
    Field(
        "fuel_gas_1e4nm3",
        "parameter",
        "volume",
        "1e4Nm3",
        "natural gas burned",
        "天然气消耗量",
        NORMAL_STATE,
        2,
    ),
    Field("operating_hours_h", "parameter", "time", "h", "operating hours", "运行小时数", "", 2),
    Field(
        "load_factor_percent",
        "parameter",
        "ratio",
        "%",
        "load (output) factor",
        "负荷（出力）系数",
        "",
        2,
    ),
    Field(
        "co2_calculated_t",
        "parameter",
        "mass",
        "t",
        "CO2 by calculation",
        "二氧化碳排放量（核算法）",
        "",
        2,
    ),
    Field(
        "co2_cems_t",
        "parameter",
        "mass",
        "t",
        "CO2 measured by CEMS",
        "二氧化碳排放量（CEMS）",
        "",
        2,
    ),
    Field(
        "co2_intensity_t_per_mwh",
        "parameter",
        "intensity",
        "t/MWh",
        "CO2 per electricity generated",
        "发电碳排放强度",
        "",
        4,
    ),
    Field(
        "coverage_percent",
        "parameter",
        "ratio",
        "%",
        "valid share of the operating minutes",
        "数据有效率",
        "",
        2,
    ),
    Field(
        "gas_ncv_gj_per_1e4nm3",
        "constant",
        "heating value",
        "GJ/1e4Nm3",
        "lower heating value of natural gas",
        "天然气低位发热量",
        NORMAL_STATE,
        3,
    ),
    Field(
        "gas_carbon_tc_per_gj",
        "constant",
        "carbon per heat",
        "tC/GJ",
        "carbon per heat of natural gas",
        "天然气单位热值含碳量",
        "",
        5,
    ),
    Field(
        "gas_carbon_tc_per_1e4nm3",
        "constant",
        "carbon content",
        "tC/1e4Nm3",
        "carbon content of natural gas",
        "天然气含碳量",
        NORMAL_STATE,
        4,
    ),
    Field(
        "oxidation_percent",
        "constant",
        "ratio",
        "%",
        "carbon oxidation",
        "碳氧化率",
        "",
        0,
    ),
    Field("rated_capacity_mw", "constant", "power", "MW", "rated capacity", "装机容量", "", 3),
)

FIELDS: Mapping[str, Field] = MappingProxyType(
    {item.name: item for item in (*_READINGS, *_PARAMETERS)}
)


def field(name: str) -> Field:
    """The entry for `name`; `BadInput` where the dictionary has none."""
    try:
        return FIELDS[name]
    except KeyError:
        raise BadInput(f"expected a name of the field dictionary, got {name!r}") from None


def point_field(point: str) -> Field:
    """The field of a point name `device/field`."""
    device, _, name = point.partition("/")
    if not device or not name:
        raise BadInput(f"expected a point name DEVICE/FIELD, got {point!r}")
    return field(name)
