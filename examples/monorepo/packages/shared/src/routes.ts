/** The routes of the API, once: the server answers them, the client calls them, the description lists them. */
import { list, type Codec, type TypeOf } from "./codec.js";
import * as wire from "./wire.js";

export type Method = "GET" | "POST" | "DELETE";

/** The names in a path: `"item"` of `/items/:item/days`. */
export type Names<P extends string> = P extends `${string}:${infer Name}/${infer Rest}`
  ? Name | Names<Rest>
  : P extends `${string}:${infer Name}`
    ? Name
    : never;

export interface Route<P extends string, Q extends string, B, R> {
  readonly method: Method;
  readonly path: P;
  readonly query: readonly Q[];
  readonly body: Codec<B> | null;
  readonly answer: Codec<R>;
  readonly summary: string;
}

function get<P extends string, R, const Q extends string = never>(
  path: P,
  answer: Codec<R>,
  summary: string,
  query: readonly Q[] = [],
): Route<P, Q, never, R> {
  return { method: "GET", path, query, body: null, answer, summary };
}

function post<P extends string, B, R>(
  path: P,
  body: Codec<B>,
  answer: Codec<R>,
  summary: string,
): Route<P, never, B, R> {
  return { method: "POST", path, query: [], body, answer, summary };
}

export const routes = {
  items: get("/items", wire.items, "Items by words in their names and notes, best first", ["search", "kind"]),
  item: get("/items/:item", wire.item, "One item"),
  days: get("/items/:item/days", wire.freeDays, "The days on which an item is free", ["from", "to"]),
  addItem: post("/items", wire.newItem, wire.item, "Put an item into the shed"),
  members: get("/members", wire.members, "Everybody"),
  addMember: post("/members", wire.newMember, wire.member, "Let somebody in"),
  loans: get("/loans", list(wire.loan), "Loans of an item or a member", ["item", "member"]),
  reserve: post("/loans", wire.request, wire.loan, "Reserve an item for some days"),
  fetch: post("/loans/:loan/fetch", wire.handover, wire.loan, "The item has been fetched"),
  bringBack: post("/loans/:loan/back", wire.handover, wire.loan, "The item is back"),
  cancel: { ...get("/loans/:loan", wire.loan, "Give a reservation up"), method: "DELETE" },
} as const;

export type Routes = typeof routes;
export type RouteName = keyof Routes;

/** What a call of a route is given. */
export type Call<N extends RouteName> =
  Routes[N] extends Route<infer P, infer Q, infer B, unknown>
    ? { readonly [K in Names<P>]: string } & { readonly [K in Q]?: string } & ([B] extends [never]
          ? unknown
          : { readonly body: B })
    : never;

/** What it answers. */
export type Answer<N extends RouteName> = TypeOf<Routes[N]["answer"]>;

/** Fills a path in: `/items/:item` and `i3` make `/items/i3`. */
export function fill(path: string, values: Readonly<Record<string, unknown>>): string {
  return path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(values[name])));
}

/** Reads a path: the values of its names, or null if it is another route's. */
export function match(path: string, actual: string): Record<string, string> | null {
  const wanted = path.split("/");
  const given = actual.split("/");
  if (wanted.length !== given.length) return null;
  const values: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const piece = decode(given[index] ?? "");
    if (piece === null) return null;
    if (part.startsWith(":")) values[part.slice(1)] = piece;
    else if (part !== piece) return null;
  }
  return values;
}

function decode(piece: string): string | null {
  try {
    return decodeURIComponent(piece);
  } catch {
    return null;
  }
}
