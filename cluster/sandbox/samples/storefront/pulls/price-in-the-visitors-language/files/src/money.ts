/** Amounts are whole cents: a price is never a floating-point number. */
export type Cents = number;

/** "1.234,50 €" for 123450 in German, "1 234,50 €" in French. */
export function formatPrice(amount: Cents, currency: string, locale: string): string {
  return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount / 100);
}

/** The part of an amount that is tax, when the amount contains it. */
export function taxWithin(gross: Cents, percent: number): Cents {
  return gross - Math.round((gross * 100) / (100 + percent));
}
