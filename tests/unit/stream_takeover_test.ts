/**
 * Two publishers, one stream (`publish { takeover }`).
 * @module
 */

import assert from "node:assert/strict";
import type { EdgeConfig, Takeover } from "../../src/config/types.ts";
import { REVENGE_MS, STALLED_MS } from "../../src/live/limits.ts";
import { FakePlayer } from "./support/fake_player.ts";
import { FakePublisher, Fixture, payloads, vhostOf, words } from "./support/live_fixture.ts";

/** A stream with that policy, and two encoders at different addresses that want it. */
function scene(takeover: Takeover) {
  const fixture = new Fixture();
  const { publish } = vhostOf();
  const live = fixture.stream({}, { publish: { ...publish, takeover } });
  const a = new FakePublisher(live);
  const b = new FakePublisher(live);
  b.address = "10.0.0.2";
  return { clock: fixture.clock, live, a, b };
}

/** The encoder has sent its last bytes now. */
function silent(publisher: FakePublisher, nowMs: number): void {
  publisher.lastBytesAt = nowMs;
}

Deno.test("takeover deny: the second is refused even if the first is silent", () => {
  const { clock, a, b } = scene("deny");
  assert.equal(a.start(), true);
  silent(a, clock.now());
  clock.advance(60_000);
  assert.equal(b.start(), false);
  assert.equal(a.replacements, 0);
});

Deno.test("takeover if_stalled: refused while the first sends, taken over after 2 s of silence", () => {
  const { clock, live, a, b } = scene("if_stalled");
  a.start();
  silent(a, clock.now());
  clock.advance(STALLED_MS - 1);
  assert.equal(b.start(), false);
  clock.advance(1);
  assert.equal(b.start(), true);
  assert.equal(a.replacements, 1);
  assert.equal(live.active, true);
});

Deno.test("takeover replace: the first is told and closed, the players go on with the second", () => {
  const { live, a, b } = scene("replace");
  a.start();
  a.headers(1);
  a.video(40, payloads.keyframe(1));
  const player = new FakePlayer(live);
  player.take();
  assert.equal(b.start(), true);
  assert.equal(a.replacements, 1);
  b.headers(2);
  b.video(0, payloads.keyframe(2));
  assert.equal(words(player.take()), "M AH2 VH2 K2");
});

Deno.test("takeover replace: two encoders that fight do not make players flap", () => {
  const { clock, live, a, b } = scene("replace");
  a.start();
  b.start();
  // Both reconnect whenever they are put out or refused, as OBS does.
  let changes = 0;
  for (let now = 0; now < 10 * REVENGE_MS; now += 3000) {
    clock.advance(3000);
    b.lastBytesAt = clock.now();
    if (a.start()) changes++;
  }
  assert.equal(changes, 0);
  assert.equal(b.replacements, 0);
  assert.equal(live.active, true);
});

Deno.test("takeover replace: who lost the fight gets the stream when the other falls silent", () => {
  const { clock, a, b } = scene("replace");
  a.start();
  b.start();
  silent(b, clock.now());
  clock.advance(STALLED_MS);
  assert.equal(a.start(), true);
  assert.equal(b.replacements, 1);
});

Deno.test("F8: before a newcomer is asked about, a stalled publisher is ended and a healthy one is not", () => {
  for (const policy of ["deny", "if_stalled", "replace"] as const) {
    const { clock, live, a, b } = scene(policy);
    assert.deepEqual(live.clear(b.address), { kept: false, present: false }, "nobody publishes");
    a.start();
    silent(a, clock.now());
    clock.advance(STALLED_MS - 1);
    const kept = policy !== "replace";
    assert.deepEqual(live.clear(b.address), { kept, present: true }, policy);
    assert.equal(a.replacements, 0, "whoever it is may be a stranger");
    clock.advance(1);
    const ended = policy !== "deny";
    assert.deepEqual(live.clear(b.address), { kept: !ended, present: !ended }, policy);
    assert.equal(a.replacements, ended ? 1 : 0);
    assert.equal(live.active, !ended);
  }
});

Deno.test("F8: replace: who was put out is refused before hooks are asked, as long as the other sends", () => {
  const { clock, live, a, b } = scene("replace");
  a.start();
  silent(a, clock.now());
  b.start();
  silent(b, clock.now());
  assert.deepEqual(live.clear(a.address), { kept: true, present: true });
  assert.deepEqual(live.clear("10.0.0.3"), { kept: false, present: true });
  assert.equal(b.replacements, 0);
});

Deno.test("F8: at an edge clients that publish upwards make way, the pull does not", () => {
  const origins = [{ host: "127.0.0.1", port: null }];
  const fixture = new Fixture();
  const { publish } = vhostOf();
  for (const takeover of ["deny", "if_stalled", "replace"] as const) {
    const edge: EdgeConfig = {
      origins,
      protocol: "rtmp",
      followClient: false,
      tokenTraverse: false,
      takeover,
      vhost: "[vhost]",
      debugUpnode: false,
    };
    const live = fixture.stream({}, { edge, publish: { ...publish, takeover: "deny" } });
    const pull = new FakePublisher(live);
    pull.start();
    silent(pull, fixture.clock.now());
    const uplink = () => {
      const client = {
        lastBytesAt: fixture.clock.now(),
        ended: 0,
        replaced() {
          this.ended++;
          live.removeUplink(this);
        },
      };
      live.addUplink(client);
      return client;
    };
    const stalled = uplink();
    fixture.clock.advance(STALLED_MS);
    const healthy = uplink();
    assert.deepEqual(live.clear("10.0.0.2"), { kept: false, present: true });
    assert.equal(stalled.ended, takeover === "deny" ? 0 : 1, takeover);
    const next = uplink();
    live.replaceUplinks(next);
    assert.deepEqual([healthy.ended, next.ended], [takeover === "replace" ? 1 : 0, 0], takeover);
    assert.equal(pull.replacements, 0);
  }
});
