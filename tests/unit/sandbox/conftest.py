"""The sandbox forge on a port of its own, with the samples planted, and somebody who listens to its webhooks."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
import uvicorn

from cluster.sandbox.app import create_app
from cluster.sandbox.samples import DEVELOPER, plant
from cluster.sandbox.store import Store


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forge's directory with every sample: copied, never written to."""
    directory = tmp_path_factory.mktemp("forge")
    store = Store(directory)
    plant(store)
    store.close()
    return directory


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running forge: where it keeps things, where it answers, and a client signed in as a developer."""

    directory: Path
    url: str
    api: httpx2.Client

    def open(self, full_name: str, head: str, base: str = "main") -> dict[str, object]:
        asked = {"title": f"Merge {head}", "base": base, "head": head}
        answer = self.api.post(f"/repos/{full_name}/pulls", json=asked)
        assert answer.status_code == 201, answer.text
        found: dict[str, object] = answer.json()
        return found


@pytest.fixture
def sandbox(planted: Path, tmp_path: Path) -> Iterator[Sandbox]:
    directory = tmp_path / "forge"
    shutil.copytree(planted, directory)
    app = create_app(directory, "http://127.0.0.1:1")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        app.state.forge.url = url
        headers = {"authorization": f"Bearer {DEVELOPER[1]}"}
        with httpx2.Client(base_url=f"{url}/api/v3", headers=headers, timeout=30, trust_env=False) as client:
            yield Sandbox(directory, url, client)
    finally:
        server.should_exit = True
        thread.join()


@dataclass(slots=True)
class Listener:
    """Receives webhooks and answers 202; what came is kept."""

    url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def wait_for(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        for _ in range(1000):
            if len(self.received) >= count:
                return self.received
            time.sleep(0.01)
        raise AssertionError(f"{len(self.received)} of {count} webhooks arrived")


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Listener(f"http://127.0.0.1:{server.server_address[1]}/webhook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()
