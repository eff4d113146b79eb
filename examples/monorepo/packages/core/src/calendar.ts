/** When an item is free. */
import { addDays, daysOf, includes, overlap, type Day, type ItemId, type Loan, type Period } from "@toolshed/shared";

import type { Shed } from "./state.js";

/** An item that is out and late keeps the shed waiting for at least this long. */
const GRACE_DAYS = 2;

/** The periods for which an item is promised to somebody, in order. */
export function taken(shed: Shed, item: ItemId, today: Day): Period[] {
  return [...shed.loans.values()]
    .filter((loan) => loan.item === item && (loan.state === "reserved" || loan.state === "out"))
    .map((loan) => held(loan, today))
    .sort((one, other) => (one.from < other.from ? -1 : 1));
}

export function isFree(shed: Shed, item: ItemId, wanted: Period, today: Day): boolean {
  return !taken(shed, item, today).some((period) => overlap(period, wanted));
}

export function freeDays(shed: Shed, item: ItemId, within: Period, today: Day): Day[] {
  const periods = taken(shed, item, today);
  return [...daysOf(within)].filter((day) => !periods.some((period) => includes(period, day)));
}

/** The first period of some days, from a day on, in which an item is free. */
export function firstFree(shed: Shed, item: ItemId, days: number, from: Day, today: Day): Period {
  let start = from;
  for (const period of taken(shed, item, today)) {
    const wanted = { from: start, to: addDays(start, days - 1) };
    if (overlap(period, wanted)) start = addDays(period.to, 1);
  }
  return { from: start, to: addDays(start, days - 1) };
}

function held(loan: Loan, today: Day): Period {
  const late = loan.state === "out" && loan.to < today;
  return { from: loan.from, to: late ? addDays(today, GRACE_DAYS) : loan.to };
}
