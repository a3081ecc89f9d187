"""Reviews over the API: list, verdict, trace."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request

from panlect.ledger import trace
from panlect.ledger.coverage import find_review
from panlect.review.report import review_json
from panlect.review.summary import confidence
from panlect.review.verdict import conclusion, policy_of, title
from serve.auth import Reader, services
from serve.schemas import HeadVerdict, ReviewRow, Step

router = APIRouter(prefix="/api/v1/reviews", tags=["reviews"])
verdicts = APIRouter(prefix="/api/v1", tags=["reviews"])
MODE = "lexical+graph"


@router.get("")
async def list_reviews(
    request: Request,
    who: Reader,
    repository: Annotated[str, Query(description="Full name")] = "",
    number: Annotated[int | None, Query(description="Pull request")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[ReviewRow]:
    """The newest reviews first."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        rows = await trace.list_reviews(
            connection, who.organisation_id, repository=repository, number=number, limit=limit
        )
    return [ReviewRow.model_validate(row) for row in rows]


@router.get("/{review_id}")
async def read_review(request: Request, who: Reader, review_id: UUID) -> dict[str, Any]:
    """The verdict with findings, coverage and what was held back; the JSON of `panlect review` and more."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        row = await trace.find_review_row(connection, who.organisation_id, review_id)
        found = await find_review(connection, who.organisation_id, review_id)
        steps = await trace.list_steps(connection, who.organisation_id, review_id)
        impact = await trace.find_impact(connection, who.organisation_id, review_id)
    if row is None or found is None:
        raise HTTPException(404, "There is no such review.")
    spent = sum(step["ms"] for step in steps)
    return {
        **review_json(found.verdict, mode=MODE, ms=spent),
        "id": str(review_id),
        "repository": row["repository"],
        "pull_request": row["number"],
        "state": found.state,
        "state_reason": found.state_reason,
        "posted": found.posted,
        "posted_url": found.posted_url,
        "impact": impact,
    }


@router.get("/{review_id}/trace")
async def read_trace(request: Request, who: Reader, review_id: UUID) -> list[Step]:
    """What was done for a review, step by step, with times."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        steps = await trace.list_steps(connection, who.organisation_id, review_id)
    if not steps:
        raise HTTPException(404, "There is no such review.")
    return [Step.model_validate(step) for step in steps]


@verdicts.get("/verdict")
async def verdict_of_commit(
    request: Request,
    who: Reader,
    repo: Annotated[str, Query(min_length=1, max_length=300, description="Full name, or id")],
    sha: Annotated[str, Query(pattern="^[0-9a-f]{40}$|^[0-9a-f]{64}$", description="The whole commit id")],
) -> HeadVerdict:
    """The verdict of one commit, for gates: never of another one, and RUNNING until it is stored."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        known = await trace.find_verdict(connection, who.organisation_id, repo, sha)
        if known is None:
            raise HTTPException(404, "This repository is not connected.")
        review_id = known["review_id"]
        stored = await find_review(connection, who.organisation_id, review_id) if review_id else None
    if stored is None:
        if not known["running"]:
            raise HTTPException(404, "Nothing is known of this commit: no review of it was asked for.")
        return HeadVerdict(repository=known["repository"], sha=sha, verdict="RUNNING", title="Running")
    judged = stored.verdict
    return HeadVerdict(
        repository=known["repository"],
        sha=sha,
        verdict=judged.kind.value,
        title=title(judged),
        conclusion=conclusion(judged, policy_of(known)).value,
        confidence=confidence(judged).score,
        reasons=list(confidence(judged).reasons),
        findings=len(judged.findings),
        review_id=stored.id,
        posted=stored.posted,
    )
