"""Members of TypeScript classes and interfaces, through `this`, written types and `new`."""

# ruff: noqa: E501

from __future__ import annotations

import pytest

CART = """export class Cart {
  private rows: number[] = []
  static empty(): Cart {
    return new Cart()
  }
  total(tax: number): number {
    return tax
  }
}
export function make(): Cart {
  return new Cart()
}
export async function fetchCart(): Promise<Cart> {
  return new Cart()
}
export const current: Cart = make()
"""
IMPORT = "import { Cart, make, fetchCart, current } from './cart'\n"
HELD = {
    "a parameter": "export function f(cart: Cart) {\n  return cart.total(1)\n}\n",
    "an optional parameter": "export function f(cart?: Cart | null) {\n  return cart?.total(1)\n}\n",
    "what is new": "export function f() {\n  const cart = new Cart()\n  return cart.total(1)\n}\n",
    "a declared constant": "export function f(x: any) {\n  const cart: Cart = x\n  return cart.total(1)\n}\n",
    "a cast": "export function f(x: any) {\n  const cart = x as Cart\n  return cart.total(1)\n}\n",
    "a result": "export function f() {\n  const cart = make()\n  return cart.total(1)\n}\n",
    "an awaited result": "export async function f() {\n  const cart = await fetchCart()\n  return cart.total(1)\n}\n",
    "a static method's result": "export function f() {\n  const cart = Cart.empty()\n  return cart.total(1)\n}\n",
    "a field": "export class A {\n  cart: Cart\n  f() {\n    return this.cart.total(1)\n  }\n}\n",
    "a field made": "export class A {\n  cart = new Cart()\n  f = () => this.cart.total(1)\n}\n",
    "a parameter property": "export class A {\n  constructor(private readonly cart: Cart) {}\n  f() {\n    return this.cart.total(1)\n  }\n}\n",
    "this, inherited": "export class B extends Cart {\n  f() {\n    return this.total(1)\n  }\n}\n",
    "an imported constant": "export function f() {\n  return current.total(1)\n}\n",
}
UNSURE = {
    "two types": "export function f(cart: Cart | number) {\n  return cart.total(1)\n}\n",
    "an array": "export function f(cart: Cart[]) {\n  return cart.total(1)\n}\n",
    "a type parameter": "export function f<Cart>(cart: Cart) {\n  return cart.total(1)\n}\n",
    "this of a function expression": "export class B extends Cart {\n  f() {\n    return function () {\n      return this.total(1)\n    }\n  }\n}\n",
    "an unknown base": "import { Base } from 'elsewhere'\nexport class B extends Base {\n  f() {\n    return this.total(1)\n  }\n}\n",
    "a subclass has it": "export class Sub extends Cart {\n  total(tax: number) {\n    return 1\n  }\n}\nexport function f(cart: Cart) {\n  return cart.total(1)\n}\n",
    "an error that is expected": "export function f(cart: Cart) {\n  // @ts-expect-error gone\n  return cart.total(1)\n}\n",
    "bound twice": "export function f(cart: Cart, x: any) {\n  {\n    const cart = x\n    return cart.total(1)\n  }\n}\n",
}


@pytest.mark.parametrize("text", HELD.values(), ids=HELD)
@pytest.mark.parametrize(
    ("old", "new", "check"),
    [("  total(", "  sum(", "member-missing"), ("tax: number", "tax: number, rate: number", "call-mismatch")],
    ids=["gone", "needs more"],
)
def test_a_member_that_changed_is_missed_wherever_its_type_is_written(review, text, old, new, check):
    (found,) = review({"cart.ts": CART, "use.ts": IMPORT + text}, {"cart.ts": CART.replace(old, new, 1)})
    line = next(n for n, row in enumerate((IMPORT + text).split("\n"), 1) if "total(1)" in row)
    assert (found.check, found.path) == (check, "cart.ts")
    assert (found.evidence[0].path, found.evidence[0].start_line) == ("use.ts", line)


@pytest.mark.parametrize("text", UNSURE.values(), ids=UNSURE)
def test_nothing_is_said_where_a_link_is_unknown(review, text):
    assert (
        review({"cart.ts": CART, "use.ts": IMPORT + text}, {"cart.ts": CART.replace("  total(", "  sum(")})
        == ()
    )


def test_a_class_with_an_index_lacks_no_member(review):
    open_ended = CART.replace("  private", "  [key: string]: any\n  private")
    base = {"cart.ts": open_ended, "use.ts": IMPORT + HELD["a parameter"]}
    assert review(base, {"cart.ts": open_ended.replace("  total(", "  sum(")}) == ()


def test_a_member_of_an_interface_is_missed(review):
    store = "export interface Store {\n  get(key: string): string\n}\n"
    use = "import { Store } from './store'\nexport function f(store: Store) {\n  return store.get('a')\n}\n"
    (found,) = review({"store.ts": store, "use.ts": use}, {"store.ts": store.replace("get", "read")})
    assert (found.check, found.path, found.start_line) == ("member-missing", "store.ts", 2)


def test_the_last_export_of_a_module_is_missed_too(review):
    store = "import { join } from 'path'\nexport const root = join('a', 'b')\n"
    use = "import { root } from './store'\nexport const here = root\n"
    found = review({"store.ts": store, "use.ts": use}, {"store.ts": store.replace("export ", "")})
    assert [one.check for one in found] == ["import-missing"]
