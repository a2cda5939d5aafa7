"""What `tanzheng sim check` prints."""

from rich.table import Table

from tanzheng.hardware.epa import FileContents, MonthOfHours
from tanzheng.hardware.physics import co2_tonnes, constants, energy_kwh, gas_nm3


def contents_table(contents: FileContents) -> Table:
    """Units of a file and their months."""
    table = Table(title="Units in the file · 文件中的机组")
    table.add_column("unit · 机组")
    table.add_column("months · 月份")
    for unit, months in contents.months.items():
        table.add_row(unit, ", ".join(months))
    return table


def month_table(replay: MonthOfHours) -> Table:
    """The month's totals, which the devices' counters will show, and the notices."""
    c = constants()
    hours = replay.hours
    table = Table(title=f"{replay.facility}/{replay.unit} {replay.month}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("hours in operation · 运行小时 (h)", f"{sum(hour.op_time for hour in hours):,.2f}"),
        ("partial hours · 不满小时", str(sum(0 < hour.op_time < 1 for hour in hours))),
        ("electricity · 发电量 (MWh)", f"{float(sum(map(energy_kwh, hours)) / 1000):,.3f}"),
        ("fuel gas · 天然气 (Nm3)", f"{float(sum(gas_nm3(hour, c) for hour in hours)):,.1f}"),
        ("stack CO2 · 烟气二氧化碳 (t)", f"{float(sum(co2_tonnes(h, c) for h in hours)):,.2f}"),
    ):
        table.add_row(name, value)
    for notice in replay.notices:
        table.add_row(f"notice · 提示: {notice.text}", f"{notice.hours} h")
    return table
