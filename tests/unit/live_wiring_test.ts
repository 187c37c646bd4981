/**
 * What a live stream tells its parts, and when: other threads, the pacer of FLV players, its clock.
 * @module
 */

import assert from "node:assert/strict";
import type { MirrorMessage } from "../../src/live/mirror/message.ts";
import { MirrorSenders } from "../../src/live/mirror/senders.ts";
import { MessageType } from "../../src/rtmp/message.ts";
import { payloads, vhostOf } from "./support/live_fixture.ts";
import { HEADERS, playing, Scene } from "./support/live_scene.ts";

type Part = Extract<MirrorMessage, { kind: "more" }>["part"];

/** A stream that is played in another thread; what that one is sent is kept. */
function played() {
  const parts: Part[] = [];
  const scene = playing(`${HEADERS} K1`);
  new MirrorSenders(scene.live).open(2, (_, message) => {
    if (message.kind !== "end") parts.push(message.part);
  });
  parts.length = 0;
  return { scene, parts };
}

function entriesOf({ pieces }: Part): number {
  return pieces.reduce((sum, { entries }) => sum + entries.length / 4, 0);
}

Deno.test("other threads get what came before new headers with the old ones, in the same read too", () => {
  const rows: [string, number, Uint8Array][] = [
    ["video header", MessageType.VIDEO, payloads.videoHeader(2)],
    ["audio header", MessageType.AUDIO, payloads.audioHeader(2)],
    ["metadata", MessageType.DATA_AMF0, payloads.metadata({ width: 2 })],
  ];
  for (const [name, type, payload] of rows) {
    const { scene, parts } = played();
    scene.live.media(MessageType.VIDEO, 1000, payloads.frame(2));
    if (type === MessageType.DATA_AMF0) scene.live.data(type, 1010, payload);
    else scene.live.media(type, 1010, payload);
    assert.deepEqual(parts.map(entriesOf), [1], `${name}: the frame goes first`);
    assert.equal(parts[0].headers, null, `${name}: with the headers that the thread has`);
    scene.live.readDone();
    assert.deepEqual(parts.map(entriesOf), [1, 1], name);
    assert.notEqual(parts[1].headers, null, name);
  }
});

Deno.test("F17: other threads get the frames of the old codec before a codec without a header", () => {
  const { scene, parts } = played();
  const mp3 = Uint8Array.of(0x2f, 0xff, 0xfb, 0x90, 0x64);
  scene.live.media(MessageType.AUDIO, 1000, payloads.audio(2));
  scene.live.media(MessageType.AUDIO, 1020, mp3);
  assert.deepEqual(parts.map(entriesOf), [1], "the AAC frame goes first");
  assert.equal(parts[0].headers, null, "with the headers that the thread has");
  scene.live.readDone();
  assert.deepEqual(parts.map(entriesOf), [1, 1]);
  assert.notEqual(parts[1].headers, null);
});

Deno.test("atc_auto: metadata that say it again do not set the time back", () => {
  const scene = playing("M1", { atcAuto: true });
  const player = scene.join();
  const announce = (time: number, width: number) =>
    scene.publisher.data(time, payloads.metadata({ bravo_atc: "true", width }));
  announce(50_000, 1);
  scene.publisher.video(50_040, payloads.keyframe(1));
  announce(50_080, 2);
  const { log } = scene.live;
  assert.equal(log.timestampAt(log.head - 1), 50_040, "due with what came before");
  scene.publisher.video(50_080, payloads.frame(2));
  assert.deepEqual(player.take().slice(-2).map(({ time }) => time), [50_080, 50_080]);
});

Deno.test("F1: an origin's time is taken as it is, also after a reload of time_jitter", () => {
  for (const corrected of [true, false]) {
    for (const reloaded of [true, false]) {
      const scene = new Scene({ timeJitter: reloaded ? "zero" : "full" });
      if (reloaded) scene.live.configure(vhostOf({ timeJitter: "full" }));
      scene.publisher.timeCorrected = corrected;
      scene.publisher.start();
      const { log } = scene.live;
      const times = [0, 40, 10_000, 10_040].map((time, i) => {
        scene.publisher.video(time, payloads.keyframe(i));
        return log.timestampAt(log.head - 1);
      });
      // Nothing of the 10 s has passed here: they are a jump, unless an origin says so.
      const apart = times[2] - times[1];
      assert.equal(times[3] - times[2], 40);
      if (corrected) assert.equal(apart, 9960, `${reloaded}`);
      else assert.ok(apart < 1000, `${reloaded}: ${times}`);
    }
  }
});
