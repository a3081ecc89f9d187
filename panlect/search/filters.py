"""Where a search may look: paths, languages, kinds of symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from panlect.code.analysis import Definition
from panlect.code.languages import SCRIPT, language_by_name
from panlect.errors import BadInputError
from panlect.index.snapshot import Snapshot

KINDS = frozenset(
    {
        "function",
        "method",
        "class",
        "interface",
        "type",
        "constant",
        "variable",
        "field",
        "module",
        "extension",
    }
)
_MAX_PATTERNS = 10  # each is tried on every path of every repository that is asked
_LONGEST_PATTERN = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit must be; within one field any of the values will do, and an empty field allows everything.

    `paths`: a folder (all below it), a file, or a glob in which `*` stays within a folder and `**` crosses
    folders; a glob without a slash is for names in any folder. `languages`: a name or family (`typescript`
    is tsx too). `kinds`: of a definition in the lines of the hit.
    """

    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises BadInputError for a kind that no definition has, or patterns beyond reason."""
        for kind in self.kinds:
            if kind not in KINDS:
                raise BadInputError(
                    f"{kind[:80]!r} is no kind of symbol.", fix=f"Use one of {', '.join(sorted(KINDS))}."
                )
        if len(self.paths) > _MAX_PATTERNS or any(len(one) > _LONGEST_PATTERN for one in self.paths):
            raise BadInputError(
                "The path filter is too long.",
                fix=f"At most {_MAX_PATTERNS} patterns of {_LONGEST_PATTERN} characters.",
            )

    @property
    def by_file(self) -> bool:
        """Whether some files are not allowed."""
        return bool(self.paths or self.languages)

    def allows(self, snapshot: Snapshot, path: str) -> bool:
        """Whether a file may be in the answer."""
        if self.paths and not any(matches(path, pattern) for pattern in self.paths):
            return False
        return not self.languages or self._speaks(snapshot, path)

    def chosen(self, definitions: Sequence[Definition]) -> list[Definition]:
        """The definitions of an allowed kind."""
        return [one for one in definitions if not self.kinds or one.kind in self.kinds]

    def _speaks(self, snapshot: Snapshot, path: str) -> bool:
        language = language_by_name(path)
        names = {language.name, language.family}
        if language is SCRIPT and (meta := snapshot.meta(path)) is not None:
            names = {meta.language}
        return not names.isdisjoint(one.lower() for one in self.languages)


def matches(path: str, pattern: str) -> bool:
    """Whether a path is what a filter's pattern says; the time grows with both lengths, not faster."""
    wanted = pattern.strip().removeprefix("./").strip("/")
    if not any(char in wanted for char in "*?["):
        return not wanted or path == wanted or path.startswith(f"{wanted}/")
    if "/" not in wanted and wanted != "**":
        return fnmatchcase(path.rpartition("/")[2], wanted)
    return _parts_match(path.split("/"), wanted.split("/"))


def _parts_match(parts: list[str], wanted: list[str]) -> bool:
    """Folder by folder; on a mismatch the last `**` takes one folder more."""
    at = against = 0
    retry: tuple[int, int] | None = None
    while at < len(parts):
        if against < len(wanted) and wanted[against] == "**":
            retry = (at, against)
            against += 1
        elif against < len(wanted) and fnmatchcase(parts[at], wanted[against]):
            at, against = at + 1, against + 1
        elif retry is not None:
            retry = (retry[0] + 1, retry[1])
            at, against = retry[0], retry[1] + 1
        else:
            return False
    return all(rest == "**" for rest in wanted[against:])
