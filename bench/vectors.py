"""A million synthetic vectors: how fast they are stored under row level security, and asked at 10 and 100 repositories.

    python -m bench.vectors [--rows 1000000] [--json FILE]

Real Postgres (embedded, its durability on), one connection. The same repository of 10,000 chunks is asked when it
is one of 10 and one of 100, in interleaved rounds over two databases of one server; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from bench.report import begin, circumstances, write_result
from bench.scratch import scratch_postgres
from bench.served import add_repository
from panlect.db import embedded
from panlect.db.migrate import migrate
from panlect.db.pool import DEFAULT_ORGANISATION as ORG
from panlect.index import vectors
from panlect.index.models import ModelSpec
from panlect.index.store import PostgresStore

REACH = {"rows_per_s": 40_000, "same_time_within": 0.2}
MODEL = vectors.Model("hashing-384", ModelSpec("hashing"), 384)
_ROUNDS = 9
_PROBES = 5


def main() -> None:
    """Measure, write the result, print the figures last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="vectors over 100 repositories")
    parser.add_argument("--json", type=Path, help="where the result goes")
    given = parser.parse_args()
    start = begin()
    with scratch_postgres() as (server, _):
        figures = _measure(server, given.rows)
    result = {"rows": given.rows, "reach": REACH, **figures, **circumstances(start)}
    write_result(given.json, result)
    print(
        f"calibration {result['calibration_ms']['before']} ms; {result['rows_per_s']} rows/s;"
        f" again {result['rerun_rows_per_s']} rows/s; nearest of 10k at 10 repositories {result['ms_at_10']} ms,"
        f" at 100 {result['ms_at_100']} ms, ratio {result['ratio']}"
    )


def _measure(server: embedded.Server, rows: int) -> dict[str, Any]:
    import psycopg

    each = rows // 100
    urls = []
    for count in (10, 100):
        with psycopg.connect(server.administrator_url(), autocommit=True) as connection:
            connection.execute(f"create database of_{count} owner {embedded.LOGIN}".encode())
        with psycopg.connect(server.administrator_url(f"of_{count}"), autocommit=True) as connection:
            connection.execute("create extension vector")
        urls.append(server.url.rsplit("/", 1)[0] + f"/of_{count}")
        migrate(urls[-1])
    few = _filled(urls[0], 10, each)
    many = _filled(urls[1], 100, each)
    times = _asked([(urls[0], few["first"]), (urls[1], many["first"])])
    return {
        "repositories": 100,
        "each": each,
        "rows_per_s": many["rows_per_s"],
        "rerun_rows_per_s": many["rerun_rows_per_s"],
        "ms_at_10": round(times[0], 2),
        "ms_at_100": round(times[1], 2),
        "ratio": round(times[1] / times[0], 3),
    }


def _filled(url: str, repositories: int, each: int) -> dict[str, Any]:
    """Store vectors, and the first repository's once more; only the store's own time counts."""
    random = np.random.default_rng(repositories)
    first: UUID | None = None
    took = 0.0
    with PostgresStore(url, ORG) as store:
        vectors.register(store, MODEL)
        for number in range(repositories):
            repository_id = add_repository(url, f"bench/r{number}")
            first = first or repository_id
            made = random.standard_normal((each, 384), dtype=np.float32)
            made /= np.linalg.norm(made, axis=1, keepdims=True)
            hashes = [number.to_bytes(8, "big") + at.to_bytes(8, "big") for at in range(each)]
            took += _timed(store, repository_id, hashes, made)
            if repository_id == first:
                rerun = _timed(store, repository_id, hashes, made)
        with store.transaction() as connection:
            row = connection.execute("select count(*) from chunk_embedding").fetchone()
    assert row == (repositories * each,)
    assert first is not None
    return {
        "first": first,
        "rows_per_s": round(repositories * each / took),
        "rerun_rows_per_s": round(each / rerun),
    }


def _timed(store: PostgresStore, repository_id: UUID, hashes: list[bytes], made: Any) -> float:
    began = time.perf_counter()
    vectors.put(store, repository_id, MODEL.key, hashes, made)
    return time.perf_counter() - began


def _asked(places: list[tuple[str, UUID]]) -> list[float]:
    """Median milliseconds of a query at each place, over interleaved rounds."""
    random = np.random.default_rng(3)
    probes = random.standard_normal((_PROBES, 384), dtype=np.float32)
    stores = [PostgresStore(url, ORG) for url, _ in places]
    found: list[list[float]] = [[] for _ in places]
    for number in range(_ROUNDS + 1):
        for at, (store, (_, repository_id)) in enumerate(zip(stores, places, strict=True)):
            began = time.perf_counter()
            for probe in probes:
                near = vectors.nearest(store, repository_id, MODEL, probe, 20)
                assert len(near) == 20
            if number:  # the first round fills caches
                found[at].append((time.perf_counter() - began) * 1000 / _PROBES)
    for store in stores:
        store.close()
    return [statistics.median(one) for one in found]


if __name__ == "__main__":
    main()
