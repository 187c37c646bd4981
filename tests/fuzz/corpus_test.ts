/**
 * Inputs that have failed once must not fail again; and a short fuzz from a new seed.
 * @module
 */
import assert from "node:assert/strict";
import { withSeed } from "../tools/seed.ts";
import { attempt, CORPUS, corpusFiles, fuzz, keep, targetOf } from "./engine.ts";
import { TARGETS } from "./targets.ts";

/** ms of new inputs. */
const FUZZ_MS = 10_000;

/** Cuts that each file is fed in, besides whole and byte by byte. */
const SEEDS = 5;

for (const file of corpusFiles()) {
  Deno.test(`fuzz corpus: ${file}`, () => {
    const target = targetOf(file);
    const input = Deno.readFileSync(new URL(file, CORPUS));
    for (let seed = 0; seed < SEEDS; seed++) {
      const failure = attempt(target, input, seed);
      if (failure) throw failure.error;
    }
  });
}

Deno.test("fuzz corpus: each target has a file", () => {
  const covered = new Set(corpusFiles().map((file) => targetOf(file).name));
  assert.deepEqual([...covered].sort(), TARGETS.map(({ name }) => name).sort());
});

Deno.test("fuzz: ten seconds of new inputs", () => {
  withSeed((seed) => {
    const { runs, failure } = fuzz(TARGETS, seed, FUZZ_MS);
    if (failure) {
      const { target, error } = failure;
      throw new Error(
        `${target.name} fails, SRS_EDGE_SEED=${failure.seed}; kept as ${keep(failure)}`,
        { cause: error },
      );
    }
    for (const [name, count] of runs) assert.ok(count > 0, `${name} has not been run`);
  });
});
