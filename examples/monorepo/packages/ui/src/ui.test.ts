import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "@toolshed/client";
import { addDays, expect, parseDay, type ItemId } from "@toolshed/shared";

import { calendar, html, placeOf, render } from "./index.js";

const TODAY = expect(parseDay("2026-06-03"));
const SAW = { id: "i1", name: "Saw <big>", kind: "wood", owner: "m1", deposit: 2500, longestLoan: 7, free: true };
const ANSWERS: Readonly<Record<string, unknown>> = {
  "/items": [SAW],
  "/items/i1": SAW,
  "/items/i1/days": { item: "i1", free: [TODAY] },
  "/loans": [],
  "/members": [{ id: "m1", name: "Ada", street: "Elm", owes: 250 }],
};

const client = new Client({
  base: "",
  patience: { tries: 1, firstMs: 0, mostMs: 0 },
  fetch: (url) => {
    const said = ANSWERS[String(url).split("?")[0] ?? ""];
    const body = said ?? { status: 404, title: "there is nothing here" };
    return Promise.resolve(new Response(JSON.stringify(body), { status: said === undefined ? 404 : 200 }));
  },
});

async function page(hash: string): Promise<string> {
  return (await render(client, placeOf(hash), TODAY)).toString();
}

test("what is filled in is text", () => {
  assert.equal(html`<p>${"<b>&"}${[1, html`<i></i>`]}${null}</p>`.toString(), "<p>&lt;b&gt;&amp;1<i></i></p>");
});

test("a calendar begins below its day of the week", () => {
  const shown = calendar({ from: TODAY, to: addDays(TODAY, 3) }, { item: "i1" as ItemId, free: [TODAY] }).toString();
  assert.equal(shown.split('class="blank"').length - 1, 2);
  assert.equal(shown.split('class="taken"').length - 1, 3);
});

test("pages", async () => {
  assert.match(await page("#/?search=saw&kind=wood"), /Saw &lt;big&gt;.*✓ free today/s);
  assert.match(await page("#/items/i1"), /€25\.00.*7 days at most/s);
  assert.match(await page("#/items/i2"), /role="alert".*there is nothing here/s);
  assert.match(await page("#/members/m1"), /<h1>Ada<\/h1><p class="taken">owes €2\.50/);
  assert.match(await page("#/attic"), /no such page/);
});
