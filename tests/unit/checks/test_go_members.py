"""Fields and methods of Go types whose declaration is known, through whatever says the type."""

# ruff: noqa: E501

from __future__ import annotations

import pytest

MOD = "module example.org/shop\n\ngo 1.22\n"
CART = """package cart

type Cart struct {
	Rows []int
}

func (c *Cart) Total(tax int) int {
	return tax
}

func New() (*Cart, error) {
	return &Cart{}, nil
}
"""
STORE = "package cart\n\ntype Store interface {\n\tGet(key string) string\n}\n"
HEAD = 'package use\n\nimport "example.org/shop/cart"\n\n'
HELD = {
    "a parameter": "func F(c *cart.Cart) int {\n\treturn c.Total(1)\n}\n",
    "a literal": "func F() int {\n\tc := &cart.Cart{}\n\treturn c.Total(1)\n}\n",
    "new": "func F() int {\n\tc := new(cart.Cart)\n\treturn c.Total(1)\n}\n",
    "a result": "func F() int {\n\tc, _ := cart.New()\n\treturn c.Total(1)\n}\n",
    "a variable": "func F() int {\n\tvar c cart.Cart\n\treturn c.Total(1)\n}\n",
    "a field": "type A struct {\n\tc *cart.Cart\n}\n\nfunc (a *A) F() int {\n\treturn a.c.Total(1)\n}\n",
    "embedded": "type A struct {\n\t*cart.Cart\n}\n\nfunc F(a A) int {\n\treturn a.Total(1)\n}\n",
}
UNSURE = {
    "bound twice": "func F(c *cart.Cart, d D) int {\n\tif true {\n\t\tc := d\n\t\treturn c.Total(1)\n\t}\n\treturn 0\n}\n\ntype D struct{}\n\nfunc (d D) Total(x int) int {\n\treturn x\n}\n",
    "something unknown is embedded": "type A struct {\n\tcart.Cart\n\tother.Thing\n}\n\nfunc F(a A) int {\n\treturn a.Gone(1)\n}\n",
    "a type parameter": "func F[T any](c T) int {\n\treturn 1\n}\n\nvar _ = cart.Cart{}\n",
    "a slice": "func F(c []cart.Cart) int {\n\treturn len(c)\n}\n",
}  # fmt: skip


def base(use: str) -> dict[str, str]:
    """The shop with one file that uses it."""
    return {"go.mod": MOD, "cart/cart.go": CART, "cart/store.go": STORE, "use/use.go": HEAD + use}


@pytest.mark.parametrize("use", HELD.values(), ids=HELD)
@pytest.mark.parametrize(
    ("old", "new", "check"),
    [(") Total(", ") Sum(", "member-missing"), ("tax int", "tax int, rate int", "call-mismatch")],
    ids=["gone", "needs more"],
)
def test_a_method_that_changed_is_missed_wherever_the_type_is_written(review, use, old, new, check):
    (found,) = review(base(use), {"cart/cart.go": CART.replace(old, new, 1)})
    line = next(n for n, row in enumerate((HEAD + use).split("\n"), 1) if "Total(1)" in row)
    assert (found.check, found.path) == (check, "cart/cart.go")
    assert (found.evidence[0].path, found.evidence[0].start_line) == ("use/use.go", line)


@pytest.mark.parametrize("use", UNSURE.values(), ids=UNSURE)
def test_nothing_is_said_where_a_link_is_unknown(review, use):
    assert review(base(use), {"cart/cart.go": CART.replace(") Total(", ") Sum(")}) == ()


def test_a_field_that_is_gone_and_a_method_of_an_interface_are_missed(review):
    use = 'func F(c cart.Cart, s cart.Store) string {\n\t_ = c.Rows\n\treturn s.Get("a")\n}\n'
    head = {"cart/cart.go": CART.replace("Rows", "Lines"), "cart/store.go": STORE.replace("Get", "Read")}
    found = review(base(use), head)
    assert sorted((one.check, one.evidence[0].start_line) for one in found) == [
        ("member-missing", 6),
        ("member-missing", 7),
    ]


def test_a_method_that_moved_to_another_file_of_the_package_is_there(review):
    method = "func (c *Cart) Total(tax int) int {\n\treturn tax\n}\n"
    head = {"cart/cart.go": CART.replace(method, ""), "cart/total.go": f"package cart\n\n{method}"}
    assert review(base(HELD["a parameter"]), head) == ()
