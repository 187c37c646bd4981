/**
 * FLV framing: bytes, writing and reading back, pieces of any size, limits.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  FLV_FILE_HEADER_BYTES,
  FLV_PREVIOUS_TAG_SIZE_BYTES,
  FLV_TAG_HEADER_BYTES,
  FLV_TAG_MAX_BYTES,
  flvFileHeader,
  type FlvTag,
  FlvTagReader,
  writeFlvTagHeader,
  writePreviousTagSize,
} from "../../src/flv/flv_tag.ts";
import { RtmpError } from "../../src/rtmp/error.ts";
import { concat, hex, toHex } from "./hex.ts";

function tagBytes(tag: FlvTag): Uint8Array {
  const size = tag.payload.length;
  const out = new Uint8Array(FLV_TAG_HEADER_BYTES + size + FLV_PREVIOUS_TAG_SIZE_BYTES);
  const body = writeFlvTagHeader(out, 0, tag.type, size, tag.timestamp);
  out.set(tag.payload, body);
  assert.equal(writePreviousTagSize(out, body + size, size), out.length);
  return out;
}

function readAll(reader: FlvTagReader): FlvTag[] {
  const tags: FlvTag[] = [];
  for (let tag = reader.next(); tag !== null; tag = reader.next()) tags.push(tag);
  return tags;
}

Deno.test("FLV: file header and its flags", () => {
  assert.equal(toHex(flvFileHeader(true, true)), "464c5601050000000900000000");
  assert.equal(flvFileHeader(true, false)[4], 4);
  assert.equal(flvFileHeader(false, true)[4], 1);
  assert.equal(flvFileHeader(false, false).length, FLV_FILE_HEADER_BYTES);
});

Deno.test("FLV Q3 Q4: a tag, its timestamp in 24 low and 8 high bits", () => {
  const tag = { type: 9, timestamp: 0x81020304, payload: hex("1701") };
  assert.equal(toHex(tagBytes(tag)), "09000002 02030481 000000 1701 0000000d".replaceAll(" ", ""));
});

Deno.test("FLV: a tag header is written where it is told to be", () => {
  const out = new Uint8Array(20).fill(0xee);
  assert.equal(writeFlvTagHeader(out, 3, 8, 0x010203, 0x04050607), 14);
  assert.equal(toHex(out), "eeeeee" + "08010203" + "05060704" + "000000" + "eeeeeeeeeeee");
});

Deno.test("FLV: what is written is read, in pieces of any size", () => {
  const tag = fc.record({
    type: fc.constantFrom(8, 9, 18),
    timestamp: fc.nat({ max: 0xffffffff }),
    payload: fc.uint8Array({ maxLength: 200 }),
  });
  fc.assert(
    fc.property(
      fc.array(tag, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 90 })),
      (tags, cuts) => {
        const bytes = concat(flvFileHeader(true, true), ...tags.map(tagBytes));
        const reader = new FlvTagReader();
        const got: FlvTag[] = [];
        let at = 0;
        for (const size of [...cuts, bytes.length]) {
          reader.push(bytes.subarray(at, at + size));
          at += size;
          got.push(...readAll(reader));
        }
        assert.deepEqual(got, tags.map((t) => ({ ...t })));
      },
    ),
  );
});

Deno.test("FLV: a tag comes out before the size behind it", () => {
  const tag = { type: 8, timestamp: 7, payload: hex("af01") };
  const bytes = concat(flvFileHeader(true, false), tagBytes(tag));
  const reader = new FlvTagReader();
  reader.push(bytes.subarray(0, bytes.length - 5));
  assert.equal(reader.next(), null);
  reader.push(bytes.subarray(bytes.length - 5, bytes.length - 4));
  assert.deepEqual(reader.next(), tag);
  assert.equal(reader.next(), null);
});

Deno.test("FLV: much data through one reader, larger than its buffer", () => {
  const reader = new FlvTagReader();
  reader.push(flvFileHeader(true, true));
  const payload = new Uint8Array(150_000).fill(3);
  for (let i = 0; i < 20; i++) {
    reader.push(tagBytes({ type: 9, timestamp: i, payload }));
    const tags = readAll(reader);
    assert.equal(tags.length, 1);
    assert.equal(tags[0].timestamp, i);
    assert.deepEqual(tags[0].payload, payload);
  }
});

Deno.test("FLV: the filter bit of a tag type is left out, an empty tag is a tag", () => {
  const reader = new FlvTagReader();
  reader.push(concat(flvFileHeader(true, true), "29 000000 000000 00 000000 0000000b"));
  assert.deepEqual(reader.next(), { type: 9, timestamp: 0, payload: new Uint8Array(0) });
});

Deno.test("FLV: a longer file header is passed over", () => {
  const tag = { type: 8, timestamp: 1, payload: hex("af") };
  const reader = new FlvTagReader();
  reader.push(concat("464c5601 05 0000000b ffff 00000000", tagBytes(tag)));
  assert.deepEqual(reader.next(), tag);
});

Deno.test("FLV: what is no FLV, or a tag above the limit, is refused", () => {
  for (const head of ["485454502f312e3120", "464c5602 05 00000009", "464c5601 05 00000008"]) {
    const reader = new FlvTagReader();
    reader.push(hex(head));
    assert.throws(() => reader.next(), RtmpError, head);
  }
  const huge = new FlvTagReader();
  huge.push(concat("464c5601 05 ffffffff"));
  assert.throws(() => huge.next(), RtmpError);
  const limited = new FlvTagReader(10);
  limited.push(concat(flvFileHeader(true, true), "09 00000b 000000 00 000000"));
  assert.throws(() => limited.next(), RtmpError);
  assert.ok(FLV_TAG_MAX_BYTES < 1 << 24);
});
