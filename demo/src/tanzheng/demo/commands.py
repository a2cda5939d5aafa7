"""`tanzheng demo`: one real month, end to end, on this machine."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    replay: Annotated[
        Path | None,
        typer.Option(help="Hourly file of US EPA Part 75; the shipped July 2018 by default."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="ORIS/ID where the file has several units.")
    ] = None,
    month: Annotated[
        str | None, typer.Option(help="YYYY-MM where the file has several months.")
    ] = None,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where everything of the run lies; made anew each time.")
    ] = Path("tanzheng-demo"),
    live: Annotated[
        bool, typer.Option("--live", help="Keep a plant running at real speed until Ctrl-C.")
    ] = False,
) -> None:
    """One real month from a meter's register to a receipt that a stranger can verify. 全流程演示"""
    from rich.console import Console

    from tanzheng.demo.folder import RunFolder
    from tanzheng.demo.live import run_live
    from tanzheng.demo.rehearsal import Rehearsal
    from tanzheng.demo.servers import Replay
    from tanzheng.demo.tables import show

    console = Console()
    source = Replay(replay.resolve() if replay else None, unit, month, live)
    hours = source.read()
    folder = RunFolder.fresh(directory)
    if live:
        run_live(folder, source, console)
        return
    console.print("[bold]Tanzheng 碳证[/bold] · one month, from a meter's register to a receipt\n")
    summary = Rehearsal(folder, source, hours.month, console).run()
    show(summary, console)
    raise typer.Exit(0 if summary.holds else 1)
