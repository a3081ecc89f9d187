"""The forge's side of git: pull request heads, diffs, and which lines a comment may stand on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from panlect.errors import BadInputError, GitError
from panlect.forge.diff import FileDiff, parse_diff
from panlect.git.repository import Repository
from panlect.git.run import checked_sha, git
from panlect.git.tree import patch


def create_bare(git_dir: Path, default_branch: str) -> Repository:
    """An empty bare repository."""
    git("init", "--bare", "--quiet", "--template=", f"--initial-branch={default_branch}", str(git_dir))
    return Repository(git_dir)


def import_bare(source: Repository, git_dir: Path, refs: Sequence[tuple[str, str]]) -> Repository:
    """A bare copy of `source` whose branches are `refs`: (name, commit) pairs, with their whole history."""
    first = refs[0][0]
    mirror = create_bare(git_dir, first)
    common = (
        source.run("rev-parse", "--path-format=absolute", "--git-common-dir").stdout.decode().rstrip("\n")
    )
    specs = [f"+{checked_sha(sha)}:refs/heads/{name}" for name, sha in refs]
    git(
        "-c", "uploadpack.allowAnySHA1InWant=true", "-c", "transfer.fsckObjects=false", "fetch", "--quiet", "--no-tags",
        "--no-write-fetch-head", "--end-of-options", common, *specs,
        git_dir=git_dir, protocols="file",
        extra_env={"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_0": "true"},
    )  # fmt: skip
    return mirror


def heads(repository: Repository) -> dict[str, str]:
    """branch -> commit."""
    out = repository.run("for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/heads/")
    rows = (line.partition(" ") for line in out.stdout.decode("utf-8", "backslashreplace").splitlines())
    return {name: sha for sha, _, name in rows}


def set_pull_ref(repository: Repository, number: int, head_sha: str) -> None:
    """Point refs/pull/N/head at the head, as GitHub does."""
    repository.run("update-ref", f"refs/pull/{number}/head", checked_sha(head_sha))


def commits_between(repository: Repository, base_sha: str, head_sha: str) -> list[str]:
    """The commits of a pull request, newest first, at most 250 as on GitHub."""
    out = repository.run("rev-list", "--max-count=250", checked_sha(head_sha), f"^{checked_sha(base_sha)}")
    return out.stdout.decode().split()


def pull_diff(repository: Repository, base_sha: str, head_sha: str) -> bytes:
    """The diff of a pull request: from the merge base to the head."""
    try:
        base = repository.merge_base(base_sha, head_sha)
    except (BadInputError, GitError):
        base = base_sha
    return patch(repository, base, head_sha)[0]


def unresolved(comment: dict[str, object], files: dict[str, FileDiff]) -> str:
    """Why GitHub would refuse a comment: its path or a line of it is not part of the diff; "" when it is."""
    file = files.get(str(comment["path"]))
    if file is None:
        return "Path could not be resolved"
    side = str(comment["side"])
    lines = _lines(file, side)
    if comment["line"] not in lines:
        return "Line could not be resolved"
    start = comment["start_line"]
    if start is not None:
        if start not in lines:
            return "Start line could not be resolved"
        if int(str(start)) >= int(str(comment["line"])):
            return "Start line must precede the end line"
        if lines[int(str(start))] != lines[int(str(comment["line"]))]:
            return "Start line must be part of the same hunk as the line"
    return ""


def _lines(file: FileDiff, side: str) -> dict[int, int]:
    """line -> number of its hunk, on one side."""
    return {
        (line.old_line if side == "LEFT" else line.new_line): number
        for number, hunk in enumerate(file.hunks)
        for line in hunk.lines
        if line.sign != ("+" if side == "LEFT" else "-")
    }


def files_by_path(diff: bytes) -> dict[str, FileDiff]:
    """path -> file; a deleted file by the path it had."""
    return {file.new_path or file.old_path or "": file for file in parse_diff(diff)}
