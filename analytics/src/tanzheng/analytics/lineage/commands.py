"""`tanzheng lineage`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from tanzheng.analytics.lineage.graph import Graph


def lineage(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="PACKAGE... [FIGURE]",
            help="One package, or a year's; then a figure or node · 证据包目录，数据项",
        ),
    ],
    hour: Annotated[
        str | None,
        typer.Option(help="One hour in plant time, YYYY-MM-DDTHH: batches, readings · 单个小时"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines")] = False,
    as_mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print a Mermaid flow chart · 流程图")
    ] = False,
) -> None:
    """From what a figure is derived: hours, readings, batches, devices, certificates, documents.

    The package's own lineage is shown once its digests hold; that it follows from the batches is
    what `tanzheng recompute` proves. 数据溯源
    """
    packages, figure = _split(what)
    if as_json and as_mermaid:
        raise BadInput("expected --json or --mermaid, got both")
    if hour is not None and (figure or as_mermaid or len(packages) > 1):
        raise BadInput("--hour: expected one package, without FIGURE and --mermaid")
    if hour is not None:
        _hour(packages[0], hour, as_json)
        return
    from tanzheng.analytics.lineage import render

    graph, root = _graph(packages, figure, whole=as_json)
    if as_json:
        import json

        typer.echo(json.dumps(graph.to_json(), ensure_ascii=False, indent=2))
    elif as_mermaid:
        typer.echo(render.mermaid(graph), nl=False)
    else:
        from rich.console import Console

        Console(highlight=False).print(render.tree(graph, root))


def _graph(packages: list[Path], figure: str | None, *, whole: bool) -> "tuple[Graph, str]":
    """The graph to show and its root: of a figure what it rests on, else the month or the year."""
    from tanzheng.analytics import folder
    from tanzheng.analytics.lineage.package import ANNUAL_FIGURE, Lineage, annual

    months = [Lineage.of(folder.read(path)) for path in packages]
    if len(months) > 1:
        return annual(months, figure or ANNUAL_FIGURE)
    root = months[0].id_of(figure)
    graph = months[0].graph
    return (graph if whole and figure is None else graph.reached([root])), root


def _hour(package: Path, hour: str, as_json: bool) -> None:
    from tanzheng.analytics import folder
    from tanzheng.analytics.lineage.hour import hour_trace

    trace = hour_trace(folder.read(package), hour)
    if as_json:
        import json

        typer.echo(json.dumps(trace.to_json(), ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    from tanzheng.analytics.lineage import render

    Console(highlight=False).print(render.hour(trace))


def _split(what: list[str]) -> tuple[list[Path], str | None]:
    """The packages, and the figure where the last word is no folder."""
    figure = what[-1] if len(what) > 1 and not Path(what[-1]).is_dir() else None
    return [Path(word) for word in (what[:-1] if figure else what)], figure
