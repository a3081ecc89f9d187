"""What the checks ask of a change and of its two revisions: plain reads, so that a test can give a dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from panlect.code.analysis import Mention
from panlect.code.facts import FileFacts

Run = tuple[int, int]
"""First and last line, 1-based and inclusive."""


class HunkView(Protocol):
    """The lines one hunk takes away from the base and adds to the head."""

    @property
    def removed(self) -> Sequence[Run]:
        """Runs of lines of the base."""
        ...

    @property
    def added(self) -> Sequence[Run]:
        """Runs of lines of the head."""
        ...


class FileChangeView(Protocol):
    """One path of a change; `old_path` is None for an added file, `new_path` for a deleted one."""

    @property
    def old_path(self) -> str | None: ...  # noqa: D102

    @property
    def new_path(self) -> str | None: ...  # noqa: D102

    @property
    def hunks(self) -> Sequence[HunkView]: ...  # noqa: D102


class ChangeView(Protocol):
    """What the head does to the base."""

    @property
    def files(self) -> Sequence[FileChangeView]: ...  # noqa: D102


class RepositoryView(Protocol):
    """One revision of a repository."""

    def paths(self) -> Sequence[str]:
        """Every path of the revision."""
        ...

    def exists(self, path: str) -> bool:
        """Whether the revision has this path."""
        ...

    def text(self, path: str) -> bytes:
        """The file's bytes, b"" when it cannot be read."""
        ...

    def facts(self, path: str) -> FileFacts | None:
        """The scope facts of one file, None where there are none."""
        ...

    def all_facts(self) -> Mapping[str, FileFacts]:
        """The scope facts of every file that has some."""
        ...

    def files_mentioning(self, kind: str, name: str) -> Sequence[str]:
        """The files that mention this table, column, flag ..., by path."""
        ...

    def mentions(self, path: str) -> Sequence[Mention]:
        """What a file shares with the world by strings, in the order of its text."""
        ...

    def has_error(self, path: str) -> bool | None:
        """Whether a file was read by a grammar and did not parse; None where no grammar reads it."""
        ...
