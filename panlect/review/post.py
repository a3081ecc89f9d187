"""Publish a stored verdict: head and marker checked first, then one review and one check."""

from __future__ import annotations

from dataclasses import dataclass, replace

from panlect.errors import ForgeError, StaleHeadError
from panlect.faults import fault
from panlect.finding import Verdict
from panlect.forge.http import ForgeClient
from panlect.ledger.steps import Steps
from panlect.review.render import check, marked_review, review_post, worth_a_review
from panlect.review.verdict import Policy

_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Target:
    """Where a verdict goes."""

    repository: str
    number: int
    review_id: str
    page_url: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """What is on the host now; `review_id` is "" when there was nothing to comment on."""

    review_id: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class PostedCheck:
    """The check on the host."""

    check_id: str


async def publish(
    client: ForgeClient, target: Target, verdict: Verdict, policy: Policy, steps: Steps
) -> tuple[Posted, PostedCheck]:
    """Post `verdict` exactly once. Raises StaleHeadError when the head moved, ForgeError when refused.

    A restart after the host answered and before we noted it finds the marker and posts nothing again.
    """
    now = await client.pull_request(target.repository, target.number)
    if now.head_sha != verdict.head_sha:
        raise StaleHeadError(f"The head moved from {verdict.head_sha[:8]} to {now.head_sha[:8]}.")

    async def post() -> Posted:
        return await _post_once(client, target, verdict)

    async def conclude() -> PostedCheck:
        said = check(verdict, policy, target.page_url)
        return PostedCheck(await client.set_check(target.repository, said))

    posted = await steps.step("post", verdict.head_sha, Posted, post)
    return posted, await steps.step("check", verdict.head_sha, PostedCheck, conclude)


async def _post_once(client: ForgeClient, target: Target, verdict: Verdict) -> Posted:
    if not worth_a_review(verdict):
        return Posted()  # a clean change gets a check and no comment
    for review in await client.reviews(target.repository, target.number):
        if marked_review(review.body) == (target.review_id, verdict.head_sha):
            return Posted(review.review_id, review.html_url)
    fault("review.post.before_request")
    try:
        said = review_post(verdict, target.review_id, target.page_url)
        review = await client.post_review(target.repository, target.number, said)
    except ForgeError as error:
        if error.status != _UNPROCESSABLE:
            raise
        # The host's diff is not ours (a merge in between): say everything, but in the body.
        said = review_post(_without_anchors(verdict), target.review_id, target.page_url)
        review = await client.post_review(target.repository, target.number, said)
    fault("review.post.after_response")
    return Posted(review.review_id, review.html_url)


def _without_anchors(verdict: Verdict) -> Verdict:
    findings = tuple(replace(f, path=None, start_line=None, end_line=None) for f in verdict.findings)
    return replace(verdict, findings=findings)
