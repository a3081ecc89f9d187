import type { Cart } from "../cart.ts";
import { findProduct } from "../catalog.ts";
import { quote } from "../checkout.ts";
import { formatPrice } from "../money.ts";
import { escapeHtml } from "./html.ts";

/** The cart as a table, with what it costs at the end. */
export function cartPage(cart: Cart, country: string): string {
  const rows = cart.lines.map((line) => {
    const product = findProduct(line.sku);
    const price = formatPrice(product.price * line.quantity, "EUR");
    return `<tr><td>${escapeHtml(product.name)}</td><td>${line.quantity}</td><td>${price}</td></tr>`;
  });
  const cost = quote(cart, country);
  return `<table>${rows.join("")}</table><p>Total: ${formatPrice(cost.total, "EUR")}</p>`;
}
