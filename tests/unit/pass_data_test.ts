/**
 * F7: data messages other than `onMetaData` pass through.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_DATA_MESSAGE_BYTES } from "../../src/codec/limits.ts";
import { playerData } from "../../src/codec/data_message.ts";
import { MixQueue } from "../../src/live/ingest/mix_queue.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfAvmPlus, AmfEcmaArray } from "../../src/rtmp/amf_value.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { concat, toHex } from "./hex.ts";
import { Scene } from "./support/live_scene.ts";
import type { Received } from "./support/fake_player.ts";
import { payloads, words } from "./support/live_fixture.ts";

const BODY = new AmfEcmaArray([["name", "splice"], ["time", 12.5]]);
const NAMES = ["onTextData", "onCuePoint", "onCaptionInfo", "onCaption", "onFI", "anythingElse"];

function hex(bytes: Uint8Array | null): string | null {
  return bytes && toHex(bytes);
}

/** Type, time and bytes of what came. */
function told(messages: readonly Received[]): string[] {
  return messages.map(({ type, time, payload }) => `${type}@${time} ${toHex(payload)}`);
}

function code(expected: number): (error: unknown) => boolean {
  return (error) => error instanceof RtmpError && error.code === expected;
}

Deno.test("F7: a data message as it came, without @setDataFrame and type 15's format byte", () => {
  for (const name of NAMES) {
    const plain = encodeAmf0(name, BODY);
    const wrapped = encodeAmf0("@setDataFrame", name, BODY);
    for (const payload of [plain, wrapped]) {
      assert.equal(hex(playerData(18, payload)), toHex(plain));
      assert.equal(hex(playerData(15, payload)), toHex(plain));
      assert.equal(hex(playerData(15, concat("00", payload))), toHex(plain));
    }
  }
  const avmplus = encodeAmf0("onCuePoint", new AmfAvmPlus("x"));
  assert.equal(hex(playerData(15, concat("00", avmplus))), toHex(avmplus));
});

Deno.test("F7: what has no name, or a name of the server's own, is not passed on", () => {
  const own = ["onMetaData", "@clearDataFrame", "|RtmpSampleAccess", "onStatus", "onPlayStatus"];
  for (const name of [...own, "", "@setDataFrame"]) {
    assert.equal(playerData(18, encodeAmf0(name, BODY)), null, name);
    assert.equal(playerData(18, encodeAmf0("@setDataFrame", name, BODY)), null, name);
  }
  assert.equal(playerData(18, encodeAmf0("@setDataFrame")), null);
  assert.equal(playerData(18, encodeAmf0(5, BODY)), null);
  assert.equal(playerData(18, new Uint8Array(0)), null);
  assert.equal(playerData(15, new Uint8Array([0])), null);
  assert.equal(playerData(18, new Uint8Array([0, 0, 0, 1])), null);
});

Deno.test("F7: broken and huge data messages are refused", () => {
  const whole = encodeAmf0("onTextData", BODY, "end");
  for (const size of [whole.length - 1, 12, 5, 2, 1]) {
    assert.throws(() => playerData(18, whole.subarray(0, size)), code(ErrorCode.AMF_DECODE));
  }
  const head = encodeAmf0("onTextData").length + 3;
  const largest = encodeAmf0("onTextData", "x".repeat(MAX_DATA_MESSAGE_BYTES - head - 2));
  assert.ok(largest.length <= MAX_DATA_MESSAGE_BYTES && largest.length > 65_000);
  assert.ok(playerData(18, largest));
  const larger = encodeAmf0("onTextData", "x".repeat(MAX_DATA_MESSAGE_BYTES));
  assert.throws(() => playerData(18, larger), code(ErrorCode.LIMIT));
});

Deno.test("F7: property: any bytes give a view of them or an RtmpError", () => {
  const named = fc.uint8Array({ maxLength: 60 }).map((tail) => concat(encodeAmf0("onFI"), tail));
  const payloads = fc.oneof(fc.uint8Array({ maxLength: 60 }), named);
  fc.assert(fc.property(fc.constantFrom(15, 18), payloads, (type, payload) => {
    try {
      const data = playerData(type, payload);
      assert.ok(data === null || toHex(payload).endsWith(toHex(data)));
    } catch (error) {
      assert.ok(error instanceof RtmpError, String(error));
    }
  }));
});

Deno.test("F7: players get it at the stream's time and in order, joiners do not get it as a header", () => {
  const scene = new Scene({ gopCache: true });
  const player = scene.join();
  const { publisher } = scene;
  publisher.start();
  publisher.headers();
  publisher.video(5000, payloads.keyframe(1));
  publisher.video(5040, payloads.frame(2));
  const text = payloads.data("onTextData", "hello");
  // Its own timestamp is another clock's, as some encoders have it.
  assert.equal(publisher.data(7, text), true);
  assert.equal(publisher.data(7, payloads.data("onStatus", "hello")), false);
  publisher.video(5080, payloads.frame(3));
  const before = scene.live.videoFrames;
  const { gop } = scene.live;
  const start = gop.start;
  publisher.data(5080, payloads.data("@setDataFrame", "onTextData", "hello"));
  assert.equal(scene.live.videoFrames, before);
  assert.equal(gop.start, start);
  const last = player.take().slice(-4);
  assert.equal(words(last.filter(({ type }) => type === 9)), "P2 P3");
  assert.ok(last[0].time < last[2].time);
  assert.deepEqual(told([last[1], last[3]]), [
    `18@${last[0].time} ${toHex(text)}`,
    `18@${last[2].time} ${toHex(text)}`,
  ]);
  publisher.video(6000, payloads.keyframe(4));
  assert.equal(words(scene.join().take()), "M AH0 VH0 K4");
});

Deno.test("F7: pass_data off: metadata alone goes on", () => {
  const scene = new Scene({ passData: false });
  const player = scene.join();
  scene.publisher.start();
  scene.publisher.headers();
  player.take();
  assert.equal(scene.publisher.data(0, payloads.data("onTextData", "hello")), false);
  assert.deepEqual(player.take(), []);
  scene.publisher.data(0, payloads.metadata({ width: 1 }));
  assert.equal(words(player.take()), "M");
});

Deno.test("F7: mix_correct: data keep their place, and never wait alone or without bound", () => {
  const out: string[] = [];
  const queue = new MixQueue();
  const emit = (type: number, time: number) => void out.push(`${type}@${time}`);
  const push = (type: number, time: number) => queue.push(type, time, new Uint8Array(1), emit);
  push(18, 5);
  assert.deepEqual(out.splice(0), ["18@5"]);
  push(9, 40);
  push(18, 45);
  push(9, 80);
  assert.deepEqual(out.splice(0), []);
  push(8, 50);
  assert.deepEqual(out.splice(0), ["9@40", "18@45", "8@50"]);
  for (let i = 0; i < 100; i++) push(18, 90 + i);
  assert.ok(out.length >= 90, `${out.length} of 100`);
});

Deno.test("F7: with atc a data message keeps its own timestamp, else it has its place's", () => {
  for (const atc of [true, false]) {
    const scene = new Scene({ atc });
    scene.publisher.start();
    const player = scene.join();
    scene.publisher.video(5000, payloads.keyframe(1));
    scene.publisher.data(5300, encodeAmf0("onCuePoint", BODY));
    const [video, data] = player.take();
    assert.equal(data.type, 18);
    assert.equal(data.time - video.time, atc ? 300 : 0);
  }
});
