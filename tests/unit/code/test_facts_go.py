"""Go scope facts: what a file gives its package and takes from it."""

from __future__ import annotations

import pytest
import tree_sitter
import tree_sitter_go

from panlect.code.facts import LOCAL, FileFacts, Guard
from panlect.code.scopes import scope_facts


def facts_of(source: str) -> FileFacts:
    source = "package p\n" + source
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_go.language()))
    return scope_facts(parser.parse(source.encode()).root_node, source.encode(), "go")


def loose(source: str) -> list[str]:
    return sorted({name.name for name in facts_of(source).loose})


@pytest.mark.parametrize(
    "source",
    [
        "func f(a, b int, c ...string) (n int, err error) { n = a + b + len(c); return n, err }\n",
        "func f() { for i, v := range []int{} { _, _ = i, v } }\n",
        "func f(x any) { switch y := x.(type) { case int: _ = y } }\n",
        "func f(c chan int) { select { case m, ok := <-c: _, _ = m, ok } }\n",
        "type L[K comparable] struct{ k K }\nfunc (l *L[V]) m(v V) { _ = l; _ = v }\n",
        "func g[T any, S ~[]T](s S) T { var zero T; return zero }\n",
        "type T struct{ Size int }\nvar t = T{Size: 1}\nvar m = map[string]T{`a`: {Size: 2}}\n",
        "type I interface { Do(x int) error; ~int | string }\n",
        "const ( A = iota; B )\nvar c, d = A, B\n",
        "func f() { if x, err := 1, error(nil); err != nil { _ = x } }\n",
        "func f() { g := func(w int) int { return w }; _ = g(1) }\n",
        "func f() { type local struct{}; var _ local; const k = 1; _ = k }\n",
        "import `fmt`\nfunc f() { fmt.Println(1) }\n",
        "func f() {\nL:\n\tfor { break L }\n}\n",
        "func f(p struct{ X int }) { _ = p.X.Y.Z }\n",
    ],
)
def test_every_name_is_bound_in(source):
    assert loose(source) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("func f() { lost(1) }\n", ["lost"]),
        ("var x Lost\n", ["Lost"]),
        ("var x = lost.Field\n", ["lost"]),
        ("var x = T{Size: lost}\n", ["T", "lost"]),
        ("func (r *Lost) m() {}\n", ["Lost"]),
        ("type T struct { Lost; gone.X }\n", ["Lost", "gone"]),
    ],
)
def test_a_name_is_loose_in(source, names):
    assert loose(source) == names


@pytest.mark.parametrize(
    ("parameters", "spelled"),
    [("", ""), ("a, b int, c string", "a,b,c"), ("int, string", "_,_"), ("a int, rest ...string", "a,*")],
)
def test_a_signature_is_spelled(parameters, spelled):
    (binding,) = facts_of(f"func F({parameters}) {{}}\n").bindings
    assert (binding.name, binding.kind, binding.signature) == ("F", "function", spelled)


@pytest.mark.parametrize(
    ("path", "alias"),
    [("a/b", "b"), ("a/b/v2", "b"), ("gopkg.in/yaml.v3", "yaml"), ("v2", "v2")],
)
def test_an_import_is_called_by_its_last_element(path, alias):
    assert facts_of(f'import "{path}"\n').imports[0].alias == alias


def test_calls_that_cannot_be_counted_are_marked():
    facts = facts_of(
        "func f() { a(g()); b(xs...); c(g(), 1) }\nfunc a() {}\nfunc b() {}\nfunc c() {}\nvar xs []int\n"
    )
    assert {use.target: use.spread for use in facts.uses if use.source == LOCAL and use.target in "abc"} == {
        "a": 1,
        "b": 1,
        "c": 0,
    }


def test_a_qualifier_is_guarded_when_an_import_may_have_another_name():
    facts = facts_of('import "github.com/go-yaml/go-yaml"\nvar x = yaml.Marshal(1)\nvar y = lost\n')
    assert {name.name: name.guards for name in facts.loose} == {"yaml": Guard.NAME, "lost": Guard.NONE}


def test_methods_are_no_names_of_the_package():
    assert [b.name for b in facts_of("type T struct{}\nfunc (T) M() {}\n").bindings] == ["T"]


def test_uses_of_the_standard_library_are_left_out():
    assert facts_of('import "net/http"\nvar x = http.Get("a")\n').uses == ()


def test_packed_facts_come_back_equal():
    facts = facts_of('import x "a.b/c"\nimport . "d"\nfunc F(a int) int { return x.G(lost, a) }\n')
    assert FileFacts.unpack(facts.pack()) == facts
    assert facts.package == "p"
