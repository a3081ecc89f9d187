"""TypeScript scope facts: bindings, exports, and names that nothing binds."""

from __future__ import annotations

import pytest
import tree_sitter
import tree_sitter_typescript

from panlect.code.facts import Export, FileFacts
from panlect.code.scopes import scope_facts


def facts_of(source: str, language: str = "tsx") -> FileFacts:
    grammar = (
        tree_sitter_typescript.language_tsx
        if language == "tsx"
        else tree_sitter_typescript.language_typescript
    )
    parser = tree_sitter.Parser(tree_sitter.Language(grammar()))
    return scope_facts(parser.parse(source.encode()).root_node, source.encode(), language)


def loose(source: str, language: str = "tsx") -> list[str]:
    return sorted({name.name for name in facts_of(source, language).loose})


@pytest.mark.parametrize(
    "source",
    [
        "const { a, b: { c }, ...d } = {} as any; a; c; d\n",
        "const [x = 1, , ...y] = []; x; y\n",
        "function f<T, U extends T>(a: T, { b = a }: any, ...c: U[]): a is any { return b || c }\n",
        "const f = x => x\n",
        "type M<T> = { [K in keyof T]: T[K] extends infer U ? U : never }\n",
        "type R<T> = T extends (...a: infer A) => infer Q ? (...a: A) => Q : never\n",
        "interface I<T> { m<V>(v: V): T; [key: string]: unknown; new (arg: T): I<T> }\n",
        "class A<T> { constructor(private x: T) {} m(p: T) { return p } }\n",
        "enum E { A = 1, B = A << 1 }\n",
        "namespace N { export const t = 1; t }\n",
        "for (const [k, v] of []) { k; v }\nfor (const i in {}) i\n",
        "try {} catch ({ message }) { message }\n",
        "lbl: while (true) { break lbl }\n",
        "let o = { a: 1, b() {}, ['c']: 2 }; o.anything.at.all\n",
        "import x, { y as z, type T } from 'm'; import * as ns from 'n'; x; z; ns; let t: T | ns.Q\n",
        "const C = () => <><div className='x'/><C {...{}}/></>\n",
        "export { q } from './w'\n",
        "let f: (name: string) => asserts name is 'x'\n",
        "const g = function named() { return named }\n",
        "async function h() { await using ctx = h(); ctx }\n",
        "label: for (;;) { continue label }\n",
    ],
)
def test_every_name_is_bound_in(source):
    assert loose(source) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("lost()\n", ["lost"]),
        ("let x: Lost\n", ["Lost"]),
        ("const o = { lost }\n", ["lost"]),
        ("const C = () => <Lost.Part a={gone}/>\n", ["Lost", "gone"]),
        ("class A extends Lost implements Gone {}\n", ["Gone", "Lost"]),
        ("let x: lost.Thing\n", ["lost"]),
        ("export { lost }\n", ["lost"]),
        ("`${lost}`\n", ["lost"]),
    ],
)
def test_a_name_is_loose_in(source, names):
    assert loose(source) == names


@pytest.mark.parametrize(
    ("declared", "spelled"),
    [
        ("function f(a: number, b?: string, c = 1, ...d: any[]) {}", "a,b=,c=,*"),
        ("const f = (a: number, { b }: P) => {}", "a,?"),
        ("function f(this: Window, a: any, b: void, c: T | undefined) {}", "a=,b=,c="),
        ("const f: Handler = (a) => {}", None),
        ("let f = (a: number) => {}", None),
        ("function f(a: string): void\nfunction f(a: number): void\nfunction f(a: any) {}", None),
        ("const f = memo((a: number) => {})", None),
    ],
)
def test_a_signature_is_spelled(declared, spelled):
    facts = facts_of(declared + "\nexport { f }\n")
    assert next(b for b in facts.bindings if b.name == "f").signature == spelled


def test_exports_are_read_in_all_their_forms():
    facts = facts_of(
        "export const a = 1, { b, c: d } = o\nexport function e() {}\nexport class F {}\nexport type G = 1\n"
        "export default H\nexport { i as j } from './i'\nexport * as k from './k'\nexport * from './l'\n"
        "export enum M { X }\nexport { a as n }\nconst o = 1, H = 2\n"
    )
    assert {export.name for export in facts.exports} == {*"abdeFG", "default", "j", "k", "M", "n"}
    assert Export("j", "i", "./i", 6) in facts.exports
    assert Export("k", "*", "./k", 7) in facts.exports
    assert Export("n", "a", "", 10) in facts.exports
    assert [star.module for star in facts.stars] == ["./l"]


@pytest.mark.parametrize(
    "source", ["module.exports = 1\n", "exports.a = 1\n", "export = f\n", "// @ts-nocheck\n"]
)
def test_a_module_is_opaque_with(source):
    assert facts_of(source).opaque


def test_only_uses_of_relative_imports_are_kept():
    facts = facts_of("import * as a from './a'\nimport * as b from 'b'\na.f(1, ...x)\nb.f(1)\nconst x = []\n")
    (use,) = facts.uses
    assert (use.target, use.argc, use.spread) == ("f", 1, 1)


def test_what_is_declared_for_every_file_is_told_apart():
    assert facts_of("declare const conf: number\n", "typescript").ambient == ("conf",)
    assert facts_of("export {}\ndeclare global { var conf: number }\nconst mine = 1\n").ambient == ("conf",)


def test_packed_facts_come_back_equal():
    facts = facts_of(
        "import { a as b } from './a'\nexport * from './c'\nexport const f = (x: number) => b(x, lost)\n"
    )
    assert FileFacts.unpack(facts.pack()) == facts
