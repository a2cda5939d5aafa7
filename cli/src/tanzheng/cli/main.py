"""The `tanzheng` command: one group whose sub-commands come from the installed packages.

A package contributes by an entry point of the group `tanzheng.commands`: a Typer app becomes a
group, a plain function a command. None is imported before it is called, so that
`tanzheng --help` stays quick however heavy the packages are.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from tanzheng.core.errors import TanzhengError

ENTRY_POINT_GROUP = "tanzheng.commands"

# In the order of a reading's life. A command not named here shows its package's summary.
SUMMARIES = {
    "sim": "A plant to measure: Modbus devices that replay real hours · 模拟电厂",
    "profile": "What a device type shows and where: list, show, check · 设备点表",
    "edge": "Acquire, keep, sign and send readings · 边缘采集",
    "hj212": "HJ 212 frames: read and explain them · HJ 212 报文解析",
    "dlt645": "DL/T 645 meters: read and explain frames · 电表报文解析",
    "ingest": "Check signed batches and write them once · 接收入库",
    "hours": "Hours of every point, kept up with what arrives · 小时数据",
    "parameters": "Monthly parameters: template, import, sources · 月度参数",
    "account": "Emissions of unit-months by the standard, explained · 排放核算",
    "month": "Close a month: figures, checks, evidence package · 月度结账",
    "lineage": "From what a figure is derived, down to documents · 数据溯源",
    "evidence": "Evidence months: deposit, review, return, sample, who is late · 月度存证",
    "annual": "Twelve months to a year: report, packet · 年度报告",
    "rules": "Validation rules: list, explain, run, test · 校验规则",
    "anomalies": "Anomalies with the input to blame: detect, explain · 异常检测",
    "leads": "Leads: opened, handed down, answered, closed · 问题线索",
    "anchor": "Log, checkpoint, chain: a receipt for a package · 存证上链",
    "log": "The log's plain files: head, proofs, audit, export · 存证日志",
    "witness": "Cosign checkpoints after checking consistency · 见证人",
    "trust": "Observe the chain for a verifier's trust file · 信任文件",
    "feed": "Confirmed emissions for registries: serve, follow, book · 登记簿推送",
    "verify": "Check a receipt and recompute its figures, off line · 离线核验",
    "recompute": "Make a package again from its signed batches, compare · 离线重算",
    "redact": "Disclose some figures of a package, hide the rest · 选择性披露",
    "key": "Make and show Ed25519 keys · 密钥",
    "demo": "One real month, faults and attacks included · 演示",
}


class LazyGroup(TyperGroup):
    """Lists every installed sub-command by its summary and imports only the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.entries = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
        for name in sorted(self.entries, key=_rank):
            self.add_command(TyperCommand(name, help=_summary(self.entries[name])))

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of a reading's life, not of the alphabet."""
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The one place where a listed command turns into the real one."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self.entries:
            command = load(self.entries[name])
        return name, command, rest


def load(entry: EntryPoint) -> Any:
    """Import what an entry point names and make a command of that name of it.

    `get_group`, not `get_command`: that one folds an app with a single command into it, and
    `tanzheng month close` would lose its second word.
    """
    contributed = entry.load()
    command: Any
    if isinstance(contributed, typer.Typer):
        command = typer.main.get_group(contributed)
    else:
        app = typer.Typer(add_completion=False)
        app.command(entry.name)(contributed)
        command = typer.main.get_command(app)
    command.name = entry.name
    return command


def _rank(name: str) -> tuple[int, str]:
    known = list(SUMMARIES)
    return (known.index(name) if name in known else len(known), name)


def _summary(entry: EntryPoint) -> str:
    if entry.name in SUMMARIES:
        return SUMMARIES[entry.name]
    return entry.dist.metadata["Summary"] if entry.dist else ""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tanzheng {version('tanzheng-cli')}")
        raise typer.Exit


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False)


@app.callback()
def tanzheng(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Tanzheng 碳证: from a meter's register to a receipt that a stranger can verify."""


def report(error: TanzhengError) -> None:
    """One red line that says what is wrong, then what to do about it, on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("错误 error: ", "bold red"), (str(error), "red")))
    advice = error.diagnostics()
    if advice:
        console.print(Text(advice))


def main() -> None:
    """Run the command line; a `TanzhengError` ends it with its own exit code.

    Anything else unexpected keeps its traceback: it is a fault of ours, not of the user's.
    Ctrl-C ends with 130 and no word (Typer's `main` sees to both it and usage errors).
    """
    try:
        typer.main.get_command(app).main(prog_name="tanzheng")
    except TanzhengError as error:
        report(error)
        sys.exit(error.exit_code)
