"""Summaries in the terminal: a local repository, the models of its user or none, and what it would cost first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.errors import BadInputError
from panlect.git.repository import open_repository
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.snapshot import Snapshot
from panlect.index.summaries import EXTRACTIVE, SummaryCache
from panlect.llm.chat import Caller, Models
from panlect.settings import load
from panlect.summaries.plan import Estimate, Plan, estimate, missing, plan
from panlect.summaries.run import ROLE, Made, ask_models, summarize

SCHEMA_VERSION = 1
NO_MODEL = "none (extractive)"
Progress = Callable[[str, int, int], None]
Confirm = Callable[[str, Estimate], bool]


def summarize_local(
    repo: Path,
    rev: str = "HEAD",
    below: str = "",
    *,
    models: Models,
    confirm: Confirm = lambda _, __: True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The JSON of `panlect summarize`: the summaries of a revision, or of its directory `below`.

    `confirm` is asked before a model is. Raises BadInputError for a revision or directory that is not there, and
    when the answer is no.
    """
    repository = open_repository(repo)
    commit = repository.resolve(rev)
    settings = load()
    with (
        BlobCache(settings.cache_dir, max_bytes=settings.cache_max_bytes) as blobs,
        SummaryCache(settings.cache_dir) as kept,
    ):
        said = None if progress is None else lambda done, total: progress("analysing", done, total)
        snapshot = build_snapshot(repository, commit, blobs, progress=said)
        _check(snapshot, below)
        return asyncio.run(_summarized(snapshot, below, kept, models, confirm, progress))


async def _summarized(
    snapshot: Snapshot,
    below: str,
    kept: SummaryCache,
    models: Models,
    confirm: Confirm,
    progress: Progress | None,
) -> dict[str, Any]:
    name = await models.named(ROLE, DEFAULT_ORGANISATION)
    asks = name != "none"
    planned = plan(snapshot, name if asks else EXTRACTIVE, below)
    guessed = Estimate(0, 0, 0, 0)
    if asks:
        todo = missing(planned, kept.known([node.key for node in planned.nodes]))
        guessed = await estimate(todo, models, ROLE, DEFAULT_ORGANISATION)
        if guessed.calls and guessed.cost_microusd != 0 and not confirm(name, guessed):
            raise BadInputError("Nothing was asked.", fix="Say yes, or add --yes.")

    async def noted(done: int, total: int) -> None:
        if progress is not None:
            progress("summarising", done, total)

    ask = ask_models(models, Caller(DEFAULT_ORGANISATION)) if asks else None
    made = await summarize(planned, snapshot, kept, ask, noted)
    return _as_json(snapshot, planned, guessed, made, name if asks else NO_MODEL)


def _check(snapshot: Snapshot, below: str) -> None:
    root = below.strip("/")
    if root and not any(path.startswith(f"{root}/") for path in snapshot.paths()):
        raise BadInputError(f"There is no directory {below!r} in this revision.", fix="Name one as git does.")


def _as_json(snapshot: Snapshot, planned: Plan, guessed: Estimate, made: Made, model: str) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "mode": "extractive" if model == NO_MODEL else "model",
        "commit": snapshot.commit,
        "model": model,
        "estimate": asdict(guessed),
        **made.counts(),
        "left_out": dict(planned.left_out),
        "summaries": [
            {
                "path": path,
                "kind": one.kind,
                "text": one.text,
                "model": one.model,
                "extractive": one.extractive,
            }
            for path, one in sorted(made.summaries.items(), key=lambda pair: pair[0].split("/"))
        ],
    }
