import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, type Decision } from "@toolshed/core";
import { expect, money, ok, parseDay, type ItemId, type Loan, type LoanId, type MemberId } from "@toolshed/shared";

import { closedDays, definePlugin, holidays, Host, ownersPayHalf, type Fault, type Plugin } from "./index.js";

const day = (text: string) => expect(parseDay(text));
const TODAY = day("2026-06-01");
const ITEM = "i1" as ItemId;
const ADA = "m1" as MemberId;
const request = { item: ITEM, member: ADA, from: day("2026-06-05"), to: day("2026-06-07") };
const accepted: Decision = ok({ type: "reserved", id: "l1" as LoanId, ...request });
const loan: Loan = { id: "l1" as LoanId, ...request, state: "back", returned: day("2026-06-17"), fee: money.FREE };

function host(plugins: Plugin[], settings = {}, faults: Fault[] = []): Host {
  return expect(Host.create(plugins, settings, (fault) => faults.push(fault)));
}

test("a rule refuses what ends on a Sunday, and says which rule it was", () => {
  const decision = host([closedDays]).checkReservation(EMPTY, TODAY, request, accepted);
  assert.equal(decision.ok ? "" : decision.error.message, "nobody opens on 2026-06-07 (closed-days)");
  const open = host([closedDays], { "closed-days": { days: "1" } });
  assert.equal(open.checkReservation(EMPTY, TODAY, request, accepted), accepted);
});

test("fees pass from rule to rule", () => {
  const settings = { holidays: { from: "2026-06-08", to: "2026-06-12" } };
  const shed = {
    ...EMPTY,
    items: new Map([
      [ITEM, { id: ITEM, name: "Saw", kind: "wood", owner: ADA, deposit: money.cents(100), longestLoan: 3 } as const],
    ]),
  };
  assert.equal(host([holidays, ownersPayHalf], settings).fee(shed, TODAY, loan, money.cents(400)), 100);
});

test("a rule that throws or answers nonsense is noted, and changes nothing", async () => {
  const broken = definePlugin({
    name: "broken",
    kit: 1,
    mayReserve: () => {
      throw new Error("no idea");
    },
    fee: () => money.cents(-5),
    happened: () => Promise.reject(new Error("too late")),
  });
  const faults: Fault[] = [];
  const bad = host([broken], {}, faults);
  assert.equal(bad.checkReservation(EMPTY, TODAY, request, accepted), accepted);
  assert.equal(bad.fee(EMPTY, TODAY, loan, money.cents(70)), 70);
  await bad.tell(EMPTY, TODAY, { type: "cancelled", id: "l1" as LoanId });
  assert.deepEqual(faults.map((fault) => fault.during), ["mayReserve", "fee", "happened"]);
});

test("hosts that cannot be", () => {
  assert.deepEqual(Host.create([holidays, holidays]), { ok: false, error: "two plug-ins are called holidays" });
  assert.equal(Host.create([], { holidays: {} }).ok, false);
});
