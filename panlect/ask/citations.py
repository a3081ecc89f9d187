"""Citations of an answer while it streams: what was not read is dropped, what was partly read is narrowed.

An answer cites `[path:12-20]`, several places in one pair of brackets, with `repository:` before the path where
several were asked. Text is held back from a `[` to its `]`, so that nobody sees a citation that does not stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from panlect.ask.reading import Extract, ReadingList

_CITED = re.compile(
    r"`?(?P<path>[^\[\]`\n]{1,500}?)(?::|#)L?(?P<first>\d{1,7})(?:\s?[-–—:]\s?L?(?P<last>\d{1,7}))?`?"
)
_MORE = re.compile(r"L?\d{1,7}(?:[-–—]L?\d{1,7})?")  # `7-9` of `[path:1-3, 7-9]`
_LONGEST = 600  # characters between brackets: longer is no citation
_SUBSCRIPTED = re.compile(r"[\w)\]\"']")  # before the bracket of `rows[1:2]`


@dataclass(slots=True)
class Citations:
    """Lets an answer's text through, piece by piece. `sources` are the cited extracts in order, each once."""

    reading: ReadingList
    names: tuple[str, ...]  # of the repositories
    exists: Callable[[str], bool]  # whether a repository has a path: what names one is meant as a citation
    sources: list[Extract] = field(default_factory=list)
    dropped: int = 0
    _held: str = ""
    _before: str = ""  # the last character that was let through

    def feed(self, text: str) -> str:
        """The part of what came so far that can be shown now."""
        self._held += text
        shown = ""
        while self._held:
            at = self._held.find("[")
            if at < 0:
                # White space is held back: it goes with a citation that is dropped.
                kept = self._held.rstrip(" ")
                shown += self._let(kept)
                self._held = self._held[len(kept) :]
                break
            if at > 0 and self._held[:at].rstrip(" "):
                kept = self._held[:at].rstrip(" ")
                shown += self._let(kept)
                self._held = self._held[len(kept) :]
                continue
            end = re.compile(r"[\[\]\n]").search(self._held, at + 1)
            if end is None:
                if len(self._held) - at > _LONGEST:
                    shown += self._let(self._held)
                    self._held = ""
                break
            stop = end.end() if end.group() == "]" else end.start()
            whole, self._held = self._held[:stop], self._held[stop:]
            shown += self._let(self._checked(whole, at) if end.group() == "]" else whole)
        return shown

    def rest(self) -> str:
        """What is still held back when the answer has ended."""
        held, self._held = self._held, ""
        return self._let(held)

    def _let(self, text: str) -> str:
        self._before = text[-1:] or self._before
        return text

    def _checked(self, whole: str, at: int) -> str:
        """`whole`, white space and then brackets, with what stands of its citations."""
        before = whole[at - 1] if at else self._before
        inner = whole[at + 1 : -1]
        parts = _spelt_out([part.strip() for part in re.split(r"[,;]", inner)])
        matches = [_CITED.fullmatch(part) for part in parts]
        found = [match for match in matches if match is not None]
        known = any(self.exists(self._split(match["path"].strip())[1]) for match in found)
        # An array or a subscript is no citation; what looks like a place in a file is one, whoever made it up.
        if not found or (len(found) < len(parts) and not known) or not (known or self._meant(found, before)):
            return whole
        standing = [name for match in found if (name := self._standing(match))]
        self.dropped += len(parts) - len(standing)
        return f"{whole[:at]}[{', '.join(dict.fromkeys(standing))}]" if standing else ""

    def _meant(self, found: list[re.Match[str]], before: str) -> bool:
        if _SUBSCRIPTED.fullmatch(before):
            return False
        return any(
            match["last"] or "/" in match["path"] or "." in match["path"] for match in found
        ) and not all(match["path"].strip().isdecimal() for match in found)

    def _split(self, said: str) -> tuple[str, str]:
        """(repository, path) of a citation; the repository is "" where none is said."""
        for name in sorted(self.names, key=len, reverse=True):
            if said.startswith(f"{name}:"):
                return name, said[len(name) + 1 :].strip().removeprefix("./")
        return "", said.removeprefix("./")

    def _standing(self, match: re.Match[str]) -> str:
        """The citation as it stands, "" when nothing of it was read."""
        repository, path = self._split(match["path"].strip())
        first, last = int(match["first"]), int(match["last"] or match["first"])
        several = len(self.names) > 1
        of = ([repository] if repository else self.reading.repositories_of(path)) if several else [""]
        found = [e for one in of if (e := self.reading.within(one, path, min(first, last), max(first, last)))]
        if len(found) != 1:  # read in two repositories: nobody knows which is meant
            return ""
        if found[0] not in self.sources:
            self.sources.append(found[0])
        return found[0].name


def _spelt_out(parts: list[str]) -> list[str]:
    """The same with the path before each range that was said without one."""
    found: list[str] = []
    for part in parts:
        path = found[-1].rpartition(":")[0] if found and _MORE.fullmatch(part) else ""
        found.append(f"{path}:{part}" if path else part)
    return found
