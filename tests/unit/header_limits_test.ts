/**
 * H55, H56: what a publisher can have kept for players that join, and that they share it.
 * @module
 */

import assert from "node:assert/strict";
import { HeaderCache } from "../../src/live/ingest/header_cache.ts";
import { MAX_HEADER_BYTES } from "../../src/live/limits.ts";
import { FLV_TAG_RENDERER } from "../../src/live/play/flv_tags.ts";
import { MessageType } from "../../src/rtmp/message.ts";

/** A video header of this many bytes: H.264, or Enhanced RTMP with this FourCC. */
function header(bytes: number, fill = 1, fourCc = ""): Uint8Array {
  const payload = new Uint8Array(bytes).fill(fill);
  payload.set(fourCc === "" ? [0x17, 0] : [0x90, ...new TextEncoder().encode(fourCc)]);
  return payload;
}

function keeps(cache: HeaderCache, track: number, payload: Uint8Array): boolean {
  assert.equal(
    cache.set(MessageType.VIDEO, { kind: 2, track, payload, audience: "all" }),
    true,
    "it is news to those who are there",
  );
  return cache.snapshot().video.some((kept) => kept.payload.length === payload.length);
}

Deno.test("H55: a header or metadata of 64 KB is kept, a longer one is not, nor the one before", () => {
  const cache = new HeaderCache();
  assert.equal(keeps(cache, 0, header(50)), true);
  assert.equal(keeps(cache, 0, header(MAX_HEADER_BYTES)), true);
  assert.equal(keeps(cache, 0, header(MAX_HEADER_BYTES + 1)), false);
  assert.deepEqual(cache.snapshot().video, []);
  assert.equal(keeps(cache, 0, header(50)), true, "a real one has its place again");

  assert.equal(cache.setMetadata(new Uint8Array(MAX_HEADER_BYTES)), true);
  assert.equal(cache.metadata?.length, MAX_HEADER_BYTES);
  const { version } = cache;
  assert.equal(cache.setMetadata(new Uint8Array(MAX_HEADER_BYTES + 1)), true);
  assert.equal(cache.metadata, null);
  assert.ok(cache.version > version);
});

Deno.test("H56: 32 tracks with the longest headers keep 128 KB, and codecs out of use make room", () => {
  const cache = new HeaderCache();
  for (let track = 0; track < 32; track++) {
    cache.set(MessageType.VIDEO, {
      kind: 2,
      track,
      payload: header(MAX_HEADER_BYTES, track, "avc1"),
      audience: "all",
    });
  }
  const kept = () => cache.snapshot().video.reduce((sum, { payload }) => sum + payload.length, 0);
  assert.equal(kept(), 2 * MAX_HEADER_BYTES);
  for (let track = 0; track < 2; track++) {
    assert.equal(keeps(cache, track, header(MAX_HEADER_BYTES - 1, 9, "hvc1")), true);
  }
  assert.equal(kept(), 2 * (MAX_HEADER_BYTES - 1));
});

Deno.test("H55: players that join at the same place share the bytes of their headers", () => {
  const cache = new HeaderCache();
  cache.set(MessageType.VIDEO, { kind: 2, track: 0, payload: header(5000), audience: "all" });
  const first = cache.encode(FLV_TAG_RENDERER, 40, 0, 0);
  assert.equal(cache.encode(FLV_TAG_RENDERER, 40, 0, 0), first);
  assert.notEqual(cache.encode(FLV_TAG_RENDERER, 80, 0, 0), first);
  const other = cache.encode(FLV_TAG_RENDERER, 40, 0, 0);
  assert.deepEqual(other, first);
  cache.set(MessageType.VIDEO, { kind: 2, track: 0, payload: header(60, 2), audience: "all" });
  assert.ok(cache.encode(FLV_TAG_RENDERER, 40, 0, 0).length < first.length, "not those of before");
});
