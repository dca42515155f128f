// Makes signatures/static/signatures/codemirror.js and its licences, and records what they were made from.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../signatures/static/signatures");
const SOURCES = ["build.mjs", "package-lock.json", "package.json", "src/codemirror.js"];

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

const made = await build({
  absWorkingDir: here,
  banner: { js: "/* CodeMirror and what it needs, by `npm run build` in assets/. MIT licence: see codemirror.LICENSES.txt. */" },
  bundle: true,
  charset: "utf8",
  entryPoints: ["src/codemirror.js"],
  format: "iife",
  globalName: "codemirror",
  legalComments: "none", // the packages carry none; their licences stand in codemirror.LICENSES.txt
  metafile: true,
  minify: true,
  target: "es2022",
  write: false,
});

// node_modules/@codemirror/view/dist/index.js -> node_modules/@codemirror/view
const folders = new Set(
  Object.keys(made.metafile.inputs).flatMap((path) => path.match(/^node_modules\/(?:@[^/]+\/)?[^/]+/) ?? []),
);
const licences = [...folders].sort().map((folder) => {
  const about = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
  if (about.license !== "MIT") throw new Error(`${about.name} is under ${about.license}, not MIT.`);
  const file = readdirSync(join(here, folder)).find((name) => /^licen[cs]e/i.test(name));
  return `${about.name} ${about.version}\n\n${readFileSync(join(here, folder, file), "utf8").trim()}\n`;
});

const files = {
  "codemirror.js": made.outputFiles[0].text,
  "codemirror.LICENSES.txt": `Packages inside codemirror.js\n\n${licences.join(`\n${"-".repeat(80)}\n\n`)}`,
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(target, name), text);
const sources = SOURCES.map((name) => [name, sha256(readFileSync(join(here, name)))]);
const results = Object.entries(files).map(([name, text]) => [name, sha256(text)]);
const record = { sources: Object.fromEntries(sources), results: Object.fromEntries(results) };
writeFileSync(join(here, "built.json"), `${JSON.stringify(record, null, 2)}\n`);
