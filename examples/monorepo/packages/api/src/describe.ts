/** The API in the words of OpenAPI, from the routes themselves. */
import { routes, wire, type RouteName, type Schema } from "@toolshed/shared";

const PROBLEM = { description: "refused", content: { "application/problem+json": { schema: wire.problem.schema } } };

export function describe(version: string): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const name of Object.keys(routes) as RouteName[]) {
    const path = routes[name].path.replace(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[routes[name].method.toLowerCase()] = operation(name);
  }
  return { openapi: "3.1.0", info: { title: "Toolshed", version }, servers: [{ url: "/api" }], paths };
}

function operation(name: RouteName): Schema {
  const { path, query, body, answer, method, summary } = routes[name];
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, each]) => parameter(each ?? "", "path"));
  return {
    operationId: name,
    summary,
    parameters: [...inPath, ...query.map((each) => parameter(each, "query"))],
    ...(body === null ? {} : { requestBody: { required: true, content: json(body.schema) } }),
    responses: {
      [method === "POST" ? "201" : "200"]: { description: "done", content: json(answer.schema) },
      default: PROBLEM,
    },
  };
}

function parameter(name: string, place: "path" | "query"): Schema {
  return { name, in: place, required: place === "path", schema: { type: "string" } };
}

function json(schema: Schema): Schema {
  return { "application/json": { schema } };
}
