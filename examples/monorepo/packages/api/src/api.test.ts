import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "@toolshed/client";
import { closedDays, Host } from "@toolshed/plugin-sdk";
import { expect, money, parseDay, type Day } from "@toolshed/shared";

import { describe, EventFile, serve, Service, type Storage } from "./index.js";

const day = (text: string) => expect(parseDay(text));
const site = fileURLToPath(new URL(".", import.meta.resolve("@toolshed/ui/site/index.html")));
const directory = mkdtempSync(join(tmpdir(), "shed-"));
const file = join(directory, "shed.jsonl");
let now: Day = day("2026-06-01");

function serviceOn(storage: Storage): Service {
  return new Service(storage, expect(Host.create([closedDays])), () => now);
}

const server = serve(serviceOn(new EventFile(file)), JSON.stringify(describe("1")), site);
let base = "";
let client: Client;

before(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new Client({ base: `${base}/api` });
});
after(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(directory, { recursive: true });
});

test("a saw is lent, comes back late, and costs", async () => {
  const ada = expect(await client.call("addMember", { body: { name: "Ada", street: "Elm" } }));
  const body = { name: "Saw", kind: "wood", owner: ada.id, deposit: money.cents(2500), longestLoan: 7 } as const;
  const saw = expect(await client.call("addItem", { body }));
  assert.equal(saw.free, true);
  const asked = { item: saw.id, member: ada.id, from: day("2026-06-01"), to: day("2026-06-03") };
  const loan = expect(await client.call("reserve", { body: asked }));
  expect(await client.call("fetch", { loan: loan.id, body: { on: now } }));
  assert.equal(expect(await client.call("item", { item: saw.id })).free, false);
  now = day("2026-06-06");
  const back = expect(await client.call("bringBack", { loan: loan.id, body: { on: now } }));
  assert.equal(back.fee, 100);
  assert.equal(expect(await client.call("members", {}))[0]?.owes, 100);
  const free = expect(await client.call("days", { item: saw.id, from: "2026-06-06", to: "2026-06-07" })).free;
  assert.deepEqual(free, ["2026-06-06", "2026-06-07"]);
});

test("refusals keep their reasons", async () => {
  const body = { item: "i1", member: "m1", from: day("2026-06-13"), to: day("2026-06-14") } as never;
  const closed = await client.call("reserve", { body });
  assert.deepEqual(closed, { ok: false, error: { status: 422, title: "nobody opens on 2026-06-14 (closed-days)" } });
  const gone = await client.call("item", { item: "i99" });
  assert.equal(gone.ok ? 0 : gone.error.status, 404);
});

test("bad requests", async () => {
  const post = (text: string) => fetch(`${base}/api/loans`, { method: "POST", body: text });
  assert.equal((await post("{")).status, 400);
  assert.equal((await post('{"item": "saw"}')).status, 422);
  assert.equal((await post(" ".repeat(70_000))).status, 413);
  assert.equal((await fetch(`${base}/api/items/i1`, { method: "PUT" })).headers.get("allow"), "GET");
  assert.equal((await fetch(`${base}/api/attic`)).status, 404);
});

test("what happened is still known after a start anew, with half a line at the end", async () => {
  appendFileSync(file, '{"type": "cance');
  const again = serviceOn(new EventFile(file));
  const found = expect(await again.handlers.loans({ path: {}, query: new URLSearchParams(), body: undefined }));
  assert.deepEqual(found.map((loan) => [loan.id, loan.state]), [["l1", "back"]]);
});

test("pages are sent compressed, and nothing else is", async () => {
  const page = await fetch(`${base}/`, { headers: { "accept-encoding": "br" } });
  assert.equal(page.headers.get("content-encoding"), "br");
  assert.match(await page.text(), /<title>Toolshed<\/title>/);
  assert.equal((await fetch(`${base}/..%2fserver.mjs`)).status, 404);
});

test("the description lists every route", async () => {
  const said = (await (await fetch(`${base}/api`)).json()) as { paths: Record<string, object> };
  assert.deepEqual(Object.keys(said.paths["/loans"] ?? {}), ["get", "post"]);
});
