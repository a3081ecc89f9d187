"""A connected repository becomes searchable, and a push indexes only what is new."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from panlect.index import snapshots
from panlect.index.embed import HashingEmbedder
from panlect.index.snapshot import Snapshot
from panlect.index.store import PostgresStore
from panlect.search.hosted import HostedSearch

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
FILES = {
    "shop/capture.py": "def capture_payment(order):\n    return order.total\n",
    "shop/refund.py": "def refund_payment(order):\n    return -order.total\n",
    "README.md": "# Shop\n\nTakes money and gives it back.\n",
}


class CountingEmbedder:
    """The hashing embedder as the server sees it, counting what it is asked."""

    def __init__(self) -> None:
        self.texts = 0

    async def __call__(self, texts: list[str], *, spec: Any = None, query: bool = False) -> Any:
        self.texts += len(texts)
        return HashingEmbedder().embed(texts)


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def indexing(panlect: Any, embedder: CountingEmbedder) -> Iterator[Any]:
    """The product with an embedder."""
    settings = panlect.services.settings.model_copy(update={"embed_model": "hashing"})
    search = HostedSearch(panlect.services.db.url, embedder)
    services = replace(panlect.services, settings=settings, search=search, embedder=embedder)
    yield replace(panlect, services=services)
    search.close()


@pytest.fixture
def shop(plant: Any) -> str:
    plant("acme/shop").commit("main", FILES)
    return "acme/shop"


async def connect(panlect: Any, forge: Any, full_name: str) -> dict[str, Any]:
    asked = {
        "base_url": f"{forge.url}/api/v3",
        "full_name": full_name,
        "token": "sandbox-panlect-token",
        "webhook_url": f"{panlect.url}/webhook/github",
    }
    answer = await panlect.client.post("/api/v1/repositories", json=asked)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def finished(panlect: Any, count: int) -> list[dict[str, Any]]:
    """The index runs once `count` of them are done, newest first."""
    for _ in range(400):
        runs: list[dict[str, Any]] = (
            await panlect.client.get("/api/v1/runs", params={"kind": "index"})
        ).json()
        if sum(run["status"] == "done" for run in runs) == count:
            return runs
        assert not [run for run in runs if run["status"] == "failed"], runs
        await asyncio.sleep(0.05)
    raise AssertionError(runs)


async def test_a_connected_repository_is_indexed_with_vectors(
    shop: str, forge: Any, indexing: Any, embedder: CountingEmbedder
) -> None:
    async with indexing.worker():
        connected = await connect(indexing, forge, shop)
        (run,) = await finished(indexing, 1)
    assert (run["detail"]["searchable"], run["detail"]["vectors"]) == (True, 3)
    said = await indexing.services.search.search(
        UUID("00000000-0000-0000-0000-000000000001"), [UUID(connected["id"])], "capture payment", 3
    )
    assert said["mode"] == "lexical+graph+dense"
    assert said["hits"][0]["path"] == "shop/capture.py"
    assert embedder.texts == 3 + 1  # the chunks, and the query


async def test_a_push_analyses_and_embeds_only_what_is_new(
    shop: str, forge: Any, forge_dir: Path, indexing: Any, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    async with indexing.worker():
        await connect(indexing, forge, shop)
        await finished(indexing, 1)
        push(forge, tmp_path / "clone", {"shop/void.py": "def void_payment(order):\n    return 0\n"})
        newest, first = await finished(indexing, 2)
    assert (first["detail"]["unseen"], newest["detail"]["unseen"]) == (3, 1)
    assert (newest["cause"], newest["detail"]["embedded"]) == ("push", 1)
    assert embedder.texts == 4


def push(forge: Any, clone: Path, files: dict[str, str]) -> None:
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-C", str(clone)]
    url = forge.url.replace("http://", "http://developer:sandbox-developer-token@") + "/acme/shop.git"
    subprocess.run(["git", "clone", "-q", url, str(clone)], check=True)
    for path, text in files.items():
        (clone / path).write_text(text)
    for command in (["add", "."], ["commit", "-qm", "more"], ["push", "-q", "origin", "main"]):
        subprocess.run([*git, *command], check=True, capture_output=True)


async def test_a_snapshot_from_postgres_is_the_snapshot_from_git(
    shop: str, forge: Any, indexing: Any, database_url: str, administrator_url: str
) -> None:
    async with indexing.worker():
        connected = await connect(indexing, forge, shop)
        await finished(indexing, 1)
    organisation = UUID("00000000-0000-0000-0000-000000000001")
    with PostgresStore(database_url, organisation) as store:
        active = snapshots.active(store, UUID(connected["id"]))
        assert active is not None
        snapshot = Snapshot(active.commit_sha, snapshots.entries(store, active.id), store, _NoBlobs())
        assert snapshot.paths() == tuple(sorted(FILES))
        assert [site.path for site in snapshot.definitions_named("refund_payment")] == ["shop/refund.py"]
    with psycopg.connect(administrator_url) as connection:
        rows = connection.execute("select state, count(*) from panlect.snapshot group by state").fetchall()
    assert rows == [("active", 1)]


class _NoBlobs:
    def read_blobs(self, shas: Any) -> Any:
        return iter(())
