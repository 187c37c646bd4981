/**
 * When to flush.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { RIDE_INTERVAL_MS, RIDE_MS } from "../../src/live/limits.ts";
import { FLUSH_SHARE, FlushBudget, Pacer, type PacerSettings } from "../../src/live/play/pacer.ts";

const REALTIME: PacerSettings = {
  minLatency: true,
  mwLatencyMs: 100,
  mwMsgs: 0,
  sendMinIntervalMs: 0,
};

/** Flushes often enough for the average to be there. */
function warmUp(pacer: Pacer, costMs: number, startMs = 0): number {
  let now = startMs;
  for (let i = 0; i < 100; i++) {
    pacer.flushed(now, now + costMs);
    now += 1000;
  }
  return now;
}

Deno.test("realtime and cheap: every message goes out at once", () => {
  const pacer = new Pacer(REALTIME, new FlushBudget());
  assert.equal(pacer.delay(5, 1, 5), 0);
  for (let now = 10; now < 2000; now += 1.5) {
    assert.equal(pacer.delay(now, 1, now), 0);
    pacer.flushed(now, now + 0.4);
  }
  assert.equal(pacer.intervalMs, 0);
});

Deno.test("realtime and dear: the interval widens to keep to the share, up to mw_latency", () => {
  const cost = fc.double({ min: 0, max: 200, noNaN: true });
  const mwLatency = fc.integer({ min: 0, max: 500 });
  fc.assert(fc.property(cost, mwLatency, (cost, mwLatencyMs) => {
    const pacer = new Pacer({ ...REALTIME, mwLatencyMs }, new FlushBudget());
    const last = warmUp(pacer, cost) - 1000;
    const interval = pacer.intervalMs;
    assert.ok(interval >= 0 && interval <= mwLatencyMs);
    // Either all of the cost fits into the share, or the ceiling is reached, or it is below 1 ms.
    const needed = cost / FLUSH_SHARE;
    const expected = Math.min(mwLatencyMs, needed);
    assert.ok(expected < 1.001 ? interval < 1.001 : Math.abs(interval - expected) < 1e-3);
    // What is waited is what is left of it, and it is over then.
    const wait = pacer.delay(last + 1, 1, last + 1);
    const whole = 2 * cost <= mwLatencyMs - 1e-3 ? mwLatencyMs - cost : mwLatencyMs;
    const left = Math.min(interval - 1, whole);
    if (Math.abs(2 * cost - mwLatencyMs) > 1e-3) {
      assert.ok(wait === 0 ? left < 1.001 : Math.abs(wait - left) < 1e-3);
    }
    assert.equal(pacer.delay(last + interval, 1, last), 0);
  }));
});

Deno.test("realtime: the last player of a flush has a message within mw_latency, if that can be had", () => {
  const pacer = new Pacer({ ...REALTIME, mwLatencyMs: 100 }, new FlushBudget());
  const last = warmUp(pacer, 45) - 1000;
  const wait = pacer.delay(last + 60, 1, last + 10);
  assert.ok(wait > 0 && Math.abs(wait + 60 - 10 + 45 - 100) < 1e-3, `${wait}`);
  const dear = new Pacer({ ...REALTIME, mwLatencyMs: 100 }, new FlushBudget());
  const before = warmUp(dear, 80) - 1000;
  assert.ok(Math.abs(dear.delay(before + 60, 1, before + 60) - 40) < 1e-3);
});

Deno.test("no message waits longer than mw_latency, and no wait is negative", () => {
  const settings = fc.record({
    minLatency: fc.boolean(),
    mwLatencyMs: fc.nat(500),
    mwMsgs: fc.nat(128),
    sendMinIntervalMs: fc.constant(0),
  });
  const flush = fc.record({ cost: fc.nat(300), pause: fc.nat(50), unsent: fc.nat(200) });
  fc.assert(fc.property(settings, fc.array(flush), (settings, flushes) => {
    const pacer = new Pacer(settings, new FlushBudget());
    let now = 0;
    for (const { cost, pause, unsent } of flushes) {
      const age = Math.min(now, pause);
      const wait = pacer.delay(now, 1 + unsent, now - age);
      // Timestamps with fractions do not add up to the last bit.
      const limit = Math.max(0, settings.mwLatencyMs - age) + 1e-6;
      assert.ok(wait >= 0 && wait <= limit, `waits ${wait}`);
      now += wait;
      pacer.flushed(now, now + cost);
      now += cost + pause;
    }
  }));
});

Deno.test("streams share one budget, and give it back when they stop", () => {
  const budget = new FlushBudget();
  const pacers = [2, 3, 5].map((cost) => {
    const pacer = new Pacer(REALTIME, budget);
    warmUp(pacer, cost);
    return pacer;
  });
  for (const pacer of pacers) assert.ok(Math.abs(pacer.intervalMs - 10 / FLUSH_SHARE) < 1e-6);
  pacers[2].stop();
  assert.ok(Math.abs(pacers[0].intervalMs - 5 / FLUSH_SHARE) < 1e-6);
  pacers[0].stop();
  pacers[0].stop();
  pacers[1].stop();
  assert.ok(Math.abs(budget.total) < 1e-9);
});

Deno.test("a simulated core spends its share on flushing, and no more", () => {
  const budget = new FlushBudget();
  const costs = [4, 1, 7];
  const pacers = costs.map(() => new Pacer(REALTIME, budget));
  const unsent = costs.map(() => 0);
  const oldest = costs.map(() => 0);
  let spent = 0;
  let now = 0;
  const end = 20_000;
  for (let arrival = 0; now < end;) {
    if (arrival <= now) {
      unsent.forEach((count, i) => {
        if (count === 0) oldest[i] = now;
        unsent[i]++;
      });
      arrival += 5;
    }
    pacers.forEach((pacer, i) => {
      if (unsent[i] === 0 || pacer.delay(now, unsent[i], oldest[i]) > 0) return;
      pacer.flushed(now, now + costs[i]);
      now += costs[i];
      spent += costs[i];
      unsent[i] = 0;
    });
    now += 1;
  }
  const share = spent / now;
  assert.ok(share <= FLUSH_SHARE + 0.02, `takes ${share}`);
  assert.ok(share > FLUSH_SHARE / 2, `takes ${share}, waits for nothing`);
});

Deno.test("sound rides with pictures once flushing costs something, and never waits long", () => {
  const budget = new FlushBudget();
  const pacer = new Pacer(REALTIME, budget);
  assert.equal(pacer.delay(0, 1, 0, true), 0, "while it costs nothing sound goes at once");
  budget.total = RIDE_INTERVAL_MS * FLUSH_SHARE;
  assert.equal(pacer.delay(0, 1, 0, true), 0, "up to the limit too");
  budget.total = 2 * RIDE_INTERVAL_MS * FLUSH_SHARE;
  pacer.flushed(0, 0);
  assert.equal(pacer.delay(20, 1, 20, true), RIDE_MS);
  assert.equal(
    pacer.delay(40, 2, 20, false),
    0,
    "a picture goes at once, and takes the sound along",
  );
  assert.equal(pacer.delay(20 + RIDE_MS, 3, 20, true), 0);
  const strict = new Pacer({ ...REALTIME, mwLatencyMs: 30 }, budget);
  assert.equal(strict.delay(20, 1, 20, true), 30, "mw_latency is a ceiling here too");
});

Deno.test("min_latency off: the oldest message waits for mw_latency", () => {
  const pacer = new Pacer({ ...REALTIME, minLatency: false, mwMsgs: 8 }, new FlushBudget());
  assert.equal(pacer.intervalMs, 100);
  assert.equal(pacer.delay(1000, 1, 1000), 100);
  assert.equal(pacer.delay(1060, 50, 1000), 40);
  assert.equal(pacer.delay(1100, 50, 1000), 0);
  assert.equal(pacer.delay(9000, 50, 1000), 0);
});

Deno.test("realtime with mw_msgs: more than that many, or mw_latency", () => {
  const pacer = new Pacer({ ...REALTIME, mwMsgs: 3 }, new FlushBudget());
  assert.equal(pacer.delay(0, 3, 0), 100);
  assert.equal(pacer.delay(30, 3, 0), 70);
  assert.equal(pacer.delay(30, 4, 0), 0);
  assert.equal(pacer.delay(100, 1, 0), 0);
});

Deno.test("send_min_interval goes before everything else", () => {
  const pacer = new Pacer({ ...REALTIME, sendMinIntervalMs: 12.5 }, new FlushBudget());
  assert.equal(pacer.intervalMs, 12.5);
  assert.equal(pacer.delay(0, 1, 0), 0);
  pacer.flushed(1000, 1001);
  assert.equal(pacer.delay(1002, 1, 1002), 10.5);
  assert.equal(pacer.delay(1002, 500, 0), 10.5);
  assert.equal(pacer.delay(1012.5, 1, 1012), 0);
});

Deno.test("a stream that has stopped costs the others nothing", () => {
  const budget = new FlushBudget();
  const pacer = new Pacer(REALTIME, budget);
  warmUp(pacer, 10);
  assert.ok(Math.abs(pacer.intervalMs - 10 / FLUSH_SHARE) < 0.1, `${pacer.intervalMs} ms`);
  pacer.stop();
  assert.equal(budget.total, 0);
});
