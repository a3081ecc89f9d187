"""The whole on one real Ray cluster: demo end to end; up, killed, up again, stopped, nothing left."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from cluster.sandbox.samples import SAMPLES
from cluster.sandbox.store import Store
from panlect import settings
from panlect.db import embedded

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="panlect-ray-"))
    yield directory
    for place in (directory, directory / "demo"):
        embedded.stop(place, "immediate")
        shutil.rmtree(embedded.postgres_root(place), ignore_errors=True)
    shutil.rmtree(directory)


def start(data_dir: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PANLECT_", "RAY_"))},
        "PANLECT_DATA_DIR": str(data_dir),
        "PANLECT_EMBED_MODEL": "hashing",
        "PYTHONPATH": str(ROOT),
        **more,
    }
    command = [sys.executable, "-m", "cluster.up", *arguments]
    return subprocess.Popen(
        command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ours(data_dir: Path) -> list[str]:
    """Processes that work for this data directory, Postgres left out (it outlives a killed parent on purpose)."""
    found = []
    for process in psutil.process_iter():
        try:
            environment, line = process.environ(), process.cmdline()
        except psutil.Error:
            continue
        if environment.get("PANLECT_DATA_DIR", "").startswith(str(data_dir)) and process.pid != os.getpid():
            found.append(" ".join(line)[:120])
    return found


def wait_for_url(process: subprocess.Popen[str]) -> tuple[str, str]:
    """(address, token) that `up` prints once everything answers."""
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        if line.strip().startswith("web "):
            url = line.split()[1].removesuffix("/reviews")
        if line.strip().startswith("sign-in token"):
            return url, line.split()[-1]
    raise AssertionError(process.stderr.read() if process.stderr else "")


def get(url: str, token: str, path: str) -> Any:
    answer = httpx2.get(url + path, headers={"authorization": f"Bearer {token}"}, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_demo_reviews_every_sample_pull_request_as_planted(data_dir: Path, tmp_path: Path) -> None:
    outcome_file = tmp_path / "out.json"
    process = start(data_dir, "demo", "--json", str(outcome_file))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    outcome = json.loads(outcome_file.read_text())
    expected = expectations(tmp_path)
    assert {(r["repository"], r["pull_request"]) for r in outcome["reviews"]} == set(expected)
    for review in outcome["reviews"]:
        found = [f["check"] for f in review["findings"]]
        assert found == expected[review["repository"], review["pull_request"]], review
        assert review["posted"]
        assert (review["verdict"], review["coverage"]["unread"]) == ("REVIEWED", [])
    assert max(r["coverage"]["hunks"] for r in outcome["reviews"]) == 400
    assert {"Ray", "index (Ray job with Ray Data)", "webhook to posted review"} <= set(outcome["seconds"])
    assert ours(data_dir) == []


def ask_through_the_gateway(url: str, token: str) -> None:
    """The page's process asks the gateway's replica, which asks the provider; the call is on record."""
    headers = {"authorization": f"Bearer {token}"}
    tested = httpx2.post(
        f"{url}/api/v1/models/test", json={"model": "ask"}, headers=headers, timeout=60, trust_env=False
    )
    (one,) = tested.json()
    assert (one["model"], one["ok"]) == ("stub/ok", True), one
    body = {"model": "ask", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    streamed = httpx2.post(
        f"{url}/llm/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False
    )
    assert streamed.text.rstrip().endswith("data: [DONE]")
    asked = httpx2.post(
        f"{url}/api/v1/ask", json={"question": "What is this?", "repositories": "all", "stream": True},
        headers=headers, timeout=60, trust_env=False,
    )  # fmt: skip
    assert "event: done" in asked.text and '"model": "stub/ok"' in asked.text, asked.text
    assert len(get(url, token, "/api/v1/model-calls")) >= 3
    refused = httpx2.post(
        f"{url}/llm/v1/chat/completions",
        json={**body, "model": "review"},
        headers=headers,
        timeout=60,
        trust_env=False,
    )
    assert refused.status_code == 503 and "model: none" in refused.text


def expectations(tmp_path: Path) -> dict[tuple[str, int], list[str]]:
    """(repository, number) -> the checks that must speak, in the order in which the demo opens pull requests."""
    from cluster.sandbox.samples import plant

    assert SAMPLES.is_dir()
    store = Store(tmp_path / "forge")
    expected = {
        (sample.repository, number): [one.check for one in pull.expect]
        for sample in plant(store)
        for number, pull in enumerate(sample.pulls, 1)
    }
    store.close()
    return expected


MODELS = """
[providers.stub]
kind = "compatible"
url = "http://127.0.0.1:{port}/v1"
key = "STUB_KEY"
[roles]
ask = ["stub/ok"]
"""


@pytest.fixture
def stub() -> Iterator[int]:
    """A provider that speaks OpenAI's wire, in a process of its own; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster.sandbox.models", "--port", str(port)],
        env=env,
        stdout=subprocess.DEVNULL,
    )
    yield port
    process.terminate()
    process.wait(10)


def holders(data_dir: Path, secret: str) -> list[str]:
    """Processes of this data directory whose environment, arguments or settings show the secret."""
    found = []
    for process in psutil.process_iter():
        try:
            environment, line = process.environ(), process.cmdline()
        except psutil.Error:
            continue
        if environment.get("PANLECT_DATA_DIR", "").startswith(str(data_dir)) and process.pid != os.getpid():
            shown = [
                *environment.values(),
                *line,
                *(str(row) for row in settings.shown(settings.load(environment))),
            ]
            if any(secret in text for text in shown):
                found.append(" ".join(line)[:120])
    return found


def test_up_cleans_up_after_a_killed_start_finds_its_data_and_leaves_nothing(
    data_dir: Path, stub: int, tmp_path: Path
) -> None:
    models = tmp_path / "models.toml"
    models.write_text(MODELS.format(port=stub))
    secret = "stub-secret-" + secrets.token_hex(8)
    first = start(data_dir / "demo", "up")
    url, token = wait_for_url(first)
    before = {row["id"] for row in get(url, token, "/api/v1/reviews")}
    assert before, "the demo's reviews are there"
    first.kill()
    first.wait()
    second = start(data_dir / "demo", "up", PANLECT_MODELS_FILE=str(models), STUB_KEY=secret)
    url, token = wait_for_url(second)
    assert {row["id"] for row in get(url, token, "/api/v1/reviews")} == before
    repository = get(url, token, "/api/v1/repositories")[0]
    hits = get(url, token, f"/api/v1/search?repository={repository['id']}&q=README&k=3")
    assert hits["mode"] == "lexical+graph+dense"
    ask_through_the_gateway(url, token)
    # Whoever started it typed the key; nothing that it started shows it.
    assert [one for one in holders(data_dir / "demo", secret) if "cluster.up up" not in one] == []
    second.send_signal(signal.SIGTERM)  # as services are stopped; Ray would make it an abort
    assert second.wait(90) == 0
    for stream in (first.stdout, first.stderr, second.stdout, second.stderr):
        assert stream is not None
        stream.close()
    deadline = time.monotonic() + 10
    while ours(data_dir) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ours(data_dir) == []
    assert embedded.running(data_dir / "demo") is None
