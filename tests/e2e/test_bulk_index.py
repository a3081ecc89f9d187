"""Bulk indexing on a real Ray cluster of two nodes: who holds what, killed and resumed, cancelled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from jobs.schedule import tick

pytestmark = [pytest.mark.anyio, pytest.mark.ray, pytest.mark.timeout(240)]
ROOT = Path(__file__).resolve().parents[2]
FILES = {
    f"shop/part{number}.py": f"def part_{number}(order):\n    return order.total + {number}\n"
    for number in range(200)
}
RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),
    "PANLECT_LOG_JSON": "false",
}
PROBE = """
import json, os, ray
from pathlib import Path
ray.init(address="auto", log_to_driver=False, configure_logging=False)
@ray.remote
def look():
    mirrors = Path(os.environ["PANLECT_DATA_DIR"]) / "mirrors"
    return {"mirrors": sorted(p.name for p in mirrors.glob("*.git")), "database": "DATABASE_URL" in os.environ}
head = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
print(json.dumps([ray.get(look.options(num_cpus=0.1, label_selector=head).remote()),
                  ray.get(look.options(num_cpus=0, num_gpus=1).remote())]))
"""


@pytest.fixture
def cluster(panlect: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a cluster whose first node has the environment of `panlect`, and whose second has none."""
    nodes = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/e2e/two_nodes.py"), str(tmp_path / "cpu"), str(tmp_path / "gpu")],
        # A node with a data directory of its own gets the keys from its environment, as in production.
        env={
            **os.environ,
            **RAY,
            "PANLECT_SECRET_KEY_FILE": str(tmp_path / "data/secret.key"),
            "RAY_TMPDIR": f"/tmp/panlect-{os.getpid()}",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert nodes.stdout is not None
    assert nodes.stdin is not None
    try:
        yield nodes.stdout.readline().strip()
    finally:
        nodes.stdin.close()
        nodes.wait(60)
        nodes.stdout.close()


async def ran(cluster: str, *command: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of a program on the cluster, while the web application goes on serving."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={**os.environ, **RAY, "RAY_ADDRESS": cluster, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(100):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


def index(cluster: str, **environment: str) -> Any:
    return ran(cluster, "-m", "jobs.index_repo", "--repo", "acme/shop", **environment)


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"select count(*) from panlect.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


async def settled(url: str, table: str) -> int:
    """How many rows there are once nobody adds any."""
    before = -1
    while before != (now := await asyncio.to_thread(count, url, table)):
        before = now
        await asyncio.sleep(2)
    return now


async def swept(panlect: Any) -> None:
    """What every worker does every few seconds: the dead job's lease is over, and its repository free again."""
    await tick(panlect.services.db, crash_limit=9, lease_s=1.0)


async def newest(panlect: Any) -> dict[str, Any]:
    runs = (await panlect.client.get("/api/v1/runs", params={"kind": "index"})).json()
    found: dict[str, Any] = runs[0]
    return found


async def test_blobs_are_read_on_nodes_with_a_mirror_and_embedded_where_no_credential_is(
    plant: Any, forge: Any, panlect: Any, cluster: str, administrator_url: str
) -> None:
    plant("acme/shop").commit("main", FILES)
    await panlect.connect(forge, "acme/shop")
    code, out = await index(cluster)
    assert code == 0, out
    assert "acme/shop: done 200 chunks, 200 vectors" in out
    said = (await newest(panlect))["detail"]
    assert {key: said[key] for key in ("files", "unseen", "analysed", "chunks", "embedded", "stage")} == {
        "files": 200, "unseen": 200, "analysed": 200, "chunks": 200, "embedded": 200, "stage": "done",
    }  # fmt: skip
    code, out = await ran(cluster, "-c", PROBE)
    cpu, gpu = json.loads(out.splitlines()[-1])
    assert (len(cpu["mirrors"]), cpu["database"]) == (1, True)
    assert gpu == {"mirrors": [], "database": False}
    files = (await panlect.client.get(f"/api/v1/indexes/{(await indexes(panlect))['id']}/files")).json()
    assert {(one["parser"], one["chunker"], one["skipped"]) for one in files} == {
        ("tree-sitter", "syntax", "")
    }
    assert all(one["ms"] > 0 for one in files)
    await summaries_in_bulk(panlect, cluster)


async def summaries_in_bulk(panlect: Any, cluster: str) -> None:
    """Through Ray Data as many questions are open as asked for, never more; the job describes what is indexed."""
    code, out = await ran(cluster, str(ROOT / "tests/e2e/summarize_in_bulk.py"))
    assert code == 0, out
    # 60 files, then their directory by what was said of them, then the repository; the second time nothing.
    assert json.loads(out.splitlines()[-1]) == {"most": 20, "calls": [62, 0], "parts": 61}
    code, out = await ran(cluster, "-m", "jobs.summarize", "--repo", "acme/shop")
    assert code == 0, out
    assert "acme/shop: done 202 summaries by extractive, 202 made, 0 calls" in out


async def indexes(panlect: Any) -> dict[str, Any]:
    (found,) = (await panlect.client.get("/api/v1/indexes")).json()
    assert isinstance(found, dict)
    return found


async def test_a_killed_index_parses_and_embeds_nothing_twice(
    plant: Any, forge: Any, panlect: Any, cluster: str, administrator_url: str
) -> None:
    plant("acme/shop").commit("main", FILES)
    await panlect.connect(forge, "acme/shop")
    hashing = {"PANLECT_EMBED_MODEL": "hashing", "PANLECT_LEASE_S": "1"}

    code, out = await index(cluster, PANLECT_FAULTS="index.after_analysed:kill:1", **hashing)
    assert code == -signal.SIGKILL, out
    parsed = await settled(administrator_url, "blob_analysis")
    await swept(panlect)
    assert parsed > 0

    code, out = await index(cluster, PANLECT_FAULTS="index.after_embedded:kill:1", **hashing)
    assert code == -signal.SIGKILL, out
    second = (await newest(panlect))["detail"]
    assert second["unseen"] == len(FILES) - parsed
    embedded = await settled(administrator_url, "chunk_embedding")
    await swept(panlect)
    assert embedded > 0

    code, out = await index(cluster, **hashing)
    assert code == 0, out
    third = (await newest(panlect))["detail"]
    assert (third["unseen"], third["embedded"]) == (0, len(FILES) - embedded)
    assert await settled(administrator_url, "blob_analysis") == len(FILES)
    assert await settled(administrator_url, "chunk_embedding") == len(FILES)
