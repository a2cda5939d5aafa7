"""What the commands show on a terminal. Names are folded, never cut, however narrow it is."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tanzheng.edge.configuration.config import Loaded, Placement
from tanzheng.edge.configuration.links import endpoint, serial_settings, station
from tanzheng.edge.configuration.traffic import LineLoad, line_loads, traffic_of
from tanzheng.edge.health import DeviceHealth, health_of
from tanzheng.edge.reload import is_agent
from tanzheng.edge.status import SpoolStatus


def check_view(loaded: Loaded, warnings: Iterable[str]) -> RenderableType:
    """What `tanzheng edge check` says of a right configuration."""
    plan = loaded.plan
    title = f"{plan.gateway} · {plan.interval_ms // 1000} s · {len(plan.points)} points 点"
    parts: list[RenderableType] = [_devices_table(loaded, title)]
    loads = line_loads(loaded.placements, plan.interval_ms)
    if any(load.round_ms is not None for load in loads):
        parts.append(_lines_table(loads))
    clock = "plant time 电厂时间" if plan.plant_time_socket else "machine clock 本机时钟"
    broker = f"broker 消息代理 {plan.broker.host}:{plan.broker.port}"
    parts.append(Text(f"{broker} · clock 时钟: {clock}"))
    parts += [Text(f"warning 注意: {each}", style="yellow") for each in warnings]
    parts.append(Text("configuration is valid 配置有效", style="green"))
    return Group(*parts)


def table_of(headings: Iterable[str], title: str = "", first_width: int = 0) -> Table:
    """An open table whose cells fold; the first column is never narrower than `first_width`."""
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", min_width=0 if number else first_width)
    return table


def _devices_table(loaded: Loaded, title: str) -> Table:
    table = table_of(("device 设备\nprofile 型号", "link 连接\naddress 地址"), title)
    table.add_column("fields 量", no_wrap=True, overflow="fold", min_width=_longest(loaded))
    table.add_column("req.\n请求", justify="right", overflow="fold")
    for placement in loaded.placements:
        link = placement.plan.link
        traffic = traffic_of(placement)
        address = " ".join(part for part in (endpoint(link), station(link)) if part)
        table.add_row(
            f"{placement.device.id}\n{placement.profile.id}",
            f"{link['protocol']}\n{address}",
            "\n".join(placement.plan.fields),
            "–" if traffic is None else str(traffic.requests),
        )
    return table


def _longest(loaded: Loaded) -> int:
    return max(len(name) for each in loaded.placements for name in each.plan.fields)


def _lines_table(loads: Iterable[LineLoad]) -> Table:
    headings = ("serial line 串口", "devices 设备", "a round 每轮", "busy 负荷")
    table = table_of(headings)
    for load in loads:
        if load.round_ms is None or load.load is None:
            continue
        style = "red" if load.load > 1 else "yellow" if load.load > 0.8 else ""
        table.add_row(
            f"{load.endpoint}\n{_serial_text(load.placements[0])}",
            str(len(load.placements)),
            f"≈ {load.round_ms / 1000:.2f} s",
            Text(f"≈ {load.load:.0%}", style=style),
        )
    return table


def _serial_text(placement: Placement) -> str:
    baud, parity, stop = serial_settings(placement.plan.link) or (0, "", 0)
    return f"{baud} 8{parity}{stop}"


def status_view(found: SpoolStatus, now_ms: int) -> RenderableType:
    """What `tanzheng edge status` says: the spool, the agent, the health of each device."""
    table = Table(title=f"spool of {found.gateway} 缓存", title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in (*_spool_rows(found, now_ms), *_agent_rows(found.agent)):
        table.add_row(name, value)
    devices = list(health_of(found.agent.get("lines")))
    return Group(table, _health_table(devices)) if devices else table


def _spool_rows(found: SpoolStatus, now_ms: int) -> list[tuple[str, str]]:
    rows = [
        ("batches not yet acknowledged 未确认批次", str(found.batches)),
        ("readings in them 其中读数", str(found.readings)),
        ("entries not yet sealed 未签名记录", str(found.unsealed)),
        ("bytes 占用字节", f"{found.bytes_used:,}"),
        ("oldest not acknowledged 最早未确认时刻", _instant(found.oldest_ms)),
        ("… its age 其时长", _age(found.oldest_ms, found.agent.get("now_ms", now_ms))),
        ("newest durable slot 最新落盘时刻", _instant(found.durable_ms)),
        ("last sealed batch 最新批次 (epoch, seq)", str(found.head or "–")),
        ("acknowledged up to 平台已确认至 (epoch, seq)", str(found.acked or "–")),
    ]
    if found.orphans:
        rows.append(("[red]batches of a lost chain end 孤立批次[/red]", str(found.orphans)))
    return rows


def _agent_rows(agent: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not agent:
        return []
    counters = agent.get("counters", {})
    refused = sum(counters.get(f"ack_{name}", 0) for name in ("forged", "conflict", "malformed"))
    alive = isinstance(pid := agent.get("pid"), int) and is_agent(pid)
    runs = "yes 是" if alive else "[red]no 否[/red]: what follows is its last word 以下为其最后状态"
    rows = [
        ("agent runs 程序运行", runs),
        ("broker connected 已连接", _yes(agent.get("connected"))),
    ]
    clock = agent.get("clock")
    if isinstance(clock, dict):
        offset = clock.get("offset_ms")
        known = "" if offset is None else f", {offset} ms"
        rows.append(("clock synchronised 时钟同步", _yes(clock.get("synchronised")) + known))
    if dropped := counters.get("dropped"):
        rows.append(("[red]readings dropped, spool full 丢弃读数[/red]", str(dropped)))
    if refused:
        rows.append(("[red]refused acks 被拒绝的回执[/red]", str(refused)))
    if agent.get("spool_full"):
        rows.append(("[red]spool full: readings refused 缓存已满[/red]", "yes 是"))
    return rows


def _health_table(devices: Sequence[DeviceHealth]) -> Table:
    headings = ("device 设备", "endpoint 端点", "answers 应答", "read 成功", "failed 失败")
    table = table_of(headings)
    for each in devices:
        reason = f"\n{each.reason}" if each.reason else ""
        style = "" if each.answering is None else "green" if each.answering else "red"
        counts = ("–" if count is None else str(count) for count in (each.successes, each.failures))
        answers = Text(_yes(each.answering) + reason, style=style)
        table.add_row(Text(each.device), Text(each.line), answers, *counts)
    return table


def _yes(value: Any) -> str:
    return "–" if value is None else "yes 是" if value else "no 否"


def _age(t_ms: int | None, now_ms: int) -> str:
    if t_ms is None:
        return "–"
    seconds = max(0, now_ms - t_ms) // 1000
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def _instant(t_ms: int | None) -> str:
    if t_ms is None:
        return "–"
    return datetime.fromtimestamp(t_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")
