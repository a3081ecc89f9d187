"""Definitions, references and imports by language. Another language adds a table of its own."""

from __future__ import annotations

import pytest

from panlect.code.analysis import Analysis
from panlect.code.parse import analyse

PYTHON = '''\
import os, sys as system
import a.b.c
from a.b import (c as d, e)
from . import *

LIMIT: int = 3

@app.task(bind=True)
class Store(Base, mod.Mixin):
    """Doc."""
    size = 0

    @property
    def full(self, at: int = 1) -> str:
        return self.check(at)

    async def check(self, *, strict=False): pass

def capture(a,
            b):
    def inner():
        return refund(a)
    try:
        return Store().full
    except Broken:
        call(handler, key=other)

type Pair = tuple[int, int]
'''

TYPESCRIPT = """\
import d, {a as b, c} from "./m";
import * as ns from 'n';
import "side";
export * from "./x";
export { q as r } from "./y";
export const f = (x: number): void => { return b(x) };
export class K<T> extends Base {
  private z = 1;
  go(a?: string): T { return this.z.foo(new T()) }
  arrow = () => { c() };
}
export interface I { m(x: string): void }
type U = I | K<string>;
enum E { A }
export default function main() {}
function hidden() {}
function listed() {}
export { listed };
namespace N { export function inner() {} }
"""

GO = """\
package x

import (
\t"fmt"
\tm "github.com/a/b"
)

type S struct {
\tA, B int
\t*Embedded
}
type I interface{ Do(x int) error }
type L = []S

const (
\tX    = 1
\tY, z = 2, 3
)

var V = fmt.Sprint(X)

func (s *S) M(x int) (int, error) { return s.helper(x), nil }
func (l List[T]) Len() int        { return 0 }
func New[T any](a int) *S         { return &S{A: build(X)} }
"""


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (
            "a.py",
            PYTHON,
            [
                ("LIMIT", "constant", 6, 6),
                ("Store", "class", 8, 17),
                ("Store.size", "field", 11, 11),
                ("Store.full", "method", 13, 15),
                ("Store.check", "method", 17, 17),
                ("capture", "function", 19, 26),
                ("capture.inner", "function", 21, 22),
                ("Pair", "type", 28, 28),
            ],
        ),
        (
            "a.ts",
            TYPESCRIPT,
            [
                ("f", "function", 6, 6),
                ("K", "class", 7, 11),
                ("K.z", "field", 8, 8),
                ("K.go", "method", 9, 9),
                ("K.arrow", "method", 10, 10),
                ("I", "interface", 12, 12),
                ("I.m", "method", 12, 12),
                ("U", "type", 13, 13),
                ("E", "type", 14, 14),
                ("E.A", "constant", 14, 14),
                ("main", "function", 15, 15),
                ("hidden", "function", 16, 16),
                ("listed", "function", 17, 17),
                ("N", "module", 19, 19),
                ("N.inner", "function", 19, 19),
            ],
        ),
        (
            "a.go",
            GO,
            [
                ("S", "class", 8, 11),
                ("S.A", "field", 9, 9),
                ("S.B", "field", 9, 9),
                ("I", "interface", 12, 12),
                ("I.Do", "method", 12, 12),
                ("L", "type", 13, 13),
                ("X", "constant", 16, 16),
                ("Y", "constant", 17, 17),
                ("z", "constant", 17, 17),
                ("V", "variable", 20, 20),
                ("S.M", "method", 22, 22),
                ("List.Len", "method", 23, 23),
                ("New", "function", 24, 24),
            ],
        ),
    ],
    ids=["python", "typescript", "go"],
)
def test_definitions_have_name_kind_and_span(
    path: str, source: str, expected: list[tuple[str, str, int, int]]
) -> None:
    found = analyse(path, source.encode()).definitions
    assert [(d.qualified_name, d.kind, d.start_line, d.end_line) for d in found] == expected


@pytest.mark.parametrize(
    ("path", "source", "name", "signature"),
    [
        ("a.py", PYTHON, "capture", "def capture(a, b)"),
        ("a.py", PYTHON, "Store", "class Store(Base, mod.Mixin)"),
        ("a.py", PYTHON, "full", "def full(self, at: int = 1) -> str"),
        ("a.py", PYTHON, "check", "async def check(self, *, strict=False)"),
        ("a.ts", TYPESCRIPT, "f", "f = (x: number): void"),
        ("a.ts", TYPESCRIPT, "go", "go(a?: string): T"),
        ("a.ts", TYPESCRIPT, "K", "class K<T> extends Base"),
        ("a.go", GO, "M", "func (s *S) M(x int) (int, error)"),
        ("a.go", GO, "New", "func New[T any](a int) *S"),
        ("a.go", GO, "S", "S struct"),
    ],
)
def test_signature_is_one_line_without_body(path: str, source: str, name: str, signature: str) -> None:
    assert _definition(analyse(path, source.encode()), name).signature == signature


def test_a_long_signature_is_cut() -> None:
    arguments = ",\n".join(f"argument_{n}" for n in range(200))
    source = f"def f({arguments}): pass"
    assert len(_definition(analyse("a.py", source.encode()), "f").signature) == 300


@pytest.mark.parametrize(
    ("path", "source", "public", "private"),
    [
        ("a.py", "def f(): pass\ndef _g(): pass\nclass _C:\n  def m(self): pass\n", {"f"}, {"_g", "_C", "m"}),
        ("a.ts", TYPESCRIPT, {"f", "K", "go", "main", "listed"}, {"hidden", "U"}),
        ("a.go", GO, {"S", "M", "X", "V", "New"}, {"z"}),
    ],
)
def test_what_other_files_can_see_is_exported(
    path: str, source: str, public: set[str], private: set[str]
) -> None:
    exported = {d.name: d.exported for d in analyse(path, source.encode()).definitions}
    assert {name for name in public if exported[name]} == public
    assert {name for name in private if exported[name]} == set()


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (
            "a.py",
            PYTHON,
            [
                ("os", "", "", 1),
                ("sys", "", "system", 1),
                ("a.b.c", "", "", 2),
                ("a.b", "c", "d", 3),
                ("a.b", "e", "", 3),
                (".", "*", "", 4),
            ],
        ),
        (
            "a.ts",
            TYPESCRIPT,
            [
                ("./m", "default", "d", 1),
                ("./m", "a", "b", 1),
                ("./m", "c", "", 1),
                ("n", "", "ns", 2),
                ("side", "", "", 3),
                ("./x", "*", "", 4),
                ("./y", "q", "r", 5),
            ],
        ),
        ("a.go", GO, [("fmt", "", "", 4), ("github.com/a/b", "", "m", 5)]),
    ],
    ids=["python", "typescript", "go"],
)
def test_imports_have_module_name_and_alias(
    path: str, source: str, expected: list[tuple[str, str, str, int]]
) -> None:
    found = analyse(path, source.encode()).imports
    assert [(i.module, i.name, i.alias, i.line) for i in found] == expected


@pytest.mark.parametrize(
    ("path", "source", "reference"),
    [
        ("a.py", PYTHON, ("task", "call", 8, "Store")),
        ("a.py", PYTHON, ("Base", "type", 9, "Store")),
        ("a.py", PYTHON, ("Mixin", "type", 9, "Store")),
        ("a.py", PYTHON, ("check", "call", 15, "Store.full")),
        ("a.py", PYTHON, ("refund", "call", 22, "capture.inner")),
        ("a.py", PYTHON, ("full", "attribute", 24, "capture")),
        ("a.py", PYTHON, ("Broken", "type", 25, "capture")),
        ("a.py", PYTHON, ("handler", "name", 26, "capture")),
        ("a.py", PYTHON, ("other", "name", 26, "capture")),
        ("a.ts", TYPESCRIPT, ("b", "call", 6, "f")),
        ("a.ts", TYPESCRIPT, ("Base", "type", 7, "K")),
        ("a.ts", TYPESCRIPT, ("foo", "call", 9, "K.go")),
        ("a.ts", TYPESCRIPT, ("T", "call", 9, "K.go")),
        ("a.ts", TYPESCRIPT, ("c", "call", 10, "K.arrow")),
        ("a.ts", TYPESCRIPT, ("I", "type", 13, "U")),
        ("a.tsx", "const a = () => <Panel onClose={close} />;\n", ("Panel", "call", 1, "a")),
        ("a.tsx", "const a = () => <Panel onClose={close} />;\n", ("close", "name", 1, "a")),
        ("a.go", GO, ("Embedded", "type", 10, "S")),
        ("a.go", GO, ("Sprint", "call", 20, "V")),
        ("a.go", GO, ("helper", "call", 22, "S.M")),
        ("a.go", GO, ("build", "call", 24, "New")),
        ("a.go", GO, ("X", "name", 24, "New")),
    ],
)
def test_references_know_the_definition_they_stand_in(
    path: str, source: str, reference: tuple[str, str, int, str]
) -> None:
    analysis = analyse(path, source.encode())
    assert reference in [tuple(found)[:4] for found in analysis.references.rows(analysis.definitions)]


@pytest.mark.parametrize(
    ("source", "name", "receiver"),
    [
        ("self.cart.total()", "total", "cart"),
        ("größe.total()", "total", "größe"),
        ("total()", "total", ""),
        ("make().total()", "total", ""),
        ("x[0].total()", "total", ""),
        ("a if b else total()", "total", ""),
        ("{key:total()}", "total", ""),
        ("a>total()", "total", ""),
        (".total()", "total", ""),
    ],
)
def test_references_know_the_word_before_the_dot(source: str, name: str, receiver: str) -> None:
    analysis = analyse("a.py", source.encode())
    assert [r.receiver for r in analysis.references.rows(analysis.definitions, name)] == [receiver]


@pytest.mark.parametrize("join", ["?.", "!."])
def test_a_receiver_may_be_joined_by_more_than_a_dot(join: str) -> None:
    analysis = analyse("a.ts", f"cart{join}total()".encode())
    assert [r.receiver for r in analysis.references.rows(analysis.definitions, "total")] == ["cart"]


def test_a_definition_is_no_reference_to_itself() -> None:
    analysis = analyse("a.go", GO.encode())
    assert [r.line for r in analysis.references.rows(analysis.definitions, "I")] == []


def test_references_of_one_name_are_found_without_the_others() -> None:
    analysis = analyse("a.py", b"f(1)\ng(2)\nf(3)\n")
    assert [(r.name, r.line) for r in analysis.references.rows(analysis.definitions, "f")] == [
        ("f", 1),
        ("f", 3),
    ]


def test_positions_count_bytes_not_characters() -> None:
    source = "# ünïcödé 漢字\nname = 'é'; größe(name)\ndef über(): return größe()\n".encode()
    analysis = analyse("a.py", source)
    found = [tuple(r)[:4] for r in analysis.references.rows(analysis.definitions)]
    assert ("größe", "call", 2, "") in found
    assert ("größe", "call", 3, "über") in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.py", "x = " + "a.\\\n" * 100_000 + "b\n"),
        ("a.rs", "use " + "a::\n" * 100_000 + "b;\n"),
        ("a.js", "import {" + "a,\n" * 100_000 + '} from "x"\n'),
    ],
)
def test_a_long_chain_does_not_take_the_square_of_its_length(path: str, source: str) -> None:
    analysis = analyse(path, source.encode())
    assert analysis.skipped == ""
    assert analysis.parser == "tree-sitter"


def test_a_file_of_open_brackets_is_cut_by_lines_and_says_that_it_has_errors() -> None:
    analysis = analyse("a.py", b"(\n" * 60_000)
    assert (analysis.parser, analysis.has_error) == ("lines", True)
    assert analysis.chunks


def test_half_written_code_still_gives_what_is_whole() -> None:
    analysis = analyse("a.py", b"def good(): return helper()\n\ndef broken(:\n    x = \n")
    assert analysis.has_error
    assert "good" in {d.name for d in analysis.definitions}


def _definition(analysis: Analysis, name: str):  # type: ignore[no-untyped-def]
    return next(d for d in analysis.definitions if d.name == name)
