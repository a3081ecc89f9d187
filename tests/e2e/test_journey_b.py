"""A connected repository becomes searchable, and a push indexes only what is new."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from panlect.index import snapshots
from panlect.index.snapshot import Snapshot
from panlect.index.store import PostgresStore
from tests.e2e.conftest import SHOP, CountingEmbedder, connect, finished

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


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
        assert snapshot.paths() == tuple(sorted(SHOP))
        assert [site.path for site in snapshot.definitions_named("refund_payment")] == ["shop/refund.py"]
    with psycopg.connect(administrator_url) as connection:
        rows = connection.execute("select state, count(*) from panlect.snapshot group by state").fetchall()
    assert rows == [("active", 1)]


class _NoBlobs:
    def read_blobs(self, shas: Any) -> Any:
        return iter(())
