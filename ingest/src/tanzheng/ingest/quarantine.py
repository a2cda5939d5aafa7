"""Reading the quarantine: what was refused, why, how often."""

from typing import Any

import psycopg
from psycopg.rows import dict_row


def latest(database_url: str, limit: int, open_only: bool) -> list[dict[str, Any]]:
    """The latest entries, times as ISO 8601, digest as hex; without the bytes themselves."""
    where = "WHERE accepted_at IS NULL" if open_only else ""
    statement = (
        "SELECT quarantine_id, topic, gw, reason_code, detail, encode(digest, 'hex') AS digest, "  # noqa: S608
        "length(raw) AS bytes, to_json(received_at) AS received_at, seen, "
        "to_json(seen_last_at) AS seen_last_at, to_json(accepted_at) AS accepted_at "
        f"FROM quarantine {where} ORDER BY quarantine_id DESC LIMIT %s"
    )
    with (
        psycopg.connect(database_url) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        return cursor.execute(statement.encode(), (limit,)).fetchall()
