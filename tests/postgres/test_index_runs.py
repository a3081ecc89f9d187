"""Index runs in Postgres: whose progress is noted, and which commit is too late."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from panlect import queue
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database
from panlect.index.runs import IndexSubject, note_progress
from panlect.ledger import runs
from panlect.ledger.runs import Lease, RunCancelledError
from panlect.review.sync import new_index

pytestmark = pytest.mark.anyio


@pytest.fixture
def repository_id(administrator_url: str) -> UUID:
    made = uuid4()
    with psycopg.connect(administrator_url) as connection:
        connection_id = uuid4()
        connection.execute("set search_path = panlect, public")
        connection.execute(
            "insert into forge_connection (id, organisation_id, kind, base_url)"
            " values (%s, %s, 'github', 'https://forge.test')",
            [connection_id, ORG],
        )
        connection.execute(
            "insert into repository (id, organisation_id, connection_id, full_name, clone_url)"
            " values (%s, %s, %s, 'acme/shop', 'https://forge.test/acme/shop.git')",
            [made, ORG, connection_id],
        )
    return made


async def claimed(db: Database, repository_id: UUID, commit: str, ref: str = "") -> Lease:
    async with db.organisation(ORG) as connection:
        new = new_index(repository_id, commit, cause="push", ref=ref)
        run, _ = await runs.create_run(connection, ORG, new, queue.wake_run)
    lease = await runs.claim(db, run.id, lease_s=60, worker="w")
    assert lease is not None
    return lease


async def end(db: Database, lease: Lease) -> None:
    async with db.organisation(ORG) as connection:
        await runs.finish(connection, lease, runs.RunStatus.DONE)


def subject_of(lease: Lease, token: UUID | None) -> IndexSubject:
    repository_id = lease.run.repository_id
    assert repository_id is not None
    return IndexSubject(
        lease.run.id, ORG, repository_id, uuid4(), "acme/shop", "", "main", lease.run.head_sha, {}, token
    )


async def detail(db: Database, lease: Lease) -> Any:
    async with db.organisation(ORG) as connection:
        run = await runs.find_run(connection, ORG, lease.run.id)
    assert run is not None
    return run.detail


async def test_progress_is_noted_under_the_lease_of_the_run_alone(db: Database, repository_id: UUID) -> None:
    lease = await claimed(db, repository_id, "a" * 40)
    await note_progress(db, subject_of(lease, lease.token), {"analysed": 1})
    with pytest.raises(RunCancelledError, match="given to another"):
        await note_progress(db, subject_of(lease, uuid4()), {"analysed": 2})
    assert (await detail(db, lease))["analysed"] == 1
    await end(db, lease)
    with pytest.raises(RunCancelledError):
        await note_progress(db, subject_of(lease, lease.token), {"analysed": 3})
