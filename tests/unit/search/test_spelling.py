"""What lines of text tell of names: chains, parameters, variables, exports."""

from __future__ import annotations

import pytest

from panlect.search.spelling import (
    LONGEST_LINE,
    bound_names,
    chain_before,
    exported_as,
    go_receiver,
    is_parameter,
    parameter_type,
    with_lines_above,
)


@pytest.mark.parametrize(
    ("line", "chain"),
    [
        ("x", ()),
        ("a.b.x", ("a", "b")),
        ("a?.b!!.x", ("a", "b")),
        ("a . x", ("a",)),
        ("$this->cart->x", ("this", "cart")),
        ("crate::a::x", ("crate", "a")),
        ("::x", ()),
        ("a::<T>::x", ("",)),
        ("f(1).x", ("",)),
        ("'text'.x", ("",)),
        ("super().x", ("super",)),
        ("super(A, self).x", ("super",)),
        ("@cart.x", ("",)),
        ("def f() -> a.x", ("a",)),
        ("fn f() -> x", ()),
        ("fn f() ->x", ()),
        ("\\A\\B\\x", ("A", "B")),
        (". " * 50 + "x", ("",)),
        (".".join("abcdefghijklmnop") + ".x", tuple("ghijklmnop")),
    ],
)
def test_a_chain_is_the_words_before_a_name(line: str, chain: tuple[str, ...]) -> None:
    assert chain_before(line, line.rindex("x")) == chain


def test_a_line_that_begins_with_a_dot_goes_on_with_those_above() -> None:
    assert with_lines_above(["a", "  .b()", "  .c()"], 3) == "a .b() .c()"


@pytest.mark.parametrize(
    ("family", "line", "names"),
    [
        ("python", "    a, b = c", {"a", "b"}),
        ("python", "    a: list[int] = c", {"a"}),
        ("python", "    run(a=1,", set()),
        ("python", "    a=1,", set()),
        ("python", "    self.a = 1", set()),
        ("python", "    a == 1", set()),
        ("python", "    for a, b in c:", {"a", "b"}),
        ("python", "    with f() as a:", {"a"}),
        ("python", "    key = lambda a, b: a", {"a", "b", "key"}),
        ("python", "    help for json modules", set()),
        ("python", "    import a as b", set()),
        ("go", "\tif a, ok := m[k]; ok {", {"a", "ok"}),
        ("go", "\tvar a Cart", {"a"}),
        ("jvm", "    final Coin a = make();", {"a"}),
        ("typescript", "  const {a, b} = c;", {"a", "b"}),
        ("typescript", "  list.map((a, b) => a)", {"a", "b"}),
        ("typescript", "  for (const a of b) {", {"a"}),
        ("csharp", "  } catch (Oops a) {", {"a"}),
        ("php", "  $a = 1;", {"a"}),
        ("python", " " * LONGEST_LINE + "a = 1", set()),
    ],
)
def test_a_line_binds_names(family: str, line: str, names: set[str]) -> None:
    assert set(bound_names(family, [line], 1)) == names


def test_a_name_counts_from_the_line_that_binds_it_and_a_loop_on_its_own() -> None:
    lines = ["def f():", "    a = 1", "    [b for b in c]", "    a = 2"]
    assert bound_names("python", lines, 10) == {"a": 11, "b": 11}


def test_a_global_is_not_bound_by_its_function() -> None:
    assert bound_names("python", ["    global a, b", "    a = b = 1", "    c = 2"], 1) == {"c": 3}


@pytest.mark.parametrize(
    ("family", "signature", "parameters", "others"),
    [
        ("python", "def f(self, a: A, b=get, *c, **d) -> R", "a b c d self", "A R get f"),
        ("go", "func (s *S) F(a, b int, c *pkg.C) (R, error)", "a b c", "s S C R int pkg F"),
        ("jvm", "int f(final Coin a, Map<K, V> b)", "a b", "Coin Map f"),
        ("rust", "fn f(&self, a: &A, mut b: B) -> R", "a b self", "A B R"),
        ("php", "function f(?Coin $a, &$b = 1)", "a b", "Coin f"),
        ("c", "int f(struct coin *a, int b)", "a b", "coin f"),
        ("typescript", "f(a?: A, {b, c}: P, ...d: D[])", "a b c d", "A P D"),
    ],
)
def test_parameters_are_told_from_their_types(
    family: str, signature: str, parameters: str, others: str
) -> None:
    assert [name for name in parameters.split() if not is_parameter(family, signature, name)] == []
    assert [name for name in others.split() if is_parameter(family, signature, name)] == []
    assert not is_parameter(family, signature, "")


@pytest.mark.parametrize(
    ("family", "signature", "expected"),
    [
        ("python", "def f(self, a: shop.Cart, b: int)", "shop.Cart"),
        ("python", "def f(a: 'Cart' = None)", "Cart"),
        ("python", "def f(a: list[Cart])", ""),
        ("python", "def f(a)", ""),
        ("typescript", "f(a?: Cart)", "Cart"),
        ("go", "func f(a *cart.Cart, b int)", "cart.Cart"),
        ("jvm", "void f(Cart<T> a)", "Cart"),
        ("jvm", "fun f(a: Cart)", "Cart"),
        ("csharp", "void F(Cart a)", "Cart"),
        ("rust", "fn f(&self, a: &mut crate::Cart)", "crate::Cart"),
        ("php", "function f(Cart $a)", "Cart"),
        ("c", "int f(shop::Cart &a)", "shop::Cart"),
    ],
)
def test_the_type_of_a_parameter_is_what_its_signature_says(
    family: str, signature: str, expected: str
) -> None:
    assert parameter_type(family, signature, "a") == expected


def test_a_go_method_names_its_receiver() -> None:
    assert [go_receiver(s) for s in ("func (s *S) F()", "func (s S) F()", "func F(s S)")] == ["s", "s", ""]


@pytest.mark.parametrize(
    ("text", "name", "local"),
    [
        ("export default function cart() {}", "default", "cart"),
        ("export default class Cart {}", "default", "Cart"),
        ("export default cart;", "default", "cart"),
        ("module.exports = cart;", "default", "cart"),
        ("export { cart as basket, x };", "basket", "cart"),
        ("export { cart as default };", "default", "cart"),
        ("export { cart as basket } from './x';", "basket", ""),
        ("let a = 1", "default", ""),
    ],
)
def test_what_a_script_gives_out_under_a_name(text: str, name: str, local: str) -> None:
    assert exported_as(text, name) == local
