import assert from "node:assert/strict";
import {
  LONG_REST_MS,
  MIN_GROWTH_BYTES,
  MIN_GROWTH_SHARE,
  RESTS_MS,
} from "../../src/runtime/limits.ts";
import { MemoryKeeper } from "../../src/runtime/memory_keeper.ts";

const MB = 1024 * 1024;

/** A process of 50 MB, and a collector that takes it down to `kept`. */
function scene() {
  const state = { resident: 50 * MB, kept: 50 * MB, collections: 0, now: 0 };
  const keeper = new MemoryKeeper(() => state.resident, () => {
    state.collections++;
    state.resident = state.kept;
  });
  const pass = (ms: number) => {
    for (const end = state.now + ms; state.now < end; state.now += 1000) keeper.tick(state.now);
    return state.collections;
  };
  return { state, pass };
}

/** Collections for one growth. */
const ROUND = RESTS_MS.length;

Deno.test("a burst is collected, and what stays is the new measure", () => {
  const { state, pass } = scene();
  assert.equal(pass(60_000), 0);
  state.resident = 200 * MB;
  state.kept = 70 * MB;
  assert.equal(pass(60_000), ROUND);
  assert.equal(state.resident, 70 * MB);
  state.resident += MIN_GROWTH_BYTES - 1;
  assert.equal(pass(60_000), ROUND);
});

Deno.test("what was in use at the first collection goes with a later one", () => {
  const { state, pass } = scene();
  pass(1000);
  state.resident = state.kept = 200 * MB;
  assert.equal(pass(1000), 1);
  state.kept = 50 * MB;
  pass(60_000);
  assert.equal(state.resident, 50 * MB);
});

Deno.test("what was in use for 20 s, in a second burst, goes as well", () => {
  const { state, pass } = scene();
  pass(1000);
  state.resident = state.kept = 200 * MB;
  pass(20_000);
  assert.equal(state.resident, 200 * MB);
  state.kept = 50 * MB;
  pass(20_000);
  assert.equal(state.resident, 50 * MB);
});

Deno.test("memory that is really used is not collected again and again", () => {
  const { state, pass } = scene();
  pass(1000);
  state.resident = state.kept = 300 * MB;
  assert.equal(pass(LONG_REST_MS), ROUND);
  state.resident = state.kept = 300 * MB * (1 + MIN_GROWTH_SHARE) - 1;
  const hours = 6;
  const more = pass(hours * 3_600_000) - ROUND;
  assert.ok(more <= hours * 3_600_000 / LONG_REST_MS, `${more} collections`);
});

Deno.test("what was in use for an hour goes as well", () => {
  const { state, pass } = scene();
  pass(1000);
  state.resident = state.kept = 300 * MB;
  pass(3_600_000);
  state.kept = 50 * MB;
  pass(LONG_REST_MS + 60_000);
  assert.equal(state.resident, 50 * MB);
  const collections = pass(0);
  assert.equal(pass(3_600_000), collections);
});

Deno.test("a burst before the first tick is seen", () => {
  const { state, pass } = scene();
  state.resident = 200 * MB;
  pass(1000);
  assert.equal(state.resident, 50 * MB);
});

Deno.test("growth that goes on is collected at most every few seconds", () => {
  const { state, pass } = scene();
  pass(1000);
  for (let second = 0; second < 60; second++) {
    state.resident = state.kept += 100 * MB;
    pass(1000);
  }
  assert.ok(state.collections >= 2 && state.collections <= 60_000 / RESTS_MS[0] + 1);
});

Deno.test("memory that has gone down by itself is measured from there", () => {
  const { state, pass } = scene();
  state.resident = state.kept = 300 * MB;
  pass(60_000);
  state.resident = 60 * MB;
  pass(10_000);
  state.resident = 60 * MB + MIN_GROWTH_BYTES;
  state.kept = 60 * MB;
  assert.ok(pass(10_000) > 0);
});
