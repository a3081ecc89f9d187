"""A work tree as it stands becomes a tree without a trace in the repository; so does a diff."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from panlect.errors import BadInputError
from panlect.git.repository import Repository, open_repository
from panlect.git.scratch import applied, fingerprint, staged, uncommitted
from panlect.git.tree import diff_trees, list_tree


def contents(repository: Repository, tree: str) -> dict[str, bytes]:
    entries = list_tree(repository, tree).entries
    blobs = dict(repository.read_blobs([entry.blob_sha for entry in entries if entry.mode != "160000"]))
    return {entry.path: blobs.get(entry.blob_sha, b"") for entry in entries}


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_the_tree_holds_what_the_work_tree_holds_now(work: Any) -> None:
    work.commit({".gitignore": "*.log\n", "kept": "1", "changed": "1", "deleted": "1", "folder/moved": "1"})
    work.write("changed", "2")
    work.write("new/file", "1")
    work.write("noise.log", "1")
    (work.path / "deleted").unlink()
    (work.path / "folder/moved").rename(work.path / "moved")
    with uncommitted(open_repository(work.path)) as (repository, tree):
        assert contents(repository, tree) == {
            ".gitignore": b"*.log\n",
            "kept": b"1",
            "changed": b"2",
            "new/file": b"1",
            "moved": b"1",
        }


def test_what_is_staged_and_changed_again_counts_as_it_lies_there(work: Any) -> None:
    work.commit({"a": "1"})
    work.write("a", "2")
    work.git("add", "a")
    work.write("a", "3")
    with uncommitted(work.repository) as (repository, tree):
        assert contents(repository, tree) == {"a": b"3"}


def test_an_unchanged_work_tree_is_the_tree_of_its_head(work: Any) -> None:
    work.commit({"a": "1", "b/c": "2"})
    with uncommitted(work.repository) as (_, tree):
        assert tree == work.git("rev-parse", "HEAD^{tree}")


def test_modes_links_and_hostile_names_are_kept(work: Any) -> None:
    work.commit({"a": "1"})
    work.write(b"new\nline", "1")
    work.write(b"\xff", "2")
    work.write("-rf", "3")
    work.write("run.sh", "4")
    (work.path / "run.sh").chmod(0o755)
    (work.path / "link").symlink_to("/etc/passwd")
    with uncommitted(work.repository) as (repository, tree):
        entries = {e.path: e.mode for e in list_tree(repository, tree).entries}
        assert contents(repository, tree)["link"] == b"/etc/passwd"
    assert entries == {
        "a": "100644", "new\nline": "100644", "\\xff": "100644", "-rf": "100644", "run.sh": "100755", "link": "120000"
    }  # fmt: skip


def test_a_submodule_stays_at_its_commit(work: Any) -> None:
    sha = work.commit({"a": "1"})
    work.git("update-index", "--add", "--cacheinfo", f"160000,{sha},module")
    (work.path / "module").mkdir()
    with uncommitted(work.repository) as (repository, tree):
        entries = {e.path: (e.mode, e.blob_sha) for e in list_tree(repository, tree).entries}
    assert entries["module"] == ("160000", sha)


def test_what_is_no_file_is_left_out(work: Any) -> None:
    work.commit({"a": "1"})
    os.mkfifo(work.path / "pipe")
    with uncommitted(work.repository) as (repository, tree):
        assert contents(repository, tree) == {"a": b"1"}


def test_nothing_in_the_repository_changes(work: Any) -> None:
    work.commit({"a": "1"})
    work.write("a", "2")
    work.write("b", "3")
    before = state(work.path)
    with uncommitted(work.repository) as (repository, tree):
        assert list_tree(repository, tree).entries
        objects = Path(repository.extra_env["GIT_OBJECT_DIRECTORY"])
        assert objects.is_dir()
    assert state(work.path) == before
    assert not objects.exists()


def test_filters_and_hooks_of_the_repository_do_not_run(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    mark, program = tmp_path / "mark", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    program.chmod(0o755)
    work.write(".gitattributes", "* filter=evil\n")
    for key in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor", "core.sshCommand"):
        work.git("config", key, str(program))
    (work.path / ".git/hooks").mkdir(exist_ok=True)
    (work.path / ".git/hooks/post-index-change").symlink_to(program)
    work.write("a", "2")
    with uncommitted(work.repository) as (repository, tree):
        assert contents(repository, tree)["a"] == b"2"
    assert not mark.exists()


def test_a_linked_work_tree_has_its_own_state(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    work.git("worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "linked/a").write_text("2")
    with uncommitted(open_repository(tmp_path / "linked")) as (repository, tree):
        assert contents(repository, tree) == {"a": b"2"}


def test_a_bare_repository_has_nothing_uncommitted(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    work.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    with pytest.raises(BadInputError, match="no work tree"), uncommitted(open_repository(tmp_path / "bare")):
        pass


DIFF = b"--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n"


def test_a_diff_is_applied_to_its_base_and_not_to_the_work_tree(work: Any) -> None:
    base = work.commit({"a": "1\n", "b": "1\n"})
    before = state(work.path)
    with applied(work.repository, base, DIFF) as (repository, tree):
        assert contents(repository, tree) == {"a": b"2\n", "b": b"1\n"}
        assert [change.new_path for change in diff_trees(repository, base, tree)] == ["a"]
    assert state(work.path) == before


@pytest.mark.parametrize(
    "diff",
    [
        b"",
        b"nothing",
        DIFF.replace(b"-1", b"-9"),
        DIFF.replace(b"a/a", b"a/none").replace(b"b/a", b"b/none"),
        DIFF.replace(b"a/a", b"a/../../x").replace(b"b/a", b"b/../../x"),
        b"--- /dev/null\n+++ b/.git/hooks/post-checkout\n@@ -0,0 +1 @@\n+x\n",
    ],
)
def test_a_diff_that_does_not_apply_is_bad_input(work: Any, diff: bytes) -> None:
    base = work.commit({"a": "1\n"})
    with pytest.raises(BadInputError, match="does not apply"), applied(work.repository, base, diff):
        pass


def test_the_index_is_the_tree_of_the_next_commit_and_stays_as_it_was(work: Any) -> None:
    work.commit({"a": "1", "kept": "1", "gone": "1"})
    work.write("a", "2")
    work.write("new", "1")
    work.git("add", "a", "new")
    work.git("rm", "-q", "--cached", "gone")
    work.write("a", "3")
    work.write("untracked", "1")
    work.git("add", "--intent-to-add", "untracked")
    before = state(work.path)
    with staged(open_repository(work.path)) as (repository, tree):
        assert contents(repository, tree) == {"a": b"2", "kept": b"1", "new": b"1"}
    assert state(work.path) == before


def test_an_index_with_an_unresolved_merge_is_no_commit(work: Any) -> None:
    work.commit({"a": "1"})
    work.git("checkout", "-q", "-b", "other")
    work.commit({"a": "2"})
    work.git("checkout", "-q", "-")
    work.commit({"a": "3"})
    with pytest.raises(AssertionError):  # it conflicts
        work.git("merge", "other")
    with pytest.raises(BadInputError, match="unresolved merge"), staged(work.repository):
        pass


def test_a_bare_repository_has_no_index(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    work.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = open_repository(tmp_path / "bare.git")
    with pytest.raises(BadInputError, match="no index"), staged(bare):
        pass
    assert fingerprint(bare) == fingerprint(bare)


@pytest.mark.parametrize("step", ["edit", "add", "stage", "remove", "commit", "branch", "mode"])
def test_a_fingerprint_changes_with_whatever_a_review_depends_on(work: Any, step: str) -> None:
    work.commit({"a": "1", "b": "1"})
    work.write("a", "2")
    before = fingerprint(work.repository)
    assert fingerprint(work.repository) == before
    match step:
        case "edit":
            work.write("b", "longer")
        case "add":
            work.write("c", "1")
        case "stage":
            work.git("add", "a")
        case "remove":
            (work.path / "b").unlink()
        case "commit":
            work.git("commit", "-qm", "x", "--allow-empty")
        case "branch":
            work.git("branch", "other")
        case "mode":
            (work.path / "b").chmod(0o755)
    assert fingerprint(work.repository) != before
