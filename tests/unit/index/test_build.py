"""Journey B over a real git repository, from commit to answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from panlect.git.repository import Repository, open_repository
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    work = tmp_path / "work"
    work.mkdir()
    _git(work, "init", "-q", "-b", "main")
    (work / "pay.py").write_text("def capture(order):\n    return order\n")
    (work / "view.py").write_text("from pay import capture\ncapture(1)\n")
    _commit(work)
    (work / "pay.py").write_text("def charge(order):\n    return order\n")
    _commit(work)
    return open_repository(work)


def _git(work: Path, *args: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *args],
        cwd=work,
        check=True,
        capture_output=True,
    )


def _commit(work: Path) -> None:
    _git(work, "add", ".")
    _git(work, "commit", "-q", "-m", "change")


def test_a_commit_becomes_a_snapshot_and_its_child_an_overlay(repository: Repository, tmp_path: Path) -> None:
    with BlobCache(tmp_path / "cache") as cache:
        base = build_snapshot(repository, repository.resolve("HEAD^"), cache)
        head = build_snapshot(repository, repository.resolve("HEAD"), cache, base=base)
        assert [site.path for site in base.definitions_named("capture")] == ["pay.py"]
        assert head.definitions_named("capture") == ()
        assert [site.path for site in head.references_to("capture")] == ["view.py"]
        assert head.text("pay.py").startswith(b"def charge")


def test_a_second_time_nothing_is_analysed(repository: Repository, tmp_path: Path) -> None:
    head = repository.resolve("HEAD")
    with BlobCache(tmp_path / "cache") as cache:
        build_snapshot(repository, head, cache)
    seen: list[tuple[int, int]] = []
    with BlobCache(tmp_path / "cache") as cache:
        build_snapshot(repository, head, cache, progress=lambda done, total: seen.append((done, total)))
    assert seen == []
