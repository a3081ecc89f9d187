"""Pages for people, all usable without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from panlect.finding import Evidence, HunkCoverage, Verdict
from panlect.forge.repositories import list_repositories
from panlect.ledger import trace
from panlect.ledger.coverage import find_review
from serve.auth import Reader, services
from serve.pages import page

router = APIRouter(include_in_schema=False)
Line = tuple[int, str, bool]


@router.get("/")
async def home(who: Reader) -> Response:  # noqa: ARG001 - the guard
    """The front page is the list of reviews."""
    return RedirectResponse("/reviews", 303)


@router.get("/reviews")
async def reviews(request: Request, who: Reader) -> Response:
    """The newest reviews."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        rows = await trace.list_reviews(connection, who.organisation_id, limit=100)
    return page("reviews.html", here="reviews", reviews=rows)


@router.get("/repos")
async def repositories(request: Request, who: Reader) -> Response:
    """What is connected, and how fresh its index is."""
    async with services(request).db.organisation(who.organisation_id) as connection:
        rows = await list_repositories(connection, who.organisation_id)
    return page("repos.html", here="repos", repositories=rows, working=any(map(_is_working, rows)))


def _is_working(row: Mapping[str, Any]) -> bool:
    """Whether an index run of this repository is under way."""
    return row["run_status"] in ("queued", "running")


@router.get("/reviews/{review_id}")
async def review(request: Request, who: Reader, review_id: UUID) -> Response:
    """One review: is this change safe, and how do you know?"""
    async with services(request).db.organisation(who.organisation_id) as connection:
        row = await trace.find_review_row(connection, who.organisation_id, review_id)
        found = await find_review(connection, who.organisation_id, review_id)
        steps = await trace.list_steps(connection, who.organisation_id, review_id)
        context = await trace.find_context(connection, who.organisation_id, review_id)
        impact = await trace.find_impact(connection, who.organisation_id, review_id)
    if row is None or found is None:
        raise HTTPException(404, "There is no such review.")
    verdict = found.verdict
    return page(
        "review.html",
        here="reviews",
        review=row,
        findings=verdict.findings,
        frames=frames(verdict),
        coverage=verdict.coverage,
        coverage_by_file=by_file(verdict.coverage.hunks),
        suppressed=verdict.suppressed,
        context=context,
        impact=impact,
        steps=waterfall(steps),
        total_ms=sum(step["ms"] for step in steps),
    )


def frames(verdict: Verdict) -> dict[tuple[str, int], list[Line]]:
    """The quoted lines of each evidence: (number, text, whether it is what the finding points at)."""
    return {
        (finding.fingerprint, number): _frame(evidence, finding.path, finding.start_line)
        for finding in verdict.findings
        for number, evidence in enumerate(finding.evidence)
    }


def _frame(evidence: Evidence, path: str | None, start_line: int | None) -> list[Line]:
    hit = evidence.path == path and evidence.start_line == start_line
    lines = evidence.quote.splitlines()
    return [(evidence.start_line + offset, text, hit and offset == 0) for offset, text in enumerate(lines)]


def by_file(hunks: Sequence[HunkCoverage]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Hunks by file, each with what is said of it."""
    grouped = groupby(sorted(hunks, key=lambda h: (h.path, h.start_line)), key=lambda h: h.path)
    return [(path, [_cell(hunk) for hunk in rows]) for path, rows in grouped]


def _cell(hunk: HunkCoverage) -> dict[str, Any]:
    depth = f"read, depth {hunk.depth}" if hunk.depth else hunk.state
    return {
        "state": hunk.state,
        "start_line": hunk.start_line,
        "end_line": hunk.end_line,
        "side": hunk.side,
        "reason": hunk.reason,
        "depth": hunk.depth,
        "said": f"{hunk.state}: {hunk.reason}" if hunk.reason else depth,
    }


def waterfall(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Steps with their place on one time axis: left and right in per cent."""
    if not steps:
        return []
    begins = [step["finished_at"] - timedelta(milliseconds=step["ms"]) for step in steps]
    first, last = min(begins), max(step["finished_at"] for step in steps)
    span = max((last - first).total_seconds(), 0.001)
    return [
        {
            **step,
            "left": round(100 * (began - first).total_seconds() / span, 1),
            "right": round(100 * (step["finished_at"] - first).total_seconds() / span, 1),
        }
        for step, began in zip(steps, begins, strict=True)
    ]
