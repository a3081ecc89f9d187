"""What a review can be of, as people run it: the index, a diff from a pipe, a push that is about to happen."""

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
SHOP = {
    "shop/__init__.py": "",
    "shop/capture.py": "def capture(order):\n    return order.total\n",
    "shop/retry.py": "from shop.capture import capture\n\n\ndef retry(order):\n    return capture(order)\n",
}
BROKEN = "def capture(order, key):\n    return order.total, key\n"
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Runs a command in the repository."""

    def ran(*command: str, stdin: bytes = b"", code: int | None = 0) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            command, cwd=tmp_path / "repo", env=environment, input=stdin, capture_output=True, timeout=60, check=False
        )  # fmt: skip
        assert code is None or done.returncode == code, done.stderr.decode()
        return done

    return ran


@pytest.fixture
def repo(tmp_path: Path, run: Run) -> Path:
    """`main` with a shop, in a work tree that stands on it."""
    where = tmp_path / "repo"
    where.mkdir()
    run("git", "init", "-q", "-b", "main")
    for path, text in SHOP.items():
        (where / path).parent.mkdir(exist_ok=True)
        (where / path).write_text(text)
    run("git", "add", ".")
    run("git", "commit", "-qm", "shop")
    return where


@pytest.fixture
def review(run: Run, repo: Path) -> Callable[..., dict[str, Any]]:
    """The JSON of a review."""

    def reviewed(*flags: str, stdin: bytes = b"", code: int = 0) -> dict[str, Any]:
        done = run(
            sys.executable, "-m", "panlect.cli", "review", *flags, "--json", "-", stdin=stdin, code=code
        )
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    return reviewed


def checks(review: dict[str, Any]) -> list[str]:
    return [finding["check"] for finding in review["findings"]]


def test_what_is_staged_is_reviewed_and_not_what_lies_beside_it(run: Run, repo: Path, review: Any) -> None:
    (repo / "shop/capture.py").write_text(BROKEN)
    assert review("--staged")["verdict"] == "SKIPPED"
    run("git", "add", "shop/capture.py")
    (repo / "shop/capture.py").write_text(SHOP["shop/capture.py"])
    assert checks(review("--staged")) == ["call-mismatch"]
    assert review("--uncommitted")["verdict"] == "SKIPPED"


def test_a_diff_from_a_pipe_is_reviewed_against_its_base(run: Run, repo: Path, review: Any) -> None:
    (repo / "shop/capture.py").write_text(BROKEN)
    diff = run("git", "diff").stdout
    run("git", "checkout", "-q", ".")
    found = review("--stdin", stdin=diff)
    assert (checks(found), found["base"]) == (
        ["call-mismatch"],
        run("git", "rev-parse", "main").stdout.decode().strip(),
    )
    assert checks(review("--stdin", "--base", "main", "--fail-on", "P1", stdin=diff, code=1)) == [
        "call-mismatch"
    ]
    assert review("--stdin", stdin=b"")["reason"] == "empty change"
    wrong = run(sys.executable, "-m", "panlect.cli", "review", "--stdin", stdin=b"no diff\n", code=2)
    assert b"does not apply" in wrong.stderr


def test_a_push_that_breaks_something_is_stopped_and_one_that_does_not_goes_on(
    run: Run, repo: Path, tmp_path: Path
) -> None:
    run("git", "init", "-q", "--bare", str(tmp_path / "host.git"))
    run("git", "remote", "add", "origin", str(tmp_path / "host.git"))
    run("git", "push", "-q", "-u", "origin", "main")
    installed = run(sys.executable, "-m", "panlect.cli", "hook", "install")
    assert b"reviews what is pushed" in installed.stdout
    # The folder of a push is the repository: nothing in it is imported by the reviewer.
    (repo / "json.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')\n")
    (repo / "shop/capture.py").write_text(BROKEN)
    run("git", "add", ".")
    run("git", "commit", "-qm", "break")
    stopped = run("git", "push", "origin", "main", code=None)
    assert stopped.returncode != 0
    assert b"call-mismatch" in stopped.stderr
    assert b"the push was stopped" in stopped.stderr
    (repo / "shop/retry.py").write_text(SHOP["shop/retry.py"].replace("capture(order)", "capture(order, 1)"))
    run("git", "commit", "-qam", "repair")
    assert b"REVIEWED" in run("git", "push", "origin", "main").stderr
    run("git", "push", "-q", "origin", "main:gone")
    run("git", "push", "-q", "origin", ":gone")
    assert not (tmp_path / "pwned").exists()
    assert b"removed" in run(sys.executable, "-m", "panlect.cli", "hook", "remove").stdout


def test_a_push_goes_on_where_it_could_not_be_reviewed_and_says_so(
    run: Run, repo: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    run("git", "init", "-q", "--bare", str(tmp_path / "host.git"))
    run("git", "remote", "add", "origin", str(tmp_path / "host.git"))
    run(sys.executable, "-m", "panlect.cli", "hook", "install")
    environment["PANLECT_NONSENSE"] = "1"
    assert b"was NOT reviewed" in run("git", "push", "origin", "main").stderr
