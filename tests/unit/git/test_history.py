"""What changed together is read from history, within bounds, whatever the history looks like."""

from __future__ import annotations

from typing import Any

import pytest

from panlect.errors import BadInputError
from panlect.git import history
from panlect.git.history import CoChange, Past, co_changes


def test_files_of_the_same_commits_are_beside_a_file(work: Any) -> None:
    work.commit({"a.py": "1", "b.py": "1"})
    work.commit({"a.py": "2", "b.py": "2", "c.py": "2"})
    head = work.commit({"a.py": "3"})
    found = co_changes(work.repository, head).beside(["a.py"])
    assert [(one.path, one.common, one.commits) for one in found] == [("b.py", 2, 3), ("c.py", 1, 3)]
    assert found[0].reason == "changed together in 2 of 3 commits"


def test_commits_after_the_revision_are_not_known(work: Any) -> None:
    before = work.commit({"a.py": "1"})
    work.commit({"a.py": "2", "b.py": "2"})
    assert co_changes(work.repository, before).beside(["a.py"]) == ()


def test_a_renamed_file_keeps_its_past(work: Any) -> None:
    work.commit({"old.py": "one\ntwo\nthree\n", "b.py": "1"})
    work.git("mv", "old.py", "new.py")
    head = work.commit({})
    assert [one.path for one in co_changes(work.repository, head).beside(["new.py"])] == ["b.py"]


def test_a_file_that_went_through_two_names_keeps_its_past(work: Any) -> None:
    work.commit({"a.py": "one\ntwo\nthree\n", "b.py": "1"})
    for old, new in (("a.py", "x.py"), ("x.py", "y.py")):
        work.git("mv", old, new)
        head = work.commit({})
    assert [one.path for one in co_changes(work.repository, head).beside(["y.py"])] == ["b.py"]


def test_a_sweep_over_many_files_joins_nothing(work: Any) -> None:
    head = work.commit({f"f{number}.py": "1" for number in range(history.MAX_FILES + 1)})
    assert co_changes(work.repository, head).beside(["f1.py"]) == ()


def test_merges_do_not_count(work: Any) -> None:
    work.commit({"a.py": "1"})
    work.git("checkout", "-q", "-b", "side")
    work.commit({"b.py": "1"})
    work.git("checkout", "-q", "main")
    work.commit({"c.py": "1"})
    work.git("merge", "-q", "--no-edit", "side")
    head = work.git("rev-parse", "HEAD")
    assert [past.paths for past in co_changes(work.repository, head).past] == [
        ("c.py",),
        ("b.py",),
        ("a.py",),
    ]


def test_no_more_commits_are_read_than_asked_for(work: Any) -> None:
    for number in range(4):
        head = work.commit({"a.py": str(number)})
    found = co_changes(work.repository, head, max_commits=2)
    assert (len(found.past), found.truncated) == (2, True)
    assert not co_changes(work.repository, head).truncated


def test_output_over_the_limit_is_cut_at_a_commit(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        head = work.commit({"a.py": str(number), "b.py": str(number)})
    monkeypatch.setattr(history, "_LIMITS", history.Limits(seconds=20, output_bytes=200))
    found = co_changes(work.repository, head)
    assert found.truncated
    assert all(past.paths == ("a.py", "b.py") for past in found.past)


@pytest.mark.parametrize("name", [":100644 100644 aaaa bbbb M", "\n:x", "a\nb", "é", "-x", "f" * 40])
def test_a_path_that_looks_like_output_of_git_is_a_path(work: Any, name: str) -> None:
    head = work.commit({name: "1", "b.py": "1"})
    assert name in [one.path for one in co_changes(work.repository, head).beside(["b.py"])]


def test_bytes_that_are_no_text_are_escaped(work: Any, commit_of: Any) -> None:
    head = commit_of({b"\xff.py": ("100644", b"1"), b"b.py": ("100644", b"1")})
    assert [one.path for one in co_changes(work.repository, head).beside(["b.py"])] == ["\\xff.py"]


def test_a_revision_that_is_no_commit_id_is_refused(work: Any) -> None:
    work.commit({"a": "1"})
    with pytest.raises(BadInputError, match="not a full commit id"):
        co_changes(work.repository, "--output=/tmp/x")


def test_recent_commits_weigh_more() -> None:
    past = CoChange((Past(0, ("a", "recent")), Past(2000, ("a", "past"))))
    assert [one.path for one in past.beside("a")] == ["recent", "past"]


def test_a_file_that_changes_with_everything_says_little() -> None:
    often = [Past(age, (f"x{age}", "always")) for age in range(20)]
    past = CoChange((*often, Past(20, ("a", "always", "b"))))
    assert [one.path for one in past.beside("a")] == ["b", "always"]


def test_small_commits_say_more() -> None:
    past = CoChange((Past(0, ("a", "b")), Past(0, ("a", "c", "d", "e"))))
    assert past.beside("a")[0].path == "b"
