"""`tanzheng rules`: the catalogue, one rule read out, a run over tables, the rules' own tests."""

from collections import Counter
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tanzheng.core.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tanzheng.analytics.rules.catalogue import FleetRule
    from tanzheng.analytics.rules.report import Report

app = typer.Typer(
    help="Validation rules: list, explain, run, test · 校验规则", no_args_is_help=True
)


@app.command("list")
def list_rules(
    sector: Annotated[str | None, typer.Option(help="Only this sector · 行业")] = None,
    kind: Annotated[str | None, typer.Option("--class", help="Only this class · 类别")] = None,
    severity: Annotated[str | None, typer.Option(help="Only this severity · 级别")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print docs/rules.md · 输出文档")
    ] = False,
) -> None:
    """List the rules, with their count by class and sector · 规则清单."""
    from tanzheng.analytics.rules.catalogue import SEVERITIES, load_catalogue
    from tanzheng.analytics.rules.ruleset import CLASSES
    from tanzheng.analytics.rules.tables import SECTORS

    for option, value, allowed in (
        ("--sector", sector, SECTORS),
        ("--class", kind, CLASSES),
        ("--severity", severity, SEVERITIES),
    ):
        if value is not None and value not in allowed:
            raise BadInput(f"{option}: expected one of {', '.join(allowed)}, got {value!r}")
    rules = [
        rule
        for rule in load_catalogue().rules
        if sector in {None, rule.sector}
        and kind in {None, rule.kind}
        and severity in {None, rule.severity}
    ]
    if markdown:
        from tanzheng.analytics.rules.markdown import document

        typer.echo(document(rules), nl=False)
        return
    from rich.console import Console

    from tanzheng.analytics.rules.pages import catalogue_page

    Console().print(catalogue_page(rules))


@app.command("explain")
def explain(rule: Annotated[str, typer.Argument(help="Id of the rule · 规则编号")]) -> None:
    """Read one rule out: words, values, source, examples, what to do · 规则说明."""
    from rich.console import Console

    from tanzheng.analytics.rules.catalogue import load_catalogue
    from tanzheng.analytics.rules.pages import rule_page

    Console().print(rule_page(load_catalogue().rule(rule)))


@app.command("run")
def run_rules(
    files: Annotated[list[Path], typer.Argument(help="Tables: Parquet, CSV or JSON rows · 数据表")],
    suppressions: Annotated[
        Path | None, typer.Option(help="Suppressions (TOML) · 豁免文件")
    ] = None,
    today: Annotated[
        str | None, typer.Option(help="Day for the end of suppressions, YYYY-MM-DD · 日期")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines")] = False,
) -> None:
    """Hold every rule against every row; exit code 3 where something blocks deposit · 执行校验."""
    from tanzheng.analytics.today import day

    report = _run(files, suppressions, day(today), quiet=as_json)
    if as_json:
        import json

        typer.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        from rich.console import Console

        from tanzheng.analytics.rules.pages import report_page

        Console().print(report_page(report))
    if report.blocking:
        raise CheckFailed(f"expected no failure that blocks deposit, got {report.blocking:,}")


@app.command("test")
def test_rules() -> None:
    """Hold each rule to its own examples in both back ends, and try mutants · 规则自检."""
    from rich.console import Console

    from tanzheng.analytics.rules.catalogue import load_catalogue
    from tanzheng.analytics.rules.examples import faults
    from tanzheng.analytics.rules.pages import pair_page

    rules = load_catalogue().rules
    with Console(stderr=True).status("examples 示例"):
        found = [str(fault) for rule in rules for fault in faults(rule)]
        counts = _mutations(rules)
    if found:
        raise CheckFailed("\n".join(found))
    pairs = sum(len(rule.passing) + len(rule.failing) for rule in rules)
    Console().print(pair_page(counts, pairs))


def _mutations(rules: "Sequence[FleetRule]") -> "Mapping[str, tuple[int, int]]":
    from tanzheng.analytics.rules.examples import mutants, survives

    made: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for rule in rules:
        for kind, _, mutant in mutants(rule):
            made[kind] += 1
            caught[kind] += not survives(mutant)
    return {kind: (caught[kind], made[kind]) for kind in made}


def _run(files: list[Path], suppressions: Path | None, today: date, quiet: bool) -> "Report":
    from rich.console import Console
    from rich.progress import Progress

    from tanzheng.analytics.rules import fleet
    from tanzheng.analytics.rules.catalogue import load_catalogue
    from tanzheng.analytics.rules.files import read_table
    from tanzheng.analytics.rules.report import Report
    from tanzheng.analytics.rules.suppression import Suppressions, read_suppressions

    catalogue = load_catalogue()
    aside = Suppressions()
    if suppressions is not None:
        aside = read_suppressions(_read(suppressions), str(suppressions), catalogue, today)
    report = Report(catalogue.sha256, aside)
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        for path in files:
            frame = read_table(path)
            task = progress.add_task(path.name, total=frame.height)
            advance = partial(progress.advance, task)
            report.add(fleet.run(frame, catalogue.rules, str(path), advance), str(path))
    return report


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"expected a file, got {path}: {error.strerror}") from None
