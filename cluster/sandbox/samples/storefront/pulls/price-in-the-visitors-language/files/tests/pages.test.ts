import assert from "node:assert/strict";
import { test } from "node:test";

import { cartPage } from "../src/pages/cartPage.ts";
import { searchPage } from "../src/pages/productPage.ts";

test("the cart page ends with the total", () => {
  const page = cartPage({ lines: [{ sku: "MUG-01", quantity: 2 }] }, "DE", "de-DE");
  assert.match(page, /Total: 33,90/);
});

test("a search without a hit says so", () => {
  assert.equal(searchPage("samovar"), "<p>Nothing found.</p>");
});
