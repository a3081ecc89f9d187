"""The three verbs on what people and hostile repositories throw at them: an exit code, three lines, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
VERBS = {"review": ["review"], "search": ["search", "capture"], "context": ["context"]}


@pytest.fixture
def panlect(tmp_path: Path) -> Run:
    """Runs the program in a home of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments: str | bytes | Path) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "panlect.cli", *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, timeout=120, cwd=tmp_path, check=False
        )

    return run


def git(where: Path, *arguments: str | Path, stdin: bytes = b"") -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, "-C", where, *arguments], input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def init(where: Path) -> Path:
    where.mkdir()
    git(where, "init", "-q", "-b", "main")
    return where


def commit(where: Path, branch: str, changes: list[bytes], parent: str = "") -> None:
    """A commit straight into the object store: no file of it touches the disk by its name."""
    head = f"commit refs/heads/{branch}\ncommitter t <t@example.org> 1700000000 +0000\ndata 1\nm\n".encode()
    begin = f"from refs/heads/{parent}\n".encode() if parent else b""
    git(where, "fast-import", "--quiet", "--force", stdin=head + begin + b"".join(changes))


def file(path: bytes, content: bytes, mode: str = "100644") -> bytes:
    quoted = b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    return b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), quoted, len(content), content)


def two_commits(where: Path) -> Path:
    """`main`, and `work` one commit ahead of it."""
    init(where)
    commit(where, "main", [file(b"pay.py", b"def capture(order):\n    return order\n")])
    commit(where, "work", [file(b"pay.py", b"def capture(order):\n    return order.total\n")], "main")
    return where


def assert_three_lines(done: subprocess.CompletedProcess[bytes], said: str) -> None:
    """Usage: what, why and fix on standard error, nothing on standard output."""
    assert done.returncode == 2, done
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("error: ")
    assert all(line.startswith(("  why: ", "  fix: ")) for line in lines[1:]), lines
    assert len(lines) <= 3
    assert said in lines[0]
    assert done.stdout == b""


def review_json(done: subprocess.CompletedProcess[bytes], code: int = 0) -> dict[str, Any]:
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_that_is_no_repository(panlect: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "plain").mkdir()
    assert_three_lines(panlect(*VERBS[verb], "--repo", "plain"), "not a git repository")


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_that_is_not_there(panlect: Run, verb: str) -> None:
    assert_three_lines(panlect(*VERBS[verb], "--repo", "nowhere"), "does not exist")


@pytest.mark.parametrize("verb", VERBS)
def test_a_repository_without_a_commit(panlect: Run, tmp_path: Path, verb: str) -> None:
    init(tmp_path / "empty")
    assert_three_lines(panlect(*VERBS[verb], "--repo", "empty"), "no commit yet")


@pytest.mark.parametrize(
    ("verb", "option", "revision"),
    [
        ("review", "--base", "nope"),
        ("review", "--head", "nope"),
        ("search", "--rev", "nope"),
        ("context", "--head", "nope"),
        ("review", "--base", "-x"),
        ("review", "--base", "--output=pwned"),
        ("search", "--rev", "main..work"),
        ("context", "--base", "main\n"),
    ],
)
def test_a_revision_that_is_not_there(
    panlect: Run, tmp_path: Path, verb: str, option: str, revision: str
) -> None:
    two_commits(tmp_path / "repo")
    assert_three_lines(panlect(*VERBS[verb], "--repo", "repo", option, revision), "is not in")
    assert not list(tmp_path.glob("**/pwned*"))


def test_heads_that_share_no_history(panlect: Run, tmp_path: Path) -> None:
    repo = two_commits(tmp_path / "repo")
    commit(repo, "orphan", [file(b"other.py", b"x = 1\n")])
    done = panlect("review", "--repo", repo, "--base", "orphan", "--head", "work")
    assert_three_lines(done, "share no history")


def test_a_detached_head_is_reviewed_against_the_branch_it_left(panlect: Run, tmp_path: Path) -> None:
    repo = two_commits(tmp_path / "repo")
    git(repo, "checkout", "-q", "--detach", "work")
    review = review_json(panlect("review", "--repo", repo, "--json", "-"))
    assert (review["verdict"], review["base"]) == ("REVIEWED", git(repo, "rev-parse", "main"))


def test_a_shallow_clone_says_that_it_is_shallow(panlect: Run, tmp_path: Path) -> None:
    repo = two_commits(tmp_path / "repo")
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "work", f"file://{repo}", "shallow")
    done = panlect("review", "--repo", "shallow", "--base", "origin/main")
    assert_three_lines(done, "is not in")
    assert b"why: The clone is shallow." in done.stderr
    assert b"--unshallow" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["review", "--fail-on", "P9"], "is not a severity"),
        (["review", "--uncommitted", "--head", "work"], "exclude each other"),
        (["review", "--json", "/nowhere/x.json"], "cannot be written"),
        (["search", "  "], "query is empty"),
        (["context", "--diff", "nowhere.diff"], "cannot be read"),
        (["context", "--diff", "x", "--head", "work"], "exclude each other"),
    ],
)
def test_flags_that_cannot_be(panlect: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    two_commits(tmp_path / "repo")
    git(tmp_path / "repo", "symbolic-ref", "HEAD", "refs/heads/work")
    assert_three_lines(panlect(*arguments, "--repo", "repo"), said)


@pytest.mark.parametrize(
    "diff",
    [
        b"garbage\n",
        b"",
        b"--- a/pay.py\n+++ b/../../escaped.py\n@@ -0,0 +1 @@\n+x = 1\n",
        b"--- a/pay.py\n+++ b/pay.py\n@@ -1,2 +1,2 @@\n-not there\n+x\n",
        b"--- /dev/null\n+++ b/.git/hooks/post-checkout\n@@ -0,0 +1 @@\n+touch pwned\n",
    ],
    ids=["garbage", "empty", "escape", "does not apply", "hook"],
)
def test_a_diff_that_does_not_apply(panlect: Run, tmp_path: Path, diff: bytes) -> None:
    two_commits(tmp_path / "repo")
    (tmp_path / "bad.diff").write_bytes(diff)
    done = panlect("context", "--repo", "repo", "--diff", "bad.diff", "--base", "main")
    assert_three_lines(done, "diff")
    assert not list(tmp_path.glob("**/escaped.py"))
    assert not (tmp_path / "repo/.git/hooks/post-checkout").exists()


def test_a_repository_full_of_bad_files_is_reviewed_and_says_what_was_not_read(
    panlect: Run, tmp_path: Path
) -> None:
    repo = init(tmp_path / "repo")
    well = file(b"pay.py", b"def capture(order):\n    return order\n")
    commit(repo, "main", [well])
    large = b"value = 1\n" * (5 * 1024 * 1024)  # 50 MB of one file
    hostile = [
        file(b"pay.py", b"def capture(order):\n    return order.total\n"),
        file(b"large.py", large),
        file(b"latin.py", b"# caf\xe9\nname = 'caf\xe9'\n"),
        file(b"utf16.py", "x = 1\n".encode("utf-16")),
        file(b"nul.py", b"x = 1\n\x00\x01\x02"),
        file(b"link.py", b"/etc/passwd", "120000"),
        file(b"loop", b"loop", "120000"),
        b"M 160000 1111111111111111111111111111111111111111 vendor/lib\n",
        file(b"new\nline.py", b"y = 1\n"),
        file(b"bad-\xff\xfe.py", b"z = 1\n"),
        file(b'quo"te\\.py', b"q = 1\n"),
        file(b"\x1b[31mred.py", b"r = 1\n"),
        file(b"broken.py", b"def (((\n"),
        file(b"deep.py", b"(" * 50_000 + b")" * 50_000 + b"\n"),
        file(b"long.py", b"a = '" + b"x" * 500_000 + b"'\n"),
        file(b"empty.py", b""),
    ]
    commit(repo, "work", hostile, "main")
    done = panlect("review", "--repo", repo, "--base", "main", "--head", "work", "--json", "-")
    review = review_json(done)
    assert review["verdict"] == "PARTIAL"
    unread = {row["path"]: row["reason"] for row in review["coverage"]["unread"]}
    assert unread == {
        "broken.py": "does not parse after the change",
        "deep.py": "minified",
        "large.py": "larger than 8 MB",
        "latin.py": "not UTF-8",
        "long.py": "minified",
        "nul.py": "binary content in a source file",
        "utf16.py": "binary content in a source file",
    }
    assert {row["path"]: row["reason"] for row in review["coverage"]["excluded"]} == {
        "empty.py": "empty file",
        "link.py": "symbolic link",
        "loop": "symbolic link",
        "vendor/lib": "submodule",
    }
    assert review["coverage"]["read"] == 5  # pay.py, and four with names that are hard to print
    strict = panlect("review", "--repo", repo, "--base", "main", "--head", "work", "--strict")
    assert strict.returncode == 4
    assert b"\x1b" not in strict.stdout
    assert b"root:" not in strict.stdout
    for verb in (["search", "capture", "--rev", "work"], ["context", "--base", "main", "--head", "work"]):
        answered = panlect(*verb, "--repo", repo, "--json", "-")
        assert answered.returncode == 0, answered.stderr.decode()
        assert json.loads(answered.stdout)["schema_version"] == 1


def test_a_file_that_aborts_the_parser_is_unread_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from panlect.index import analyse
    from panlect.review.local import ReviewRequest, exit_code, review_local

    monkeypatch.setenv("PANLECT_CACHE_DIR", str(tmp_path / "cache"))
    original = analyse.ChildPool
    monkeypatch.setattr(
        analyse,
        "ChildPool",
        lambda _, **limits: original("tests.e2e.aborting_parser:analyse_one", **limits),
    )
    repo = two_commits(tmp_path / "repo")
    commit(repo, "abort", [file(b"bomb.py", b"ABORTS = 1\n"), file(b"fine.py", b"x = 1\n")], "main")
    request = ReviewRequest(repo, base="main", head="abort", strict=True)
    with review_local(request) as done:
        coverage = done.verdict.coverage
    assert [(hunk.path, hunk.reason) for hunk in coverage.unread] == [("bomb.py", "parser crashed")]
    assert [hunk.path for hunk in coverage.read] == ["fine.py"]
    assert exit_code(done.verdict, request) == 4


OLD, NEW = b"def capture(order):\n    return order\n", b"def capture(order, key):\n    return order\n"
BUMPED = b"M 160000 %s lib\n"


@pytest.mark.parametrize(
    ("before", "after", "verdict", "said"),
    [
        ([], [file(b"pay.py", NEW.replace(b"\n", b"\r\n"))], "REVIEWED", ["call-mismatch"]),
        ([], [file(b"pay.py", OLD.replace(b"\n", b"\r\n"))], "SKIPPED", ["white space only"]),
        ([], [file(b"pay.py", NEW.rstrip(b"\n"))], "REVIEWED", ["call-mismatch"]),
        ([], [file(b"pay.py", OLD.rstrip(b"\n"))], "SKIPPED", ["white space only"]),
        ([BUMPED % (b"1" * 40)], [BUMPED % (b"2" * 40)], "SKIPPED", ["submodule"]),
        (
            [],
            [file(b"pay.py", NEW), file(b"one.py", b'x = "' + b"a" * (50 << 20) + b'"\n')],
            "PARTIAL",
            ["call-mismatch", "larger than 8 MB"],
        ),
    ],
    ids=["CRLF", "CRLF alone", "no end of line", "no end of line alone", "submodule", "a line of 50 MB"],
)
def test_an_odd_change_is_read_or_left_out_with_a_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: list[bytes],
    after: list[bytes],
    verdict: str,
    said: list[str],
) -> None:
    repo = init(tmp_path / "repo")
    call = file(b"jobs.py", b"from pay import capture\n\ncapture(1)\n")
    commit(repo, "main", [file(b"pay.py", OLD), call, *before])
    commit(repo, "work", after, "main")
    assert_reviewed(repo, tmp_path, monkeypatch, verdict, said)


def test_a_merge_commit_as_head_brings_what_both_sides_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = init(tmp_path / "repo")
    commit(repo, "main", [file(b"pay.py", OLD), file(b"jobs.py", b"from pay import capture\n\ncapture(1)\n")])
    commit(repo, "side", [file(b"pay.py", NEW)], "main")
    commit(repo, "own", [file(b"x.py", b"x = 1\n")], "main")
    commit(repo, "work", [b"merge refs/heads/side\n", file(b"pay.py", NEW)], "own")
    assert len(git(repo, "rev-list", "--parents", "-1", "work").split()) == 3
    assert_reviewed(repo, tmp_path, monkeypatch, "REVIEWED", ["call-mismatch"])


def assert_reviewed(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, said: list[str]
) -> None:
    """The verdict, and what is found or said of hunks that were not read."""
    from panlect.review.local import ReviewRequest, review_local
    from panlect.review.outputs.formats import FORMATS

    monkeypatch.setenv("PANLECT_CACHE_DIR", str(tmp_path / "cache"))
    with review_local(ReviewRequest(repo, base="main", head="work")) as done:
        found = done.verdict
        hunks = (*found.coverage.unread, *found.coverage.excluded)
        assert sorted([f.check for f in found.findings] + [hunk.reason for hunk in hunks]) == said
        assert found.kind.value == verdict
        assert all(written(found, done.lines) for written in FORMATS.values())
