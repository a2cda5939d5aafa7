"""`tanzheng annual`: the year of an enterprise, and the packet for the ministry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tanzheng.analytics.terminal import print_json, print_page

if TYPE_CHECKING:
    from tanzheng.analytics.annual.report import Report

app = typer.Typer(
    help="Twelve months to a year: annual report, packet for the ministry · 年度报告",
    no_args_is_help=True,
)

Evidence = Annotated[
    list[Path],
    typer.Argument(
        help="Evidence packages (folders), results of tanzheng account --json (files) · 逐月证据"
    ),
]
Accepted = Annotated[
    Path | None, typer.Option(help="Accepted months (JSON); without it a draft · 已通过存证的月份")
]
Disclosure = Annotated[
    Path | None, typer.Option(help="The enterprise's statements (TOML) · 信息公开填报文件")
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Draft of a year that lacks months · 缺月草稿")
]
Font = Annotated[
    Path | None, typer.Option(help="TrueType file in place of the one that ships · 字体文件")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]


@app.callback()
def annual() -> None:
    """Twelve months to a year: annual report, packet for the ministry · 年度报告."""


@app.command("report")
def make_report(
    evidence: Evidence,
    out: Annotated[
        Path | None, typer.Option(help="Write it: name.pdf, name.xlsx or name.json · 输出文件")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the PDF: zh, en · 语言")] = "zh",
    accepted: Accepted = None,
    disclosure: Disclosure = None,
    font: Font = None,
    partial: Partial = False,
    as_json: AsJson = False,
) -> None:
    """Add twelve months up, show the year, and write it as PDF, XLSX or JSON · 年度汇总.

    Months that are not in the list of accepted ones make the report a draft.
    """
    from tanzheng.analytics.annual.files import write_file

    report = _report(evidence, accepted, disclosure, partial)
    if out is not None:
        write_file(out, _rendered(report, out, language, font))
    _print(report, as_json)


@app.command("packet")
def make_packet(
    evidence: Evidence,
    out: Annotated[Path, typer.Option(help="Folder, or name.zip · 输出目录或压缩包")],
    accepted: Accepted = None,
    disclosure: Disclosure = None,
    font: Font = None,
    partial: Partial = False,
    as_json: AsJson = False,
) -> None:
    """Write the packet: report as JSON, XLSX, PDF in two languages, list of months · 报送包."""
    from tanzheng.analytics.annual.files import read_typeface, write_packet
    from tanzheng.analytics.annual.packet import packet

    report = _report(evidence, accepted, disclosure, partial)
    write_packet(out, packet(report, read_typeface(font)))
    _print(report, as_json)


@app.command("check")
def check_packet(
    path: Annotated[Path, typer.Argument(help="Packet: folder or ZIP archive · 报送包")],
    evidence: Annotated[
        list[Path] | None,
        typer.Argument(help="The evidence it was made from, to hold it against · 逐月证据"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a packet: digests, sums, each file made again from report.json · 核对报送包.

    With evidence, each month of the report is held against it.
    """
    from tanzheng.analytics.annual.files import read_evidence, read_packet
    from tanzheng.analytics.annual.held import hold_against
    from tanzheng.analytics.annual.packet import check

    checked = check(read_packet(path))
    if evidence:
        hold_against(checked.report, read_evidence(evidence))
    told = {
        "total_t": str(checked.report.total),
        "report_sha256": checked.report.sha256.hex(),
        "draft": checked.report.is_draft,
        "made_again": checked.made_again,
        "held_against_evidence": bool(evidence),
    }
    if as_json:
        print_json(told)
        return
    from tanzheng.analytics.annual.page import checked_page

    print_page(checked_page(checked, with_evidence=bool(evidence)))


def _report(
    evidence: list[Path], accepted: Path | None, disclosure: Path | None, partial: bool
) -> "Report":
    from tanzheng.analytics.annual.assemble import annual_report
    from tanzheng.analytics.annual.files import read_acceptances, read_evidence, read_statements

    return annual_report(
        read_evidence(evidence),
        read_acceptances(accepted),
        read_statements(disclosure),
        partial=partial,
    )


def _rendered(report: "Report", out: Path, language: str, font: Path | None) -> bytes:
    from tanzheng.analytics.annual.files import read_typeface
    from tanzheng.analytics.annual.words import LANGUAGES, Language
    from tanzheng.core.errors import BadInput

    if out.suffix == ".json":
        return report.encode()
    if out.suffix == ".xlsx":
        from tanzheng.analytics.annual.xlsx import xlsx

        return xlsx(report)
    if out.suffix != ".pdf":
        raise BadInput(f"--out: expected a name ending in .pdf, .xlsx or .json, got {out}")
    chosen: dict[str, Language] = {known: known for known in LANGUAGES}
    if language not in chosen:
        raise BadInput(f"--language: expected one of {', '.join(LANGUAGES)}, got {language!r}")
    face = read_typeface(font)
    from tanzheng.analytics.annual.pdf import pdf  # the typeface says what to install for it

    return pdf(report, chosen[language], face)


def _print(report: "Report", as_json: bool) -> None:
    if as_json:
        from tanzheng.analytics.annual import record

        print_json(record.to_json(report))
        return
    from tanzheng.analytics.annual.page import report_page

    print_page(report_page(report))
