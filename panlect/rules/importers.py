"""Settings of other reviewers as a `panlect.toml`, and what of them has no counterpart here.

Reads the files of a work tree, bounded; the report names keys and never their values.
"""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from panlect.errors import BadInputError
from panlect.rules.config import FILE, MAX_BYTES, parse

_MAX_KEYS = 500
_MAX_DEPTH = 6
_MAX_BRACES = 50
_NO_COUNTERPART = "no counterpart"


@dataclass(frozen=True, slots=True)
class Row:
    """A key of another reviewer's file: what it became, or why it became nothing."""

    file: str
    key: str
    became: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A valid `panlect.toml`, and a row for every key that was read."""

    files: tuple[str, ...]
    rows: tuple[Row, ...]
    toml: str


class _NotMappedError(Exception):
    """A value that has no counterpart; the message says why, without the value."""


@dataclass(slots=True)
class _Draft:
    """What was gathered so far, by section and key. Lists add up; of two single values the first stays."""

    values: dict[tuple[str, str], Any] = field(default_factory=dict)

    def add(self, target: str, value: Any) -> None:
        section, _, key = target.partition(".")
        if isinstance(value, list):
            held = self.values.setdefault((section, key), [])
            held += [one for one in value if one not in held]
        elif self.values.setdefault((section, key), value) != value:
            raise _NotMappedError("another file has set it before")


Convert = Callable[[Any], Any]
Rule = tuple[str, Convert] | str  # the key here and how its value is made, or why there is none
Rules = Mapping[str, Rule]


def import_settings(root: Path, checks: Collection[str]) -> Imported:
    """What the files of other reviewers in `root` amount to here.

    Raises BadInputError where there is none or one cannot be read; ConfigurationError when the whole is too large.
    """
    draft, rows, files = _Draft(), list[Row](), list[str]()
    for name, (read, rules) in SOURCES.items():
        text = _text(root, name)
        if text is None:
            continue
        files.append(name)
        keys = list(islice(_keys(_read(name, text, read), rules), _MAX_KEYS + 1))
        rows += [_row(name, key, value, rules, draft) for key, value in keys[:_MAX_KEYS]]
        if len(keys) > _MAX_KEYS:
            rows.append(Row(name, "(the rest)", why=f"more than {_MAX_KEYS} keys"))
    if not files:
        raise BadInputError(
            "There are no settings of another reviewer here.", fix=f"It reads {', '.join(SOURCES)}."
        )
    toml = _toml(draft, files)
    parse(toml.encode(), checks)
    return Imported(tuple(files), tuple(rows), toml)


def _text(root: Path, name: str) -> str | None:
    path = root / name
    try:
        if not path.is_file():
            return None
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInputError(f"{name} cannot be read.", why=error.strerror or "") from None
    if len(content) > MAX_BYTES:
        raise BadInputError(f"{name} is larger than {MAX_BYTES // 1024} KiB.")
    return content.decode("utf-8-sig", "replace")


def _read(name: str, text: str, read: Callable[[str], Any]) -> Mapping[Any, Any]:
    try:
        found = read(text)
    except BadInputError:
        raise
    except RecursionError:
        raise BadInputError(f"{name} is nested too deeply.") from None
    except (
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        ArithmeticError,
    ) as error:  # PyYAML lets all through
        raise BadInputError(f"{name} cannot be parsed.", why=type(error).__name__) from None
    if not isinstance(found, Mapping):
        raise BadInputError(f"{name} holds no settings.", fix="It has to be a table of keys.")
    return found


def _yaml(text: str) -> Any:
    try:
        yaml = importlib.import_module("yaml")
    except ModuleNotFoundError:
        raise BadInputError(
            "YAML cannot be read here: PyYAML is not installed.", fix="pip install pyyaml, and try again."
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(type(error).__name__) from None


def _keys(found: Mapping[Any, Any], rules: Rules) -> Iterator[tuple[str, Any]]:
    """The keys with a value, dotted; a table that `rules` names is one value.

    Lazy: YAML's aliases can spell out more keys than memory holds.
    """
    waiting: list[tuple[str, Any, int]] = [(str(k), v, 1) for k, v in list(found.items())[: _MAX_KEYS + 1]]
    while waiting:
        key, value, depth = waiting.pop(0)
        if key in rules or depth >= _MAX_DEPTH or not isinstance(value, Mapping) or not value:
            yield key, value
        else:
            below = list(value.items())[: _MAX_KEYS + 1]
            waiting[:0] = [(f"{key}.{name}", one, depth + 1) for name, one in below]


def _row(file: str, key: str, value: Any, rules: Rules, draft: _Draft) -> Row:
    shown = "".join(letter if letter.isprintable() else "?" for letter in key[:100])
    rule = rules.get(key) or next(
        (rules[f"{top}.*"] for top in _tops(key) if f"{top}.*" in rules), _NO_COUNTERPART
    )
    if isinstance(rule, str):
        return Row(file, shown, why=rule)
    target, convert = rule
    try:
        made = convert(value)
        if isinstance(made, tuple):
            whole, rest = made
        else:
            whole, rest = made, 0
        if whole == [] and rest:
            raise _NotMappedError(_UNREAD)
        if whole != []:
            for one in target.split(" "):
                draft.add(one, whole)
    except _NotMappedError as error:
        return Row(file, shown, why=str(error))
    if whole == []:
        return Row(file, shown, why="empty")
    return Row(file, shown, became=target, why=f"{rest} of its values not: {_UNREAD}" if rest else "")


def _tops(key: str) -> Iterator[str]:
    parts = key.split(".")
    return (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))


_UNREAD = "patterns with brackets, exceptions or regular expressions"


def _words(value: Any) -> list[str]:
    """A list, or lines of text."""
    words = value.split("\n") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        raise _NotMappedError("neither text nor a list of texts")
    found = [one.strip() for one in words if one.strip() and not one.strip().startswith("#")]
    if not all(one.isprintable() for one in found):
        raise _NotMappedError("text that cannot be printed")
    return found


def _globs(make: Callable[[str], list[str]]) -> Convert:
    """Each word as globs; the number of those that make none beside it."""

    def convert(value: Any) -> tuple[list[str], int]:
        words = _words(value)
        made = [make(word) for word in words]
        return [glob for globs in made for glob in globs], sum(not globs for globs in made)

    return convert


def _plain(word: str) -> list[str]:
    return [word]


def _without(word: str) -> list[str]:
    return [f"!{word}"]


def _not_titled(word: str) -> list[str]:
    return [f"!*{word}*"]


def _titled(word: str) -> list[str]:
    return [f"*{word}*"]


def _path(word: str) -> list[str]:
    """A path glob as it is elsewhere, without its braces."""
    globs = [word]
    while any("{" in glob for glob in globs):
        globs = [one for glob in globs for one in _unbraced(glob)]
        if len(globs) > _MAX_BRACES:
            return []
    plain = all(glob and not set(glob) & set("[]{}!\\") for glob in globs)
    return globs if plain else []


def _unbraced(glob: str) -> list[str]:
    inner = re.search(r"\{([^{}]*)\}", glob)
    if inner is None:
        return [glob.replace("{", "[")]  # unbalanced: refused as a bracket is
    return [glob[: inner.start()] + one + glob[inner.end() :] for one in inner[1].split(",")]


def _ignored(word: str) -> list[str]:
    """A line of a .gitignore: a name without a slash is a file or a folder anywhere."""
    name = word.rstrip("/")
    if "/" in name:
        tail = ["/**"] if word.endswith("/") else ["", "/**"] if not set(name) & set("*?") else [""]
        return [glob for end in tail for glob in _path(name.lstrip("/") + end)]
    folder = _path(f"**/{name}/**")
    is_folder = word.endswith("/") or not set(name) & set("*?.")
    return folder if is_folder else _path(name)


def _excluding(word: str) -> list[str]:
    return _path(word[1:]) if word.startswith("!") else []


def _folder(word: str) -> list[str]:
    return _path(f"{word.strip('/')}/**")


def _expression(word: str) -> list[str]:
    """What a regular expression leaves out, where it is only words, `^`, `$` and `.*`."""
    text = word if word.startswith("^") else f".*{word}"
    text = text if text.endswith("$") and not text.endswith("\\$") else f"{text}.*"
    text = re.sub(r"\\([\[\]().\-/#:])", lambda escaped: f"\0{escaped[1]}", text.strip("^$"))
    text = re.sub(r"(?:\.\*)+", "\1", text)
    if re.search(r"(?<!\0)[\\^$.|?*+()\[\]{}]", text):
        return []
    return [f"!{text.replace(chr(0), '').replace(chr(1), '*')}"]


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _NotMappedError("neither true nor false")
    return value


def _strictness(value: Any) -> str:
    if isinstance(value, bool) or value not in (1, 2, 3):
        raise _NotMappedError("not 1, 2 or 3")
    return {1: "P3", 2: "P2", 3: "P1"}[value]


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
        raise _NotMappedError("not a number up to 1000")
    return value


_RULES_LATER = "rules in words need a model; keep them in AGENTS.md"
_FORM = "the form of comments is the same everywhere"
_MODELS = "models belong to the server, never to a repository"
_ALWAYS = "every push is reviewed"
_TOOLS = "its analysers are not run here"

_GREPTILE: Rules = {
    "strictness": ("review.min_severity", _strictness),
    "labels": ("filters.labels", _globs(_plain)),
    "disabledLabels": ("filters.labels", _globs(_without)),
    "includeAuthors": ("filters.authors", _globs(_plain)),
    "excludeAuthors": ("filters.authors", _globs(_without)),
    "includeBranches": ("filters.branches", _globs(_plain)),
    "excludeBranches": ("filters.branches", _globs(_without)),
    "includeKeywords": ("filters.titles", _globs(_titled)),
    "ignoreKeywords": ("filters.titles", _globs(_not_titled)),
    "ignorePatterns": ("paths.exclude", _globs(_ignored)),
    "triggerOnDrafts": ("review.drafts", _flag),
    "fileChangeLimit": "a limit of files; here it is one of lines: review.max_changed_lines",
    "commentTypes": "checks are switched by name: [checks]",
    "triggerOnUpdates": _ALWAYS,
    "skipReview": "reviews follow from pull requests; use [filters]",
    "instructions": _RULES_LATER,
    "customContext": _RULES_LATER,
    "rules": _RULES_LATER,
    "context": "other repositories of the organisation are known already",
    "patternRepositories": "other repositories of the organisation are known already",
    "statusCheck": "there is always a check",
    "model": _MODELS,
    "comment": _FORM,
}
_CODERABBIT: Rules = {
    "reviews.path_filters": ("paths.exclude", _globs(_excluding)),
    "reviews.auto_review.drafts": ("review.drafts", _flag),
    "reviews.auto_review.labels": ("filters.labels", _globs(_plain)),
    "reviews.auto_review.ignore_title_keywords": ("filters.titles", _globs(_not_titled)),
    "reviews.auto_review.ignore_usernames": ("filters.authors", _globs(_without)),
    "reviews.auto_review.base_branches": "all branches are reviewed; name them, and the default one, in filters.branches",
    "reviews.auto_review.auto_incremental_review": _ALWAYS,
    "reviews.path_instructions": _RULES_LATER,
    "reviews.profile": "use review.min_severity",
    "reviews.request_changes_workflow": "whether the check blocks is a setting of the repository on the server",
    "reviews.tools.*": _TOOLS,
    "knowledge_base.*": _RULES_LATER,
}
_PR_AGENT: Rules = {
    "ignore.glob": ("paths.exclude", _globs(_path)),
    "ignore.regex": "a regular expression of paths; use globs in paths.exclude",
    "config.allow_only_specific_folders": ("paths.include", _globs(_folder)),
    "config.ignore_pr_title": ("filters.titles", _globs(_expression)),
    "config.ignore_pr_labels": ("filters.labels", _globs(_without)),
    "config.ignore_pr_authors": ("filters.authors", _globs(_expression)),
    "config.ignore_pr_target_branches": ("filters.branches", _globs(_expression)),
    "config.ignore_pr_source_branches": "filters.branches is about the branch that a change goes into",
    "github_app.feedback_on_draft_pr": ("review.drafts", _flag),
    "pr_reviewer.num_max_findings": ("review.inline_small review.inline_large", _count),
    "pr_reviewer.extra_instructions": _RULES_LATER,
    "pr_code_suggestions.extra_instructions": _RULES_LATER,
    "config.model": _MODELS,
    "config.fallback_models": _MODELS,
}
SOURCES: dict[str, tuple[Callable[[str], Any], Rules]] = {
    ".greptile/config.json": (json.loads, _GREPTILE),
    "greptile.json": (json.loads, _GREPTILE),
    ".coderabbit.yaml": (_yaml, _CODERABBIT),
    ".pr_agent.toml": (tomllib.loads, _PR_AGENT),
}
"""File -> its parser and what its keys become. Of two files that set one value, the first has it."""


def _toml(draft: _Draft, files: list[str]) -> str:
    lines = [f"# {FILE}, from {', '.join(files)}"]
    for section in dict.fromkeys(("review", "paths", "filters")):
        keys = {key: value for (of, key), value in draft.values.items() if of == section}
        if keys:
            lines += ["", f"[{section}]", *(f"{key} = {_value(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """A TOML value; what JSON writes of printable text, numbers and flags is one."""
    if isinstance(value, list) and len(value) > 1:
        return "[\n" + "".join(f"    {_value(one)},\n" for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
