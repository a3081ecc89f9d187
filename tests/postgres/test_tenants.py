"""Tenants: what one organisation stores no other sees, whichever table it is in."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from panlect.db.pool import DEFAULT_ORGANISATION, Database
from panlect.errors import DatabaseError

pytestmark = pytest.mark.anyio

# Whose rows belong to a tenant but hang on another table's organisation: none so far.
NOT_TENANT = {"migration", "token_bucket"}  # a bucket belongs to an address or a provider
# The only things that happen before or across organisations. A new one is a decision: add it here too.
LISTED = {
    "find_token",
    "find_index_run",
    "find_organisation",
    "webhook_connections",
    "find_repository",
    "store_delivery",
    "delivery_enqueued",
    "take_delivery",
    "finish_delivery",
    "run_enqueued",
    "claim_run",
    "beat_leases",
    "expire_leases",
    "fail_dead_jobs",
    "runs_without_wakeup",
    "deliveries_without_wakeup",
    "work_counts",
    "take_tokens",
    "reserve_model_call",
    "settle_model_call",
    "expire_model_records",
}


def tables(administrator_url: str) -> list[str]:
    with psycopg.connect(administrator_url) as connection:
        rows = connection.execute(
            "select c.relname from pg_class c where c.relnamespace = 'panlect'::regnamespace"
            " and c.relkind in ('r', 'p') order by 1"
        ).fetchall()
    return [row[0] for row in rows if row[0] not in NOT_TENANT]


def test_every_table_belongs_to_an_organisation_and_holds_even_its_owner_to_it(
    administrator_url: str,
) -> None:
    with psycopg.connect(administrator_url) as connection:
        for table in tables(administrator_url):
            column = "id" if table == "organisation" else "organisation_id"
            row = connection.execute(
                "select c.relrowsecurity, c.relforcerowsecurity, a.attnotnull"
                " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = %s"
                " where c.oid = ('panlect.' || quote_ident(%s))::regclass",
                [column, table],
            ).fetchone()
            assert row == (True, True, True), table


async def test_a_walk_over_every_table_shows_another_organisation_nothing(
    db: Database, administrator_url: str
) -> None:
    other = uuid4()
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute(
            "insert into panlect.organisation (id, slug, name) values (%s, 'other', 'Other')", [other]
        )
        for organisation in (DEFAULT_ORGANISATION, other):
            fill(connection, organisation)
        for table in tables(administrator_url):
            count = connection.execute(
                sql.SQL("select count(*) from panlect.{}").format(sql.Identifier(table))
            ).fetchone()
            assert count is not None
            assert count[0] >= 2 or table.startswith("chunk_embedding_"), f"{table}: nothing to hide"
    walked = [table for table in tables(administrator_url) if not table.startswith("chunk_embedding_")]
    for organisation in (DEFAULT_ORGANISATION, other):
        for table in walked:
            column = "id" if table == "organisation" else "organisation_id"
            async with db.organisation(organisation) as connection:
                query = sql.SQL("select distinct {} from {}").format(
                    sql.Identifier(column), sql.Identifier(table)
                )
                seen = [row[0] for row in await (await connection.execute(query)).fetchall()]
            assert seen == [organisation], table


async def test_without_an_organisation_there_is_nothing_to_see(db: Database, administrator_url: str) -> None:
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        fill(connection, DEFAULT_ORGANISATION)
    async with db.organisation(DEFAULT_ORGANISATION) as connection:
        await connection.execute("select set_config('app.organisation_id', '', true)")
        assert await (await connection.execute("select count(*) from run")).fetchone() == (0,)


async def test_a_row_for_another_organisation_is_refused(db: Database) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        async with db.organisation(DEFAULT_ORGANISATION) as connection:
            await connection.execute(
                "insert into run (organisation_id, kind) values (gen_random_uuid(), 'job')"
            )


async def test_the_partitions_of_a_table_cannot_be_read_around_it(db: Database) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with db.organisation(DEFAULT_ORGANISATION) as connection:
            await connection.execute("select * from chunk_embedding_3")


async def test_nothing_of_a_transaction_is_left_for_the_next_one(database_url: str) -> None:
    async with Database(database_url, pool_size=1) as db:
        async with db.organisation(DEFAULT_ORGANISATION) as connection:
            inside = await (await connection.execute("select current_user")).fetchone()
        assert inside == ("panlect_app",)
        with pytest.raises(ZeroDivisionError):
            async with db.organisation(DEFAULT_ORGANISATION):
                raise ZeroDivisionError
        async with db.system() as connection:
            after = await (
                await connection.execute("select current_user, current_setting('app.organisation_id')")
            ).fetchone()
        assert after == ("panlect_system", "")


async def test_the_system_role_reads_no_table_itself(db: Database, administrator_url: str) -> None:
    for table in tables(administrator_url):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.system() as connection:
                await connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table)))


def test_the_list_of_functions_across_organisations_is_complete(administrator_url: str) -> None:
    with psycopg.connect(administrator_url) as connection:
        rows = connection.execute(
            "select p.proname, r.rolname, has_function_privilege('panlect_app', p.oid, 'execute'),"
            " p.proconfig is not null"
            " from pg_proc p join pg_roles r on r.oid = p.proowner"
            " where p.pronamespace in ('panlect'::regnamespace, 'queue'::regnamespace) and p.prosecdef"
        ).fetchall()
    assert {row[0] for row in rows} == LISTED
    assert {row[1:] for row in rows} == {("panlect_definer", False, True)}


def test_no_role_walks_past_row_level_security(administrator_url: str) -> None:
    with psycopg.connect(administrator_url) as connection:
        rows = connection.execute(
            "select rolname from pg_roles where (rolbypassrls or rolsuper) and rolname like 'panlect%'"
        ).fetchall()
    assert rows == []


async def test_history_can_be_added_to_and_nothing_else(db: Database) -> None:
    for statement in ("update history_event set kind = 'x'", "delete from history_event"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.organisation(DEFAULT_ORGANISATION) as connection:
                await connection.execute(statement)


async def test_what_a_verdict_says_cannot_be_changed(db: Database) -> None:
    for statement in (
        "update review set verdict = 'REVIEWED'",
        "update finding set severity = 'P3'",
        "delete from finding",
        "update hunk_coverage set state = 'read'",
        "delete from suppressed_finding",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.organisation(DEFAULT_ORGANISATION) as connection:
                await connection.execute(statement)


async def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    async with Database("postgresql://panlect:x@127.0.0.1:1/panlect") as db:
        with pytest.raises(DatabaseError, match=r"(?s)cannot be reached.*DATABASE_URL"):
            async with db.system():
                pass


def fill(connection: psycopg.Connection, organisation: UUID) -> None:
    """One row in every tenant table, as the superuser."""
    ids = {name: uuid4() for name in ("connection", "repository", "pull", "run", "review", "snapshot")}
    own = {"organisation_id": organisation}
    connection.execute("set search_path = panlect, public")
    insert(connection, "api_token", **own, token_sha256=organisation.bytes * 2)
    insert(connection, "forge_connection", **own, id=ids["connection"], kind="github")
    insert(connection, "repository", **own, id=ids["repository"], connection_id=ids["connection"])
    insert(connection, "pull_request", **own, id=ids["pull"], repository_id=ids["repository"])
    insert(connection, "webhook_delivery", **own, connection_id=ids["connection"])
    insert(connection, "run", **own, id=ids["run"], kind="review")
    insert(connection, "step", **own, run_id=ids["run"], state="done")
    insert(connection, "history_event", **own)
    insert(connection, "blob_analysis", **own)
    insert(connection, "chunk", **own, chunk_hash=b"\2" * 16)
    insert(connection, "chunk_embedding", **own, repository_id=ids["repository"])
    insert(connection, "embedding_model", **own)
    insert(connection, "model_settings", **own)
    insert(connection, "model_key", **own)
    insert(connection, "token_factor", **own)
    insert(
        connection,
        "spend",
        **own,
        scope="organisation",
        subject=organisation,
        period="month",
        starts="2026-01-01",
    )
    insert(connection, "model_reservation", **own, id=uuid4(), expires_at="2026-01-01")
    call = uuid4()
    insert(connection, "model_call", **own, id=call, request_id=call)
    insert(connection, "model_call_body", **own, call_id=call, expires_at="2026-01-01")
    insert(connection, "snapshot", **own, id=ids["snapshot"], repository_id=ids["repository"])
    insert(connection, "snapshot_entry", **own, snapshot_id=ids["snapshot"])
    insert(connection, "summary", **own, key=b"\2" * 16, kind="file")
    insert(connection, "snapshot_summary", **own, snapshot_id=ids["snapshot"], key=b"\2" * 16)
    of_pull = {"repository_id": ids["repository"], "pull_request_id": ids["pull"], "run_id": ids["run"]}
    insert(connection, "review", **own, id=ids["review"], **of_pull, verdict="REVIEWED")
    of_review = {**own, "review_id": ids["review"]}
    insert(connection, "finding", **of_review, severity="P1", side="head", evidence="[]", related="[]")
    insert(connection, "suppressed_finding", **of_review)
    insert(connection, "hunk_coverage", **of_review, side="head", state="read")


ANY_VALUE = {
    "text": "x",
    "bytea": b"x",
    "integer": 1,
    "bigint": 1,
    "boolean": True,
    "double precision": 1.0,
    "halfvec": str([0.05] * 384),
    "jsonb": "{}",
}


def insert(connection: psycopg.Connection, table: str, **values: object) -> None:
    """A row with these values, and any value that fits in every other column that must have one."""
    required = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and attnotnull and not atthasdef and attidentity = ''",
        [table],
    ).fetchall()
    row = {name: ANY_VALUE[kind] for name, kind in required if name not in values} | values
    connection.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        ),
        list(row.values()),
    )
