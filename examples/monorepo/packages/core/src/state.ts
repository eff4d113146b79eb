/** The state of a shed, and how an event changes it. */
import { money, type Cents, type Item, type ItemId, type Loan, type LoanId, type MemberId } from "@toolshed/shared";
import type { NewMember } from "@toolshed/shared";

import type { Event } from "./events.js";

export interface Shed {
  readonly members: ReadonlyMap<MemberId, NewMember>;
  readonly items: ReadonlyMap<ItemId, Omit<Item, "free">>;
  readonly loans: ReadonlyMap<LoanId, Loan>;
}

export const EMPTY: Shed = { members: new Map(), items: new Map(), loans: new Map() };

/** The state after an event; the one before it stays as it is. */
export function apply(shed: Shed, event: Event): Shed {
  switch (event.type) {
    case "member-joined":
      return { ...shed, members: new Map(shed.members).set(event.id, event.member) };
    case "item-added":
      return { ...shed, items: new Map(shed.items).set(event.id, { id: event.id, ...event.item }) };
    case "reserved": {
      const { id, item, member, from, to } = event;
      return withLoan(shed, { id, item, member, from, to, state: "reserved", fee: money.FREE });
    }
    case "fetched":
      return changed(shed, event.id, (loan) => ({ ...loan, state: "out", from: event.on }));
    case "brought-back":
      return changed(shed, event.id, (loan) => ({ ...loan, state: "back", returned: event.on, fee: event.fee }));
    case "cancelled":
      return changed(shed, event.id, (loan) => ({ ...loan, state: "cancelled" }));
  }
}

export function replay(events: Iterable<Event>, from: Shed = EMPTY): Shed {
  let shed = from;
  for (const event of events) shed = apply(shed, event);
  return shed;
}

/** What a member owes: the fees of all loans. */
export function owedBy(shed: Shed, member: MemberId): Cents {
  return money.sum([...shed.loans.values()].filter((loan) => loan.member === member).map((loan) => loan.fee));
}

function changed(shed: Shed, id: LoanId, change: (loan: Loan) => Loan): Shed {
  const loan = shed.loans.get(id);
  if (loan === undefined) throw new Error(`an event is about loan ${id}, which there never was`);
  return withLoan(shed, change(loan));
}

function withLoan(shed: Shed, loan: Loan): Shed {
  return { ...shed, loans: new Map(shed.loans).set(loan.id, loan) };
}
