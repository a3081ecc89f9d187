"""Named queries: every one is prepared against the real schema, under the role that runs it."""

from __future__ import annotations

import re

import psycopg
import pytest

from panlect.db import sql

SYSTEM = {
    "runs.claim_run", "runs.fail_dead_jobs",
    "runs.beat_leases", "runs.try_sweep_lock", "runs.expire_leases", "runs.runs_without_wakeup",
    "runs.run_enqueued", "runs.deliveries_without_wakeup", "deliveries.store_delivery",
    "deliveries.delivery_enqueued", "deliveries.take_delivery", "deliveries.finish_delivery",
}  # fmt: skip


@pytest.mark.parametrize("name", sql.names())
def test_the_query_fits_the_schema(name: str, module_database_url: str) -> None:
    parameters: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        name = match[1] or f"the {len(parameters)}th"
        if name not in parameters:
            parameters.append(name)
        return f"${parameters.index(name) + 1}"

    text = re.sub(r"%(?:\((\w+)\))?s", numbered, sql.query(name))
    with psycopg.connect(module_database_url) as connection:
        connection.execute("set search_path = panlect, queue, public")
        connection.execute(f"set role {'panlect_system' if name in SYSTEM else 'panlect_app'}")
        for staging in filter(None, map(staged, sql.names())):
            connection.execute(staging)
        if not staged(name):
            connection.execute(f"prepare tried as {text}".encode())


def staged(name: str) -> str | None:
    """The query's text when it makes a temporary table: it is run, not prepared, and others build on it."""
    text = sql.query(name)
    return text if "\ncreate temporary table " in text else None


def test_a_query_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        sql.query("runs.forget_everything")
