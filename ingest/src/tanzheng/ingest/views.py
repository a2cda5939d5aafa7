"""What the commands of ingest show to a person: Rich tables, English and Chinese."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tanzheng.ingest.compare import moment
from tanzheng.ingest.rebuild import RebuildReport
from tanzheng.ingest.status import GatewayStatus, Status

STATUS_COLUMNS = ("head 链头\nearly 超前", "newest 最新\nstored 入库", "rows 数据行\nsigned 签名")
LABELS = {"reading": "readings 数据", "gap": "gaps 缺口", "event": "events 事件"}
ENROLMENT_COLUMNS = (
    "gateway 网关", "epoch 纪元", "after 接续", "key 密钥", "by 决定人", "reason 原因",
)  # fmt: skip


def status_view(status: Status) -> RenderableType:
    """A row a gateway, the holes below, and a sentence about health."""
    title = f"Ingest 接收状态 {moment(status.now_ms)[:19]}Z"
    table = Table(title=title, title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("gateway 网关\nstate 状态")
    for name in STATUS_COLUMNS:
        table.add_column(name, justify="right")
    table.add_column("quarantine\n隔离")
    for each in status.gateways:
        table.add_row(*_row(each, status.now_ms))
        table.add_section()
    parts: list[RenderableType] = [table]
    if any(each.holes for each in status.gateways):
        parts.append(_holes(status))
    if status.strangers:
        parts.append(Text(f"of no gateway 未登记来源: {_counts(status.strangers)}"))
    parts += [Text(f"✗ {fault}", "red") for fault in status.faults]
    parts += [] if status.faults else [Text("✓ all well · 正常", "green")]
    return Group(*parts)


def _row(each: GatewayStatus, now_ms: int) -> Iterable[RenderableType]:
    well = each.state == "active"
    state = ("active 正常", "green") if well else ("suspended 暂停", "bold red")
    yield Text.assemble((each.gw, "bold"), "\n", state)
    early = (str(each.early_batches), "yellow" if each.early_batches else "")
    head = f"{each.head_epoch}:{each.head_seq}" if each.head_seq is not None else "-"
    yield Text.assemble(head, "\n", early)
    yield f"{age(each.newest_ms, now_ms)}\n{age(each.committed_ms, now_ms)}"
    yield f"{each.readings:,}\n{size(each.raw_bytes)}"
    yield Text(_counts(each.quarantine, "\n") or "-", "yellow" if each.quarantine else "")


def _holes(status: Status) -> Table:
    table = Table(title="Missing batches 缺失批次", title_style="bold")
    table.add_column("gateway 网关")
    for name in ("first seq 首个序号", "batches 批次数", "since 起于"):
        table.add_column(name, justify="right")
    for each in status.gateways:
        for hole in each.holes:
            since = f"{moment(hole.since_ms)[:19]}Z"
            table.add_row(each.gw, str(hole.first_seq), str(hole.batches), since)
        if each.holes_more:
            table.add_row(each.gw, "…", f"{each.holes_more} more 更多", "")
    return table


def rebuild_view(report: RebuildReport) -> RenderableType:
    """What differed, what was made anew, and whether all is equal now."""
    table = Table(title="Rows against signed batches 数据行与签名批次", title_style="bold")
    table.add_column("")
    for name in ("missing 缺少", "extra 多余", "changed 改动"):
        table.add_column(name, justify="right")
    for label, name in (
        ("readings 数据", "reading"),
        ("gaps 缺口", "gap"),
        ("events 事件", "event"),
    ):
        counts = report.differed[name]
        table.add_row(label, *(f"{n:,}" for n in (counts.missing, counts.extra, counts.changed)))
    parts: list[RenderableType] = [table]
    if report.first is not None:
        parts.append(Text(f"first 首个差异: {report.first}", "yellow"))
    if report.refused is not None:
        parts.append(Text(f"✗ {report.refused} · 证据有误，未改动该处", "bold red"))
    elif report.after is not None:
        parts.append(Text(f"✗ still different 仍不一致: {report.after}", "bold red"))
    elif report.check and report.first is not None:
        parts.append(Text("✗ nothing was changed · 只检查，未改动", "red"))
    else:
        parts.append(Text(_equal(report), "green"))
    return Group(*parts)


def _equal(report: RebuildReport) -> str:
    made = f", {report.pieces_rebuilt} pieces made anew 重建" if report.pieces_rebuilt else ""
    return (
        f"✓ {report.readings} readings, {report.gaps} gap records equal the {report.batches} "
        f"signed batches · 一致{made}"
    )


def enrolments_view(found: Iterable[Mapping[str, Any]]) -> Table:
    """A row a re-enrolment."""
    table = Table(title="Re-enrolments 重新登记", title_style="bold")
    for name in (
        "gateway 网关",
        "epoch 纪元",
        "after 接续",
        "key 密钥",
        "by 决定人",
        "reason 原因",
    ):
        table.add_column(name)
    for each in found:
        same = each["old_kid"] == each["new_kid"]
        key = "same 不变" if same else f"{each['old_kid'][:8]}… → {each['new_kid'][:8]}…"
        after = f"{each['after_epoch']}:{each['after_seq']}"
        table.add_row(each["gw"], str(each["opens_epoch"]), after, key, each["by"], each["reason"])
    return table


def age(t_ms: int | None, now_ms: int) -> str:
    """How long ago, in the two largest units."""
    if t_ms is None:
        return "-"
    seconds = max(0, now_ms - t_ms) // 1000
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def size(count: int) -> str:
    """Bytes in the largest binary unit."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _counts(counts: Mapping[str, int], between: str = ", ") -> str:
    return between.join(f"{reason} {count}" for reason, count in counts.items())
