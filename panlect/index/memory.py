"""A repository and its analyses in dictionaries: snapshots without git, disk or database, for tests and trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from panlect.code.packed import Column, Packed
from panlect.git.repository import MISSING, ObjectRead
from panlect.git.tree import TreeEntry
from panlect.index.analyse import analyse_blobs
from panlect.index.snapshot import BlobKey, Snapshot


@dataclass(slots=True)
class MemoryBlobs:
    """Blobs by a hash of their content. `asked` lists what was read, in order."""

    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, files: Mapping[str, str | bytes]) -> list[TreeEntry]:
        """Store these files; returns the entries of a commit that holds them."""
        entries = []
        for path, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            sha = blake2b(content, digest_size=20).hexdigest()
            self.contents[sha] = content
            entries.append(TreeEntry(path, sha, "100644", len(content)))
        return entries

    def read_objects(self, shas: Sequence[str]) -> Iterator[ObjectRead]:
        """As `index.analyse.ObjectSource` says."""
        for sha in shas:
            self.asked.append(sha)
            yield ObjectRead(sha, self.contents.get(sha, b""), "" if sha in self.contents else MISSING)

    def read_blobs(self, shas: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """As `index.snapshot.BlobReader` says."""
        for sha in shas:
            if sha in self.contents:
                self.asked.append(sha)
                yield sha, self.contents[sha]


@dataclass(slots=True)
class MemoryStore:
    """Analyses by blob. `loads` lists the columns that were asked for, with how many blobs each."""

    kept: dict[BlobKey, Packed] = field(default_factory=dict)
    loads: list[tuple[Column, int]] = field(default_factory=list)

    def known(self, keys: Iterable[BlobKey]) -> set[BlobKey]:
        """As `index.analyse.AnalysisSink` says."""
        return {key for key in keys if key in self.kept}

    def put(self, analyses: Iterable[tuple[BlobKey, Packed]]) -> None:
        """As `index.analyse.AnalysisSink` says."""
        self.kept.update(analyses)

    def load(self, column: Column, keys: Sequence[BlobKey]) -> dict[BlobKey, bytes]:
        """As `index.snapshot.AnalysisSource` says."""
        self.loads.append((column, len(keys)))
        return {key: getattr(self.kept[key], column) for key in keys if key in self.kept}


@dataclass(slots=True)
class MemoryRepository:
    """Makes snapshots of dictionaries that map paths to text."""

    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    store: MemoryStore = field(default_factory=MemoryStore)

    def snapshot(self, files: Mapping[str, str | bytes], *, base: Snapshot | None = None) -> Snapshot:
        """A commit with these files, analysed in this process; an overlay of `base` when that is given."""
        entries = self.blobs.add(files)
        analyse_blobs(self.blobs, entries, self.store, workers=0)
        if base is not None:
            return base.overlay("head", entries)
        return Snapshot("base", entries, self.store, self.blobs)
