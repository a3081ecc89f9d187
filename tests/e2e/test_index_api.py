"""The index over the API, as a platform team uses it: start, watch, cancel, ask for files and names."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import SHOP, connect, finished

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


async def one(panlect: Any, route: str, /, **params: object) -> Any:
    answer = await panlect.client.get(f"/api/v1/{route}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_index_says_how_far_it_is_and_by_which_model(shop: str, forge: Any, indexing: Any) -> None:
    async with indexing.worker():
        await connect(indexing, forge, shop)
        await finished(indexing, 1)
    (found,) = await one(indexing, "indexes")
    assert (found["files"], found["chunks"], found["embedded"]) == (3, 3, 3)
    assert (found["embedding_model"], found["run_status"]) == ("hashing-384", "done")
    page = await indexing.client.get("/repos", headers={"accept": "text/html"})
    assert "hashing-384" in page.text


async def test_a_branch_is_indexed_beside_the_default_one(
    shop: str, plant: Any, forge: Any, indexing: Any, administrator_url: str
) -> None:
    async with indexing.worker():
        connected = await connect(indexing, forge, shop)
        await finished(indexing, 1)
        main = (await one(indexing, "indexes"))[0]["commit_sha"]
        clone_and_push(forge, "topic")
        asked = {"repository": connected["id"], "ref": "topic"}
        (started,) = (await indexing.client.post("/api/v1/indexes", json=asked)).json()
        await finished(indexing, 2)
    run = await one(indexing, f"runs/{started['run_id']}")
    assert (run["cause"], run["detail"]["unseen"], run["detail"]["embedded"]) == ("api", 1, 1)
    assert (await one(indexing, "indexes"))[0]["commit_sha"] == main
    import psycopg

    with psycopg.connect(administrator_url) as connection:
        rows = connection.execute(
            "select ref, state, overlay_depth from panlect.snapshot order by ref"
        ).fetchall()
    assert rows == [("", "active", 0), ("topic", "ready", 1)]


def clone_and_push(forge: Any, branch: str) -> None:
    import subprocess
    import tempfile

    url = forge.url.replace("http://", "http://developer:sandbox-developer-token@") + "/acme/shop.git"
    with tempfile.TemporaryDirectory() as clone:
        git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-C", clone]
        subprocess.run(["git", "clone", "-q", url, clone], check=True)
        (Path(clone) / "topic.py").write_text("def topic():\n    return 1\n")
        for command in (
            ["switch", "-qc", branch],
            ["add", "."],
            ["commit", "-qm", "t"],
            ["push", "-q", "origin", branch],
        ):
            subprocess.run([*git, *command], check=True, capture_output=True)


async def test_a_waiting_index_can_be_cancelled_and_asked_for_again(
    shop: str, forge: Any, indexing: Any
) -> None:
    connected = await connect(indexing, forge, shop)
    answer = await indexing.client.post(f"/api/v1/runs/{connected['run_id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    again = await indexing.client.post(f"/api/v1/runs/{connected['run_id']}/cancel")
    assert again.status_code == 409
    assert (await indexing.client.post(f"/api/v1/runs/{uuid4()}/cancel")).status_code == 404
    async with indexing.worker():
        await indexing.client.post("/api/v1/indexes", json={"repository": connected["id"]})
        for _ in range(200):
            if (await one(indexing, "indexes"))[0]["run_status"] == "done":
                break
            await asyncio.sleep(0.05)
    assert (await one(indexing, "indexes"))[0]["files"] == 3


async def test_files_and_storage_and_names_are_told(shop: str, forge: Any, indexing: Any) -> None:
    async with indexing.worker():
        connected = await connect(indexing, forge, shop)
        await finished(indexing, 1)
    rows = await one(indexing, f"indexes/{connected['id']}/files")
    assert [(row["path"], row["parser"], row["skipped"]) for row in rows] == [
        ("README.md", "lines", ""),
        ("shop/capture.py", "tree-sitter", ""),
        ("shop/refund.py", "tree-sitter", ""),
    ]
    assert await one(indexing, f"indexes/{connected['id']}/files", skipped=True) == []
    assert (await one(indexing, "index-storage"))["vectors"] == 3
    known = await one(indexing, "who", name="refund_payment")
    assert (known["repositories"], known["counts"]["defines"]) == (1, 1)
    assert known["sites"][0]["repository"] == "acme/shop"


async def test_a_search_is_filtered_and_names_the_repositories_it_asked(
    shop: str, plant: Any, forge: Any, indexing: Any
) -> None:
    plant("acme/other").commit(
        "main", {"web/refund.ts": "export function refundPayment(order) { return 1 }\n"}
    )
    async with indexing.worker():
        first = await connect(indexing, forge, shop)
        second = await connect(indexing, forge, "acme/other")
        await finished(indexing, 2)
    both = await one(indexing, "search", repository=[first["id"], second["id"]], q="refund payment")
    assert {hit["repository"] for hit in both["hits"]} == {"acme/shop", "acme/other"}
    only = await one(indexing, "search", repository=first["id"], q="payment", path="shop/refund.py")
    assert [hit["path"] for hit in only["hits"]] == ["shop/refund.py"]
    wrong = await indexing.client.get(
        "/api/v1/search", params={"repository": first["id"], "q": "x", "kind": "nothing"}
    )
    assert wrong.status_code == 400


async def test_a_search_after_a_push_sees_the_push(
    shop: str, forge: Any, indexing: Any, tmp_path: Path
) -> None:
    from tests.e2e.test_journey_b import push

    async with indexing.worker():
        connected = await connect(indexing, forge, shop)
        await finished(indexing, 1)
        before = await one(indexing, "search", repository=connected["id"], q="void payment")
        push(forge, tmp_path / "clone", {"shop/void.py": "def void_payment(order):\n    return 0\n"})
        await finished(indexing, 2)
        after = await one(indexing, "search", repository=connected["id"], q="void payment")
    assert before["hits"][0]["path"] in SHOP
    assert after["hits"][0]["path"] == "shop/void.py"


async def test_what_is_not_connected_is_said(indexing: Any) -> None:
    answer = await indexing.client.post("/api/v1/indexes", json={"repository": str(uuid4())})
    assert (answer.status_code, answer.json()["error"]) == (400, "This repository is not connected.")
    missing = await indexing.client.get(f"/api/v1/indexes/{uuid4()}/files")
    assert missing.status_code == 400
