"""A review for each change, none without one, and a quiet end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from panlect.errors import BadInputError, NotARepositoryError, PanlectError
from panlect.git.run import git
from panlect.review.watch import PAUSE_S, watch


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git("init", "--quiet", "--template=", str(tmp_path))
    script = b"commit refs/heads/main\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nm\nM 100644 inline a\ndata 1\n1\n"
    git("fast-import", "--quiet", git_dir=tmp_path / ".git", stdin=script)
    git("symbolic-ref", "HEAD", "refs/heads/main", git_dir=tmp_path / ".git")
    return tmp_path


def watched(
    repo: Path, *steps: Callable[[], object], fail: frozenset[int] = frozenset()
) -> tuple[int, list[str]]:
    """How many reviews there were when each look was followed by a step, and Ctrl-C after the last one."""
    rounds = 0
    told: list[str] = []
    left = list(steps)

    def review() -> None:
        nonlocal rounds
        rounds += 1
        if rounds in fail:
            raise BadInputError("The index holds an unresolved merge.")

    def wait(seconds: float) -> None:
        assert seconds >= PAUSE_S
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    def report(error: PanlectError) -> None:
        told.append(error.what)

    watch(repo, review, report, wait=wait)
    return rounds, told


def nothing() -> None:
    """A second in which nobody types."""


def test_it_reviews_at_once_and_not_again_while_nothing_changes(repo: Path) -> None:
    assert watched(repo) == (1, [])
    assert watched(repo, *[nothing] * 5) == (1, [])


def test_each_change_is_one_review_once_it_stands_still(repo: Path) -> None:
    def write(text: str) -> Callable[[], object]:
        return lambda: (repo / "b").write_text(text)

    rounds, told = watched(
        repo, write("1"), write("12"), nothing, nothing, nothing, nothing, write("1"), *[nothing] * 4
    )
    assert (rounds, told) == (3, [])


def test_work_that_never_stands_still_is_reviewed_all_the_same(repo: Path) -> None:
    steps = [lambda n=n: (repo / "b").write_text("x" * n) for n in range(1, 16)]
    assert watched(repo, *steps)[0] >= 3


def test_a_round_that_fails_is_told_and_the_next_one_comes(repo: Path) -> None:
    rounds, told = watched(repo, lambda: (repo / "b").write_text("1"), *[nothing] * 4, fail=frozenset({1}))
    assert (rounds, told) == (2, ["The index holds an unresolved merge."])


def test_there_has_to_be_a_repository(tmp_path: Path) -> None:
    with pytest.raises(NotARepositoryError):
        watched(tmp_path / "nowhere")
