/**
 * The publisher's metadata on its way to the players.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { playerMetadata, readMetadata } from "../../src/codec/metadata.ts";
import { decodeAmf0All, encodeAmf0 } from "../../src/rtmp/amf0.ts";
import {
  Amf3Array,
  Amf3Object,
  Amf3Traits,
  AmfAvmPlus,
  AmfDate,
  AmfEcmaArray,
  AmfObject,
  AmfUnsupported,
  type AmfValue,
  AmfXml,
} from "../../src/rtmp/amf_value.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { concat, hex } from "./hex.ts";

const OURS: [string, AmfValue][] = [["server", "srs-edge/1.2.3"], ["server_version", "1.2.3"]];

/** Entries that players get, in order; null if the message is not metadata. */
function entries(payload: Uint8Array, type = 18): [string, AmfValue][] | null {
  const out = playerMetadata(type, payload, "1.2.3");
  if (out === null) return null;
  const [name, array, ...rest] = decodeAmf0All(out);
  assert.equal(name, "onMetaData");
  assert.ok(array instanceof AmfEcmaArray);
  assert.deepEqual(rest, []);
  return [...array];
}

const FIELDS: [string, AmfValue][] = [["width", 1280], ["encoder", "x"], ["stereo", true]];

Deno.test("metadata Q36: object, ECMA array, wrong count, with and without @setDataFrame", () => {
  const bodies = [new AmfObject(FIELDS), new AmfEcmaArray(FIELDS)];
  for (const body of bodies) {
    const expected = [...FIELDS, ...OURS];
    assert.deepEqual(entries(encodeAmf0("onMetaData", body)), expected);
    assert.deepEqual(entries(encodeAmf0("@setDataFrame", "onMetaData", body)), expected);
  }
  const wrongCount = encodeAmf0("onMetaData", new AmfEcmaArray(FIELDS));
  wrongCount.fill(0, 14, 18);
  assert.deepEqual(entries(wrongCount), [...FIELDS, ...OURS]);
});

Deno.test("metadata Q36: empty, a string, or missing", () => {
  for (const body of [[new AmfEcmaArray()], [null], ["text"], []]) {
    assert.deepEqual(entries(encodeAmf0("@setDataFrame", "onMetaData", ...body)), OURS);
  }
});

Deno.test("metadata: duration goes, server fields are ours and come last, the order stays", () => {
  const body = new AmfObject([
    ["server", "other"],
    ["b", 1],
    ["duration", 0],
    ["server_version", "9"],
    ["a", 2],
  ]);
  assert.deepEqual(entries(encodeAmf0("onMetaData", body)), [["b", 1], ["a", 2], ...OURS]);
});

Deno.test("metadata Q37: every kind of value passes", () => {
  const fields: [string, AmfValue][] = [
    ["array", [1, "x", null]],
    ["undefined", undefined],
    ["long", "y".repeat(70000)],
    ["date", new AmfDate(1e12, 60)],
    ["xml", new AmfXml("<a/>")],
    ["unsupported", new AmfUnsupported()],
    ["object", new AmfObject([["__proto__", 1]])],
  ];
  const payload = encodeAmf0("onMetaData", new AmfObject(fields));
  assert.deepEqual(entries(payload), [...fields, ...OURS]);
});

Deno.test("metadata Q38: videocodecid of any kind passes", () => {
  for (const id of ["avc1", 7, 1635135537]) {
    const payload = encodeAmf0("onMetaData", new AmfObject([["videocodecid", id]]));
    assert.deepEqual(entries(payload), [["videocodecid", id], ...OURS]);
  }
});

Deno.test("metadata Q35: AMF3 data messages, with and without the format byte", () => {
  const payload = encodeAmf0("@setDataFrame", "onMetaData", new AmfObject(FIELDS));
  assert.deepEqual(entries(payload, 15), [...FIELDS, ...OURS]);
  assert.deepEqual(entries(concat("00", payload), 15), [...FIELDS, ...OURS]);
  const inner = new Amf3Array([1]);
  const object = new Amf3Object(new Amf3Traits("", [], true), [["n", 5], ["list", inner]]);
  const avmplus = encodeAmf0(new AmfAvmPlus("onMetaData"), new AmfAvmPlus(object));
  assert.deepEqual(entries(avmplus, 15), [["n", 5], ["list", new AmfAvmPlus(inner)], ...OURS]);
});

Deno.test("metadata: other data messages are none of ours", () => {
  for (const name of ["onTextData", "onCuePoint", "|RtmpSampleAccess", "@clearDataFrame", ""]) {
    assert.equal(entries(encodeAmf0(name, new AmfObject(FIELDS))), null);
  }
  assert.equal(entries(encodeAmf0("@setDataFrame", "onTextData")), null);
  assert.equal(entries(encodeAmf0("@setDataFrame")), null);
  assert.equal(entries(encodeAmf0(1, "onMetaData")), null);
  assert.equal(entries(encodeAmf0(null)), null);
});

Deno.test("metadata Q49 H13: ffmpeg's time code, and an empty message", () => {
  for (const type of [15, 18]) {
    assert.equal(entries(hex("00 01 02 03"), type), null);
    assert.equal(entries(hex(""), type), null);
    assert.equal(entries(hex("00"), type), null);
  }
});

Deno.test("metadata H7: broken metadata is an RtmpError", () => {
  const payload = encodeAmf0("onMetaData", new AmfObject(FIELDS));
  assert.throws(
    () => entries(payload.subarray(0, payload.length - 5)),
    (error) => error instanceof RtmpError && error.code === ErrorCode.AMF_DECODE,
  );
});

Deno.test("metadata H7: arbitrary bytes give metadata, null, or an RtmpError", () => {
  const start = fc.constantFrom(
    encodeAmf0("onMetaData"),
    encodeAmf0("@setDataFrame"),
    hex("00"),
    hex(""),
  );
  fc.assert(
    fc.property(
      start,
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(15, 18),
      (head, tail, type) => {
        try {
          const fields = readMetadata(type, concat(head, tail));
          assert.ok(fields === null || fields instanceof AmfEcmaArray);
        } catch (error) {
          assert.ok(error instanceof RtmpError, String(error));
        }
      },
    ),
    { numRuns: 1000 },
  );
});

/** A keyframe index as file tools write it. */
function keyframeIndex(entries: number): AmfObject {
  const numbers = Array.from({ length: entries }, (_, i) => i);
  return new AmfObject([["filepositions", numbers], ["times", numbers]]);
}

Deno.test("F20: a keyframe index is left out, whatever its length, and the rest stays", () => {
  for (const count of [1, 3000, 40_000]) {
    for (const Body of [AmfObject, AmfEcmaArray]) {
      const body = new Body([...FIELDS, ["keyframes", keyframeIndex(count)], ["last", "x"]]);
      const payload = encodeAmf0("@setDataFrame", "onMetaData", body);
      assert.deepEqual(entries(payload), [...FIELDS, ["last", "x"], ...OURS], `${count}`);
    }
  }
  const list: [string, AmfValue][] = [["trackinfo", [new AmfObject([["timescale", 90000]])]]];
  assert.deepEqual(entries(encodeAmf0("onMetaData", new AmfObject(list))), [...list, ...OURS]);
});

Deno.test("F20: an index under another name is left out too", () => {
  const points = Array.from({ length: 3000 }, (_, i) => new AmfObject([["time", i]]));
  const body = new AmfObject([["seekpoints", points], ...FIELDS]);
  assert.deepEqual(entries(encodeAmf0("onMetaData", body)), [...FIELDS, ...OURS]);
});

Deno.test("F20: a broken or bottomless index makes broken metadata", () => {
  const body = new AmfObject([["keyframes", keyframeIndex(3000)], ...FIELDS]);
  const payload = encodeAmf0("onMetaData", body);
  let deep: AmfValue = 1;
  for (let i = 0; i < 40; i++) deep = [deep];
  const bottomless = encodeAmf0("onMetaData", new AmfObject([["keyframes", deep]]));
  const short = encodeAmf0("onMetaData", new AmfObject([["keyframes", [1, 2, 3]]]));
  for (const bytes of [payload.subarray(0, 20_000), bottomless, short.subarray(0, -10)]) {
    assert.throws(
      () => entries(bytes),
      (error) => error instanceof RtmpError && error.code === ErrorCode.AMF_DECODE,
    );
  }
});

Deno.test("F20: metadata with more fields than any encoder has is cut, not refused", () => {
  const many = Array.from({ length: 6000 }, (_, i): [string, AmfValue] => [`f${i}`, i]);
  const out = entries(encodeAmf0("onMetaData", new AmfObject(many)));
  assert.deepEqual(out, [...many.slice(0, 1024), ...OURS]);
});
