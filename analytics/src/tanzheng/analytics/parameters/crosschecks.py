"""One record against another: stock against scale and the month before, invoices."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tanzheng.analytics.findings import Finding
from tanzheng.analytics.parameters.books import Book
from tanzheng.analytics.parameters.coal import burned_by_stock
from tanzheng.analytics.parameters.reading import Line
from tanzheng.analytics.parameters.records import Records
from tanzheng.analytics.parameters.selection import MonthlyParameter
from tanzheng.core.calendar import Month


def crosschecks(
    stock: Sequence[Line],
    books: Sequence[Book],
    records: Records,
    month: Month,
    chosen: Mapping[str, MonthlyParameter],
) -> list[Finding]:
    """What does not agree. How far it may differ is a matter of rules, not of this table."""
    everywhere = [line for book in books for line in book.lines("stock")]
    found = [*_stock_chain(stock, everywhere), *_invoices(stock, records, month)]
    coal = chosen.get("coal_t")
    if coal is None or coal.value is None or coal.source != "as_fired":
        return found
    fired = ("as fired", coal.value)
    return found + [
        _differs(
            "stock_differs", "coal_t", ("the stock ledger", item.value), fired, "台账与入炉计量"
        )
        for item in burned_by_stock(stock)
        if item.value != coal.value
    ]


def _stock_chain(stock: Sequence[Line], everywhere: Sequence[Line]) -> list[Finding]:
    """This month opens with what the month before closed with, where both are in the books."""
    closed = {line.month().next: line.number("coal_closing_stock_t") for line in everywhere}
    return [
        _differs(
            "stock_not_continuous", line.where("coal_opening_stock_t"),
            ("last month's closing stock", before), ("this month's opening stock", opening),
            "上月期末库存与本月期初库存",
        )
        for line in stock
        if (before := closed.get(line.month())) is not None
        and (opening := line.number("coal_opening_stock_t")) is not None
        and before != opening
    ]  # fmt: skip


def _invoices(stock: Sequence[Line], records: Records, month: Month) -> list[Finding]:
    """Invoices of the month beside the coal received; an invoice may come a month later."""
    masses = [
        item.coal_received_t
        for item in records.invoices
        if month.first_day <= item.issued_on <= month.last_day
    ]
    billed = sum(masses, Decimal(0))
    return [
        _differs(
            "invoices_differ", line.where("coal_received_t"),
            (f"{len(masses)} invoices", billed), ("the ledger", received), "发票与台账购入量",
        )
        for line in stock
        if masses
        and (received := line.number("coal_received_t")) is not None
        and received != billed
    ]  # fmt: skip


def _differs(
    code: str, where: str, a: tuple[str, Decimal], b: tuple[str, Decimal], zh: str
) -> Finding:
    gap = b[1] - a[1]
    return Finding(
        code,
        "warning",
        f"{where}: {a[0]} {a[1]} t, {b[0]} {b[1]} t: {gap:+} t apart",
        f"{where}：{zh}相差 {gap:+} t",
    )
