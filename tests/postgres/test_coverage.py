"""The verdict and its ledgers: stored whole with the publish run, read back as they were given."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from panlect import history, queue
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database
from panlect.finding import (
    Category,
    Coverage,
    Depth,
    Evidence,
    Finding,
    HunkCoverage,
    Place,
    Severity,
    Side,
    Suppressed,
    Verdict,
    VerdictKind,
)
from panlect.history import check_history
from panlect.ledger import runs
from panlect.ledger.coverage import (
    StoredReview,
    fail_run,
    find_review,
    find_review_of_head,
    mark_not_posted,
    mark_posted,
    store_verdict,
)
from panlect.ledger.runs import Lease, RunStatus, SupersededError

pytestmark = pytest.mark.anyio

VERDICT = Verdict(
    kind=VerdictKind.PARTIAL,
    reason="1 hunk was not read",
    depth=Depth.CHECKS,
    base_sha="base",
    head_sha="head1",
    coverage=Coverage(
        (
            HunkCoverage("a.py", 1, 3, Side.HEAD, "code", "read", "", Depth.CHECKS, ("parse", "checks")),
            HunkCoverage("b.xyz", 4, 4, Side.BASE, "code", "unread", "no parser for it"),
            HunkCoverage("lock", 1, 9, Side.HEAD, "generated", "excluded", "lock file"),
        )
    ),
    findings=(
        Finding(
            "f" * 32, "call-mismatch", Severity.P1, Category.CONTRACT, "a.py", 2, 2, Side.HEAD, "Too few", "Body é",
            (Evidence("a.py", 2, 2, Side.HEAD, "call(1)"), Evidence("lib.py", 9, 9, Side.BASE, "def call(a)")),
            (Place("c.py", 4, 5),),
        ),
        Finding(
            "0" * 32, "secret", Severity.P0, Category.SECURITY, None, None, None, Side.HEAD, "Key", "Body",
            (Evidence("d.py", 1, 1, Side.HEAD, "k"),),
        ),
    ),
    suppressed=(Suppressed("select", "muted", "secret", "e.py", 3, "Key", "9" * 32),),
)  # fmt: skip


async def leased(db: Database, place: Any, head: str = "head1") -> Lease:
    new = runs.new_review(place.pull_request_id, place.repository_id, head=head, base="base", cause="push")
    async with db.organisation(ORG) as connection:
        run, _ = await runs.create_run(connection, ORG, new, queue.wake_run)
    lease = await runs.claim(db, run.id, lease_s=30, worker="test")
    assert lease is not None
    return lease


async def publishing(db: Database, administrator_url: str) -> Lease:
    with psycopg.connect(administrator_url) as connection:
        row = connection.execute("select id from panlect.run where kind = 'publish'").fetchone()
    assert row is not None
    lease = await runs.claim(db, row[0], lease_s=30, worker="test")
    assert lease is not None
    return lease


async def newest(db: Database, place: Any, head: str = "head1") -> StoredReview:
    async with db.organisation(ORG) as connection:
        review = await find_review_of_head(connection, ORG, place.pull_request_id, head)
    assert review is not None
    return review


async def test_a_verdict_is_read_back_as_it_was_given(db: Database, place: Any) -> None:
    review_id = await store_verdict(db, await leased(db, place), VERDICT, queue.wake_run)
    async with db.organisation(ORG) as connection:
        review = await find_review(connection, ORG, review_id)
    assert review is not None
    assert review.verdict == VERDICT
    assert (review.state, review.posted, review.cause) == ("stored", False, "push")


async def test_text_that_postgres_cannot_hold_does_not_lose_the_verdict(db: Database, place: Any) -> None:
    hostile = Suppressed("verify", "nul \0 here", "secret", "a\udcff.py", 1, "title")
    verdict = Verdict(VerdictKind.REVIEWED, "", None, "base", "head1", suppressed=(hostile,))
    await store_verdict(db, await leased(db, place), verdict, queue.wake_run)
    kept = (await newest(db, place)).verdict.suppressed[0]
    assert (kept.reason, kept.path) == ("nul \ufffd here", "a\ufffd.py")


async def test_a_head_has_one_verdict_per_cause(db: Database, place: Any, administrator_url: str) -> None:
    lease = await leased(db, place)
    first = await store_verdict(db, lease, VERDICT, queue.wake_run)
    again = await store_verdict(
        db, lease, Verdict(VerdictKind.FAILED, "late", None, "base", "head1"), queue.wake_run
    )
    assert first == again
    assert (await newest(db, place)).verdict == VERDICT
    await publishing(db, administrator_url)


async def test_a_superseded_run_stores_nothing(db: Database, place: Any, administrator_url: str) -> None:
    lease = await leased(db, place)
    async with db.organisation(ORG) as connection:
        await runs.supersede_others(connection, ORG, place.pull_request_id, "head2")
    with pytest.raises(SupersededError):
        await store_verdict(db, lease, VERDICT, queue.wake_run)
    with psycopg.connect(administrator_url) as connection:
        assert connection.execute("select count(*) from panlect.review").fetchone() == (0,)


async def test_a_verdict_that_waits_to_be_published_is_superseded_with_its_head(
    db: Database, place: Any, administrator_url: str
) -> None:
    await store_verdict(db, await leased(db, place), VERDICT, queue.wake_run)
    async with db.organisation(ORG) as connection:
        assert len(await runs.supersede_others(connection, ORG, place.pull_request_id, "head2")) == 2
    review = await newest(db, place)
    assert (review.state, review.state_reason) == ("superseded", "head moved")


async def test_a_publisher_at_work_is_left_to_find_out_itself(
    db: Database, place: Any, administrator_url: str
) -> None:
    lease = await leased(db, place)
    await store_verdict(db, lease, VERDICT, queue.wake_run)
    async with db.organisation(ORG) as connection:
        await runs.finish(connection, lease, RunStatus.DONE)
    publisher = await publishing(db, administrator_url)
    async with db.organisation(ORG) as connection:
        assert await runs.supersede_others(connection, ORG, place.pull_request_id, "head2") == []
    await mark_not_posted(db, publisher, "superseded", "head moved")
    assert (await newest(db, place)).state == "superseded"


async def test_a_head_that_comes_back_is_reviewed_and_published_after_all(
    db: Database, place: Any, administrator_url: str
) -> None:
    lease = await leased(db, place)
    await store_verdict(db, lease, VERDICT, queue.wake_run)
    async with db.organisation(ORG) as connection:
        gone = await runs.supersede_others(connection, ORG, place.pull_request_id, "head2")
        back = await runs.revive_head(connection, ORG, place.pull_request_id, "head1", queue.wake_run)
        assert await runs.revive_head(connection, ORG, place.pull_request_id, "head1", queue.wake_run) == []
    assert sorted(back) == sorted(gone)
    assert (await newest(db, place)).state == "stored"
    resumed = await runs.claim(db, lease.run.id, lease_s=30, worker="w")
    assert resumed is not None
    assert (resumed.run.attempt, resumed.token == lease.token) == (1, False)


async def test_a_verdict_whose_publisher_found_the_head_moved_is_published_when_it_is_back(
    db: Database, place: Any, administrator_url: str
) -> None:
    lease = await leased(db, place)
    await store_verdict(db, lease, VERDICT, queue.wake_run)
    publisher = await publishing(db, administrator_url)
    await mark_not_posted(db, publisher, "superseded", "head moved")
    async with db.organisation(ORG) as connection:
        await runs.finish(connection, lease, RunStatus.DONE)
        await runs.finish(connection, publisher, RunStatus.DONE)
        back = await runs.revive_head(connection, ORG, place.pull_request_id, "head1", queue.wake_run)
    assert back == [publisher.run.id]
    assert (await newest(db, place)).state == "stored"


async def test_a_posted_review_keeps_the_ids_of_its_host(
    db: Database, place: Any, administrator_url: str
) -> None:
    await store_verdict(db, await leased(db, place), VERDICT, queue.wake_run)
    publisher = await publishing(db, administrator_url)
    await mark_posted(db, publisher, posted_review_id="42", posted_check_id="43", posted_url="u", marker="m")
    await mark_posted(db, publisher, posted_review_id="99")
    review = await newest(db, place)
    assert (review.posted, review.posted_review_id, review.posted_check_id) == (True, "42", "43")
    async with db.organisation(ORG) as connection:
        events = await history.read(connection)
    assert [event.kind.value for event in events].count("review_posted") == 1


async def test_a_review_that_fails_says_so(db: Database, place: Any) -> None:
    lease = await leased(db, place)
    await fail_run(db, lease, "internal error (KeyError)", queue.wake_run)
    review = await newest(db, place)
    assert (review.verdict.kind, review.verdict.reason) == (VerdictKind.FAILED, "internal error (KeyError)")
    async with db.organisation(ORG) as connection:
        run = await runs.find_run(connection, ORG, lease.run.id)
    assert run is not None
    assert (run.status, run.reason) == (RunStatus.FAILED, "internal error (KeyError)")


async def test_a_publish_run_that_fails_leaves_the_verdict_readable_and_unposted(
    db: Database, place: Any, administrator_url: str
) -> None:
    lease = await leased(db, place)
    await store_verdict(db, lease, VERDICT, queue.wake_run)
    async with db.organisation(ORG) as connection:
        await runs.finish(connection, lease, RunStatus.DONE)
    await fail_run(db, await publishing(db, administrator_url), "forge unavailable", queue.wake_run)
    review = await newest(db, place)
    assert (review.state, review.state_reason, review.posted) == ("post_failed", "forge unavailable", False)
    assert review.verdict == VERDICT
    async with db.organisation(ORG) as connection:
        assert check_history(await history.read(connection)) == []
