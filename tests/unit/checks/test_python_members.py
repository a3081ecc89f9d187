"""Members of classes whose bases are all known: through self, through written types, on the class, when it is made."""

# ruff: noqa: E501

from __future__ import annotations

import pytest

SHOP = """class Cart:
    def __init__(self, owner):
        self.owner = owner

    def total(self, tax):
        return tax

    @classmethod
    def empty(cls, size=0) -> "Cart":
        return cls("nobody")

    @staticmethod
    def of(a):
        return a


def make() -> Cart:
    return Cart("x")


async def fetch() -> Cart:
    return Cart("x")


current: Cart = make()
"""
NO_TOTAL = SHOP.replace("total", "sum_up")
MORE_TAX = SHOP.replace("self, tax", "self, tax, rate")

# Each way to hold a cart: text of a file that calls total(1) on it.
HELD = {
    "a parameter": "from shop import Cart\n\n\ndef f(cart: Cart):\n    return cart.total(1)\n",
    "an optional parameter": "from shop import Cart\n\n\ndef f(cart: Cart | None = None):\n    return cart.total(1)\n",
    "a quoted type": "from shop import Cart\n\n\ndef f(cart: 'Cart'):\n    return cart.total(1)\n",
    "Optional": "from typing import Optional\nfrom shop import Cart\n\n\ndef f(cart: Optional[Cart]):\n    return cart.total(1)\n",
    "for type checkers alone": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from shop import Cart\n\n\ndef f(cart: 'Cart'):\n    return cart.total(1)\n",
    "a module's type": "import shop\n\n\ndef f(cart: shop.Cart):\n    return cart.total(1)\n",
    "a local": "from shop import Cart\n\n\ndef f():\n    cart = Cart('x')\n    return cart.total(1)\n",
    "a function's result": "from shop import make\n\n\ndef f():\n    cart = make()\n    return cart.total(1)\n",
    "an awaited result": "from shop import fetch\n\n\nasync def f():\n    cart = await fetch()\n    return cart.total(1)\n",
    "a class method's result": "from shop import Cart\n\n\ndef f():\n    cart = Cart.empty()\n    return cart.total(1)\n",
    "a field made": "from shop import Cart\n\n\nclass A:\n    def __init__(self):\n        self.cart = Cart('x')\n\n    def f(self):\n        return self.cart.total(1)\n",
    "a field declared": "from shop import Cart\n\n\nclass A:\n    cart: Cart\n\n    def f(self):\n        return self.cart.total(1)\n",
    "a field given": "from shop import Cart\n\n\nclass A:\n    def __init__(self, cart: Cart):\n        self.cart = cart\n\n    def f(self):\n        return self.cart.total(1)\n",
    "a field of a base": "from shop import Cart\n\n\nclass A:\n    def __init__(self):\n        self.cart = Cart('x')\n\n\nclass B(A):\n    def f(self):\n        return self.cart.total(1)\n",
    "a field of what is typed": "from shop import Cart\n\n\nclass A:\n    cart: Cart\n\n\ndef f(a: A):\n    return a.cart.total(1)\n",
    "a variable of a module": "import shop\n\n\ndef f():\n    return shop.current.total(1)\n",
    "an imported variable": "from shop import current\n\n\ndef f():\n    return current.total(1)\n",
    "self, inherited": "from shop import Cart\n\n\nclass B(Cart):\n    def f(self):\n        return self.total(1)\n",
}  # fmt: skip

UNSURE = {
    "two types": "from shop import Cart\n\n\ndef f(cart: Cart | int):\n    return cart.total(1)\n",
    "bound twice": "from shop import Cart\n\n\ndef f(cart: Cart, other):\n    cart = other\n    return cart.total(1)\n",
    "a list": "from shop import Cart\n\n\ndef f(cart: list[Cart]):\n    return cart.total(1)\n",
    "a local class of that name": "from shop import Cart\n\n\ndef f():\n    class Cart:\n        total = print\n\n    cart = Cart()\n    return cart.total(1)\n",
    "an unknown base": "from shop import Cart\nfrom elsewhere import Base\n\n\nclass B(Base, Cart):\n    def f(self):\n        return self.total(1)\n",
    "a subclass has it": "from shop import Cart\n\n\nclass Sub(Cart):\n    def total(self, tax):\n        return 1\n\n\ndef f(cart: Cart):\n    return cart.total(1)\n",
    "stored from outside": "from shop import Cart\n\n\ndef g(x):\n    x.total = 1\n\n\ndef f(cart: Cart):\n    return cart.total(1)\n",
    "looked up by string": "from shop import Cart\n\n\ndef f(cart: Cart):\n    setattr(cart, 'total', print)\n    return cart.total(1)\n",
    "asked for first": "from shop import Cart\n\n\ndef f(cart: Cart):\n    if hasattr(cart, 'total'):\n        return cart.total(1)\n",
    "expected to fail": "from shop import Cart\n\n\ndef f(cart: Cart):\n    try:\n        return cart.total(1)\n    except AttributeError:\n        return 0\n",
    "a result not awaited": "from shop import fetch\n\n\ndef f():\n    cart = fetch()\n    return cart.total(1)\n",
    "a field of two makers": "from shop import Cart\n\n\nclass A:\n    def __init__(self, x):\n        self.cart = Cart('x')\n        self.cart = x\n\n    def f(self):\n        return self.cart.total(1)\n",
}  # fmt: skip


@pytest.mark.parametrize("text", HELD.values(), ids=HELD)
def test_a_method_that_is_gone_is_missed_wherever_the_type_is_written(review, text):
    (found,) = review({"shop.py": SHOP, "use.py": text}, {"shop.py": NO_TOTAL})
    line = next(n for n, row in enumerate(text.split("\n"), 1) if "total(1)" in row)
    assert (found.check, found.evidence[0].path, found.evidence[0].start_line) == (
        "member-missing",
        "use.py",
        line,
    )
    assert (found.path, found.title) == ("shop.py", "`total` is gone, but 1 place still uses it")


@pytest.mark.parametrize("text", HELD.values(), ids=HELD)
def test_a_method_that_needs_more_is_called_with_too_little(review, text):
    (found,) = review({"shop.py": SHOP, "use.py": text}, {"shop.py": MORE_TAX})
    assert (found.check, found.path) == ("call-mismatch", "shop.py")
    assert found.title == "`total()` now needs `rate`; 1 call still passes the old arguments"


@pytest.mark.parametrize("text", UNSURE.values(), ids=UNSURE)
def test_nothing_is_said_where_a_link_is_unknown(review, text):
    others = ("override-mismatch",)
    found = review({"shop.py": SHOP, "use.py": text}, {"shop.py": NO_TOTAL})
    assert [one for one in found if one.check not in others] == []


@pytest.mark.parametrize(
    "change",
    [
        SHOP.replace("class Cart:", "@decorate\nclass Cart:"),
        SHOP.replace("class Cart:", "class Cart(metaclass=Meta):"),
        SHOP + "\n\nclass Meta(type):\n    pass\n\n\ndef decorate(c):\n    return c\n",
        SHOP.replace(
            "    def total", "    def __getattr__(self, name):\n        return name\n\n    def total"
        ),
    ],
    ids=["decorated", "a metaclass", "nothing of it", "__getattr__"],
)
def test_a_class_that_may_grow_members_lacks_none(review, change):
    base = {"shop.py": change, "use.py": HELD["a parameter"]}
    found = [
        one
        for one in review(base, {"shop.py": change.replace("total", "sum_up")})
        if one.check == "member-missing"
    ]
    assert bool(found) is (change.startswith("class Cart:\n") and "__getattr__" not in change)


def test_a_name_read_off_self_that_nothing_assigns_is_found(review):
    base = {
        "a.py": "class A:\n    def __init__(self):\n        self.token = 1\n\n    def f(self):\n        return self.token\n"
    }
    (found,) = review(base, {"a.py": base["a.py"].replace("self.token = 1", "self.bearer = 1")})
    assert (found.check, found.path, found.evidence[0].start_line) == ("member-missing", "a.py", 6)


def test_members_of_the_class_itself_are_judged(review):
    text = "from shop import Cart\n\nx = Cart.empty(1)\ny = Cart.of(1)\nz = Cart.total(x, 1)\n"
    gone = review({"shop.py": SHOP, "use.py": text}, {"shop.py": SHOP.replace("def of", "def off")})
    assert [(one.check, one.evidence[0].start_line) for one in gone] == [("member-missing", 4)]
    fewer = review({"shop.py": SHOP, "use.py": text}, {"shop.py": SHOP.replace("cls, size=0", "cls")})
    assert [(one.check, one.evidence[0].start_line) for one in fewer] == [("call-mismatch", 3)]


def test_a_constructor_that_needs_more_is_found_unless_it_is_patched(review):
    text = "from shop import Cart\n\nx = Cart('x')\n"
    head = {"shop.py": SHOP.replace("self, owner", "self, owner, key")}
    found = review({"shop.py": SHOP, "use.py": text}, head)
    assert [one.check for one in found] == ["call-mismatch"]
    assert "use.py:3" in found[0].body
    patched = "def test_it(patch):\n    patch('shop.Cart.__init__')\n"
    assert review({"shop.py": SHOP, "use.py": text, "tests/test_a.py": patched}, head) == ()


ABC = "from abc import ABC, abstractmethod\n\n\nclass Store(ABC):\n    @abstractmethod\n    def get(self):\n        ...\n"
ABC_MORE = ABC + "\n    @abstractmethod\n    def put(self):\n        ...\n"
DISK = "from store import Store\n\n\nclass Disk(Store):\n    def get(self):\n        return 1\n"


def test_an_abstract_method_that_a_class_lacks_is_found(review):
    (found,) = review({"store.py": ABC, "disk.py": DISK}, {"store.py": ABC_MORE})
    assert (found.check, found.path) == ("abstract-missing", "store.py")
    assert found.title == "`Disk` lacks the abstract method `put` and cannot be made any more"
    assert "disk.py:4" in found.body


def test_a_definition_of_an_abstract_method_that_is_taken_away_is_found(review):
    disk = DISK + "\n    def path(self):\n        return 2\n"
    (found,) = review({"store.py": ABC, "disk.py": disk}, {"disk.py": disk.replace("get", "fetch")})
    assert (found.check, found.path, found.start_line) == ("abstract-missing", "disk.py", 5)


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({"store.py": ABC.replace("(ABC)", ""), "disk.py": DISK}, {"store.py": ABC_MORE.replace("(ABC)", "")}),
        ({"store.py": ABC, "disk.py": DISK.replace("(Store)", "(Store, Unknown)")}, {"store.py": ABC_MORE}),
        ({"store.py": ABC}, {"store.py": ABC_MORE, "disk.py": DISK}),
        ({"store.py": ABC, "disk.py": DISK + "\n\nclass Fast(Disk):\n    def put(self):\n        return 1\n"}, {"store.py": ABC_MORE}),
        ({"store.py": ABC, "disk.py": DISK}, {"store.py": ABC_MORE, "disk.py": DISK + "\n    def put(self):\n        return 1\n"}),
        ({"store.py": ABC, "disk.py": DISK}, {"store.py": ABC_MORE, "disk.py": DISK + "\n    put = print\n"}),
    ],
    ids=["no ABC", "an unknown base", "a new class", "a base of others, never made", "defined", "assigned"],
)  # fmt: skip
def test_an_abstract_class_is_no_fault(review, base, head):
    assert [one for one in review(base, head) if one.check == "abstract-missing"] == []


BASE = "class A:\n    def go(self, x):\n        return x\n"
UNDER = "from a import A\n\n\nclass B(A):\n    def go(self, x):\n        return x\n"


def test_an_override_left_behind_is_found(review):
    (found,) = review({"a.py": BASE, "b.py": UNDER}, {"a.py": BASE.replace("self, x", "self, x, y")})
    assert (found.check, found.path, found.title) == (
        "override-mismatch",
        "a.py",
        "`go()` changed, but 1 override does not take what it takes now",
    )


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({"a.py": BASE, "b.py": UNDER}, {"b.py": UNDER.replace("self, x", "self")}),
        ({"a.py": BASE, "b.py": UNDER.replace("self, x", "self")}, {"a.py": BASE.replace("self, x", "self, x, y")}),
        ({"a.py": BASE, "b.py": UNDER.replace("return x", "return super().go(x, 1)")}, {"a.py": BASE.replace("self, x", "self, x, y")}),
        ({"a.py": BASE, "b.py": UNDER.replace("self, x", "self, *args")}, {"a.py": BASE.replace("self, x", "self, x, y")}),
    ],
    ids=["the base did not change", "it never fitted", "it calls the base itself", "it takes anything"],
)  # fmt: skip
def test_an_override_is_not_blamed(review, base, head):
    assert [one for one in review(base, head) if one.check == "override-mismatch"] == []
