"""The dump and the diagram in docs/ are of this state of the migrations."""

import secrets

import psycopg

from ingest import schema_document
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.migrate import migrate


def test_dump_and_diagram_are_fresh(embedded_server: EmbeddedPostgres) -> None:
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(embedded_server.url("postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        url = embedded_server.url(name)
        migrate(url)
        found = schema_document.dump(url), schema_document.diagram(url)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    kept = schema_document.DUMP.read_text(), schema_document.DIAGRAM.read_text()
    assert found == kept, "expected fresh files: run `make schema`"
    assert "CREATE TABLE public.reading (" in kept[0]
    assert "point ||..o{ reading : point_id" in kept[1]
