/** Answers each route: decide, keep, apply, tell. */
import { apply, decide, look, replay, type Decision, type Event, type Refusal, type RefusalCode, type Shed } from "@toolshed/core";
import type { Host } from "@toolshed/plugin-sdk";
import { addDays, err, KINDS, ok, parseDay, wire, type Answer, type Day, type Problem, type Result } from "@toolshed/shared";
import type { ItemId, LoanId, MemberId, RouteName } from "@toolshed/shared";

import type { Storage } from "./storage.js";

/** What a request brings: the names of its path, its questions, and its checked body. */
export interface Given {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

type Reply<N extends RouteName> = Result<Answer<N>, Problem>;
type Handlers = { readonly [N in RouteName]: (given: Given) => Promise<Reply<N>> | Reply<N> };

const STATUS: Readonly<Record<RefusalCode, number>> = {
  unknown: 404,
  taken: 409,
  "wrong-state": 409,
  "too-long": 422,
  "too-many": 422,
  "wrong-time": 422,
  owes: 402,
};
const SHOWN_DAYS = 28;
const MOST_DAYS = 366;

export class Service {
  readonly handlers: Handlers;
  readonly #storage: Storage;
  readonly #host: Host;
  readonly #today: () => Day;
  #shed: Shed;

  constructor(storage: Storage, host: Host, today: () => Day) {
    this.#storage = storage;
    this.#host = host;
    this.#today = today;
    this.#shed = replay(storage.load());
    this.handlers = this.#routes();
  }

  #routes(): Handlers {
    return {
      items: ({ query }) => {
        const kind = KINDS.find((each) => each === query.get("kind"));
        return ok(look.items(this.#shed, this.#today(), query.get("search") ?? "", kind));
      },
      item: ({ path }) => this.#item(path["item"] as ItemId),
      days: ({ path, query }) => this.#days(path["item"] as ItemId, query),
      addItem: async ({ body }) => {
        const event = await this.#happen(decide.addItem(this.#shed, body as never));
        return event.ok && event.value.type === "item-added" ? this.#item(event.value.id) : refused(event);
      },
      members: () => ok(look.members(this.#shed)),
      addMember: async ({ body }) => {
        const event = await this.#happen(decide.addMember(this.#shed, body as never));
        const found = look.members(this.#shed).at(-1);
        return event.ok && found !== undefined ? ok(found) : refused(event);
      },
      loans: ({ query }) => {
        const item = (query.get("item") ?? undefined) as ItemId | undefined;
        const member = (query.get("member") ?? undefined) as MemberId | undefined;
        return ok(look.loans(this.#shed, { item, member }));
      },
      reserve: ({ body }) => this.#reserve(body),
      fetch: ({ path, body }) => this.#loan(path, (loan) => decide.fetchItem(this.#shed, loan, dayOf(body))),
      bringBack: ({ path, body }) => this.#loan(path, (loan) => this.#feed(decide.bringBack(this.#shed, loan, dayOf(body)))),
      cancel: ({ path }) => this.#loan(path, (loan) => decide.cancel(this.#shed, loan)),
    };
  }

  #item(id: ItemId): Reply<"item"> {
    const found = look.item(this.#shed, id, this.#today());
    return found === undefined ? err(problem({ code: "unknown", message: `there is no item ${id}` })) : ok(found);
  }

  #days(id: ItemId, query: URLSearchParams): Reply<"days"> {
    const from = parseDay(query.get("from") ?? this.#today());
    if (!from.ok) return err({ status: 422, title: from.error });
    const to = parseDay(query.get("to") ?? addDays(from.value, SHOWN_DAYS - 1));
    if (!to.ok) return err({ status: 422, title: to.error });
    if (to.value > addDays(from.value, MOST_DAYS)) return err({ status: 422, title: "a year is enough" });
    return ok(look.days(this.#shed, id, { from: from.value, to: to.value }, this.#today()));
  }

  async #reserve(body: unknown): Promise<Reply<"reserve">> {
    const asked = wire.request.decode(body);
    if (!asked.ok) return err({ status: 422, title: `${asked.error.path} ${asked.error.message}` });
    const today = this.#today();
    const decision = decide.reserve(this.#shed, asked.value, today);
    const event = await this.#happen(this.#host.checkReservation(this.#shed, today, asked.value, decision));
    return event.ok && event.value.type === "reserved" ? this.#found(event.value.id) : refused(event);
  }

  async #loan(path: Given["path"], next: (loan: LoanId) => Decision): Promise<Reply<"fetch">> {
    const id = path["loan"] as LoanId;
    const event = await this.#happen(next(id));
    return event.ok ? this.#found(id) : refused(event);
  }

  /** A return with the fee that the house rules leave of it. */
  #feed(decision: Decision): Decision {
    if (!decision.ok || decision.value.type !== "brought-back") return decision;
    const event = decision.value;
    const loan = look.loan(apply(this.#shed, event), event.id);
    return loan === undefined ? decision : ok({ ...event, fee: this.#host.fee(this.#shed, this.#today(), loan, event.fee) });
  }

  #found(id: LoanId): Reply<"fetch"> {
    const loan = look.loan(this.#shed, id);
    return loan === undefined ? err(problem({ code: "unknown", message: `there is no loan ${id}` })) : ok(loan);
  }

  async #happen(decision: Decision): Promise<Result<Event, Problem>> {
    if (!decision.ok) return err(problem(decision.error));
    this.#storage.append(decision.value);
    this.#shed = apply(this.#shed, decision.value);
    await this.#host.tell(this.#shed, this.#today(), decision.value);
    return decision;
  }
}

function dayOf(body: unknown): Day {
  return (body as { on: Day }).on;
}

function problem({ code, message }: Refusal): Problem {
  return { status: STATUS[code], title: message };
}

function refused(event: Result<Event, Problem>): Result<never, Problem> {
  return event.ok ? err({ status: 500, title: "something else happened than was asked for" }) : event;
}
