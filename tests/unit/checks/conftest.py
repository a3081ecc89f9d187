"""Two revisions written as dicts of path -> text, and the checks run over them."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest
import tree_sitter
import tree_sitter_go
import tree_sitter_python
import tree_sitter_typescript

from panlect.checks.run import run_checks
from panlect.code.analysis import Analysis, Mention
from panlect.code.facts import FileFacts
from panlect.code.languages import language_of
from panlect.code.parse import read
from panlect.code.scopes import scope_facts
from panlect.finding import Candidate

_GRAMMARS = {
    "python": tree_sitter_python.language,
    "go": tree_sitter_go.language,
    "typescript": tree_sitter_typescript.language_typescript,
    "tsx": tree_sitter_typescript.language_tsx,
}
_LANGUAGES = {".py": "python", ".go": "go", ".ts": "typescript", ".tsx": "tsx"}


@functools.cache
def _parser(language: str) -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(_GRAMMARS[language]()))


@dataclass(frozen=True)
class DictView:
    """A revision that holds its files in memory."""

    files: Mapping[str, str]

    def paths(self) -> Sequence[str]:
        return sorted(self.files)

    def exists(self, path: str) -> bool:
        return path in self.files

    def text(self, path: str) -> bytes:
        return self.files.get(path, "").encode()

    def facts(self, path: str) -> FileFacts | None:
        language = _LANGUAGES.get(PurePosixPath(path).suffix)
        if language is None or path not in self.files:
            return None
        source = self.text(path)
        return FileFacts.unpack(
            scope_facts(_parser(language).parse(source).root_node, source, language).pack()
        )

    def all_facts(self) -> Mapping[str, FileFacts]:
        found = {path: self.facts(path) for path in self.paths()}
        return {path: facts for path, facts in found.items() if facts is not None}

    def _analysis(self, path: str) -> Analysis:
        source = self.text(path)
        return read(language_of(path, source), source).analysis

    def mentions(self, path: str) -> Sequence[Mention]:
        return self._analysis(path).mentions

    def files_mentioning(self, kind: str, name: str) -> Sequence[str]:
        return [p for p in self.paths() if any((m.kind, m.name) == (kind, name) for m in self.mentions(p))]

    def has_error(self, path: str) -> bool | None:
        found = self._analysis(path)
        return found.has_error if path in self.files and found.parser == "tree-sitter" else None


@dataclass(frozen=True)
class Hunk:
    removed: Sequence[tuple[int, int]]
    added: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class FileChange:
    old_path: str | None
    new_path: str | None
    hunks: Sequence[Hunk]


@dataclass(frozen=True)
class Change:
    files: Sequence[FileChange]


def change_between(base: Mapping[str, str], head: Mapping[str, str], renamed: Mapping[str, str]) -> Change:
    """The diff of two dicts; `renamed` maps old paths to new ones."""
    files = []
    pairs = {path: renamed.get(path, path) for path in base}
    pairs |= {new: new for new in head if new not in pairs.values()}
    for old, new in sorted(pairs.items()):
        before = base[old].split("\n") if old in base else []
        after = head[new].split("\n") if new in head else []
        if before == after and old == new:
            continue
        hunks = [
            Hunk([(i + 1, j)] if j > i else [], [(k + 1, m)] if m > k else [])
            for tag, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
            if tag != "equal"
        ]
        files.append(FileChange(old if old in base else None, new if new in head else None, hunks))
    return Change(files)


Review = Callable[..., tuple[Candidate, ...]]


@pytest.fixture
def review() -> Review:
    """`review(base, head, renamed={})`: candidates; a path that `head` leaves out is unchanged, None deletes it."""

    def run(
        base: Mapping[str, str], head: Mapping[str, str | None], renamed: Mapping[str, str] | None = None
    ) -> tuple[Candidate, ...]:
        merged = {path: text for path, text in base.items() if path not in (renamed or {})}
        after = {path: text for path, text in {**merged, **head}.items() if text is not None}
        return run_checks(change_between(base, after, renamed or {}), DictView(base), DictView(after))

    return run
