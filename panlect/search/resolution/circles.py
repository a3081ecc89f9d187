"""What is being looked for: imports and bases may lead back to where they began, and such an answer is not whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_MOST_PENDING = 40  # lookups that wait for one another
_Mark = tuple[str, str, str]


class Circles:
    """The lookups that wait for one another. What was found while `cut` grew is part of the answer: do not keep it."""

    def __init__(self) -> None:
        self.cut = 0
        self._pending: set[_Mark] = set()

    @contextmanager
    def finding(self, mark: _Mark) -> Iterator[bool]:
        """Whether something may be looked for: not when it is looked for already, or the path there is too long."""
        if mark in self._pending or len(self._pending) >= _MOST_PENDING:
            self.cut += 1
            yield False
            return
        self._pending.add(mark)
        try:
            yield True
        finally:
            self._pending.discard(mark)
