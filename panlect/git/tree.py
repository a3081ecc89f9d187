"""What a commit holds, and what changed between two: paths, blobs, modes, without a checkout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from panlect.git.repository import Repository
from panlect.git.run import Limits, checked_sha

MAX_ENTRIES = 200_000
_TREE_LIMITS = Limits(seconds=30, output_bytes=96 * 1024 * 1024)
REGULAR = ("100644", "100755", "100664")
SYMLINK, SUBMODULE = "120000", "160000"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a commit. `size` is -1 for a submodule, and for an object that is missing.

    Bytes of a path that are not UTF-8 are written as backslash escapes: a path names, it is never opened.
    """

    path: str
    blob_sha: str
    mode: str
    size: int

    @property
    def is_regular(self) -> bool:
        """A file with content of its own: no symbolic link, no submodule."""
        return self.mode in REGULAR


@dataclass(frozen=True, slots=True)
class TreeListing:
    """The entries of a commit; `truncated` when there are more than MAX_ENTRIES."""

    entries: tuple[TreeEntry, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class TreeChange:
    """One path that differs between two commits. `status`: A, D, M, T (kind changed), R (renamed), C."""

    status: str
    old_path: str | None
    new_path: str | None
    old_blob: str | None
    new_blob: str | None
    old_mode: str
    new_mode: str


def list_tree(repository: Repository, commit: str) -> TreeListing:
    """Every path of `commit`, sorted as git sorts, cut at MAX_ENTRIES (a tree bomb has 10^10)."""
    out = repository.run("ls-tree", "-r", "-l", "-z", checked_sha(commit), limits=_TREE_LIMITS, truncate=True)
    entries = tuple(_tree_entries(out.stdout, cut=out.truncated))
    over = len(entries) > MAX_ENTRIES
    return TreeListing(entries[:MAX_ENTRIES], truncated=out.truncated or over)


def _tree_entries(listing: bytes, *, cut: bool) -> Iterator[TreeEntry]:
    rows = listing.split(b"\0")
    for row in rows[:-1] if cut or rows[-1] == b"" else rows:
        head, _, path = row.partition(b"\t")
        mode, _, sha, size = head.split()
        yield TreeEntry(
            path=path.decode("utf-8", "backslashreplace"),
            blob_sha=sha.decode(),
            mode=mode.decode(),
            size=int(size) if size.isdigit() else -1,
        )


def diff_trees(repository: Repository, base: str, head: str) -> tuple[TreeChange, ...]:
    """What `head` changes against `base`, renames found, in path order."""
    out = repository.run(
        "diff-tree", "-r", "-z", "-M", "-l2000", "--raw", "--no-abbrev", checked_sha(base), checked_sha(head),
        limits=_TREE_LIMITS,
    )  # fmt: skip
    return tuple(_tree_changes(out.stdout))


def _tree_changes(raw: bytes) -> Iterator[TreeChange]:
    fields = iter(raw.split(b"\0"))
    for meta in fields:
        if not meta.startswith(b":"):
            continue
        old_mode, new_mode, old_sha, new_sha, status = meta[1:].decode().split()
        first = next(fields).decode("utf-8", "backslashreplace")
        letter = status[0]
        second = next(fields).decode("utf-8", "backslashreplace") if letter in "RC" else first
        yield TreeChange(
            status=letter,
            old_path=None if letter == "A" else first,
            new_path=None if letter == "D" else second,
            old_blob=_real(old_sha),
            new_blob=_real(new_sha),
            old_mode=old_mode,
            new_mode=new_mode,
        )


def _real(sha: str) -> str | None:
    return None if set(sha) == {"0"} else sha


def patch(
    repository: Repository, base: str, head: str, *, context: int = 3, limit: int = 50 * 1024 * 1024
) -> tuple[bytes, bool]:
    """The unified diff from `base` to `head` as bytes, and whether it was cut at `limit`.

    Plumbing only: no configured driver, text conversion or colour can change it, and no attribute: where
    git finds no file it would look for .gitattributes in the index.
    """
    blind = replace(repository, extra_env={**repository.extra_env, "GIT_INDEX_FILE": "/nonexistent/index"})
    out = blind.run(
        "diff-tree", "-r", "-p", "-M", "-l2000", "--full-index", "--no-color",
        "--no-ext-diff", "--no-textconv",
        "--no-indent-heuristic", f"-U{context}", "--src-prefix=a/", "--dst-prefix=b/",
        checked_sha(base), checked_sha(head),
        limits=Limits(seconds=60, output_bytes=limit), truncate=True,
    )  # fmt: skip
    return out.stdout, out.truncated
