// Makes dist/site: the page, its script and its style under names that change with their contents, and a compressed
// copy of each for servers that send them as they are.
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

import { frame, html } from "../dist/index.js";

const develops = process.env.NODE_ENV === "development";
const made = await build({
  entryPoints: { shed: "dist/main.js", page: "styles/page.css" },
  outdir: "dist/site",
  entryNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome120", "firefox121", "safari17.2"],
  minify: !develops,
  sourcemap: develops,
  legalComments: "none",
  logLevel: "warning",
  write: false,
});

mkdirSync("dist/site", { recursive: true });
const names = {};
for (const { path, contents } of made.outputFiles) {
  const name = path.split("/").pop();
  names[name.split(".").pop()] = name;
  write(name, contents);
}
const page = html`<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <title>Toolshed</title>
    <link rel="stylesheet" href="${names.css}" />
    <script type="module" src="${names.js}"></script>
  </head>
  <body id="shed">${frame("Toolshed", html`<noscript>This page needs JavaScript.</noscript>`)}</body>
</html>`;
write("index.html", Buffer.from(`<!doctype html>\n${page}\n`));

const digests = Object.values(names).map((name) => [name, digest(made, name)]);
writeFileSync("dist/site/manifest.json", `${JSON.stringify({ files: Object.fromEntries(digests) }, null, 2)}\n`);

function write(name, contents) {
  writeFileSync(`dist/site/${name}`, contents);
  if (name.endsWith(".map")) return;
  writeFileSync(`dist/site/${name}.gz`, gzipSync(contents, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  writeFileSync(`dist/site/${name}.br`, brotliCompressSync(contents, { params }));
}

function digest({ outputFiles }, name) {
  const { contents } = outputFiles.find(({ path }) => path.endsWith(`/${name}`));
  return `sha256-${createHash("sha256").update(contents).digest("base64")}`;
}
