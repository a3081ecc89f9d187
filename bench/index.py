"""How fast a repository becomes searchable: cold, after a commit of two files, after none, after a rename.

    python -m bench.index [--repo PATH] [--megabytes 10] [--json FILE] [--no-postgres]

Without a path it generates a repository (seeded). Each phase runs in a process of its own, whose peak memory
is the largest of it and its children; its seconds count from the open repository to the answer of a first
search, without the start of Python. `terminal` keeps analyses in the blob cache, `postgres` in the embedded
server with its durability on, as the indexer does for few files: one child, chunk texts stored, no vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.report import begin, circumstances
from bench.sources import files
from panlect.code.packed import search_of
from panlect.git.repository import Repository, open_repository
from panlect.git.tree import TreeEntry, list_tree
from panlect.index.analyse import AnalysisRun
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.snapshot import AnalysisSource, blob_key, is_analysable
from panlect.search.query import answer

_RESULT = Path(__file__).parent / "results" / "index.json"
REACH = {
    "cold 10 MB, seconds": 10,
    "two files, seconds": 2,
    "two files, new chunks": 15,
    "unchanged, parsed": 0,
}
REVISIONS = {"cold": "main", "two files": "two", "unchanged": "two", "rename": "renamed"}
_QUERY = "validate payment order"
_EDITS = {
    "python": "\n\ndef bench_added(order):\n    return order.total\n",
    "go": "\nfunc benchAdded(order string) int {\n\treturn len(order)\n}\n",
    "typescript": "\nexport function benchAdded(order: string): number {\n  return order.length;\n}\n",
}


def main() -> None:
    """Measure, write the result, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repo", type=Path, help="a repository to index at its HEAD; it is not written to")
    parser.add_argument("--megabytes", type=float, default=10.0, help="size of the generated repository")
    parser.add_argument("--json", type=Path, default=_RESULT, help="where the result goes")
    parser.add_argument("--no-postgres", action="store_true", help="measure the terminal's way only")
    parser.add_argument("--phase", nargs=3, metavar=("WAY", "REVISION", "BEFORE"), help=argparse.SUPPRESS)
    parser.add_argument("--where", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.phase:
        print(json.dumps(_phase(*given.phase, *given.where)))
        return
    with tempfile.TemporaryDirectory(prefix="panlect-bench-") as directory:
        result = _run(Path(directory), given.repo, given.megabytes, postgres=not given.no_postgres)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(result, indent=1) + "\n")
    for row in result["phases"]:
        print(
            f"{row['way']:<9} {row['phase']:<10} {row['seconds']:>7.2f} s {row['mb_per_s']:>6} MB/s"
            f" {row['files_per_s']:>7} files/s  parsed {row['parsed']:>6}  new chunks {row['new_chunks']:>6}"
            f"  peak {row['peak_mb']:>5.0f} MB"
        )
    print(f"calibration {result['calibration_ms']} ms, load {result['load_average']}")
    print(f"{result['files']} files, {result['megabytes']} MB")


def _run(directory: Path, path: Path | None, megabytes: float, *, postgres: bool) -> dict[str, Any]:
    git_dir = directory / "repository.git"
    _prepare(git_dir, path, megabytes)
    start = begin()
    rows = _measure("terminal", git_dir, str(directory / "cache"))
    if postgres:
        with _server(directory / "postgres") as url:
            rows += _measure("postgres", git_dir, url)
    read = _read(_entries(Repository(git_dir), "main"))
    return {
        "repository": "generated" if path is None else path.resolve().parent.name,
        "files": len(read),
        "megabytes": round(sum(entry.size for entry in read) / 1e6, 1),
        "reach": REACH,
        "phases": rows,
        "load_average": round(os.getloadavg()[0], 1),  # seconds are of the clock: others' work counts
        **circumstances(start),
    }


# The repository, and what is committed to it


def _prepare(git_dir: Path, path: Path | None, megabytes: float) -> None:
    """`main` as it is given or generated, `two` with two files edited, `renamed` with both moved."""
    if path is None:
        _git("init", "--quiet", "--bare", "-b", "main", str(git_dir))
        _import(git_dir, "main", "", [_file(name, text.encode()) for name, text in files(megabytes)])
    else:
        _git("clone", "--quiet", "--bare", "--shared", str(path), str(git_dir))
        _git("--git-dir", str(git_dir), "update-ref", "refs/heads/main", "HEAD")
    repository = open_repository(git_dir)
    entries = [
        e for e in _read(_entries(repository, "main")) if blob_key(e)[0] in _EDITS and 2000 < e.size < 9000
    ]
    chosen = [entries[len(entries) // 3], entries[2 * len(entries) // 3]]
    edits = [
        _file(e.path, repository.read_blob(e.blob_sha) + _EDITS[blob_key(e)[0]].encode()) for e in chosen
    ]
    _import(git_dir, "two", "main", edits)
    moves = [f"R {_quoted(e.path)} {_quoted('moved/' + e.path)}\n".encode() for e in chosen]
    _import(git_dir, "renamed", "two", moves)


def _import(git_dir: Path, branch: str, parent: str, changes: Iterable[bytes]) -> None:
    head = f"commit refs/heads/{branch}\ncommitter b <b@example.org> 1700000000 +0000\ndata 1\nm\n"
    begin = f"from refs/heads/{parent}\n" if parent else ""
    script = b"".join([head.encode(), begin.encode(), *changes])
    _git("--git-dir", str(git_dir), "fast-import", "--quiet", "--force", stdin=script)


def _file(path: str, content: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (_quoted(path).encode(), len(content), content)


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _git(*arguments: str, stdin: bytes = b"") -> None:
    subprocess.run(["git", *arguments], input=stdin, check=True, stdout=subprocess.DEVNULL)


def _entries(repository: Repository, revision: str) -> tuple[TreeEntry, ...]:
    return list_tree(repository, repository.resolve(revision)).entries


def _read(entries: Iterable[TreeEntry]) -> list[TreeEntry]:
    return [entry for entry in entries if is_analysable(entry)]


# The phases


def _measure(way: str, git_dir: Path, where: str) -> list[dict[str, Any]]:
    rows = []
    before = ""
    for phase, revision in REVISIONS.items():
        command = [sys.executable, "-m", "bench.index", "--phase", way, revision, before]
        done = subprocess.run([*command, "--where", str(git_dir), where], check=True, stdout=subprocess.PIPE)
        rows.append({"way": way, "phase": phase, **json.loads(done.stdout)})
        before = revision
    return rows


def _phase(way: str, revision: str, before: str, git_dir: str, where: str) -> dict[str, Any]:
    """One phase, in the process that was started for it."""
    repository = open_repository(Path(git_dir))
    took = (
        _terminal(repository, revision, where)
        if way == "terminal"
        else _postgres(repository, revision, where)
    )
    seconds, parsed, source, close = took
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    read = _read(_entries(repository, revision))
    new = _hashes(source, read) - _hashes(source, _read(_entries(repository, before)) if before else ())
    close()
    return {
        "seconds": round(seconds, 3),
        "mb_per_s": round(sum(entry.size for entry in read) / 1e6 / seconds, 2),
        "files_per_s": round(len(read) / seconds),
        "parsed": parsed,
        "new_chunks": len(new),
        "peak_mb": round(peak / 1024),
    }


def _terminal(repository: Repository, revision: str, where: str) -> tuple[float, int, AnalysisSource, Any]:
    run = AnalysisRun()
    began = time.perf_counter()
    cache = BlobCache(Path(where))
    snapshot = build_snapshot(repository, repository.resolve(revision), cache, run=run)
    answer(snapshot, _QUERY, 10)
    return time.perf_counter() - began, len(run.ms), cache, cache.close


def _postgres(repository: Repository, revision: str, where: str) -> tuple[float, int, AnalysisSource, Any]:
    from panlect.db.pool import DEFAULT_ORGANISATION
    from panlect.index.commit import activate, analysed, keep, plan_commit
    from panlect.index.snapshot import Snapshot
    from panlect.index.store import PostgresStore

    url, repository_id = where.split("#")
    began = time.perf_counter()
    store = PostgresStore(url, DEFAULT_ORGANISATION)
    plan = plan_commit(repository, repository.resolve(revision), store)
    keep(store, analysed(repository, plan.unseen))
    activate(store, UUID(repository_id), plan)
    answer(Snapshot(plan.commit_sha, plan.entries, store, repository), _QUERY, 10)
    return time.perf_counter() - began, len(plan.unseen), store, store.close


def _hashes(source: AnalysisSource, entries: Iterable[TreeEntry]) -> set[bytes]:
    """The hashes of all chunks of these files."""
    found: set[bytes] = set()
    keys = list(dict.fromkeys(blob_key(entry) for entry in entries))
    for at in range(0, len(keys), 2000):
        for column in source.load("search", keys[at : at + 2000]).values():
            packed = search_of(column).hashes
            found.update(packed[begin : begin + 16] for begin in range(0, len(packed), 16))
    return found


@contextmanager
def _server(directory: Path) -> Iterator[str]:
    """The address of a fresh embedded server, with the id of a repository in it behind a hash sign."""
    import psycopg

    from panlect.db import embedded
    from panlect.db.migrate import migrate
    from panlect.db.pool import DEFAULT_ORGANISATION

    try:
        server = embedded.start(directory)
        migrate(server.url)
        with psycopg.connect(server.administrator_url(embedded.DATABASE), autocommit=True) as connection:
            row = connection.execute(
                """with c as (insert into panlect.forge_connection (organisation_id, kind, base_url)
                              values (%(o)s, 'github', 'https://forge.example') returning id)
                   insert into panlect.repository (organisation_id, connection_id, full_name, clone_url)
                   select %(o)s, id, 'acme/bench', 'https://forge.example/acme/bench.git' from c returning id""",
                {"o": DEFAULT_ORGANISATION},
            ).fetchone()
        assert row is not None
        yield f"{server.url}#{row[0]}"
    finally:
        root = embedded.postgres_root(directory)
        embedded.stop(directory, "immediate")
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
