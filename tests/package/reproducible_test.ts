/**
 * The same source gives the same files, whenever and in whichever folder they are made.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { makeArchive, makeDeb } from "../../src/release/archive.ts";
import { compile } from "../../src/release/compile.ts";
import { findTarget } from "../../src/release/targets.ts";
import { scenario } from "../tools/scenario.ts";

const COMMIT = { hash: "0123456789", time: 1_700_000_000 };

scenario("executable, archive and package are the same when they are made again", async (s) => {
  // Deno's compiler has no base binary here in general; Bun's comes with Bun.
  const target = findTarget("bun", "linux-x64");
  assert.ok(target);
  const made: Uint8Array[][] = [];
  for (const name of ["one", "another"]) {
    const folder = `${s.folder}/${name}`;
    await Deno.mkdir(folder);
    const executable = compile("bun", target, folder, COMMIT);
    const archive = makeArchive(executable, COMMIT.time);
    const deb = makeDeb(executable, "bun", "amd64", COMMIT.time);
    made.push(await Promise.all([executable, archive, deb].map((path) => Deno.readFile(path))));
  }
  const [one, another] = made;
  one.forEach((bytes, index) => assert.ok(equal(bytes, another[index]), `file ${index}`));
}, { limitMs: 120_000 });

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
