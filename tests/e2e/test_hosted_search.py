"""Search on the server when things are not as they should be: no embedder, other weights, a client that left."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest

from panlect.errors import EmbeddingError
from tests.e2e.conftest import connect, finished

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
ORGANISATION = UUID("00000000-0000-0000-0000-000000000001")


@pytest.fixture
async def repository(shop: str, forge: Any, indexing: Any, anyio_backend: str) -> UUID:
    async with indexing.worker():
        connected = await connect(indexing, forge, shop)
        await finished(indexing, 1)
    return UUID(connected["id"])


async def asked(indexing: Any, repository: UUID) -> dict[str, Any]:
    found: dict[str, Any] = await indexing.services.search.search(
        ORGANISATION, [repository], "capture payment", 3
    )
    return found


async def test_an_embedder_that_is_away_costs_the_vectors_and_not_the_answer(
    indexing: Any, repository: UUID, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await asked(indexing, repository))["mode"] == "lexical+graph+dense"

    async def away(*_: object, **__: object) -> None:
        raise EmbeddingError("The embedding server is away.")

    monkeypatch.setattr(type(embedder), "with_key", away)
    said = await asked(indexing, repository)
    assert (said["mode"], said["hits"][0]["path"]) == ("lexical+graph", "shop/capture.py")


async def test_vectors_of_other_weights_are_not_compared(
    indexing: Any, repository: UUID, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(embedder), "key", "hashing-384 with other weights")
    assert (await asked(indexing, repository))["mode"] == "lexical+graph"


async def test_a_client_that_leaves_does_not_let_a_second_one_in_beside_its_thread(
    indexing: Any, repository: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from panlect.search import hosted

    inside, most, go_on = 0, 0, threading.Event()
    answer = hosted.answer

    def slow(*given: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        go_on.wait(10)
        inside -= 1
        return answer(*given)

    monkeypatch.setattr(hosted, "answer", slow)
    first = asyncio.create_task(asked(indexing, repository))
    await asyncio.sleep(0.3)
    first.cancel()
    second = asyncio.create_task(asked(indexing, repository))
    await asyncio.sleep(0.3)
    go_on.set()
    await second
    assert most == 1
