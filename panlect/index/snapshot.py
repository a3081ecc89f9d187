"""One commit as search, context and checks see it: immutable, its parts loaded when they are asked for.

A pull request's head is an overlay on its base: what did not change is loaded, decoded and inverted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from panlect.code.analysis import Analysis, Definition, Import, Mention, Reference
from panlect.code.facts import FileFacts
from panlect.code.languages import is_test, kind_of, language_by_name, subject_stem
from panlect.code.packed import (
    Column,
    Meta,
    chunks_of,
    definitions_of,
    imports_of,
    mention_key,
    mentions_of,
    meta_of,
    name_id,
    references_of,
    search_of,
    symbols_of,
    unpack,
)
from panlect.code.parse import MAX_BYTES
from panlect.git.tree import TreeEntry
from panlect.llm.outgoing import may_leave

if TYPE_CHECKING:
    from panlect.code.analysis import Chunk
    from panlect.index.mapped import SegmentFolder
    from panlect.index.segment import ChunkSegment, Inverted, NameSegment

BlobKey = tuple[str, str]  # language by name, blob sha
_MAX_DATA_BYTES = 64 * 1024  # a larger data file tells a reader nothing that its beginning does not
_KEPT_TEXT_BYTES = 64 * 1024 * 1024


class AnalysisSource(Protocol):
    """Where analyses are kept: the terminal's cache, or Postgres."""

    def load(self, column: Column, keys: Sequence[BlobKey]) -> Mapping[BlobKey, bytes]:
        """One column of many blobs; those that are not kept are left out."""
        ...


class BlobReader(Protocol):
    """Where the bytes of blobs come from; `git.repository.Repository` is one."""

    def read_blobs(self, shas: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Each blob with its bytes, in the order asked; missing ones are left out."""
        ...


class DefinitionSite(NamedTuple):
    """A definition and the file it stands in."""

    path: str
    definition: Definition


class ReferenceSite(NamedTuple):
    """A use of a name and the file it stands in."""

    path: str
    reference: Reference


def blob_key(entry: TreeEntry) -> BlobKey:
    """Under which an entry's analysis is kept."""
    return language_by_name(entry.path).name, entry.blob_sha


def is_analysable(entry: TreeEntry) -> bool:
    """Whether an entry is read at all: a regular file of bounded size that is no binary, no lock file, and not named
    as a file of secrets is. What is not read is in no index, no answer and no request to a model.
    """
    if not entry.is_regular or not 0 <= entry.size <= MAX_BYTES or not may_leave(entry.path):
        return False
    kind = kind_of(entry.path)
    return kind not in ("binary", "lock") and not (kind == "data" and entry.size > _MAX_DATA_BYTES)


class _Store:
    """Columns, decoded values and texts by blob, shared by a snapshot and all its overlays."""

    def __init__(self, source: AnalysisSource, blobs: BlobReader) -> None:
        self._source, self._blobs = source, blobs
        self._columns: dict[Column, dict[BlobKey, bytes]] = {}
        self._asked: dict[Column, set[BlobKey]] = {}
        self._texts: dict[str, bytes] = {}
        self._text_bytes = 0
        self.analyses: dict[BlobKey, Analysis] = {}
        self.definitions: dict[BlobKey, tuple[Definition, ...]] = {}
        self.facts: dict[BlobKey, FileFacts | None] = {}

    def columns(self, column: Column, keys: Sequence[BlobKey]) -> dict[BlobKey, bytes]:
        """The column of these blobs and perhaps of others."""
        kept = self._columns.setdefault(column, {})
        asked = self._asked.setdefault(column, set())
        missing = [key for key in dict.fromkeys(keys) if key not in asked]
        if missing:
            kept.update(self._source.load(column, missing))
            asked.update(missing)
        return kept

    def forget(self, column: Column) -> None:
        """Give a column's memory back; it is loaded again where it is asked for."""
        self._columns.pop(column, None)
        self._asked.pop(column, None)

    def texts(self, shas: Sequence[str]) -> dict[str, bytes]:
        """The bytes of these blobs, kept for the next time while there is room."""
        found = {sha: self._texts[sha] for sha in shas if sha in self._texts}
        missing = [sha for sha in dict.fromkeys(shas) if sha not in found]
        for sha, content in self._blobs.read_blobs(missing):
            found[sha] = content
            if self._text_bytes + len(content) <= _KEPT_TEXT_BYTES:
                self._texts[sha] = content
                self._text_bytes += len(content)
        return found


class _Files:
    """An ordered list of files with their inverted chunks and names, each made at first use."""

    def __init__(
        self, entries: Sequence[TreeEntry], store: _Store, folder: SegmentFolder | None = None
    ) -> None:
        self._folder = folder
        self.paths = [entry.path for entry in entries]
        self.keys = [blob_key(entry) for entry in entries]
        self.ordinals = {path: ordinal for ordinal, path in enumerate(self.paths)}
        self._store = store

    @cached_property
    def chunks(self) -> ChunkSegment:
        return self._made_chunks() if self._folder is None else self._folder.chunks(self._made_chunks)

    @cached_property
    def names(self) -> NameSegment:
        return self._made_names() if self._folder is None else self._folder.names(self._made_names)

    def _made_chunks(self) -> ChunkSegment:
        from panlect.index.segment import chunk_segment

        metas = self._store.columns("meta", self.keys)
        searched = [_is_searched(path, metas.get(k)) for path, k in zip(self.paths, self.keys, strict=True)]
        wanted = [key for key, kept in zip(self.keys, searched, strict=True) if kept]
        loaded = self._store.columns("search", wanted)
        rows = zip(self.keys, searched, strict=True)
        made = chunk_segment(self.paths, [loaded.get(key) if kept else None for key, kept in rows])
        self._store.forget("search")  # the inverted columns say the same in a tenth of the room
        return made

    def _made_names(self) -> NameSegment:
        from panlect.index.segment import name_segment

        loaded = self._store.columns("symbols", self.keys)
        return name_segment([loaded.get(key) for key in self.keys])


def _is_searched(path: str, meta: bytes | None) -> bool:
    """Whether people wrote the file: search passes over generated and vendored code."""
    if meta is None or kind_of(path) in ("generated", "vendored"):
        return False
    return not meta_of(meta).generated


class Snapshot:
    """The files of one commit with their analyses. Everything it returns is in a fixed order."""

    def __init__(
        self,
        commit: str,
        entries: Iterable[TreeEntry],
        source: AnalysisSource,
        blobs: BlobReader,
        *,
        truncated: bool = False,
        folder: SegmentFolder | None = None,
    ) -> None:
        self.commit = commit
        self.truncated = truncated  # there are more files than were listed: nothing may be called missing
        self._entries = {entry.path: entry for entry in sorted(entries, key=lambda one: one.path)}
        self._store = _Store(source, blobs)
        read = [entry for entry in self._entries.values() if is_analysable(entry)]
        self._root = _Files(read, self._store, folder)
        self._delta = _Files([], self._store)
        self._dead: frozenset[int] = frozenset()  # files of the root that are not as they were

    def overlay(self, commit: str, entries: Iterable[TreeEntry], *, truncated: bool = False) -> Snapshot:
        """Another commit of the same repository; all that it shares with this one stays loaded."""
        other = object.__new__(Snapshot)
        other.commit = commit
        other.truncated = truncated
        other._entries = {entry.path: entry for entry in sorted(entries, key=lambda one: one.path)}
        other._store = self._store
        other._root = self._root
        fresh = [e for e in other._entries.values() if not self._in_root(e) and is_analysable(e)]
        other._delta = _Files(fresh, self._store)
        other._dead = frozenset(
            ordinal
            for ordinal, (path, key) in enumerate(zip(self._root.paths, self._root.keys, strict=True))
            if (entry := other._entries.get(path)) is None or blob_key(entry) != key or not entry.is_regular
        )
        return other

    @property
    def overlaid(self) -> int:
        """How many files differ from the snapshot that this one lies on; 0 for one that lies on none."""
        return max(len(self._delta.paths), len(self._dead))

    def _in_root(self, entry: TreeEntry) -> bool:
        ordinal = self._root.ordinals.get(entry.path)
        return ordinal is not None and self._root.keys[ordinal][1] == entry.blob_sha and entry.is_regular

    # What is there

    def paths(self) -> Sequence[str]:
        """Every path, sorted."""
        return tuple(self._entries)

    def entries(self) -> tuple[TreeEntry, ...]:
        """Every entry of the listing, by path."""
        return tuple(self._entries.values())

    def load(self, column: Column, keys: Sequence[BlobKey]) -> Mapping[BlobKey, bytes]:
        """One column of these blobs and perhaps of others, as `AnalysisSource` says."""
        return self._store.columns(column, keys)

    def prefetch(self, column: Column, paths: Iterable[str]) -> None:
        """Load a column of several files at once; what asks for them one by one then waits for nothing."""
        self._store.columns(column, [key for path in sorted(paths) if (key := self._key(path)) is not None])

    def count_chunks(self) -> int:
        """How many chunks its files have."""
        keys = [blob_key(entry) for entry in self.analysable()]
        kept = self._store.columns("search", keys)
        return sum(len(search_of(kept[key]).hashes) // 16 for key in keys if key in kept)

    def exists(self, path: str) -> bool:
        """Whether the commit has this path."""
        return path in self._entries

    def entry(self, path: str) -> TreeEntry | None:
        """The tree entry at a path."""
        return self._entries.get(path)

    def analysable(self) -> tuple[TreeEntry, ...]:
        """The entries that are read, by path."""
        return tuple(entry for path, entry in self._entries.items() if self._key(path) is not None)

    def text(self, path: str) -> bytes:
        """The bytes of a file, b"" for a submodule or a file over 1 MB. Raises KeyError for a path not here."""
        return self.texts([path])[path]

    def texts(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The bytes of several files through one read, as `text` gives them."""
        shas = {path: self._entries[path].blob_sha for path in paths}
        small = [sha for path, sha in shas.items() if 0 <= self._entries[path].size <= MAX_BYTES]
        found = self._store.texts(small)
        return {path: found.get(sha, b"") for path, sha in shas.items()}

    # What is known of a file

    def meta(self, path: str) -> Meta | None:
        """Language, parser, errors; None for a file that is not analysed."""
        column = self._column("meta", path)
        return None if column is None else meta_of(column)

    def has_error(self, path: str) -> bool | None:
        """Whether a file was read by a grammar and did not parse; None where no grammar reads it."""
        meta = self.meta(path)
        return None if meta is None or meta.skipped or meta.parser == "none" else meta.has_error

    def analysis(self, path: str) -> Analysis | None:
        """The whole analysis of a file; None for one that is not analysed."""
        key = self._key(path)
        if key is None:
            return None
        if key not in self._store.analyses:
            columns = [self._column(column, path) for column in ("meta", "search", "symbols")]
            if any(column is None for column in columns):
                return None
            self._store.analyses[key] = unpack(*(column or b"" for column in columns))
        return self._store.analyses[key]

    def definitions(self, path: str) -> tuple[Definition, ...]:
        """The definitions of a file, in the order of its text."""
        key, column = self._key(path), self._column("symbols", path)
        if key is None or column is None:
            return ()
        if key not in self._store.definitions:
            self._store.definitions[key] = definitions_of(symbols_of(column))
        return self._store.definitions[key]

    def chunks(self, path: str) -> tuple[Chunk, ...]:
        """The chunks of a file, in the order of its text."""
        column = self._column("search", path)
        return () if column is None else chunks_of(search_of(column))

    def references(self, path: str) -> tuple[Reference, ...]:
        """Every use of a name in a file, in the order of its text."""
        column = self._column("symbols", path)
        if column is None:
            return ()
        return tuple(references_of(symbols_of(column)).rows(self.definitions(path)))

    def facts(self, path: str) -> FileFacts | None:
        """The scope facts of a file; None for a language without checks."""
        key = self._key(path)
        if key is None:
            return None
        if key not in self._store.facts:
            packed = self._column("facts", path)
            self._store.facts[key] = FileFacts.unpack(packed) if packed else None
        return self._store.facts[key]

    def all_facts(self) -> Mapping[str, FileFacts]:
        """The facts of every file that has some, by path; what base and head share is one object."""
        return self._all_facts

    @cached_property
    def _all_facts(self) -> dict[str, FileFacts]:
        entries = self.analysable()
        self._store.columns("facts", [blob_key(entry) for entry in entries])
        return {e.path: facts for e in entries if (facts := self.facts(e.path)) is not None}

    # Who knows a name

    def definitions_named(self, name: str) -> tuple[DefinitionSite, ...]:
        """Every definition of this name, by path and line."""
        return tuple(
            DefinitionSite(path, definition)
            for path in self.files_defining(name)
            for definition in self.definitions(path)
            if definition.name == name
        )

    def references_to(self, name: str) -> tuple[ReferenceSite, ...]:
        """Every use of this name, by path and line."""
        sites: list[ReferenceSite] = []
        for path in self.files_using(name):
            column = self._column("symbols", path)
            if column is not None:
                rows = references_of(symbols_of(column)).rows(self.definitions(path), name)
                sites.extend(ReferenceSite(path, row) for row in rows)
        return tuple(sites)

    def files_defining(self, name: str) -> tuple[str, ...]:
        """The files that define this name, by path."""
        return self._files_with(name, [files.names.defined for files in (self._root, self._delta)])

    def files_using(self, name: str) -> tuple[str, ...]:
        """The files that use this name, by path."""
        return self._files_with(name, [files.names.used for files in (self._root, self._delta)])

    def files_extending(self, name: str) -> tuple[str, ...]:
        """The files with a definition that names this one among its bases, by path."""
        return self._files_with(name, [files.names.extended for files in (self._root, self._delta)])

    def files_mentioning(self, kind: str, name: str) -> tuple[str, ...]:
        """The files that mention this environment variable, route, table ..., by path."""
        key = mention_key(kind, name)
        return self._files_with(key, [files.names.mentioned for files in (self._root, self._delta)])

    def symbols(self, path: str) -> bytes | None:
        """The packed symbols of a file; None for one that is not analysed."""
        return self._column("symbols", path)

    def mentions(self, path: str) -> tuple[Mention, ...]:
        """What a file shares with the world by strings, in the order of its text."""
        column = self._column("symbols", path)
        return () if column is None else mentions_of(symbols_of(column))

    def imports(self, path: str) -> tuple[Import, ...]:
        """The imports of a file, in the order of its text."""
        column = self._column("symbols", path)
        return () if column is None else imports_of(symbols_of(column))

    def _files_with(self, name: str, inverted: Sequence[Inverted]) -> tuple[str, ...]:
        root, delta = (one.row(name_id(name))[0].tolist() for one in inverted)
        alive = [self._root.paths[ordinal] for ordinal in root if ordinal not in self._dead]
        return tuple(sorted({*alive, *(self._delta.paths[ordinal] for ordinal in delta)}))

    def tests_of(self, path: str) -> tuple[str, ...]:
        """The test files that name this one (`test_routes.py` for `routes.py`), the nearest folder first."""
        pure = PurePosixPath(path)
        if is_test(path):
            return ()
        stems = {pure.stem, pure.parent.name} if pure.stem in ("__init__", "index") else {pure.stem}
        found = {
            test for stem in stems for test in self._tests.get((stem, language_by_name(path).family), ())
        }
        return tuple(sorted(found, key=lambda test: (-_shared_folders(path, test), test)))

    def files_of_stem(self, stem: str) -> tuple[str, ...]:
        """The files that a test named after `stem` may test, by path."""
        return self._stems.get(stem, ())

    @cached_property
    def _stems(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for path in self._entries:
            pure = PurePosixPath(path)
            stem = pure.parent.name if pure.stem in ("__init__", "index") else pure.stem
            found.setdefault(stem, []).append(path)
        return {stem: tuple(paths) for stem, paths in found.items()}

    @cached_property
    def _tests(self) -> dict[tuple[str, str], list[str]]:
        """(stem, language family) -> test files that name it."""
        found: dict[tuple[str, str], list[str]] = {}
        for path in self._entries:
            stem = subject_stem(path)
            if stem:
                found.setdefault((stem, language_by_name(path).family), []).append(path)
        return found

    # For search

    def segments(self) -> tuple[tuple[ChunkSegment, Sequence[str], frozenset[int]], ...]:
        """The inverted chunks, each with its files and the ordinals of those that are gone."""
        parts = [(self._root.chunks, self._root.paths, self._dead)]
        if self._delta.paths:
            parts.append((self._delta.chunks, self._delta.paths, frozenset()))
        return tuple(parts)

    def _key(self, path: str) -> BlobKey | None:
        """Under which a file's analysis is kept, without looking at its name again: search asks this often."""
        ordinal = self._delta.ordinals.get(path)
        if ordinal is not None:
            return self._delta.keys[ordinal]
        ordinal = self._root.ordinals.get(path)
        return None if ordinal is None or ordinal in self._dead else self._root.keys[ordinal]

    def _column(self, column: Column, path: str) -> bytes | None:
        key = self._key(path)
        return None if key is None else self._store.columns(column, [key]).get(key)


def _shared_folders(left: str, right: str) -> int:
    """How many leading folders two paths share."""
    count = 0
    for one, other in zip(PurePosixPath(left).parts[:-1], PurePosixPath(right).parts[:-1], strict=False):
        if one != other:
            break
        count += 1
    return count
