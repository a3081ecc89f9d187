import assert from "node:assert/strict";
import { test } from "node:test";

import { addToCart } from "../src/cart.ts";
import { quote } from "../src/checkout.ts";

test("shipping is free at home from fifty euros", () => {
  const cart = addToCart({ lines: [] }, "POT-02", 1);
  assert.deepEqual(quote(cart, "DE"), { goods: 6900, shipping: 0, total: 6900, tax: 1102 });
});

test("a heavy parcel costs more abroad", () => {
  const cart = addToCart({ lines: [] }, "POT-02", 1);
  assert.equal(quote(cart, "FR").shipping, 1690);
});

test("the same product twice is one line", () => {
  const cart = addToCart(addToCart({ lines: [] }, "MUG-01", 1), "MUG-01", 2);
  assert.deepEqual(cart.lines, [{ sku: "MUG-01", quantity: 3 }]);
});
