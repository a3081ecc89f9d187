"""Journey A on the server: a leased run becomes a stored verdict, a stored verdict becomes a posted one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from panlect.change import Change
from panlect.context.told import SummaryItem, told_of
from panlect.db.pool import Database
from panlect.db.sql import rows_of
from panlect.errors import ForgeError, ForgeUnavailableError, GitError, PanlectError, StaleHeadError
from panlect.finding import Verdict
from panlect.forge.connections import Connections
from panlect.git.mirror import pull_ref
from panlect.git.repository import Repository
from panlect.index.analyse import AnalysisRun
from panlect.index.build import build_snapshot
from panlect.index.commit import activate, analysed, keep, plan_commit
from panlect.index.runs import mirrored
from panlect.index.snapshot import Snapshot
from panlect.index.store import PostgresStore
from panlect.ledger.coverage import StoredReview, find_review, mark_not_posted, mark_posted, store_verdict
from panlect.ledger.postgres_steps import PostgresSteps
from panlect.ledger.runs import Lease
from panlect.metrics import DROPPED, FINDINGS, Metrics
from panlect.queue import wake_run
from panlect.review.post import Target, publish
from panlect.review.render import marker
from panlect.review.run import Subject, review
from panlect.review.verdict import policy_of
from panlect.rules.config import About
from panlect.search.who import BlastRadius, reach_in_organisation

_LOG = logging.getLogger(__name__)
CONTEXT_TOKENS = 8000


@dataclass(frozen=True, slots=True)
class Workshop:
    """What reviewing on the server needs; `mirrors` is this node's own and may vanish."""

    db: Database
    connections: Connections
    mirrors: Path
    public_url: str
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Revisions:
    """What is compared: the merge base and the head, as the mirror has them."""

    base_sha: str
    head_sha: str


@dataclass(frozen=True, slots=True)
class Subjects:
    """The rows that a run speaks of: repository and pull request, by column name."""

    repository: Mapping[str, Any]
    pull_request: Mapping[str, Any]


async def review_pull_request(shop: Workshop, lease: Lease) -> UUID:
    """Review the run's head and store the verdict with its publish run; the review's id.

    Raises SupersededError when the head moved, and what git and the host raise.
    """
    subjects = await find_subjects(shop.db, lease)
    steps = PostgresSteps(shop.db, lease)
    repository, pull = subjects.repository, subjects.pull_request
    mirror = await mirrored(
        shop.connections,
        shop.mirrors,
        organisation_id=lease.run.organisation_id,
        connection_id=repository["connection_id"],
        repository_id=repository["id"],
        clone_url=repository["clone_url"],
        refs=[f"refs/heads/{pull['base_ref']}", pull_ref(pull["number"])],
        want=[lease.run.base_sha, lease.run.head_sha],
    )

    async def compare() -> Revisions:
        return Revisions(await asyncio.to_thread(_merge_base, mirror, lease), lease.run.head_sha)

    revisions = await steps.step("fetch", lease.run.head_sha, Revisions, compare)

    subject = Subject(mirror, revisions.base_sha, revisions.head_sha, _about(pull))
    with PostgresStore(shop.db.url, lease.run.organisation_id) as store:

        async def snapshots(repository: Repository, base: str, head: str) -> tuple[Snapshot, Snapshot]:
            return await asyncio.to_thread(_snapshots, repository, base, head, store)

        async def reach(change: Change, base: Snapshot) -> BlastRadius:
            return await asyncio.to_thread(
                reach_in_organisation, store, repository["full_name"], change, base
            )

        async def told(change: Change) -> Sequence[SummaryItem]:
            return await asyncio.to_thread(told_of, change, store, repository["id"])

        verdict = await review(
            subject, snapshots, steps, context_tokens=CONTEXT_TOKENS, reach=reach, told=told
        )
        review_id = await store_verdict(shop.db, lease, verdict, wake_run)
        await _keep_head(mirror, store, repository["id"], pull["number"], verdict.head_sha)
    _count(shop.metrics, verdict)
    return review_id


async def publish_review(shop: Workshop, lease: Lease) -> None:
    """Post the run's stored verdict, or note why it will not be posted.

    Raises ForgeUnavailableError when the host does not answer: then it is tried again.
    """
    stored = await _stored(shop.db, lease)
    subjects = await find_subjects(shop.db, lease)
    repository = subjects.repository
    if stored.posted:
        return
    target = Target(
        repository["full_name"],
        subjects.pull_request["number"],
        str(stored.id),
        f"{shop.public_url}/reviews/{stored.id}",
    )
    steps = PostgresSteps(shop.db, lease)
    try:
        async with shop.connections.client(lease.run.organisation_id, repository["connection_id"]) as client:
            posted, check = await publish(client, target, stored.verdict, policy_of(repository), steps)
    except StaleHeadError as error:
        await mark_not_posted(shop.db, lease, "superseded", error.what)
        return
    except ForgeUnavailableError:
        raise
    except ForgeError as error:
        await mark_not_posted(shop.db, lease, "post_failed", error.what)
        raise
    await mark_posted(
        shop.db,
        lease,
        posted_review_id=posted.review_id,
        posted_check_id=check.check_id,
        posted_url=posted.url,
        marker=marker(str(stored.id), stored.verdict.head_sha),
    )


async def find_subjects(db: Database, lease: Lease) -> Subjects:
    """The repository and the pull request of a run, as they are stored now."""
    run = lease.run
    repository = await _row(db, run.organisation_id, "forge.get_repository", run.repository_id)
    pull = await _row(db, run.organisation_id, "forge.get_pull_request", run.pull_request_id)
    return Subjects(repository, pull)


def _about(pull: Mapping[str, Any]) -> About:
    """What filters ask about. Labels are not stored, so nothing is left out for them."""
    author = pull["author"]
    return About(author, pull["base_ref"], pull["title"], draft=pull["draft"], bot=author.endswith("[bot]"))


async def _row(db: Database, organisation_id: UUID, name: str, row_id: UUID | None) -> Mapping[str, Any]:
    async with db.organisation(organisation_id) as connection:
        rows = await rows_of(connection, name, [organisation_id, row_id])
    assert rows, "a run's repository and pull request outlive it"
    return rows[0]


async def _stored(db: Database, lease: Lease) -> StoredReview:
    run = lease.run
    assert run.review_id is not None, "a publish run has a review"
    async with db.organisation(run.organisation_id) as connection:
        found = await find_review(connection, run.organisation_id, run.review_id)
    assert found is not None, "a review is never removed before its publish run"
    return found


def _merge_base(mirror: Repository, lease: Lease) -> str:
    run = lease.run
    for sha in (run.head_sha, run.base_sha):
        if not mirror.has(sha):
            # A branch that was deleted or force-pushed after we were told of it.
            raise GitError(
                f"Commit {sha[:8]} is gone from the host.", fix="Push again: the new head is reviewed."
            )
    return mirror.merge_base(run.base_sha, run.head_sha)


def _snapshots(
    repository: Repository, base_sha: str, head_sha: str, store: PostgresStore
) -> tuple[Snapshot, Snapshot]:
    run = AnalysisRun()
    for sha in (base_sha, head_sha):  # with chunk texts: a blob that is merged later is not read again
        plan = plan_commit(repository, sha, store)
        run.note_cut(plan.truncated)
        keep(store, analysed(repository, plan.unseen, run=run))
    base = build_snapshot(repository, base_sha, store, run=run)
    return base, build_snapshot(repository, head_sha, store, base=base, run=run)


async def _keep_head(
    mirror: Repository, store: PostgresStore, repository_id: UUID, number: int, head_sha: str
) -> None:
    """The head as a snapshot beside the active one: an overlay, since everything in it was read for the review.

    It keeps what was read from being collected until the head is merged. The verdict is stored, so a failure is
    logged and no more.
    """
    from psycopg import Error

    def kept() -> None:
        plan = plan_commit(mirror, head_sha, store)
        if not plan.truncated:
            activate(store, repository_id, plan, ref=f"pull/{number}", serve=False)

    try:
        await asyncio.to_thread(kept)
    except (PanlectError, Error) as error:
        _LOG.warning("The head %s was not kept: %s", head_sha[:8], error)


def _count(metrics: Metrics, verdict: Verdict) -> None:
    for finding in verdict.findings:
        metrics.count(FINDINGS, check=finding.check, severity=finding.severity.value)
    for dropped in verdict.suppressed:
        metrics.count(DROPPED, stage=dropped.stage)
