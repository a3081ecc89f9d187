"""Index runs in Postgres: whose progress is noted, and which commit is too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from jobs import by_hand, index_repo
from jobs.repositories import ConnectedRepository, StuckError
from panlect import queue
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database
from panlect.errors import ForgeUnavailableError
from panlect.index import vectors
from panlect.index.models import HASHING, ModelSpec, key_of
from panlect.index.runs import IndexSubject, RunNotes, is_overtaken, models_to_fill, note_progress
from panlect.index.store import PostgresStore
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


async def given_back(db: Database, lease: Lease) -> Lease:
    async with db.organisation(ORG) as connection:
        await runs.release(connection, lease)
    return lease


async def reclaimed(db: Database, lease: Lease) -> Lease:
    again = await runs.claim(db, lease.run.id, lease_s=60, worker="w")
    assert again is not None
    return again


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


async def test_a_run_behind_a_newer_commit_activates_nothing(db: Database, repository_id: UUID) -> None:
    older = await given_back(db, await claimed(db, repository_id, "a" * 40))
    await end(db, await claimed(db, repository_id, "b" * 40))
    lease = await reclaimed(db, older)
    notes = RunNotes(db, subject_of(lease, lease.token))
    assert not await asyncio.to_thread(notes.may_activate, analysed=7)
    noted = await detail(db, lease)
    assert (noted["analysed"], noted["skipped"]) == (7, "a newer commit is indexed")


async def test_a_newer_commit_of_another_branch_overtakes_nobody(db: Database, repository_id: UUID) -> None:
    older = await given_back(db, await claimed(db, repository_id, "a" * 40))
    await end(db, await claimed(db, repository_id, "b" * 40, ref="next"))
    assert not await is_overtaken(db, subject_of(older, None))


async def test_a_job_behind_a_newer_commit_analyses_nothing(
    db: Database, repository_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = await given_back(db, await claimed(db, repository_id, "a" * 40))
    await end(db, await claimed(db, repository_id, "b" * 40))
    lease = await reclaimed(db, older)
    begun: list[Any] = []
    monkeypatch.setattr(index_repo, "_index_in_bulk", lambda *given: begun.append(given))
    services: Any = SimpleNamespace(db=db, settings=SimpleNamespace(bulk_timeout_s=60.0))
    await index_repo._index(services, subject_of(lease, lease.token))
    assert begun == []
    assert "skipped" in await detail(db, lease)


def test_a_commit_gets_vectors_of_the_searched_model_too(repository_id: UUID, database_url: str) -> None:
    old, new = ModelSpec(HASHING, 64), ModelSpec(HASHING, 128)
    with PostgresStore(database_url, ORG) as store:
        assert models_to_fill(store, repository_id, new) == (new,)
        for spec in (old, new):
            vectors.register(store, vectors.Model(key_of(spec), spec, spec.dimension))
        vectors.serve(store, repository_id, key_of(old))
        assert models_to_fill(store, repository_id, new) == (old, new)
        vectors.serve(store, repository_id, key_of(new), switch=True)
        assert models_to_fill(store, repository_id, new) == (new,)


class Hosts:
    """Connections to code hosts, one of which is away."""

    @asynccontextmanager
    async def client(self, _: UUID, connection_id: UUID) -> AsyncIterator[Any]:
        if connection_id == AWAY:
            raise ForgeUnavailableError("https://away.test does not answer.")
        yield self

    async def default_branch(self, _: str) -> Any:
        return SimpleNamespace(head_sha="c" * 40)


AWAY, HERE = UUID(int=1), UUID(int=2)


def scripted(db: Database, repositories: list[ConnectedRepository], monkeypatch: pytest.MonkeyPatch) -> Any:
    async def closed() -> None:
        pass

    async def opened(_: object) -> Any:
        return services

    async def connected(*_: object) -> Any:
        return ORG, repositories

    settings = SimpleNamespace(lease_s=30.0, bulk_timeout_s=60.0)
    services: Any = SimpleNamespace(db=db, connections=Hosts(), settings=settings, close=closed)
    monkeypatch.setattr(index_repo.wiring, "opened", opened)
    monkeypatch.setattr(index_repo, "connected", connected)
    monkeypatch.setattr(by_hand, "_POLL_S", 0.0)
    return services


async def test_all_goes_on_behind_a_host_that_is_away(
    db: Database, repository_id: UUID, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    indexed: list[IndexSubject] = []

    async def index(_: object, subject: IndexSubject) -> None:
        indexed.append(subject)

    away = ConnectedRepository(uuid4(), AWAY, "acme/away")
    scripted(db, [away, ConnectedRepository(repository_id, HERE, "acme/shop")], monkeypatch)
    monkeypatch.setattr(index_repo, "_index", index)
    wanted = index_repo.Wanted("default", "")
    assert await index_repo._index_all(wanted, "") == 1
    assert [one.repository_id for one in indexed] == [repository_id]
    said = capsys.readouterr().out
    assert "acme/away: failed https://away.test does not answer." in said
    assert "acme/shop: done" in said
    assert "1 indexed, 1 failed" in said


async def test_a_pipeline_that_cannot_be_ended_fails_its_run_and_is_told(
    db: Database, repository_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def index(*_: object) -> None:
        raise StuckError("It took too long.")

    here = ConnectedRepository(repository_id, HERE, "acme/shop")
    services = scripted(db, [here], monkeypatch)
    monkeypatch.setattr(index_repo, "_index", index)
    with pytest.raises(StuckError):
        await index_repo._index_one(services, ORG, here, "")
    async with db.organisation(ORG) as connection:
        row = await (await connection.execute("select status, reason from run")).fetchone()
    assert row == ("failed", "It took too long.")
