"""A repository with more files than are listed: nothing is called missing, and its hunks count as unread."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cluster.sandbox import repositories as repos
from panlect import change
from panlect.finding import VerdictKind
from panlect.git import tree
from panlect.git.repository import Repository
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.snapshot import Snapshot
from panlect.ledger.steps import MemorySteps
from panlect.review.run import Subject, review

BASE = {"a.py": "def f():\n    return 1\n", "b.py": "from a import f\n\nx = f()\n"}
HEAD = {"a.py": "def g():\n    return 1\n"}


def commit(branch: str, files: dict[str, str], parent: str = "") -> str:
    lines = [f"commit refs/heads/{branch}\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nm\n"]
    lines += [f"from refs/heads/{parent}\n"] if parent else []
    lines += [f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items()]
    return "".join(lines)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = repos.create_bare(tmp_path / "r.git", "main")
    made.run("fast-import", "--quiet", stdin=(commit("main", BASE) + commit("head", HEAD, "main")).encode())
    return made


def reviewed(repository: Repository, cache: Path) -> tuple[str, int, str]:
    base, head = repository.resolve("main"), repository.resolve("head")

    async def snapshots(_: Repository, one: str, other: str) -> tuple[Snapshot, Snapshot]:
        with_base = build_snapshot(repository, one, store, workers=0)
        return with_base, build_snapshot(repository, other, store, base=with_base, workers=0)

    with BlobCache(cache) as store:
        verdict = asyncio.run(review(Subject(repository, base, head), snapshots, MemorySteps()))
    return verdict.kind, len(verdict.findings), verdict.reason


def test_all_files_listed_the_broken_import_is_found(repository: Repository, tmp_path: Path) -> None:
    assert reviewed(repository, tmp_path)[:2] == (VerdictKind.REVIEWED, 1)


def test_some_files_not_listed_nothing_is_claimed_and_the_verdict_is_partial(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_ENTRIES", 1)
    kind, findings, reason = reviewed(repository, tmp_path)
    assert (kind, findings) == (VerdictKind.PARTIAL, 0)
    assert "more files than are read" in reason


def test_a_diff_of_too_many_lines_is_cut_and_says_so(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change, "_MAX_LINES", 6)
    kind, _, reason = reviewed(repository, tmp_path)
    assert kind is VerdictKind.PARTIAL
    assert "a million lines" in reason
