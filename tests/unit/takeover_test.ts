import assert from "node:assert/strict";
import { REVENGE_MS, STALLED_MS } from "../../src/live/limits.ts";
import { TakeoverRule } from "../../src/live/publication/takeover.ts";

Deno.test("takeover deny: nobody ever takes a stream over, not even a dead one", () => {
  const rule = new TakeoverRule("deny");
  assert.equal(rule.allows("10.0.0.2", 0, 1_000_000), false);
});

Deno.test("takeover if_stalled: only after 2 s of silence", () => {
  const rule = new TakeoverRule("if_stalled");
  assert.equal(rule.allows("10.0.0.2", 5000, 5000 + STALLED_MS - 1), false);
  assert.equal(rule.allows("10.0.0.2", 5000, 5000 + STALLED_MS), true);
});

Deno.test("takeover replace: the newcomer wins, and who was put out stays out while the other sends", () => {
  const rule = new TakeoverRule("replace");
  assert.equal(rule.allows("10.0.0.2", 1000, 1000), true);
  rule.evict("10.0.0.1", 1000);
  for (let now = 2000; now < 10 * REVENGE_MS; now += 5000) {
    assert.equal(rule.allows("10.0.0.1", now, now), false, `at ${now} ms`);
  }
});

Deno.test("takeover replace: who was put out may come back once the other has stalled, or long after", () => {
  const rule = new TakeoverRule("replace");
  rule.evict("10.0.0.1", 1000);
  assert.equal(rule.allows("10.0.0.1", 2000, 2000 + STALLED_MS), true);
  assert.equal(rule.allows("10.0.0.1", 1000 + REVENGE_MS, 1000 + REVENGE_MS), true);
});

Deno.test("takeover replace: a third encoder is not hit by the feud of two", () => {
  const rule = new TakeoverRule("replace");
  rule.evict("10.0.0.1", 1000);
  assert.equal(rule.allows("10.0.0.3", 1500, 1500), true);
});

Deno.test("takeover replace: so many addresses are remembered at most", () => {
  const rule = new TakeoverRule("replace");
  let most = 0;
  for (let i = 0; i < 1000; i++) {
    rule.evict(`10.0.${i >> 8}.${i & 255}`, 1000 + i);
    most = Math.max(most, rule.remembered(2000).length);
  }
  assert.equal(most, 64);
});
