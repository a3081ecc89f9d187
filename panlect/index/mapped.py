"""Inverted columns of large snapshots in files, mapped into memory: made once, then opened in milliseconds.

What is mapped is shared by every process that searches it and given back by the system when memory is short.
A folder is written whole or not at all; one that cannot be read is made anew. Nothing in it is the only copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from panlect.code.parse import ANALYSER_VERSION
from panlect.index.segment import ChunkSegment, Inverted, NameSegment

Array = np.ndarray[Any, Any]

_FORMAT = 1  # raised when a column changes its meaning
_SMALL = 4096  # chunks: below, making them is as quick as opening files


@dataclass(frozen=True, slots=True)
class SegmentFolder:
    """The mapped columns of one snapshot below `root`; at most `max_bytes` of all snapshots, the oldest go first."""

    root: Path
    name: str
    max_bytes: int = 4 * 1024**3

    def chunks(self, make: Callable[[], ChunkSegment]) -> ChunkSegment:
        """The mapped chunks, made and written where they are not there yet."""
        found = self._load("chunks")
        if found is not None:
            with contextlib.suppress(KeyError):
                terms = Inverted(**{field.name: found[f"terms.{field.name}"] for field in fields(Inverted)})
                plain = {f.name: found[f.name] for f in fields(ChunkSegment) if f.name != "terms"}
                return ChunkSegment(**plain, terms=terms)
        made = make()
        if len(made.file) >= _SMALL:
            plain = {f.name: getattr(made, f.name) for f in fields(ChunkSegment) if f.name != "terms"}
            self._save("chunks", plain | _columns("terms", made.terms))
        return made

    def names(self, make: Callable[[], NameSegment]) -> NameSegment:
        """The mapped names, made and written where they are not there yet."""
        found = self._load("names")
        if found is not None:
            with contextlib.suppress(KeyError):
                return NameSegment(
                    **{
                        kind.name: Inverted(
                            **{f.name: found[f"{kind.name}.{f.name}"] for f in fields(Inverted)}
                        )
                        for kind in fields(NameSegment)
                    }
                )
        made = make()
        if len(made.used.documents) >= _SMALL:
            kinds = [_columns(kind.name, getattr(made, kind.name)) for kind in fields(NameSegment)]
            self._save("names", {name: column for kind in kinds for name, column in kind.items()})
        return made

    def _folder(self, kind: str) -> Path:
        return self.root / f"{self.name}-{ANALYSER_VERSION}-{_FORMAT}" / kind

    def _load(self, kind: str) -> dict[str, Array] | None:
        folder = self._folder(kind)
        try:
            found = {
                file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in folder.glob("*.npy")
            }
            os.utime(folder.parent)
        except (OSError, ValueError, EOFError):
            return None
        return found or None

    def _save(self, kind: str, columns: Mapping[str, Array]) -> None:
        """Write a folder whole; a full disk, or another process that was first, is no error."""
        folder = self._folder(kind)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=folder.parent))
            try:
                for name, column in columns.items():
                    np.save(draft / f"{name}.npy", column, allow_pickle=False)
                _remove(folder)
                draft.rename(folder)
            except OSError:
                shutil.rmtree(draft, ignore_errors=True)
                return
            self._evict()
        except OSError:
            return

    def _evict(self) -> None:
        rows = [(one.stat().st_mtime, one, _size(one)) for one in self.root.iterdir() if one.is_dir()]
        surplus = sum(size for _, _, size in rows) - self.max_bytes
        for _, one, size in sorted(rows)[:-1]:  # never the newest, which was just written
            if surplus <= 0:
                break
            shutil.rmtree(one, ignore_errors=True)  # whoever has it mapped keeps it
            surplus -= size


def _remove(folder: Path) -> None:
    """Take away a folder that could not be read, first by its name: nobody finds half of it."""
    if folder.exists():
        away = Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent))
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            folder.rename(away / folder.name)
        shutil.rmtree(away, ignore_errors=True)


def _columns(prefix: str, inverted: Inverted) -> dict[str, Array]:
    return {f"{prefix}.{field.name}": getattr(inverted, field.name) for field in fields(Inverted)}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.npy"))
