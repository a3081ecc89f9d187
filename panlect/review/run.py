"""Journey A in order: a change becomes a verdict. The same order in a terminal, a test and a worker.

Each hop is a step of the run: what finished is not done again after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from panlect.change import Change, read_change, with_symbols
from panlect.checks.run import run_checks
from panlect.context.gather import Context, gather_context
from panlect.context.told import SummaryItem
from panlect.finding import Candidate, Coverage, Verdict
from panlect.git.history import prior
from panlect.git.repository import Repository
from panlect.index.snapshot import Snapshot
from panlect.ledger.steps import Steps
from panlect.review.plan import Plan, close, plan
from panlect.review.rules import Rules, read_rules
from panlect.review.select import STANDARD, Limits, Selection, select
from panlect.review.verdict import verdict
from panlect.review.verify import Verified, verify
from panlect.rules.config import About
from panlect.search.who import BlastRadius

T = TypeVar("T")
Snapshots = Callable[[Repository, str, str], Awaitable[tuple[Snapshot, Snapshot]]]
ReachOf = Callable[[Change, Snapshot], Awaitable[BlastRadius]]
ToldOf = Callable[[Change], Awaitable[Sequence[SummaryItem]]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the checks claim, before anything is verified."""

    items: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is reviewed: `head_sha` against `base_sha`, which is the merge base, in a repository that has both."""

    repository: Repository
    base_sha: str
    head_sha: str
    about: About | None = None  # what its host says of it, where there is one


async def review(
    subject: Subject,
    snapshots: Snapshots,
    steps: Steps,
    *,
    context_tokens: int = 0,
    reach: ReachOf | None = None,
    told: ToldOf | None = None,
    limits: Limits = STANDARD,
) -> Verdict:
    """The verdict of one head. Raises GitError when the repository cannot be read.

    `context_tokens` is the budget of gathered context; 0 leaves it out, which is right where nobody and no
    model looks at it. `reach` asks how far the change reaches beyond the repository; None where nothing else is known.
    `told` is what models have said of the repository before; None where they said nothing. `limits` is how much is said.
    """
    base_sha, head_sha = subject.base_sha, subject.head_sha

    async def read() -> Change:
        return await asyncio.to_thread(read_change, subject.repository, base_sha, head_sha)

    change = await steps.step("change", head_sha, Change, read)
    base, head = await snapshots(subject.repository, base_sha, head_sha)

    async def describe() -> Change:
        return await asyncio.to_thread(with_symbols, change, base, head)

    change = await steps.step("symbols", head_sha, Change, describe)
    rules = await steps.step(
        "rules", head_sha, Rules, lambda: _pure(read_rules, base, subject.about, change.lines)
    )
    planned = await steps.step("plan", head_sha, Plan, lambda: _pure(plan, change, rules))

    if context_tokens:

        async def gather() -> Context:
            past = await asyncio.to_thread(prior, subject.repository, base_sha)
            said = await told(change) if told is not None else ()
            return await asyncio.to_thread(
                gather_context, change, base, head, context_tokens, history=past, summaries=said
            )

        await steps.step("context", head_sha, Context, gather)

    if reach is not None:
        await steps.step("impact", head_sha, BlastRadius, partial(reach, change, base))

    async def check() -> Candidates:
        if base.truncated or head.truncated or rules.refused:
            return Candidates(())  # what is not listed would look as if it were gone
        return Candidates(await asyncio.to_thread(run_checks, change, base, head))

    found = await steps.step("checks", head_sha, Candidates, check)

    async def prove() -> Verified:
        return await asyncio.to_thread(verify, found.items, change, base, head)

    proved = await steps.step("verify", head_sha, Verified, prove)
    chosen = await steps.step(
        "select", head_sha, Selection, lambda: _pure(select, proved.candidates, change, limits, rules)
    )

    async def cover() -> Coverage:
        return await asyncio.to_thread(close, planned, change, base, head)

    coverage = await steps.step("coverage", head_sha, Coverage, cover)
    suppressed = (*proved.suppressed, *chosen.suppressed)
    return verdict(coverage, chosen.findings, suppressed, base_sha=base_sha, head_sha=head_sha)


async def _pure(function: Callable[..., T], *values: object) -> T:
    return function(*values)
