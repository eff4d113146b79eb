/** What is shown of a shed. */
import type { Day, FreeDays, Item, ItemId, Kind, Loan, LoanId, Member, MemberId, Period } from "@toolshed/shared";

import { freeDays, isFree } from "./calendar.js";
import { Index } from "./search.js";
import { owedBy, type Shed } from "./state.js";

export function item(shed: Shed, id: ItemId, today: Day): Item | undefined {
  const found = shed.items.get(id);
  return found && { ...found, free: isFree(shed, id, { from: today, to: today }, today) };
}

/** Items of a kind, or all; with words, those that match, best first. */
export function items(shed: Shed, today: Day, words = "", kind?: Kind): Item[] {
  const keys = words.trim() === "" ? [...shed.items.keys()] : indexOf(shed).find(words);
  return keys
    .map((key) => item(shed, key, today))
    .filter((each): each is Item => each !== undefined && (kind === undefined || each.kind === kind));
}

export function days(shed: Shed, id: ItemId, within: Period, today: Day): FreeDays {
  return { item: id, free: freeDays(shed, id, within, today) };
}

export function members(shed: Shed): Member[] {
  return [...shed.members].map(([id, { name, street }]) => ({ id, name, street, owes: owedBy(shed, id) }));
}

export function loan(shed: Shed, id: LoanId): Loan | undefined {
  return shed.loans.get(id);
}

export function loans(shed: Shed, filter: { item?: ItemId | undefined; member?: MemberId | undefined }): Loan[] {
  return [...shed.loans.values()].filter(
    (each) =>
      (filter.item === undefined || each.item === filter.item) &&
      (filter.member === undefined || each.member === filter.member),
  );
}

/** An index of the items of a state; a state never changes, so it is made once for each. */
function indexOf(shed: Shed): Index<ItemId> {
  let index = indexes.get(shed.items);
  if (index === undefined) {
    index = new Index();
    for (const [id, { name, kind, note }] of shed.items) index.add(id, `${name} ${kind} ${note ?? ""}`);
    indexes.set(shed.items, index);
  }
  return index;
}

const indexes = new WeakMap<object, Index<ItemId>>();
