"""What the API takes and answers, checked at the edge."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


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
