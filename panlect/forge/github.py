"""GitHub's dialect: webhook bytes -> Delivery, our wishes -> requests, answers -> our types. No I/O.

API: the REST description of 2022-11-28 (pulls, reviews, check-runs, hooks) and "Webhook events and payloads".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

from gidgethub import ValidationFailure, sansio

from panlect.errors import BadPayloadError, BadSignatureError, ForgeError
from panlect.forge.types import (
    Branch,
    Check,
    Delivery,
    HostedRepository,
    InlineComment,
    PostedReview,
    PullRequest,
    Request,
    ReviewPost,
)

ACCEPT = sansio.accept_format()
SYNC_ACTIONS = frozenset({"opened", "reopened", "synchronize", "ready_for_review", "edited"})
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_DELIVERY_ID = re.compile(r"[0-9A-Za-z-]{1,100}")
_FULL_NAME = re.compile(r"(?!\.\.?/)[A-Za-z0-9._-]{1,100}/(?!\.\.?\Z)[A-Za-z0-9._-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_MAX_DEPTH = 64
_KEPT_HEADERS = ("x-github-event", "x-github-delivery", "x-github-hook-id", "user-agent", "content-type")


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Check the signature over the raw bytes against any of `secrets` (two while one is rotated).

    Raises BadSignatureError: also when no secret is set, since nothing unsigned is ever accepted.
    """
    signature = headers.get("x-hub-signature-256", "")
    usable = [secret for secret in secrets if secret]
    if not usable:
        raise BadSignatureError("No webhook secret is set for this host.", fix="Set one on both sides.")
    check_signature_shape(headers)
    for secret in usable:
        try:
            sansio.validate_event(body, signature=signature, secret=secret)
        except ValidationFailure:
            continue
        return
    raise BadSignatureError(
        "The signature does not fit the body.", fix="Set the same secret in the host's webhook settings."
    )


def check_signature_shape(headers: Mapping[str, str]) -> None:
    """Raises BadSignatureError when the signature is missing or malformed: then no secret can fit it."""
    if not _SIGNATURE.fullmatch(headers.get("x-hub-signature-256", "")):
        raise BadSignatureError(
            "The X-Hub-Signature-256 header is missing or malformed.",
            fix="Set the same secret in the host's webhook.",
        )


def delivery(body: bytes, headers: Mapping[str, str], connection_id: UUID) -> Delivery:
    """The delivery in a verified body. Raises BadPayloadError when it is not what GitHub sends."""
    delivery_id, event = headers.get("x-github-delivery", ""), headers.get("x-github-event", "")
    if not _DELIVERY_ID.fullmatch(delivery_id) or not re.fullmatch(r"[a-z0-9_]{1,60}", event):
        raise BadPayloadError("X-GitHub-Delivery or X-GitHub-Event is missing or malformed.")
    payload = _json_object(body)
    repository = _object(payload, "repository").get("full_name", "")
    if repository and not (isinstance(repository, str) and _FULL_NAME.fullmatch(repository)):
        raise BadPayloadError("repository.full_name is malformed.")
    action = payload.get("action", "")
    number = _object(payload, "pull_request").get("number")
    return Delivery(
        forge="github",
        connection_id=connection_id,
        delivery_id=delivery_id,
        event=event,
        action=action if isinstance(action, str) and len(action) <= 60 else "",
        repository=repository if isinstance(repository, str) else "",
        pull_request=number if type(number) is int and 0 < number < 2**31 else None,
        body=body,
        headers={name: headers[name][:200] for name in _KEPT_HEADERS if name in headers},
    )


def wants_review(delivery: Delivery) -> bool:
    """Whether this event can mean a head that was not reviewed."""
    return (
        delivery.event == "pull_request"
        and delivery.action in SYNC_ACTIONS
        and delivery.pull_request is not None
    )


def _json_object(body: bytes) -> dict[str, Any]:
    if _too_deep(body):
        raise BadPayloadError(f"The body nests deeper than {_MAX_DEPTH} levels.")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadPayloadError(
            "The body is not JSON.", fix="Set the content type to application/json."
        ) from error
    if not isinstance(payload, dict):
        raise BadPayloadError("The body is not a JSON object.")
    return payload


def _too_deep(body: bytes) -> bool:
    """Count brackets outside strings, before the parser recurses over them.

    A string that never ends is taken as far as it goes: to look again from each quote in it would take for ever.
    """
    depth, deepest = 0, 0
    for match in _STRING_OR_BRACKET.finditer(body):
        sign = match[0]
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest > _MAX_DEPTH


def _object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


# Requests


def get_repository(repository: str) -> Request:
    """GET a repository."""
    return Request("GET", f"/repos/{repository}")


def get_branch(repository: str, branch: str) -> Request:
    """GET a branch with its newest commit."""
    return Request("GET", f"/repos/{repository}/branches/{quote(branch, safe='')}")


def get_pull_request(repository: str, number: int) -> Request:
    """GET a pull request."""
    return Request("GET", f"/repos/{repository}/pulls/{number}")


def list_pull_requests(repository: str) -> Request:
    """GET the open pull requests (paged)."""
    return Request("GET", f"/repos/{repository}/pulls", query={"state": "open", "per_page": "100"})


def list_reviews(repository: str, number: int) -> Request:
    """GET the reviews of a pull request (paged)."""
    return Request("GET", f"/repos/{repository}/pulls/{number}/reviews", query={"per_page": "100"})


def create_review(repository: str, number: int, post: ReviewPost) -> Request:
    """POST one review with all its comments; it comments, it never approves."""
    body = {
        "commit_id": post.head_sha,
        "event": "COMMENT",
        "body": post.body,
        "comments": [_comment(comment) for comment in post.comments],
    }
    return Request("POST", f"/repos/{repository}/pulls/{number}/reviews", body)


def _comment(comment: InlineComment) -> dict[str, object]:
    said: dict[str, object] = {
        "path": comment.path,
        "side": comment.side,
        "line": comment.end_line,
        "body": comment.body,
    }
    if comment.start_line != comment.end_line:
        said |= {"start_line": comment.start_line, "start_side": comment.side}
    return said


def list_checks(repository: str, head_sha: str, name: str) -> Request:
    """GET the checks of that name on a commit."""
    return Request(
        "GET",
        f"/repos/{repository}/commits/{head_sha}/check-runs",
        query={"check_name": name, "per_page": "100"},
    )


def create_check(repository: str, check: Check) -> Request:
    """POST a finished check."""
    return Request("POST", f"/repos/{repository}/check-runs", {"head_sha": check.head_sha, **_check(check)})


def update_check(repository: str, check_id: str, check: Check) -> Request:
    """PATCH the check that is there."""
    return Request("PATCH", f"/repos/{repository}/check-runs/{check_id}", _check(check))


def _check(check: Check) -> dict[str, object]:
    said: dict[str, object] = {
        "name": check.name,
        "status": "completed",
        "conclusion": check.conclusion.value,
        "output": {"title": check.title[:250], "summary": check.summary},
    }
    if check.details_url:
        said["details_url"] = check.details_url
    return said


def create_hook(repository: str, url: str, secret: str) -> Request:
    """POST a webhook for pull requests and pushes."""
    config = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
    body = {"name": "web", "active": True, "events": ["pull_request", "push"], "config": config}
    return Request("POST", f"/repos/{repository}/hooks", body)


# Answers


def pull_request(answer: Any) -> PullRequest:
    """A pull request. Raises ForgeError when a field is missing or is not what it should be."""
    try:
        base, head = answer["base"], answer["head"]
        found = PullRequest(
            repository=str(base["repo"]["full_name"]),
            number=int(answer["number"]),
            title=str(answer["title"]),
            author=str(_object(answer, "user").get("login", "")),
            state=str(answer["state"]),
            draft=bool(answer.get("draft")),
            base_ref=str(base["ref"]),
            base_sha=str(base["sha"]),
            head_ref=str(head["ref"]),
            head_sha=str(head["sha"]),
            clone_url=str(base["repo"]["clone_url"]),
            html_url=str(answer.get("html_url", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ForgeError(
            "The host described a pull request in a way we cannot read.", why=repr(error)[:200]
        ) from error
    if not (
        _SHA.fullmatch(found.base_sha)
        and _SHA.fullmatch(found.head_sha)
        and _FULL_NAME.fullmatch(found.repository)
    ):
        raise ForgeError("The host named a commit or repository that cannot be.")
    return found


def branch(answer: Any) -> Branch:
    """A branch. Raises ForgeError when it is not described as GitHub does."""
    try:
        found = Branch(str(answer["name"]), str(answer["commit"]["sha"]))
    except (KeyError, TypeError) as error:
        raise ForgeError(
            "The host described a branch in a way we cannot read.", why=repr(error)[:200]
        ) from error
    if not _SHA.fullmatch(found.head_sha):
        raise ForgeError("The host named a commit that cannot be.")
    return found


def hosted_repository(answer: Any) -> HostedRepository:
    """A repository. Raises ForgeError when it is not described as GitHub does."""
    try:
        found = HostedRepository(
            str(answer["full_name"]),
            str(answer["clone_url"]),
            str(answer["default_branch"]),
            str(answer.get("html_url", "")),
        )
    except (KeyError, TypeError) as error:
        raise ForgeError(
            "The host described a repository in a way we cannot read.", why=repr(error)[:200]
        ) from error
    if not _FULL_NAME.fullmatch(found.full_name):
        raise ForgeError("The host named a repository that cannot be.")
    return found


def reviews(answer: Any) -> list[PostedReview]:
    """The reviews of one page."""
    try:
        return [
            PostedReview(
                review_id=str(row["id"]),
                body=str(row.get("body") or ""),
                author=str(_object(row, "user").get("login", "")),
                commit_sha=str(row.get("commit_id") or ""),
                html_url=str(row.get("html_url") or ""),
            )
            for row in answer
        ]
    except (KeyError, TypeError) as error:
        raise ForgeError("The host listed reviews in a way we cannot read.", why=repr(error)[:200]) from error


def check_ids(answer: Any) -> list[str]:
    """Ids of the checks in an answer to `list_checks`, newest first."""
    try:
        return [str(row["id"]) for row in answer["check_runs"]]
    except (KeyError, TypeError) as error:
        raise ForgeError("The host listed checks in a way we cannot read.", why=repr(error)[:200]) from error
