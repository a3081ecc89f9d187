"""Behind an index its commit is described: by a model where there is one, and only what a push touched."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from jobs.handlers import studio_of
from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.index import summaries
from panlect.index.store import PostgresStore
from panlect.llm.chat import ChatRequest
from panlect.llm.scripted import ScriptedModels
from panlect.summaries.hosted import queue_summaries
from tests.e2e.conftest import connect, finished
from tests.e2e.test_journey_b import push

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


async def summarised(panlect: Any, count: int) -> list[dict[str, Any]]:
    """The runs of summaries once `count` of them have ended, newest first."""
    for _ in range(400):
        runs: list[dict[str, Any]] = (
            await panlect.client.get("/api/v1/runs", params={"kind": "summarize"})
        ).json()
        ended = [run for run in runs if run["status"] not in ("queued", "running")]
        if len(ended) >= count:
            return runs
        await asyncio.sleep(0.05)
    raise AssertionError(runs)


def with_models(panlect: Any, models: ScriptedModels) -> Any:
    return replace(panlect, services=replace(panlect.services, models=models))


def _about(request: ChatRequest) -> str:
    return f"It is about {request.messages[-1].content.count('<data-')} things, sold by the zebra."


async def test_an_index_is_described_by_the_code_itself_where_there_is_no_model(
    shop: str, forge: Any, panlect: Any
) -> None:
    async with panlect.worker():
        connected = await connect(panlect, forge, shop)
        (run,) = await summarised(panlect, 1)
    assert run["status"] == "done"
    assert (run["detail"]["model"], run["detail"]["calls"], run["detail"]["summaries"]) == (
        "extractive",
        0,
        5,
    )
    answer = await panlect.client.get(f"/api/v1/repositories/{connected['id']}/summaries")
    assert [one["path"] for one in answer.json()] == [
        "",
        "README.md",
        "shop",
        "shop/capture.py",
        "shop/refund.py",
    ]
    assert all(one["extractive"] for one in answer.json())
    page = await panlect.client.get(f"/repos/{connected['id']}")
    assert page.status_code == 200
    assert "Takes money and gives it back." in page.text
    assert "extractive" in page.text
    search = {"repository": connected["id"], "q": "money back"}
    hits = (await panlect.client.get("/api/v1/search", params=search)).json()["hits"]
    assert not [hit for hit in hits if hit["why"].startswith("summary")]


async def test_a_push_asks_for_what_it_touched_and_search_finds_what_a_model_said(
    shop: str, forge: Any, panlect: Any, tmp_path: Path
) -> None:
    models = ScriptedModels(_about)
    async with with_models(panlect, models).worker():
        connected = await connect(panlect, forge, shop)
        (run,) = await summarised(panlect, 1)
        assert (run["detail"]["model"], run["detail"]["calls"]) == ("scripted/script", 5)
        assert run["detail"]["estimate"]["calls"] == 5
        models.asked.clear()
        push(forge, tmp_path / "clone", {"shop/void.py": "def void_payment(order):\n    return 0\n"})
        await finished(panlect, 2)
        newest, _ = await summarised(panlect, 2)
    assert newest["detail"]["calls"] == len(models.asked) == 3  # the file, its directory, the repository
    search = {"repository": connected["id"], "q": "sold by the zebra"}
    hits = (await panlect.client.get("/api/v1/search", params=search)).json()["hits"]
    assert hits
    assert all(hit["why"].startswith("summary") for hit in hits)
    caller = models.callers[-1]
    assert (caller.repository_id, caller.run_id) == (UUID(connected["id"]), UUID(newest["id"]))


async def test_summaries_are_queued_once_for_a_commit_and_older_ones_give_way(
    shop: str, forge: Any, panlect: Any, tmp_path: Path
) -> None:
    services = panlect.services
    studio = studio_of(services)
    async with panlect.worker():
        connected = await connect(panlect, forge, shop)
        await summarised(panlect, 1)
    repository_id = UUID(connected["id"])
    assert await queue_summaries(studio, DEFAULT_ORGANISATION, repository_id) == UUID(
        (await summarised(panlect, 1))[0]["id"]
    )
    again = await panlect.client.post(f"/api/v1/repositories/{connected['id']}/summaries")
    assert again.status_code == 202
    async with panlect.worker():
        push(forge, tmp_path / "clone", {"shop/void.py": "x = 1\n"})
        await finished(panlect, 2)
        runs = await summarised(panlect, 3)
    assert runs[0]["status"] == "done"
    assert {run["status"] for run in runs} <= {"done", "superseded"}
    with PostgresStore(services.db.url, DEFAULT_ORGANISATION) as store:
        placed = summaries.placed(store, repository_id)
    assert {one.commit_sha for one in placed} == {runs[0]["head_sha"]}
