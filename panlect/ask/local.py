"""Questions in the terminal: local repositories, whichever models are configured, or none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from panlect.ask.agent import Asking, Done, Event, Failed, Step
from panlect.ask.corpus import LocalCorpus
from panlect.ask.readers import GitReader
from panlect.ask.report import answer_json
from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.errors import PanlectError
from panlect.git.repository import open_repository
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.llm.chat import Caller, Models
from panlect.settings import load

Progress = Callable[[str, int, int], None]


def ask_local(
    repos: Sequence[Path],
    rev: str,
    question: str,
    k: int,
    models: Models,
    *,
    hear: Callable[[Event], None],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The JSON of `panlect ask`; `hear` is told every event as it comes.

    Raises BadInputError for a repository, revision or question that cannot be, PanlectError when no answer came.
    """
    settings = load()
    with BlobCache(settings.cache_dir, max_bytes=settings.cache_max_bytes) as cache:
        readers = _readers(repos, rev, cache, progress)
        asking = Asking(LocalCorpus(readers), models, Caller(DEFAULT_ORGANISATION), k=k)
        return asyncio.run(_heard(asking, question, hear))


async def _heard(asking: Asking, question: str, hear: Callable[[Event], None]) -> dict[str, Any]:
    began = time.perf_counter()
    steps: list[Step] = []
    done: Done | None = None
    async with aclosing(asking.models), aclosing(asking.events(question)) as events:
        async for event in events:
            hear(event)
            if isinstance(event, Step):
                steps.append(event)
            elif isinstance(event, Failed):
                raise PanlectError("The question was not answered.", why=event.reason)
            elif isinstance(event, Done):
                done = event
    assert done is not None
    return answer_json(question, done, steps, (time.perf_counter() - began) * 1000)


def _readers(repos: Sequence[Path], rev: str, cache: BlobCache, progress: Progress | None) -> list[GitReader]:
    """One for each repository, by its folder's name; by its whole path where two are named alike."""
    found: dict[str, GitReader] = {}
    for path in repos:
        repository = open_repository(path)
        short = path.resolve().name.removesuffix(".git")
        name = str(path.resolve()) if short in found else short
        told = None if progress is None else _named(progress, name)
        snapshot = build_snapshot(repository, repository.resolve(rev), cache, progress=told)
        found[name] = GitReader(name, snapshot, repository)
    return list(found.values())


def _named(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(f"analysing {name}", done, total)
