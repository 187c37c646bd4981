/**
 * Outgoing chunks: their bytes, and that the reader gets back what was written.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ChunkReader } from "../../src/rtmp/chunk_reader.ts";
import { MessageWriter, wireSize, writeMessage } from "../../src/rtmp/chunk_writer.ts";
import { concat, toHex } from "./hex.ts";
import { ServerMessages } from "./support/server_messages.ts";

function write(
  chunkSize: number,
  csid: number,
  type: number,
  timestamp: number,
  msid: number,
  payload: Uint8Array,
): Uint8Array {
  const writer = new MessageWriter();
  writer.chunkSize = chunkSize;
  writer.write(csid, type, timestamp, msid, payload);
  return writer.take();
}

const timestamps = fc.oneof(
  fc.nat(0xffffff + 2),
  fc.constantFrom(0xfffffe, 0xffffff, 0x1000000, 0x7fffffff),
  fc.nat(0x7fffffff),
);

const message = fc.record({
  csid: fc.integer({ min: 2, max: 63 }),
  type: fc.constantFrom(8, 9, 15, 17, 18, 20, 22, 4, 3, 7),
  timestamp: timestamps,
  msid: fc.oneof(fc.constantFrom(0, 1), fc.nat(0xffffffff)),
  payload: fc.uint8Array({ minLength: 1, maxLength: 700 }),
});

Deno.test("one chunk: type-0 header, message stream id little-endian", () => {
  const bytes = write(128, 5, 18, 0x010203, 0x04030201, concat("aabbcc"));
  assert.equal(toHex(bytes), "05" + "010203" + "000003" + "12" + "01020304" + "aabbcc");
});

Deno.test("a long message: type-3 headers between pieces of the chunk size", () => {
  const bytes = write(4, 6, 9, 7, 1, concat("00010203 04050607 08"));
  assert.equal(toHex(bytes), "06000007000009090100000000010203c604050607c608");
  // Exactly full: no empty chunk behind it.
  assert.equal(
    toHex(write(4, 6, 9, 7, 1, concat("00010203 04050607"))).slice(-18),
    "c604050607".padStart(18, "00010203"),
  );
});

Deno.test("extended timestamp from 0xFFFFFF on, in every chunk (Q1, Q3, Q4)", () => {
  assert.equal(
    toHex(write(2, 4, 8, 0xfffffe, 1, concat("aabb"))),
    "04fffffe0000020801000000aabb",
  );
  for (const [time, field] of [[0xffffff, "00ffffff"], [0x01000000, "01000000"]] as const) {
    assert.equal(
      toHex(write(2, 4, 8, time, 1, concat("aabbccddee"))),
      `04ffffff0000050801000000${field}aabbc4${field}ccddc4${field}ee`,
    );
  }
  assert.equal(
    toHex(write(128, 4, 8, 0xfffffffe, 1, concat("aa"))),
    "04ffffff0000010801000000fffffffeaa",
  );
});

Deno.test("F1: a timestamp of 2^32 ms or more wraps, with the short header of what it becomes", () => {
  for (const time of [0, 7, 0xfffffe, 0xffffff, 0x01000000]) {
    for (const length of [1, 300]) {
      const payload = new Uint8Array(length).fill(1);
      const wrapped = write(128, 4, 8, 2 ** 32 + time, 1, payload);
      assert.equal(toHex(wrapped), toHex(write(128, 4, 8, time, 1, payload)));
      assert.equal(wireSize(length, 2 ** 32 + time, 128), wrapped.length);
    }
  }
});

Deno.test("an empty message is a header", () => {
  assert.equal(toHex(write(128, 4, 8, 5, 1, new Uint8Array(0))), "040000050000000801000000");
});

Deno.test("property: wireSize is what writeMessage writes, and it writes nowhere else", () => {
  fc.assert(
    fc.property(message, fc.integer({ min: 1, max: 800 }), fc.nat(9), (m, chunkSize, at) => {
      const size = wireSize(m.payload.length, m.timestamp, chunkSize);
      const target = new Uint8Array(at + size + 5).fill(0xee);
      const end = writeMessage(
        target,
        at,
        m.csid,
        m.type,
        m.timestamp,
        m.msid,
        m.payload,
        chunkSize,
      );
      assert.equal(end, at + size);
      assert.ok(target.subarray(0, at).every((byte) => byte === 0xee));
      assert.deepEqual(target.subarray(end), new Uint8Array(5).fill(0xee));
      const reader = new ServerMessages();
      reader.chunkSize = chunkSize;
      assert.deepEqual(reader.read(target.subarray(at, end)), [{ ...m }]);
    }),
  );
});

Deno.test("property: ChunkReader reads what MessageWriter writes, at any chunk sizes", () => {
  const sizes = fc.integer({ min: 1, max: 1000 });
  const step = fc.record({ size: fc.option(sizes, { nil: null }), message });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const writer = new MessageWriter();
      const expected = [];
      for (const { size, message } of steps) {
        if (size !== null) {
          const body = new Uint8Array(4);
          new DataView(body.buffer).setUint32(0, size);
          writer.write(2, 1, 0, 0, body);
          writer.chunkSize = size;
          expected.push({ type: 1, timestamp: 0, streamId: 0, payload: body });
        }
        const { csid, type, timestamp, msid, payload } = message;
        writer.write(csid, type, timestamp, msid, payload);
        expected.push({ type, timestamp, streamId: msid, payload });
      }
      const reader = new ChunkReader();
      reader.push(writer.take());
      const got = [];
      while (reader.next()) {
        got.push({ ...reader.message, payload: reader.message.payload.slice() });
      }
      assert.deepEqual(got, expected);
      assert.equal(reader.partialBytes, 0);
    }),
  );
});

Deno.test("take: memory of its own, and a new beginning", () => {
  const writer = new MessageWriter();
  writer.write(3, 20, 0, 0, concat("01"));
  assert.equal(writer.length, 13);
  const first = writer.take();
  const copy = first.slice();
  assert.equal(writer.length, 0);
  assert.equal(writer.take().length, 0);
  writer.write(4, 9, 99, 1, new Uint8Array(5000).fill(7));
  assert.deepEqual(first, copy);
  assert.equal(writer.length, wireSize(5000, 99, 128));
});
