"""From the parameters of a month to the input document of `tanzheng account`."""

from tanzheng.analytics.parameters.flaws import PlanInvalid
from tanzheng.analytics.parameters.monthly import MonthParameters
from tanzheng.analytics.parameters.plan import PLAN, Facility
from tanzheng.analytics.parameters.selection import MonthlyParameter
from tanzheng.core.errors import BadInput

DEFAULT = "default"
_COAL = ("coal_t", "coal_ncv_gj_per_t", "coal_carbon_tc_per_t")
_OUTPUTS = ("generation_mwh", "heat_supplied_gj", "boiler_heat_gj")


def input_document(result: MonthParameters, standard: str | None = None) -> dict[str, object]:
    """The document (`schemas/account-input-1.json`) of a power unit's month.

    A parameter by default is left out: the standard pack brings its own default, with its source.
    `standard` names a pack, a draft for instance; None: the one in force in the month. `BadInput`
    where the plan does not say what unit this is, or where a parameter has no value.
    """
    plan = result.plan
    if plan.sector != "power":
        raise BadInput(
            f"{PLAN}, sector: expected power, got {plan.sector}: its account needs more than the "
            "books hold; write the input document by hand (docs/accounting-industry.md) · "
            "该行业的核算输入须另行填写"
        )
    if plan.facility is None:
        raise PlanInvalid(
            f"{PLAN}: expected a table [facility] with unit_class and rated_capacity_mw, got none "
            "· 缺少机组信息"
        )
    month: dict[str, object] = {
        "sector": plan.sector,
        "unit": plan.unit,
        "month": str(result.month),
        **({} if standard is None else {"standard": standard}),
        **_unit_month(plan.unit, plan.facility, {item.name: item for item in result.parameters}),
    }
    return {"version": 1, "enterprise": plan.enterprise, "months": [month]}


def _unit_month(
    unit: str, facility: Facility, parameters: dict[str, MonthlyParameter]
) -> dict[str, object]:
    found: dict[str, object] = {"unit_class": facility.unit_class}
    if any(name in parameters for name in _COAL):
        found["coals"] = [_values(parameters, _COAL)]
    hours = _values(parameters, ("operating_hours_h",))
    if hours:
        capacity = str(facility.rated_capacity_mw)
        found["machines"] = [{"machine": unit, "rated_capacity_mw": capacity, **hours}]
    return found | _values(parameters, _OUTPUTS)


def _values(parameters: dict[str, MonthlyParameter], names: tuple[str, ...]) -> dict[str, object]:
    values: dict[str, object] = {}
    for item in (parameters[name] for name in names if name in parameters):
        if item.value is None:
            raise BadInput(
                f"{item.name}: expected a value, got none: {item.why_en} · {item.why_zh}"
            )
        if item.source != DEFAULT:
            values[item.name] = str(item.value)
    return values
