"""`tanzheng edge …`. Everything heavy stays in this process.

`run` resolves the configuration into a plan, then becomes the lean process by exec: what Typer,
Rich, YAML and the schema library took is given back, and the process id stays the one that a
supervisor knows.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="edge", no_args_is_help=True, help="Acquire, keep, sign and send readings · 边缘采集"
)

ConfigFile = Annotated[Path, typer.Argument(metavar="EDGE.toml", help="Agent settings · 配置文件")]
Json = Annotated[bool, typer.Option("--json", help="For machines · 机器可读")]


@app.command()
def run(config: ConfigFile) -> None:
    """Run the agent until SIGTERM · 运行采集程序."""
    from tanzheng.edge.configuration.config import load_config
    from tanzheng.edge.plan import PLAN_NAME, save_plan

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

    from tanzheng.edge.configuration.config import load
    from tanzheng.edge.configuration.lint import warnings_of
    from tanzheng.edge.views import check_view

    loaded = load(config)
    Console().print(check_view(loaded, warnings_of(loaded)), highlight=False)


@app.command("read-once")
def read_once(
    config: ConfigFile,
    device: Annotated[str | None, typer.Option(help="Only this device · 仅此设备")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Patience with what sends by itself · 等待秒数")
    ] = 10.0,
    as_json: Json = False,
) -> None:
    """Read every point of the devices once and show it; exit 1 if one failed · 读一次."""
    from tanzheng.edge.commissioning.read_once import read_all, reading_view
    from tanzheng.edge.configuration.config import load

    readings = read_all(load(config), device, seconds)
    if as_json:
        typer.echo(json.dumps([each.to_json() for each in readings], ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(reading_view(readings), highlight=False)
    if any(each.failure for each in readings):
        raise typer.Exit(1)


@app.command()
def scan(
    host: Annotated[str | None, typer.Option(help="Modbus TCP gateway · 网关地址")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port · 端口")] = 502,
    serial: Annotated[str | None, typer.Option(help="Serial port · 串口")] = None,
    baud: Annotated[int, typer.Option(min=300, max=4_000_000, help="波特率")] = 9600,
    parity: Annotated[str, typer.Option(help="N, E or O · 校验")] = "N",
    stop: Annotated[int, typer.Option(min=1, max=2, help="Stop bits · 停止位")] = 1,
    units: Annotated[str, typer.Option(help="Unit ids, 1-247 or 1,5,7-9 · 站号")] = "1-247",
    profile: Annotated[str | None, typer.Option(help="Ask as this profile does · 型号")] = None,
    protocol: Annotated[
        str, typer.Option(help="modbus, modbus_rtu_over_tcp or dlt645 · 协议")
    ] = "modbus",
    timeout_ms: Annotated[int, typer.Option(min=20, max=10_000, help="超时（毫秒）")] = 300,
    as_json: Json = False,
) -> None:
    """Find the devices that answer, by reads only · 扫描站号（只读）."""
    from tanzheng.edge.commissioning.scan import ScanTarget, found_view, scan_units

    target = ScanTarget(
        host, port, serial, baud, parity, stop, units, profile, protocol, timeout_ms
    )
    found = scan_units(target)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(found_view(found), highlight=False)
    if not found:
        raise typer.Exit(1)


@app.command()
def status(config: ConfigFile, as_json: Json = False) -> None:
    """Show the spool, the devices' health and what the platform signed for · 状态."""
    from time import time_ns

    from tanzheng.edge.configuration.config import spool_of
    from tanzheng.edge.status import read_status

    found = read_status(spool_of(config)[0])
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    from rich.console import Console

    from tanzheng.edge.views import status_view

    Console().print(status_view(found, time_ns() // 1_000_000), highlight=False)


@app.command()
def reload(config: ConfigFile) -> None:
    """Give the running agent the changed settings, without losing a sample · 重新加载配置."""
    from tanzheng.edge.configuration.config import load_config
    from tanzheng.edge.reload import hand_over

    hand_over(load_config(config))
    typer.echo("the agent runs with the new configuration 新配置已生效")


@app.command()
def swap(
    config: ConfigFile,
    device: Annotated[str, typer.Option(help="Device whose meter was changed · 设备")],
    field: Annotated[str, typer.Option(help="Counter field · 计数量")],
    final: Annotated[str, typer.Option(help="Last reading of the old meter · 旧表止码")],
    initial: Annotated[str, typer.Option(help="First reading of the new meter · 新表起码")],
    reason: Annotated[str, typer.Option(help="Why · 原因")],
    by: Annotated[str, typer.Option(help="Who changed it · 操作人")],
    at: Annotated[str, typer.Option(help="When, ISO 8601 with zone; now · 时刻")] = "",
) -> None:
    """Record that a meter was changed, in the signed chain · 换表记录.

    The readings are in the unit of the field.
    """
    from tanzheng.edge.configuration.config import load_config
    from tanzheng.edge.inbox import MeterSwap
    from tanzheng.edge.swap import instant_ms, write_swap

    record = MeterSwap(device, field, instant_ms(at), final, initial, reason, by)
    path = write_swap(load_config(config), record)
    typer.echo(f"recorded, the agent takes it with its next slot 已记录: {path}")


@app.command("re-enrol")
def re_enrol(
    config: ConfigFile,
    document: Annotated[Path, typer.Argument(help="Signed re-enrolment · 登记书")],
    enrolment_key: Annotated[
        Path, typer.Option(help="The platform's public enrolment key (PEM) · 平台登记公钥")
    ],
) -> None:
    """Let a stopped agent go on in the epoch of a re-enrolment · 按登记书开启新纪元."""
    from time import time_ns

    from tanzheng.core.keys import VerifyKey
    from tanzheng.edge.configuration.config import spool_of
    from tanzheng.edge.re_enrolment import go_on, plan_of, read_bytes

    operator = VerifyKey.from_pem(read_bytes(enrolment_key), str(enrolment_key))
    plan = plan_of(*spool_of(config))
    done = go_on(plan, read_bytes(document), operator, time_ns() // 1_000_000)
    typer.echo(
        f"the next batch opens epoch {done.epoch}; {done.orphans} batches stay behind as orphans, "
        f"{done.readings} readings become gaps · 下一批次开启纪元 {done.epoch}，{done.orphans} "
        f"个批次留存本地，{done.readings} 条数据记为缺口"
    )


@app.command()
def unit(config: ConfigFile) -> None:
    """Print the systemd unit of this installation · 输出 systemd 单元."""
    from tanzheng.edge.configuration.config import load_config
    from tanzheng.edge.units import unit_text

    typer.echo(unit_text(load_config(config), config), nl=False)


@app.command()
def fsck(config: ConfigFile) -> None:
    """Read the whole spool: entries, signatures, hash chain; exit 3 if wrong · 校验缓存."""
    from tanzheng.core.keys import SigningKey
    from tanzheng.edge.configuration.config import spool_of
    from tanzheng.edge.spool.fsck import check_spool

    spool, key_path = spool_of(config)
    key = SigningKey.from_pem(key_path.read_bytes(), str(key_path))
    contents = check_spool(spool, key.public)
    typer.echo(
        f"spool is whole 缓存完好: {len(contents.batches)} batches, "
        f"{len(contents.entries)} entries, {contents.orphans} orphans"
    )
