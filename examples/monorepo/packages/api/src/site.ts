/** Files of the pages, in the smallest form that a browser takes. */
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

export interface SiteFile {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
  ".json": "application/json",
};
const FORMS = [
  ["br", ".br"],
  ["gzip", ".gz"],
  [null, ""],
] as const;

/** The file of a path, or null; a path leads nowhere but to plain names in the site's own directory. */
export async function siteFile(site: string, path: string, accepted: string): Promise<SiteFile | null> {
  const name = path === "/" ? "index.html" : path.slice(1);
  const type = TYPES[extname(name)];
  if (type === undefined || !/^[\w-]+\.\w+$/.test(name)) return null;
  const cache = name === "index.html" ? "no-cache" : "public, max-age=31536000, immutable";
  for (const [encoding, ending] of FORMS) {
    if (encoding !== null && !accepted.includes(encoding)) continue;
    const bytes = await readFile(join(site, name + ending)).catch(() => null);
    if (bytes === null) continue;
    const coded = encoding === null ? {} : { "content-encoding": encoding };
    return { bytes, headers: { "content-type": type, "cache-control": cache, vary: "accept-encoding", ...coded } };
  }
  return null;
}
