"""Trees that no commit holds: a work tree as it stands, or a base with a diff applied.

Objects go to a temporary directory beside the repository's own (read through alternates); the
repository itself, its index and its files stay as they are. No filter or hook runs.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from panlect.errors import BadInputError, GitError
from panlect.git.repository import Repository
from panlect.git.run import Limits, checked_sha, git

_LIMITS = Limits(seconds=120, output_bytes=96 * 1024 * 1024)


@contextmanager
def uncommitted(repository: Repository) -> Iterator[tuple[Repository, str]]:
    """(repository that also sees the new objects, id of the tree) of what the work tree holds now.

    Tracked files as they are, and untracked ones that are not ignored. Raises BadInputError for a bare
    repository.
    """
    if repository.work_tree is None:
        raise BadInputError(
            f"{repository.git_dir} has no work tree.",
            fix="Leave out --uncommitted, or give the path of a clone.",
        )
    with _scratch(repository) as pending:
        yield pending, _write_tree(repository, pending, repository.work_tree)


@contextmanager
def staged(repository: Repository) -> Iterator[tuple[Repository, str]]:
    """(repository that also sees the new objects, id of the tree) of what the index holds now.

    What is only intended to be added is left out, as a commit would. Raises BadInputError for a bare repository
    and while a merge is unresolved.
    """
    if repository.work_tree is None:
        raise BadInputError(
            f"{repository.git_dir} has no index.",
            fix="Leave out --staged, or give the path of a clone.",
        )
    head = repository.resolve("HEAD")
    listing = git(
        "-C", str(repository.work_tree), "diff-index", "--cached", "--ita-invisible-in-index",
        "--raw", "--no-renames", "-z", head, "--",
        extra_env=repository.extra_env, limits=_LIMITS,
    )  # fmt: skip
    fields = listing.stdout.split(b"\0")[:-1]
    rows = []
    for meta, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, sha, status = meta.split()
        if status == b"U":
            raise BadInputError(
                "The index holds an unresolved merge.", fix="Resolve it and git add what you kept."
            )
        rows.append((b"0" if status == b"D" else mode) + b" " + sha + b"\t" + path + b"\0")
    with _scratch(repository) as pending:
        pending.run("read-tree", head)
        pending.run("update-index", "-z", "--index-info", stdin=b"".join(rows), limits=_LIMITS)
        yield pending, checked_sha(pending.run("write-tree", "--missing-ok").stdout.decode().strip())


def fingerprint(repository: Repository) -> bytes:
    """What a review of this work tree, its index and its branches depends on, cheaply: no file is opened.

    Two that differ may still be the same work; two that are equal are, as far as sizes and times tell.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repository.run("for-each-ref", "--format=%(objectname) %(refname)").stdout)
    digest.update(repository.run("rev-parse", "--verify", "HEAD").stdout)
    top = repository.work_tree
    if top is None:
        return digest.digest()
    listing = git(
        "-C", str(top), "ls-files", "-z", "-s", "--cached", "--others", "--exclude-standard",
        extra_env=repository.extra_env, limits=_LIMITS,
    )  # fmt: skip
    for row in listing.stdout.split(b"\0"):
        digest.update(row + b"\0")
        try:
            found = os.lstat(os.path.join(os.fsencode(top), row.partition(b"\t")[2] or row))
        except OSError:
            continue
        digest.update(b"%d %d %d\0" % (found.st_mtime_ns, found.st_size, found.st_mode))
    return digest.digest()


@contextmanager
def applied(repository: Repository, base_sha: str, diff: bytes) -> Iterator[tuple[Repository, str]]:
    """(repository that also sees the new objects, id of the tree) of `base_sha` with `diff` applied.

    Raises BadInputError when the diff does not apply.
    """
    with _scratch(repository) as pending:
        pending.run("read-tree", checked_sha(base_sha))
        try:
            pending.run("apply", "--cached", "--whitespace=nowarn", "-", stdin=diff, limits=_LIMITS)
        except GitError as error:
            raise BadInputError(
                f"The diff does not apply to {base_sha[:8]}.",
                why=error.why,
                fix="Name the base it was made against.",
            ) from error
        yield pending, checked_sha(pending.run("write-tree", "--missing-ok").stdout.decode().strip())


@contextmanager
def _scratch(repository: Repository) -> Iterator[Repository]:
    """The same repository, writing objects and an index of its own to a directory that goes away."""
    with TemporaryDirectory(prefix="panlect-") as scratch:
        objects = Path(scratch) / "objects"
        objects.mkdir()
        common = (
            repository.run("rev-parse", "--path-format=absolute", "--git-common-dir").stdout.decode().strip()
        )
        env = {
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(Path(common) / "objects"),
            "GIT_INDEX_FILE": str(Path(scratch) / "index"),
        }
        yield replace(repository, extra_env={**repository.extra_env, **env})


def _write_tree(repository: Repository, pending: Repository, top: Path) -> str:
    # The top is given by -C alone: with GIT_DIR set, git takes the current folder as the work tree.
    listing = git(
        "-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate",
        extra_env=repository.extra_env, limits=_LIMITS,
    )  # fmt: skip
    tracked = _index_modes(repository, top)
    paths = [path for path in listing.stdout.split(b"\0") if path]
    rows: list[bytes] = []
    hashable: list[tuple[bytes, bytes]] = []
    for path in paths:
        mode = _mode(top, path)
        if mode in (b"100644", b"100755"):
            hashable.append((mode, path))
        elif mode == b"120000":
            target = os.readlink(os.path.join(os.fsencode(top), path))
            sha = pending.run("hash-object", "-w", "--no-filters", "--stdin", stdin=target).stdout.strip()
            rows.append(b"120000 " + sha + b"\t" + path)
        elif mode == b"40000" and path in tracked:
            rows.append(tracked[path] + b"\t" + path)  # a submodule: as the index has it
    rows += _hashed(pending, top, hashable)
    pending.run(
        "update-index", "-z", "--index-info", stdin=b"".join(row + b"\0" for row in rows), limits=_LIMITS
    )
    return checked_sha(pending.run("write-tree", "--missing-ok").stdout.decode().strip())


def _hashed(pending: Repository, top: Path, files: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Index rows of regular files. A path with a newline cannot be told to --stdin-paths: one by one."""
    plain = [(mode, path) for mode, path in files if b"\n" not in path]
    odd = [(mode, path) for mode, path in files if b"\n" in path]
    names = b"".join(os.path.join(os.fsencode(top), path) + b"\n" for _, path in plain)
    out = pending.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=names, limits=_LIMITS)
    rows = [
        mode + b" " + sha + b"\t" + path for (mode, path), sha in zip(plain, out.stdout.split(), strict=True)
    ]
    for mode, path in odd:
        content = Path(os.fsdecode(os.path.join(os.fsencode(top), path))).read_bytes()
        sha = pending.run("hash-object", "-w", "--no-filters", "--stdin", stdin=content).stdout.strip()
        rows.append(mode + b" " + sha + b"\t" + path)
    return rows


def _mode(top: Path, path: bytes) -> bytes:
    """git's mode of what lies at `path` now; empty when it is gone or no file."""
    try:
        found = os.lstat(os.path.join(os.fsencode(top), path))
    except OSError:
        return b""
    if stat.S_ISLNK(found.st_mode):
        return b"120000"
    if stat.S_ISREG(found.st_mode):
        return b"100755" if found.st_mode & stat.S_IXUSR else b"100644"
    return b"40000" if stat.S_ISDIR(found.st_mode) else b""


def _index_modes(repository: Repository, top: Path) -> dict[bytes, bytes]:
    """path -> `160000 sha` of the submodules in the index."""
    out = git("-C", str(top), "ls-files", "-s", "-z", extra_env=repository.extra_env, limits=_LIMITS)
    rows = (row.partition(b"\t") for row in out.stdout.split(b"\0") if row.startswith(b"160000"))
    return {path: b" ".join(meta.split()[:2]) for meta, _, path in rows}
