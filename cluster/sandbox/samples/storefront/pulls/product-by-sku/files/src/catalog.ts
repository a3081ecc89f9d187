import type { Cents } from "./money.ts";

export interface Product {
  sku: string;
  name: string;
  price: Cents;
  grams: number;
}

const PRODUCTS: readonly Product[] = [
  { sku: "MUG-01", name: "Enamel mug", price: 1450, grams: 320 },
  { sku: "TEA-07", name: "Assam, 250 g", price: 990, grams: 270 },
  { sku: "POT-02", name: "Cast-iron pot", price: 6900, grams: 2400 },
];

/** The product with this stock-keeping unit; throws when there is none. */
export function productBySku(sku: string): Product {
  const found = PRODUCTS.find((product) => product.sku === sku);
  if (found === undefined) {
    throw new Error(`no product ${sku}`);
  }
  return found;
}

/** Products whose name contains every word, in the order of the catalogue. */
export function searchProducts(words: string): Product[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return PRODUCTS.filter((product) => wanted.every((word) => product.name.toLowerCase().includes(word)));
}
