"""What the gateway adds to a call of a model: reserve, settle and record, over HTTP against an instant stub.

    python -m bench.gateway [--seconds 8] [--through-serve] [--json FILE]

The stub, the gateway under uvicorn (with an embedded Postgres that writes to disk) and the client are processes of
their own. Overhead is the difference between calls through the gateway and calls of the stub itself, in turns in
the same run. Then a budget that many callers race for, and what a failover adds. `--through-serve` also measures
through Ray Serve.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from bench.report import begin, circumstances, write_result
from bench.scratch import free_port, peak_mb, percentile, scratch_postgres
from bench.served import add_repository
from panlect.accounts.keys import issue, new_token
from panlect.db.migrate import migrate
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database

REACH = {"overhead_ms_p50": 8, "requests_per_s": 120, "failover_ms": 50, "over_budget": 0}
_PROMPT = "def reserve(order, items):\n    return sum(item.price for item in items)\n" * 110  # about 8 kB
_CLIENTS = 16
_CALLERS = 64
_MODELS = """
[providers.stub]
kind = "compatible"
url = "http://127.0.0.1:{stub}/v1"
[providers.dead]
kind = "compatible"
url = "http://127.0.0.1:{stub}/v1"
[models."stub/ok"]
input_usd = 1.0
output_usd = 1.0
[roles]
review = ["stub/ok"]
verify = ["dead/500", "stub/ok"]
[[budgets]]
scope = "organisation"
period = "month"
limit_usd = {budget}
[[budgets]]
scope = "repository"
period = "total"
limit_usd = 0.05
"""


def main() -> None:
    """Measure, write the result, print the figures last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each throughput is measured")
    parser.add_argument("--through-serve", action="store_true", help="measure through Ray Serve too")
    parser.add_argument("--json", type=Path, help="where the result goes")
    parser.add_argument("--serve", metavar="PORT", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        _serve(given.serve)
        return
    start = begin()
    with scratch_postgres() as (server, directory):
        figures = asyncio.run(
            _measured(server.url, directory, given.seconds, through_serve=given.through_serve)
        )
    result = {"prompt_bytes": len(_PROMPT), "reach": REACH, **figures, **circumstances(start)}
    write_result(given.json, result)
    print(json.dumps(figures, indent=1))


def _serve(port: int) -> None:
    """The gateway in this process."""
    import uvicorn

    from panlect import wiring
    from panlect.settings import load
    from serve.app import gateway

    uvicorn.run(
        gateway(wiring.build(load(), is_gateway=True)), host="127.0.0.1", port=port, log_level="warning"
    )


async def _measured(url: str, directory: Path, seconds: float, *, through_serve: bool) -> dict[str, Any]:
    migrate(url)
    token = new_token()
    async with Database(url) as db:
        await issue(db, ORG, "bench", ("write",), token)
    stub, port = free_port(), free_port()
    models = directory / "models.toml"
    models.write_text(_MODELS.format(stub=stub, budget=1000))
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "PANLECT_DATA_DIR": str(directory / "data"),
        "PANLECT_MODELS_FILE": str(models),
    }
    stub_command = [sys.executable, "-m", "cluster.sandbox.models", "--port", str(stub)]
    with (
        _process(stub_command, env),
        _process([sys.executable, "-m", "bench.gateway", "--serve", str(port)], env) as served,
    ):
        async with (
            _client(f"http://127.0.0.1:{stub}", "") as bare,
            _client(f"http://127.0.0.1:{port}", token) as ours,
        ):
            await _up(bare, "/v1/models")
            await _up(ours, "/v1/models")
            figures = await _figures(bare, ours, seconds)
            figures["race"] = await _race(ours, url)
            figures["gateway_peak_mb"] = peak_mb(served.pid)
        if through_serve:
            figures["through_serve"] = await _through_serve(env, directory, token, seconds)
    return figures


async def _figures(bare: httpx2.AsyncClient, ours: httpx2.AsyncClient, seconds: float) -> dict[str, Any]:
    for client, model in ((bare, "ok"), (ours, "review")) * 10:
        await _ask(client, model)
    turns: dict[str, list[float]] = {"stub": [], "gateway": [], "stream": []}
    for _ in range(300):
        turns["stub"].append(await _ask(bare, "ok"))
        turns["gateway"].append(await _ask(ours, "review"))
        turns["stream"].append(await _ask(ours, "review", stream=True))
    # The first of its chain answers 500. Its breaker opens at the fifth failure: four calls are a failover each.
    failover = [await _ask(ours, "verify") for _ in range(4)]
    p50 = {name: statistics.median(values) for name, values in turns.items()}
    rates = {
        "stub": await _rate(bare, "ok", seconds),
        "gateway": await _rate(ours, "review", seconds),
        "gateway_streaming": await _rate(ours, "review", seconds, stream=True),
    }
    return {
        "p50_ms": {name: round(value, 2) for name, value in p50.items()},
        "p95_ms": {name: round(percentile(values, 95), 2) for name, values in turns.items()},
        "overhead_ms_p50": round(p50["gateway"] - p50["stub"], 2),
        "failover_ms": round(statistics.median(failover) - p50["gateway"], 2),
        "requests_per_s": {name: round(value) for name, value in rates.items()},
        "clients": _CLIENTS,
    }


async def _race(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """Callers at once for a budget of a repository that holds some of them; what the database says in the end."""
    repository = str(await asyncio.to_thread(add_repository, url, "bench/race"))
    headers = {"x-panlect-repository": repository}
    statuses = await asyncio.gather(*(_status(client, headers) for _ in range(_CALLERS)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select set_config('app.organisation_id', %s, false)", [str(ORG)])
        connection.execute("set role panlect_app")
        row = connection.execute(
            "select settled, reserved from panlect.spend where scope = 'repository' and subject = %s",
            [repository],
        ).fetchone()
    assert row is not None
    return {
        "callers": _CALLERS,
        "answered": statuses.count(200),
        "refused": sum(status in (402, 429) for status in statuses),
        "limit_microusd": 50_000,
        "spent_microusd": row[0],
        "reserved_microusd": row[1],
        "over_budget": int(row[0] > 50_000),
    }


async def _through_serve(env: dict[str, str], directory: Path, token: str, seconds: float) -> dict[str, Any]:
    """The same calls through the laptop profile's proxy and a replica of the gateway."""
    port = free_port()
    own = {
        **env,
        "PANLECT_DATA_DIR": str(directory / "up"),
        "PANLECT_PORT": str(port),
        "PANLECT_DASHBOARD_PORT": str(free_port()),
        "PANLECT_FORGE_PORT": str(free_port()),
    }
    with _process([sys.executable, "-m", "cluster.up", "up"], own, patience_s=60):
        async with _client(f"http://127.0.0.1:{port}/llm", token) as client:
            await _up(client, "/v1/models", tries=1200)
            for _ in range(30):
                await _ask(client, "review")
            times = [await _ask(client, "review") for _ in range(200)]
            rate = await _rate(client, "review", seconds)
    return {"p50_ms": round(statistics.median(times), 2), "requests_per_s": round(rate)}


async def _ask(client: httpx2.AsyncClient, model: str, *, stream: bool = False) -> float:
    """Milliseconds of one call, as its client sees them."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": _PROMPT}],
        "max_tokens": 64,
        "stream": stream,
    }
    began = time.perf_counter()
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert ("[DONE]" in answer.text) == stream, answer.text
    return (time.perf_counter() - began) * 1000


async def _status(client: httpx2.AsyncClient, headers: dict[str, str]) -> int:
    body = {"model": "review", "messages": [{"role": "user", "content": _PROMPT}], "max_tokens": 64}
    return (await client.post("/v1/chat/completions", json=body, headers=headers)).status_code


async def _rate(client: httpx2.AsyncClient, model: str, seconds: float, *, stream: bool = False) -> float:
    """Calls a second with so many clients at once."""
    until, done = time.perf_counter() + seconds, 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await _ask(client, model, stream=stream)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_CLIENTS)))
    return done / (time.perf_counter() - began)


@contextmanager
def _process(
    command: list[str], env: dict[str, str], patience_s: float = 15
) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(patience_s)


@asynccontextmanager
async def _client(base: str, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    limits = httpx2.Limits(max_connections=_CALLERS, max_keepalive_connections=_CALLERS)
    async with httpx2.AsyncClient(
        base_url=base, headers=headers, timeout=60, trust_env=False, limits=limits
    ) as client:
        yield client


async def _up(client: httpx2.AsyncClient, path: str, tries: int = 300) -> None:
    for _ in range(tries):
        try:
            if (await client.get(path)).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{client.base_url}{path} did not answer")


if __name__ == "__main__":
    main()
