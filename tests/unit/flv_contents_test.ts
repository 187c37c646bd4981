/**
 * When it is known what is in a stream.
 * @module
 */

import assert from "node:assert/strict";
import { Contents } from "../../src/live/ingest/contents.ts";
import { GUESS_MS, HEADER_ONLY_MS } from "../../src/live/limits.ts";

const T = 1_000_000;

Deno.test("contents: both kinds are known as soon as both have come, be it their headers", () => {
  const contents = new Contents();
  assert.equal(contents.kinds(T), null);
  contents.note(true, true, T);
  assert.equal(contents.kinds(T + 1), null);
  contents.note(false, true, T + 2);
  assert.deepEqual(contents.kinds(T + 2), { audio: true, video: true });
});

Deno.test("contents: one kind alone is known after a while", () => {
  for (const isVideo of [true, false]) {
    const contents = new Contents();
    contents.note(isVideo, true, T);
    contents.note(isVideo, false, T + 10);
    assert.equal(contents.kinds(T + GUESS_MS - 1), null);
    assert.deepEqual(contents.kinds(T + GUESS_MS), { audio: !isVideo, video: isVideo });
    // What comes later is there for those who join later.
    contents.note(!isVideo, false, T + 5000);
    assert.deepEqual(contents.kinds(T + 5000), { audio: true, video: true });
  }
});

Deno.test("contents: a header that nothing follows is not a kind", () => {
  const contents = new Contents();
  contents.note(false, true, T);
  contents.note(true, true, T);
  contents.note(true, false, T);
  assert.deepEqual(contents.kinds(T + HEADER_ONLY_MS - 1), { audio: true, video: true });
  assert.deepEqual(contents.kinds(T + HEADER_ONLY_MS), { audio: false, video: true });
});
