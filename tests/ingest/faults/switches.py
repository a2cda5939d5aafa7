"""What `runner.py` can change in the product for the length of a test."""

from collections.abc import Callable

from tanzheng.ingest import migrate

NEWER_NAME = "9999_newer.sql"
NEWER = """
ALTER TABLE batch ADD COLUMN newer text NOT NULL DEFAULT 'some words';
CREATE INDEX batch_newer ON batch (made_ms, newer);
ALTER TABLE gateway ADD COLUMN newer bigint;
ALTER TABLE reading ADD COLUMN newer smallint;
CREATE TABLE newer (gw text PRIMARY KEY REFERENCES gateway);
"""
SWITCHES: dict[str, Callable[[], None]] = {}


def switch(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register the decorated function under `name`."""

    def register(change: Callable[[], None]) -> Callable[[], None]:
        SWITCHES[name] = change
        return change

    return register


@switch("a newer version")
def newer_version() -> None:
    """A release that has one migration more: it touches every table that ingest writes."""
    files = migrate.files
    migrate.files = lambda: files() | {NEWER_NAME: NEWER}
