"""Faults planted in a real repository at its head: how many the checks find.

`python -m bench.mutations --repo PATH --seed N [--count 20] [--kinds a,b] [--json FILE]`. For each fault a reference is
drawn at random among all references of the repository; the definition that it means is changed and nothing else, so the
reference is broken. What a reference means is told by the search's resolver, which is not the checks' own; where it
can only guess, a name with one definition is taken, and other references are passed over and counted. A fault is found
when a review of that change (the same `run_checks`, verified and selected) says something of the name.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.precision import review
from bench.report import begin, circumstances, write_result
from panlect.checks.paths import is_foreign, is_test
from panlect.code.analysis import Definition, Reference
from panlect.code.languages import is_example, language_by_name
from panlect.git.repository import Repository, open_repository
from panlect.index.build import build_snapshot
from panlect.index.cache import BlobCache
from panlect.index.snapshot import Snapshot
from panlect.search.resolve import SURE, Resolver

_LANGUAGES = ("python", "typescript", "go")
_MAX_DRAWS = 4000
_MARK = "_planted"


@dataclass(frozen=True)
class Target:
    """A reference and the definition it means."""

    path: str
    definition: Definition
    user: str
    reference: Reference
    language: str
    arguments: str  # of the call, as written


@dataclass(frozen=True)
class Planted:
    """One fault and what came of it."""

    kind: str
    language: str
    target: Target
    found: bool
    checks: tuple[str, ...]


Mutation = Callable[[list[str], Target], str | None]
"""The changed text of the definition's file, None where the fault cannot be planted."""


def main() -> int:
    """Plant faults and say how many are found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repo", type=Path, required=True, help="a repository; its HEAD is mutated in a copy"
    )
    parser.add_argument("--seed", type=int, required=True, help="which references are drawn")
    parser.add_argument("--count", type=int, default=20, help="faults of each kind")
    parser.add_argument("--kinds", default="", help=f"of {', '.join(KINDS)}; all when left out")
    parser.add_argument("--under", default="", help="only definitions below this folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every fault there")
    wanted = parser.parse_args()
    kinds = [kind for kind in wanted.kinds.split(",") if kind] or list(KINDS)
    unknown = set(kinds) - set(KINDS)
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    start, began = begin(), time.perf_counter()
    planted: list[Planted] = []
    passed_over: Counter[str] = Counter()
    for one in plant(wanted.repo, wanted.seed, wanted.count, kinds, wanted.under, passed_over):
        planted.append(one)
        d = one.target.definition
        said = ", ".join(one.checks) or "-"
        print(f"{'found ' if one.found else 'MISSED'} {one.kind:26} {one.target.path}:{d.start_line} {d.qualified_name}"
              f"  used at {one.target.user}:{one.target.reference.line}  {said}", flush=True)  # fmt: skip
    table = _table(planted)
    for row in table:
        print(
            f"{row['language']:11} {row['kind']:28} {row['found']:4}/{row['planted']:<4} {row['recall']:.2f}"
        )
    write_result(
        wanted.json,
        {
            "what": "mutations",
            "repository": wanted.repo.resolve().name,
            "seed": wanted.seed,
            "passed_over": dict(sorted(passed_over.items())),
            "recall": table,
            "faults": [_row(one) for one in planted],
            "seconds": round(time.perf_counter() - began, 1),
            **circumstances(start),
        },
    )
    return 0


def plant(
    path: Path, seed: int, count: int, kinds: list[str], under: str, passed_over: Counter[str]
) -> Iterator[Planted]:
    """`count` faults of each kind, with what a review says of each; fewer where the repository has no more."""
    with tempfile.TemporaryDirectory(prefix="panlect-bench-") as folder:
        clone = Path(folder, "clone.git")
        subprocess.run(["git", "clone", "-q", "--bare", "--shared", str(path), str(clone)], check=True)
        repository = open_repository(clone)
        cache = BlobCache(Path(folder))
        base = build_snapshot(repository, repository.resolve("HEAD"), cache)
        resolver = Resolver(base)
        for kind in kinds:
            chance = random.Random(f"{seed}/{kind}")
            done: set[tuple[str, str]] = set()
            for target in _targets(base, resolver, chance, kind, under, passed_over):
                key = target.path, target.definition.qualified_name
                if key in done:
                    continue
                text = KINDS[kind].plant(_lines(base, target.path), target)
                if text is None:
                    continue
                done.add(key)
                files = {target.path: text}
                if KINDS[kind].moves:
                    first, last = _span(_lines(base, target.path), target)
                    stem, dot, suffix = target.path.rpartition(".")
                    moved = _lines(base, target.path)[first - 1 : last]
                    beside = f"{stem}{_MARK}/moved" if target.language == "go" else f"{stem}{_MARK}"
                    files[f"{beside}{dot}{suffix}"] = "\n".join([*_head_of(target), *moved, ""])
                tree = _written(repository, base.commit, files)
                head = build_snapshot(repository, tree, cache, base=base)
                if head.has_error(target.path):
                    continue  # the fault is that it does not parse: not what was meant
                yield _judged(kind, target, repository, base, head)
                if len(done) >= count:
                    break


def _judged(kind: str, target: Target, repository: Repository, base: Snapshot, head: Snapshot) -> Planted:
    found = review(repository, base, head, kind).findings
    # The name, or for a class the member that it lacks: anything else that is said is no answer.
    word = re.compile(rf"\b(?:{re.escape(target.definition.name)}|\w*{_MARK})\b")
    checks = sorted({f.check for f in found if word.search(f"{f.title} {f.body}")})
    checks = [check for check in checks if check != "override-mismatch"]  # true, but not what was broken
    return Planted(kind, target.language, target, bool(checks), tuple(checks))


def _targets(
    base: Snapshot,
    resolver: Resolver,
    chance: random.Random,
    kind: str,
    under: str,
    passed_over: Counter[str],
) -> Iterator[Target]:
    """References drawn at random with the definitions that they mean."""
    files = [p for p in base.paths() if language_by_name(p).family in _LANGUAGES and not is_foreign(p)]
    weights = [len(base.references(path)) for path in files]
    if not any(weights):
        return
    for path in chance.choices(files, weights, k=_MAX_DRAWS):
        reference = chance.choice(base.references(path))
        if reference.kind not in KINDS[kind].references:
            continue
        target = _meant(base, resolver, path, reference, passed_over)
        if target is None or not target.path.startswith(under) or not KINDS[kind].fits(target, base):
            continue
        yield target


def _meant(
    base: Snapshot, resolver: Resolver, path: str, reference: Reference, passed_over: Counter[str]
) -> Target | None:
    answer = resolver.resolve(path, reference)
    candidates = [c for c in answer.candidates if c.confidence >= SURE]
    if candidates:
        site_path, definition = candidates[0].path, candidates[0].definition
    else:
        sites = base.definitions_named(reference.name)
        if answer.external or len(sites) != 1:
            passed_over[
                "external" if answer.external else "unknown" if not sites else "several of this name"
            ] += 1
            return None
        site_path, definition = sites[0].path, sites[0].definition
        if bool(reference.receiver) is not bool(definition.parent):
            passed_over["only the name is alike"] += 1  # `rows.some(f)` is no call of our function `some`
            return None
    if is_test(site_path) or is_example(site_path) or is_foreign(site_path):
        return None
    around = site_path == path and definition.start_line <= reference.line <= definition.end_line
    family = language_by_name(site_path).family
    if around or family not in _LANGUAGES:
        return None
    arguments = _arguments(reference, _lines(base, path)) if reference.kind == "call" else ""
    return Target(site_path, definition, path, reference, family, arguments)


# -- faults ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of fault: which definitions it is for, and how it is planted. `group`: top-level or member."""

    group: str
    kinds: tuple[str, ...]
    plant: Mutation
    languages: tuple[str, ...] = _LANGUAGES
    references: tuple[str, ...] = ("call",)
    elsewhere: bool = False  # the use has to stand in another file
    moves: bool = False  # what is taken away is put into a new file beside
    derived: bool = False  # only abstract classes that others derive from

    def fits(self, target: Target, base: Snapshot) -> bool:
        """Whether the fault can be planted at this definition so that the use breaks."""
        definition = target.definition
        if definition.kind not in self.kinds or target.language not in self.languages:
            return False
        if (self.group == "top-level") is not (not definition.parent):
            return False
        if self.elsewhere and target.user == target.path:
            return False
        if self.derived and not (_is_abstract(target, base) and base.files_extending(definition.name)):
            return False
        return not (
            definition.name.startswith("__") or base.has_error(target.user) or base.has_error(target.path)
        )


def _removed(lines: list[str], target: Target) -> str | None:
    first, last = _span(lines, target)
    kept = lines[: first - 1] + lines[last:]
    if target.language == "python":  # a body that loses its only statement would not parse
        indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
        kept.insert(first - 1, f"{indent}pass")
    return "\n".join(kept)


def _renamed(lines: list[str], target: Target) -> str | None:
    return _at_name(lines, target, lambda before, name, after: f"{before}{name}{_MARK}{after}")


def _at_name(lines: list[str], target: Target, put: Callable[[str, str, str], str]) -> str | None:
    """The text with `put(before, name, after)` on the line that defines the name."""
    d = target.definition
    word = re.compile(rf"(?<![\w$]){re.escape(d.name)}(?![\w$])")
    for number in range(d.start_line, min(d.end_line, d.start_line + 20) + 1):
        line = lines[number - 1]
        if line.lstrip().startswith(("@", "//", "#", "*", "/*")):
            continue
        found = word.search(line)
        if found is not None:
            changed = put(line[: found.start()], d.name, line[found.end() :])
            return "\n".join([*lines[: number - 1], changed, *lines[number:]])
    return None


def _parameters(lines: list[str], target: Target) -> tuple[str, int, int] | None:
    """The whole text, and where the parameter list of the definition begins and ends in it."""
    text = "\n".join(lines)
    at = sum(len(line) + 1 for line in lines[: target.definition.start_line - 1])
    end_of = at + sum(
        len(line) + 1 for line in lines[target.definition.start_line - 1 : target.definition.end_line]
    )
    between = (
        r"\s*(?::[^=\n]+)?(?:=\s*(?:async\s*)?)?(?:\[[^\]\n]*\]|<[^>\n]*>)?\s*\("  # also `f = async <T>(`
    )
    named = re.compile(rf"(?<![\w$.@]){re.escape(target.definition.name)}{between}").search(text, at, end_of)
    if named is None:
        return None
    depth, begun = 1, named.end()
    for end in range(begun, min(len(text), begun + 4000)):
        depth += (text[end] in "([{") - (text[end] in ")]}")
        if not depth:
            return text, begun, end
    return None


def _split(parameters: str) -> list[str]:
    parts, depth, begun = [], 0, 0
    for at, mark in enumerate(parameters):
        depth += (
            (mark in "([{<") - (mark in ")]}") - (mark == ">" and parameters[at - 1 : at] not in ("=", "-"))
        )
        if mark == "," and not depth:
            parts.append(parameters[begun:at])
            begun = at + 1
    rest = parameters[begun:]
    return [*parts, rest] if rest.strip() else parts


def _parameter_added(lines: list[str], target: Target) -> str | None:
    """A required parameter in front: whatever the call passes, one is missing."""
    place = _parameters(lines, target)
    if place is None:
        return None
    text, begun, end = place
    parts = _split(text[begun:end])
    if (
        "#" in text[begun:end]
        or "//" in text[begun:end]
        or any("*" in p or "..." in p for p in parts if target.language != "go" or "..." in p)
    ):
        return None
    written = {
        "python": f"planted{_MARK}",
        "go": f"planted{_MARK} int",
        "typescript": f"planted{_MARK}: number",
    }[target.language]
    place_of = 1 if _has_receiver(parts, target) else 0
    return (
        text[:begun]
        + ", ".join([*(p.strip() for p in parts[:place_of]), written, *(p.strip() for p in parts[place_of:])])
        + text[end:]
    )


def _has_receiver(parts: list[str], target: Target) -> bool:
    return target.language == "python" and bool(parts) and parts[0].strip() in ("self", "cls")


def _arguments(reference: Reference, lines: list[str]) -> str:
    """The arguments of the call as written, "" where they cannot be read."""
    text = "\n".join(lines[reference.line - 1 : reference.line + 30])
    found = re.search(rf"(?<![\w$]){re.escape(reference.name)}\s*\(", text)
    if found is None:
        return ""
    depth = 1
    for end in range(found.end(), len(text)):
        depth += (text[end] in "([{") - (text[end] in ")]}")
        if not depth:
            return text[found.end() : end]
    return ""


def _parameter_removed(lines: list[str], target: Target) -> str | None:
    """The last parameter goes; only for a call that passes all of them by place."""
    place = _parameters(lines, target)
    if place is None:
        return None
    text, begun, end = place
    parts = _split(text[begun:end])
    plain = [p for p in parts if p.strip() not in ("self", "cls")]
    if not plain or any(mark in text[begun:end] for mark in ("*", "...", "#", "//", "/")):
        return None
    given = _split(target.arguments)
    if len(given) != len(plain) or any("=" in g or "*" in g or "..." in g for g in given):
        return None
    return text[:begun] + ", ".join(p.strip() for p in parts[:-1]) + text[end:]


def _keyword_renamed(lines: list[str], target: Target) -> str | None:
    """A parameter that the call passes by keyword is called otherwise."""
    place = _parameters(lines, target)
    if place is None:
        return None
    text, begun, end = place
    parameters = text[begun:end]
    keywords = [
        g.partition("=")[0].strip() for g in _split(target.arguments) if re.match(r"\s*\w+\s*=[^=]", g)
    ]
    for keyword in keywords:
        if "**" not in parameters and re.search(rf"(?<!\w){keyword}(?!\w)", parameters):
            return (
                text[:begun]
                + re.sub(rf"(?<!\w){keyword}(?!\w)", keyword + _MARK, parameters, count=1)
                + text[end:]
            )
    return None


def _unexported(lines: list[str], target: Target) -> str | None:
    """The name is no longer given to other files."""
    name = target.definition.name
    if target.language == "python":
        return _removed(lines, target)
    if target.language == "go":
        return (
            _at_name(lines, target, lambda before, _, after: f"{before}{name[0].lower()}{name[1:]}{after}")
            if name[0].isupper()
            else None
        )
    if target.language == "typescript":
        number = target.definition.start_line - 1
        for at in (number, number - 1):
            if at >= 0 and re.match(r"\s*export\s+(?!default)", lines[at]):
                return "\n".join(
                    [*lines[:at], re.sub(r"export\s+", "", lines[at], count=1), *lines[at + 1 :]]
                )
    return None


def _abstract_added(lines: list[str], target: Target) -> str | None:
    """A method that subclasses do not define, in an abstract base of the class that is made."""
    first = target.definition.start_line
    body = next(
        (
            n
            for n in range(first, min(first + 60, len(lines)))
            if re.match(r"\s+(?:@|def |async def )", lines[n])
        ),
        None,
    )
    if body is None:
        return None
    indent = lines[body][: len(lines[body]) - len(lines[body].lstrip())]
    planted = [
        f"{indent}@{_abstract_word(lines)}",
        f"{indent}def planted{_MARK}(self):",
        f"{indent}    raise NotImplementedError",
        "",
    ]
    return "\n".join([*lines[:body], *planted, *lines[body:]])


def _is_abstract(target: Target, base: Snapshot) -> bool:
    d = target.definition
    text = "\n".join(_lines(base, target.path)[d.start_line - 1 : d.end_line])
    return "ABC" in d.bases or "abstractmethod" in text


def _abstract_word(lines: list[str]) -> str:
    text = "\n".join(lines)
    return "abc.abstractmethod" if "abc.abstractmethod" in text else "abstractmethod"


def _span(lines: list[str], target: Target) -> tuple[int, int]:
    """The lines of a definition with the decorators, export keyword and comment that belong to it."""
    first, last = target.definition.start_line, target.definition.end_line
    while first > 1 and lines[first - 2].lstrip().startswith("@") and lines[first - 2].strip() != "@overload":
        first -= 1
    return first, last


_FUNCTIONS, _TYPES = ("function",), ("function", "class", "constant", "variable", "type", "interface")
KINDS: dict[str, Kind] = {
    "function-removed": Kind("top-level", _FUNCTIONS, _removed),
    "function-renamed": Kind("top-level", _FUNCTIONS, _renamed),
    "parameter-added": Kind("top-level", _FUNCTIONS, _parameter_added),
    "parameter-removed": Kind("top-level", _FUNCTIONS, _parameter_removed),
    "keyword-renamed": Kind("top-level", _FUNCTIONS, _keyword_renamed, languages=("python",)),
    "export-removed": Kind(
        "top-level", _TYPES, _unexported, _LANGUAGES, ("call", "type", "name", "attribute"), elsewhere=True
    ),
    "import-target-moved": Kind(
        "top-level", ("function", "class"), _removed, _LANGUAGES, ("call", "type", "name"), elsewhere=True, moves=True
    ),
    "method-removed": Kind("member", ("method", "function"), _removed),
    "method-renamed": Kind("member", ("method", "function"), _renamed),
    "method-parameter-added": Kind("member", ("method", "function"), _parameter_added),
    "abstract-method-added": Kind(
        "top-level", ("class",), _abstract_added, ("python",), ("type", "name", "attribute"), derived=True
    ),
}  # fmt: skip


def _lines(base: Snapshot, path: str) -> list[str]:
    return base.text(path).decode("utf-8", "replace").split("\n")


def _head_of(target: Target) -> list[str]:
    """Go moves things to another package: beside it they would still be at hand."""
    return [f"package planted{_MARK}", ""] if target.language == "go" else []


def _written(repository: Repository, commit: str, files: dict[str, str]) -> str:
    """The id of a tree that has these texts at these paths."""
    git_dir = str(repository.git_dir)
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "GIT_DIR": git_dir, "GIT_INDEX_FILE": str(Path(folder, "index"))}

        def git(*arguments: str, given: bytes = b"") -> str:
            done = subprocess.run(["git", *arguments], env=env, input=given, capture_output=True, check=True)
            return done.stdout.decode().strip()

        git("read-tree", commit)
        for path, text in files.items():
            sha = git("hash-object", "-w", "--stdin", given=text.encode("utf-8", "surrogateescape"))
            git("update-index", "--add", "--cacheinfo", f"100644,{sha},{path}")
        return git("write-tree")


def _table(planted: list[Planted]) -> list[dict[str, Any]]:
    rows = []
    for language, kind in sorted({(one.language, one.kind) for one in planted}):
        these = [one for one in planted if (one.language, one.kind) == (language, kind)]
        found = sum(one.found for one in these)
        rows.append(
            {
                "language": language,
                "kind": kind,
                "planted": len(these),
                "found": found,
                "recall": round(found / len(these), 3),
            }
        )
    return rows


def _row(one: Planted) -> dict[str, Any]:
    d = one.target.definition
    return {
        "kind": one.kind,
        "language": one.language,
        "definition": f"{one.target.path}:{d.start_line} {d.qualified_name}",
        "use": f"{one.target.user}:{one.target.reference.line}",
        "found": one.found,
        "checks": list(one.checks),
    }


if __name__ == "__main__":
    raise SystemExit(main())
