import assert from "node:assert/strict";
import { MAX_SEGMENT_BYTES } from "../../src/live/limits.ts";
import { SegmentPool } from "../../src/live/log/segment_pool.ts";
import { MAX_MESSAGE_SIZE } from "../../src/rtmp/limits.ts";
import { ChunkReader } from "../../src/rtmp/chunk_reader.ts";
import { collectLarge, freeLarge, growLarge, reserveLarge } from "../../src/rtmp/large_buffer.ts";
import { be } from "./support/naive_chunks.ts";

const MB = 1024 * 1024;

Deno.test("a large buffer keeps what is in it while it grows, and takes nothing when it is freed", () => {
  const bytes = reserveLarge(3 * MB);
  assert.equal(bytes.length, 0);
  growLarge(bytes, 10);
  bytes.fill(7);
  growLarge(bytes, 3 * MB);
  assert.deepEqual([...bytes.subarray(8, 12)], [7, 7, 0, 0]);
  freeLarge(bytes);
  assert.equal(bytes.buffer.byteLength, 0);
});

Deno.test("freeing leaves ordinary and shared memory alone", () => {
  for (const buffer of [new ArrayBuffer(8), new SharedArrayBuffer(8)]) {
    const bytes = new Uint8Array(buffer);
    freeLarge(bytes);
    assert.equal(bytes.length, 8);
  }
});

/** A chunk reader that has had a message of 3 MB, in pieces, but for the last `missing` bytes. */
function withMessage(missing: number): ChunkReader {
  const reader = new ChunkReader();
  reader.push(
    Uint8Array.from([2, 0, 0, 0, ...be(4, 3), 1, 0, 0, 0, 0, ...be(MAX_MESSAGE_SIZE, 4)]),
  );
  assert.ok(reader.next());
  assert.equal(reader.next(), false);
  const length = 3 * MB;
  reader.push(Uint8Array.from([6, 0, 0, 0, ...be(length, 3), 9, 1, 0, 0, 0]));
  assert.equal(reader.next(), false);
  const body = Uint8Array.from({ length: length - missing }, (_, i) => i * 31);
  for (let at = 0; at < body.length; at += 65536) {
    assert.equal(reader.next(), false);
    reader.push(body.subarray(at, at + 65536));
  }
  return reader;
}

Deno.test("H1: a large message is whole when it is returned, and its memory is free with the next call", () => {
  const reader = withMessage(0);
  assert.ok(reader.next());
  const { payload } = reader.message;
  assert.equal(payload.length, 3 * MB);
  assert.ok(payload.every((byte, i) => byte === (i * 31 & 0xff)));
  assert.equal(reader.allocatedBytes, 0);
  assert.equal(reader.next(), false);
  assert.equal(payload.buffer.byteLength, 0);
});

Deno.test("H2: what has come of a large message is free when the connection ends", () => {
  const reader = withMessage(10);
  assert.equal(reader.next(), false);
  assert.ok(reader.allocatedBytes > 2 * MB && reader.allocatedBytes <= 3 * MB);
  reader.end();
  assert.equal(reader.allocatedBytes, 0);
});

Deno.test("a segment larger than the pool keeps is free when it is given back", () => {
  const pool = new SegmentPool();
  const segment = pool.take(MAX_SEGMENT_BYTES + 1);
  assert.equal(segment.length, MAX_SEGMENT_BYTES + 1);
  pool.give(segment);
  assert.equal(segment.length, 0);
  assert.equal(pool.freeBytes, 0);
});

Deno.test("H56: what is given back is collected now and then, and small things are not counted", () => {
  let collections = 0;
  collectLarge(() => collections++);
  try {
    const giveBack = (bytes: number) => {
      const large = reserveLarge(bytes);
      growLarge(large, bytes);
      freeLarge(large);
    };
    for (let i = 0; i < 10; i++) giveBack(15 * MB);
    assert.equal(collections, 2, "for 150 MB");
    for (let i = 0; i < 1000; i++) freeLarge(new Uint8Array(MB));
    assert.equal(collections, 2, "ordinary buffers are the collector's own business");
  } finally {
    collectLarge(null);
  }
});
