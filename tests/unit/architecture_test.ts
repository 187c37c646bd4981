/**
 * The rules of the house: imports point one way, and the pure parts know no runtime, timer or clock.
 *
 *     main, server, registry -> session, http -> hooks, relay -> live -> flv -> rtmp
 *
 * `config` and `log` are for all that may use them, `net` for those that have to do with sockets;
 * `examples` are the texts of `conf/`, `install` puts them in place, `release` is for build.ts alone.
 * @module
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src");

/** Parts that a part may import besides itself. Files right in `src` are the part `root`. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  rtmp: ["config"],
  http1: [],
  flv: ["rtmp"],
  live: ["config", "flv", "rtmp"],
  session: ["config", "log", "net", "hooks", "relay", "live", "flv", "rtmp"],
  http: ["config", "log", "net", "http1", "hooks", "relay", "live", "flv", "rtmp", "version"],
  relay: ["config", "log", "net", "live", "flv", "rtmp", "version"],
  hooks: ["config", "log", "net", "rtmp"],
  workers: ["config", "log", "net", "session", "http", "relay", "live", "flv", "rtmp", "version"],
  probe: ["config", "log", "live", "flv", "rtmp", "relay", "version"],
  // For the browser, which gets what it needs in one piece.
  page: [],
  root: [
    "probe",
    "config",
    "log",
    "net",
    "live",
    "flv",
    "rtmp",
    "version",
    "session",
    "http",
    "relay",
    "hooks",
    "workers",
    "examples",
    "install",
  ],
  config: [],
  log: ["config"],
  net: ["config", "log", "http1"],
  version: [],
  examples: [],
  install: ["examples"],
  release: ["config", "net", "version", "examples", "install"],
};

/** Bytes in, values out: these parts run anywhere and give the same every time. */
const PURE = new Set(["rtmp", "http1", "flv", "live", "config"]);

/** Of `config`, the pure parts need the types alone. */
const CONFIG_TYPES = "config/types.ts";

/** Files of `src` itself, each of which may import those behind it. */
const ROOT_ORDER = [
  "main.ts",
  "lifecycle.ts",
  "cluster.ts",
  "http_service.ts",
  "worker.ts",
  "server.ts",
  "registry.ts",
];

/** Packages and builtins that a pure part may import; everything else may import what it likes. */
const PURE_PACKAGES: Record<string, readonly string[]> = {
  rtmp: ["node:crypto"],
  http1: ["node:crypto"],
};

/** What a pure part may not name. */
const IMPURE = new RegExp(
  '(?<![.\\w"])(?:globalThis\\b|(?:Deno|Bun|process|Buffer|console|performance|crypto)\\s*\\.|' +
    "(?:fetch|setTimeout|setInterval|setImmediate|queueMicrotask)\\s*\\(|" +
    "Date\\.now|new Date\\b|Math\\.random)",
);

/** Nothing in the protocol waits. */
const WAITING = /\b(?:async|await|Promise)\b/;

/**
 * The runtimes' own names are for `net`, for the one file by which the log, which `net` needs itself, gets
 * out, and for what is no part of the server.
 */
const NAMES_RUNTIMES = new Set(["net", "release"]);
const NAMES_RUNTIMES_TOO = "log/line_target.ts";
const RUNTIME = /\b(?:Deno|Bun)\s*\./;

function partOf(file: string): string {
  if (file === "version.ts" || file === "commit.ts") return "version";
  if (file === "examples.ts") return "examples";
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : "root";
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

function importsOf(code: string): string[] {
  const found = code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g);
  return Array.from(found, (match) => match[1]);
}

/** What is against the rules in a file, given by its path in `src` and its text. */
function violations(file: string, text: string): string[] {
  const part = partOf(file);
  const code = withoutComments(text);
  const found: string[] = [];
  const blame = (what: string) => found.push(`src/${file}: ${what}`);

  const allowed = MAY_IMPORT[part];
  if (!allowed) return [`src/${file}: the folder "${part}" is not in the table of this test`];
  for (const name of importsOf(code)) {
    if (!name.startsWith(".")) {
      if (PURE.has(part) && !PURE_PACKAGES[part]?.includes(name)) {
        blame(`imports "${name}", but ${part} is pure`);
      }
      continue;
    }
    const target = posix.join(posix.dirname(file), name);
    const other = partOf(target);
    if (part === "examples" && target.startsWith("../conf/")) continue;
    if (target.startsWith("..")) blame(`imports "${name}", which is not in src`);
    else if (!target.endsWith(".ts")) blame(`imports "${name}" without its .ts`);
    else if (other !== part && !allowed.includes(other)) {
      blame(`imports "${name}", but ${part} may not import ${other}`);
    } else if (
      PURE.has(part) && part !== "config" && other === "config" && target !== CONFIG_TYPES
    ) {
      blame(`imports "${name}", but of config only types.ts is for ${part}`);
    } else if (part === "root" && !pointsDown(file, target)) {
      blame(`imports "${name}", which stands above it`);
    }
  }
  const impure = PURE.has(part) ? IMPURE.exec(code) : null;
  if (impure) blame(`names "${impure[0]}", but ${part} is pure`);
  const waiting = part === "rtmp" ? WAITING.exec(code) : null;
  if (waiting) blame(`names "${waiting[0]}", but nothing in rtmp waits`);
  const runtime = NAMES_RUNTIMES.has(part) || file === NAMES_RUNTIMES_TOO
    ? null
    : RUNTIME.exec(code);
  if (runtime) blame(`names "${runtime[0]}", but only net may name a runtime`);
  return found;
}

/** Whether an import between two files of `src` itself goes from main towards registry. */
function pointsDown(file: string, target: string): boolean {
  const to = ROOT_ORDER.indexOf(target);
  if (to < 0) return true;
  const from = ROOT_ORDER.indexOf(file);
  return from >= 0 && from < to;
}

Deno.test("src keeps the rules of the house", () => {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/")).filter((file) => file.endsWith(".ts"));
  assert.ok(files.length > 50, "the files of src were not found");
  const found = files.flatMap((file) => violations(file, readFileSync(join(SRC, file), "utf8")));
  assert.deepEqual(found, []);
});

Deno.test("a worker needs no package: Bun finds none in a thread unless they are installed", () => {
  const seen = new Set<string>();
  const packages: string[] = [];
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const code = withoutComments(readFileSync(join(SRC, file), "utf8"))
      .replace(/\bimport type\b[^;]*;/g, "");
    for (const name of importsOf(code)) {
      if (name.startsWith(".")) visit(posix.join(posix.dirname(file), name));
      else if (!name.startsWith("node:")) packages.push(`${file} imports ${name}`);
    }
  };
  visit("worker.ts");
  assert.ok(seen.size > 40, "the files of a worker were not found");
  assert.deepEqual(packages, []);
});

Deno.test("H27: nothing that a peer says reaches a shell: no program is ever started", () => {
  const starts = /child_process|Deno\.Command|Bun\.(spawn|\$)/;
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"));
  for (const file of files) {
    assert.doesNotMatch(withoutComments(readFileSync(join(SRC, file), "utf8")), starts, file);
  }
});

Deno.test("the rules notice what they are for", () => {
  const cases: [string, string, RegExp][] = [
    ["rtmp/a.ts", 'import { b } from "../live/b.ts";', /rtmp may not import live/],
    ["rtmp/a.ts", 'import type { b } from "../flv/b.ts";', /rtmp may not import flv/],
    ["rtmp/a.ts", 'import net from "node:net";', /"node:net", but rtmp is pure/],
    ["rtmp/a.ts", 'import { b } from "../config/load.ts";', /only types\.ts/],
    ["rtmp/a.ts", "async function a() {}", /"async", but nothing in rtmp waits/],
    ["flv/a.ts", 'import { createHmac } from "node:crypto";', /flv is pure/],
    ["live/a.ts", 'import {\n  a,\n  b,\n} from "../session/b.ts";', /live may not import session/],
    ["live/a.ts", 'import type { TcpSocket } from "../net/tcp.ts";', /may not import net/],
    ["live/a.ts", "const t = performance.now();", /"performance\.", but live is pure/],
    ["live/a.ts", "setTimeout(f, 1);", /"setTimeout\("/],
    ["config/a.ts", "const t = Date.now();", /"Date.now"/],
    ["config/a.ts", 'export { b } from "../log/b.ts";', /config may not import log/],
    ["session/a.ts", 'import "../registry.ts";', /session may not import root/],
    ["session/a.ts", 'const m = await import("../http/a.ts");', /session may not import http/],
    ["session/a.ts", "Deno.exit();", /only net may name a runtime/],
    ["session/a.ts", 'import { b } from "./b";', /without its \.ts/],
    ["server.ts", 'import "./main.ts";', /stands above it/],
    ["registry.ts", 'import "./server.ts";', /stands above it/],
    ["strange/a.ts", "", /not in the table/],
  ];
  for (const [file, code, reason] of cases) {
    const found = violations(file, code);
    assert.equal(found.length, 1, `${file} ${code}: ${found}`);
    assert.match(found[0], reason);
    assert.ok(found[0].startsWith(`src/${file}: `));
  }
});

Deno.test("the rules leave alone what is allowed", () => {
  const cases: [string, string][] = [
    ["rtmp/a.ts", 'import { createHmac } from "node:crypto";'],
    ["rtmp/a.ts", 'import { DEFAULT_VHOST } from "../config/types.ts";'],
    ["flv/a.ts", 'import { Amf0Reader } from "../rtmp/amf0.ts";'],
    [
      "live/a.ts",
      "// performance.now() is not for us; see https://a.b/c\n/* Deno.x */ const a = 1;",
    ],
    ["rtmp/a.ts", 'const key = Uint8Array.from("f0e1");'],
    ["config/a.ts", 'const kinds = ["process", "fetch"]; tank.console = b.fetch(c);'],
    ["net/a.ts", 'import net from "node:net"; Deno.serve();'],
    ["main.ts", 'import { Server } from "./server.ts"; import "./cli.ts";'],
    ["examples.ts", 'import a from "../conf/a.conf" with { type: "text" };'],
    ["http/a.ts", 'import { VERSION } from "../version.ts"; import { Hono } from "hono";'],
  ];
  for (const [file, code] of cases) assert.deepEqual(violations(file, code), []);
});
