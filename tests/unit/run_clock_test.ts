/**
 * F5: the clock of deadlines stands still while the process does.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { BEAT_MS } from "../../src/net/limits.ts";
import { RunClock, within } from "../../src/net/run_clock.ts";

/** A clock whose real time the test sets. */
function scene(): { clock: RunClock; pass: (ms: number) => void } {
  let real = 5000;
  const clock = new RunClock(() => real);
  return { clock, pass: (ms) => void (real += ms) };
}

Deno.test("F5: a pause does not count, and the beat behind it says so, once", () => {
  const { clock, pass } = scene();
  clock.begin();
  const start = clock.now();
  pass(BEAT_MS);
  assert.equal(clock.beat(), true);
  pass(400);
  assert.equal(clock.now() - start, 1400);
  pass(9000);
  assert.equal(clock.now() - start, 1400, "whoever looks first sees no jump");
  pass(10);
  assert.equal(clock.beat(), false, "the sockets have not been read");
  assert.equal(clock.now() - start, 1410);
  pass(BEAT_MS);
  assert.equal(clock.beat(), true);
  pass(60_000);
  assert.equal(clock.beat(), false, "a pause that the beat sees first");
  assert.equal(clock.now() - start, 2410);
});

Deno.test("F5: a beat that is a little late counts, and without beats all of it does", () => {
  const { clock, pass } = scene();
  const start = clock.now();
  pass(60_000);
  assert.equal(clock.now() - start, 60_000);
  clock.begin();
  clock.begin();
  pass(BEAT_MS + 500);
  assert.equal(clock.beat(), true);
  assert.equal(clock.now() - start, 61_500);
  clock.end();
  pass(9000);
  assert.equal(clock.now() - start, 61_500, "one server still beats");
  clock.end();
  pass(9000);
  assert.equal(clock.now() - start, 70_500);
});

Deno.test("F5: the clock never goes back, and counts all but the pauses", () => {
  const step = fc.record({
    ms: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1501, max: 100_000 })),
    beats: fc.boolean(),
    looks: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { clock, pass } = scene();
    clock.begin();
    let last = clock.now();
    let sinceBeat = 0;
    for (const { ms, beats, looks } of steps) {
      const isPause = ms > 1500;
      if (!isPause && sinceBeat + ms > 1000) {
        clock.beat();
        sinceBeat = 0;
      }
      const before = clock.now();
      assert.ok(before >= last);
      pass(ms);
      sinceBeat += isPause ? 0 : ms;
      if (looks || isPause) assert.equal(clock.now() - before, isPause ? 0 : ms);
      if (beats || isPause) {
        assert.equal(clock.beat(), !isPause);
        sinceBeat = 0;
      }
      last = clock.now();
    }
  }));
});

Deno.test("F5: a timer that falls due by a pause runs on for what was left", async () => {
  let skew = 0;
  const clock = new RunClock(() => performance.now() + skew);
  clock.begin();
  let fired = 0;
  const begun = performance.now();
  const done = new Promise<void>((resolve) =>
    clock.after(60, () => {
      fired++;
      resolve();
    })
  );
  // A pause just before it is due: half of its time is left.
  setTimeout(() => {
    clock.now();
    skew += 9000;
  }, 30);
  clock.after(20, () => fired += 10)();
  await done;
  assert.equal(fired, 1, "once, and not the one that was cancelled");
  assert.ok(performance.now() - begun >= 58, "no sooner than that");
});

Deno.test("F5: a wait ends with what it waits for, or in its time", async () => {
  await within(60_000, Promise.resolve());
  await within(5, new Promise(() => {}));
});
