/** What happens in a shed. Its state is a fold over these, and nothing else is kept. */
import type { Cents, Day, ItemId, LoanId, MemberId, NewItem, NewMember } from "@toolshed/shared";

export type Event =
  | { readonly type: "member-joined"; readonly id: MemberId; readonly member: NewMember }
  | { readonly type: "item-added"; readonly id: ItemId; readonly item: NewItem }
  | {
      readonly type: "reserved";
      readonly id: LoanId;
      readonly item: ItemId;
      readonly member: MemberId;
      readonly from: Day;
      readonly to: Day;
    }
  | { readonly type: "fetched"; readonly id: LoanId; readonly on: Day }
  | { readonly type: "brought-back"; readonly id: LoanId; readonly on: Day; readonly fee: Cents }
  | { readonly type: "cancelled"; readonly id: LoanId };
