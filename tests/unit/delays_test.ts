/**
 * What is counted of delays and dropped GOPs.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ShortWindow } from "../../src/stats/short_window.ts";
import { DELAY_BOUNDS_MS, DelayHistogram, quantileMs } from "../../src/live/delay_histogram.ts";
import { LoopLag } from "../../src/stats/loop_lag.ts";
import { FakeTime } from "./support/fake_time.ts";
import { HEADERS, playing, type Scene } from "./support/live_scene.ts";

/** Delays counted so far, by bucket; the empty ones left out. */
function counted({ live }: Scene): Record<string, number> {
  const buckets: Record<string, number> = {};
  live.stats.delays.counts.forEach((count, i) => {
    if (count > 0) buckets[String(DELAY_BOUNDS_MS[i] ?? "more")] = count;
  });
  return buckets;
}

function total({ counts }: DelayHistogram): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

Deno.test("delays: the bound belongs to its bucket, what is negative is none", () => {
  const histogram = new DelayHistogram();
  for (const delay of [-1, 0, 0.25, 0.26, 30_000, 30_001]) histogram.add(delay);
  assert.equal(histogram.counts[0], 3);
  assert.equal(histogram.counts[1], 1);
  assert.equal(histogram.counts[15], 1);
  assert.equal(histogram.counts[16], 1);
  assert.equal(Math.round(histogram.sumMs * 100), 6_000_151);
});

Deno.test("delays: a row of players is counted as each of them would be", () => {
  const ms = fc.double({ min: 0, max: 40_000, noNaN: true });
  fc.assert(fc.property(ms, ms, fc.integer({ min: 1, max: 300 }), (a, b, count) => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    const together = new DelayHistogram();
    const single = new DelayHistogram();
    together.addEvenly(from, to, count);
    for (let i = 0; i < count; i++) single.add(from + (to - from) * (i + 0.5) / count);
    assert.equal(total(together), count);
    let difference = 0;
    for (let i = 0; i < together.counts.length; i++) {
      assert.ok(together.counts[i] >= 0 && Number.isInteger(together.counts[i]));
      difference += together.counts[i] - single.counts[i];
      assert.ok(Math.abs(difference) <= 1, "one next to a bound may be on either side");
    }
    assert.ok(Math.abs(together.sumMs - single.sumMs) <= 1e-6 * (1 + single.sumMs));
  }));
});

Deno.test("delays: quantiles lie within their bucket", () => {
  const histogram = new DelayHistogram();
  assert.equal(quantileMs(histogram.counts, 0.5), null);
  for (let i = 0; i < 98; i++) histogram.add(1.5);
  histogram.add(150);
  histogram.add(99_999);
  assert.equal(quantileMs(histogram.counts, 0.49), 1.5);
  assert.equal(quantileMs(histogram.counts, 0.99), 200);
  assert.equal(quantileMs(histogram.counts, 1), 30_000, "as far as is known");
});

Deno.test("delays: each message counts once for each player that it was handed to", () => {
  const scene = playing(HEADERS);
  const players = [scene.join(), scene.join(), scene.join()];
  scene.publish("K1 P2");
  assert.deepEqual(counted(scene), { "0.25": 6 });
  players[0].leave();
  scene.publish("P3");
  assert.deepEqual(counted(scene), { "0.25": 8 });
});

Deno.test("delays: what waits for mw_latency waits", () => {
  const scene = playing(HEADERS, { mwLatencyMs: 100 }, false);
  scene.clock.advance(100);
  scene.join();
  scene.join();
  scene.publish("K1 P2 P3", 30);
  scene.clock.advance(40);
  // 100, 70 and 40 ms, each for two players.
  assert.deepEqual(counted(scene), { "50": 2, "100": 4 });
  assert.equal(scene.live.stats.delays.sumMs, 2 * 210);
});

Deno.test("delays: a slow player's are counted when its socket takes them", () => {
  const scene = playing(HEADERS);
  const slow = scene.join({ fast: false });
  slow.drain();
  scene.publish("K1 P2 P3 P4", 40);
  assert.deepEqual(counted(scene), { "0.25": 1 }, "the first went out, the others wait");
  scene.clock.advance(30);
  slow.writable();
  // 110, 70 and 30 ms.
  assert.deepEqual(counted(scene), { "0.25": 1, "50": 1, "100": 1, "200": 1 });
});

Deno.test("delays: a joiner's cached GOP is no delay", () => {
  const scene = playing(`${HEADERS} K1 P2 P3`, { gopCache: true });
  const joiner = scene.join();
  assert.equal(joiner.take().length, 3 + 3);
  assert.deepEqual(counted(scene), {});
  scene.publish("P4");
  assert.deepEqual(counted(scene), { "0.25": 1 });
});

Deno.test("delays: with send_min_interval each message has its own", () => {
  const scene = playing(HEADERS, { sendMinIntervalMs: 100 });
  scene.clock.advance(1000);
  scene.join();
  scene.publish("K1 P2 P3", 10);
  scene.clock.advance(1000);
  assert.equal(total(scene.live.stats.delays), 3);
  assert.ok((quantileMs(scene.live.stats.delays.counts, 1) ?? 0) > 100);
});

Deno.test("dropped GOPs: each that a player has not had, whole or in part", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const slow = scene.join({ fast: false });
  const good = scene.join();
  slow.drain();
  for (let i = 0; i < 5; i++) scene.publish("K10 P11 P12 P13 P14", 200);
  slow.drain();
  // The rest of the first, three whole ones; it goes on with the fifth.
  assert.equal(slow.player.droppedGops, 4);
  assert.equal(good.player.droppedGops, 0);
  assert.equal(scene.live.stats.droppedGops, 4);
  assert.equal(scene.live.stats.droppedMessages, slow.player.droppedMessages);
  assert.equal(slow.player.droppedMessages, 19);
});

Deno.test("dropped GOPs: a player that waits for a keyframe has dropped one", () => {
  const scene = playing(`${HEADERS} K1`, { queueLengthMs: 1000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  scene.publish("P2 P3 P4 P5 P6", 400);
  slow.drain();
  assert.ok(slow.player.waiting);
  assert.equal(scene.live.stats.droppedGops, 1);
  scene.publish("K7");
  assert.equal(scene.live.stats.droppedGops, 1);
  assert.ok(scene.live.stats.droppedMessages >= 4);
});

Deno.test("lag: the farthest of all players, and how many are farther than a threshold", () => {
  const scene = playing(HEADERS, { queueLengthMs: 30_000 });
  const slow = scene.join({ fast: false });
  scene.join();
  slow.drain();
  scene.publish("K1 P2 P3 P4", 500);
  const lag = scene.live.lag(900);
  assert.equal(lag.players, 1);
  assert.ok(lag.mostMs >= 1000, `${lag.mostMs}`);
  slow.drain();
  assert.deepEqual(scene.live.lag(1000), { mostMs: 0, players: 0 });
});

Deno.test("short window: the last five seconds, and not those before", () => {
  const window = new ShortWindow();
  const delays = new DelayHistogram();
  const sample = (at: number, recvBytes: number, frames: number) =>
    window.sample(at, { recvBytes, sendBytes: 2 * recvBytes, frames, delays });
  sample(0, 0, 0);
  assert.equal(window.recent.fps, 0);
  delays.add(9000);
  sample(1000, 1_000_000, 500);
  assert.ok((window.recent.delayP99Ms ?? 0) > 5000);
  for (let i = 1; i <= 6; i++) {
    delays.add(0.2);
    sample(1000 + i * 1000, 1_000_000 + i * 125_000, 500 + 25 * i);
  }
  const { fps, recvKbps, sendKbps, delayP50Ms, delayP99Ms } = window.recent;
  assert.deepEqual([fps, recvKbps, sendKbps], [25, 1000, 2000]);
  assert.ok((delayP50Ms ?? 1) < 0.25 && (delayP99Ms ?? 1) <= 0.25);
});

/** ms between two looks of `LoopLag`, and how many of them are recent. */
const LOOK_MS = 250;
const RECENT_LOOKS = 20;

Deno.test("event-loop lag: a timer that cannot fire is late, by what it was late and for 5 s", () => {
  using time = new FakeTime();
  const loop = new LoopLag(time.clock);
  time.tick(LOOK_MS, 3);
  assert.equal(loop.recentMs, 0);
  assert.deepEqual([total(loop.lags), loop.lags.sumMs], [3, 0]);
  time.pass(700);
  time.tick(LOOK_MS);
  assert.equal(loop.recentMs, 700);
  time.pass(40);
  time.tick(LOOK_MS);
  assert.equal(loop.recentMs, 700, "the most of the last few");
  assert.deepEqual([total(loop.lags), loop.lags.sumMs], [5, 740]);
  time.tick(LOOK_MS, RECENT_LOOKS - 2);
  assert.equal(loop.recentMs, 700);
  time.tick(LOOK_MS);
  assert.equal(loop.recentMs, 40);
  time.tick(LOOK_MS);
  assert.equal(loop.recentMs, 0);
  assert.equal(time.timers, 1);
  loop.stop();
  assert.equal(time.timers, 0);
});
