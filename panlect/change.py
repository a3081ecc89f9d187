"""A pull request as a value: files, hunks as line ranges, symbols before and after.

Made from two commits by git alone; it holds no text, so it stays small whatever the size of the change
(text is read from the snapshots, by line).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from panlect.code.languages import kind_of
from panlect.errors import GitError, GitTooSlowError
from panlect.finding import Side
from panlect.forge.diff import FileDiff, Hunk, parse_diff
from panlect.git.repository import MAX_BLOB_BYTES, Repository
from panlect.git.run import MAX_DIFFED_BYTES
from panlect.git.tree import SUBMODULE, SYMLINK, TreeChange, compare_listings, diff_trees, list_tree, patch
from panlect.index.snapshot import Snapshot

_STATUS = {"A": "added", "D": "deleted", "M": "modified", "T": "modified", "R": "renamed", "C": "added"}
MAX_FILES = 20_000  # of one change
_CUT = "the diff is larger than is read (50 MB, a million lines)"
_MAX_LINES = 1_000_000  # of a whole diff
_HEAD_BYTES = 8192  # of a blob that its classification looks at

Run = tuple[int, int]  # first and last line, inclusive


@dataclass(frozen=True, slots=True)
class ChangedHunk:
    """One hunk as line ranges: with its context (old_*, new_*), and the runs that really differ."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    removed: tuple[Run, ...]
    added: tuple[Run, ...]
    whitespace_only: bool = False

    def holds(self, side: Side, start: int, end: int) -> bool:
        """Whether a host accepts a comment on start..end here: the diff shows these lines."""
        first, count = (
            (self.old_start, self.old_count) if side is Side.BASE else (self.new_start, self.new_count)
        )
        return first <= start <= end < first + count

    def span(self) -> tuple[Side, int, int]:
        """The side and lines that name this hunk: what it adds, else what it removes."""
        if self.added:
            return Side.HEAD, self.added[0][0], self.added[-1][1]
        if self.removed:
            return Side.BASE, self.removed[0][0], self.removed[-1][1]
        return Side.HEAD, max(1, self.new_start), max(1, self.new_start + self.new_count - 1)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition that a hunk touches."""

    qualified_name: str
    kind: str
    signature: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One path of a change. `status`: added, deleted, modified, renamed. `kind` as `languages.kind_of`."""

    status: str
    old_path: str | None
    new_path: str | None
    old_blob: str | None
    new_blob: str | None
    old_mode: str
    new_mode: str
    kind: str
    hunks: tuple[ChangedHunk, ...] = ()
    excluded: str = ""  # why no hunk of it needs reading: binary, rename only, mode only ...
    unread: str = ""  # why its hunks cannot be read although they should be
    before: tuple[Symbol, ...] = ()
    after: tuple[Symbol, ...] = ()

    @property
    def path(self) -> str:
        """Where it is now, or was."""
        return self.new_path or self.old_path or ""


@dataclass(frozen=True, slots=True)
class Change:
    """What `head` does to `base` (the merge base). `truncated` when the diff was larger than is read."""

    base_sha: str
    head_sha: str
    files: tuple[ChangedFile, ...]
    truncated: bool = False

    def file(self, path: str, side: Side) -> ChangedFile | None:
        """The changed file that has this path on that side."""
        for file in self.files:
            if path == (file.old_path if side is Side.BASE else file.new_path):
                return file
        return None

    def shows(self, path: str, side: Side, start: int, end: int) -> bool:
        """Whether the diff shows start..end of `path` in one hunk, so that a comment can stand there."""
        file = self.file(path, side)
        return file is not None and any(hunk.holds(side, start, end) for hunk in file.hunks)

    @property
    def lines(self) -> int:
        """Added and removed lines."""
        return sum(
            last - first + 1 for f in self.files for h in f.hunks for first, last in (*h.added, *h.removed)
        )


def read_change(repository: Repository, base_sha: str, head_sha: str) -> Change:
    """The change between two commits or trees. Raises GitError when git cannot read one of them at all.

    Every path that differs is in it, up to MAX_FILES of them; what the diff does not show says why
    (`excluded`, `unread`). Of a change with more files, or one that git cannot compare, nothing is read.
    """
    differing, unshown = _differing(repository, base_sha, head_sha)
    sizes = _sizes(repository, differing)
    text, cut, faults = b"", True, dict[str, str]()
    if not unshown:
        text, cut, faults = _diff(repository, base_sha, head_sha, differing, sizes)
    diffs = {(d.old_path, d.new_path): d for d in parse_diff(text)}
    heads = _first_bytes(repository, sizes) if not unshown else {}
    files = tuple(
        _changed_file(entry, diffs, heads, sizes, faults, cut=_CUT if cut else "", unshown=unshown)
        for entry in differing
    )
    return Change(base_sha, head_sha, files, truncated=cut)


def _differing(repository: Repository, base_sha: str, head_sha: str) -> tuple[tuple[TreeChange, ...], str]:
    """The paths that differ, and why no hunk of them can be shown, if none can."""
    unshown = ""
    try:
        differing = _compared(repository, base_sha, head_sha)
    except GitError:
        base, head = list_tree(repository, base_sha), list_tree(repository, head_sha)
        differing = compare_listings(base, head)
        cut = head.cut or base.cut
        unshown = f"the repository cannot be compared: {cut}" if cut else "git cannot compare these commits"
    if len(differing) > MAX_FILES:
        return differing[:MAX_FILES], f"one of more than {MAX_FILES:,} changed files"
    return differing, unshown


def _compared(repository: Repository, base_sha: str, head_sha: str) -> tuple[TreeChange, ...]:
    try:
        return diff_trees(repository, base_sha, head_sha)
    except GitTooSlowError:
        raise
    except GitError:
        return diff_trees(repository, base_sha, head_sha, renames=False)  # which reads no blob


def _diff(
    repository: Repository,
    base_sha: str,
    head_sha: str,
    differing: Sequence[TreeChange],
    sizes: Mapping[str, int],
) -> tuple[bytes, bool, dict[str, str]]:
    """The diff, whether it was cut, and the objects that cannot be read: git prints nothing for any file then."""
    try:
        return *_bounded(*patch(repository, base_sha, head_sha)), {}
    except GitTooSlowError:
        return b"", True, {}
    except GitError:
        faults = _faults(repository, differing, sizes)
        without = [
            path
            for entry in differing
            if faults.keys() & {entry.old_blob, entry.new_blob}
            for path in (entry.old_path, entry.new_path)
            if path
        ]
    try:
        return *_bounded(*patch(repository, base_sha, head_sha, without=without)), faults
    except GitError:
        return b"", True, faults


def _faults(
    repository: Repository, differing: Sequence[TreeChange], sizes: Mapping[str, int]
) -> dict[str, str]:
    """Which of the changed objects cannot be read, and why. Those too large to be compared are not tried."""
    shas = {
        sha: None
        for entry in differing
        for sha, mode in ((entry.old_blob, entry.old_mode), (entry.new_blob, entry.new_mode))
        if sha and mode != SUBMODULE and sizes.get(sha, 0) <= MAX_DIFFED_BYTES
    }
    return {read.sha: read.fault for read in repository.read_objects(list(shas)) if read.fault}


def _bounded(text: bytes, cut: bool) -> tuple[bytes, bool]:
    """The diff, cut where it has more lines than one process should hold."""
    if text.count(b"\n") <= _MAX_LINES:
        return text, cut
    rest = text.split(b"\n", _MAX_LINES)[-1]
    return text[: len(text) - len(rest)], True


def _changed_file(
    entry: TreeChange,
    diffs: dict[tuple[str | None, str | None], FileDiff],
    heads: dict[str, bytes],
    sizes: dict[str, int],
    faults: Mapping[str, str],
    *,
    cut: str,
    unshown: str,
) -> ChangedFile:
    kind = _kind(entry, heads)
    file = ChangedFile(
        status=_STATUS.get(entry.status, "modified"),
        old_path=entry.old_path,
        new_path=entry.new_path,
        old_blob=entry.old_blob,
        new_blob=entry.new_blob,
        old_mode=entry.old_mode,
        new_mode=entry.new_mode,
        kind=kind,
    )
    diff = diffs.get((entry.old_path, entry.new_path))
    hunks = tuple(_changed_hunk(hunk) for hunk in diff.hunks) if diff else ()
    excluded = _excluded(entry, diff, kind)
    unread = ""
    if excluded == "binary" and (hidden := _hidden(entry, kind, sizes)):
        excluded, unread = "", hidden
    elif not excluded:
        unread = (
            unshown
            or next((faults[sha] for sha in (entry.new_blob, entry.old_blob) if sha and sha in faults), "")
            or (cut if diff is None or not diff.complete else "")
            or ("the diff does not show it" if diff is None and _has_content(entry, sizes) else "")
        )
    return replace(file, hunks=hunks, excluded=excluded, unread=unread)


def _has_content(entry: TreeChange, sizes: Mapping[str, int]) -> bool:
    return any(sizes.get(sha, 1) for sha in (entry.old_blob, entry.new_blob) if sha)


def _hidden(entry: TreeChange, kind: str, sizes: dict[str, int]) -> str:
    """Why something that git calls binary has to be read all the same, or "".

    Git has not looked into what is large, and one zero byte or an attribute would hide code from its review.
    """
    if kind != "binary" and any(
        sizes.get(sha or "", 0) > MAX_DIFFED_BYTES for sha in (entry.old_blob, entry.new_blob)
    ):
        return "larger than 8 MB"
    return (
        "binary content in a source file" if kind_of(entry.new_path or entry.old_path or "") == "code" else ""
    )


def _kind(entry: TreeChange, heads: dict[str, bytes]) -> str:
    """What kind of file this is. A header that says "generated" is believed when the base had it too.

    Otherwise a change could exclude itself from its review by adding one line.
    """
    path = entry.new_path or entry.old_path or ""
    now = kind_of(path, heads.get(entry.new_blob or entry.old_blob or "", b""))
    if now != "generated":
        return now
    before = heads.get(entry.old_blob or "", b"")
    return now if kind_of(path, before) == "generated" else kind_of(path)


def _excluded(entry: TreeChange, diff: FileDiff | None, kind: str) -> str:
    if SUBMODULE in (entry.old_mode, entry.new_mode):
        return "submodule"
    if SYMLINK in (entry.old_mode, entry.new_mode):
        return "symbolic link"
    if diff is not None and diff.binary:
        return "binary"
    if entry.old_blob == entry.new_blob:
        return "pure rename" if entry.status == "R" else "mode only"
    if kind in ("generated", "vendored", "lock", "binary"):
        return {"lock": "lock file"}.get(kind, kind)
    return ""


def _changed_hunk(hunk: Hunk) -> ChangedHunk:
    return ChangedHunk(
        hunk.old_start,
        hunk.old_count,
        hunk.new_start,
        hunk.new_count,
        removed=tuple(_runs(line.old_line for line in hunk.removed)),
        added=tuple(_runs(line.new_line for line in hunk.added)),
        whitespace_only=hunk.whitespace_only,
    )


def _runs(numbers: Iterable[int]) -> Iterator[Run]:
    start = last = 0
    for number in numbers:
        if last and number == last + 1:
            last = number
            continue
        if last:
            yield start, last
        start = last = number
    if last:
        yield start, last


def _first_bytes(repository: Repository, sizes: dict[str, int]) -> dict[str, bytes]:
    """The beginning of each changed regular file, which says whether it is generated or minified."""
    small = [sha for sha, size in sizes.items() if size <= MAX_BLOB_BYTES]
    return {sha: content[:_HEAD_BYTES] for sha, content in repository.read_blobs(small)}


def _sizes(repository: Repository, differing: Iterable[TreeChange]) -> dict[str, int]:
    """Size in bytes of each changed regular file, before and after."""
    shas = {
        sha
        for entry in differing
        for sha, mode in ((entry.old_blob, entry.old_mode), (entry.new_blob, entry.new_mode))
        if sha and mode not in (SUBMODULE, SYMLINK)
    }
    return repository.sizes(shas)


def with_symbols(change: Change, base: Snapshot, head: Snapshot) -> Change:
    """The same change with the definitions that its hunks touch, before and after."""
    return replace(
        change,
        files=tuple(
            replace(
                file,
                before=_touched(base, file.old_path, [(h.old_start, h.removed) for h in file.hunks]),
                after=_touched(head, file.new_path, [(h.new_start, h.added) for h in file.hunks]),
            )
            for file in change.files
        ),
    )


def _touched(
    snapshot: Snapshot, path: str | None, hunks: list[tuple[int, tuple[Run, ...]]]
) -> tuple[Symbol, ...]:
    analysis = snapshot.analysis(path) if path else None
    if analysis is None:
        return ()
    runs = [run for _, found in hunks for run in found]
    return tuple(
        Symbol(d.qualified_name, d.kind, d.signature, d.start_line, d.end_line)
        for d in analysis.definitions
        if any(first <= d.end_line and last >= d.start_line for first, last in runs)
    )
