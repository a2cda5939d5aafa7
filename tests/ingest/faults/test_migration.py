"""A migration on a live system: ingest of the version before goes on, and nothing is lost."""

from pathlib import Path

import psycopg
import pytest

from ingest.faults.counting import count
from ingest.faults.place import KINDS, place, wait_for
from ingest.faults.switches import NEWER_NAME, SWITCHES
from tanzheng.ingest import migrate


@pytest.mark.parametrize("kind", KINDS)
def test_ingest_goes_on_while_the_schema_changes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one goes on over its connection and is refused when it starts again; the new one
    takes over."""
    with place(tmp_path, kind, seed=1) as there:
        with there.flow(every_s=0.02):
            there.progress()
            monkeypatch.setattr(migrate, "files", migrate.files)  # undone at the end
            SWITCHES["a newer version"]()
            assert as_an_operator_does(there.service.url) == [NEWER_NAME]
            assert there.service.running.poll() is None
            there.progress(20)
            assert there.service.terminate() == 0
            there.service.start()
            assert there.service.running.wait(40) == 1
            assert "older than the database" in there.service.said.replace("\n", " ")
            there.service.switch = "a newer version"
            there.service.start()
            there.progress()
        there.settle()
        counted = count(there.service.url, [each.box for each in there.senders], there.refusals)
    assert counted.clean, counted


def as_an_operator_does(url: str) -> list[str]:
    """`tanzheng ingest migrate`, again where the server ended it for a deadlock with ingest."""
    applied: list[str] = []

    def migrated() -> bool:
        try:
            applied.extend(migrate.migrate(url))
        except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
            return False
        return True

    wait_for(migrated)
    return applied
