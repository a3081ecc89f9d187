"""The base revision's panlect.toml decides what is reviewed and said; the change's own decides nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cluster.sandbox import repositories as repos
from panlect.finding import Verdict, VerdictKind
from panlect.git.repository import Repository
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.snapshot import Snapshot
from panlect.ledger.steps import MemorySteps
from panlect.review.run import Subject, review
from panlect.rules.config import About

BASE = {
    "lib/a.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n",
    "app/b.py": "from lib.a import f\n\nx = f()\n",
    "lib/__init__.py": "",
}
HEAD = {"lib/a.py": "def g():\n    return 2\n"}
CHECK = "import-missing"


def commit(branch: str, files: dict[str, str], parent: str = "") -> bytes:
    lines = [f"commit refs/heads/{branch}\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nm\n"]
    lines += [f"from refs/heads/{parent}\n"] if parent else []
    lines += [f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items()]
    return "".join(lines).encode()


def reviewed(
    tmp_path: Path, *, base: str | None = None, head: str | None = None, about: About | None = None
) -> Verdict:
    """The verdict of a change that removes a function in use, with panlect.toml as `base` and `head` have it."""
    made = repos.create_bare(tmp_path / "r.git", "main")
    before = BASE | ({"panlect.toml": base} if base is not None else {})
    after = HEAD | ({"panlect.toml": head} if head is not None else {})
    made.run("fast-import", "--quiet", stdin=commit("main", before) + commit("head", after, "main"))
    return verdict_of(made, tmp_path, about)


def verdict_of(made: Repository, cache: Path, about: About | None) -> Verdict:
    with BlobCache(cache) as store:

        async def snapshots(_: Repository, one: str, other: str) -> tuple[Snapshot, Snapshot]:
            with_base = build_snapshot(made, one, store, workers=0)
            return with_base, build_snapshot(made, other, store, base=with_base, workers=0)

        subject = Subject(made, made.resolve("main"), made.resolve("head"), about)
        return asyncio.run(review(subject, snapshots, MemorySteps()))


def test_without_the_file_the_break_is_said(tmp_path: Path) -> None:
    verdict = reviewed(tmp_path)
    assert (verdict.kind, [f.check for f in verdict.findings]) == (VerdictKind.REVIEWED, [CHECK])
    assert verdict.findings[0].path


@pytest.mark.parametrize("text", [f'[checks]\n{CHECK} = "off"\n', '[review]\nmin_severity = "P0"\n'])
def test_what_the_base_switches_off_is_not_said_and_stays_in_the_ledger(tmp_path: Path, text: str) -> None:
    verdict = reviewed(tmp_path, base=text)
    assert not verdict.findings
    assert [(one.stage, one.check) for one in verdict.suppressed] == [("rules", CHECK)]
    assert verdict.kind is VerdictKind.REVIEWED


def test_what_the_change_switches_off_is_said(tmp_path: Path) -> None:
    verdict = reviewed(tmp_path, head=f'[checks]\n{CHECK} = "off"\n[paths]\nexclude = ["**"]\n')
    assert [one.check for one in verdict.findings] == [CHECK]


def test_a_check_of_the_summary_takes_no_line(tmp_path: Path) -> None:
    (finding,) = reviewed(tmp_path, base=f'[checks]\n{CHECK} = "summary"\n').findings
    assert (finding.path, finding.start_line) == (None, None)


def test_an_excluded_path_is_excluded_with_its_reason_and_nothing_is_said_of_it(tmp_path: Path) -> None:
    verdict = reviewed(tmp_path, base='[paths]\nexclude = ["lib/**"]\n')
    assert {(row.path, row.reason) for row in verdict.coverage.excluded} == {
        ("lib/a.py", "panlect.toml: excluded path")
    }
    assert verdict.kind is VerdictKind.SKIPPED  # nothing was read, and it says so
    assert not verdict.findings


def test_an_override_holds_below_its_directory_alone(tmp_path: Path) -> None:
    off = f'[[paths.override]]\npath = "other"\nchecks = {{ {CHECK} = "off" }}\n'
    assert reviewed(tmp_path, base=off).findings


def test_a_broken_file_is_said_and_no_verdict_is_whole(tmp_path: Path) -> None:
    verdict = reviewed(tmp_path, base='[checks]\nsecrt = "off"\n')
    assert verdict.kind is VerdictKind.PARTIAL
    (row,) = verdict.coverage.unread
    assert row.path == "panlect.toml"
    assert "line 2" in row.reason
    assert "Did you mean secret?" in row.reason
    assert [one.check for one in verdict.findings] == [CHECK]


def test_a_filtered_pull_request_is_skipped_with_the_reason(tmp_path: Path) -> None:
    verdict = reviewed(tmp_path, base='[filters]\ntitles = ["!WIP*"]\n', about=About(title="wip: it"))
    assert verdict.kind is VerdictKind.SKIPPED
    assert "panlect.toml: left out by its title" in verdict.reason
    assert not verdict.findings


def test_filters_are_about_pull_requests_and_not_about_a_terminal(tmp_path: Path) -> None:
    assert reviewed(tmp_path, base="[review]\nmax_changed_lines = 1\n").kind is VerdictKind.REVIEWED


def test_a_file_that_moves_into_an_excluded_folder_is_read(tmp_path: Path) -> None:
    made = repos.create_bare(tmp_path / "r.git", "main")
    body = "".join(f"x{n} = {n}\n" for n in range(30))
    before = {"a.py": body, "panlect.toml": '[paths]\nexclude = ["old/**"]\n'}
    moved = commit("head", {"old/a.py": body + "y = 1\n"}, "main") + b"D a.py\n"
    made.run("fast-import", "--quiet", stdin=commit("main", before) + moved)
    assert verdict_of(made, tmp_path, None).coverage.read
