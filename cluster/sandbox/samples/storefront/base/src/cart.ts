import { findProduct } from "./catalog.ts";
import type { Cents } from "./money.ts";

export interface Line {
  sku: string;
  quantity: number;
}

export interface Cart {
  lines: Line[];
}

/** The cart with one more line, or more of a line that it has. */
export function addToCart(cart: Cart, sku: string, quantity: number): Cart {
  findProduct(sku);
  const others = cart.lines.filter((line) => line.sku !== sku);
  const before = cart.lines.find((line) => line.sku === sku)?.quantity ?? 0;
  return { lines: [...others, { sku, quantity: before + quantity }] };
}

export function cartTotal(cart: Cart): Cents {
  return cart.lines.reduce((sum, line) => sum + findProduct(line.sku).price * line.quantity, 0);
}

export function cartWeight(cart: Cart): number {
  return cart.lines.reduce((sum, line) => sum + findProduct(line.sku).grams * line.quantity, 0);
}
