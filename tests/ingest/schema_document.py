"""docs/schema.sql and docs/schema-diagram.md from a database that was just migrated.

    make schema

The dump is pg_dump's of the embedded PostgreSQL without what differs from run to run; the diagram
is read from the catalogue. `test_schema_document` holds the files against the migrations.
"""

import subprocess
from collections.abc import Iterator

import psycopg

from parts import REPOSITORY, server_folder
from tanzheng.ingest.embedded import EmbeddedPostgres, binaries
from tanzheng.ingest.migrate import migrate

DUMP = REPOSITORY / "docs" / "schema.sql"
DIAGRAM = REPOSITORY / "docs" / "schema-diagram.md"
# A foreign key on a million rows a second would cost too much: `ingest audit` proves those of
# readings; hours are of points that were looked up.
UNCHECKED = (
    ("reading", "point_id", "point"),
    ("reading", "batch_id", "batch"),
    ("hour", "point_id", "point"),
)

HEAD = """-- The schema of the platform's database on native PostgreSQL, as the migrations leave it.
-- Made by `make schema`. With TimescaleDB `reading` is a hypertable of chunks.
"""
PAGE = """# Tables of the platform · 数据库表关系图

Made by `make schema` from the catalogue of a migrated database. What the tables are for:
[schema.md](schema.md); every column and rule: [schema.sql](schema.sql). Shown are keys and what
they point at. A dotted line is no foreign key: `tanzheng ingest audit` proves those of readings.
仅列主键与引用；虚线关系由审计核对。

```mermaid
erDiagram
"""
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL),
       EXISTS (SELECT FROM pg_constraint p WHERE p.conrelid = c.oid AND p.contype = 'p'
               AND a.attnum = ANY (p.conkey)) AS primary_key,
       (SELECT f.confrelid::regclass::text FROM pg_constraint f WHERE f.conrelid = c.oid
        AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]) AS target,
       a.attnotnull
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
"""


def dump(url: str) -> str:
    """The schema as SQL, the same bytes each time."""
    program = [str(binaries() / "bin/pg_dump"), "--schema-only", "--no-owner", url]
    found = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    lines = [
        line
        for line in found.splitlines()
        if not line.startswith(("\\restrict", "\\unrestrict", "-- Dumped", "SET ", "SELECT pg_c"))
    ]
    text = "\n".join(lines).replace("; Owner: -", "").replace("--\n-- Name", "-- Name")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return HEAD + text.replace("\n--\n\n", "\n").strip() + "\n"


def diagram(url: str) -> str:
    """The page with the diagram."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(COLUMNS).fetchall()
    return PAGE + "\n".join(_lines(columns)) + "\n```\n"


def _lines(columns: list[tuple[str, str, str, bool, str | None, bool]]) -> Iterator[str]:
    loose = {(table, column): target for table, column, target in UNCHECKED}
    for table in sorted({row[0] for row in columns}):
        mine = [row for row in columns if row[0] == table]
        shown = [row for row in mine if row[3] or row[4] or (table, row[1]) in loose]
        yield f"    {table} {{"
        for _, name, kind, primary, target, _ in shown or mine[:1]:
            keys = ", ".join(["PK"] * primary + ["FK"] * bool(target or (table, name) in loose))
            yield f"        {kind.replace(' ', '_')} {name} {keys}".rstrip()
        yield "    }"
    for table, name, _, _, target, required in columns:
        if target is not None:
            yield f"    {target} {'||' if required else '|o'}--o{{ {table} : {name}"
        elif (table, name) in loose:
            yield f"    {loose[table, name]} ||..o{{ {table} : {name}"


def main() -> None:
    """Write both files."""
    with server_folder() as folder, EmbeddedPostgres(folder) as server:
        migrate(server.url())
        DUMP.write_text(dump(server.url()))
        DIAGRAM.write_text(diagram(server.url()))


if __name__ == "__main__":
    main()
