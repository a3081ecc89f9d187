"""Repositories made to break whoever reads them: indexed and reviewed within bounds, every file accounted for.

`--hostile-full` builds them at full size; `--write-hostile-table FILE` writes what was measured into a page.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from panlect.child import Patience
from panlect.git.repository import open_repository
from panlect.git.tree import list_tree
from panlect.index import analyse
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.record import records, summary
from tests.e2e import hostile

ROOT = Path(__file__).resolve().parents[2]
MAX_MB = 500
HANG_S = 60  # only a guard: how long it took stands in the table
# Runs a command and writes its exit code, seconds and the peak of it and its children: one process's, in MB.
# It is small itself, because what is forked starts with the memory of whoever forked it.
LAUNCHER = """
import json, os, sys, time
began = time.monotonic()
child = os.fork()
if not child:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as out:
    json.dump([os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_maxrss / 1024], out)
"""


@dataclass(frozen=True)
class Case:
    """A hostile repository and what is to be said of it.

    `skipped`: reasons in the records, with how many files each has (None: how many is left to chance). `cut`: how the
    reason for a cut listing begins. `unread`: how the reasons of the review begin.
    """

    name: str
    build: Callable[..., None]
    verdict: str
    skipped: dict[str, int | None] = field(default_factory=dict)
    cut: str = ""
    unread: tuple[str, ...] = ()


CASES = (
    Case(
        "a tree bomb: 10^10 paths in a dozen objects",
        hostile.tree_bomb,
        "PARTIAL",
        cut="more than 100,000 files",
        unread=("one of more than 20,000 changed files",),
    ),
    Case(
        "300,000 files",
        hostile.many_files,
        "PARTIAL",
        {"analysis budget spent": None},
        cut="more than 100,000 files",
        unread=("one of more than 20,000 changed files",),
    ),
    Case(
        "paths 4096 folders deep",
        hostile.deep_paths,
        "PARTIAL",
        cut="2,050 paths longer than 4,096 bytes",
        unread=("the repository has more files than are read",),
    ),
    Case(
        "names with newline, `..`, no UTF-8, NFD pairs",
        hostile.names,
        "PARTIAL",
        unread=("no model", "the diff does not show it"),
    ),
    Case(
        "a line of 50 MB, and shorter ones",
        hostile.long_line,
        "PARTIAL",
        {"too large": 1, "minified": 1},
        unread=("larger than 8 MB", "minified"),
    ),
    Case(
        "nesting that overflows parsers",
        hostile.deep_nesting,
        "PARTIAL",
        {"parser timed out": None, "minified": None, "analysis budget spent": None},
        unread=("does not parse after the change", "minified"),
    ),
    Case(
        "binary content with a source suffix",
        hostile.binary_sources,
        "PARTIAL",
        {"binary": 4, "binary by name": 1, "not UTF-8": 1},
        unread=("binary content in a source file", "not UTF-8"),
    ),
    Case("symbolic links in a loop, and out of it", hostile.links, "SKIPPED", {"symbolic link": 6}),
    Case("submodules that would run programs", hostile.submodules, "REVIEWED", {"submodule": 2}),
    Case("LFS pointers", hostile.lfs_pointers, "PARTIAL", {"LFS pointer": 3}, unread=("LFS pointer",)),
    Case("`.gitattributes` with filters and drivers", hostile.attributes, "REVIEWED"),
    Case(
        "missing and corrupt blobs",
        hostile.damaged,
        "PARTIAL",
        {"corrupt object": 5, "missing object": 1},
        unread=("corrupt object", "missing object"),
    ),
    Case(
        "missing and corrupt folders",
        hostile.damaged_trees,
        "PARTIAL",
        cut="folders that cannot be read: gone (missing object), noname (corrupt object), notree",
        unread=("the repository cannot be compared: folders that cannot be read: gone",),
    ),
)


@dataclass(frozen=True)
class Measured:
    """What one command gave and took."""

    answer: dict[str, Any]
    seconds: float
    mb: float


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    outcome: str
    reasons: str
    index: Measured
    review: Measured

    def written(self) -> str:
        seconds = f"{self.index.seconds:.1f} + {self.review.seconds:.1f}"
        peak = max(self.index.mb, self.review.mb)
        return f"| {self.name} | {self.outcome} | {self.reasons} | {seconds} | {peak:.0f} |"


@dataclass
class Table:
    """All rows of this session."""

    full: bool
    rows: list[Row] = field(default_factory=list)

    def written(self) -> str:
        head = [
            "| repository | outcome | reasons | seconds, index + review | peak MB |",
            "| --- | --- | --- | --- | --- |",
        ]
        return "\n".join(head + [row.written() for row in self.rows])


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    table = Table(request.config.getoption("hostile_full"))
    yield table
    print("\n" + table.written())
    if target := request.config.getoption("write_hostile_table"):
        _write(Path(target), table)


def _write(page: Path, table: Table) -> None:
    """Replace what stands between the two marks of `page`."""
    begin, end = "<!-- hostile table -->", "<!-- end of hostile table -->"
    before, _, rest = page.read_text().partition(begin)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    size = "full" if table.full else "reduced"
    measured = (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"commit {commit}, {size} size."
    )
    page.write_text(f"{before}{begin}\n{measured}\n\n{table.written()}\n{end}{rest.partition(end)[2]}")


@dataclass(frozen=True)
class Sandbox:
    """Where the program runs: a home and a current folder that stay empty, and a cache that it may write to."""

    path: Path

    def run(self, *arguments: str) -> Measured:
        out = self.path / "measured.json"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path / "outside/home"),
            "PANLECT_CACHE_DIR": str(self.path / "cache"),
            "PANLECT_DATA_DIR": str(self.path / "data"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-S", "-c", LAUNCHER, str(out), sys.executable, *arguments]
        done = subprocess.run(
            command,
            env=environment,
            cwd=self.path / "outside/here",
            capture_output=True,
            timeout=HANG_S,
            check=False,
        )
        code, seconds, mb = json.loads(out.read_text())
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert code == 0, done.stderr.decode()
        return Measured(json.loads(done.stdout), seconds, mb)

    def outside(self) -> dict[str, tuple[int, int]]:
        """Everything that nobody may change: mode and time of each file."""
        return {
            str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns)
            for path in (self.path / "outside").rglob("*")
        }


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    for folder in ("outside/home", "outside/here", "cache"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "outside/sentinel").write_text("stay")
    return Sandbox(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=[case.build.__name__ for case in CASES])
def test_a_hostile_repository_is_read_within_bounds_and_nothing_is_silent(
    case: Case, sandbox: Sandbox, table: Table
) -> None:
    repository = sandbox.path / "outside/repository.git"
    case.build(hostile.Objects(repository), full=table.full)
    before = sandbox.outside()
    index = sandbox.run("-m", "tests.e2e.index_records", str(repository), "work")
    review = sandbox.run(
        "-m",
        "panlect.cli",
        "review",
        "--repo",
        str(repository),
        "--base",
        "main",
        "--head",
        "work",
        "--json",
        "-",
    )
    assert sandbox.outside() == before
    assert not (sandbox.path / "data").exists()
    summary = index.answer["summary"]
    unread = {row["reason"] for row in review.answer["coverage"]["unread"]}
    table.rows.append(_row(case, index, review))

    assert summary["cut"].startswith(case.cut) if case.cut else not summary["cut"]
    assert summary["files"] == index.answer["entries"]
    assert set(summary["skipped"]) <= set(case.skipped)
    for reason, count in case.skipped.items():
        assert count is None or summary["skipped"].get(reason) == count, summary
    assert index.answer["found"] or case.cut  # the plain file beside them is searchable

    assert review.answer["verdict"] == case.verdict
    for reason in case.unread:
        assert any(said.startswith(reason) for said in unread), unread
    assert index.mb < MAX_MB
    assert review.mb < MAX_MB


def _row(case: Case, index: Measured, review: Measured) -> Row:
    summary, coverage = index.answer["summary"], review.answer["coverage"]
    read, skipped = sum(summary["read"].values()), sum(summary["skipped"].values())
    outcome = f"{read:,} files read, {skipped:,} skipped" + (", listing cut" if summary["cut"] else "")
    reasons = [f"{reason}: {count:,}" for reason, count in summary["skipped"].items()]
    if summary["cut"]:
        reasons.insert(0, summary["cut"])
    unread = sorted({row["reason"] for row in coverage["unread"]})
    told = "; ".join(reasons) or "-"
    verdict = review.answer["verdict"] + (f" ({'; '.join(unread)})" if unread else "")
    return Row(case.name, f"{outcome}; {verdict}", told, index, review)


def test_a_hundred_files_that_hang_the_parser_end_the_run_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = analyse.ChildPool
    monkeypatch.setattr(
        analyse, "ChildPool", lambda _, **limits: original("tests.e2e.aborting_parser:analyse_one", **limits)
    )
    monkeypatch.setattr(analyse, "_CPU_S", 0.3)
    objects = hostile.Objects(tmp_path / "repository.git")
    bad = [(hostile.FILE, b"hangs%d.py" % n, objects.blob(b"HANGS = %d\n" % n)) for n in range(100)]
    good = [(hostile.FILE, b"a%d.py" % n, objects.blob(b"x = %d\n" % n)) for n in range(5)]
    objects.two_commits([*bad, *good])
    repository = open_repository(objects.git_dir)
    commit = repository.resolve("work")
    entries = list_tree(repository, commit).entries
    tried = 0
    with BlobCache(tmp_path / "cache") as cache:
        for _ in range(2):
            run = analyse.AnalysisRun(patience=Patience(1.0))
            build_snapshot(repository, commit, cache, run=run)
            counts = summary(records(entries, cache, run)).skipped
            assert set(counts) == {"parser timed out", "analysis budget spent"}
            assert counts["parser timed out"] > tried
            tried = counts["parser timed out"]
            assert tried < 20
        assert summary(records(entries, cache, run)).read["tree-sitter"] == 5
