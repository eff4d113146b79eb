/** Amounts in whole cents, so that nothing is lost on the way. */
declare const centsBrand: unique symbol;
export type Cents = number & { readonly [centsBrand]: true };

export const FREE = 0 as Cents;

export function cents(count: number): Cents {
  if (!Number.isSafeInteger(count)) throw new RangeError(`${count} is no whole number of cents`);
  return count as Cents;
}

export function sum(amounts: Iterable<Cents>): Cents {
  let total = 0;
  for (const amount of amounts) total += amount;
  return cents(total);
}

/** A share in percent, rounded half to even, as on a bank statement. */
export function percent(amount: Cents, share: number): Cents {
  const exact = (amount * share) / 100;
  const down = Math.floor(exact);
  const rest = exact - down;
  return cents(rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down);
}

export function format(amount: Cents, locale = "en", currency = "EUR"): string {
  return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount / 100);
}
