import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "./index.js";
import { Memory } from "./memory.js";

interface Said {
  readonly status?: number;
  readonly body?: unknown;
  readonly tag?: string;
}

/** A client whose network says one thing after another, and what it was asked. */
function scripted(...script: (Said | Error)[]) {
  const asked: { url: string; init: RequestInit | undefined }[] = [];
  const waited: number[] = [];
  const client = new Client({
    base: "/api",
    wait: (ms) => Promise.resolve(void waited.push(ms)),
    fetch: (url, init) => {
      asked.push({ url: String(url), init });
      const said = script.shift();
      if (said === undefined) throw new Error("the script is over");
      if (said instanceof Error) return Promise.reject(said);
      const headers = said.tag === undefined ? {} : { etag: said.tag };
      const body = said.status === 304 ? null : JSON.stringify(said.body);
      return Promise.resolve(new Response(body, { status: said.status ?? 200, headers }));
    },
  });
  return { client, asked, waited };
}

const SAW = { id: "i1", name: "Saw", kind: "wood", owner: "m1", deposit: 2500, longestLoan: 7, free: true };

test("an address is made of the route, its names and its questions", async () => {
  const { client, asked } = scripted({ body: { item: "i1", free: [] } });
  await client.call("days", { item: "i1", from: "2026-06-01" });
  assert.equal(asked[0]?.url, "/api/items/i1/days?from=2026-06-01");
});

test("what is only looked at is asked again, more and more slowly", async () => {
  const { client, waited } = scripted(new Error("reset"), { status: 503, body: {} }, { body: [SAW] });
  assert.deepEqual(await client.call("items", {}), { ok: true, value: [SAW] });
  assert.deepEqual(waited, [200, 400]);
});

test("what changes something is asked once", async () => {
  const { client, asked } = scripted({ status: 503, body: { status: 503, title: "busy" } });
  const said = await client.call("bringBack", { loan: "l1", body: { on: "2026-06-01" as never } });
  assert.deepEqual(said, { ok: false, error: { status: 503, title: "busy" } });
  assert.equal(asked.length, 1);
});

test("an answer that has not changed is not sent again", async () => {
  const { client, asked } = scripted({ body: SAW, tag: '"1"' }, { status: 304 });
  assert.deepEqual(await client.call("item", { item: "i1" }), await client.call("item", { item: "i1" }));
  assert.equal(new Headers(asked[1]?.init?.headers).get("if-none-match"), '"1"');
});

test("an answer that is not what the route promises is a problem with the field's name", async () => {
  const { client } = scripted({ body: { ...SAW, longestLoan: 0 } });
  const said = await client.call("item", { item: "i1" });
  assert.match(said.ok ? "" : (said.error.detail ?? ""), /^longestLoan must be/);
});

test("memory keeps what was used last", () => {
  const memory = new Memory(2);
  for (const url of ["a", "b"]) memory.put(url, { tag: url, value: url });
  memory.get("a");
  memory.put("c", { tag: "c", value: "c" });
  assert.deepEqual(["a", "b", "c"].map((url) => memory.get(url)?.tag), ["a", undefined, "c"]);
});
