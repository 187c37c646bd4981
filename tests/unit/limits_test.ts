/**
 * The table "What one client can hold" of `conf/security*.md` says what the source says.
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { allDirectives } from "../../src/config/directives/directives.ts";
import { type Holding, holdingsIn } from "../tools/holdings.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, ROOT), "utf8");

/** What the units of the table are in bytes or ms; others count things. */
const FACTORS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, s: 1000 };

/** The value of an expression of numbers, names of the same file, `+`, `*` and `<<`. */
function valueOf(expression: string, source: string): number {
  const operators = [
    ["<<", (a: number, b: number) => a << b],
    ["+", (a: number, b: number) => a + b],
    ["*", (a: number, b: number) => a * b],
  ] as const;
  for (const [sign, apply] of operators) {
    const parts = expression.split(sign);
    if (parts.length > 1) return parts.map((part) => valueOf(part, source)).reduce(apply);
  }
  const word = expression.trim().replaceAll("_", "");
  if (/^(0x[\da-f]+|\d+)$/.test(word)) return Number(word);
  return constant(expression.trim(), source);
}

/** The value of a constant, or of a number in one: `NAME` or `NAME.field`. */
function constant(name: string, source: string): number {
  const [object, field] = name.split(".");
  const pattern = field === undefined
    ? `^(?:export )?const ${object}(?:: number)? =\\s*([^;{]+);`
    : `^(?:export )?const ${object}\\b[^;{]*{[^}]*\\b${field}: ([\\d_]+)`;
  const found = new RegExp(pattern, "m").exec(source);
  assert.ok(found, `no constant ${name}`);
  return valueOf(found[1], source);
}

/** The limit in the source, in the table's unit of bytes or ms, or of things. */
function sourceLimit({ name, file, unit }: Holding): number {
  if (file !== null) {
    const value = constant(name, read(`src/${file}`));
    return /_S$/.test(name) ? value * 1000 : value;
  }
  const entry = allDirectives().find(({ path }) => path === name);
  assert.ok(entry?.spec.type === "leaf", `no directive ${name}`);
  return Number(entry.spec.default) * (unit === "s" ? 1000 : 1);
}

const ENGLISH = holdingsIn(read("conf/security.md"));

Deno.test("the table of what one client can hold has the limits of the source", () => {
  assert.ok(ENGLISH.length > 50, `${ENGLISH.length} rows`);
  for (const row of ENGLISH) {
    assert.equal(row.limit * (FACTORS[row.unit] ?? 1), sourceLimit(row), row.name);
  }
});

Deno.test("the table is the same in both languages, and has each limit once", () => {
  const key = ({ name, file, limit, unit }: Holding) => `${name} ${file} ${limit} ${unit}`;
  assert.deepEqual(holdingsIn(read("conf/security.zh-CN.md")).map(key), ENGLISH.map(key));
  assert.equal(new Set(ENGLISH.map(key)).size, ENGLISH.length);
});

/** Limits of parts that strangers reach, which the table must have. */
const PARTS = ["servers/rtmp/limits.ts", "access/limits.ts", "http1/limits.ts"];

/** What is no bound on anything that a client holds. */
const OTHERS = new Set([
  "MAX_MESSAGES_PER_TURN",
  "IDLE_GATHER_MAX_BYTES",
  "MAX_CHUNK_LINE_BYTES",
]);

Deno.test("a new MAX_ constant of a part that strangers reach is in the table", () => {
  for (const file of PARTS) {
    for (const [, name] of read(`src/${file}`).matchAll(/^(?:export )?const (\w*MAX_\w+)\b/gm)) {
      if (OTHERS.has(name)) continue;
      assert.ok(ENGLISH.some((row) => row.name === name && row.file === file), `${file}: ${name}`);
    }
  }
});
