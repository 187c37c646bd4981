/**
 * Seeds of tests with random parts: a failure says how to repeat it.
 * @module
 */

/** The environment variable that gives a seed. */
const VARIABLE = "SRS_EDGE_SEED";

/** Runs `work` with the seed that the environment gives, or a new one; what it throws tells the seed. */
export function withSeed<T>(work: (seed: number) => T): T {
  const given = Deno.env.get(VARIABLE);
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isInteger(seed)) throw new Error(`${VARIABLE}=${given} is no whole number`);
  try {
    const result = work(seed);
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => fail(error, seed)) as T;
  } catch (error) {
    return fail(error, seed);
  }
}

function fail(error: unknown, seed: number): never {
  // The first failure knows best: a part of a test may have a seed of its own.
  if (error instanceof Error && error.message.includes(VARIABLE)) throw error;
  const text = error instanceof Error ? error.message : String(error);
  throw new Error(`${text}\nto repeat it: ${VARIABLE}=${seed}`, { cause: error });
}
