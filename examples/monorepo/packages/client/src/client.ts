/** Calls the API: one method for all routes, typed by the route. */
import { err, fill, ok, routes, wire, type Answer, type Call, type Problem, type Result, type RouteName } from "@toolshed/shared";

import { Memory } from "./memory.js";
import { delays, worthAnother, type Patience } from "./patience.js";

export interface Options {
  /** Where the API is: `https://shed.example.org/api`, or `/api` in a page of its own. */
  readonly base: string;
  readonly fetch?: typeof fetch;
  readonly patience?: Patience;
  readonly wait?: (ms: number) => Promise<void>;
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly body: string | undefined;
}

const UNREACHABLE = 599;

export class Client {
  readonly #options: Options;
  readonly #memory = new Memory();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Calls a route; an answer that is no success, or not what the route promises, is a problem. */
  async call<N extends RouteName>(name: N, values: Call<N>): Promise<Result<Answer<N>, Problem>> {
    const route = routes[name];
    const given = values as Readonly<Record<string, unknown>>;
    const query = new URLSearchParams();
    for (const key of route.query) if (given[key] !== undefined) query.set(key, String(given[key]));
    const asked: Asked = {
      method: route.method,
      url: this.#options.base + fill(route.path, given) + (query.size > 0 ? `?${query}` : ""),
      body: route.body === null ? undefined : JSON.stringify(given["body"]),
    };
    const said = await this.#send(asked);
    if (!said.ok) return said;
    const decoded = route.answer.decode(said.value);
    if (decoded.ok) return ok(decoded.value as Answer<N>);
    const { path, message } = decoded.error;
    return err({ status: UNREACHABLE, title: "an answer that was not understood", detail: `${path} ${message}` });
  }

  async #send(asked: Asked): Promise<Result<unknown, Problem>> {
    const wait = this.#options.wait ?? ((ms: number) => new Promise<void>((done) => setTimeout(done, ms)));
    for (const delay of delays(this.#options.patience)) {
      const said = await this.#once(asked);
      if (said.ok || delay === null || !worthAnother(asked.method, said.error.status)) return said;
      await wait(delay);
    }
    throw new Error("delays end with null");
  }

  async #once({ method, url, body }: Asked): Promise<Result<unknown, Problem>> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    const known = method === "GET" ? this.#memory.get(url) : undefined;
    if (known !== undefined) headers["if-none-match"] = known.tag;
    let response: Response;
    let said: unknown;
    try {
      const send = this.#options.fetch ?? globalThis.fetch;
      response = await send(url, { method, headers, ...(body === undefined ? {} : { body }) });
      if (response.status === 304 && known !== undefined) return ok(known.value);
      said = await response.json();
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      return err({ status: UNREACHABLE, title: "the shed cannot be reached", detail });
    }
    if (!response.ok) {
      const problem = wire.problem.decode(said);
      return err(problem.ok ? problem.value : { status: Math.max(400, response.status), title: response.statusText });
    }
    const tag = response.headers.get("etag");
    if (method !== "GET") this.#memory.clear();
    else if (tag !== null) this.#memory.put(url, { tag, value: said });
    return ok(said);
  }
}
