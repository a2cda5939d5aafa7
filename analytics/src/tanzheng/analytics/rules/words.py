"""A condition read out, in English and in Chinese, with the names of the field dictionary."""

import ast
from collections.abc import Mapping
from typing import Literal

from tanzheng.core.fields import FIELDS

Tongue = Literal["en", "zh"]

_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("is below", "小于"),
    ast.LtE: ("is at most", "不大于"),
    ast.Gt: ("is above", "大于"),
    ast.GtE: ("is at least", "不小于"),
    ast.Eq: ("equals", "等于"),
    ast.NotEq: ("differs from", "不等于"),
    ast.In: ("is one of", "属于"),
    ast.NotIn: ("is none of", "不属于"),
}
_OPERATIONS: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "−",
    ast.Mult: "×",
    ast.Div: "÷",
}
_WORDS: Mapping[str, tuple[str, str]] = {
    "abs": ("|{0}|", "|{0}|"),
    "min": ("the least of {all}", "{all} 中的最小值"),
    "max": ("the most of {all}", "{all} 中的最大值"),
    "is_known": ("{0} is known", "{0} 已知"),
    "rounded": ("{0} with {1} decimals", "保留 {1} 位小数的 {0}"),
    "last_digit": ("the digit at decimal {1} of {0}", "{0} 第 {1} 位小数的数字"),
    "rank": ("the tier of {0} among {rest}", "{0} 在 {rest} 中的层级"),
    "days": ("the days from {0} to {1}", "自 {0} 至 {1} 的天数"),
    "units_sharing": ("the units with the same {0}", "{0} 相同的机组数"),
    "months_sharing": ("the months with the same {0}", "{0} 相同的月份数"),
    "previous": ("last month's {0}", "上月 {0}"),
    "earlier": ("{0} of {1} months before", "{1} 个月前的 {0}"),
    "same_month_last_year": ("{0} of the same month last year", "去年同月 {0}"),
    "mean_before": ("the mean of {0} over {1} months before", "前 {1} 个月 {0} 的均值"),
    "spread_last": ("the spread of {0} over {1} months", "近 {1} 个月 {0} 的极差"),
    "count_last": ("the months of the last {1} in which {0}", "近 {1} 个月中满足“{0}”的月数"),
}
_NAMES: Mapping[str, tuple[str, str]] = {
    "hours_of_month": ("hours of the month", "当月小时数"),
    "month_number": ("number of the month", "月份"),
    "month_end": ("end of the month", "月末"),
    "month": ("first day of the month", "月初"),
    "days_after_month_end": ("days after month end", "月末后天数"),
    "deposited_on": ("day of deposit", "存证日期"),
    "fuel": ("fuel", "燃料品种"),
    "unit_class": ("class of the unit", "机组类别"),
    "report_sha256": ("report (by its digest)", "报告文件摘要"),
    "report_id": ("report number", "报告编号"),
    "cma_number": ("CMA mark", "CMA 编号"),
    "cnas_number": ("CNAS mark", "CNAS 编号"),
    "sampled_on": ("day of sampling", "采样日期"),
    "received_on": ("day of receipt", "收样日期"),
    "tested_on": ("day of test", "检测日期"),
    "reported_on": ("day of the report", "签发日期"),
    "carbon_source": ("source of carbon", "元素碳数据来源"),
    "carbon_source_filed": ("filed source of carbon", "备案的元素碳数据来源"),
    "ncv_source": ("source of the heating value", "热值数据来源"),
    "ncv_source_filed": ("filed source of the heating value", "备案的热值数据来源"),
    "fuel_source": ("source of the fuel's mass", "燃料量数据来源"),
    "fuel_source_filed": ("filed source of the fuel's mass", "备案的燃料量数据来源"),
    "readings": ("readings", "读数个数"),
    "expected_readings": ("readings due", "应有读数"),
    "gap_readings": ("readings in gap records", "缺失记录中的读数"),
    "invalid_readings": ("invalid readings", "无效读数"),
    "longest_constant_run": ("longest run of one value", "最长不变次数"),
    "distinct_values": ("distinct values", "不同读数个数"),
    "decreases": ("decreases", "倒走次数"),
    "minimum": ("least reading", "最小读数"),
    "maximum": ("largest reading", "最大读数"),
    "mean": ("mean", "均值"),
    "standard_deviation": ("standard deviation", "标准差"),
    "rated_maximum": ("range of the instrument", "量程上限"),
}


def in_words(node: ast.expr, tongue: Tongue, parameters: Mapping[str, object]) -> str:
    """The condition as a sentence; parameters appear as their values."""

    def say(part: ast.expr) -> str:
        return in_words(part, tongue, parameters)

    match node:
        case ast.BoolOp(op=op, values=parts):
            joint = {"en": (" and ", " or "), "zh": (" 且 ", " 或 ")}[tongue]
            return joint[isinstance(op, ast.Or)].join(map(say, parts))
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return f"not ({say(part)})" if tongue == "en" else f"非（{say(part)}）"
        case ast.UnaryOp(operand=part):
            return f"−{say(part)}"
        case ast.Compare(left=left, ops=ops, comparators=rest):
            verbs = [_COMPARISONS[type(op)][tongue == "zh"] for op in ops]
            pairs = zip(verbs, map(say, rest), strict=True)
            return " ".join([say(left), *(f"{verb} {side}" for verb, side in pairs)])
        case ast.BinOp(left=left, op=op, right=right):
            first, second = _side(left, op, say(left)), _side(right, op, say(right))
            return f"{first} {_OPERATIONS[type(op)]} {second}"
        case ast.Call(func=ast.Name(id=name), args=parts):
            said = [say(part) for part in parts]
            text = _WORDS[name][tongue == "zh"]
            return text.format(*said, all=", ".join(said), rest=", ".join(said[1:]))
        case ast.Tuple(elts=parts):
            return ", ".join(map(say, parts))
        case ast.Name(id=name):
            return str(parameters.get(name, label(name, tongue)))
    return ast.unparse(node).strip("'")


def label(name: str, tongue: Tongue) -> str:
    """What a column is called."""
    if name in FIELDS:
        return FIELDS[name].en if tongue == "en" else FIELDS[name].zh
    return _NAMES.get(name, (name, name))[tongue == "zh"]


def _side(node: ast.expr, op: ast.operator, text: str) -> str:
    loose = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    return f"({text})" if loose and isinstance(op, ast.Mult | ast.Div | ast.Sub) else text
