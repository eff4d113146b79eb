/** The pages: what each asks of the API, and what it shows. */
import type { Client } from "@toolshed/client";
import { addDays, KINDS, money, type Day, type Item, type Kind, type Loan, type Problem, type Result } from "@toolshed/shared";

import { html, type Html } from "./html.js";
import { calendar, cards, frame, loansTable, trouble } from "./parts.js";

const SHOWN_DAYS = 28;

export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Reads what stands after `#` in an address. */
export function placeOf(hash: string): Place {
  const [path = "/", query = ""] = hash.replace(/^#/, "").split("?");
  return { path: path === "" ? "/" : path, query: new URLSearchParams(query) };
}

export async function render(client: Client, place: Place, today: Day): Promise<Html> {
  const parts = place.path.split("/").filter((part) => part !== "");
  if (parts.length === 0) return tools(client, place.query);
  if (parts[0] === "items" && parts[1] !== undefined) return item(client, parts[1], today);
  if (parts[0] === "members" && parts[1] === undefined) return members(client);
  if (parts[0] === "members" && parts[1] !== undefined) return member(client, parts[1]);
  return frame("Not here", html`<p>There is no such page. <a href="#/">To the tools</a></p>`);
}

async function tools(client: Client, query: URLSearchParams): Promise<Html> {
  const search = query.get("search") ?? "";
  const kind = KINDS.find((each) => each === query.get("kind"));
  const found = await client.call("items", { search, ...(kind === undefined ? {} : { kind }) });
  return frame("What is in the shed", html`${searchForm(search, kind)}${shown(found, cards)}`);
}

function searchForm(search: string, kind: Kind | undefined): Html {
  const choices = KINDS.map((each) => html`<option ${each === kind && html`selected`}>${each}</option>`);
  return html`<form data-go="/" role="search">
    <input name="search" type="search" value="${search}" placeholder="drill, ladder, …" aria-label="Search" />
    <select name="kind" aria-label="Kind"><option value="">all kinds</option>${choices}</select>
    <button>Find</button>
  </form>`;
}

async function item(client: Client, id: string, today: Day): Promise<Html> {
  const period = { from: today, to: addDays(today, SHOWN_DAYS - 1) };
  const [found, days, loans] = await Promise.all([
    client.call("item", { item: id }),
    client.call("days", { item: id, ...period }),
    client.call("loans", { item: id }),
  ]);
  if (!found.ok) return frame("Not there", trouble(found.error));
  return frame(
    found.value.name,
    html`${facts(found.value)}
      <h2>The next four weeks</h2>
      ${shown(days, (value) => calendar(period, value))} ${reserveForm(found.value, today)}
      <h2>Loans</h2>
      ${shown(loans, (value) => loansTable(value, (loan: Loan) => loan.member))}`,
  );
}

function facts(found: Item): Html {
  return html`<dl>
    <dt>Kind</dt><dd>${found.kind}</dd>
    <dt>Deposit</dt><dd>${money.format(found.deposit)}</dd>
    <dt>Lent for</dt><dd>${found.longestLoan} ${found.longestLoan === 1 ? "day" : "days"} at most</dd>
    ${found.note !== undefined && html`<dt>Note</dt><dd>${found.note}</dd>`}
  </dl>`;
}

function reserveForm(found: Item, today: Day): Html {
  const last = addDays(today, found.longestLoan - 1);
  return html`<form data-call="reserve" data-then="/items/${found.id}">
    <input type="hidden" name="item" value="${found.id}" />
    <label>Member <input name="member" required pattern="m[0-9]+" placeholder="m7" /></label>
    <label>From <input name="from" type="date" required min="${today}" value="${today}" /></label>
    <label>To <input name="to" type="date" required min="${today}" value="${last}" /></label>
    <button>Reserve</button>
  </form>`;
}

async function members(client: Client): Promise<Html> {
  const found = await client.call("members", {});
  return frame(
    "Members",
    shown(found, (all) =>
      html`<ul>${all.map((each) => html`<li><a href="#/members/${each.id}">${each.name}</a>, ${each.street}</li>`)}</ul>`,
    ),
  );
}

async function member(client: Client, id: string): Promise<Html> {
  const [everybody, loans] = await Promise.all([client.call("members", {}), client.call("loans", { member: id })]);
  const found = everybody.ok ? everybody.value.find((each) => each.id === id) : undefined;
  const owed = found !== undefined && found.owes > 0 && html`<p class="taken">owes ${money.format(found.owes)}</p>`;
  const title = found?.name ?? `Member ${id}`;
  return frame(title, html`${owed}${shown(loans, (value) => loansTable(value, (loan: Loan) => loan.item))}`);
}

function shown<T>(result: Result<T, Problem>, show: (value: T) => Html): Html {
  return result.ok ? show(result.value) : trouble(result.error);
}
