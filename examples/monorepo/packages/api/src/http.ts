/** The routes over HTTP, and the pages beside them. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { match, routes, type Problem, type Result, type RouteName } from "@toolshed/shared";

import type { Service } from "./service.js";
import { siteFile } from "./site.js";

const BASE = "/api";
const MOST_BYTES = 64 * 1024;

export function serve(service: Service, description: string, site: string | null): Server {
  return createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://shed");
    const done =
      url.pathname === BASE
        ? Promise.resolve(send(request, response, 200, description))
        : url.pathname.startsWith(`${BASE}/`)
          ? answer(service, request, response, url)
          : page(site, request, response, url.pathname);
    done.catch((error: unknown) => {
      console.error(error);
      if (response.headersSent) response.destroy();
      else refuse(request, response, { status: 500, title: "a mistake of the shed's own" });
    });
  });
}

async function answer(service: Service, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const path = url.pathname.slice(BASE.length);
  const fitting = (Object.keys(routes) as RouteName[]).filter((name) => match(routes[name].path, path) !== null);
  const name = fitting.find((each) => routes[each].method === request.method);
  if (name === undefined) {
    const allowed = fitting.map((each) => routes[each].method).join(", ");
    if (allowed === "") return refuse(request, response, { status: 404, title: "there is nothing here" });
    response.setHeader("allow", allowed);
    return refuse(request, response, { status: 405, title: `only ${allowed}` });
  }
  const body = await bodyOf(name, request);
  if (!body.ok) return refuse(request, response, body.error);
  const given = { path: match(routes[name].path, path) ?? {}, query: url.searchParams, body: body.value };
  const reply: Result<unknown, Problem> = await service.handlers[name](given);
  if (!reply.ok) return refuse(request, response, reply.error);
  send(request, response, request.method === "POST" ? 201 : 200, JSON.stringify(reply.value));
}

async function bodyOf(name: RouteName, request: IncomingMessage): Promise<Result<unknown, Problem>> {
  const { body: codec } = routes[name];
  if (codec === null) return { ok: true, value: undefined };
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) return { ok: false, error: { status: 413, title: "that is too much" } };
    chunks.push(chunk);
  }
  let document: unknown;
  try {
    document = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return { ok: false, error: { status: 400, title: "the body is no JSON" } };
  }
  const decoded = codec.decode(document);
  if (decoded.ok) return decoded;
  return { ok: false, error: { status: 422, title: `${decoded.error.path} ${decoded.error.message}` } };
}

async function page(site: string | null, request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  const encodings = String(request.headers["accept-encoding"] ?? "");
  const file = site === null ? null : await siteFile(site, path, encodings);
  if (file === null) return refuse(request, response, { status: 404, title: "there is no such page" });
  response.writeHead(200, file.headers).end(request.method === "HEAD" ? undefined : file.bytes);
}

function refuse(request: IncomingMessage, response: ServerResponse, problem: Problem): void {
  send(request, response, problem.status, JSON.stringify(problem));
}

function send(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
  const tag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
  if (status === 200 && request.headers["if-none-match"] === tag) {
    response.writeHead(304, { etag: tag }).end();
    return;
  }
  const type = status >= 400 ? "application/problem+json" : "application/json";
  response.writeHead(status, { "content-type": type, "cache-control": "no-cache", ...(status === 200 ? { etag: tag } : {}) });
  response.end(text);
}
