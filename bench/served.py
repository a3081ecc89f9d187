"""Search as the API answers it: over HTTP, lexical + dense, one client and four, and from a cold start.

    python -m bench.served [--chunks 25000] [--json FILE]

Generated sources are indexed into an embedded Postgres with the hashing embedder; the application runs under
uvicorn in a process of its own. Times are of the clock, as a client sees them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import psycopg

from bench.report import begin, circumstances, write_result
from bench.scratch import free_port, peak_mb, percentile, scratch_postgres
from bench.sources import files
from panlect.accounts.keys import issue, new_token
from panlect.db.migrate import migrate
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.db.pool import Database
from panlect.index import snapshots, vectors
from panlect.index.analyse import analyse_blobs
from panlect.index.commit import Analysed, keep
from panlect.index.embed import HashingEmbedder, embedding_text
from panlect.index.memory import MemoryBlobs, MemoryStore
from panlect.index.models import ModelSpec, key_of
from panlect.index.store import PostgresStore

REACH = {"p50_ms_1": 50, "p50_ms_4": 120, "p95_ms_4": 300, "cold_s": 2}
QUERIES = (
    "retry a refused payment", "parse header value", "close the connection when the client is gone",
    "cache entry expired", "user session token", "merge two sorted lists", "render template with context",
    "validate order total", "write rows to the ledger", "schedule job after delay",
)  # fmt: skip
_ROUNDS = 20
_SPEC = ModelSpec("hashing")


def main() -> None:
    """Measure, write the result, print the figures last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunks", type=int, default=25_000, help="how large the repository is")
    parser.add_argument("--json", type=Path, help="where the result goes")
    parser.add_argument("--serve", metavar="PORT", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        _serve(given.serve)
        return
    start = begin()
    with scratch_postgres() as (server, directory):
        url = server.url
        migrate(url)
        repository_id, chunks = _indexed(url, given.chunks)
        figures = asyncio.run(_measure(url, directory, repository_id))
    figures["bytes_per_chunk"] = round(figures["mapped_bytes"] / chunks)
    result = {"chunks": chunks, "reach": REACH, **figures, **circumstances(start)}
    write_result(given.json, result)
    print(
        f"calibration {result['calibration_ms']['before']} ms; {chunks} chunks; cold {result['cold_s']} s;"
        f" 1 client p50 {result['p50_ms_1']} ms; 4 clients p50 {result['p50_ms_4']} ms, p95 {result['p95_ms_4']} ms"
    )


def _indexed(url: str, wanted: int) -> tuple[UUID, int]:
    """A repository of at least so many chunks with a vector each."""
    blobs, memory = MemoryBlobs(), MemoryStore()
    sources = dict(files(wanted * 820 / 1e6))
    entries = blobs.add(sources)
    analyse_blobs(blobs, entries, memory)
    repository_id = add_repository(url, "bench/generated")
    with PostgresStore(url, ORG) as store:
        rows = (
            Analysed(key, packed, _texts(packed, blobs.contents[key[1]]), 0.0)
            for key, packed in memory.kept.items()
        )
        keep(store, rows)
        snapshot, chunks = snapshots.complete(store, repository_id, "head", entries)
        missing = vectors.missing(store, repository_id, snapshot.id, key_of(_SPEC))
        vectors.register(store, vectors.Model(key_of(_SPEC), _SPEC, 384))
        made = HashingEmbedder().embed([text for _, text in missing])
        vectors.put(store, repository_id, key_of(_SPEC), [digest for digest, _ in missing], made)
        vectors.serve(store, repository_id, key_of(_SPEC))
    return repository_id, chunks


def _texts(packed: Any, content: bytes) -> tuple[tuple[bytes, str], ...]:
    from panlect.code.packed import chunks_of, search_of

    return tuple(
        (bytes.fromhex(c.hash), embedding_text(c.scope, content[c.start_byte : c.end_byte].decode()))
        for c in chunks_of(search_of(packed.search))
    )


def add_repository(url: str, name: str) -> UUID:
    """A connected repository of the default organisation, so that something can be indexed under it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set search_path = panlect, public")
        connection.execute(
            "select set_config('app.organisation_id', %s, false), set_config('role', 'panlect_app', false)",
            [str(ORG)],
        )
        row = connection.execute(
            "with c as (insert into forge_connection (organisation_id, kind, base_url)"
            " values (%(o)s, 'github', '') returning id)"
            " insert into repository (organisation_id, connection_id, full_name, clone_url)"
            " select %(o)s, id, %(name)s, '' from c returning id",
            {"o": ORG, "name": name},
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


class _Embedder:
    """The hashing embedder, as the application asks for vectors."""

    async def __call__(self, texts: list[str], *, spec: Any = None, query: bool = False) -> Any:  # noqa: ARG002
        return HashingEmbedder().embed(texts)

    async def with_key(self, texts: list[str], *, spec: Any = None, query: bool = False) -> Any:
        return await self(texts, spec=spec, query=query), key_of(_SPEC)


def _serve(port: int) -> None:
    """The application in this process, with the hashing embedder at hand."""
    import uvicorn

    from panlect import wiring
    from panlect.settings import load
    from serve.app import edge

    app = edge(wiring.build(load(), embedder=_Embedder()))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


async def _measure(url: str, directory: Path, repository_id: UUID) -> dict[str, Any]:
    token = new_token()
    async with Database(url) as db:
        await issue(db, ORG, "bench", ("read",), token)
    port = free_port()
    env = {**os.environ, "DATABASE_URL": url, "PANLECT_DATA_DIR": str(directory / "data")}
    server = subprocess.Popen([sys.executable, "-m", "bench.served", "--serve", str(port)], env=env)
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        ) as client:
            await _up(client)
            cold = await _ask(client, repository_id, QUERIES[0])
            for query in QUERIES:
                await _ask(client, repository_id, query)
            one = await _client(client, repository_id, 0)
            four = [
                ms
                for some in await asyncio.gather(*(_client(client, repository_id, n) for n in range(4)))
                for ms in some
            ]
            rss = peak_mb(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    return {
        "cold_s": round(cold / 1000, 2),
        "p50_ms_1": round(statistics.median(one), 1),
        "p95_ms_1": round(percentile(one, 95), 1),
        "p50_ms_4": round(statistics.median(four), 1),
        "p95_ms_4": round(percentile(four, 95), 1),
        "requests": len(one) + len(four),
        "peak_mb": rss,
        "mapped_bytes": sum(file.stat().st_size for file in (directory / "data/segments").rglob("*.npy")),
    }


async def _client(client: httpx2.AsyncClient, repository_id: UUID, first: int) -> list[float]:
    return [
        await _ask(client, repository_id, QUERIES[(first + n) % len(QUERIES)]) for n in range(_ROUNDS * 2)
    ]


async def _ask(client: httpx2.AsyncClient, repository_id: UUID, query: str) -> float:
    began = time.perf_counter()
    answer = await client.get(
        "/api/v1/search", params={"repository": str(repository_id), "q": query, "k": 10}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["mode"] == "lexical+graph+dense"
    assert answer.json()["hits"], query
    return (time.perf_counter() - began) * 1000


async def _up(client: httpx2.AsyncClient) -> None:
    for _ in range(300):
        try:
            await client.get("/healthz")
        except httpx2.HTTPError:
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError("the application did not start")


if __name__ == "__main__":
    main()
