/**
 * The same source gives the same files, whenever and in whichever folder they are made.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { makeArchive, makeDeb } from "../../src/release/archive.ts";
import { compile } from "../../src/release/compile.ts";
import { findTarget } from "../../src/release/targets.ts";
import { sleep } from "../tools/process.ts";
import { scenario } from "../tools/scenario.ts";

/** ms until files have another time in any archive format. */
const CLOCK_STEP_MS = 2100;

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
    // The packing of a small file is as good a proof, and quicker.
    const small = `${folder}/srs-edge-small`;
    await Deno.writeTextFile(small, "program");
    const archive = makeArchive(small, COMMIT.time);
    const deb = makeDeb(small, "bun", "amd64", COMMIT.time);
    made.push(await Promise.all([executable, archive, deb].map((path) => Deno.readFile(path))));
    await sleep(CLOCK_STEP_MS);
  }
  const [one, another] = made;
  one.forEach((bytes, index) => assert.ok(equal(bytes, another[index]), `file ${index}`));
}, { limitMs: 120_000 });

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
