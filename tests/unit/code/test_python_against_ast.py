"""Definitions and calls of the whole standard library, against Python's own parser.

Definitions must agree wholly in every file that the grammar reads without an error, and those are all but a
few: a name broken after its dot, inside brackets, at a smaller indent is one thing it does not read.

A decorator is a call of what it names, as in our analysis; a lambda with a name and a constant are
definitions of ours alone, so what they call counts for the function or class around them.
"""

from __future__ import annotations

import ast
import gc
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from tree_sitter import Node

from panlect.code.analysis import REFERENCE_KINDS, Definition
from panlect.code.languages import language_named
from panlect.code.parse import parse, unreadable
from panlect.code.symbols import symbols_of

PYTHON = language_named("python")
CALL = REFERENCE_KINDS.index("call")
_SPOKEN = ("def ", "async def ", "class ")


class Def(NamedTuple):
    qualified_name: str
    kind: str
    start_line: int


class Call(NamedTuple):
    caller: str
    name: str
    line: int


@dataclass
class Found:
    defs: Counter[tuple[str, Def]] = field(default_factory=Counter)
    calls: Counter[tuple[str, Call]] = field(default_factory=Counter)


Compared = tuple[int, list[str], Found, Found]


def in_ast(tree: ast.Module) -> Iterator[Def | Call]:
    stack: list[tuple[ast.AST, str, bool]] = [(tree, "", False)]
    while stack:
        node, around, in_class = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            is_class = isinstance(node, ast.ClassDef)
            around = f"{around}.{node.name}" if around else node.name
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            kind = "class" if is_class else "method" if in_class else "function"
            yield Def(around, kind, first)
            in_class = is_class
            for decorator in node.decorator_list:
                yield from called(decorator, around)
        elif isinstance(node, ast.Call):
            yield from called(node.func, around)
        stack.extend((child, around, in_class) for child in ast.iter_child_nodes(node))


def called(function: ast.expr, caller: str) -> Iterator[Call]:
    if isinstance(function, ast.Name):
        yield Call(caller, function.id, function.lineno)
    elif isinstance(function, ast.Attribute):
        yield Call(caller, function.attr, function.end_lineno or 0)


def in_analysis(source: bytes, root: Node) -> Iterator[Def | Call]:
    found = symbols_of(PYTHON, root, source)
    owner = {0: ""}  # ordinal of a definition, from 1 on -> the function or class it counts for
    for ordinal, one in enumerate(found.definitions, start=1):
        if is_spoken(one):
            yield Def(one.qualified_name, one.kind, one.start_line)
        owner[ordinal] = one.qualified_name if is_spoken(one) else one.parent
    uses = found.references
    for name, kind, line, enclosing in zip(
        memoryview(uses.name).cast("I"),
        uses.kind,
        memoryview(uses.line).cast("I"),
        memoryview(uses.enclosing).cast("I"),
        strict=True,
    ):
        if kind == CALL:
            yield Call(owner[enclosing], uses.names[name], line)


def is_spoken(one: Definition) -> bool:
    return one.kind in ("function", "method", "class") and one.signature.startswith(_SPOKEN)


def sources() -> Iterator[tuple[str, bytes, ast.Module]]:
    """Every file of the standard library that Python itself reads."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        source = path.read_bytes()
        if unreadable(PYTHON, source):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue  # samples of what Python refuses
        yield str(path.relative_to(root)), source.removeprefix(b"\xef\xbb\xbf"), tree


@pytest.fixture(scope="module")
def compared() -> Iterator[Compared]:
    theirs, ours = Found(), Found()
    files, unread = 0, []
    gc.disable()  # a third of the time: trees are large and hold no cycles of ours
    for path, source, tree in sources():
        files += 1
        root = parse(PYTHON, source).root_node
        if root.has_error:
            unread.append(path)
            continue
        for into, rows in ((theirs, in_ast(tree)), (ours, in_analysis(source, root))):
            for row in rows:
                if isinstance(row, Def):
                    into.defs[path, row] += 1
                else:
                    into.calls[path, row] += 1
    gc.enable()
    yield files, unread, theirs, ours


def test_every_definition_of_the_standard_library_is_found(compared: Compared) -> None:
    files, unread, theirs, ours = compared
    assert files > 500
    assert len(unread) <= files / 500
    assert theirs.defs.total() > 15_000
    assert theirs.defs - ours.defs == Counter()
    assert ours.defs - theirs.defs == Counter()


def test_calls_of_the_standard_library_are_found(compared: Compared) -> None:
    _, _, theirs, ours = compared
    both = (theirs.calls & ours.calls).total()
    assert both / theirs.calls.total() >= 0.99
    assert both / ours.calls.total() >= 0.99
