"""An index in the worker itself: it says how far it is, and stops when nobody wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from jobs import handlers
from panlect.code.packed import crashed
from panlect.errors import ConfigurationError
from panlect.index import runs
from panlect.index.commit import Active, Analysed, Plan
from panlect.index.models import HASHING, ModelSpec
from panlect.index.runs import IndexSubject
from panlect.ledger.runs import RunCancelledError

pytestmark = pytest.mark.anyio
SUBJECT = IndexSubject(
    UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4), "acme/shop", "", "main", "a" * 40, {}, UUID(int=5)
)
KEYS = tuple(("python", f"{number:040x}") for number in range(5))
PLAN = Plan("a" * 40, (), KEYS)


class Here:
    """An indexer whose git, store and run are scripted: every row is noted, none is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.noted: list[dict[str, Any]] = []
        self.read: list[str] = []
        self.activated = 0
        self.overtaken = False
        self.cancelled_after = 99
        self.served: tuple[ModelSpec, ...] = ()
        monkeypatch.setattr(runs, "_NOTED_EVERY_S", 0.0)
        for module in (runs, handlers):
            monkeypatch.setattr(module, "note_progress", self.note_progress)
        monkeypatch.setattr(runs, "is_overtaken", self.is_overtaken)
        monkeypatch.setattr(handlers, "analysed", self.analysed)
        monkeypatch.setattr(handlers, "keep", lambda _, rows: len(list(rows)))
        monkeypatch.setattr(handlers, "activate", self.activate)
        monkeypatch.setattr(handlers, "models_to_fill", lambda _, __, configured: (*self.served, configured))

    async def index(self, embedder: Any = None) -> None:
        settings = SimpleNamespace(
            embed_model="hashing", embed_dimension=0, embed_query_prompt="", embed_document_prompt=""
        )
        services: Any = SimpleNamespace(db=None, embedder=embedder, settings=settings)
        nothing: Any = None
        await handlers._index_here(services, SUBJECT, nothing, PLAN, nothing)

    async def note_progress(self, _: object, __: object, progress: dict[str, Any]) -> None:
        if len(self.read) >= self.cancelled_after:
            raise RunCancelledError("It was ended.")
        self.noted.append(progress)

    async def is_overtaken(self, *_: object) -> bool:
        return self.overtaken

    def analysed(self, _: object, keys: Any, run: Any) -> Iterator[Analysed]:
        for key in keys:
            self.read.append(key[1])
            run.ms[key] = 1.0
            yield Analysed(key, crashed(key[0], "x"), (), 1.0)

    def activate(self, *_: object, **__: object) -> Active:
        self.activated += 1
        made: Any = SimpleNamespace(id=UUID(int=6))
        return Active(made, 5, 4)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(monkeypatch)


async def test_progress_and_time_left_are_noted_while_it_analyses(here: Here) -> None:
    await here.index()
    along = [one for one in here.noted if one.get("stage") == "analysing"]
    assert [(one["analysed"], one["total"]) for one in along] == [(number, 5) for number in range(1, 6)]
    assert along[-1]["left_s"] == 0
    assert here.noted[-1]["stage"] == "done"
    assert here.activated == 1


async def test_a_cancelled_run_stops_analysing(here: Here) -> None:
    here.cancelled_after = 2
    with pytest.raises(RunCancelledError):
        await here.index()
    assert (len(here.read), here.activated) == (2, 0)


async def test_a_run_that_was_overtaken_meanwhile_activates_nothing(here: Here) -> None:
    here.overtaken = True
    await here.index()
    assert here.activated == 0
    assert here.noted[-1] == {"skipped": "a newer commit is indexed"}


async def test_a_stopped_worker_leaves_no_thread_behind(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def endless(_: object, keys: Any, run: Any) -> Iterator[Analysed]:
        try:
            while True:
                loop.call_soon_threadsafe(begun.set)
                yield Analysed(keys[0], crashed("python", "x"), (), 1.0)
        finally:
            ended.append(True)

    monkeypatch.setattr(handlers, "analysed", endless)
    working = asyncio.create_task(here.index())
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert (ended, here.activated) == ([True], 0)


async def test_vectors_are_noted_with_the_time_that_is_left(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill(*given: Any) -> int:
        for vectors in (2, 3, 4):
            await given[-1](vectors)
        return 3

    monkeypatch.setattr(handlers, "unembedded", lambda *_: [(b"x", "text")] * 3)
    monkeypatch.setattr(handlers, "fill_vectors", fill)
    await here.index(embedder=fill)
    along = [one for one in here.noted if one.get("stage") == "embedding"]
    assert [(one["vectors"], one["done"], one["total"]) for one in along] == [(2, 2, 4), (3, 3, 4), (4, 4, 4)]
    assert all(one["per_s"] > 0 for one in along)


async def test_the_searched_model_is_filled_before_the_configured_one(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled: list[ModelSpec] = []

    async def fill(*given: Any) -> int:
        filled.append(given[3])
        return 4

    monkeypatch.setattr(handlers, "unembedded", lambda *_: [])
    monkeypatch.setattr(handlers, "fill_vectors", fill)
    here.served = (ModelSpec(HASHING, 64),)
    await here.index(embedder=fill)
    assert filled == [ModelSpec(HASHING, 64), ModelSpec(HASHING)]
    assert {"vectors": 4, "embedded": 8} in here.noted


async def test_a_searched_model_that_is_gone_is_noted_and_no_failure(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill(*given: Any) -> int:
        if given[3].dimension == 64:
            raise ConfigurationError("It is not on this machine.")
        return 4

    monkeypatch.setattr(handlers, "unembedded", lambda *_: [])
    monkeypatch.setattr(handlers, "fill_vectors", fill)
    here.served = (ModelSpec(HASHING, 64),)
    await here.index(embedder=fill)
    assert {"not_embedded": {HASHING: "It is not on this machine."}} in here.noted
    assert {"vectors": 4, "embedded": 4} in here.noted
