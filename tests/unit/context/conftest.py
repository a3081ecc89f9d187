"""Contexts of changes that are written down as two dictionaries of files."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

import pytest

from panlect.change import Change, ChangedFile, ChangedHunk
from panlect.context.gather import Context, gather_context
from panlect.git.history import CoChange
from panlect.index.memory import MemoryRepository


def _change(before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    """The change between two dictionaries, one hunk for each run of differing lines."""
    files = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        old_lines, new_lines = (old or "").splitlines(), (new or "").splitlines()
        codes = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes()
        hunks = tuple(
            ChangedHunk(
                i1 + 1, i2 - i1, j1 + 1, j2 - j1,
                removed=((i1 + 1, i2),) if i2 > i1 else (),
                added=((j1 + 1, j2),) if j2 > j1 else (),
            )
            for tag, i1, i2, j1, j2 in codes
            if tag != "equal"
        )  # fmt: skip
        status = "added" if old is None else "deleted" if new is None else "modified"
        files.append(
            ChangedFile(
                status,
                old_path=path if old is not None else None,
                new_path=path if new is not None else None,
                old_blob=None,
                new_blob=None,
                old_mode="100644",
                new_mode="100644",
                kind="code",
                hunks=hunks,
            )
        )
    return Change("b" * 40, "h" * 40, tuple(files))


@pytest.fixture
def gathered() -> Callable[..., Context]:
    """Gathers the context of a change from some files to others."""

    def gather(
        before: Mapping[str, str],
        after: Mapping[str, str],
        budget: int = 4000,
        history: CoChange | None = None,
    ) -> Context:
        repository = MemoryRepository()
        base = repository.snapshot(before)
        head = repository.snapshot(after, base=base)
        return gather_context(_change(before, after), base, head, budget, history=history)

    return gather
