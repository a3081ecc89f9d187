"""The inbox: a delivery is stored once, with its task, whatever the host sends how often."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from panlect import history, inbox, queue
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database
from panlect.forge.types import Delivery
from panlect.history import check_history
from panlect.inbox import Accepted, Duplicate
from panlect.ledger.sweeper import DELIVERY_ATTEMPTS, sweep

pytestmark = pytest.mark.anyio


def delivery(connection_id: UUID, delivery_id: str = "d-1", **changes: Any) -> Delivery:
    words: dict[str, Any] = {
        "forge": "github",
        "connection_id": connection_id,
        "delivery_id": delivery_id,
        "event": "pull_request",
        "action": "opened",
        "repository": "acme/shop",
        "pull_request": 7,
        "body": b'{"title":"\xff\x00"}',
        "headers": {"x-github-event": "pull_request"},
    }
    return Delivery(**(words | changes))


async def count(db: Database, administrator_url: str) -> tuple[int, int]:
    with psycopg.connect(administrator_url) as connection:
        row = connection.execute(
            "select (select count(*) from panlect.webhook_delivery),"
            " (select count(*) from queue.procrastinate_jobs where task_name = 'sync_pull_request')"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


async def test_the_same_delivery_a_hundred_times_at_once_is_one_row_and_one_job(
    db: Database, place: Any, administrator_url: str
) -> None:
    answers = await asyncio.gather(*(inbox.accept(db, delivery(place.connection_id)) for _ in range(100)))
    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    assert sum(isinstance(answer, Duplicate) for answer in answers) == 99
    assert await count(db, administrator_url) == (1, 1)


async def test_two_connections_may_use_the_same_delivery_id(
    db: Database, place: Any, administrator_url: str
) -> None:
    other = uuid4()
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute(
            "insert into panlect.forge_connection (id, organisation_id, kind, base_url) values (%s, %s, 'github', 'u')",
            [other, ORG],
        )
    assert isinstance(await inbox.accept(db, delivery(place.connection_id)), Accepted)
    assert isinstance(await inbox.accept(db, delivery(other)), Accepted)


async def test_a_delivery_is_read_back_as_it_came(db: Database, place: Any) -> None:
    accepted = await inbox.accept(db, delivery(place.connection_id, action="op\0ened"))
    assert isinstance(accepted, Accepted)
    stored = await inbox.take(db, accepted.id)
    assert stored is not None
    assert (stored.organisation_id, stored.connection_id) == (ORG, place.connection_id)
    assert (stored.repository, stored.pull_request, stored.action) == ("acme/shop", 7, "op\ufffdened")
    assert stored.body == b'{"title":"\xff\x00"}'


async def test_a_delivery_that_ended_is_not_taken_again(db: Database, place: Any) -> None:
    accepted = await inbox.accept(db, delivery(place.connection_id))
    assert isinstance(accepted, Accepted)
    await inbox.finish(db, accepted.id)
    assert await inbox.take(db, accepted.id) is None
    async with db.organisation(ORG) as connection:
        assert check_history(await history.read(connection)) == []


async def test_a_delivery_that_never_works_is_given_up_and_says_why(
    db: Database, place: Any, administrator_url: str
) -> None:
    accepted = await inbox.accept(db, delivery(place.connection_id))
    assert isinstance(accepted, Accepted)
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute("set search_path = queue")  # the queue's triggers name their tables without it
        for _ in range(DELIVERY_ATTEMPTS):
            assert await inbox.take(db, accepted.id) is not None
            connection.execute("delete from queue.procrastinate_jobs")
            connection.execute("update panlect.webhook_delivery set not_before = now()")
            await sweep(db, queue.wake_run, queue.wake_delivery, crash_limit=3, silent_s=30)
        row = connection.execute("select state, state_reason from panlect.webhook_delivery").fetchone()
    assert row == ("failed", "gave up after 8 attempts")


async def test_a_delivery_of_no_known_connection_is_refused(db: Database, administrator_url: str) -> None:
    with pytest.raises(psycopg.errors.NoDataFound):
        await inbox.accept(db, delivery(uuid4()))
    assert await count(db, administrator_url) == (0, 0)
