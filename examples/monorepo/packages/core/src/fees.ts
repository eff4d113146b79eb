/** What lateness costs: nothing on the first day, then more each week, and never more than the deposit. */
import { daysBetween, money, type Cents, type Day } from "@toolshed/shared";

const FORGIVEN_DAYS = 1;
/** Per cent of the deposit per day: in the first week, in the second, and after that. */
const STEPS = [2, 4, 8] as const;

export function lateFee(deposit: Cents, due: Day, returned: Day): Cents {
  const late = daysBetween(due, returned) - FORGIVEN_DAYS;
  let total = 0;
  for (let day = 0; day < late && total < deposit; day++) {
    const step = STEPS[Math.min(Math.floor(day / 7), STEPS.length - 1)] ?? 0;
    total += money.percent(deposit, step);
  }
  return money.cents(Math.min(total, deposit));
}
