"""What a commit holds, and what changed between two: paths, blobs, modes, without a checkout."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache

from panlect.errors import GitError, GitTooSlowError
from panlect.git.repository import CORRUPT, Repository
from panlect.git.run import Limits, checked_sha

MAX_ENTRIES = 100_000
MAX_LISTING_BYTES = 48 * 1024 * 1024
_TREE_LIMITS = Limits(seconds=20)
_PATCH_S = 15
_DIFF_LIMITS = Limits(seconds=15, output_bytes=48 * 1024 * 1024)
REGULAR = ("100644", "100755", "100664")
SYMLINK, SUBMODULE, ABSENT = "120000", "160000", "000000"


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
    """The entries of a commit; `cut` says why there may be more: too many, too long, or unreadable folders."""

    entries: tuple[TreeEntry, ...]
    cut: str = ""

    @property
    def truncated(self) -> bool:
        """Whether there may be more files: then none may be called missing."""
        return bool(self.cut)


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
    """Every path of `commit`, sorted as git sorts, cut at MAX_ENTRIES (a tree bomb has 10^10).

    Folders that cannot be read are passed over and named in the reason. Raises GitError when there is no
    such commit, or git cannot read its topmost folder.
    """
    entries: list[TreeEntry] = []
    try:
        with closing(_rows(repository, checked_sha(commit))) as rows:
            for row in rows:
                if len(entries) == MAX_ENTRIES:
                    return TreeListing(tuple(entries), f"more than {MAX_ENTRIES:,} files")
                entries.append(_entry(row))
    except _TooMuchError:
        return TreeListing(tuple(entries), f"more than {MAX_LISTING_BYTES >> 20} MB of names")
    except GitTooSlowError:
        return TreeListing(tuple(entries), f"not listed within {_TREE_LIMITS.seconds:g} s")
    except GitError:
        return walk_tree(repository, commit)
    return TreeListing(tuple(entries))


class _TooMuchError(Exception):
    """More names than are held."""


def _rows(repository: Repository, commit: str) -> Generator[bytes, None, None]:
    """The rows of `ls-tree`, each when it is complete."""
    rest, size = b"", 0
    with closing(repository.stream("ls-tree", "-r", "-l", "-z", commit, limits=_TREE_LIMITS)) as blocks:
        for block in blocks:
            size += len(block)
            *rows, rest = (rest + block).split(b"\0")
            yield from rows
            if size > MAX_LISTING_BYTES:
                raise _TooMuchError


def _entry(row: bytes) -> TreeEntry:
    head, _, path = row.partition(b"\t")
    mode, _, sha, size = head.split()
    return TreeEntry(
        path=path.decode("utf-8", "backslashreplace"),
        blob_sha=sha.decode(),
        mode=_known_mode(mode),
        size=int(size) if size.isdigit() else -1,
    )


@lru_cache(maxsize=256)
def _known_mode(mode: bytes) -> str:
    """One string a mode: there are a handful, in hundreds of thousands of entries."""
    return mode.decode("ascii", "backslashreplace")


def walk_tree(repository: Repository, commit: str) -> TreeListing:
    """The same listing folder by folder, around those that cannot be read: `ls-tree` ends at the first of them.

    Raises GitError when the topmost one is among them.
    """
    out = repository.run(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{checked_sha(commit)}^{{tree}}"
    )
    walk = _Walk()
    folders = [(b"", checked_sha(out.stdout.decode().strip()))]
    while folders and not walk.cut:
        reads = repository.read_objects([sha for _, sha in folders])
        names = [path for path, _ in folders]
        folders = []
        for path, read in zip(names, reads, strict=True):
            fault = read.fault or walk.add(path, read.content, len(read.sha) // 2, folders)
            if fault and not path:
                raise GitError(f"The topmost folder of {commit[:8]} cannot be read: {fault}.")
            if fault:
                walk.faults.append(f"{path[:-1].decode('utf-8', 'backslashreplace')} ({fault})")
            if walk.cut:
                break
    sizes = repository.sizes(sha for _, mode, sha in walk.found if mode != SUBMODULE)
    entries = tuple(
        TreeEntry(path.decode("utf-8", "backslashreplace"), sha, mode, sizes.get(sha, -1))
        for path, mode, sha in sorted(walk.found)
    )
    return TreeListing(entries, walk.reason())


@dataclass(slots=True)
class _Walk:
    """What a walk over folders has found, within the bounds of a listing."""

    found: list[tuple[bytes, str, str]] = field(default_factory=list)  # path, mode, id
    faults: list[str] = field(default_factory=list)
    cut: str = ""
    _names: int = 0
    _bytes: int = 0

    def add(self, path: bytes, content: bytes, id_bytes: int, folders: list[tuple[bytes, str]]) -> str:
        """Take in what one tree object names, its folders into `folders`; why not all of it, or ""."""
        at = 0
        while at < len(content) and not self.cut:
            end = content.find(b"\0", at)
            mode, _, name = content[at:end].partition(b" ")
            sha = content[end + 1 : end + 1 + id_bytes]
            if end < 0 or not name or len(sha) != id_bytes:
                return CORRUPT
            if mode in (b"40000", b"040000"):
                folders.append((path + name + b"/", sha.hex()))
            else:
                self.found.append((path + name, _known_mode(mode), sha.hex()))
            self._names, self._bytes = self._names + 1, self._bytes + len(path) + len(name)
            if self._names >= MAX_ENTRIES:
                self.cut = f"more than {MAX_ENTRIES:,} files"
            if self._bytes > MAX_LISTING_BYTES:
                self.cut = f"more than {MAX_LISTING_BYTES >> 20} MB of names"
            at = end + 1 + id_bytes
        return ""

    def reason(self) -> str:
        """Why there may be more files, or ""."""
        more = f" and {len(self.faults) - 3} more" if len(self.faults) > 3 else ""
        unread = f"folders that cannot be read: {', '.join(self.faults[:3])}{more}" if self.faults else ""
        return "; ".join(filter(None, (self.cut, unread)))


def diff_trees(
    repository: Repository, base: str, head: str, *, renames: bool = True
) -> tuple[TreeChange, ...]:
    """What `head` changes against `base`, renames found, in path order.

    Raises GitError, among other reasons when the trees are too large to compare, or damaged; finding renames
    also reads blobs.
    """
    out = repository.run(
        "diff-tree", "-r", "-z", *(("-M", "-l2000") if renames else ("--no-renames",)), "--raw", "--no-abbrev",
        checked_sha(base), checked_sha(head),
        limits=_DIFF_LIMITS,
    )  # fmt: skip
    return tuple(_tree_changes(out.stdout))


def compare_listings(base: TreeListing, head: TreeListing) -> tuple[TreeChange, ...]:
    """What differs between two listings, without renames: for commits that git itself cannot compare."""
    before = {entry.path: entry for entry in base.entries}
    after = {entry.path: entry for entry in head.entries}
    paths = sorted(
        path
        for path in before.keys() | after.keys()
        if _identity(before.get(path)) != _identity(after.get(path))
    )
    return tuple(_listed_change(path, before.get(path), after.get(path)) for path in paths)


def _identity(entry: TreeEntry | None) -> tuple[str, str] | None:
    return None if entry is None else (entry.blob_sha, entry.mode)


def _listed_change(path: str, old: TreeEntry | None, new: TreeEntry | None) -> TreeChange:
    return TreeChange(
        status="A"
        if old is None
        else "D"
        if new is None
        else "M"
        if old.is_regular == new.is_regular
        else "T",
        old_path=None if old is None else path,
        new_path=None if new is None else path,
        old_blob=None if old is None else old.blob_sha,
        new_blob=None if new is None else new.blob_sha,
        old_mode=ABSENT if old is None else old.mode,
        new_mode=ABSENT if new is None else new.mode,
    )


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
    repository: Repository,
    base: str,
    head: str,
    *,
    context: int = 3,
    limit: int = 50 * 1024 * 1024,
    without: Sequence[str] = (),
) -> tuple[bytes, bool]:
    """The unified diff from `base` to `head` as bytes, and whether it was cut at `limit`.

    Paths in `without` are left out. Plumbing only: no configured driver, text conversion or colour can change
    it, and no attribute: where git finds no file it would look for .gitattributes in the index.
    """
    blind = replace(repository, extra_env={**repository.extra_env, "GIT_INDEX_FILE": "/nonexistent/index"})
    paths = [f":(top,exclude,literal){path}" for path in without]
    out = blind.run(
        "diff-tree", "-r", "-p", "-M", "-l2000", "--full-index", "--no-color",
        "--no-ext-diff", "--no-textconv",
        "--no-indent-heuristic", f"-U{context}", "--src-prefix=a/", "--dst-prefix=b/",
        checked_sha(base), checked_sha(head), *(["--", *paths] if paths else []),
        limits=Limits(seconds=_PATCH_S, output_bytes=limit), truncate=True,
    )  # fmt: skip
    return out.stdout, out.truncated
