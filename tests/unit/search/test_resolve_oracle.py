"""Names that the standard library imports, resolved by us and by the interpreter that runs this test."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import NamedTuple

from panlect.index.memory import MemoryRepository
from panlect.search.resolve import Resolver

PACKAGES = (
    "asyncio", "collections", "concurrent", "email", "html", "http", "importlib", "json", "logging",
    "multiprocessing", "unittest", "urllib", "wsgiref", "xml", "zoneinfo",
)  # fmt: skip
SINGLE = (
    "argparse",
    "contextlib",
    "dataclasses",
    "functools",
    "inspect",
    "pathlib",
    "socket",
    "ssl",
    "threading",
    "typing",
)
STDLIB = Path(sysconfig.get_paths()["stdlib"])
SKIPPED = ("__main__", "windows", "popen_spawn_win32", "/test", "_bootstrap")


class Truth(NamedTuple):
    """One use and where the interpreter has its object from; path "" for one outside of the files."""

    line: int
    name: str
    receiver: str
    path: str
    qualified: str


def sources() -> dict[str, str]:
    files = [path for package in PACKAGES for path in (STDLIB / package).rglob("*.py")]
    files += [STDLIB / f"{name}.py" for name in SINGLE]
    named = {path.relative_to(STDLIB).as_posix(): path for path in files}
    return {
        name: path.read_text("utf-8")
        for name, path in sorted(named.items())
        if not any(skipped in f"/{name}" for skipped in SKIPPED)
    }


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class Uses(ast.NodeVisitor):
    """Loads of names that imports bind, as (line, name, receiver, what is imported), with Python's scopes."""

    def __init__(self, path: str) -> None:
        module = module_of(path)
        self.package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
        self.scopes: list[dict[str, tuple[str, str] | None]] = []
        self.found: list[tuple[int, str, str, tuple[str, str]]] = []

    def bindings(self, body: ast.AST) -> dict[str, tuple[str, str] | None]:
        """Name -> (module, name) when nothing but one import binds it here, else None. Functions inside are theirs."""
        bound: dict[str, tuple[str, str] | None] = {}

        def bind(name: str, what: tuple[str, str] | None) -> None:
            bound[name] = None if name in bound and bound[name] != what else what

        def walk(node: ast.AST) -> None:
            for child in ast.iter_child_nodes(node):
                match child:
                    case ast.ImportFrom():
                        base = importlib.util.resolve_name(
                            "." * child.level + (child.module or ""), self.package
                        )
                        for alias in child.names:
                            bind(alias.asname or alias.name, (base, alias.name))
                    case ast.Import():
                        for alias in child.names:
                            whole = alias.name if alias.asname else alias.name.partition(".")[0]
                            bind(alias.asname or whole, (whole, ""))
                    case ast.Name(ctx=ast.Store() | ast.Del()):
                        bind(child.id, None)
                    case ast.arg():
                        bind(child.arg, None)
                    case ast.ExceptHandler() if child.name:
                        bind(child.name, None)
                match child:
                    case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                        bind(child.name, None)
                    case ast.Lambda():
                        pass
                    case _:
                        walk(child)

        walk(body)
        return bound

    def visit_scope(self, node: ast.AST) -> None:
        self.scopes.append(self.bindings(node))
        self.generic_visit(node)
        self.scopes.pop()

    visit_Module = visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_ClassDef = visit_scope  # noqa: N815

    def imported(self, name: str) -> tuple[str, str] | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def visit_Name(self, node: ast.Name) -> None:
        what = self.imported(node.id)
        if isinstance(node.ctx, ast.Load) and what is not None:
            self.found.append((node.lineno, node.id, "", what))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            what = self.imported(node.value.id)
            if isinstance(node.ctx, ast.Load) and what is not None and node.end_lineno == node.lineno:
                self.found.append((node.lineno, node.attr, node.value.id, what))
        self.generic_visit(node)


def defined_in(text: str) -> set[str]:
    """Qualified names of the functions and classes of a file, as `__qualname__` spells them."""
    found: set[str] = set()

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                    found.add(prefix + child.name)
                    walk(child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else "<locals>.")
                case _:
                    walk(child, prefix)

    walk(ast.parse(text), "")
    return found


def truths(path: str, text: str, known: dict[str, str], defined: dict[str, set[str]]) -> Iterator[Truth]:
    """What the interpreter says of each use, where it has an answer: a function or a class.

    A class written in C says that it is of a module whose file does not define it: it is from outside.
    """
    uses = Uses(path)
    uses.visit(ast.parse(text))
    for line, name, receiver, (module, imported) in uses.found:
        try:
            value = importlib.import_module(module)
            if imported:
                value = getattr(value, imported, None) or importlib.import_module(f"{module}.{imported}")
        except ImportError:
            continue
        if receiver:
            value = getattr(value, name, None)
        if isinstance(value, BuiltinFunctionType | ModuleType) or not isinstance(value, type | FunctionType):
            continue
        if "<locals>" in value.__qualname__ or value.__module__ is None:
            continue
        home = known.get(value.__module__, "")
        is_here = value.__qualname__ in defined.get(home, ())
        yield Truth(line, name, receiver, home if is_here else "", value.__qualname__)


def test_what_the_standard_library_imports_is_what_the_interpreter_says() -> None:
    files = sources()
    known = {module_of(path): path for path in files}
    defined = {path: defined_in(text) for path, text in files.items()}
    snapshot = MemoryRepository().snapshot(files)
    resolver = Resolver(snapshot)
    right = wrong = missed = outside = 0
    errors: list[str] = []
    for path, text in files.items():
        sites = {(one.line, one.name, one.receiver): one for one in snapshot.references(path)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = list(dict.fromkeys(truths(path, text, known, defined)))
        for truth in expected:
            site = sites.get((truth.line, truth.name, truth.receiver))
            if site is None:
                continue
            found = resolver.resolve(path, site)
            sure = [c for c in found.candidates if c.confidence >= 0.9]
            if not truth.path:
                outside += not sure
                wrong += bool(sure)
            elif not sure:
                missed += 1
            elif (sure[0].path, sure[0].definition.qualified_name) == (truth.path, truth.qualified):
                right += 1
                continue
            else:
                wrong += 1
            if sure or truth.path:
                got = [(c.path, c.definition.qualified_name, c.confidence) for c in sure[:1]]
                errors.append(f"{path}:{truth} -> {got}")
    precision, recall = right / (right + wrong), right / (right + wrong + missed)
    print(
        f"\nright {right} wrong {wrong} missed {missed} outside {outside}: precision {precision:.3f} recall {recall:.3f}"
    )
    print("\n".join(errors[:40]))
    assert right > 1000
    assert outside > 500
    assert precision >= 0.98
    assert recall >= 0.9
