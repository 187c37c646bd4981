/**
 * Faults in timers, promises, microtasks and the like.
 * @module
 */

/** How many places `throwEverywhere` throws in. */
export const PLACES = 6;

/** Throws wherever a runtime calls without anybody of ours on the stack. */
export function throwEverywhere(who: string): void {
  const fail = (where: string) => {
    throw new Error(`${who}: ${where}`);
  };
  setTimeout(() => fail("a timer"), 1);
  const interval = setInterval(() => {
    clearInterval(interval);
    fail("an interval");
  }, 1);
  queueMicrotask(() => fail("a microtask"));
  setImmediate(() => fail("an immediate"));
  void Promise.resolve().then(() => fail("a promise"));
  void (async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    fail("an async function");
  })();
}
