import type { Cents } from "./money.ts";

const HOME = "DE";
const FREE_FROM: Cents = 5000;
const PARCEL_LIMIT_GRAMS = 2000;

/** What shipping costs: free at home from fifty euros, by weight elsewhere. */
export function shippingCost(total: Cents, grams: number, country: string): Cents {
  if (country === HOME) {
    return total >= FREE_FROM ? 0 : 490;
  }
  return grams > PARCEL_LIMIT_GRAMS ? 1690 : 990;
}
