/**
 * Players of FLV tags beside players of RTMP chunks: the same messages at the same times, whenever they
 * join and however slow they are.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { flvFileHeader, FlvTagReader } from "../../src/flv/flv_tag.ts";
import { Entry } from "../../src/live/log/broadcast_log.ts";
import { FLV_TAGS } from "../../src/live/play/flv_tags.ts";
import { FakePlayer, FakeSink, type Received } from "./support/fake_player.ts";
import { FakePublisher, Fixture, payloads, words } from "./support/live_fixture.ts";
import { HEADERS, playing, type Scene, taken } from "./support/live_scene.ts";
import { naiveFlv } from "./support/naive_flv.ts";

const OPTIONS = { durationMs: 0, multitrack: false, onEnd: () => {} };

/** A player of FLV tags. */
function joinFlv({ live }: Pick<Scene, "live">, fast = true, without = 0) {
  const sink = new FakeSink();
  sink.fast = fast;
  const player = live.join(sink, { ...OPTIONS, without }, FLV_TAGS);
  return {
    sink,
    player,
    /** Messages since the last time. */
    take(): Received[] {
      const tags = readFlv(sink.bytes);
      sink.clear();
      return tags;
    },
    drain() {
      while (sink.inFlight > 0) {
        sink.complete();
        player.writable();
      }
    },
  };
}

/** The tags in bytes without a file header; nothing may be left over. */
function readFlv(bytes: Uint8Array): Received[] {
  const reader = new FlvTagReader();
  reader.push(flvFileHeader(true, true));
  reader.push(bytes);
  const messages: Received[] = [];
  for (let tag = reader.next(); tag; tag = reader.next()) {
    messages.push({ type: tag.type, time: tag.timestamp, payload: tag.payload });
  }
  assert.deepEqual(naiveFlv(messages), bytes, "whole tags, with their sizes behind them");
  return messages;
}

Deno.test("FLV players get what RTMP players get, wherever they join, whatever the chunk size", () => {
  const message = fc.record({
    what: fc.constantFrom("frame", "frame", "audio", "keyframe", "header", "metadata", "data"),
    id: fc.nat(255),
    size: fc.integer({ min: 6, max: 1500 }),
    step: fc.integer({ min: 0, max: 40 }),
  });
  const settings = fc.record({
    gopCache: fc.boolean(),
    minLatency: fc.boolean(),
    chunkSize: fc.integer({ min: 128, max: 1000 }),
    // Up to the extended timestamp and beyond.
    start: fc.constantFrom(0, 0xfffff0, 0x7ffffff0),
  });
  fc.assert(
    fc.property(settings, fc.array(message, { maxLength: 60 }), fc.nat(60), (s, messages, join) => {
      const fixture = new Fixture();
      const play = { gopCache: s.gopCache, timeJitter: "off" as const };
      const vhost = { minLatency: s.minLatency, chunkSize: s.chunkSize };
      const live = fixture.stream(play, vhost);
      const publisher = new FakePublisher(live);
      publisher.start();
      publisher.headers();
      const early = joinFlv({ live });
      early.take();
      let time = s.start;
      let pair: { rtmp: FakePlayer; flv: ReturnType<typeof joinFlv> } | null = null;
      const earlyMessages: Received[] = [];
      for (const [index, { what, id, size, step }] of messages.entries()) {
        if (index === join) {
          pair = { rtmp: new FakePlayer(live), flv: joinFlv({ live }) };
        }
        time = (time + step) % 0x80000000;
        fixture.clock.advance(step);
        if (what === "data") publisher.data(time, payloads.data("onTextData", id));
        else if (what === "metadata") publisher.data(time, payloads.metadata({ width: id }));
        else if (what === "header") publisher.video(time, payloads.videoHeader(id));
        else if (what === "audio") publisher.audio(time, payloads.audio(id, size));
        else publisher.video(time, payloads[what === "frame" ? "frame" : "keyframe"](id, size));
      }
      fixture.clock.advance(1000);
      earlyMessages.push(...early.take());
      assert.equal(earlyMessages.length, messages.length, "the early one has all");
      if (!pair) return;
      const expected = pair.rtmp.take();
      assert.deepEqual(readFlv(pair.flv.sink.bytes), expected);
      assert.ok(Buffer.compare(pair.flv.sink.bytes, naiveFlv(expected)) === 0, "byte for byte");
    }),
    { numRuns: 150 },
  );
});

Deno.test("the first FLV player of a stream that has long been on gets headers and GOP at once", () => {
  const scene = playing(`${HEADERS} K1 P2 A3 K4 P5 A6`, { gopCache: true });
  const player = joinFlv(scene);
  const messages = player.take();
  assert.equal(words(messages), "M AH1 VH1 K4 P5 A6");
  assert.equal(messages[0].time, 0, "metadata at 0");
  const [keyframe] = messages.filter(({ payload }) => payload[0] === 0x17 && payload[1] === 1);
  assert.equal(messages[1].time, keyframe.time, "headers at the time of what follows");
  scene.publish("P7 K8");
  assert.equal(words(player.take()), "P7 K8");
});

Deno.test("FLV players share the bytes of a flush, and the log goes with the last of them", () => {
  const scene = playing(HEADERS, { gopCache: true });
  const players = [joinFlv(scene), joinFlv(scene), joinFlv(scene)];
  for (const player of players) player.sink.clear();
  scene.publish("K1 P2");
  for (const { sink } of players) {
    assert.equal(sink.views.length, 2);
    assert.ok(sink.views.every((view, i) => view === players[0].sink.views[i]), "the same object");
  }
  assert.equal(scene.live.playerCount, 3);
  for (const { player } of players) scene.live.leave(player);
  assert.equal(scene.live.playerCount, 0);
  assert.notEqual(scene.live.playerlessSince, null);
  scene.publish("P3");
  for (const { sink } of players) assert.equal(sink.views.length, 2, "nothing more");
  // It can be had again, from the same GOP.
  assert.equal(words(joinFlv(scene).take()), "M AH1 VH1 K1 P2 P3");
  assert.equal(scene.clock.pending, 0);
});

Deno.test("the bytes that an FLV player was given never change, also when it has long had them", () => {
  const scene = playing(HEADERS, { gopCache: false });
  const player = joinFlv(scene);
  const rtmp = scene.join();
  const copies: Uint8Array[] = [];
  player.sink.onSend = (bytes) => copies.push(bytes.slice());
  player.sink.views.length = 0;
  // Far more than the pool keeps.
  for (let i = 0; i < 400; i++) {
    scene.publisher.video(i * 40, payloads.keyframe(i % 256, 60_000));
    scene.clock.advance(40);
    if (i % 25 === 0) scene.live.tick();
    rtmp.sink.clear();
  }
  assert.ok(player.sink.views.length >= 400);
  player.sink.views.forEach((view, i) => assert.ok(Buffer.compare(view, copies[i]) === 0));
});

Deno.test("a slow FLV player loses whole GOPs, the others nothing", () => {
  const scene = playing(HEADERS, { queueLengthMs: 3000 });
  const slow = joinFlv(scene, false);
  const good = joinFlv(scene);
  slow.drain();
  slow.take();
  good.take();
  for (let i = 0; i < 4; i++) scene.publish("K10 P11 P12 P13 P14", 200);
  scene.publish("K20 P21 K30 P31");
  slow.drain();
  assert.equal(words(slow.take()), "K10 K30 P31");
  assert.equal(slow.player.jumps, 1);
  assert.equal(good.take().length, 24);
});

Deno.test("a waiting FLV player gets the next publisher whole, and the one after that", () => {
  const scene = playing("M1", {});
  scene.publisher.stop();
  const player = joinFlv(scene);
  assert.equal(player.sink.views.length, 0);
  for (const id of [1, 2]) {
    assert.ok(scene.publisher.start());
    scene.publish(`M${id} AH${id} VH${id} K${id} A3 P4`);
    scene.publisher.stop();
    assert.equal(words(player.take()), `M AH${id} VH${id} K${id} A3 P4`);
  }
});

Deno.test("with min_latency off FLV waits for mw_latency too, and the end of a stream is sent", () => {
  const scene = playing(HEADERS, { mwLatencyMs: 100 }, false);
  scene.clock.advance(100);
  const player = joinFlv(scene);
  player.take();
  scene.publish("K1 P2", 30);
  assert.equal(player.sink.views.length, 0);
  scene.publisher.stop();
  assert.equal(words(player.take()), "K1 P2");
});

Deno.test("what a player does not want it does not get, headers and GOP included", () => {
  const scene = playing(`${HEADERS} K1 A2 P3`, { gopCache: true });
  const pictures = joinFlv(scene, true, Entry.AUDIO);
  const sound = joinFlv(scene, true, Entry.VIDEO);
  scene.publish("A4 A5 P6 AH7 VH8");
  assert.equal(words(pictures.take()), "M VH1 K1 P3 P6 VH8");
  assert.equal(words(sound.take()), "M AH1 A2 A4 A5 AH7");
});

Deno.test("RTMP players do not notice FLV players", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true });
  const rtmp = scene.join();
  const flv = joinFlv(scene, false);
  scene.publish("P2 P3");
  assert.equal(taken(rtmp), "M AH1 VH1 K1 P2 P3");
  scene.live.leave(flv.player);
  scene.publish("P4");
  assert.equal(taken(rtmp), "P4");
});
