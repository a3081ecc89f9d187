"""Which files a repository's history changed together: a prior for what a change may have forgotten.

History is written by strangers: it is read up to a number of commits, bytes and seconds, and its clocks are
not believed. A commit's age is counted in commits.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from panlect.errors import GitError
from panlect.git.repository import Repository
from panlect.git.run import Limits, checked_sha

_LOG = logging.getLogger(__name__)
MAX_COMMITS = 3000
MAX_FILES = 30  # of a commit: what changes more is a sweep, and says nothing of any two of its files
HALF_LIFE = 300  # commits after which one counts half
_LIMITS = Limits(seconds=20, output_bytes=32 * 1024 * 1024)


class Together(NamedTuple):
    """A file that changed together with others, in `common` of the `commits` that touched those."""

    path: str
    score: float
    common: int
    commits: int

    @property
    def reason(self) -> str:
        """For a reader."""
        return f"changed together in {self.common} of {self.commits} commits"


class Past(NamedTuple):
    """One commit: how many commits ago, and its files under the names that they have now."""

    age: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoChange:
    """The commits before a revision, the latest first. `truncated` when there was more than is read."""

    past: tuple[Past, ...] = ()
    truncated: bool = False

    def beside(self, paths: Iterable[str]) -> tuple[Together, ...]:
        """The files that changed in the same commits as any of `paths`, the most telling first.

        Recent commits weigh more, small ones too; and a file that changes with everything says little.
        """
        asked = frozenset(paths)
        weight: dict[str, float] = defaultdict(float)
        common: dict[str, int] = defaultdict(int)
        total: dict[str, float] = defaultdict(float)
        commits = 0
        for age, changed in self.past:
            recency = 0.5 ** (age / HALF_LIFE)
            for path in changed:
                total[path] += recency
            if asked.isdisjoint(changed):
                continue
            commits += 1
            others = [path for path in changed if path not in asked]
            for path in others:
                weight[path] += recency / len(others)
                common[path] += 1
        scored = [(weight[path] / (1 + total[path]) ** 0.5, path) for path in weight]
        return tuple(
            Together(path, score, common[path], commits)
            for score, path in sorted(scored, key=lambda pair: (-pair[0], pair[1]))
        )


def prior(repository: Repository, before: str) -> CoChange:
    """What changed together up to `before`; nothing where git cannot tell: then the rest has to do."""
    try:
        return co_changes(repository, before)
    except GitError as error:
        _LOG.warning("The history before %s was not read: %s", before[:8], error)
        return CoChange()


def co_changes(repository: Repository, before: str, *, max_commits: int = MAX_COMMITS) -> CoChange:
    """The last commits up to and including `before`, merges left out. Raises GitError when git fails.

    A file that was renamed is known under its present name.
    """
    out = repository.run(
        "log", f"--max-count={max_commits + 1}", "--no-merges", "--format=%H", "--raw", "--abbrev=4",
        "-M", "-l200", "-z", checked_sha(before), "--", limits=_LIMITS, truncate=True,
    )  # fmt: skip
    fields = out.stdout.split(b"\0")
    commits = list(_commits(fields[:-1]))
    if out.truncated:
        commits = commits[:-1]  # its list may be cut
    past: list[Past] = []
    now: dict[str, str] = {}  # a path as it was -> as it is
    for age, renames_and_paths in enumerate(commits[:max_commits]):
        paths = []
        for old, new in renames_and_paths:
            present = now.get(new, new)
            paths.append(present)
            if old != new:
                now[old] = present
        if len(paths) <= MAX_FILES:
            past.append(Past(age, tuple(sorted(set(paths)))))
    return CoChange(tuple(past), truncated=out.truncated or len(commits) > max_commits)


def _commits(fields: Iterable[bytes]) -> Iterator[list[tuple[str, str]]]:
    """The (old path, new path) of each commit.

    A row names its kind and then its one or two paths, so a path that looks like a row or a commit is none.
    """
    changed: list[tuple[str, str]] | None = None
    rows = iter(fields)
    for field in rows:
        meta = field.lstrip(b"\n")
        if not meta.startswith(b":"):
            if changed is not None:
                yield changed
            changed = []
            continue
        first = _path(next(rows, b""))
        second = _path(next(rows, b"")) if meta.split()[-1][:1] in b"RC" else first
        if changed is not None:
            changed.append((first if meta.split()[-1][:1] != b"C" else second, second))
    if changed is not None:
        yield changed


def _path(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
