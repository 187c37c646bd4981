/**
 * The oldest runtimes that the source runs on.
 * @module
 */
import assert from "node:assert/strict";
import { runtimeShortage } from "../../src/runtime/runtime_version.ts";

Deno.test("from source: Deno 2.9 and Bun 1.4, and what follows, will do", () => {
  for (const deno of ["2.9.0", "2.9.6", "2.10.0", "3.0.1", "2.9.0+abc1234", "2.9.0-rc.1"]) {
    assert.equal(runtimeShortage({ deno }), null, deno);
  }
  for (const bun of ["1.4.0", "1.4.5", "1.10.2", "2.0.0"]) {
    assert.equal(runtimeShortage({ bun }), null, bun);
  }
});

Deno.test("from source: an older one is named, with what is needed and the cure", () => {
  for (const deno of ["2.8.9", "2.6.8", "2.4.2", "1.46.3", "1.10.0", "2", ""]) {
    const line = runtimeShortage({ deno });
    assert.ok(line !== null && line.includes(`this is Deno ${deno}`), line ?? "it was taken");
    assert.match(line, /needs Deno 2\.9 or later.*deno upgrade/);
    assert.ok(!line.includes("\n"), "one line");
  }
  for (const bun of ["1.3.14", "1.0.0", "0.9.9"]) {
    assert.match(runtimeShortage({ bun }) ?? "", /this is Bun .*needs Bun 1\.4 .*bun upgrade/);
  }
});

Deno.test("from source: another runtime is told which there are", () => {
  assert.match(runtimeShortage({}) ?? "", /Deno 2\.9 or Bun 1\.4, or later/);
});
