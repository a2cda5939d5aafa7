"""The words of the report itself, in both languages."""

from tanzheng.analytics.annual.words import Words

TITLE = Words("Annual greenhouse gas report", "年度温室气体排放报告")
PRODUCT = Words("Tanzheng · evidence-grade MRV", "碳证 Tanzheng · 证据级碳排放监测核算")
TONNES = Words("tonnes of carbon dioxide", "吨二氧化碳")
TONNES_E = Words("tonnes of CO2 equivalent", "吨二氧化碳当量")
TOTAL = Words("Total emissions of the year", "年度排放总量")
DRAFT = Words("DRAFT", "草稿")
FINAL = Words("All months accepted", "各月存证均已通过")
WHY_DRAFT = Words("Why this is a draft", "草稿原因")
ENTERPRISE_ID = Words("Enterprise", "重点排放单位")
UNITS = Words("Units", "机组（设施）")
MONTHS_ACCEPTED = Words("Months accepted", "已通过存证月份")
DUE = Words("Report due", "报告期限")
STANDARD = Words("Standard", "核算标准")
DIGEST = Words("SHA-256 of report.json", "report.json 的 SHA-256")
CONTENTS_YEAR = Words("The year", "年度汇总")
BY_MONTH = Words("Emissions by month, t", "逐月排放量（吨）")
MONTH = Words("Month", "月份")
YEAR = Words("Year", "全年")
ALL_UNITS = Words("All units", "合计")
UNIT = Words("Unit", "机组")
SECTOR = Words("Sector", "行业")
FIGURE = Words("Figure", "指标")
VALUE = Words("Value", "数值")
MEASURE = Words("Measure", "单位")
ENTERPRISE_FIGURES = Words("Figures of the enterprise", "企业层级指标")
UNIT_FIGURES = Words("Figures of the year", "年度指标")
MONTH_FIGURES = Words("Month by month", "逐月数据")
LINES = Words("Where the emissions come from", "排放源与活动数据")
DISCLOSURE = Words("Information disclosure", "信息公开表")
ITEM = Words("Item", "项目")
CONTENT = Words("Content", "内容")
FACTORS = Words("Factors and their sources", "核算因子与来源")
FACTOR = Words("Factor", "因子")
SOURCE = Words("Document and section", "文件与章节")
CONFIDENCE = Words("Confidence", "可信度")
UNVERIFIED = Words("to be verified", "待核实")
DRAFT_SOURCE = Words("draft, not in force", "征求意见稿")
PACKS = Words("Standard packs", "标准包")
EVIDENCE = Words("Evidence of the months", "逐月存证")
MANIFEST = Words("Manifest digest (SHA-256)", "清单摘要 SHA-256")
VERSION = Words("Version", "版本")
STATE = Words("State", "状态")
DEPOSITED = Words("Deposited", "存证日期")
KIND = Words("From", "来源")
METHOD = Words("How the year is computed", "年度值的算法")
NOTES = Words("Notes", "说明")
NO_NOTES = Words("None.", "无。")
WEIGHTED_BY = Words("by", "加权")
PAGE = Words("Page {page} of {pages}", "第 {page} 页，共 {pages} 页")
NOT_FORMED = "—"

STATES = {
    "accepted": Words("accepted", "已通过"),
    "": Words("not stated", "未提供"),
}
KINDS = {
    "package": Words("evidence package", "存证包"),
    "account": Words("account results", "核算结果"),
}
METHODS = (
    Words(
        "Each month's figures are rounded half up to the decimals of the standard, then summed. "
        "Sums of rounded months are exact; nothing is rounded again.",
        "各月数据先按标准规定的小数位四舍五入，再逐月求和；求和不再修约。",
    ),
    Words(
        "A ratio of the year is the sum of its numerators over the sum of its denominators: "
        "heating value = Σ(FC·NCV)/ΣFC, carbon = Σ(FC·C)/ΣFC, load = ΣW/Σ(P·t), "
        "intensity = ΣE/ΣW. It is rounded once.",
        "年度比值为分子之和除以分母之和：低位发热量 = Σ(FC·NCV)/ΣFC，含碳量 = Σ(FC·C)/ΣFC，"
        "负荷系数 = ΣW/Σ(P·t)，强度 = ΣE/ΣW；仅修约一次。",
    ),
    Words(
        "Where heat is supplied, E and coal are split by the month's heat share; the share of the "
        "year is weighted by emission.",
        "供热机组按当月供热比分摊排放量与煤耗；年度供热比按排放量加权。",
    ),
    Words(
        "The total is the exact sum of all unit-months, rounded once to whole tonnes, half up. "
        "Whole tonnes of single units may therefore not add up to it.",
        "年度总量为全部机组各月之和，最后一次四舍五入取整；因此各机组取整后之和可能与总量不同。",
    ),
)
CONFIDENCES = Words(
    "S1 quoted from the official text; S2 from an implementation; M from memory, to be verified; "
    "D derived; P own proposal.",
    "S1 引自官方文本；S2 引自实现；M 凭记忆，待核实；D 推导；P 自拟建议。",
)


def state_words(state: str) -> Words:
    """What a state of the evidence journal is called; the state itself where it has no words."""
    return STATES.get(state, Words(state, state))
