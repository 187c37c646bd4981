/**
 * Puts the page into modules that the server imports, so that it is there in executables too and nobody
 * who runs from source needs a build step:
 *
 *     deno task page      after every change of the page, or of mpegts.js's version
 *
 *     src/servers/http/page/embedded/page.ts      this directory's sources, as one script
 *     src/servers/http/page/embedded/mpegts.ts    mpegts.js as npm has it, and its licences
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, stop } from "esbuild";
// Tells Deno that the package's files are wanted.
import mpegts from "mpegts.js/package.json" with { type: "json" };

const HERE = new URL("./", import.meta.url);
const OUTPUT = new URL("../servers/http/page/embedded/", import.meta.url);
/** Browsers that the script is written for: those with all that the page needs anyway. */
const TARGET = "es2022";
/** Characters of a line of base64. */
const LINE = 120;

/** What the modules consist of, by the name of what they export. */
export interface Embedded {
  readonly page: Readonly<Record<"HTML" | "CSS" | "SCRIPT", string>>;
  readonly mpegts: Readonly<Record<"MPEGTS" | "LICENCES", string>>;
}

/** Bundles and reads everything. */
export async function collect(): Promise<Embedded> {
  const bundle = await build({
    entryPoints: ["main.ts"],
    absWorkingDir: fileURLToPath(HERE),
    bundle: true,
    write: false,
    format: "iife",
    target: TARGET,
    charset: "utf8",
    logLevel: "error",
  });
  await stop();
  return {
    page: {
      HTML: readFileSync(new URL("page.html", HERE), "utf8"),
      CSS: readFileSync(new URL("page.css", HERE), "utf8"),
      SCRIPT: bundle.outputFiles[0].text,
    },
    mpegts: {
      MPEGTS: readFileSync(
        new URL(mpegts.main, import.meta.resolve("mpegts.js/package.json")),
        "utf8",
      ),
      LICENCES: readFileSync(new URL("licences.txt", HERE), "utf8"),
    },
  };
}

const head = (what: string) =>
  `/**\n * ${what}. Made by src/page/embed.ts: do not edit.\n * @module\n */\n`;

function textModule(texts: Readonly<Record<string, string>>): string {
  const parts = Object.entries(texts).map(([name, text]) => {
    const lines = text.split("\n").map((line) => `  ${JSON.stringify(line)},\n`).join("");
    return `\n/** The page's ${name.toLowerCase()}. */\nexport const ${name} = [\n${lines}].join("\\n");\n`;
  });
  return head("The page of the server, from the sources in src/page/") + parts.join("");
}

function packedModule(texts: Readonly<Record<string, string>>): string {
  const parts = Object.entries(texts).map(([name, text]) => {
    const packed = gzipSync(text, { level: 9 }).toString("base64");
    const lines = packed.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
    const body = lines.map((line) => `  "${line}",\n`).join("");
    return `\n/** gzip, in base64. */\nexport const ${name} = [\n${body}].join("");\n`;
  });
  return head(`mpegts.js ${mpegts.version} and the licences of what is in it`) + parts.join("");
}

if (import.meta.main) {
  const embedded = await collect();
  mkdirSync(OUTPUT, { recursive: true });
  writeFileSync(new URL("page.ts", OUTPUT), textModule(embedded.page));
  writeFileSync(new URL("mpegts.ts", OUTPUT), packedModule(embedded.mpegts));
}
