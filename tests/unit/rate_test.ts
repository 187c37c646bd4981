/**
 * The 30 s rates.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { SAMPLE_INTERVAL_MS, WINDOW_MS } from "../../src/stats/limits.ts";
import { RateSampler } from "../../src/stats/kbps.ts";

Deno.test("rates are 0 for the first 30 s, then the average of the last full window", () => {
  const rate = new RateSampler(1000);
  for (let t = SAMPLE_INTERVAL_MS; t < WINDOW_MS; t += SAMPLE_INTERVAL_MS) {
    rate.sample(1000 + t, t * 125, t * 250);
    assert.deepEqual(rate.kbps, { recv30s: 0, send30s: 0 });
  }
  rate.sample(31_000, 30_000 * 125, 30_000 * 250);
  assert.deepEqual(rate.kbps, { recv30s: 1000, send30s: 2000 });
  // Silence shows when the next window is full, and not before.
  rate.sample(34_000, 30_000 * 125, 30_000 * 250);
  assert.deepEqual(rate.kbps, { recv30s: 1000, send30s: 2000 });
  rate.sample(61_000, 30_000 * 125, 30_000 * 250);
  assert.deepEqual(rate.kbps, { recv30s: 0, send30s: 0 });
});

Deno.test("counters need not start at 0", () => {
  const rate = new RateSampler(0, 5000, 7000);
  rate.sample(WINDOW_MS, 5000 + 30_000, 7000);
  assert.deepEqual(rate.kbps, { recv30s: 8, send30s: 0 });
});

Deno.test("a steady rate is found whatever the moments of sampling", () => {
  const steps = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 50 });
  fc.assert(fc.property(steps, fc.integer({ min: 0, max: 100_000 }), (steps, bytesPerMs) => {
    const rate = new RateSampler(0);
    let now = 0;
    for (const step of steps) {
      now += step;
      rate.sample(now, now * bytesPerMs, now * 2 * bytesPerMs);
    }
    // A window is closed by the first sample at or after its end.
    const expected = now < WINDOW_MS ? 0 : bytesPerMs * 8;
    assert.deepEqual(rate.kbps, { recv30s: expected, send30s: 2 * expected });
  }));
});

Deno.test("a clock that is set back starts a new window and keeps the figures", () => {
  const rate = new RateSampler(100_000);
  rate.sample(130_000, 30_000, 30_000);
  rate.sample(50_000, 40_000, 40_000);
  assert.deepEqual(rate.kbps, { recv30s: 8, send30s: 8 });
  rate.sample(80_000, 40_000 + 60_000, 40_000);
  assert.deepEqual(rate.kbps, { recv30s: 16, send30s: 0 });
});
