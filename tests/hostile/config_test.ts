/**
 * Configuration files that no one writes by hand (H33): refused with a place and a reason, soon, and in
 * little memory.
 * @module
 */
import assert from "node:assert/strict";
import { Child } from "../tools/process.ts";
import { serverCommand } from "../tools/server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** ms for `-t`. */
const LIMIT_MS = 30_000;

const BAD: readonly (readonly [string, (folder: string) => string, RegExp])[] = [
  ["a file of 10 MB", () => "# x\n".repeat(2_600_000), /edge\.conf/],
  ["a million directives", () => "listen 1935;\n".repeat(300_000), /edge\.conf:\d+:\d+/],
  ["blocks in each other", () => "vhost a { ".repeat(10_000), /edge\.conf:\d+:\d+/],
  ["an include of itself", (folder) => `include ${folder}/edge.conf;`, /edge\.conf:1:\d+/],
  ["a missing semicolon", () => "listen 1935\nmax_connections 10;", /edge\.conf:\d+:\d+/],
  ["a block without an end", () => "listen 1935; vhost x {", /edge\.conf:1:\d+/],
  ["an end without a block", () => "listen 1935; }", /edge\.conf:1:14/],
  ["a word of a megabyte", () => `listen ${"9".repeat(1 << 20)};`, /edge\.conf:1:\d+/],
  ["an unknown directive", () => "listen 1935;\nlissten 1935;", /edge\.conf:2:1.*did you mean/s],
  ["control characters", () => "listen 1935; \x1b[2J\0 on;", /edge\.conf:1:\d+/],
];

for (const [what, text, place] of BAD) {
  Deno.test(`H33: ${what}`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "srs-edge-hostile-" });
    const file = `${folder}/edge.conf`;
    await Deno.writeTextFile(file, text(folder));
    const child = new Child("server -t", [...serverCommand(), "-t", "-c", file], { cwd: ROOT });
    try {
      const status = await child.finish(LIMIT_MS);
      assert.equal(status.code, 255, child.report());
      assert.match(child.stderr, place);
      assert.ok(child.stderr.length < 100_000, "the complaint has a size that can be read");
      // deno-lint-ignore no-control-regex -- that is what must not be there
      assert.ok(!/[\x00-\x08\x1b]/.test(child.stderr), "no control characters on the terminal");
      assert.ok(!/at .*\.ts:\d+|Uncaught/.test(child.stderr), "no stack trace");
    } finally {
      await child.kill();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
