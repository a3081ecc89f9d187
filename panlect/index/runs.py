"""What an index run is about, and how far it is: read from its row, written into its `detail`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from panlect.db.pool import Database
from panlect.db.sql import query
from panlect.errors import BadInputError
from panlect.forge.connections import Connections
from panlect.git.mirror import Remote, fetch
from panlect.git.repository import Repository
from panlect.index import vectors
from panlect.index.models import ModelSpec, key_of
from panlect.index.store import PostgresStore
from panlect.ledger.runs import RunCancelledError

_NOTED_EVERY_S = 0.5
_LOOKED_EVERY_S = 1.0
_Answer = TypeVar("_Answer")
OVERTAKEN = {"skipped": "a newer commit is indexed"}


@dataclass(frozen=True, slots=True)
class IndexSubject:
    """A commit of a connected repository to index; `lease` is the one under which this process does it."""

    run_id: UUID
    organisation_id: UUID
    repository_id: UUID
    connection_id: UUID
    full_name: str
    clone_url: str
    default_branch: str
    commit_sha: str
    detail: Mapping[str, Any]
    lease: UUID | None = None


async def find_subject(db: Database, run_id: UUID, lease: UUID | None = None) -> IndexSubject:
    """What the index run `run_id` is about. Raises BadInputError when there is no such run."""
    from psycopg.rows import class_row

    async with db.system() as connection, connection.cursor(row_factory=class_row(IndexSubject)) as cursor:
        await cursor.execute(query("index.find_index_run"), {"run_id": run_id})
        subject = await cursor.fetchone()
    if subject is None:
        raise BadInputError(
            f"There is no index run {run_id}.", fix="Take the id from GET /api/v1/runs?kind=index."
        )
    return replace(subject, lease=lease)


async def is_overtaken(db: Database, subject: IndexSubject) -> bool:
    """Whether a later run of the same branch is done: activating this commit would step back."""
    values = {
        "organisation_id": subject.organisation_id,
        "run_id": subject.run_id,
        "repository_id": subject.repository_id,
    }
    async with db.organisation(subject.organisation_id) as connection:
        row = await (await connection.execute(query("index.later_index_done"), values)).fetchone()
    return bool(row and row[0])


async def note_progress(db: Database, subject: IndexSubject, progress: Mapping[str, object]) -> None:
    """Merge `progress` into the run's detail, where pages and the API read it.

    Raises RunCancelledError when the run is not running any more, or was given to another worker since: nobody
    wants the rest of the work.
    """
    from psycopg.types.json import Jsonb

    values = {
        "organisation_id": subject.organisation_id,
        "run_id": subject.run_id,
        "lease": subject.lease,
        "progress": Jsonb(dict(progress)),
    }
    async with db.organisation(subject.organisation_id) as connection:
        row = await (await connection.execute(query("index.note_progress"), values)).fetchone()
    if row is None:
        raise RunCancelledError(f"Run {subject.run_id} was ended or given to another while it worked.")


def models_to_fill(store: PostgresStore, repository_id: UUID, configured: ModelSpec) -> tuple[ModelSpec, ...]:
    """Whose vectors a new commit needs: of the model that searches ask now, and then of the configured one.

    They differ around a change of models. A commit without vectors of the first would not be found.
    """
    served = vectors.serving(store, repository_id)
    if served is None or served.key == key_of(configured):
        return (configured,)
    return served.spec, configured


class RunNotes:
    """What the thread of an index asks and tells, by way of the event loop that made this and holds the database.

    Every call raises RunCancelledError once nobody wants the work any more: the run ended or is another's, or
    whoever waited for the thread has left.
    """

    def __init__(self, db: Database, subject: IndexSubject) -> None:
        self._db, self._subject = db, subject
        self._loop = asyncio.get_running_loop()
        self._left = threading.Event()

    def leave(self) -> None:
        """Nobody waits for the thread any more."""
        self._left.set()

    def wanted(self) -> None:
        """Raise when it is known without asking that the rest is not wanted."""
        if self._left.is_set():
            raise RunCancelledError(f"Nobody waits for run {self._subject.run_id} any more.")

    def ask(self, asked: Coroutine[Any, Any, _Answer]) -> _Answer:
        """What the loop answers."""
        answer = asyncio.run_coroutine_threadsafe(asked, self._loop)
        while True:
            try:
                return answer.result(_LOOKED_EVERY_S)
            except TimeoutError:
                if answer.done():
                    raise
                self.wanted()

    def note(self, **progress: object) -> None:
        """As `note_progress`."""
        self.wanted()
        self.ask(note_progress(self._db, self._subject, progress))

    def may_activate(self, **progress: object) -> bool:
        """Whether the commit is still to be made searchable, asked last thing before; noted when it is not."""
        self.note(**progress)
        if not self.ask(is_overtaken(self._db, self._subject)):
            self.wanted()
            return True
        self.note(**OVERTAKEN)
        return False


class Pace:
    """How fast one stage of an index goes, and how long the rest of it takes."""

    def __init__(
        self, stage: str, total: int, clock: Callable[[], float] = time.monotonic, *, before: int = 0
    ) -> None:
        """`before` of `total` were done before this stage began."""
        self._stage, self._total, self._clock, self._before = stage, total, clock, before
        self._began = self._said = clock()

    def at(self, done: int) -> dict[str, object] | None:
        """What to note when `done` are done; None when something was noted less than half a second ago."""
        now = self._clock()
        if done < self._total and now - self._said < _NOTED_EVERY_S:
            return None
        self._said = now
        per_s = (done - self._before) / max(now - self._began, 1e-3)
        left_s = (self._total - done) / per_s if per_s else None
        return {
            "stage": self._stage,
            "done": done,
            "total": self._total,
            "per_s": round(per_s, 1),
            "left_s": None if left_s is None else round(left_s, 1),
        }


async def mirrored(
    connections: Connections,
    mirrors: Path,
    *,
    organisation_id: UUID,
    connection_id: UUID,
    repository_id: UUID,
    clone_url: str,
    refs: Sequence[str],
    want: Sequence[str],
) -> Repository:
    """This node's mirror of a repository, holding `refs` when a commit of `want` is not there yet."""
    connection = await connections.get(organisation_id, connection_id)
    remote = Remote(clone_url, connection.token, connections.allow)
    return await asyncio.to_thread(fetch, mirrors / f"{repository_id}.git", remote, refs, want)


async def mirror_of(connections: Connections, mirrors: Path, subject: IndexSubject) -> Repository:
    """The mirror that holds the commit to index."""
    return await mirrored(
        connections,
        mirrors,
        organisation_id=subject.organisation_id,
        connection_id=subject.connection_id,
        repository_id=subject.repository_id,
        clone_url=subject.clone_url,
        refs=[f"refs/heads/{subject.detail.get('ref') or subject.default_branch}"],
        want=[subject.commit_sha],
    )
