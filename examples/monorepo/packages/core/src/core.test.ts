import assert from "node:assert/strict";
import { test } from "node:test";

import { addDays, expect, money, parseDay, type ItemId, type LoanId, type MemberId } from "@toolshed/shared";

import { apply, calendar, decide, EMPTY, Index, lateFee, look, owedBy, replay, type Decision, type Shed } from "./index.js";

const day = (text: string) => expect(parseDay(text));
const TODAY = day("2026-05-01");
const DRILL = "i1" as ItemId;
const ADA = "m1" as MemberId;
const BEN = "m2" as MemberId;

function done(shed: Shed, decision: Decision): Shed {
  return apply(shed, expect(decision));
}

function shedWithDrill(): Shed {
  let shed = done(EMPTY, decide.addMember(EMPTY, { name: "Ada", street: "Elm" }));
  shed = done(shed, decide.addMember(shed, { name: "Ben", street: "Oak" }));
  const drill = { name: "Hammer drill", kind: "metal", owner: ADA, deposit: money.cents(5000), longestLoan: 7 } as const;
  return done(shed, decide.addItem(shed, drill));
}

function ask(shed: Shed, from: string, to: string, member = BEN): Decision {
  return decide.reserve(shed, { item: DRILL, member, from: day(from), to: day(to) }, TODAY);
}

function refusal(decision: Decision): string {
  return decision.ok ? "" : decision.error.code;
}

test("what is taken is refused, with the next days that are free", () => {
  const shed = done(shedWithDrill(), ask(shedWithDrill(), "2026-05-04", "2026-05-06"));
  const again = ask(shed, "2026-05-06", "2026-05-07");
  assert.equal(again.ok ? "" : again.error.message, "Hammer drill is taken; it is free from 2026-05-07 to 2026-05-08");
  assert.equal(ask(shed, "2026-05-07", "2026-05-07").ok, true);
});

test("refusals", () => {
  const shed = shedWithDrill();
  for (const [from, to, code] of [
    ["2026-05-04", "2026-05-03", "wrong-time"],
    ["2026-04-30", "2026-05-03", "wrong-time"],
    ["2026-12-01", "2026-12-02", "wrong-time"],
    ["2026-05-04", "2026-05-11", "too-long"],
  ] as const) {
    assert.equal(refusal(ask(shed, from, to)), code, `${from} to ${to}`);
  }
  assert.equal(refusal(ask(shed, "2026-05-04", "2026-05-05", "m9" as MemberId)), "unknown");
  assert.equal(refusal(decide.cancel(shed, "l1" as LoanId)), "unknown");
});

test("a loan that is late costs, and at last keeps its borrower from the next", () => {
  let shed = done(shedWithDrill(), ask(shedWithDrill(), "2026-05-04", "2026-05-06"));
  const loan = "l1" as LoanId;
  shed = done(shed, decide.fetchItem(shed, loan, day("2026-05-04")));
  assert.equal(refusal(decide.cancel(shed, loan)), "wrong-state");
  shed = done(shed, decide.bringBack(shed, loan, day("2026-05-21")));
  assert.equal(owedBy(shed, BEN), 7 * 100 + 7 * 200);
  assert.equal(refusal(ask(shed, "2026-05-24", "2026-05-24")), "owes");
});

test("a fee grows by the week and ends at the deposit", () => {
  const deposit = money.cents(1000);
  const due = day("2026-05-06");
  const after = (days: number) => lateFee(deposit, due, addDays(due, days));
  assert.deepEqual([0, 1, 2, 8, 9, 400].map(after), [0, 0, 20, 140, 180, 1000]);
});

test("an item that is late blocks the days to come", () => {
  let shed = done(shedWithDrill(), ask(shedWithDrill(), "2026-05-02", "2026-05-03"));
  shed = done(shed, decide.fetchItem(shed, "l1" as LoanId, day("2026-05-02")));
  const within = { from: day("2026-05-09"), to: day("2026-05-14") };
  assert.deepEqual(calendar.freeDays(shed, DRILL, within, day("2026-05-10")), ["2026-05-13", "2026-05-14"]);
});

test("search forgives slips and prefers what is shorter", () => {
  const index = new Index<number>();
  for (const [key, name] of ["Hammer drill", "Hammer", "Séparateur à lames", "Hedge trimmer"].entries()) index.add(key, name);
  assert.deepEqual(index.find("hamer")[0], 1);
  assert.deepEqual(index.find("separateur"), [2]);
  assert.deepEqual(index.find("lawn mower"), []);
});

test("the state is what its events make of it, in any number of steps", () => {
  const events = [];
  let shed = shedWithDrill();
  for (let week = 0; week < 12; week++) {
    const from = addDays(TODAY, 7 * week);
    const reserved = expect(decide.reserve(shed, { item: DRILL, member: BEN, from, to: addDays(from, 2) }, from));
    shed = apply(shed, reserved);
    const loan = `l${week + 1}` as LoanId;
    const fetched = expect(decide.fetchItem(shed, loan, from));
    shed = apply(shed, fetched);
    const back = expect(decide.bringBack(shed, loan, addDays(from, 2)));
    shed = apply(shed, back);
    events.push(reserved, fetched, back);
  }
  assert.deepEqual(replay(events, shedWithDrill()), shed);
  assert.equal(look.items(shed, TODAY, "drill").length, 1);
  assert.equal(look.loans(shed, { member: BEN }).every((loan) => loan.fee === 0), true);
});
