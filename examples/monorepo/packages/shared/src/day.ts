/** Days of the calendar, without hours and zones: a drill is lent from a day to a day. */
import { err, ok, type Result } from "./result.js";

declare const dayBrand: unique symbol;
/** A day as `YYYY-MM-DD`, which sorts as text. */
export type Day = string & { readonly [dayBrand]: true };

/** From the first day to the last, both included. */
export interface Period {
  readonly from: Day;
  readonly to: Day;
}

const MS_A_DAY = 86_400_000;
const SHAPE = /^(\d{4})-(\d{2})-(\d{2})$/;

export function parseDay(text: string): Result<Day, string> {
  const parts = SHAPE.exec(text);
  if (parts === null) return err(`"${text}" is no day; write it as 2026-05-31`);
  const day = ofNumber(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])) / MS_A_DAY);
  return day === text ? ok(day) : err(`there is no ${text} in the calendar`);
}

export function addDays(day: Day, count: number): Day {
  return ofNumber(toNumber(day) + count);
}

/** How many days later the second one is; negative if it is earlier. */
export function daysBetween(first: Day, second: Day): number {
  return toNumber(second) - toNumber(first);
}

/** 1 for Monday to 7 for Sunday. */
export function weekday(day: Day): number {
  return ((((toNumber(day) + 3) % 7) + 7) % 7) + 1;
}

export function overlap(one: Period, other: Period): boolean {
  return one.from <= other.to && other.from <= one.to;
}

export function includes(period: Period, day: Day): boolean {
  return period.from <= day && day <= period.to;
}

export function lengthOf(period: Period): number {
  return daysBetween(period.from, period.to) + 1;
}

/** Every day of a period, in order. */
export function* daysOf(period: Period): Generator<Day> {
  for (let day = period.from; day <= period.to; day = addDays(day, 1)) yield day;
}

/** The day that it is somewhere, by the clock there. */
export function today(now: Date, timeZone: string): Day {
  return new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" }).format(now) as Day;
}

function toNumber(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`) / MS_A_DAY;
}

function ofNumber(number: number): Day {
  return new Date(number * MS_A_DAY).toISOString().slice(0, 10) as Day;
}
