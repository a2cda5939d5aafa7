"""A viewer sees its own scope, whatever it tries; on PostgreSQL and on TimescaleDB."""

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from ingest.boxes import Box, message, plant_toml, put
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant
from tanzheng.ingest import plants, viewers
from tanzheng.ingest.commands import app
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

JULY = datetime(2018, 7, 1, tzinfo=UTC)
# Three gateways: two of Shandong (Jinan, Qingdao), one of Jiangsu.
SITES = {"gw1": ("E1", "370102"), "gw2": ("E2", "370202"), "gw3": ("E3", "320102")}
SEEN_BY = {
    "enterprise:E1": {"gw1"},
    "city:370200": {"gw2"},
    "province:370000": {"gw1", "gw2"},
    "national": {"gw1", "gw2", "gw3"},
    "city:110100": set(),
}
BY_GATEWAY = ("gateway", "point", "batch", "gap", "event", "quarantine", "dirty_hour")
BY_POINT = ("reading", "hour", "correction", "point_assignment")


@dataclass
class Platform:
    """Three plants with everything, and viewers that are gone after the test."""

    url: str
    logins: list[str] = field(default_factory=list)

    def viewer(self, scope: str) -> "psycopg.Connection[Any]":
        """Log in as a new viewer of `scope`."""
        login = f"v_{secrets.token_hex(6)}"
        self.logins.append(login)
        with psycopg.connect(self.url) as connection:
            password = viewers.add(connection, login, viewers.Scope.parse(scope))
        return self.login(login, password)

    def login(self, user: str, password: str) -> "psycopg.Connection[Any]":
        conninfo = make_conninfo(self.url, user=user, password=password)
        return psycopg.connect(conninfo, autocommit=True)

    def do(self, *statements: str) -> None:
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture
def platform(database_url: str) -> Iterator[Platform]:
    migrate(database_url)
    boxes = [Box(gw, points=tuple(_points(gw))) for gw in SITES]
    for box in boxes:
        plant = Plant.parse(_plant_of(box.gw).encode())
        gateways = {box.gw: _gateway(box, plant)}
        with closing(Writer(database_url, gateways)) as writer:
            put(writer, [message(box.with_gap(), box.gw)])
            put(writer, [message(b"nonsense", box.gw)])
        with psycopg.connect(database_url) as connection:
            enterprise, division = SITES[box.gw]
            plants.load(connection, plant, f"plant-{enterprise}", division, JULY)
    platform = Platform(database_url)
    platform.do(
        "INSERT INTO hour SELECT DISTINCT point_id, date_trunc('hour', t), 1, 0, 9, now(), 'test' "
        "FROM reading",
        "INSERT INTO correction (point_id, from_ms, to_ms, quality, reason, author) "
        "SELECT point_id, 0, 1, 0, 'r', 'a' FROM point",
        "ANALYZE",
    )
    yield platform
    with psycopg.connect(database_url, autocommit=True) as connection:
        for (login,) in connection.execute("SELECT login FROM viewer").fetchall():
            viewers.remove(connection, login)


def _plant_of(gw: str) -> str:
    """The plant of `boxes` with one gateway of its own."""
    text = plant_toml().replace('enterprise = "TEST-1"', f'enterprise = "{SITES[gw][0]}"')
    head, _, rest = text.partition('[[gateway]]\nid = "gw2"\ninterval_s = 60\n')
    first = rest[: rest.index('id = "meter2"')].rpartition("[[device]]")[0]
    return (head + first).replace('"gw1"', f'"{gw}"')


def _points(gw: str) -> list[str]:
    return [point.name for point in Plant.parse(_plant_of(gw).encode()).points_of_gateway(gw)]


def _gateway(box: Box, plant: Plant) -> Gateway:
    return Gateway(box.gw, box.key.public, box.points, plant.zone)


def gateways_in(connection: "psycopg.Connection[Any]", table: str) -> set[str]:
    by = "(SELECT gw FROM seen.point p WHERE p.point_id = t.point_id)"
    query = f"SELECT DISTINCT {'gw' if table in BY_GATEWAY else by} FROM seen.{table} t"
    return {gw for (gw,) in connection.execute(query.encode())}


@pytest.mark.parametrize("scope", SEEN_BY)
def test_each_table_shows_the_scope_and_nothing_else(platform: Platform, scope: str) -> None:
    with platform.viewer(scope) as viewer:
        for table in (*BY_GATEWAY, *BY_POINT):
            assert gateways_in(viewer, table) == SEEN_BY[scope], table
        enterprises = {SITES[gw][0] for gw in SEEN_BY[scope]}
        found = viewer.execute("SELECT enterprise FROM enterprise").fetchall()
        assert {name for (name,) in found} == enterprises
        for table in ("plant", "plant_version", "unit", "unit_version"):
            [(count,)] = viewer.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()
            assert count == len(enterprises), table
        [(devices,)] = viewer.execute("SELECT count(*) FROM device_version").fetchall()
        assert devices == 2 * len(enterprises)
        [(readings,)] = viewer.execute("SELECT count(*) FROM reading").fetchall()
        assert readings == 30 * len(enterprises)


def relations(platform: Platform) -> list[str]:
    """Every table, partition, chunk, view, sequence outside of what all servers have."""
    with psycopg.connect(platform.url) as connection:
        return [
            name
            for (name,) in connection.execute(
                "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n "
                "ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S') "
                "AND (nspname = 'public' OR nspname = '_timescaledb_internal' "
                "AND relname LIKE '\\_hyper%')"
            )
        ]


def test_no_table_partition_chunk_or_sequence_is_open(platform: Platform) -> None:
    found = relations(platform)
    assert any("reading_2018" in name or "_hyper_" in name for name in found)
    assert {"viewer", "audit_log", "reading", "batch"} <= set(found)
    with platform.viewer("national") as viewer:
        for name in map(_qualified, found):
            for statement in (f"SELECT * FROM {name}", f"COPY {name} TO STDOUT"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    viewer.execute(statement.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            viewer.execute("SELECT nextval('public.dirty_mark')")


def _qualified(name: str) -> str:
    return name if "." in name else f"public.{name}"


WRITES = (
    "UPDATE public.viewer SET scope = 'national', code = ''",
    "INSERT INTO public.viewer VALUES ('x', 'national', '')",
    "UPDATE seen.reading SET value = 0",
    "DELETE FROM seen.batch",
    "INSERT INTO seen.hour SELECT * FROM seen.hour",
    "INSERT INTO seen.enterprise OVERRIDING SYSTEM VALUE VALUES (9, 'E9')",
    "CREATE VIEW seen.mine AS SELECT 1",
    "CREATE TABLE public.mine (a int)",
    "SELECT public.mark_dirty('gw1', 0, 1)",
    "SELECT public.ensure_reading_day('2030-01-01')",
    "ALTER TABLE public.reading DISABLE ROW LEVEL SECURITY",
    "DROP POLICY seen ON public.batch",
    "CREATE OR REPLACE FUNCTION public.sees_all(text) RETURNS boolean RETURN true",
    "SET ROLE tanzheng",
    "SET ROLE tanzheng_national",
    "SET SESSION AUTHORIZATION tanzheng",
    "GRANT tanzheng_national TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "SET session_replication_role = replica",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/passwd')",
)


def test_what_a_viewer_may_not_do(platform: Platform) -> None:
    with platform.viewer("city:370200") as viewer:
        viewer.execute("SET default_transaction_read_only = off")  # it may: nothing rests on it
        for statement in WRITES:
            with pytest.raises((psycopg.errors.InsufficientPrivilege,
                                psycopg.errors.ObjectNotInPrerequisiteState)):  # fmt: skip
                viewer.execute(statement.encode())
            viewer.execute("RESET ROLE")
        assert gateways_in(viewer, "reading") == {"gw2"}


def test_a_role_it_has_shows_nothing_more(platform: Platform) -> None:
    with platform.viewer("city:370200") as viewer:
        viewer.execute("SET ROLE tanzheng_city")
        assert viewer.execute("SELECT * FROM seen.reading").fetchall() == []


def test_asking_in_another_s_name_gives_nothing(platform: Platform) -> None:
    with platform.viewer("national"), platform.viewer("enterprise:E1") as viewer:
        national, own = platform.logins[0], platform.logins[1]
        for function in ("plants", "gateways", "units", "devices", "enterprises"):
            asked = f"SELECT * FROM public.seen_{function}(%s)".encode()
            assert viewer.execute(asked, (national,)).fetchall() == []
            assert viewer.execute(asked, (own,)).fetchall() != []
        points = "SELECT isempty(public.seen_points(%s))"
        assert viewer.execute(points, (national,)).fetchone() == (True,)
        assert viewer.execute(points, (own,)).fetchone() == (False,)
        assert viewer.execute("SELECT public.sees_all(%s)", (national,)).fetchone() == (False,)


def test_a_portal_takes_the_role_of_its_user(platform: Platform) -> None:
    with platform.viewer("city:370200"), platform.viewer("enterprise:E1") as portal:
        user, service = platform.logins
        platform.do(f"GRANT {user} TO {service}")
        portal.execute(f"SET ROLE {user}".encode())
        assert gateways_in(portal, "reading") == {"gw2"}


LEAK = """CREATE FUNCTION pg_temp.leak(text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$"""


def test_a_cheap_function_is_not_shown_other_rows(platform: Platform) -> None:
    """The filter comes first, though the planner believes the function to cost nothing."""
    with platform.viewer("enterprise:E1") as viewer:
        heard: list[str] = []
        viewer.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
        viewer.execute("SET default_transaction_read_only = off")
        viewer.execute(LEAK)
        viewer.execute("SELECT FROM point WHERE pg_temp.leak(gw)")
        viewer.execute("SELECT FROM batch WHERE pg_temp.leak(gw) AND seq > 0")
        viewer.execute(
            "SELECT FROM reading r WHERE pg_temp.leak((SELECT gw FROM point p "
            "WHERE p.point_id = r.point_id))"
        )
        viewer.execute("SELECT FROM reading WHERE pg_temp.leak(point_id::text)")
        mine = {str(each) for (each,) in viewer.execute("SELECT point_id FROM point")}
        assert set(heard) == {f"saw {each}" for each in ("gw1", *mine)}
        with pytest.raises(psycopg.errors.DivisionByZero):  # an error tells of own rows only
            viewer.execute("SELECT 1 / (point_id - point_id) FROM reading")
        assert viewer.execute(
            "SELECT 1 / (CASE WHEN gw = 'gw1' THEN 1 ELSE 0 END) FROM batch WHERE true"
        ).fetchall() == [(1,)]


def test_statistics_tell_nothing(platform: Platform) -> None:
    with platform.viewer("enterprise:E1") as viewer:
        for view in ("pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"):
            rows = viewer.execute(
                f"SELECT tablename FROM pg_catalog.{view} WHERE schemaname IN ('public', 'seen') "
                "OR tablename LIKE '\\_hyper%'".encode()
            ).fetchall()
            assert rows == [], view
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            viewer.execute("SELECT * FROM pg_catalog.pg_statistic")


def test_a_grant_by_mistake_meets_the_second_wall(platform: Platform) -> None:
    with platform.viewer("province:370000") as viewer:
        login = platform.logins[0]
        tables = ", ".join((*BY_GATEWAY, *BY_POINT, "viewer", "audit_log"))
        platform.do(f"GRANT SELECT ON {tables} TO {login}")
        for table in BY_GATEWAY:
            query = f"SELECT DISTINCT gw FROM public.{table}".encode()
            assert set(viewer.execute(query)) == {("gw1",), ("gw2",)}, table
        for table in BY_POINT:
            joined = f"SELECT DISTINCT gw FROM public.{table} JOIN public.point USING (point_id)"
            assert set(viewer.execute(joined.encode())) == {("gw1",), ("gw2",)}, table
            copied = f"COPY (SELECT DISTINCT point_id FROM public.{table}) TO STDOUT".encode()
            with viewer.cursor() as cursor, cursor.copy(copied) as copy:
                assert len(list(copy.rows())) == 6
        for table in ("viewer", "audit_log"):
            assert viewer.execute(f"SELECT * FROM public.{table}".encode()).fetchall() == []
        platform.do(f"REVOKE ALL ON {tables} FROM {login}")


def test_a_removed_viewer_is_out_at_once(platform: Platform) -> None:
    viewer = platform.viewer("national")
    with psycopg.connect(platform.url, autocommit=True) as connection:
        viewers.remove(connection, platform.logins[0])
        assert viewers.listed(connection) == []
        with pytest.raises(BadInput, match="expected one of"):
            viewers.remove(connection, platform.logins[0])
    with pytest.raises(psycopg.OperationalError):
        viewer.execute("SELECT * FROM reading")
    viewer.close()


@pytest.mark.parametrize(
    "scope", ["", "nation", "national:", "city:37", "city:370102", "province:370100", "enterprise:"]
)
def test_a_scope_of_another_form_is_refused(scope: str) -> None:
    with pytest.raises(BadInput, match="scope: expected"):
        viewers.Scope.parse(scope)


def test_by_command(platform: Platform) -> None:
    runner = CliRunner(env={"TANZHENG_DATABASE_URL": platform.url})
    login = f"v_{secrets.token_hex(6)}"
    made = runner.invoke(app, ["viewer", "add", login, "--scope", "city:370200"])
    printed = json.loads(made.output)
    assert len(printed["password"]) >= 40
    with platform.login(login, printed["password"]) as viewer:
        assert gateways_in(viewer, "reading") == {"gw2"}
    with pytest.raises(psycopg.OperationalError):
        platform.login(login, "guess")
    again = runner.invoke(app, ["viewer", "add", login, "--scope", "national"])
    assert isinstance(again.exception, BadInput)
    assert login in runner.invoke(app, ["viewer", "list"]).output
    assert '"code": "370200"' in runner.invoke(app, ["viewer", "list", "--json"]).output
    assert runner.invoke(app, ["viewer", "remove", login]).exit_code == 0
    taken = runner.invoke(app, ["viewer", "add", "tanzheng_city", "--scope", "national"])
    assert isinstance(taken.exception, BadInput)
