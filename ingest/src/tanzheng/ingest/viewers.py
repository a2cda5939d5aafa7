"""Viewers: logins that see what lies in their scope, through the schema `seen`."""

import re
import secrets
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier, Literal

from tanzheng.core.errors import BadInput
from tanzheng.ingest import audit_log

LOGIN = re.compile("[a-z][a-z0-9_]{0,62}", re.ASCII)
DIVISION_SCOPES = {"city": re.compile("[1-9][0-9]{3}00"), "province": re.compile("[1-9][0-9]0000")}
PASSWORD_BYTES = 32


@dataclass(frozen=True, slots=True)
class Scope:
    """What a viewer sees. `code`: enterprise, city or province (GB/T 2260); empty: the nation."""

    kind: str
    code: str

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """`national`, `enterprise:ID`, `city:370100`, `province:370000`; else `BadInput`."""
        kind, _, code = text.partition(":")
        division = DIVISION_SCOPES.get(kind)
        if (
            text == "national"
            or (kind == "enterprise" and code)
            or (division is not None and division.fullmatch(code))
        ):
            return cls(kind, code)
        raise BadInput(
            "scope: expected national, enterprise:ID, city:NNNN00 or province:NN0000 "
            f"(GB/T 2260), got {text!r}"
        )


def add(connection: psycopg.Connection, login: str, scope: Scope) -> str:
    """Make the login and its row; its password, which is kept nowhere. One transaction.

    The server is given a SCRAM verifier: no log of it ever has the password.
    """
    if not LOGIN.fullmatch(login):
        raise BadInput(f"viewer: expected a name of a-z, 0-9, _ that is new, got {login!r}")
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    verifier = connection.pgconn.encrypt_password(
        password.encode(), login.encode(), b"scram-sha-256"
    ).decode()
    with connection.transaction():
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login,)).fetchone():
            raise BadInput(f"viewer: expected a name that is no role yet, got {login!r}")
        connection.execute(
            "INSERT INTO viewer VALUES (%s, %s, %s)", (login, scope.kind, scope.code)
        )
        role, group = Identifier(login), Identifier(f"tanzheng_{scope.kind}")
        connection.execute(
            SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(
                role, Literal(verifier), group
            )
        )
        here = SQL("ALTER ROLE {} IN DATABASE {} SET ").format(
            role, Identifier(connection.info.dbname)
        )
        connection.execute(here + SQL("search_path = seen"))
        connection.execute(here + SQL("default_transaction_read_only = on"))
        detail = {"login": login, "scope": scope.kind, "code": scope.code}
        audit_log.add(connection, "viewer add", detail)
    return password


def remove(connection: psycopg.Connection, login: str) -> None:
    """End its sessions, take the login and its row away; `BadInput` where it is no viewer."""
    with connection.transaction():
        gone = connection.execute(
            "DELETE FROM viewer WHERE login = %s RETURNING login::regrole::oid", (login,)
        ).fetchone()
        if gone is None:
            raise BadInput(f"viewer: expected one of `viewer list`, got {login!r}")
        role = Identifier(login)
        connection.execute(SQL("DROP OWNED BY {}").format(role))
        connection.execute(SQL("DROP ROLE {}").format(role))
        audit_log.add(connection, "viewer remove", {"login": login})
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = %s", (gone[0],)
    )


def listed(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """All viewers."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT login, scope, code, added_at::text FROM viewer ORDER BY login"
        ).fetchall()
