/** What is asked for becomes an event, or is refused with the reason; nothing is changed here. */
import { addDays, daysBetween, err, lengthOf, ok, type Day, type ItemId, type LoanId } from "@toolshed/shared";
import type { Loan, MemberId, NewItem, NewMember, Request, Result } from "@toolshed/shared";

import { firstFree, isFree } from "./calendar.js";
import type { Event } from "./events.js";
import { lateFee } from "./fees.js";
import { owedBy, type Shed } from "./state.js";

export type RefusalCode = "unknown" | "taken" | "too-long" | "too-many" | "wrong-time" | "wrong-state" | "owes";

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

export type Decision = Result<Event, Refusal>;

const MOST_AT_ONCE = 4;
const FURTHEST_AHEAD_DAYS = 120;
/** From this debt on, in cents, nothing is lent until it is paid. */
const PATIENCE = 2_000;

export function addMember(shed: Shed, member: NewMember): Decision {
  return ok({ type: "member-joined", id: `m${shed.members.size + 1}` as MemberId, member });
}

export function addItem(shed: Shed, item: NewItem): Decision {
  if (!shed.members.has(item.owner)) return refuse("unknown", `there is no member ${item.owner}`);
  return ok({ type: "item-added", id: `i${shed.items.size + 1}` as ItemId, item });
}

export function reserve(shed: Shed, asked: Request, today: Day): Decision {
  const item = shed.items.get(asked.item);
  if (item === undefined) return refuse("unknown", `there is no item ${asked.item}`);
  if (!shed.members.has(asked.member)) return refuse("unknown", `there is no member ${asked.member}`);
  if (asked.to < asked.from) return refuse("wrong-time", "it ends before it begins");
  if (asked.from < today) return refuse("wrong-time", `${asked.from} is over`);
  if (daysBetween(today, asked.from) > FURTHEST_AHEAD_DAYS) {
    return refuse("wrong-time", `nothing is promised beyond ${addDays(today, FURTHEST_AHEAD_DAYS)}`);
  }
  const days = lengthOf(asked);
  if (days > item.longestLoan) return refuse("too-long", `${item.name} is lent for ${item.longestLoan} days at most`);
  if (openLoans(shed, asked.member).length >= MOST_AT_ONCE) {
    return refuse("too-many", `${MOST_AT_ONCE} things at once are enough`);
  }
  const debt = owedBy(shed, asked.member);
  if (debt >= PATIENCE) return refuse("owes", "there are fees to be paid first");
  if (!isFree(shed, asked.item, asked, today)) {
    const next = firstFree(shed, asked.item, days, asked.from, today);
    return refuse("taken", `${item.name} is taken; it is free from ${next.from} to ${next.to}`);
  }
  return ok({ type: "reserved", id: `l${shed.loans.size + 1}` as LoanId, ...asked });
}

export function fetchItem(shed: Shed, id: LoanId, on: Day): Decision {
  return about(shed, id, ["reserved"], (loan) => {
    if (on > loan.to) return refuse("wrong-time", `it was reserved until ${loan.to}`);
    const before = { from: on, to: addDays(loan.from, -1) };
    if (on < loan.from && !isFree(shed, loan.item, before, on)) return refuse("taken", "somebody still has it");
    return ok({ type: "fetched", id, on });
  });
}

export function bringBack(shed: Shed, id: LoanId, on: Day): Decision {
  return about(shed, id, ["out"], (loan) => {
    if (on < loan.from) return refuse("wrong-time", `it was fetched on ${loan.from}`);
    const item = shed.items.get(loan.item);
    if (item === undefined) return refuse("unknown", `there is no item ${loan.item}`);
    return ok({ type: "brought-back", id, on, fee: lateFee(item.deposit, loan.to, on) });
  });
}

export function cancel(shed: Shed, id: LoanId): Decision {
  return about(shed, id, ["reserved"], () => ok({ type: "cancelled", id }));
}

export function openLoans(shed: Shed, member: MemberId): Loan[] {
  return [...shed.loans.values()].filter(
    (loan) => loan.member === member && (loan.state === "reserved" || loan.state === "out"),
  );
}

function about(shed: Shed, id: LoanId, states: Loan["state"][], next: (loan: Loan) => Decision): Decision {
  const loan = shed.loans.get(id);
  if (loan === undefined) return refuse("unknown", `there is no loan ${id}`);
  if (!states.includes(loan.state)) return refuse("wrong-state", `loan ${id} is ${loan.state}`);
  return next(loan);
}

function refuse(code: RefusalCode, message: string): Decision {
  return err({ code, message });
}
