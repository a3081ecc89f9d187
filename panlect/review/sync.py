"""Journey A, hop 4: what a webhook hinted at, as the host has it now; runs of other heads superseded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query
from panlect.db.text import storable
from panlect.forge.connections import Connections
from panlect.forge.github import SYNC_ACTIONS
from panlect.forge.types import PullRequest
from panlect.ledger.runs import NewRun, RunKind, create_run, new_review, revive_head, supersede_others
from panlect.queue import wake_run

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class Hint(Protocol):
    """A stored delivery: it says where to look, never what is true."""

    @property
    def id(self) -> UUID: ...  # noqa: D102

    @property
    def organisation_id(self) -> UUID: ...  # noqa: D102

    @property
    def connection_id(self) -> UUID: ...  # noqa: D102

    @property
    def event(self) -> str: ...  # noqa: D102

    @property
    def action(self) -> str: ...  # noqa: D102

    @property
    def repository(self) -> str: ...  # noqa: D102

    @property
    def pull_request(self) -> int | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of a delivery: `outcome` in words, and the run it led to, if any."""

    outcome: str
    run_id: UUID | None = None


async def sync(db: Database, connections: Connections, hint: Hint) -> Synced:
    """Bring our view of what `hint` is about up to date, and create the run that follows from it.

    Raises ForgeUnavailableError when the host does not answer: then the delivery is worked off again.
    """
    repository_id = await _repository(db, hint)
    if repository_id is None:
        return Synced(f"{hint.repository or 'this repository'} is not connected")
    if hint.event == "push":
        return await _index(db, connections, hint, repository_id)
    if hint.event != "pull_request" or hint.pull_request is None:
        return Synced(f"nothing follows from {hint.event}")
    async with connections.client(hint.organisation_id, hint.connection_id) as client:
        pull = await client.pull_request(hint.repository, hint.pull_request)
    async with db.organisation(hint.organisation_id) as connection:
        pull_id = await store_pull_request(connection, hint.organisation_id, repository_id, pull)
        if pull.state != "open":
            return Synced("the pull request is closed")
        await supersede_others(connection, hint.organisation_id, pull_id, pull.head_sha)
        if hint.action not in SYNC_ACTIONS:
            return Synced(f"nothing follows from {hint.event}.{hint.action}")
        if revived := await revive_head(connection, hint.organisation_id, pull_id, pull.head_sha, wake_run):
            return Synced("this head is back, and its review goes on", revived[0])
        new = new_review(pull_id, repository_id, head=pull.head_sha, base=pull.base_sha, cause="pull_request")
        run, fresh = await create_run(connection, hint.organisation_id, new, wake_run)
    return Synced("review queued" if fresh else "this head has its review", run.id)


async def _repository(db: Database, hint: Hint) -> UUID | None:
    async with db.system() as connection:
        cursor = await connection.execute(
            query("forge.find_repository"),
            {"connection_id": hint.connection_id, "full_name": hint.repository},
        )
        row = await cursor.fetchone()
    return UUID(str(row[1])) if row and row[0] == hint.organisation_id else None


async def _index(db: Database, connections: Connections, hint: Hint, repository_id: UUID) -> Synced:
    """A push: index the default branch as the host has it now."""
    async with connections.client(hint.organisation_id, hint.connection_id) as client:
        branch = await client.default_branch(hint.repository)
    async with db.organisation(hint.organisation_id) as connection:
        new = new_index(repository_id, branch.head_sha, cause="push", once=str(hint.id))
        run, fresh = await create_run(connection, hint.organisation_id, new, wake_run)
    return Synced("index queued" if fresh else "this push has its index", run.id)


def new_index(
    repository_id: UUID, head_sha: str, *, cause: str, bulk: bool = False, ref: str = "", once: str = ""
) -> NewRun:
    """The index of a commit, one at a time for its repository; it costs nothing where everything is there.

    With the same `once` it is the same run: a delivery that is worked off twice. A commit has no such key: one
    whose index failed, or that was left and is the head again, is to be indexed again. `ref` names a branch
    that is indexed beside the default one.
    """
    detail: dict[str, object] = {"bulk": True} if bulk else {}
    return NewRun(
        RunKind.INDEX,
        cause,
        repository_id,
        head_sha=head_sha,
        detail=detail | ({"ref": ref} if ref else {}),
        dedupe_key=f"index:{repository_id}:{once}" if once else None,
        lock_key=f"index:{repository_id}",
    )


async def store_pull_request(
    connection: AsyncConnection[Any], organisation_id: UUID, repository_id: UUID, pull: PullRequest
) -> UUID:
    """The pull request's row, as the host describes it now."""
    values = [
        organisation_id, repository_id, pull.number, storable(pull.title)[:500], storable(pull.author)[:200], pull.state,
        pull.draft, storable(pull.base_ref), pull.base_sha, storable(pull.head_ref), pull.head_sha, storable(pull.html_url),
    ]  # fmt: skip
    row = await (await connection.execute(query("forge.upsert_pull_request"), values)).fetchone()
    assert row is not None
    return UUID(str(row[0]))
