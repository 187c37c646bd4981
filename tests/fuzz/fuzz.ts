/**
 * A long differential fuzz: `deno run --allow-all tests/fuzz/fuzz.ts --minutes N [--seed S] [--target T]`.
 * Ends with 1 and a new file in the corpus when an input fails.
 * @module
 */
import { parseArgs } from "node:util";
import { fuzz, keep } from "./engine.ts";
import { TARGETS } from "./targets.ts";

/** ms between two lines that say how far it is. */
const ROUND_MS = 20_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    target: { type: "string" },
  },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
const targets = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
if (!(minutes > 0) || !Number.isInteger(seed) || targets.length === 0) {
  console.error(
    `fuzz: --minutes above 0, --seed a whole number, --target one of ` +
      TARGETS.map(({ name }) => name).join(", "),
  );
  Deno.exit(255);
}

console.log(`fuzz: seed ${seed}, ${minutes} min, ${targets.map(({ name }) => name).join(", ")}`);
const total = new Map<string, number>();
const end = performance.now() + minutes * 60_000;
for (let next = seed; performance.now() < end;) {
  const { runs, failure } = fuzz(targets, next, Math.min(ROUND_MS, end - performance.now()));
  for (const [name, count] of runs) total.set(name, (total.get(name) ?? 0) + count);
  next += Math.max(...runs.values());
  console.log(`  inputs: ${[...total].map(([name, count]) => `${name} ${count}`).join(", ")}`);
  if (failure) {
    console.error(`fuzz: ${failure.target.name} fails, seed ${failure.seed}: ${keep(failure)}`);
    console.error(failure.error);
    Deno.exit(1);
  }
}
console.log("fuzz: no input failed");
