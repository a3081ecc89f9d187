import * as catalog from "../catalog.ts";
import { formatPrice } from "../money.ts";
import { escapeHtml } from "./html.ts";

/** One product with its price. */
export function productPage(sku: string): string {
  const product = catalog.findProduct(sku);
  return `<h1>${escapeHtml(product.name)}</h1><p>${formatPrice(product.price, "EUR")}</p>`;
}

/** What a search found, as links. */
export function searchPage(words: string): string {
  const found = catalog.searchProducts(words);
  const links = found.map((product) => `<li><a href="/p/${product.sku}">${escapeHtml(product.name)}</a></li>`);
  return found.length === 0 ? "<p>Nothing found.</p>" : `<ul>${links.join("")}</ul>`;
}
