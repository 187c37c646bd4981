/**
 * Players that do not keep up, pause, or want only so much.
 * @module
 */

import assert from "node:assert/strict";
import { MAX_LOG_BYTES } from "../../src/live/limits.ts";
import type { FakePlayer } from "./support/fake_player.ts";
import { payloads, words } from "./support/live_fixture.ts";
import { HEADERS, playing, Scene, taken } from "./support/live_scene.ts";

// ---- queue_length

/** GOPs of one second each, one after the other, ids from 10 on. */
function gops(scene: Scene, count: number): void {
  for (let i = 0; i < count; i++) {
    scene.publish("K10 P11 P12 P13 P14", 200);
    scene.live.tick();
  }
}

Deno.test("a player that lags too much goes on at the newest keyframe", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const slow = scene.join({ fast: false });
  const good = scene.join();
  slow.drain();
  slow.take();
  good.take();
  for (let i = 0; i < 4; i++) scene.publish("K10 P11 P12 P13 P14", 200);
  scene.publish("K20 P21 K30 P31");
  slow.drain();
  assert.equal(slow.player.jumps, 1);
  // What was in flight came through, then the newest keyframe.
  assert.equal(taken(slow), "K10 K30 P31");
  assert.equal(slow.player.droppedMessages, 19 + 2);
  assert.equal(good.take().length, 20 + 4);
  assert.equal(good.player.jumps, 0);
});

/** A second of frames each, audio and video `apartMs` from one another. */
function apart(scene: Scene, seconds: number, apartMs: number): void {
  for (let i = 0; i < 25 * seconds; i++) {
    scene.time += 40;
    scene.clock.advance(40);
    const { publisher, time } = scene;
    publisher.video(time, i % 25 === 0 ? payloads.keyframe(10) : payloads.frame(11));
    publisher.audio(time + apartMs, payloads.audio(12));
    if (i % 25 === 24) scene.live.tick();
  }
}

Deno.test("F1: tracks that are 40 s apart are no lag of 40 s", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const player = scene.join({ fast: false });
  for (let i = 0; i < 5; i++) {
    apart(scene, 1, 40_000);
    const { mostMs } = scene.live.lag(0);
    assert.ok(mostMs <= 1000, `${mostMs} ms`);
    player.drain();
  }
  assert.equal(player.player.jumps, 0);
  // It does lag now, by what it has not had.
  apart(scene, 5, 40_000);
  player.drain();
  assert.equal(player.player.jumps, 1);
});

Deno.test("F1: a player that is at metadata lags by the frames behind them, whatever their own time", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const player = scene.join({ fast: false });
  apart(scene, 1, 40_000);
  player.drain();
  const { publisher, time } = scene;
  publisher.video(time + 40, payloads.frame(1));
  publisher.data(time + 40, payloads.metadata({ width: 2 }));
  publisher.audio(time + 40_040, payloads.audio(3));
  assert.ok(player.sink.inFlight > 0, "the frame has not gone, the metadata are next");
  const { mostMs } = scene.live.lag(0);
  assert.ok(mostMs < 1000, `${mostMs} ms`);
});

Deno.test("F1: what comes faster than the clock is a lag by its own track's time", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const player = scene.join({ fast: false });
  for (let i = 0; i <= 200; i++) {
    scene.publisher.video(1000 + 40 * i, i === 0 ? payloads.keyframe(10) : payloads.frame(11));
    scene.publisher.audio(41_000 + 40 * i, payloads.audio(12));
  }
  const { mostMs } = scene.live.lag(0);
  assert.ok(mostMs >= 7000 && mostMs <= 8000, `${mostMs} ms`);
  scene.live.tick();
  assert.equal(player.player.waiting || player.player.jumps > 0, true);
});

Deno.test("a joiner whose GOP is longer than queue_length gets all of it", () => {
  const scene = playing(`${HEADERS} K10`, { queueLengthMs: 3000, gopCache: true });
  for (let i = 0; i < 20; i++) scene.publish("P11 P12", 250);
  const joiner = scene.join({ fast: false });
  scene.live.tick();
  scene.publish("P13 P14", 250);
  joiner.drain();
  assert.equal(joiner.player.jumps, 0);
  assert.equal(joiner.take().length, 3 + 1 + 40 + 2);
  // Once it has caught up it is a player like any other.
  joiner.sink.fast = false;
  for (let i = 0; i < 20; i++) scene.publish("P15 P16", 250);
  scene.live.tick();
  assert.equal(joiner.player.jumps, 1);
});

Deno.test("a player that lags less loses nothing", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  slow.take();
  gops(scene, 3);
  scene.clock.advance(200);
  slow.drain();
  assert.equal(slow.player.jumps, 0);
  assert.equal(slow.take().length, 15);
});

Deno.test("headers that changed in what was left out are sent again, others are not", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  gops(scene, 1);
  slow.take();
  scene.publish("VH2 AH2");
  gops(scene, 4);
  slow.drain();
  assert.equal(slow.player.jumps, 1);
  const [first, second, third, ...rest] = slow.take();
  assert.equal(words([first, second, third]), "M AH2 VH2");
  assert.equal(words(rest.slice(0, 1)), "K10");
  assert.ok(rest.every(({ payload }) => payload[1] === 1), "no header twice");
});

Deno.test("when no keyframe is recent the player waits for one", () => {
  const scene = playing(`${HEADERS} K1`, { queueLengthMs: 1000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  slow.take();
  for (let i = 0; i < 4; i++) {
    scene.publish("P2 P3", 400);
    scene.live.tick();
  }
  assert.ok(slow.player.waiting);
  assert.equal(slow.player.lagMs, 0);
  slow.drain();
  assert.equal(taken(slow), "P2");
  scene.publish("P4 A5");
  slow.drain();
  assert.equal(taken(slow), "");
  scene.publish("K6 P7");
  slow.drain();
  assert.equal(taken(slow), "K6 P7");
  assert.ok(!slow.player.waiting);
  assert.equal(slow.player.droppedMessages, 7 + 2);
});

Deno.test("a keyframe that is itself too old is none to go on from", () => {
  const scene = playing(HEADERS, { queueLengthMs: 1000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  slow.take();
  scene.publish("P1 P2 K3 P4 P5 P6", 400);
  slow.drain();
  assert.ok(slow.player.waiting);
  scene.publish("K7");
  slow.drain();
  assert.equal(taken(slow), "P1 K7");
});

Deno.test("sound alone needs no keyframe: the player goes on at the head", () => {
  const scene = playing("M AH1", { queueLengthMs: 1000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  slow.take();
  scene.publish("A1 A2 A3 A4 A5", 400);
  slow.drain();
  assert.equal(slow.player.jumps, 1);
  scene.publish("A6");
  slow.drain();
  assert.equal(taken(slow), "A1 A6");
});

Deno.test("a player that waits for a keyframe goes on when the stream has become audio only", () => {
  const scene = playing(`${HEADERS} K1`, { queueLengthMs: 1000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  scene.publish("P2 P3 P4 P5 P5", 400);
  slow.drain();
  assert.ok(slow.player.waiting);
  slow.take();
  for (let i = 0; i < 1500; i++) scene.publish("A6", 20);
  assert.ok(slow.player.waiting);
  scene.publish("A7 A8", 20);
  slow.drain();
  assert.equal(taken(slow), "A7 A8");
});

Deno.test("the same when the next publisher has no pictures, only their header", () => {
  const scene = playing(`${HEADERS} K1`, { queueLengthMs: 1000 });
  const slow = scene.join({ fast: false });
  slow.drain();
  scene.publish("P2 P3 P4 P5 P5", 400);
  slow.drain();
  assert.ok(slow.player.waiting);
  scene.publisher.stop();
  slow.take();
  scene.publisher.start();
  scene.publish("M AH2 VH2");
  for (let i = 0; i < 160; i++) scene.publish("A6", 20);
  slow.drain();
  const received = slow.take();
  assert.equal(words(received.slice(0, 4)), "M AH2 VH2 A6");
  // A header alone does not make it one with pictures again.
  scene.publish("VH2 A7 A8 A9", 400);
  slow.player.drop();
  assert.ok(!slow.player.waiting);
});

Deno.test("a stalled or paused player does not keep more than queue_length in memory", () => {
  for (const stall of ["busy", "paused"]) {
    const scene = playing(HEADERS, { queueLengthMs: 2000 });
    const slow = scene.join({ fast: false });
    slow.drain();
    if (stall === "paused") slow.player.pause(true);
    let largest = 0;
    for (let second = 0; second < 30; second++) {
      for (let i = 0; i < 10; i++) {
        scene.time += 100;
        scene.clock.advance(100);
        const id = i === 0 ? payloads.keyframe(1, 50_000) : payloads.frame(2, 50_000);
        scene.publisher.video(scene.time, id);
      }
      scene.live.tick();
      largest = Math.max(largest, scene.live.log.bytes);
    }
    // 500 kB a second: three seconds, and what segments waste.
    assert.ok(largest < 3_000_000, `${stall}: ${largest} bytes held`);
  }
});

Deno.test("nor when send_min_interval is too long for the stream", () => {
  const scene = playing(HEADERS, { queueLengthMs: 2000, sendMinIntervalMs: 500 });
  const player = scene.join();
  let largest = 0;
  for (let second = 0; second < 30; second++) {
    for (let i = 0; i < 10; i++) {
      scene.time += 100;
      scene.clock.advance(100);
      scene.publisher.video(scene.time, payloads.keyframe(1, 50_000));
    }
    scene.live.tick();
    largest = Math.max(largest, scene.live.log.bytes);
  }
  assert.ok(player.player.jumps > 0);
  assert.ok(largest < 3_000_000, `${largest} bytes held`);
});

Deno.test("more than MAX_LOG_BYTES: slow players lose their backlog, the others nothing", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3_600_000 });
  const slow = scene.join({ fast: false });
  let received = 0;
  const good = scene.join();
  good.sink.onSend = (bytes) => {
    received += bytes.length;
    good.sink.clear();
  };
  slow.drain();
  const size = 4_000_000;
  const count = 3 * Math.ceil(MAX_LOG_BYTES / size);
  for (let i = 0; i < count; i++) {
    scene.time += 40;
    scene.publisher.video(
      scene.time,
      i % 10 ? payloads.frame(i, size) : payloads.keyframe(i, size),
    );
    assert.ok(scene.live.log.bytes <= MAX_LOG_BYTES + size + 1024, "the log is bounded");
  }
  assert.ok(slow.player.jumps > 0);
  assert.equal(good.player.jumps, 0);
  assert.ok(received > count * size);
  slow.sink.complete();
});

Deno.test("more than MAX_LOG_BYTES in one GOP: joiners lose the GOP, players nothing", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true });
  // Never through at once, but soon: as sockets are on some systems.
  const player = scene.join({ fast: false });
  let messages = 0;
  const size = 4_000_000;
  for (let i = 0; i < 2 * Math.ceil(MAX_LOG_BYTES / size); i++) {
    player.drain();
    messages += player.take().length;
    scene.time += 40;
    scene.publisher.video(scene.time, payloads.frame(i, size));
    scene.publisher.audio(scene.time, payloads.audio(i));
  }
  player.drain();
  messages += player.take().length;
  assert.equal(player.player.jumps, 0);
  assert.equal(messages, 3 + 1 + 4 * Math.ceil(MAX_LOG_BYTES / size));
  assert.equal(taken(scene.join()), HEADERS);
});

// ---- pause and duration

Deno.test("a paused player gets nothing, then all that it missed", () => {
  const scene = playing(`${HEADERS} K1`);
  const player = scene.join();
  player.take();
  player.player.pause(true);
  scene.publish("P2 P3");
  assert.equal(taken(player), "");
  player.player.pause(false);
  assert.equal(taken(player), "P2 P3");
  scene.publish("P4");
  assert.equal(taken(player), "P4");
});

Deno.test("a player that was paused for long goes on at the newest keyframe", () => {
  const scene = playing(`${HEADERS} K1`, { queueLengthMs: 2000 });
  const player = scene.join();
  player.take();
  player.player.pause(true);
  // No tick in between: the player is behind when it is resumed.
  for (let i = 0; i < 20; i++) scene.publish("K10 P11 P12 P13 P14", 200);
  scene.publish("K20 P21");
  player.player.pause(false);
  assert.equal(taken(player), "K20 P21");
  assert.equal(player.player.jumps, 1);
});

Deno.test("duration: the end is told once, when that much has been sent", () => {
  const scene = playing(HEADERS);
  let ends = 0;
  const player = scene.join({ durationMs: 200, onEnd: () => ends++ });
  player.take();
  scene.publish("K1 P2 P3 P4 P5");
  assert.equal(ends, 0);
  scene.publish("P6");
  assert.equal(ends, 1);
  scene.publish("P7 P8 M P9");
  assert.equal(ends, 1);
});

Deno.test("F1: duration is measured on each track by itself", () => {
  const scene = playing(HEADERS);
  let ends = 0;
  scene.join({ durationMs: 2000, onEnd: () => ends++ });
  apart(scene, 1, 40_000);
  assert.equal(ends, 0);
  apart(scene, 1, 40_000);
  assert.equal(ends, 0);
  apart(scene, 1, 40_000);
  assert.equal(ends, 1);
});

Deno.test("duration: a GOP that the player gets first counts, but the end never comes in join", () => {
  const scene = playing(`${HEADERS} K1 P2 P3 P4 P5 P6 P7`, { gopCache: true });
  let player: FakePlayer | null = null;
  let ends = 0;
  player = scene.join({
    durationMs: 200,
    onEnd: () => {
      ends++;
      assert.ok(player, "join has returned");
      player.leave();
    },
  });
  assert.equal(ends, 0);
  scene.publish("P8");
  assert.equal(ends, 1);
  assert.equal(scene.live.playerCount, 0);
});

Deno.test("players may leave in the middle of a flush", () => {
  const scene = playing(HEADERS);
  const players: FakePlayer[] = [];
  for (let i = 0; i < 5; i++) {
    const durationMs = i % 2 ? 40 : 0;
    const player: FakePlayer = scene.join({ durationMs, onEnd: () => player.leave() });
    players.push(player);
    player.take();
  }
  scene.publish("K1 P2 P3");
  assert.deepEqual(players.map(taken), ["K1 P2 P3", "K1 P2", "K1 P2 P3", "K1 P2", "K1 P2 P3"]);
  assert.equal(scene.live.playerCount, 3);
});
