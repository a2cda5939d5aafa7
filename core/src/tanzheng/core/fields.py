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
_ACTUAL = "actual temperature and pressure"
_AS_SET = "as the analyser is set; HJ 75: dry, 0 °C, 101.325 kPa"


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

# One line a quantity: name, kind, quantity, unit, English, Chinese, reference state.
_DEVICE_ROWS: tuple[tuple[str, Kind, str, str, str, str, str], ...] = (
    ("active_energy_import_kwh", "counter", "energy", "kWh", "active energy imported",
     "输入（下网）有功电量", ""),
    ("active_energy_total_kwh", "counter", "energy", "kWh", "active energy, total as metered",
     "组合有功总电量", ""),
    ("active_energy_import_l1_kwh", "counter", "energy", "kWh", "active energy imported, phase L1",
     "A相输入有功电量", ""),
    ("active_energy_import_l2_kwh", "counter", "energy", "kWh", "active energy imported, phase L2",
     "B相输入有功电量", ""),
    ("active_energy_import_l3_kwh", "counter", "energy", "kWh", "active energy imported, phase L3",
     "C相输入有功电量", ""),
    ("active_energy_export_l1_kwh", "counter", "energy", "kWh", "active energy exported, phase L1",
     "A相输出有功电量", ""),
    ("active_energy_export_l2_kwh", "counter", "energy", "kWh", "active energy exported, phase L2",
     "B相输出有功电量", ""),
    ("active_energy_export_l3_kwh", "counter", "energy", "kWh", "active energy exported, phase L3",
     "C相输出有功电量", ""),
    ("active_energy_import_t1_kwh", "counter", "energy", "kWh", "active energy imported, tariff 1",
     "输入有功电量（费率1尖）", ""),
    ("active_energy_import_t2_kwh", "counter", "energy", "kWh", "active energy imported, tariff 2",
     "输入有功电量（费率2峰）", ""),
    ("active_energy_import_t3_kwh", "counter", "energy", "kWh", "active energy imported, tariff 3",
     "输入有功电量（费率3平）", ""),
    ("active_energy_import_t4_kwh", "counter", "energy", "kWh", "active energy imported, tariff 4",
     "输入有功电量（费率4谷）", ""),
    ("active_energy_export_t1_kwh", "counter", "energy", "kWh", "active energy exported, tariff 1",
     "输出有功电量（费率1尖）", ""),
    ("active_energy_export_t2_kwh", "counter", "energy", "kWh", "active energy exported, tariff 2",
     "输出有功电量（费率2峰）", ""),
    ("active_energy_export_t3_kwh", "counter", "energy", "kWh", "active energy exported, tariff 3",
     "输出有功电量（费率3平）", ""),
    ("active_energy_export_t4_kwh", "counter", "energy", "kWh", "active energy exported, tariff 4",
     "输出有功电量（费率4谷）", ""),
    ("reactive_energy_import_kvarh", "counter", "reactive energy", "kvarh",
     "reactive energy imported", "输入无功电量", ""),
    ("reactive_energy_export_kvarh", "counter", "reactive energy", "kvarh",
     "reactive energy exported", "输出无功电量", ""),
    ("reactive_energy_total_kvarh", "counter", "reactive energy", "kvarh",
     "reactive energy, total as metered", "总无功电量", ""),
    ("reactive_energy_import_t1_kvarh", "counter", "reactive energy", "kvarh",
     "reactive energy imported, tariff 1", "输入无功电量（费率1）", ""),
    ("apparent_energy_kvah", "counter", "apparent energy", "kVAh", "apparent energy",
     "视在电量", ""),
    ("apparent_energy_t1_kvah", "counter", "apparent energy", "kVAh", "apparent energy, tariff 1",
     "视在电量（费率1）", ""),
    ("active_power_l1_kw", "gauge", "power", "kW", "active power, phase L1", "A相有功功率", ""),
    ("active_power_l2_kw", "gauge", "power", "kW", "active power, phase L2", "B相有功功率", ""),
    ("active_power_l3_kw", "gauge", "power", "kW", "active power, phase L3", "C相有功功率", ""),
    ("active_demand_kw", "gauge", "power", "kW", "active power, mean of the demand period",
     "有功需量", ""),
    ("reactive_power_kvar", "gauge", "reactive power", "kvar", "reactive power", "无功功率", ""),
    ("reactive_power_l1_kvar", "gauge", "reactive power", "kvar", "reactive power, phase L1",
     "A相无功功率", ""),
    ("reactive_power_l2_kvar", "gauge", "reactive power", "kvar", "reactive power, phase L2",
     "B相无功功率", ""),
    ("reactive_power_l3_kvar", "gauge", "reactive power", "kvar", "reactive power, phase L3",
     "C相无功功率", ""),
    ("apparent_power_kva", "gauge", "apparent power", "kVA", "apparent power", "视在功率", ""),
    ("power_factor", "gauge", "ratio", "1", "power factor", "功率因数", ""),
    ("power_factor_l1", "gauge", "ratio", "1", "power factor, phase L1", "A相功率因数", ""),
    ("power_factor_l2", "gauge", "ratio", "1", "power factor, phase L2", "B相功率因数", ""),
    ("power_factor_l3", "gauge", "ratio", "1", "power factor, phase L3", "C相功率因数", ""),
    ("frequency_hz", "gauge", "frequency", "Hz", "frequency", "频率", ""),
    ("voltage_l1n_v", "gauge", "voltage", "V", "voltage L1-N", "A相电压", ""),
    ("voltage_l2n_v", "gauge", "voltage", "V", "voltage L2-N", "B相电压", ""),
    ("voltage_l3n_v", "gauge", "voltage", "V", "voltage L3-N", "C相电压", ""),
    ("voltage_ln_avg_v", "gauge", "voltage", "V", "voltage L-N, mean", "相电压平均值", ""),
    ("voltage_l12_v", "gauge", "voltage", "V", "voltage L1-L2", "AB线电压", ""),
    ("voltage_l23_v", "gauge", "voltage", "V", "voltage L2-L3", "BC线电压", ""),
    ("voltage_l31_v", "gauge", "voltage", "V", "voltage L3-L1", "CA线电压", ""),
    ("voltage_ll_avg_v", "gauge", "voltage", "V", "voltage L-L, mean", "线电压平均值", ""),
    ("current_l1_a", "gauge", "current", "A", "current, phase L1", "A相电流", ""),
    ("current_l2_a", "gauge", "current", "A", "current, phase L2", "B相电流", ""),
    ("current_l3_a", "gauge", "current", "A", "current, phase L3", "C相电流", ""),
    ("current_avg_a", "gauge", "current", "A", "current, mean", "电流平均值", ""),
    ("current_sum_a", "gauge", "current", "A", "current, sum of phases", "电流总和", ""),
    ("current_neutral_a", "gauge", "current", "A", "current in the neutral", "零线电流", ""),
    ("gas_volume_m3", "counter", "volume", "m3", "fuel gas volume, actual",
     "工况天然气累计流量", _ACTUAL),
    ("gas_flow_m3_per_h", "gauge", "volume flow", "m3/h", "fuel gas flow, actual",
     "工况天然气瞬时流量", _ACTUAL),
    ("gas_pressure_kpa", "gauge", "absolute pressure", "kPa", "fuel gas absolute pressure",
     "天然气绝对压力", ""),
    ("gas_temperature_degc", "gauge", "temperature", "°C", "fuel gas temperature",
     "天然气温度", ""),
    ("gas_velocity_m_per_s", "gauge", "velocity", "m/s", "fuel gas velocity", "天然气流速", ""),
    ("flow_volume_m3", "counter", "volume", "m3", "volume passed forward",
     "正向累计体积", "as metered"),
    ("flow_volume_reverse_m3", "counter", "volume", "m3", "volume passed in reverse",
     "反向累计体积", "as metered"),
    ("flow_m3_per_h", "gauge", "volume flow", "m3/h", "volume flow", "体积流量", "as metered"),
    ("flow_mass_kg", "counter", "mass", "kg", "mass passed", "累计质量", ""),
    ("flow_kg_per_h", "gauge", "mass flow", "kg/h", "mass flow", "质量流量", ""),
    ("flow_velocity_m_per_s", "gauge", "velocity", "m/s", "flow velocity", "流速", ""),
    ("flow_density_kg_per_m3", "gauge", "density", "kg/m3", "density", "密度", _ACTUAL),
    ("flow_temperature_degc", "gauge", "temperature", "°C", "temperature of the medium",
     "介质温度", ""),
    ("flow_pressure_kpa", "gauge", "pressure", "kPa", "pressure of the medium, as metered",
     "介质压力", ""),
    ("steam_mass_t", "counter", "mass", "t", "steam mass", "蒸汽累计质量", ""),
    ("steam_flow_t_per_h", "gauge", "mass flow", "t/h", "steam flow", "蒸汽瞬时流量", ""),
    ("steam_gauge_pressure_kpa", "gauge", "gauge pressure", "kPa", "steam gauge pressure",
     "蒸汽表压", ""),
    ("steam_temperature_degc", "gauge", "temperature", "°C", "steam temperature", "蒸汽温度", ""),
    ("heat_energy_gj", "counter", "energy", "GJ", "heat metered", "累计热量", ""),
    ("heat_power_kw", "gauge", "power", "kW", "heat power", "热功率", ""),
    ("coal_mass_t", "counter", "mass", "t", "coal on the belt, total", "皮带秤累计煤量", ""),
    ("coal_flow_t_per_h", "gauge", "mass flow", "t/h", "coal on the belt, rate",
     "皮带秤瞬时煤量", ""),
    ("belt_load_kg_per_m", "gauge", "load", "kg/m", "belt load", "皮带负荷", ""),
    ("belt_speed_m_per_s", "gauge", "velocity", "m/s", "belt speed", "皮带速度", ""),
    ("co2_wet_percent", "gauge", "volume fraction", "%", "CO2, wet", "湿基二氧化碳浓度", "wet"),
    ("o2_wet_percent", "gauge", "volume fraction", "%", "O2, wet", "湿基含氧量", "wet"),
    ("so2_mg_per_m3", "gauge", "mass concentration", "mg/m3", "SO2 concentration",
     "二氧化硫浓度", _AS_SET),
    ("nox_mg_per_m3", "gauge", "mass concentration", "mg/m3", "NOx as NO2 concentration",
     "氮氧化物浓度", _AS_SET),
    ("no_mg_per_m3", "gauge", "mass concentration", "mg/m3", "NO concentration",
     "一氧化氮浓度", _AS_SET),
    ("no2_mg_per_m3", "gauge", "mass concentration", "mg/m3", "NO2 concentration",
     "二氧化氮浓度", _AS_SET),
    ("n2o_mg_per_m3", "gauge", "mass concentration", "mg/m3", "N2O concentration",
     "氧化亚氮浓度", _AS_SET),
    ("co_mg_per_m3", "gauge", "mass concentration", "mg/m3", "CO concentration",
     "一氧化碳浓度", _AS_SET),
    ("ch4_mg_per_m3", "gauge", "mass concentration", "mg/m3", "CH4 concentration",
     "甲烷浓度", _AS_SET),
    ("nh3_mg_per_m3", "gauge", "mass concentration", "mg/m3", "NH3 concentration",
     "氨浓度", _AS_SET),
    ("hcl_mg_per_m3", "gauge", "mass concentration", "mg/m3", "HCl concentration",
     "氯化氢浓度", _AS_SET),
    ("hf_mg_per_m3", "gauge", "mass concentration", "mg/m3", "HF concentration",
     "氟化氢浓度", _AS_SET),
    ("hg_mg_per_m3", "gauge", "mass concentration", "mg/m3", "mercury concentration",
     "汞浓度", _AS_SET),
    ("voc_mg_per_m3", "gauge", "mass concentration", "mg/m3",
     "volatile organic compounds concentration", "挥发性有机物浓度", _AS_SET),
    ("dust_mg_per_m3", "gauge", "mass concentration", "mg/m3", "particulate matter concentration",
     "颗粒物浓度", _AS_SET),
    ("opacity_percent", "gauge", "ratio", "%", "opacity", "不透光度", ""),
    ("stack_velocity_m_per_s", "gauge", "velocity", "m/s", "stack gas velocity",
     "烟气流速", ACTUAL_STATE),
    ("stack_flow_dry_nm3_per_h", "gauge", "volume flow", "Nm3/h",
     "stack gas flow, dry, standard state", "标态干基烟气流量", NORMAL_STATE),
    ("stack_static_pressure_kpa", "gauge", "gauge pressure", "kPa",
     "stack gas static (gauge) pressure", "烟气静压（表压）", ""),
    ("stack_dynamic_pressure_kpa", "gauge", "differential pressure", "kPa",
     "stack gas dynamic pressure", "烟气动压", ""),
)  # fmt: skip

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
    {item.name: item for item in (*_READINGS, *(Field(*row) for row in _DEVICE_ROWS), *_PARAMETERS)}
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
