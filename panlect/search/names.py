"""The names of one file: what it defines, by scope, and what its imports bind, as its own language sees them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from panlect.code.analysis import Definition, Import
from panlect.code.languages import language_by_name
from panlect.index.snapshot import Snapshot

_MOST_ALIKE = 50  # definitions of one name in one scope
_MOST_STARS = 200  # of one file
_MOST_SCOPES = 20  # one in another
_FUNCTIONS = frozenset({"function", "method"})


class Binding(NamedTuple):
    """An import as the names of its file see it. `scope`: the function it stands in."""

    imported: Import
    scope: str


@dataclass(slots=True)
class FileNames:
    """What is asked of one file again and again."""

    path: str
    family: str
    definitions: tuple[Definition, ...]
    members: dict[tuple[str, str], list[Definition]] = field(default_factory=dict)  # (parent, name) ->
    qualified: dict[str, list[Definition]] = field(default_factory=dict)
    named: dict[str, list[Definition]] = field(default_factory=dict)
    imports: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[Binding] = field(default_factory=list)
    importing: dict[tuple[int, str], Import] = field(default_factory=dict)  # (line, name) -> the import there
    namespaces: tuple[str, ...] = ()


def read_names(snapshot: Snapshot, path: str) -> FileNames:
    """The names of a file; none for one that is not analysed."""
    definitions = snapshot.definitions(path)
    file = FileNames(path, language_by_name(path).family, definitions)
    for definition in definitions:
        _keep(file.members.setdefault((definition.parent, definition.name), []), definition)
        _keep(file.qualified.setdefault(definition.qualified_name, []), definition)
        _keep(file.named.setdefault(definition.name, []), definition)
    spaces = [d.qualified_name for d in definitions if d.kind == "module"]
    file.namespaces = tuple(dict.fromkeys(spaces))
    imports = snapshot.imports(path)
    for one, scope in zip(imports, _scopes_of(imports, definitions), strict=True):
        row = _seen_from_file(file, one, scope)
        if row.imported.name == "*" or row.imported.alias == "." or _brings_all(file.family, row.imported):
            file.stars.append(row)
        if row.imported.name:
            file.importing[one.line, row.imported.name] = row.imported
        for local in _local_names(file.family, row.imported):
            file.imports.setdefault(local, []).append(row)
    del file.stars[_MOST_STARS:]
    return file


def _keep(definitions: list[Definition], one: Definition) -> None:
    if len(definitions) < _MOST_ALIKE:
        definitions.append(one)


def scopes_around(qualified: str) -> list[str]:
    """`a.b.c`, `a.b`, `a`: the scopes around, innermost first."""
    found: list[str] = []
    while qualified and len(found) < _MOST_SCOPES:
        found.append(qualified)
        qualified = qualified.rpartition(".")[0]
    return found


def is_visible(scope: str, enclosing: str) -> bool:
    """Whether what a function imports is seen in a scope."""
    return not scope or enclosing == scope or enclosing.startswith(scope + ".")


# Imports as their file sees them


def _scopes_of(imports: Sequence[Import], definitions: Sequence[Definition]) -> list[str]:
    """For each import the function it stands in, "" for none. Both come in the order of the text."""
    functions = sorted(
        (d for d in definitions if d.kind in _FUNCTIONS and d.end_line > d.start_line), key=lambda d: d[3]
    )
    order = sorted(range(len(imports)), key=lambda at: imports[at].line)
    scopes = [""] * len(imports)
    around: list[Definition] = []
    coming = 0
    for at in order:
        line = imports[at].line
        while coming < len(functions) and functions[coming].start_line <= line:
            while around and around[-1].end_line < functions[coming].end_line:
                around.pop()
            around.append(functions[coming])
            coming += 1
        while around and around[-1].end_line < line:
            around.pop()
        if around:
            scopes[at] = around[-1].qualified_name
    return scopes


def _seen_from_file(file: FileNames, imported: Import, scope: str) -> Binding:
    """An import of an inline module of Rust names its modules from there; here it is as the file names them."""
    if file.family != "rust" or not imported.module.startswith(("super", "self")):
        return Binding(imported, scope)
    inline = [
        d
        for d in file.definitions
        if d.kind == "module" and d.start_line <= imported.line <= d.end_line and d.end_line > d.start_line
    ]
    steps = imported.module.split("::")
    for _ in inline:
        if steps and steps[0] == "super":
            steps = steps[1:]
    module = "::".join(steps) if steps and steps[0] in ("super", "self") else "::".join(["self", *steps])
    return Binding(imported._replace(module=module), scope)


def _brings_all(family: str, imported: Import) -> bool:
    """Whether importing a module makes all its names seen: includes, usings, requires."""
    if imported.name:
        return False
    if family in ("c", "csharp", "swift"):
        return not imported.alias
    return family == "ruby" or (family == "php" and imported.module.endswith((".php", ".inc")))


def _local_names(family: str, imported: Import) -> tuple[str, ...]:
    """The names that an import binds in its file."""
    if imported.alias:
        return () if imported.alias in (".", "_") else (imported.alias,)
    if imported.name:
        return () if imported.name == "*" else (imported.name,)
    module = imported.module
    match family:
        case "python":
            return (module.partition(".")[0],)
        case "go":
            return _go_names(module)
        case "rust":
            return (module.rpartition("::")[2],)
        case "php":
            return () if "." in module else (module.rpartition("\\")[2],)
        case "jvm" | "swift":
            return (module.rpartition(".")[2],)
    return ()


def _go_names(module: str) -> tuple[str, ...]:
    """What a Go package is called when nothing says so: `yaml` of `gopkg.in/yaml.v3`, `x` of `x/v2`."""
    steps = module.split("/")
    last = steps[-1]
    if len(steps) > 1 and re.fullmatch(r"v\d+", last):
        last = steps[-2]
    plain = re.sub(r"\.v\d+$", "", last)
    names = {plain, plain.removeprefix("go-"), plain.removesuffix("-go"), plain.removesuffix(".go")}
    return tuple(sorted(names | {plain.rpartition("-")[2]}))
