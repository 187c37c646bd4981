/**
 * Runs targets on inputs of their own making, and makes what fails small enough to be looked at.
 * @module
 */
import { createHash } from "node:crypto";
import { Random } from "./random.ts";
import { type Target, TARGETS } from "./targets.ts";

/** Inputs that have failed once, and some that might; a file's name begins with its target's. */
export const CORPUS = new URL("./corpus/", import.meta.url);

/** Attempts to make a failing input smaller. */
const SHRINK_ATTEMPTS = 400;

/** An input that fails. */
export interface Failure {
  readonly target: Target;
  readonly seed: number;
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** The target that a file of the corpus is for. @throws Error when there is none. */
export function targetOf(file: string): Target {
  const target = TARGETS.find(({ name }) => file.startsWith(`${name}-`));
  if (target === undefined) throw new Error(`${file}: its name begins with no target's`);
  return target;
}

/** The files of the corpus. */
export function corpusFiles(): string[] {
  return [...Deno.readDirSync(CORPUS)].map(({ name }) => name).filter((name) =>
    name.endsWith(".bin")
  )
    .sort();
}

/** Runs one input; null when all is well. */
export function attempt(target: Target, input: Uint8Array, seed: number): Failure | null {
  try {
    target.check(input, new Random(seed));
    return null;
  } catch (error) {
    return { target, seed, input, error };
  }
}

/**
 * Makes inputs from `seed` on, one for each target in turn, until `ms` are over or one fails.
 * @returns how many there were of each target, and the failure.
 */
export function fuzz(
  targets: readonly Target[],
  seed: number,
  ms: number,
): { runs: Map<string, number>; failure: Failure | null } {
  const runs = new Map(targets.map(({ name }) => [name, 0]));
  const known = new Map(targets.map((target) => [target.name, corpusOf(target)]));
  const end = performance.now() + ms;
  for (let round = 0; performance.now() < end; round++) {
    const target = targets[round % targets.length];
    const own = (seed + Math.floor(round / targets.length)) >>> 0;
    const random = new Random(own);
    const old = known.get(target.name) ?? [];
    const input = old.length > 0 && random.chance(0.1)
      ? random.mutate(random.pick(old))
      : target.generate(random);
    const failure = attempt(target, input, own);
    runs.set(target.name, (runs.get(target.name) ?? 0) + 1);
    if (failure) return { runs, failure: shrink(failure) };
  }
  return { runs, failure: null };
}

function corpusOf({ name }: Target): Uint8Array[] {
  return corpusFiles().filter((file) => file.startsWith(`${name}-`))
    .map((file) => Deno.readFileSync(new URL(file, CORPUS)));
}

/** Leaves out what the failure does not need. */
function shrink(failure: Failure): Failure {
  let smallest = failure;
  let attempts = 0;
  for (let piece = Math.ceil(failure.input.length / 2); piece > 0; piece = Math.floor(piece / 2)) {
    for (let at = 0; at < smallest.input.length && attempts < SHRINK_ATTEMPTS; attempts++) {
      const { input, target, seed } = smallest;
      const shorter = new Uint8Array(input.length - Math.min(piece, input.length - at));
      shorter.set(input.subarray(0, at));
      shorter.set(input.subarray(at + piece), at);
      const again = attempt(target, shorter, seed);
      if (again) smallest = again;
      else at += piece;
    }
  }
  return smallest;
}

/** Writes a failing input into the corpus, and returns the file's path. */
export function keep({ target, input }: Failure): string {
  const key = createHash("sha256").update(input).digest("hex").slice(0, 10);
  const file = new URL(`${target.name}-${key}.bin`, CORPUS);
  Deno.writeFileSync(file, input);
  return file.pathname;
}
