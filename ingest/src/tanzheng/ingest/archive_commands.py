"""`tanzheng ingest archive`: old months to Parquet and back."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tanzheng.ingest.options import DatabaseUrl, Json


def archive(
    database_url: DatabaseUrl,
    month: Annotated[
        str | None, typer.Option(help="YYYY-MM, a month of UTC days that is over · 月份（UTC）")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where archives stay · 归档目录")] = Path("archive"),
    with_holes: Annotated[
        bool, typer.Option("--with-holes", help="Also a month that lacks batches · 允许缺批次")
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Then drop the rows, once compared · 核对后删除数据行")
    ] = False,
    restore: Annotated[
        Path | None, typer.Option(help="Bring back the days of this archive · 恢复")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a month's readings to Parquet, drop them, or bring them back · 归档与恢复."""
    from datetime import UTC, datetime

    from tanzheng.core.calendar import Month
    from tanzheng.core.errors import BadInput
    from tanzheng.ingest import archive as work
    from tanzheng.ingest.migrate import named_errors

    if (month is None) == (restore is None):
        raise BadInput("archive: expected either --month YYYY-MM or --restore DIR")
    with named_errors():
        if restore is not None:
            days, readings = work.restore(database_url, restore)
            done: dict[str, Any] = {"days": days, "readings": readings}
            said = f"restored 恢复: {days} days, {readings} readings"
        else:
            wanted = Month.parse(str(month))
            now = datetime.now(UTC)
            found = work.archive(database_url, wanted, out, now, with_holes, drop)
            manifest = found.manifest
            done = {"files": len(manifest.files), "readings": manifest.readings,
                    "holes": list(manifest.holes), "dropped": len(found.dropped)}  # fmt: skip
            said = (
                f"{found.folder}: {len(manifest.files)} files, {manifest.readings} readings · "
                f"已归档; days dropped 删除天数: {len(found.dropped)}"
            )
    typer.echo(json.dumps(done) if as_json else said)
