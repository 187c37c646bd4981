/**
 * When a stream sends what it has, and in which pieces.
 * @module
 */

import assert from "node:assert/strict";
import { payloads, words } from "./support/live_fixture.ts";
import { HEADERS, playing, Scene, taken } from "./support/live_scene.ts";

Deno.test("realtime: every message goes out in its own turn, in one view for all", () => {
  const scene = playing(HEADERS);
  const players = [scene.join(), scene.join(), scene.join()];
  for (const player of players) player.take();
  scene.publish("K1");
  scene.publish("P2");
  const [first, ...others] = players;
  assert.equal(first.sink.views.length, 2);
  for (const other of others) {
    assert.ok(other.sink.views[0] === first.sink.views[0], "the same object");
    assert.ok(other.sink.views[1] === first.sink.views[1], "the same object");
  }
  assert.equal(scene.clock.pending, 0);
});

Deno.test("a flush over several segments shares its views as well", () => {
  const scene = new Scene({ mwLatencyMs: 100 }, false);
  const players = [scene.join(), scene.join(), scene.join()];
  scene.publisher.start();
  for (let i = 0; i < 8; i++) scene.publisher.video(i, payloads.keyframe(i, 30_000));
  scene.clock.advance(100);
  const [first, ...others] = players;
  assert.ok(first.sink.views.length > 1, "more than one segment");
  for (const other of others) {
    assert.equal(other.sink.views.length, first.sink.views.length);
    other.sink.views.forEach((view, i) => assert.ok(view === first.sink.views[i], "same object"));
  }
});

Deno.test("min_latency off: the oldest message waits for mw_latency, and all go together", () => {
  const scene = playing(HEADERS, { mwLatencyMs: 100 }, false);
  scene.clock.advance(100);
  const player = scene.join();
  player.take();
  scene.publish("K1 P2 P3", 30);
  scene.clock.advance(39);
  assert.equal(taken(player), "");
  scene.clock.advance(1);
  assert.equal(player.sink.views.length, 1);
  assert.equal(taken(player), "K1 P2 P3");
  // The tail of a stream does not wait for a message that never comes.
  scene.publish("P4");
  scene.clock.advance(100);
  assert.equal(taken(player), "P4");
  assert.equal(scene.clock.pending, 0);
});

Deno.test("realtime with mw_msgs: a flush for more than that many, or after mw_latency", () => {
  const scene = playing(HEADERS, { mwLatencyMs: 100, mwMsgs: 3 });
  scene.clock.advance(100);
  const player = scene.join();
  player.take();
  scene.publish("K1 P2 P3", 10);
  assert.equal(taken(player), "");
  scene.publish("P4", 10);
  assert.equal(taken(player), "K1 P2 P3 P4");
  assert.equal(scene.clock.pending, 0);
  scene.publish("P5", 10);
  scene.clock.advance(99);
  assert.equal(taken(player), "");
  scene.clock.advance(1);
  assert.equal(taken(player), "P5");
});

Deno.test("a joiner gets nothing twice when messages are waiting to be flushed", () => {
  for (const gopCache of [false, true]) {
    const scene = playing(`${HEADERS} K1 P2`, { mwLatencyMs: 1000, gopCache }, false);
    const player = scene.join();
    scene.publish("P3");
    scene.clock.advance(1000);
    assert.equal(taken(player), gopCache ? `${HEADERS} K1 P2 P3` : `${HEADERS} P3`);
  }
});

Deno.test("send_min_interval: one message per interval, and the tail in its time", () => {
  const scene = new Scene({ sendMinIntervalMs: 50 });
  const [player, other] = [scene.join(), scene.join()];
  scene.publisher.start();
  scene.publish("K1 P2 P3 P4", 1);
  assert.equal(taken(player), "K1");
  // P4 came 3 ms after K1 went.
  for (const [expected, wait] of [["P2", 47], ["P3", 50], ["P4", 50]] as const) {
    scene.clock.advance(wait - 1);
    assert.equal(taken(player), "");
    scene.clock.advance(1);
    assert.equal(taken(player), expected);
  }
  scene.clock.advance(500);
  scene.publish("P5 P6 P7", 1);
  scene.publisher.stop();
  scene.clock.advance(150);
  assert.equal(taken(player), "P5 P6 P7");
  assert.equal(taken(other), "K1 P2 P3 P4 P5 P6 P7");
  assert.equal(scene.clock.pending, 0);
});

Deno.test("send_min_interval holds for joiners, and no timer runs for those who are paused", () => {
  const scene = playing(`${HEADERS} K1 P2`, { sendMinIntervalMs: 50, gopCache: true });
  const player = scene.join();
  assert.equal(taken(player), HEADERS);
  scene.clock.advance(50);
  assert.equal(taken(player), "K1");
  player.player.pause(true);
  scene.clock.advance(200);
  assert.equal(taken(player), "");
  assert.equal(scene.clock.pending, 0);
  player.player.pause(false);
  scene.clock.advance(50);
  assert.equal(taken(player), "P2");
});

Deno.test("a stream that has stopped costs the others nothing", () => {
  for (const sendMinIntervalMs of [0, 50]) {
    const scene = new Scene({ sendMinIntervalMs });
    const player = scene.join();
    player.sink.onSend = () => scene.clock.advance(3);
    scene.publisher.start();
    scene.publish("K1 P2 P3 P4", 1);
    assert.ok(scene.budget.total > 0);
    scene.publisher.stop();
    scene.clock.advance(500);
    assert.equal(words(player.take()), "K1 P2 P3 P4");
    assert.ok(Math.abs(scene.budget.total) < 1e-9, `${scene.budget.total} ms left`);
  }
});

/** ms that flushing costs, so that messages go every 10 ms. */
const BUSY_MS = 5;

Deno.test("audio waits for video; the video does not wait for the audio's timer", () => {
  const scene = playing(`${HEADERS} K1`, { mwLatencyMs: 100 });
  const player = scene.join();
  scene.budget.total = BUSY_MS;
  scene.publish("P2", 40);
  player.take();
  // It would go after 50 ms, if no video came.
  scene.publish("A3", 2);
  scene.clock.advance(2);
  assert.equal(taken(player), "");
  scene.publish("P4", 2);
  assert.equal(scene.clock.pending, 1, "one timer");
  scene.clock.advance(3);
  assert.equal(taken(player), "");
  scene.clock.advance(1);
  assert.equal(taken(player), "A3 P4", "10 ms after the flush before");
  assert.equal(scene.clock.pending, 0);
});

Deno.test("a flush that is due is not put off by what comes meanwhile", () => {
  const scene = playing(`${HEADERS} K1`, { mwLatencyMs: 100 });
  const player = scene.join();
  scene.budget.total = BUSY_MS;
  scene.publish("P2", 40);
  player.take();
  scene.publish("P3", 2);
  // Flushing has become dear: another flush would not be due before 80 ms.
  scene.budget.total = 8 * BUSY_MS;
  scene.publish("P4", 2);
  scene.clock.advance(6);
  assert.equal(taken(player), "P3 P4");
  assert.equal(scene.clock.pending, 0);
});

Deno.test("a timer is not set anew for less than a millisecond", () => {
  for (const change of [-0.25, 0.25]) {
    const scene = playing(`${HEADERS} K1`, { mwLatencyMs: 100 });
    const player = scene.join();
    scene.budget.total = BUSY_MS;
    scene.publish("P2", 40);
    player.take();
    scene.publish("P3", 2);
    // Another flush would be due half a millisecond sooner, or later.
    scene.budget.total = BUSY_MS + change;
    scene.publish("P4", 2);
    scene.clock.advance(5.75);
    assert.equal(taken(player), "", `${change}`);
    scene.clock.advance(0.25);
    assert.equal(taken(player), "P3 P4", `${change}`);
  }
});
