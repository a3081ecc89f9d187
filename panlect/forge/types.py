"""What every code host is to us, whatever its dialect: deliveries, pull requests, checks, reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook whose signature was checked. Its content is a hint: the truth is read from the host."""

    forge: str
    connection_id: UUID
    delivery_id: str
    event: str
    action: str
    repository: str  # owner/name
    pull_request: int | None
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as its host describes it now."""

    repository: str
    number: int
    title: str
    author: str
    state: str  # open | closed
    draft: bool
    base_ref: str
    base_sha: str
    head_ref: str
    head_sha: str
    clone_url: str
    html_url: str


@dataclass(frozen=True, slots=True)
class HostedRepository:
    """A repository as its host describes it."""

    full_name: str
    clone_url: str
    default_branch: str
    html_url: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch and its newest commit."""

    name: str
    head_sha: str


class Conclusion(StrEnum):
    """How a check ended, in GitHub's words."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True)
class Check:
    """One named check on one head commit; posting the same name and head again replaces it."""

    name: str
    head_sha: str
    conclusion: Conclusion
    title: str
    summary: str
    details_url: str = ""


@dataclass(frozen=True, slots=True)
class InlineComment:
    """A comment on lines of the diff. `side`: LEFT (base) or RIGHT (head)."""

    path: str
    start_line: int
    end_line: int
    side: str
    body: str


@dataclass(frozen=True, slots=True)
class ReviewPost:
    """One review with all its comments, ready to post. `body` carries the hidden marker."""

    head_sha: str
    body: str
    comments: tuple[InlineComment, ...]


@dataclass(frozen=True, slots=True)
class PostedReview:
    """A review that is on the host."""

    review_id: str
    body: str
    author: str
    commit_sha: str
    html_url: str


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request to a host, still without its transport."""

    method: str
    path: str  # from the API's root
    body: Mapping[str, object] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """What a host answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
