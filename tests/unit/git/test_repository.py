"""A repository is read whatever its shape, and whatever it would like to run is not run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panlect.errors import (
    BadInputError,
    GitError,
    NoMergeBaseError,
    NotARepositoryError,
    UnknownRevisionError,
)
from panlect.git.repository import open_repository
from panlect.git.run import Limits, command, environment, git
from panlect.git.tree import diff_trees, list_tree, patch

CommitOf = Callable[[dict[bytes, tuple[str, bytes]]], str]


# Which repository


def test_a_folder_inside_a_work_tree_names_its_repository(work: Any) -> None:
    work.commit({"src/a.py": "x"})
    found = open_repository(work.path / "src")
    assert (found.git_dir, found.work_tree) == (work.path / ".git", work.path)


def test_a_file_names_the_repository_around_it(work: Any) -> None:
    work.commit({"src/a.py": "x"})
    assert open_repository(work.path / "src/a.py").work_tree == work.path


def test_a_bare_repository_has_no_work_tree(work: Any, tmp_path: Path) -> None:
    sha = work.commit({"a": "x"})
    work.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    found = open_repository(tmp_path / "bare")
    assert (found.work_tree, found.resolve("HEAD")) == (None, sha)


def test_a_linked_work_tree_is_a_repository(work: Any, tmp_path: Path) -> None:
    sha = work.commit({"a": "x"})
    work.git("worktree", "add", "-q", str(tmp_path / "linked"))
    found = open_repository(tmp_path / "linked")
    assert (found.work_tree, found.resolve("HEAD")) == (tmp_path / "linked", sha)


def test_a_path_with_odd_characters_is_a_repository(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "x"})
    odd = tmp_path / "-x é\t'\""
    work.path.rename(odd)
    assert open_repository(odd).work_tree == odd


@pytest.mark.parametrize("what", ["missing", "plain folder", "empty repository"])
def test_what_is_no_repository_is_told(work: Any, tmp_path: Path, what: str) -> None:
    path = {"missing": tmp_path / "missing", "plain folder": tmp_path, "empty repository": work.path}[what]
    with pytest.raises(NotARepositoryError) as caught:
        open_repository(path)
    assert caught.value.fix


# Revisions


def test_a_detached_head_is_a_revision(work: Any) -> None:
    first = work.commit({"a": "1"})
    work.commit({"a": "2"})
    work.git("checkout", "-q", "--detach", first)
    assert open_repository(work.path).resolve("HEAD") == first


@pytest.mark.parametrize(
    "revision",
    [
        "none",
        "",
        "--all",
        "-x",
        "HEAD; id",
        "main\nmain",
        ":/",
        "@{-1}",
        "HEAD^{tree}",
        "a" * 40,
        "..",
        "\udcff",
    ],
)
def test_what_is_no_commit_is_an_unknown_revision(work: Any, revision: str) -> None:
    work.commit({"a": "x"})
    with pytest.raises(UnknownRevisionError):
        work.repository.resolve(revision)


def test_a_tag_is_resolved_to_its_commit(work: Any) -> None:
    sha = work.commit({"a": "x"})
    work.git("tag", "-a", "v1", "-m", "one")
    assert work.repository.resolve("v1") == sha


def test_histories_that_never_met_have_no_merge_base(work: Any) -> None:
    one = work.commit({"a": "1"})
    work.git("checkout", "-q", "--orphan", "other")
    two = work.commit({"a": "2"})
    with pytest.raises(NoMergeBaseError, match="share no history"):
        work.repository.merge_base(one, two)


def test_a_shallow_clone_says_that_it_is_why(work: Any, tmp_path: Path) -> None:
    first = work.commit({"a": "1"})
    last = work.commit({"a": "2"})
    work.git("clone", "-q", "--depth=1", f"file://{work.path}", str(tmp_path / "shallow"))
    shallow = open_repository(tmp_path / "shallow")
    assert shallow.resolve("HEAD") == last
    with pytest.raises(UnknownRevisionError, match="unshallow"):
        shallow.resolve(first)


@pytest.mark.parametrize(
    ("branches", "base"),
    [(["main"], "main"), (["master"], "master"), (["trunk", "master"], "master"), ([], "HEAD^")],
)
def test_the_base_is_the_branch_that_the_work_left(work: Any, branches: list[str], base: str) -> None:
    work.commit({"a": "1"})
    for branch in branches:
        work.git("branch", "-m" if branch == branches[0] else "-c", branch)
    work.git("checkout", "-q", "-b", "topic")
    if not branches:
        work.git("branch", "-D", "main")
    head = work.commit({"a": "2"})
    found = work.repository.default_base(head)
    assert work.repository.resolve(found) == work.repository.resolve(base)


def test_the_first_commit_has_no_base(work: Any) -> None:
    head = work.commit({"a": "1"})
    with pytest.raises(UnknownRevisionError, match="--base"):
        work.repository.default_base(head)


# Trees and blobs


HOSTILE = (
    b"a\nb",
    b"\xff\xfe",
    b"-rf",
    b"--output=x",
    b'q"uote',
    b"tab\there",
    b"sp ace",
    b"\\back",
    "é".encode(),
    b"\x1b[31m",
)


def test_hostile_names_are_listed_and_their_bytes_read(work: Any, commit_of: CommitOf) -> None:
    sha = commit_of({path: ("100644", b"content of %d" % n) for n, path in enumerate(HOSTILE)})
    entries = list_tree(work.repository, sha).entries
    assert {e.path for e in entries} == {path.decode("utf-8", "backslashreplace") for path in HOSTILE}
    contents = dict(work.repository.read_blobs([e.blob_sha for e in entries]))
    assert sorted(contents.values()) == sorted(b"content of %d" % n for n in range(len(HOSTILE)))


def test_hostile_names_are_told_apart_in_a_change(work: Any, commit_of: CommitOf) -> None:
    base = commit_of(dict.fromkeys(HOSTILE, ("100644", b"old\n")))
    head = commit_of(dict.fromkeys(HOSTILE, ("100644", b"new\n")))
    changes = diff_trees(work.repository, base, head)
    assert {c.new_path for c in changes} == {path.decode("utf-8", "backslashreplace") for path in HOSTILE}
    assert {c.status for c in changes} == {"M"}


def test_modes_are_told(work: Any, commit_of: CommitOf) -> None:
    sha = commit_of(
        {
            b"file": ("100644", b"x"),
            b"program": ("100755", b"x"),
            b"link": ("120000", b"../../../etc/passwd"),
            b"module": ("160000", b"1" * 40),
        }
    )
    entries = {e.path: e for e in list_tree(work.repository, sha).entries}
    assert [entries[p].is_regular for p in ("file", "program", "link", "module")] == [
        True,
        True,
        False,
        False,
    ]
    assert (entries["link"].size, entries["module"].size) == (19, -1)


def test_the_same_commit_twice_has_no_change(work: Any) -> None:
    sha = work.commit({"a": "x"})
    assert diff_trees(work.repository, sha, sha) == ()
    assert patch(work.repository, sha, sha) == (b"", False)


def test_missing_objects_are_left_out_and_order_is_kept(work: Any) -> None:
    work.commit({"a": "one", "b": "two"})
    one, two = (work.git("rev-parse", f"HEAD:{path}") for path in "ab")
    assert list(work.repository.read_blobs([two, "0" * 40, one, two])) == [
        (two, b"two"),
        (one, b"one"),
        (two, b"two"),
    ]
    with pytest.raises(GitError, match="missing"):
        work.repository.read_blob("0" * 40)


def test_a_reader_that_stops_early_leaves_no_process(work: Any) -> None:
    work.commit({str(n): "x" * 100_000 + str(n) for n in range(20)})
    shas = [entry.blob_sha for entry in list_tree(work.repository, work.repository.resolve("HEAD")).entries]
    answers = work.repository.read_blobs(shas)
    next(answers)
    answers.close()
    alive = subprocess.run(["pgrep", "-f", str(work.path / ".git")], capture_output=True, check=False)
    assert alive.stdout == b""


@pytest.mark.parametrize(
    "sha", ["", "main", "a" * 39, "a" * 41, "A" * 40, "--all", "a" * 40 + "\n", "0x" + "a" * 38]
)
def test_only_full_ids_reach_git(work: Any, sha: str) -> None:
    for ask in (
        lambda: list_tree(work.repository, sha),
        lambda: patch(work.repository, sha, "0" * 40),
        lambda: work.repository.merge_base("0" * 40, sha),
        lambda: list(work.repository.read_blobs([sha])),
    ):
        with pytest.raises(BadInputError, match="not a full commit id"):
            ask()


# Bounds


def test_output_over_the_limit_is_an_error_unless_a_cut_is_wanted(work: Any) -> None:
    base = work.commit({"a": "x"})
    head = work.commit({"a": "y\n" * 10_000})
    with pytest.raises(GitError, match="printed more than 1000 bytes"):
        work.repository.run("cat-file", "blob", "HEAD:a", limits=Limits(output_bytes=1000))
    text, cut = patch(work.repository, base, head, limit=1000)
    assert (len(text), cut) == (1000, True)


def test_a_command_over_its_time_is_killed(work: Any) -> None:
    work.git("config", "alias.hang", "!sleep 600")
    with pytest.raises(GitError, match=r"ran longer than 0\.2 s"):
        work.repository.run("hang", limits=Limits(seconds=0.2))


def test_a_command_over_its_memory_fails(work: Any) -> None:
    with pytest.raises(GitError) as caught:
        limits = Limits(memory_bytes=40 * 1024 * 1024)
        work.repository.run("apply", "--numstat", "-", stdin=b"x" * 60_000_000, limits=limits)
    assert "memory" in caught.value.why


def test_a_failure_says_gits_last_line_and_no_argument(work: Any) -> None:
    with pytest.raises(GitError) as caught:
        work.repository.run("cat-file", "blob", "https://user:password@example.org")
    assert caught.value.what == "git cat-file failed."


def test_nothing_of_the_callers_environment_reaches_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/tmp/elsewhere")
    monkeypatch.setenv("GIT_SSH_COMMAND", "touch /tmp/pwned")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = environment()
    assert not {"GIT_DIR", "GIT_SSH_COMMAND", "AWS_SECRET_ACCESS_KEY"} & set(found)
    assert (found["GIT_ALLOW_PROTOCOL"], found["GIT_TERMINAL_PROMPT"]) == ("none", "0")


# Nothing of a repository is run


@pytest.fixture
def trap(work: Any, tmp_path: Path) -> Path:
    """A repository whose own configuration would run a program at every step; the mark it would leave."""
    mark = tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {mark}\ncat\n')
    program.chmod(0o755)
    hooks = work.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    work.commit({".gitattributes": "* diff=evil filter=evil\n", "a.py": "x\n"})
    work.write("a.py", "y\n")
    work.git("commit", "-q", "-am", "m")
    for hook in (
        "post-checkout",
        "pre-commit",
        "reference-transaction",
        "post-index-change",
        "fsmonitor-watchman",
    ):
        (hooks / hook).symlink_to(program)
    for key in (
        "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass", "diff.external",
        "diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process",
        "credential.helper", "gpg.program", "uploadpack.packObjectsHook", "core.alternateRefsCommand",
    ):  # fmt: skip
        work.git("config", key, str(program))
    work.git("config", "core.hooksPath", str(hooks))
    return mark


def test_reading_runs_nothing(work: Any, trap: Path) -> None:
    repository = open_repository(work.path)
    base, head = repository.resolve("HEAD^"), repository.resolve("HEAD")
    text, _ = patch(repository, base, head)
    assert b"-x\n+y\n" in text
    assert diff_trees(repository, base, head)
    entries = list_tree(repository, head).entries
    assert len(list(repository.read_blobs([e.blob_sha for e in entries]))) == 2
    repository.merge_base(base, head)
    assert not trap.exists(), trap.read_text()


def test_the_trap_would_have_sprung(work: Any, trap: Path) -> None:
    work.git("diff", "HEAD^", "HEAD")
    assert trap.exists()


def test_a_missing_object_is_not_fetched_from_a_promising_remote(work: Any, tmp_path: Path) -> None:
    sha = work.commit({"a": "x"})
    blob = work.git("rev-parse", "HEAD:a")
    mark, program = tmp_path / "mark", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    (work.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{program}",
        "protocol.ext.allow": "always",
    }.items():
        work.git("config", key, value)
    assert list(work.repository.read_blobs([blob])) == []
    assert work.repository.resolve("HEAD") == sha
    assert not mark.exists()


def test_settings_on_the_command_line_come_before_the_verb() -> None:
    words = command(["log"], Path("/x"))
    verb = words.index("log")
    for setting in (
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "diff.external=",
        "credential.helper=",
    ):
        assert words.index(setting) < verb


def test_no_protocol_is_allowed_unless_asked(work: Any, tmp_path: Path) -> None:
    work.commit({"a": "x"})
    with pytest.raises(GitError):
        git("clone", "--quiet", f"file://{work.path}", str(tmp_path / "clone"))


def test_git_that_ends_early_is_an_error_and_not_a_smaller_repository(
    work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = work.commit({"a": "1"})
    blob = work.git("rev-parse", f"{sha}:a")
    repository = open_repository(work.path)
    monkeypatch.setattr("panlect.git.repository.command", lambda *_: ["true"])
    with pytest.raises(GitError, match="ended before"):
        list(repository.read_blobs([blob]))
