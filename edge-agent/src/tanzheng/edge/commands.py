"""`tanzheng edge run | check | status | fsck`. Everything heavy stays in this process.

`run` resolves the configuration into a plan, then becomes the lean process by exec: what Typer,
Rich, YAML and the schema library took is given back, and the process id stays the one that a
supervisor knows.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from tanzheng.edge.status import SpoolStatus

app = typer.Typer(
    name="edge", no_args_is_help=True, help="Acquire, keep, sign and send readings · 边缘采集"
)
PLAN_NAME = "plan.json"

ConfigFile = Annotated[Path, typer.Argument(metavar="EDGE.toml", help="Agent settings · 配置文件")]


@app.command()
def run(config: ConfigFile) -> None:
    """Run the agent until SIGTERM · 运行采集程序."""
    from tanzheng.edge.config import load_config
    from tanzheng.edge.plan import save_plan

    plan = load_config(config)
    spool = Path(plan.spool_path)
    spool.mkdir(parents=True, exist_ok=True)
    plan_path = spool / PLAN_NAME
    save_plan(plan, plan_path)
    os.execv(sys.executable, [sys.executable, "-m", "tanzheng.edge.agent", str(plan_path)])


@app.command()
def check(config: ConfigFile) -> None:
    """Check the configuration without opening a connection · 检查配置（不联网）."""
    from rich.console import Console
    from rich.table import Table

    from tanzheng.edge.config import load_config

    plan = load_config(config)
    table = Table(title=f"{plan.gateway}: {plan.interval_ms // 1000} s", title_justify="left")
    for heading in ("device 设备", "profile 型号", "address 地址", "fields 量"):
        table.add_column(heading)
    for device in plan.devices:
        address = f"{device.host}:{device.port}/{device.unit}"
        table.add_row(device.id, str(device.profile["id"]), address, "\n".join(device.fields))
    console = Console()
    console.print(table)
    clock = "plant time 电厂时间" if plan.plant_time_socket else "machine clock 本机时钟"
    console.print(f"broker {plan.broker.host}:{plan.broker.port} · clock: {clock}")
    console.print("[green]configuration is valid 配置有效[/green]")


@app.command()
def status(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="For machines · 机器可读")] = False,
) -> None:
    """Show what the spool holds and what the platform signed for · 缓存状态."""
    from rich.console import Console

    from tanzheng.edge.config import spool_of
    from tanzheng.edge.status import read_status

    found = read_status(spool_of(config)[0])
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        Console().print(_status_table(found))


@app.command()
def fsck(config: ConfigFile) -> None:
    """Read the whole spool: entries, signatures, hash chain; exit 3 if wrong · 校验缓存."""
    from tanzheng.core.keys import SigningKey
    from tanzheng.edge.config import spool_of
    from tanzheng.edge.spool.fsck import check_spool

    spool, key_path = spool_of(config)
    key = SigningKey.from_pem(key_path.read_bytes(), str(key_path))
    contents = check_spool(spool, key.public)
    typer.echo(
        f"spool is whole 缓存完好: {len(contents.batches)} batches, "
        f"{len(contents.entries)} entries, {contents.orphans} orphans"
    )


def _status_table(found: "SpoolStatus") -> "Table":
    from rich.table import Table

    table = Table(title=f"spool of {found.gateway} 缓存", title_justify="left", show_header=False)
    rows = {
        "batches not yet acknowledged 未确认批次": str(found.batches),
        "readings in them 其中读数": str(found.readings),
        "entries not yet sealed 未签名记录": str(found.unsealed),
        "bytes 占用字节": f"{found.bytes_used:,}",
        "oldest not acknowledged 最早未确认时刻": _instant(found.oldest_ms),
        "newest durable slot 最新落盘时刻": _instant(found.durable_ms),
        "last sealed batch 最新批次 (epoch, seq)": str(found.head or "–"),
        "acknowledged up to 平台已确认至 (epoch, seq)": str(found.acked or "–"),
    }
    if found.orphans:
        rows["[red]batches of a lost chain end 孤立批次[/red]"] = str(found.orphans)
    for name, value in (*rows.items(), *_agent_rows(found)):
        table.add_row(name, value)
    return table


def _agent_rows(found: "SpoolStatus") -> list[tuple[str, str]]:
    if not found.agent:
        return []
    counters = found.agent["counters"]
    refused = counters["ack_forged"] + counters["ack_conflict"] + counters["ack_malformed"]
    rows = [("broker connected 已连接", "yes 是" if found.agent["connected"] else "no 否")]
    if refused:
        rows.append(("[red]refused acks 被拒绝的回执[/red]", str(refused)))
    if found.agent["spool_full"]:
        rows.append(("[red]spool full: readings refused 缓存已满[/red]", "yes 是"))
    return rows


def _instant(t_ms: int | None) -> str:
    from datetime import UTC, datetime

    if t_ms is None:
        return "–"
    return datetime.fromtimestamp(t_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")
