/** The parts that pages are made of. */
import { daysOf, money, weekday, type Day, type FreeDays, type Item, type Loan, type Period, type Problem } from "@toolshed/shared";

import { html, type Content, type Html } from "./html.js";

const NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const STATES: Readonly<Record<Loan["state"], string>> = {
  reserved: "Reserved",
  out: "Out",
  back: "Back",
  cancelled: "Given up",
};

export function card(item: Item): Html {
  return html`<li class="card">
    <a href="#/items/${item.id}"><h3>${item.name}</h3></a>
    <p class="kind">${item.kind}</p>
    <p class="${item.free ? "free" : "taken"}">${item.free ? "✓ free today" : "✗ taken today"}</p>
  </li>`;
}

export function cards(items: readonly Item[]): Html {
  if (items.length === 0) return html`<p class="none">Nothing like that is in the shed.</p>`;
  return html`<ul class="cards">${items.map(card)}</ul>`;
}

/** A month or so of days, in weeks that begin on Monday. */
export function calendar(period: Period, { free }: FreeDays): Html {
  const open = new Set<Day>(free);
  const before = Array.from({ length: weekday(period.from) - 1 }, () => html`<li class="blank"></li>`);
  const days = [...daysOf(period)].map((day) => {
    const state = open.has(day) ? "free" : "taken";
    return html`<li class="${state}"><time datetime="${day}" title="${day}: ${state}">${Number(day.slice(8))}</time></li>`;
  });
  return html`<ol class="calendar">${NAMES.map((name) => html`<li class="name">${name}</li>`)}${before}${days}</ol>`;
}

export function loansTable(loans: readonly Loan[], nameOf: (loan: Loan) => string): Html {
  const rows = loans.map(
    (loan) => html`<tr>
      <td>${nameOf(loan)}</td>
      <td>${loan.from} – ${loan.returned ?? loan.to}</td>
      <td>${STATES[loan.state]}</td>
      <td>${loan.fee === 0 ? "" : money.format(loan.fee)}</td>
    </tr>`,
  );
  return html`<table>
    <thead><tr><th>What</th><th>When</th><th>State</th><th>Fee</th></tr></thead>
    <tbody>${rows}</tbody>
  </table>`;
}

export function trouble(problem: Problem): Html {
  return html`<p class="trouble" role="alert"><strong>${problem.title}</strong> ${problem.detail}</p>`;
}

/** The frame of every page; the same on the server and in the browser. */
export function frame(title: string, content: Content): Html {
  return html`<header>
      <a href="#/">Toolshed</a>
      <nav><a href="#/">Tools</a> <a href="#/members">Members</a></nav>
    </header>
    <main><h1>${title}</h1>${content}</main>`;
}
