"""Globs of paths and of words, matched in bounded time whatever the pattern: no regular expression is built."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
_WILD = re.compile(r"[*?]")


def path_matches(glob: str, path: str) -> bool:
    """Whether `path` is one of `glob`: `*` and `?` stay in one folder, `**` is any number of folders.

    A glob without a slash is a file name in any folder; one that ends in a slash is all that lies below.
    """
    glob = glob.removeprefix("./").lstrip("/")
    if glob.endswith("/"):
        glob += "**"
    elif "/" not in glob and glob != "**":
        glob = f"**/{glob}"
    fixed = _WILD.split(glob, maxsplit=1)[0]
    return path.startswith(fixed) and _wild(glob.split("/"), path.split("/"), "**", _segment)


def word_matches(glob: str, word: str) -> bool:
    """Whether `word` (a label, a name, a branch, a title) is one of `glob`, whatever its case; `*` is anything."""
    return _segment(glob.casefold(), word.casefold())


def _segment(glob: str, text: str) -> bool:
    if _WILD.search(glob) is None:
        return glob == text
    return _wild(glob, text, "*", lambda pattern, letter: pattern in ("?", letter))


def _wild(pattern: Sequence[T], items: Sequence[T], star: T, fits: Callable[[T, T], bool]) -> bool:
    """Greedy match that goes back to the last star alone, so that time is the product of the two lengths."""
    at = here = 0
    star_at, resumed = -1, 0
    while here < len(items):
        if at < len(pattern) and pattern[at] == star:
            star_at, resumed = at, here
            at += 1
        elif at < len(pattern) and fits(pattern[at], items[here]):
            at, here = at + 1, here + 1
        elif star_at >= 0:
            resumed += 1
            at, here = star_at + 1, resumed
        else:
            return False
    return all(one == star for one in pattern[at:])
