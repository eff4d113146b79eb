// Makes what is deployed: dist/server.mjs with everything it needs, the pages beside it, and the API's description.
import { cpSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

import { describe } from "../dist/index.js";

await build({
  entryPoints: ["dist/main.js"],
  outfile: "dist/server.mjs",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  legalComments: "none",
  logLevel: "warning",
});
const site = fileURLToPath(new URL(".", import.meta.resolve("@toolshed/ui/site/index.html")));
cpSync(site, "dist/site", { recursive: true });
writeFileSync("dist/openapi.json", `${JSON.stringify(describe("1.0.0"), null, 2)}\n`);
