"""The three verbs as people run them: findings, exit codes, JSON that its schema knows, plain output."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from docs.json_shapes import SCHEMAS

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
SHOP = {
    "shop/__init__.py": "",
    "shop/capture.py": "def capture(order):\n    return order.total\n",
    "shop/retry.py": "from shop.capture import capture\n\n\ndef retry(order):\n    return capture(order)\n",
    "README.md": "# Shop\n",
}
BROKEN = {"shop/capture.py": "def capture(order, key):\n    return order.total, key\n"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "80",
    }


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """`main`; `break` breaks a caller, `clean` and `unread` do not; the work tree is on `break`."""
    where = tmp_path / "repo"
    where.mkdir()
    git(where, "init", "-q", "-b", "main")
    commit(where, SHOP)
    for branch, files in (
        ("clean", {"README.md": "# Shop\n\nSells.\n"}),
        ("unread", {"main.rs": "fn main() {}\n"}),
        ("break", BROKEN),
    ):
        git(where, "checkout", "-q", "-b", branch, "main")
        commit(where, files)
    return where


@pytest.fixture
def panlect(repo: Path, environment: dict[str, str]) -> Run:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "panlect.cli", *arguments]
        return subprocess.run(
            command, cwd=repo, env={**environment, **more}, capture_output=True, timeout=60, check=False
        )

    return run


def git(where: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=where, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(where: Path, files: dict[str, str]) -> None:
    write(where, files)
    git(where, "add", ".")
    git(where, "commit", "-qm", "change")


def write(where: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        (where / path).write_text(text)


def checked(name: str, done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """The JSON on standard output, as its published schema has it."""
    found = json.loads(done.stdout)
    schema = json.loads((ROOT / "docs" / "reference" / f"{name}.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    assert isinstance(found, dict)
    return found


def test_a_broken_caller_is_found_and_shown_with_its_frame(panlect: Run) -> None:
    done = panlect("review")
    said = done.stdout.decode()
    assert done.returncode == 0
    assert "call-mismatch" in said
    assert "  --> shop/capture.py:1" in said
    assert "  also shop/retry.py:5" in said
    assert said.splitlines()[-1].startswith("REVIEWED  1 finding | 1 of 1 hunks read | depth: checks | ")
    assert said.rstrip().endswith("model: none")
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--head", "break"], 0),
        (["--head", "break", "--fail-on", "P1"], 1),
        (["--head", "break", "--fail-on", "p0"], 0),
        (["--head", "clean", "--fail-on", "P3", "--strict"], 0),
        (["--head", "unread"], 0),
        (["--head", "unread", "--strict"], 4),
        (["--head", "main", "--base", "main"], 0),
        (["--head", "nowhere"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_code_says_how_it_went(panlect: Run, arguments: list[str], code: int) -> None:
    base = [] if "--base" in arguments else ["--base", "main"]
    assert panlect("review", *base, *arguments).returncode == code


def test_what_git_cannot_read_is_exit_code_3(panlect: Run, repo: Path) -> None:
    tree = git(repo, "rev-parse", "break^{tree}")
    kept = repo / ".git" / "objects" / tree[:2] / tree[2:]
    kept.chmod(0o644)
    kept.write_bytes(b"not an object")
    done = panlect("review")
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr


def test_a_traceback_is_there_for_who_asks(panlect: Run) -> None:
    assert b"Traceback" in panlect("--debug", "review", "--head", "nowhere").stderr


def test_review_as_json_is_what_the_schema_says(panlect: Run, repo: Path, tmp_path: Path) -> None:
    review = checked("review", panlect("review", "--json", "-"))
    assert (review["verdict"], review["depth"], review["mode"]) == ("REVIEWED", "checks", "lexical+graph")
    assert [finding["check"] for finding in review["findings"]] == ["call-mismatch"]
    assert (review["base"], review["head"]) == (
        git(repo, "rev-parse", "main"),
        git(repo, "rev-parse", "break"),
    )
    partial = checked("review", panlect("review", "--base", "main", "--head", "unread", "--json", "-"))
    assert (partial["verdict"], len(partial["coverage"]["unread"])) == ("PARTIAL", 1)
    to_file = panlect("review", "--json", str(tmp_path / "review.json"))
    again = json.loads((tmp_path / "review.json").read_text())
    assert {**again, "ms": 0} == {**review, "ms": 0}
    assert b"REVIEWED" in to_file.stdout


def test_search_as_json_is_what_the_schema_says(panlect: Run) -> None:
    answer = checked("search", panlect("search", "capture", "--json", "-"))
    assert (answer["hits"][0]["path"], answer["hits"][0]["symbol"]) == ("shop/capture.py", "capture")
    assert len(checked("search", panlect("search", "capture", "-k", "1", "--json", "-"))["hits"]) == 1
    assert checked("search", panlect("search", "qzx", "--json", "-"))["hits"] == []


def test_context_as_json_is_what_the_schema_says_for_a_head_and_for_a_diff(
    panlect: Run, repo: Path, tmp_path: Path
) -> None:
    of_head = checked("context", panlect("context", "--base", "main", "--json", "-"))
    assert "shop/retry.py" in {item["path"] for item in of_head["items"]}
    (tmp_path / "change.diff").write_text(git(repo, "diff", "main", "break") + "\n")
    asked = ("context", "--base", "main", "--diff", str(tmp_path / "change.diff"), "--json", "-")
    of_diff = checked("context", panlect(*asked))
    assert of_diff == of_head
    assert sum(item["tokens"] for item in of_head["items"]) <= 8000


def test_uncommitted_work_is_reviewed_and_the_repository_stays_as_it_was(panlect: Run, repo: Path) -> None:
    git(repo, "checkout", "-q", "clean")
    write(repo, BROKEN)
    before = git(repo, "status", "--porcelain"), git(repo, "count-objects"), git(repo, "rev-parse", "HEAD")
    review = checked("review", panlect("review", "--uncommitted", "--json", "-"))
    assert [finding["check"] for finding in review["findings"]] == ["call-mismatch"]
    after = git(repo, "status", "--porcelain"), git(repo, "count-objects"), git(repo, "rev-parse", "HEAD")
    assert before == after


def test_the_same_review_twice_is_the_same(panlect: Run) -> None:
    first, second = (json.loads(panlect("review", "--json", "-").stdout) for _ in range(2))
    assert {**first, "ms": 0} == {**second, "ms": 0}


def test_nothing_of_the_repository_is_executed(panlect: Run, repo: Path, tmp_path: Path) -> None:
    pwned = tmp_path / "pwned"
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor"):
        (repo / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {pwned}\n")
        (repo / ".git" / "hooks" / hook).chmod(0o755)
    git(repo, "config", "core.fsmonitor", f"touch {pwned};")
    git(repo, "config", "diff.evil.textconv", f"touch {pwned}; cat")
    git(repo, "config", "diff.evil.command", f"touch {pwned}")
    git(repo, "config", "filter.evil.clean", f"touch {pwned}; cat")
    git(repo, "config", "diff.external", f"touch {pwned}")
    write(
        repo,
        {".gitattributes": "*.py diff=evil filter=evil\n", "conftest.py": f"open({str(pwned)!r}, 'w')\n"},
    )
    for arguments in (["review"], ["review", "--uncommitted"], ["search", "capture"], ["context"]):
        assert panlect(*arguments).returncode == 0
    assert not pwned.exists()


def test_an_attribute_does_not_hide_code_from_its_review(panlect: Run, repo: Path) -> None:
    commit(repo, {".gitattributes": "*.py binary -diff\n"})
    review = checked("review", panlect("review", "--base", "main", "--json", "-"))
    assert (review["verdict"], len(review["findings"])) == ("REVIEWED", 1)
    assert review["findings"][0]["path"] == "shop/capture.py"


@pytest.mark.parametrize(
    ("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(
    repo: Path, environment: dict[str, str], more: dict[str, str], coloured: bool
) -> None:
    said = in_a_terminal(["review"], repo, {"TERM": "xterm-256color", **environment, **more})
    assert bool(re.search(r"\x1b\[(?:\d+;)*3[0-7]", said)) is coloured
    assert "call-mismatch" in said


def test_a_pipe_gets_no_colour_and_no_progress(panlect: Run) -> None:
    done = panlect("review", TERM="xterm-256color")
    assert b"\x1b" not in done.stdout + done.stderr


def in_a_terminal(arguments: list[str], cwd: Path, environment: dict[str, str]) -> str:
    """What a person sees: the program writes to a pseudo terminal of 80 columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "panlect.cli", *arguments]
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    blocks = []
    try:
        while block := os.read(ours, 4096):
            blocks.append(block)
    except OSError:  # how a pseudo terminal says that the other end is closed
        pass
    finally:
        os.close(ours)
        assert process.wait(30) == 0
    return b"".join(blocks).decode()


def test_help_names_every_verb_and_fits_80_columns(panlect: Run) -> None:
    for arguments in (["--help"], ["review", "--help"], ["search", "--help"], ["context", "--help"]):
        said = panlect(*arguments).stdout.decode()
        assert max(len(line) for line in said.splitlines()) <= 80
    for verb in ("review", "search", "context", "config", "up", "demo", "migrate"):
        assert re.search(rf"^  {verb} ", panlect("--help").stdout.decode(), re.MULTILINE), verb


def test_a_reader_who_leaves_early_is_no_error(repo: Path, environment: dict[str, str]) -> None:
    script = f"{sys.executable} -m panlect.cli config show | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=repo, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_index_says_what_became_of_every_file(panlect: Run) -> None:
    first, again = (
        checked("index", panlect("index", "--json", "-")),
        checked("index", panlect("index", "--json", "-")),
    )
    assert (
        first["files"]
        == len(first["records"])
        == sum(first["read"].values()) + sum(first["skipped"].values())
    )
    assert first["analysed"] == first["files"] - sum(first["skipped"].values())
    assert again["analysed"] == 0
    said = panlect("index", "--files")
    assert f"{sum(first['read'].values())} of {first['files']} files read" in said.stdout.decode()


def test_everyone_who_knows_a_name_is_listed(panlect: Run) -> None:
    found = checked("who", panlect("who", "capture", "--json", "-"))
    roles = {(site["path"], site["role"]) for site in found["sites"]}
    assert {("shop/capture.py", "defines"), ("shop/retry.py", "uses")} <= roles
    said = panlect("who", "capture").stdout.decode()
    assert "shop/capture.py:1  defined (function)" in said
    nobody = panlect("who", "no_such_name")
    assert (nobody.returncode, nobody.stdout) == (0, b"")
    assert b"nobody knows it" in nobody.stderr
    assert panlect("who", "x", "--kind", "nothing").returncode == 2


def test_a_search_is_filtered(panlect: Run) -> None:
    found = checked("search", panlect("search", "capture", "--path", "shop/retry.py", "--json", "-"))
    assert {hit["path"] for hit in found["hits"]} == {"shop/retry.py"}
    assert panlect("search", "capture", "--kind", "nothing").returncode == 2


def test_a_change_says_how_far_it_reaches(panlect: Run, repo: Path) -> None:
    found = checked("reach", panlect("reach", "--base", "main", "--head", "break", "--json", "-"))
    assert found["names"][0]["name"] == "capture"
    assert found["said"] == f"1 repository, {found['sites']} call site{'' if found['sites'] == 1 else 's'}"
    assert (
        panlect("reach", "--base", "main", "--head", "break").stdout.decode().splitlines()[-1]
        == found["said"]
    )


def test_a_question_without_a_model_is_answered_with_the_places_that_fit(panlect: Run) -> None:
    done = panlect("ask", "capture an order", "-k", "2")
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "- [shop/capture.py:1-2] capture" in said
    assert "       1 | def capture(order" in said
    assert done.stderr.decode().splitlines()[0] == "1. search capture an order"
    assert done.stderr.decode().rstrip().endswith("model: none")
    found = json.loads(panlect("ask", "capture", "--repo", ".", "--json", "-").stdout)
    Draft202012Validator(SCHEMAS["ask"]).validate(found)
    assert found["why"].startswith("No model is configured")
    assert panlect("ask", " ").returncode == 2
