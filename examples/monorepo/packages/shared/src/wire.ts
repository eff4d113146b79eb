/** The documents that go over the wire. */
import { amount, branded, day, flag, integer, list, maybe, object, oneOf, text, type TypeOf } from "./codec.js";

declare const idBrand: unique symbol;
export type ItemId = string & { readonly [idBrand]: "item" };
export type MemberId = string & { readonly [idBrand]: "member" };
export type LoanId = string & { readonly [idBrand]: "loan" };

export const itemId = branded<ItemId>(/^i[0-9]{1,6}$/, "an item's number, such as i12");
export const memberId = branded<MemberId>(/^m[0-9]{1,6}$/, "a member's number, such as m7");
export const loanId = branded<LoanId>(/^l[0-9]{1,8}$/, "a loan's number, such as l104");

export const KINDS = ["garden", "wood", "metal", "kitchen", "paint", "measuring", "ladder"] as const;
export const kind = oneOf(...KINDS);
export type Kind = TypeOf<typeof kind>;

export const newItem = object({
  name: text,
  kind,
  owner: memberId,
  deposit: amount,
  longestLoan: integer(1, 60),
  note: maybe(text),
});
export type NewItem = TypeOf<typeof newItem>;

export const item = object({
  id: itemId,
  name: text,
  kind,
  owner: memberId,
  deposit: amount,
  longestLoan: integer(1, 60),
  note: maybe(text),
  free: flag,
});
export type Item = TypeOf<typeof item>;
export const items = list(item);

export const newMember = object({ name: text, street: text });
export type NewMember = TypeOf<typeof newMember>;
export const member = object({ id: memberId, name: text, street: text, owes: amount });
export type Member = TypeOf<typeof member>;
export const members = list(member);

export const request = object({ item: itemId, member: memberId, from: day, to: day });
export type Request = TypeOf<typeof request>;

export const loanState = oneOf("reserved", "out", "back", "cancelled");
export type LoanState = TypeOf<typeof loanState>;
export const loan = object({
  id: loanId,
  item: itemId,
  member: memberId,
  from: day,
  to: day,
  state: loanState,
  returned: maybe(day),
  fee: amount,
});
export type Loan = TypeOf<typeof loan>;
export const loans = list(loan);

export const handover = object({ on: day });
export type Handover = TypeOf<typeof handover>;

export const freeDays = object({ item: itemId, free: list(day) });
export type FreeDays = TypeOf<typeof freeDays>;

export const problem = object({ status: integer(400, 599), title: text, detail: maybe(text) });
export type Problem = TypeOf<typeof problem>;
