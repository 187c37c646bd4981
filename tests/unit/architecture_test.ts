/**
 * The rules of the house: imports point one way, no files and no folders import one another in a circle,
 * and the pure parts know no runtime, timer or clock.
 *
 *     main, app -> servers, workers -> stats -> relay, access -> clients -> live -> flv, codec -> rtmp
 *
 * `config`, `log` and `runtime` are for all that may use them, `net` for those that have to do with
 * sockets; `install` puts the files of `conf/` in place, `release` is for build.ts alone.
 * @module
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src");

/** Parts that a part may import besides itself. The part of `main.ts` is `main`. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  // Pure: bytes in, values out.
  config: [],
  rtmp: ["config"],
  http1: [],
  codec: ["rtmp"],
  flv: ["rtmp", "codec"],
  ts: ["rtmp", "codec"],
  live: ["config", "codec", "flv", "rtmp"],
  mp4: ["codec"],
  hls: ["config", "rtmp", "codec", "mp4", "live", "remux"],
  // What players of other containers are sent.
  remux: ["rtmp", "codec", "ts", "live"],
  // Files and sockets.
  log: ["config"],
  runtime: ["config", "log"],
  net: ["config", "log", "http1", "runtime"],
  clients: ["config", "log", "net", "runtime", "live", "codec", "flv", "rtmp"],
  // What the server does.
  access: ["config", "log", "net", "rtmp"],
  relay: ["config", "log", "net", "runtime", "clients", "live", "flv", "rtmp"],
  stats: ["config", "log", "runtime", "access", "relay", "live"],
  servers: [
    ...["config", "log", "net", "runtime", "http1", "clients", "access", "relay", "stats", "live"],
    ...["codec", "flv", "ts", "remux", "hls", "rtmp"],
  ],
  workers: ["config", "log", "net", "access", "stats", "live", "rtmp"],
  // What is put together of it.
  app: [
    ...["config", "log", "net", "runtime", "clients", "access", "relay", "stats", "servers"],
    ...["workers", "live", "hls", "rtmp", "probe"],
  ],
  main: ["config", "log", "net", "runtime", "app", "workers", "probe", "install"],
  probe: ["config", "log", "runtime", "net", "clients", "live", "codec", "flv", "rtmp"],
  // For the browser, which gets what it needs in one piece.
  page: [],
  install: [],
  release: ["config", "runtime", "install"],
};

/** Bytes in, values out: these parts run anywhere and give the same every time. */
const PURE = new Set([
  "rtmp",
  "http1",
  "codec",
  "flv",
  "ts",
  "mp4",
  "hls",
  "live",
  "remux",
  "config",
]);

/** Of `config`, the pure parts need the types alone. */
const CONFIG_TYPES = "config/types.ts";

/** Lines that a file may have; generated files may have more. */
const MAX_LINES = 500;
const GENERATED = "servers/http/page/embedded/";

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
 * The runtimes' own names are for `runtime` and `net`, for the one file by which the log, which both need,
 * gets out, and for what is no part of the server.
 */
const NAMES_RUNTIMES = new Set(["net", "runtime", "release"]);
const NAMES_RUNTIMES_TOO = "log/line_target.ts";
const RUNTIME = /\b(?:Deno|Bun)\s*\./;

function partOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : file.replace(/\.ts$/, "");
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
    if (part === "install" && target.startsWith("../conf/")) continue;
    if (target.startsWith("..")) blame(`imports "${name}", which is not in src`);
    else if (!target.endsWith(".ts")) blame(`imports "${name}" without its .ts`);
    else if (other !== part && !allowed.includes(other)) {
      blame(`imports "${name}", but ${part} may not import ${other}`);
    } else if (
      PURE.has(part) && part !== "config" && other === "config" && target !== CONFIG_TYPES
    ) {
      blame(`imports "${name}", but of config only types.ts is for ${part}`);
    }
  }
  const impure = PURE.has(part) ? IMPURE.exec(code) : null;
  if (impure) blame(`names "${impure[0]}", but ${part} is pure`);
  const waiting = part === "rtmp" ? WAITING.exec(code) : null;
  if (waiting) blame(`names "${waiting[0]}", but nothing in rtmp waits`);
  const runtime = NAMES_RUNTIMES.has(part) || file === NAMES_RUNTIMES_TOO
    ? null
    : RUNTIME.exec(code);
  if (runtime) blame(`names "${runtime[0]}", but only runtime and net may name one`);
  return found;
}

/** Groups of nodes of which each leads to every other one. `edges`: where each leads to. */
function circles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const reached = new Map(Array.from(edges.keys(), (node) => [node, reachable(edges, node)]));
  const found = new Map<string, string[]>();
  for (const [node, others] of reached) {
    const circle = [...others].filter((other) => reached.get(other)?.has(node)).sort();
    if (circle.length > 1) found.set(circle.join(" "), circle);
  }
  return [...found.values()];
}

function reachable(edges: ReadonlyMap<string, ReadonlySet<string>>, from: string): Set<string> {
  const seen = new Set<string>();
  const next = [...edges.get(from) ?? []];
  for (let node = next.pop(); node !== undefined; node = next.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    next.push(...edges.get(node) ?? []);
  }
  return seen;
}

/** What each file, or each folder, imports of the others. */
function imports(
  texts: ReadonlyMap<string, string>,
  nodeOf: (file: string) => string,
): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const [file, text] of texts) {
    const from = nodeOf(file);
    const to = edges.get(from) ?? new Set();
    edges.set(from, to);
    for (const name of importsOf(withoutComments(text))) {
      const target = posix.join(posix.dirname(file), name);
      if (name.startsWith(".") && nodeOf(target) !== from) to.add(nodeOf(target));
    }
  }
  return edges;
}

/** The texts of `src`, by their path in it. */
function sources(): Map<string, string> {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/")).filter((file) => file.endsWith(".ts"));
  return new Map(files.map((file) => [file, readFileSync(join(SRC, file), "utf8")]));
}

Deno.test("src keeps the rules of the house", () => {
  const texts = sources();
  assert.ok(texts.size > 50, "the files of src were not found");
  assert.deepEqual([...texts].flatMap(([file, text]) => violations(file, text)), []);
});

Deno.test("no files and no folders of src import one another in a circle", () => {
  const texts = sources();
  assert.deepEqual(circles(imports(texts, (file) => file)), []);
  assert.deepEqual(circles(imports(texts, posix.dirname)), []);
  const made = new Map([
    ["a/one.ts", 'import { b } from "../b/two.ts";'],
    ["b/two.ts", 'import type { c } from "../c/three.ts";'],
    ["c/three.ts", 'import { a } from "../a/other.ts";'],
    ["a/other.ts", ""],
  ]);
  assert.deepEqual(circles(imports(made, (file) => file)), []);
  assert.deepEqual(circles(imports(made, posix.dirname)), [["a", "b", "c"]]);
  made.set("a/other.ts", 'export { a } from "./one.ts";');
  assert.equal(circles(imports(made, (file) => file)).length, 1);
});

Deno.test("src holds main.ts and folders", () => {
  const files = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isFile());
  assert.deepEqual(files.map(({ name }) => name).filter((name) => name.endsWith(".ts")), [
    "main.ts",
  ]);
});

Deno.test(`no file of src has more than ${MAX_LINES} lines, but for what is generated`, () => {
  const long = [...sources()].filter(([file, text]) =>
    !file.startsWith(GENERATED) && text.split("\n").length - 1 > MAX_LINES
  );
  assert.deepEqual(long.map(([file]) => file), []);
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
  visit("app/worker.ts");
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
    ["live/a.ts", 'import {\n  a,\n  b,\n} from "../servers/b.ts";', /live may not import servers/],
    ["live/a.ts", 'import type { TcpSocket } from "../net/tcp.ts";', /may not import net/],
    ["live/a.ts", "const t = performance.now();", /"performance\.", but live is pure/],
    ["live/a.ts", "setTimeout(f, 1);", /"setTimeout\("/],
    ["config/a.ts", "const t = Date.now();", /"Date.now"/],
    ["config/a.ts", 'export { b } from "../log/b.ts";', /config may not import log/],
    ["servers/rtmp/a.ts", 'import "../../app/server.ts";', /servers may not import app/],
    [
      "relay/a.ts",
      'const m = await import("../servers/http/a.ts");',
      /relay may not import servers/,
    ],
    ["servers/a.ts", "Deno.exit();", /only runtime and net may name one/],
    ["servers/a.ts", 'import { b } from "./b";', /without its \.ts/],
    ["app/server.ts", 'import "../main.ts";', /app may not import main/],
    ["codec/a.ts", 'import "../flv/flv_tag.ts";', /codec may not import flv/],
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
    ["main.ts", 'import { Server } from "./app/server.ts"; import "./app/cli.ts";'],
    ["install/examples.ts", 'import a from "../../conf/a.conf" with { type: "text" };'],
    [
      "servers/http/a.ts",
      'import { VERSION } from "../../runtime/version.ts"; import { Hono } from "hono";',
    ],
  ];
  for (const [file, code] of cases) assert.deepEqual(violations(file, code), []);
});
