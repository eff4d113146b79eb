/** The page in the browser: shows the place in the address, and sends its forms. */
import { Client } from "@toolshed/client";
import { today, wire } from "@toolshed/shared";

import { placeOf, render } from "./pages.js";
import { trouble } from "./parts.js";

const client = new Client({ base: "api" });
const root = document.querySelector("#shed");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let shows = 0;

async function show(): Promise<void> {
  const number = ++shows;
  const page = await render(client, placeOf(location.hash), today(new Date(), zone));
  if (root !== null && number === shows) root.innerHTML = page.toString(); // a slow page does not replace a later one
}

async function reserve(form: HTMLFormElement, values: Record<string, unknown>): Promise<void> {
  const asked = wire.request.decode(values);
  const result = asked.ok
    ? await client.call("reserve", { body: asked.value })
    : { ok: false as const, error: { status: 422, title: `${asked.error.path} ${asked.error.message}` } };
  if (result.ok) await show();
  else form.insertAdjacentHTML("beforeend", trouble(result.error).toString());
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  event.preventDefault();
  form.querySelector(".trouble")?.remove();
  const values = Object.fromEntries(new FormData(form));
  if (form.dataset["go"] !== undefined) {
    const query = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)]));
    location.hash = `${form.dataset["go"]}?${query}`;
  } else {
    void reserve(form, values);
  }
});
window.addEventListener("hashchange", () => void show());
void show();
