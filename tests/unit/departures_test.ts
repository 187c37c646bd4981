/**
 * F8: the on_unpublish calls under way, and who waits for them.
 * @module
 */

import assert from "node:assert/strict";
import { Departures } from "../../src/access/departures.ts";

/** ms that no wait of these tests may take. */
const LONG_MS = 60_000;

/** Whether a promise has settled once everything else has run that can. */
async function settled(promise: Promise<void>): Promise<boolean> {
  let over = false;
  void promise.then(() => over = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  return over;
}

Deno.test("departures: a stream's newcomer waits for all of them, and for no other stream's", async () => {
  const departures = new Departures();
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  departures.add("a", one.promise);
  departures.add("a", two.promise);
  const wait = departures.delivered("a", LONG_MS);
  assert.equal(await settled(departures.delivered("b", LONG_MS)), true);
  assert.equal(await settled(wait), false);
  one.resolve();
  assert.equal(await settled(wait), false, "one is still under way");
  assert.equal(await settled(departures.delivered("a", LONG_MS)), false, "for who asks now, too");
  assert.equal(departures.size, 1);
  two.resolve();
  assert.equal(await settled(wait), true);
  assert.equal(departures.size, 0, "nothing is kept");
});

Deno.test("departures: one that fails is over too", async () => {
  const departures = new Departures();
  const call = Promise.withResolvers<void>();
  departures.add("a", call.promise);
  const wait = departures.delivered("a", LONG_MS);
  call.reject(new Error("the hook server is gone"));
  assert.equal(await settled(wait), true);
  assert.equal(departures.size, 0);
});

Deno.test("departures: one that begins when the last has ended is waited for", async () => {
  const departures = new Departures();
  const first = Promise.withResolvers<void>();
  departures.add("a", first.promise);
  first.resolve();
  await first.promise;
  const second = Promise.withResolvers<void>();
  departures.add("a", second.promise);
  assert.equal(await settled(departures.delivered("a", LONG_MS)), false);
  second.resolve();
  assert.equal(await settled(departures.delivered("a", LONG_MS)), true);
  assert.equal(departures.size, 0);
});

Deno.test("departures: a wait that is over leaves no timer running", async () => {
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const running = new Set<unknown>();
  globalThis.setTimeout = ((task: () => void, ms?: number) => {
    const id = set(task, ms);
    if (ms === LONG_MS) running.add(id);
    return id;
  }) as typeof setTimeout;
  globalThis.clearTimeout = (id) => {
    running.delete(id);
    clear(id);
  };
  try {
    const departures = new Departures();
    const call = Promise.withResolvers<void>();
    departures.add("a", call.promise);
    const wait = departures.delivered("a", LONG_MS);
    assert.equal(running.size, 1);
    call.resolve();
    await wait;
    assert.equal(running.size, 0);
  } finally {
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  }
});

Deno.test("departures: nobody waits longer than it says", async () => {
  const departures = new Departures();
  const never = Promise.withResolvers<void>();
  departures.add("a", never.promise);
  await departures.delivered("a", 10);
  assert.equal(departures.size, 1);
  never.resolve();
  await departures.delivered("a", LONG_MS);
  assert.equal(await settled(never.promise), true);
});
