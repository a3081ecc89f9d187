"""The product without Ray: sandbox forge, web application and worker, over real HTTP, git and Postgres."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from cluster.sandbox import repositories as repos
from cluster.sandbox.store import Store
from jobs.handlers import handlers
from jobs.worker import WorkerOptions, run_worker
from panlect import wiring
from panlect.accounts.keys import issue, new_token
from panlect.db.pool import DEFAULT_ORGANISATION
from panlect.index.embed import HashingEmbedder
from panlect.llm.chat import Models
from panlect.search.hosted import HostedSearch
from panlect.settings import load
from serve.app import edge

ROOT = Path(__file__).resolve().parents[2]
FAST = WorkerOptions(concurrency=4, lease_s=1.5, sweep_s=0.1, grace_s=5.0)
DEVELOPER, REVIEWER = "sandbox-developer-token", "sandbox-panlect-token"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Files:
    """A repository built commit by commit with plumbing: no work tree, the same ids every time."""

    def __init__(self, git_dir: Path) -> None:
        git_dir.parent.mkdir(parents=True, exist_ok=True)
        self.repository = repos.create_bare(git_dir, "main")

    def commit(self, branch: str, files: dict[str, str | None], parent: str = "") -> None:
        lines = [f"commit refs/heads/{branch}\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nm\n"]
        if parent:
            lines.append(f"from refs/heads/{parent}\n")
        for path, text in files.items():
            if text is None:
                lines.append(f"D {path}\n")
            else:
                lines.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
        self.repository.run("fast-import", "--quiet", stdin="".join(lines).encode())


@dataclass(frozen=True, slots=True)
class Forge:
    """The sandbox forge as a process of its own."""

    url: str
    client: httpx2.Client

    def open(self, full_name: str, head: str, base: str = "main") -> int:
        asked = {"title": f"Merge {head}", "base": base, "head": head}
        answer = self.client.post(f"/repos/{full_name}/pulls", json=asked)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["number"])

    def reviews(self, full_name: str, number: int) -> list[dict[str, object]]:
        rows = self.client.get(f"/repos/{full_name}/pulls/{number}/reviews").json()
        return [row for row in rows if isinstance(row, dict)]

    def comments(self, full_name: str, number: int) -> list[dict[str, object]]:
        rows = self.client.get(f"/repos/{full_name}/pulls/{number}/comments").json()
        return [row for row in rows if isinstance(row, dict)]

    def checks(self, full_name: str, number: int) -> list[dict[str, object]]:
        sha = self.client.get(f"/repos/{full_name}/pulls/{number}").json()["head"]["sha"]
        rows = self.client.get(f"/repos/{full_name}/commits/{sha}/check-runs").json()["check_runs"]
        return [row for row in rows if isinstance(row, dict)]


@pytest.fixture
def forge_dir(tmp_path: Path) -> Path:
    """Where the forge lives; tests plant repositories before they start it."""
    store = Store(tmp_path / "forge")
    store.add_account("developer", DEVELOPER)
    store.add_account("panlect", REVIEWER)
    store.close()
    return tmp_path / "forge"


@pytest.fixture
def plant(forge_dir: Path) -> Callable[[str], Files]:
    """Makes empty repositories on the forge."""

    def planted(full_name: str) -> Files:
        store = Store(forge_dir)
        files = Files(store.git_dir(full_name))
        store.add_repository(full_name, "main")
        store.close()
        return files

    return planted


@pytest.fixture
def forge(forge_dir: Path) -> Iterator[Forge]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster.sandbox", "--directory", str(forge_dir), "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        headers = {"authorization": f"Bearer {DEVELOPER}"}
        with httpx2.Client(base_url=f"{url}/api/v3", headers=headers, timeout=30, trust_env=False) as client:
            yield Forge(url, client)
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            httpx2.get(url, trust_env=False)
        except httpx2.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} does not answer")


@dataclass(frozen=True, slots=True)
class Panlect:
    """The web application on a port, and what it was built with."""

    url: str
    token: str
    services: wiring.Services
    client: httpx2.AsyncClient
    app: FastAPI

    def played_by(self, models: Models) -> None:
        """From now on the web application asks these."""
        self.app.state.services = replace(self.app.state.services, models=models)

    async def connect(self, forge: Forge, full_name: str) -> dict[str, object]:
        asked = {
            "base_url": f"{forge.url}/api/v3",
            "full_name": full_name,
            "token": REVIEWER,
            "webhook_url": f"{self.url}/webhook/github",
            "index": False,
        }
        answer = await self.client.post("/api/v1/repositories", json=asked)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    async def review_of(self, full_name: str, number: int, seconds: float = 30.0) -> dict[str, object]:
        """The review of a pull request once it is posted or will not be."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            params = {"repository": full_name, "number": number}
            rows = (await self.client.get("/api/v1/reviews", params=params)).json()
            settled = [row for row in rows if row["state"] != "stored"]
            if settled:
                found = (await self.client.get(f"/api/v1/reviews/{settled[0]['id']}")).json()
                assert isinstance(found, dict)
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"no review of {full_name}#{number} within {seconds:.0f} s")

    @asynccontextmanager
    async def worker(self, options: WorkerOptions = FAST) -> AsyncIterator[None]:
        stop = asyncio.Event()
        running = asyncio.create_task(run_worker(self.services.db, handlers(self.services), options, stop))
        try:
            yield
        finally:
            stop.set()
            await running


@pytest.fixture
async def panlect(
    database_url: str, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[Panlect]:
    port = free_port()
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PANLECT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PANLECT_EGRESS_ALLOW", f'["{forge.url.removeprefix("http://")}"]')
    monkeypatch.setenv("PANLECT_PUBLIC_URL", f"http://127.0.0.1:{port}")
    services = wiring.build(load())
    token = new_token()
    await issue(services.db, DEFAULT_ORGANISATION, "test", ("admin",), token)
    app = edge(services)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False
    ) as client:
        yield Panlect(f"http://127.0.0.1:{port}", token, services, client, app)
    server.should_exit = True
    await serving
    await services.close()


# A repository to index

SHOP = {
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

    async def with_key(self, texts: list[str], *, spec: Any = None, query: bool = False) -> Any:
        return await self(texts, spec=spec, query=query), self.key

    key = "hashing-384"


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
    plant("acme/shop").commit("main", SHOP)
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
