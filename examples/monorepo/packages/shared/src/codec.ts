/** Documents are checked once, where they come in: a codec turns what JSON gave into a type, or names the field. */
import { parseDay, type Day } from "./day.js";
import { cents, type Cents } from "./money.js";
import { err, ok, type Result } from "./result.js";

/** What is wrong, and where: `lines[2].to: "soon" is no day`. */
export interface Wrong {
  readonly path: string;
  readonly message: string;
}

export interface Codec<T> {
  readonly decode: (value: unknown, path?: string) => Result<T, Wrong>;
  /** The same in the words of JSON Schema, for the API's description. */
  readonly schema: Schema;
}

export type Schema = { readonly [name: string]: unknown };
export type TypeOf<C> = C extends Codec<infer T> ? T : never;

type Optional<T> = Codec<T | undefined> & { readonly optional: true };
type Fields = Record<string, Codec<unknown>>;
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends Optional<unknown> ? K : never }[keyof F];
type Flat<T> = { readonly [K in keyof T]: T[K] };
export type ObjectOf<F extends Fields> = Flat<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: TypeOf<F[K]> } & {
    [K in OptionalKeys<F>]?: Exclude<TypeOf<F[K]>, undefined>;
  }
>;

function wrong(path: string, message: string): Result<never, Wrong> {
  return err({ path: path === "" ? "document" : path, message });
}

export const text: Codec<string> = {
  decode: (value, path = "") => (typeof value === "string" ? ok(value) : wrong(path, "must be a text")),
  schema: { type: "string" },
};

export const flag: Codec<boolean> = {
  decode: (value, path = "") => (typeof value === "boolean" ? ok(value) : wrong(path, "must be true or false")),
  schema: { type: "boolean" },
};

export function integer(least: number, most: number): Codec<number> {
  return {
    decode: (value, path = "") =>
      typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
        ? ok(value)
        : wrong(path, `must be a whole number from ${least} to ${most}`),
    schema: { type: "integer", minimum: least, maximum: most },
  };
}

export const day: Codec<Day> = {
  decode: (value, path = "") => {
    if (typeof value !== "string") return wrong(path, "must be a day such as 2026-05-31");
    const parsed = parseDay(value);
    return parsed.ok ? parsed : wrong(path, parsed.error);
  },
  schema: { type: "string", format: "date" },
};

export const amount: Codec<Cents> = {
  decode: (value, path = "") =>
    typeof value === "number" && Number.isSafeInteger(value) ? ok(cents(value)) : wrong(path, "must be whole cents"),
  schema: { type: "integer", description: "cents" },
};

/** A text of some shape with a type of its own, such as an identifier. */
export function branded<T extends string>(shape: RegExp, called: string): Codec<T> {
  return {
    decode: (value, path = "") =>
      typeof value === "string" && shape.test(value) ? ok(value as T) : wrong(path, `must be ${called}`),
    schema: { type: "string", pattern: shape.source, description: called },
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): Codec<T> {
  return {
    decode: (value, path = "") =>
      choices.includes(value as T) ? ok(value as T) : wrong(path, `must be one of ${choices.join(", ")}`),
    schema: { type: "string", enum: choices },
  };
}

export function list<T>(each: Codec<T>): Codec<readonly T[]> {
  return {
    decode: (value, path = "") => {
      if (!Array.isArray(value)) return wrong(path, "must be a list");
      const values: T[] = [];
      for (const [index, item] of value.entries()) {
        const decoded = each.decode(item, `${path}[${index}]`);
        if (!decoded.ok) return decoded;
        values.push(decoded.value);
      }
      return ok(values);
    },
    schema: { type: "array", items: each.schema },
  };
}

export function maybe<T>(inner: Codec<T>): Optional<T> {
  return {
    optional: true,
    decode: (value, path = "") => (value === undefined || value === null ? ok(undefined) : inner.decode(value, path)),
    schema: inner.schema,
  };
}

export function object<F extends Fields>(fields: F): Codec<ObjectOf<F>> {
  const names = Object.keys(fields);
  const required = names.filter((name) => !isOptional(fields[name]));
  return {
    decode: (value, path = "") => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(path, "must be an object");
      const given = value as Record<string, unknown>;
      const unknown = Object.keys(given).find((name) => !names.includes(name));
      const dot = path === "" ? "" : `${path}.`;
      if (unknown !== undefined) return wrong(`${dot}${unknown}`, `is not known; there are ${names.join(", ")}`);
      const decoded: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(fields)) {
        const result = field.decode(given[name], `${dot}${name}`);
        if (!result.ok) return result;
        if (result.value !== undefined) decoded[name] = result.value;
      }
      return ok(decoded as ObjectOf<F>);
    },
    schema: {
      type: "object",
      properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.schema])),
      required,
      additionalProperties: false,
    },
  };
}

function isOptional(codec: Codec<unknown> | undefined): boolean {
  return codec !== undefined && "optional" in codec;
}
