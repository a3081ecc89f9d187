import { cartTotal, cartWeight, type Cart } from "./cart.ts";
import type { Cents } from "./money.ts";
import { taxWithin } from "./money.ts";
import { shippingCost } from "./shipping.ts";

export interface Quote {
  goods: Cents;
  shipping: Cents;
  total: Cents;
  tax: Cents;
}

const VAT_PERCENT = 19;

/** What an order costs, before anybody pays. */
export function quote(cart: Cart, country: string): Quote {
  const goods = cartTotal(cart);
  const shipping = shippingCost(goods, cartWeight(cart), country);
  const total = goods + shipping;
  return { goods, shipping, total, tax: taxWithin(total, VAT_PERCENT) };
}
