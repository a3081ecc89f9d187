"""What the API takes and answers, checked at the edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from panlect.ask.agent import LONGEST_QUESTION

MOST_REPOSITORIES = 32  # that are searched together


class ConnectRepository(BaseModel):
    """A repository of a GitHub-compatible host to connect."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field(description="Root of the host's API", examples=["https://api.github.com"])
    full_name: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}$", examples=["acme/payments"]
    )
    token: str = Field(
        min_length=8, max_length=400, description="A token that may read code and post reviews"
    )
    webhook_url: str = Field(
        "", description="Where the host reaches this server; its public address when empty"
    )
    index: bool = Field(True, description="Index the default branch now")
    bulk: bool = Field(False, description="Index through a Ray job even when there are few files")


class Repository(BaseModel):
    """A connected repository and the state of its index."""

    id: UUID
    full_name: str
    default_branch: str
    commit_sha: str | None = None
    files: int | None = None
    chunks: int | None = None
    embedded: int | None = None
    activated_at: datetime | None = None


class Index(Repository):
    """A repository's index: what is searched, and the newest run with its progress in `progress`."""

    embedding_model: str | None = None
    run_id: UUID | None = None
    run_status: str | None = None
    run_reason: str | None = None
    progress: dict[str, Any] | None = None


class NewIndex(BaseModel):
    """What to index."""

    model_config = ConfigDict(extra="forbid")

    repository: UUID | None = Field(None, description="Id of a repository; every one when it is not given")
    ref: str = Field("", max_length=250, description="A branch to index beside the default one")
    bulk: bool = Field(False, description="As a Ray job even when there are few files")


class Started(BaseModel):
    """A run that was started."""

    repository: str
    run_id: UUID


class RepositorySummary(BaseModel):
    """What a repository (path ""), a directory or a file is; `extractive` where it was taken out of the code itself."""

    path: str
    kind: str
    text: str
    model: str
    extractive: bool
    commit_sha: str


class FileOfIndex(BaseModel):
    """What became of one file: how it was read and how long it took, or why it was not."""

    path: str
    language: str
    parser: str
    chunker: str
    ms: float | None
    skipped: str


class Question(BaseModel):
    """A question about the code of some repositories."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=LONGEST_QUESTION, examples=["Who may cancel an order?"])
    repositories: Literal["all"] | list[Annotated[str, Field(min_length=1, max_length=250)]] = Field(
        "all", max_length=MOST_REPOSITORIES, description="Ids or names; `all` for every indexed one"
    )
    k: int = Field(8, ge=1, le=20, description="How many places the search for it begins with")
    stream: bool = Field(False, description="Answer as server-sent events: step, text, source, done, error")


class StorageOfIndex(BaseModel):
    """What an organisation's index takes."""

    snapshots: int
    entries: int
    blobs: int
    blob_bytes: int
    chunks: int
    chunk_bytes: int
    vectors: int
    vector_bytes: int


class Connected(BaseModel):
    """What connecting did."""

    id: UUID
    full_name: str
    run_id: UUID | None = None


class Run(BaseModel):
    """A piece of work."""

    id: UUID
    kind: str
    status: str
    reason: str
    cause: str
    repository_id: UUID | None
    pull_request_id: UUID | None
    review_id: UUID | None
    head_sha: str
    attempt: int
    crashes: int
    detail: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ReviewRow(BaseModel):
    """A review in a list."""

    id: UUID
    repository: str
    number: int
    title: str
    verdict: str
    reason: str
    depth: str | None
    findings: int
    hunks_read: int
    hunks_unread: int
    head_sha: str
    state: str
    state_reason: str
    posted: bool
    created_at: datetime
    posted_at: datetime | None


class Step(BaseModel):
    """One step of a review's trace."""

    run_kind: str
    name: str
    state: str
    attempts: int
    ms: float
    error: str
    finished_at: datetime


class RoleState(BaseModel):
    """Who plays a role: the chain as it is asked, in order; empty is `model: none`."""

    chain: list[str]
    named: bool = Field(description="False: nobody was named, and another role's chain stands in, if any")
    degrade_to: str = Field(description="The role that goes on when the budget is spent")
    timeout_s: float
    max_tokens: int
    cache: bool


class ModelsState(BaseModel):
    """What is configured: this organisation's document on top of the operator's file, and what comes of both."""

    version: int = Field(description="Send it back with a change; 0 when nothing was written yet")
    document: dict[str, Any]
    operator: dict[str, list[str]] = Field(
        description="What the operator's file names: addresses and keys are not shown"
    )
    roles: dict[str, RoleState]
    keys: list[str] = Field(description="Providers of this organisation that have a key")


class ModelsUpdate(BaseModel):
    """A whole new document, made from what was read as `version`."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=0)
    document: dict[str, Any] = Field(
        description="providers, models, roles, budgets: the shape of the models file"
    )


class ModelKey(BaseModel):
    """A provider's key."""

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = Field(min_length=1, max_length=20_000)


class ModelTest(BaseModel):
    """What to test."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(max_length=300, description="A role, or provider/model", examples=["review"])


class ModelTested(BaseModel):
    """How one model answered."""

    model: str
    ok: bool
    ms: float
    said: str
    cost_microusd: int | None = None
    error: str


class ModelCallRow(BaseModel):
    """One try of one provider. Tries of the same question share `request_id`."""

    id: UUID
    request_id: UUID
    repository_id: UUID | None
    pull_request_id: UUID | None
    run_id: UUID | None
    step: str
    role: str
    provider: str
    model: str
    outcome: str
    detail: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    usage_estimated: bool
    cost_microusd: int | None = Field(description="Millionths of a US dollar; null when no price is known")
    ms: float
    first_token_ms: float | None
    withheld: dict[str, int] = Field(description="What was taken out before it left, by kind")
    created_at: datetime
    has_body: bool


class ModelBody(BaseModel):
    """What was said in one call, as it left: secrets are out."""

    role: str
    provider: str
    model: str
    outcome: str
    messages: list[dict[str, str]]
    answer: str
    finish_reason: str


class CostRow(BaseModel):
    """What was spent on one role, model, repository, pull request or day."""

    about: str
    calls: int
    failed: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_microusd: int
    unpriced: int = Field(description="Calls whose price nobody knows; they are not in the sum")
    p50_ms: float | None
    p95_ms: float | None
    first_token_p50_ms: float | None


class BudgetState(BaseModel):
    """One budget now."""

    scope: str
    period: str
    subject: UUID
    name: str
    limit_microusd: int
    settled_microusd: int
    reserved_microusd: int
    gone_at: datetime | None = Field(description="When it is spent at the present pace")


class HeadVerdict(BaseModel):
    """What is known of one commit. `conclusion` is what the check says, null while it is RUNNING."""

    repository: str
    sha: str
    verdict: str = Field(description="REVIEWED, PARTIAL, SKIPPED, FAILED, SUPERSEDED, or RUNNING")
    title: str
    conclusion: str | None = Field(
        None, description="success, neutral, failure, cancelled or action_required"
    )
    confidence: int | None = Field(None, description="0 (do not merge) to 5; null where nothing was judged")
    reasons: list[str] = []
    findings: int = 0
    review_id: UUID | None = None
    posted: bool = Field(False, description="Whether the code host shows it")
