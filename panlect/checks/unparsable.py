"""Files that parsed before the change and do not any more.

A grammar that recovers from errors may be wrong about one, so Python, JSON and TOML are asked of a second parser, in
both revisions; of other languages only an error that stands in added lines is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panlect.checks.added import added_numbers, at_line, text_lines
from panlect.checks.paths import is_foreign, is_sample
from panlect.checks.syntax import CONFIRMED, INDENTATION
from panlect.checks.view import ChangeView, FileChangeView, RepositoryView
from panlect.child import ChildFailure, ChildPool
from panlect.code.languages import kind_of, language_by_name
from panlect.finding import Candidate, Category

_GRAMMARS = frozenset({"csharp", "go", "java", "javascript", "rust", "tsx", "typescript"})
# Names under which comments in JSON are usual, so that the strict parser has no say.
_WITH_COMMENTS = (
    "tsconfig",
    "jsconfig",
    ".eslintrc",
    "devcontainer",
    ".babelrc",
    ".swcrc",
    "settings",
    "launch",
)
_OPENS = re.compile(
    r"(?:async\s+)?(?:def|class|if|elif|else|for|while|try|except|finally|with)\b[^#]*:\s*(?:#.*)?\Z"
)
_MAX_FILES = 200
_NOT_WRITTEN = ("binary", "generated", "lock", "vendored")


@dataclass(frozen=True, slots=True)
class _Suspect:
    file: FileChangeView
    old_path: str
    path: str
    language: str


def unparsable(change: ChangeView, base: RepositoryView, head: RepositoryView) -> Iterator[Candidate]:
    """One candidate for each file that the change breaks so that no parser reads it."""
    suspects = [one for file in change.files if (one := _suspect(file, base, head)) is not None][:_MAX_FILES]
    if not suspects:
        return
    with ChildPool(
        "panlect.checks.syntax:fault", timeout_s=5.0, cpu_s=2.0, memory_bytes=640 * 1024**2
    ) as pool:
        after = _faults(pool, suspects, [head.text(suspect.path) for suspect in suspects])
        faulty = [one for one, fault in zip(suspects, after, strict=True) if _is_claim(one, fault, head)]
        before = _faults(pool, faulty, [base.text(suspect.old_path) for suspect in faulty])
    fine_before = {one.path for one, (line, _) in zip(faulty, before, strict=True) if line == 0}
    for suspect, (line, words) in zip(suspects, after, strict=True):
        if suspect.path in fine_before or (suspect in faulty and suspect.language not in CONFIRMED):
            yield from _told(suspect, line, words, head)


def _faults(pool: ChildPool, suspects: Sequence[_Suspect], texts: Sequence[bytes]) -> list[tuple[int, str]]:
    """Line and words of the first fault of each text, as `syntax.fault` has them."""
    batch = [[suspect.language, text] for suspect, text in zip(suspects, texts, strict=True)]
    found: list[tuple[int, str]] = []
    for _, answers in pool.map_batches([batch] if batch else []):
        for answer in answers:
            failed = isinstance(answer.value, ChildFailure)
            found.append((-1, "") if failed else (int(answer.value[0]), str(answer.value[1])))
    return found


def _is_claim(suspect: _Suspect, fault: tuple[int, str], head: RepositoryView) -> bool:
    """Whether the head is faulty beyond doubt: both parsers say so, or an indentation is wrong in every Python."""
    line, words = fault
    if not line or (line < 0 and not words):
        return False
    if suspect.language == "python":
        return bool(head.has_error(suspect.path)) or words.startswith(INDENTATION)
    return True


def _suspect(file: FileChangeView, base: RepositoryView, head: RepositoryView) -> _Suspect | None:
    old, new = file.old_path, file.new_path
    if old is None or new is None or is_foreign(new) or is_sample(new) or kind_of(new) in _NOT_WRITTEN:
        return None
    language = language_by_name(new).name
    if language != language_by_name(old).name:
        return None
    if language in ("json", "toml"):
        name = new.rsplit("/", 1)[-1]
        strict = new.endswith((".json", ".toml")) and not name.startswith(_WITH_COMMENTS)
        return _Suspect(file, old, new, language) if strict and head.text(new) else None
    if language != "python" and language not in _GRAMMARS:
        return None
    if base.has_error(old) is not False:
        return None
    if not head.has_error(new) and not (language == "python" and _lacks_body(head, new)):
        return None
    return _Suspect(file, old, new, language)


def _lacks_body(head: RepositoryView, path: str) -> bool:
    """Whether a block may be empty, which the grammar forgives and Python does not: worth asking Python."""
    opened = -1
    for line in text_lines(head, path):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        if 0 <= indent <= opened:
            return True
        opened = indent if _OPENS.match(text) else -1
    return opened >= 0


def _told(suspect: _Suspect, line: int, words: str, head: RepositoryView) -> Iterator[Candidate]:
    added = added_numbers(suspect.file)
    lines = text_lines(head, suspect.path)
    if suspect.language not in CONFIRMED and line not in added:
        return  # the grammar lost its way elsewhere: it may be the grammar's fault
    at = line if 1 <= line <= len(lines) else len(lines)
    while at > 1 and not lines[at - 1].strip():
        at -= 1
    said = f" The parser says: {words}." if words else ""
    anchor = at if at in added or not added else min(added, key=lambda number: (abs(number - at), number))
    while not lines[anchor - 1].strip() and anchor != at:
        anchor = at
    body = f"{suspect.path} parsed before this change; now it fails at line {at}.{said}"
    if suspect.language == "python":
        body += " Importing it raises SyntaxError."
    if lines[anchor - 1].strip():
        yield at_line(
            "unparsable",
            Category.CORRECTNESS,
            suspect.path,
            anchor,
            lines[anchor - 1],
            "The file no longer parses",
            body,
            target=suspect.path,
        )
