"""`panlect.toml`, as the base revision has it: what is reviewed, how much is said, which checks speak.

Reads text that it is given and does no I/O. A file that is broken is an error with its line, never a silent default.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from panlect.errors import ConfigurationError
from panlect.finding import Severity
from panlect.rules.globs import path_matches, word_matches

FILE = "panlect.toml"
MAX_BYTES = 64 * 1024
_MAX_LIST = 200
_MAX_DOTS = 200  # keys are parsed in the square of their parts
_DEFAULT = "default"

T = TypeVar("T")
Glob = Annotated[str, Field(min_length=1, max_length=300)]
Globs = Annotated[tuple[Glob, ...], Field(max_length=_MAX_LIST)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Flag = Annotated[bool, Field(strict=True)]


class Mode(StrEnum):
    """What becomes of a check's findings."""

    ON = "on"
    OFF = "off"
    SUMMARY = "summary"


Checks = Annotated[dict[str, Mode], Field(max_length=_MAX_LIST)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReviewSection(_Section):
    """How much is said."""

    min_severity: Severity = Field(Severity.P3, description="Findings below this severity are left out.")
    inline_small: Count = Field(4, description="Comments on lines of a change of up to 300 lines.")
    inline_large: Count = Field(
        7, description="Comments on lines of a larger change; P0 and P1 are never cut."
    )
    notes: Count = Field(10, description="P3 findings in the summary.")
    drafts: Flag = Field(default=True, description="Whether a draft is reviewed.")
    max_changed_lines: Count = Field(0, description="A change of more lines is not reviewed; 0 is no limit.")


class Override(_Section):
    """Settings of one directory and what lies below it; the deepest directory wins."""

    path: Glob = Field(description="The directory, from the root of the repository.")
    min_severity: Severity | None = Field(None, description="As in `[review]`, for this directory.")
    checks: Checks = Field(default_factory=dict, description="As in `[checks]`, for this directory.")

    @field_validator("path")
    @classmethod
    def _plain(cls, path: str) -> str:
        plain = path.removeprefix("./").strip("/")
        if not plain or plain == "." or ".." in plain.split("/") or set(plain) & set("*?"):
            raise ValueError("it has to be a directory below the root, without wildcards")
        return plain

    def holds(self, path: str) -> bool:
        """Whether `path` lies in this directory."""
        return path.startswith(f"{self.path}/")


class PathsSection(_Section):
    """Which files are read."""

    include: Globs = Field((), description="When given, only these paths are reviewed.")
    exclude: Globs = Field((), description="These paths are not reviewed; it wins over `include`.")
    override: Annotated[tuple[Override, ...], Field(max_length=_MAX_LIST)] = Field(
        (), description="Settings of a directory, each as `[[paths.override]]`."
    )


class FiltersSection(_Section):
    """Which pull requests are reviewed: those of a list's globs, and none of its globs that begin with `!`."""

    labels: Globs = Field((), description="Labels: one that is wanted, none that is not.")
    authors: Globs = Field((), description="Names of authors.")
    branches: Globs = Field((), description="Branches that the change goes into.")
    titles: Globs = Field((), description="Titles.")
    bots: Flag = Field(default=True, description="Whether what a bot opened is reviewed.")


class RepositoryConfig(_Section):
    """The settings of a repository, whole and valid."""

    review: ReviewSection = Field(ReviewSection(), description="Severity, caps and size.")
    paths: PathsSection = Field(PathsSection(), description="Paths and directories.")
    filters: FiltersSection = Field(FiltersSection(), description="Labels, authors, branches, titles, bots.")
    checks: Checks = Field(
        default_factory=dict, description='What a check\'s findings become: "on", "off" or "summary".'
    )


STANDARD = RepositoryConfig()
"""What holds for a repository without the file."""


def parse(text: bytes, checks: Collection[str]) -> RepositoryConfig:
    """The settings in a file's text. `checks` are the checks there are.

    Raises ConfigurationError with the line: not TOML, too large, an unknown key or check, a value that cannot be.
    """
    if len(text) > MAX_BYTES:
        raise _broken(f"it is larger than {MAX_BYTES // 1024} KiB")
    decoded = _decoded(text)
    found = _toml(decoded)
    try:
        config = RepositoryConfig.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _explained(first["loc"], first["type"], first["msg"], decoded) from None
    tables: list[tuple[tuple[str | int, ...], Mapping[str, Mode]]] = [(("checks",), config.checks)]
    tables += [(("paths", "override", n, "checks"), o.checks) for n, o in enumerate(config.paths.override)]
    for where, table in tables:
        for name in table:
            if name not in checks:
                raise _unknown((*where, name), checks, "check", decoded)
    return config


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise _broken("it is not UTF-8", line) from None


def _toml(text: str) -> dict[str, Any]:
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(rf"(?:[^.=#]*\.){{{_MAX_DOTS}}}", line):
            raise _broken("a key has too many parts", number)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        said = str(error)[: at.start()] if at else str(error)
        raise _broken(f"it is not TOML: {_short(said)}", int(at[1]) if at else 0) from None
    except RecursionError:
        raise _broken("it is nested too deeply") from None


def _explained(where: tuple[int | str, ...], kind: str, said: str, text: str) -> ConfigurationError:
    if kind == "extra_forbidden":
        return _unknown(where, _known(where[:-1]), "key", text)
    what = f"{_dotted(where)}: {_short(said.removeprefix('Value error, '))}"
    return _broken(what, _line(where, text))


def _unknown(
    where: tuple[int | str, ...], known: Collection[str], noun: str, text: str
) -> ConfigurationError:
    name = str(where[-1])
    near = difflib.get_close_matches(name[:100], sorted(known), n=1, cutoff=0.0)
    fix = f"Did you mean {near[0]}?" if near else ""
    return _broken(f"{_dotted(where)} is no {noun} it knows", _line(where, text), fix)


def _known(where: Sequence[int | str]) -> tuple[str, ...]:
    """The keys that a table may have."""
    section: type[BaseModel] = RepositoryConfig
    for part in where:
        if part == "override":
            section = Override
        elif isinstance(part, str):
            section = _SECTIONS.get(part, section)
    return tuple(section.model_fields)


_SECTIONS: dict[str, type[BaseModel]] = {
    "review": ReviewSection,
    "paths": PathsSection,
    "filters": FiltersSection,
}


def _broken(why: str, line: int = 0, fix: str = "") -> ConfigurationError:
    where = f"{FILE}, line {line}" if line else FILE
    return ConfigurationError(f"{where}: {why}.", fix=fix or "docs/how-to/configuration.md has every key.")


def _dotted(where: Sequence[int | str]) -> str:
    return ".".join(_short(str(part)) for part in where if isinstance(part, str))


def _short(text: str) -> str:
    """A repository's words in our message: one line, and not long."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:80])


def _line(where: Sequence[int | str], text: str) -> int:
    """The line of a key; of its table where the key is not found; 0 where neither is."""
    table, count, best = "", dict[str, int](), 0
    names = [str(part) for part in where if isinstance(part, str)]
    index = next((part for part in where if isinstance(part, int)), 0) if "override" in names else 0
    for number, line in enumerate(text.split("\n"), 1):
        head = re.match(r"\s*(\[\[?)\s*([\w.\-\" ]+?)\s*\]", line)
        if head:
            table = head[2].replace('"', "").replace(" ", "")
            if head[1] == "[[":
                count[table] = count.get(table, -1) + 1
        if "override" in names and count.get("paths.override", -1) != index:
            continue
        key = re.match(r"\s*\"?([\w.\-]+)\"?\s*=", line)
        full = [*filter(None, table.split(".")), *(key[1].split(".") if key else ())]
        if (head or key) and full == names[: len(full)]:
            best = number
            if len(full) == len(names):
                return number
    return best


@dataclass(frozen=True, slots=True)
class Sourced(Generic[T]):
    """A value and who said so."""

    value: T
    source: str


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one path. `excluded` is the reason not to review it, or ""."""

    excluded: Sourced[str]
    min_severity: Sourced[Severity]
    checks: Mapping[str, Sourced[Mode]]

    def mode(self, check: str) -> Mode:
        """What becomes of a check's findings here."""
        found = self.checks.get(check)
        return found.value if found else Mode.ON


def effective(config: RepositoryConfig, path: str) -> Effective:
    """The settings of `path`, each with its source: the default, a section, or the deepest directory that has it."""
    said = config.review.min_severity is not STANDARD.review.min_severity
    least = Sourced(config.review.min_severity, f"{FILE} [review]" if said else _DEFAULT)
    checks = {name: Sourced(mode, f"{FILE} [checks]") for name, mode in config.checks.items()}
    for one in sorted(config.paths.override, key=lambda override: override.path.count("/")):
        if not one.holds(path):
            continue
        source = f"{FILE} [[paths.override]] {one.path}"
        if one.min_severity is not None:
            least = Sourced(one.min_severity, source)
        checks |= {name: Sourced(mode, source) for name, mode in one.checks.items()}
    return Effective(_excluded(config.paths, path), least, checks)


def _excluded(paths: PathsSection, path: str) -> Sourced[str]:
    if any(path_matches(glob, path) for glob in paths.exclude):
        return Sourced(f"{FILE}: excluded path", f"{FILE} [paths] exclude")
    if paths.include and not any(path_matches(glob, path) for glob in paths.include):
        return Sourced(f"{FILE}: not an included path", f"{FILE} [paths] include")
    return Sourced("", f"{FILE} [paths]" if paths.include or paths.exclude else _DEFAULT)


@dataclass(frozen=True, slots=True)
class About:
    """What a host says of a pull request; None and "" where it is not known, and then nothing is left out for it."""

    author: str = ""
    branch: str = ""
    title: str = ""
    labels: tuple[str, ...] | None = None
    draft: bool = False
    bot: bool = False


def left_out(config: RepositoryConfig, about: About, lines: int) -> str:
    """Why a pull request of so many changed lines is not reviewed, or ""."""
    filters, review = config.filters, config.review
    if about.draft and not review.drafts:
        return f"{FILE}: drafts are not reviewed"
    if about.bot and not filters.bots:
        return f"{FILE}: what bots open is not reviewed"
    if review.max_changed_lines and lines > review.max_changed_lines:
        return f"{FILE}: more than {review.max_changed_lines} changed lines"
    told = (
        ("author", filters.authors, (about.author,) if about.author else None),
        ("branch", filters.branches, (about.branch,) if about.branch else None),
        ("title", filters.titles, (about.title,) if about.title else None),
        ("labels", filters.labels, about.labels),
    )
    for name, globs, words in told:
        if words is not None and not _wanted(globs, words):
            return f"{FILE}: left out by its {name}"
    return ""


def _wanted(globs: Sequence[str], words: Sequence[str]) -> bool:
    refused = [glob[1:] for glob in globs if glob.startswith("!")]
    wanted = [glob for glob in globs if not glob.startswith("!")]
    if any(word_matches(glob, word) for glob in refused for word in words):
        return False
    return not wanted or any(word_matches(glob, word) for glob in wanted for word in words)


def schema() -> dict[str, Any]:
    """The JSON schema of the file, for editors; every key has a description."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RepositoryConfig.model_json_schema()}
