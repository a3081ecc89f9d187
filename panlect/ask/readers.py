"""The lines of a file, wherever they lie: blobs of git in the terminal, chunk texts in Postgres on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from panlect.code.analysis import Chunk
from panlect.code.packed import Column, Meta, chunks_of, meta_of, search_of
from panlect.errors import GitError
from panlect.git.repository import Repository
from panlect.git.run import Limits
from panlect.index.embed import body_of
from panlect.index.snapshot import BlobKey, Snapshot, blob_key, is_analysable

_HISTORY = Limits(seconds=5, output_bytes=64 * 1024)
_COMMITS = 15
_LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class FileText:
    """The lines of a file that are at hand, by number.

    Of the lines in `cut` a part is not kept, most likely white space. `why` says why none is at hand.
    """

    rows: Mapping[int, str] = field(default_factory=dict)
    lines: int = 0
    cut: frozenset[int] = frozenset()
    why: str = ""


class Reader(Protocol):
    """One repository at one commit, as the tools read it. Used from one thread at a time."""

    @property
    def name(self) -> str:
        """Which repository."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """What is known of its files."""
        ...

    def files(self, paths: Sequence[str]) -> dict[str, FileText]:
        """The lines of files that the snapshot has, through as few reads as can be."""
        ...

    def history(self, path: str, words: str) -> str:
        """The recent commits that touched a path, or whose message has words; "" when nobody can tell here.

        Raises GitError when git fails.
        """
        ...


@dataclass(frozen=True, slots=True)
class GitReader:
    """A repository on this machine."""

    name: str
    snapshot: Snapshot
    repository: Repository | None = None

    def files(self, paths: Sequence[str]) -> dict[str, FileText]:
        """Whole files; the reason for one that is too large, binary, or no file."""
        texts = self.snapshot.texts(paths)
        return {path: self._file(path, texts[path]) for path in paths}

    def _file(self, path: str, content: bytes) -> FileText:
        entry = self.snapshot.entry(path)
        if entry is None or not entry.is_regular:
            return FileText(why="it is no regular file")
        if b"\0" in content:
            return FileText(why="it is binary")
        if not content and entry.size:
            return FileText(why="it is too large, or missing")
        rows = content.decode("utf-8", "replace").split("\n")
        if rows[-1] == "":
            del rows[-1]
        return FileText({number: row.rstrip("\r") for number, row in enumerate(rows, 1)}, len(rows))

    def history(self, path: str, words: str) -> str:
        """One line a commit: when, who, what."""
        if self.repository is None:
            return ""
        return commits(self.repository, self.snapshot.commit, path, words)


def commits(repository: Repository, commit: str, path: str, words: str) -> str:
    """The last commits before `commit` that touched a path, or whose message has words. Raises GitError."""
    chosen = ["--fixed-strings", "--regexp-ignore-case", f"--grep={words[:_LONGEST_WORDS]}"] if words else []
    where = ["--", f":(top,literal){path}"] if path else []
    out = repository.run(
        "log", f"--max-count={_COMMITS}", "--date=short", "--format=%h %ad %an: %s", *chosen, commit, *where,
        limits=_HISTORY, truncate=True,
    )  # fmt: skip
    return out.stdout.decode("utf-8", "replace").strip() or "No commit of the history that is here."


class ChunkTexts(Protocol):
    """Where analyses and chunk texts lie; `index.store.PostgresStore` is one."""

    def load(self, column: Column, keys: Sequence[BlobKey]) -> Mapping[BlobKey, bytes]:
        """One column of many blobs; those that are not kept are left out."""
        ...

    def read_chunks(self, hashes: Sequence[bytes]) -> dict[bytes, str]:
        """Texts by hash; those that are not kept are left out."""
        ...


@dataclass(frozen=True, slots=True)
class StoredReader:
    """A repository of which the server keeps chunks: a file is put together from them."""

    name: str
    snapshot: Snapshot
    store: ChunkTexts
    repository: Repository | None = None  # its mirror, where this node has one

    def files(self, paths: Sequence[str]) -> dict[str, FileText]:
        """What the chunks hold; what lies between two of them is at hand where it can only be line ends."""
        # Asked of the store itself: the snapshot would keep the columns of every file that was ever looked at.
        found = {path: self.snapshot.entry(path) for path in paths}
        keys = {path: blob_key(entry) for path, entry in found.items() if entry and is_analysable(entry)}
        wanted = list(dict.fromkeys(keys.values()))
        columns, metas = self.store.load("search", wanted), self.store.load("meta", wanted)
        chunks = {key: chunks_of(search_of(column)) for key, column in columns.items()}
        hashes = {bytes.fromhex(chunk.hash) for of_file in chunks.values() for chunk in of_file}
        texts = self.store.read_chunks(sorted(hashes)) if hashes else {}
        files: dict[str, FileText] = {}
        for path, entry in found.items():
            key = keys.get(path)
            if entry is None or key is None:
                files[path] = FileText(
                    why="the index keeps no text of it: it is large, binary, a lock file or no file"
                )
            elif key not in metas:
                files[path] = FileText(why="it is not analysed yet")
            else:
                files[path] = _file(meta_of(metas[key]), entry.size, chunks.get(key, ()), texts)
        return files

    def history(self, path: str, words: str) -> str:
        """As in the terminal where this node has a mirror with the commit."""
        if self.repository is None or not (self.repository.git_dir / "HEAD").exists():
            return ""
        try:
            return commits(self.repository, self.snapshot.commit, path, words)
        except GitError:
            return ""  # a mirror is a cache: it may be older than the index, or half made


def _file(meta: Meta, size: int, chunks: Sequence[Chunk], texts: Mapping[bytes, str]) -> FileText:
    if not chunks:
        return FileText(why=f"the index keeps no text of it: {meta.skipped or 'it has none'}")
    kept = (texts.get(bytes.fromhex(chunk.hash)) for chunk in chunks)
    bodies = (
        None if text is None else body_of(chunk.scope, text) for chunk, text in zip(chunks, kept, strict=True)
    )
    return put_together(list(zip(chunks, bodies, strict=True)), size=size, lines=meta.lines)


def put_together(pieces: Sequence[tuple[Chunk, str | None]], *, size: int, lines: int) -> FileText:
    """The lines of a file of `size` bytes from its chunks in order; a chunk whose text is not kept has None.

    Between two chunks lies what has no weight, as a rule white space, and nothing says which. Only where it has as
    many bytes as line ends is it known. Elsewhere its lines are left out, and those it shares with a chunk are cut.
    The last line may lack one white space at its end: nothing says whether the file ends with a line end.
    """
    rows: dict[int, str] = {}
    cut: set[int] = set()
    at, line = 0, 1  # where what is known so far ends; line 0: nobody knows
    for chunk, text in pieces:
        _bridge(rows, cut, line, chunk.start_line, chunk.start_byte - at)
        at, line = chunk.end_byte, 0
        if text is None or len(text.encode()) != chunk.end_byte - chunk.start_byte:
            cut.update((chunk.start_line, chunk.end_line))
            continue
        parts = text.split("\n")
        for number, part in enumerate(parts, chunk.start_line):
            rows[number] = rows.get(number, "") + part
        line = chunk.start_line + len(parts) - 1
    _bridge(
        rows, cut, line, lines + 1, size - at
    )  # as if the file ends with a line end; if not, the gap is 0
    kept = {
        number: rows[number].rstrip("\r")
        for number in sorted(rows)
        if number <= lines and (rows[number] or number not in cut)
    }
    return FileText(kept, lines, frozenset(cut & kept.keys()))


def _bridge(rows: dict[int, str], cut: set[int], line: int, to: int, gap: int) -> None:
    """Fill in what lies between two chunks, or mark the lines at its ends as cut."""
    if line and gap == to - line:
        for number in range(line, to):
            rows.setdefault(number, "")
    elif gap > 0:
        cut.update((line, to))
