import assert from "node:assert/strict";
import { test } from "node:test";

import { addDays, codec, daysBetween, expect, fill, match, money, overlap, parseDay, weekday, wire } from "./index.js";

const day = (text: string) => expect(parseDay(text));

test("a day that is not in the calendar is refused", () => {
  assert.equal(parseDay("2026-02-29").ok, false);
  assert.equal(parseDay("2028-02-29").ok, true);
  assert.equal(parseDay("tomorrow").ok, false);
});

test("days are counted over the end of a year and over summer time", () => {
  assert.equal(addDays(day("2026-12-30"), 3), "2027-01-02");
  assert.equal(daysBetween(day("2026-03-28"), day("2026-03-30")), 2);
  assert.equal(weekday(day("2026-06-01")), 1);
  assert.equal(weekday(day("1969-12-31")), 3);
});

test("periods that share a day overlap", () => {
  const june = { from: day("2026-06-01"), to: day("2026-06-30") };
  assert.equal(overlap(june, { from: day("2026-06-30"), to: day("2026-07-02") }), true);
  assert.equal(overlap(june, { from: day("2026-07-01"), to: day("2026-07-02") }), false);
});

test("a share is rounded to even", () => {
  assert.equal(money.percent(money.cents(250), 5), 12);
  assert.equal(money.percent(money.cents(350), 5), 18);
  assert.equal(money.format(money.cents(1250)), "€12.50");
});

test("a document that is wrong names the field", () => {
  const decoded = wire.request.decode({ item: "i1", member: "m1", from: "2026-06-01", to: "soon" });
  assert.deepEqual(decoded, { ok: false, error: { path: "to", message: '"soon" is no day; write it as 2026-05-31' } });
  const nested = codec.list(wire.member).decode([{ id: "m1", name: "Ada", street: "Elm", owes: 1.5 }]);
  assert.equal(nested.ok ? "" : nested.error.path, "[0].owes");
});

test("an unknown field is refused, an optional one may be left out", () => {
  const thing = codec.object({ name: codec.text, note: codec.maybe(codec.text) });
  assert.deepEqual(thing.decode({ name: "saw" }), { ok: true, value: { name: "saw" } });
  assert.equal(thing.decode({ name: "saw", colour: "red" }).ok, false);
});

test("paths are filled in and read again", () => {
  assert.equal(fill("/items/:item/days", { item: "i 3" }), "/items/i%203/days");
  assert.deepEqual(match("/items/:item/days", "/items/i%203/days"), { item: "i 3" });
  assert.equal(match("/items/:item", "/items/i3/days"), null);
  assert.equal(match("/items/:item", "/items/%zz"), null);
});
