/**
 * The owner's side of a mirror: how much of its memory another thread may have, and where it goes on; and
 * the mirror's: what of it is still there.
 * @module
 */

import assert from "node:assert/strict";
import { BroadcastLog, Entry } from "../../src/live/log/broadcast_log.ts";
import type { MirrorMessage } from "../../src/live/mirror/message.ts";
import { MirrorReceiver } from "../../src/live/mirror/receiver.ts";
import { Gop } from "../../src/live/ingest/gop.ts";
import { HeaderCache } from "../../src/live/ingest/header_cache.ts";
import { MAX_LENT_BYTES } from "../../src/live/limits.ts";
import { MirrorSenders } from "../../src/live/mirror/senders.ts";
import { SegmentPool } from "../../src/live/log/segment_pool.ts";
import { Timeline } from "../../src/live/ingest/timeline.ts";
import { FakePublisher, Fixture, payloads } from "./support/live_fixture.ts";

type MirrorPart = Extract<MirrorMessage, { kind: "more" }>["part"];

/** Number of the other thread. */
const OTHER = 2;
/** Three of them fill a segment, with room for small ones behind them. */
const FRAME_BYTES = 150 * 1024;

/** A stream that is published here and played in a thread that keeps what it gets. */
class Scene {
  readonly fixture = new Fixture();
  readonly stream = this.fixture.stream();
  readonly senders = new MirrorSenders(this.stream);
  readonly publisher = new FakePublisher(this.stream);
  readonly posted: MirrorMessage[] = [];
  /** What the other thread has: number of the segment and bytes, in order. */
  readonly lent: [number, number][] = [];
  #sender = -1;
  #time = 0;

  constructor() {
    this.senders.open(OTHER, (_, message) => this.#post(message));
    this.publisher.start();
    this.publisher.headers();
  }

  get lentBytes(): number {
    return this.lent.reduce((sum, [, bytes]) => sum + bytes, 0);
  }

  /** A keyframe, or another frame; whether anything was posted, and what. */
  send(kind: "keyframe" | "frame", size = 100): MirrorMessage[] {
    this.posted.length = 0;
    this.publisher.video(this.#time += 40, payloads[kind](1, size));
    return [...this.posted];
  }

  /** Frames until nothing is posted any more: the other thread has all that it may have. */
  fill(): void {
    for (let i = 0; i < 1000; i++) if (this.send("keyframe", FRAME_BYTES).length === 0) return;
    assert.fail("never suspended");
  }

  /** The other thread gives back segments, the oldest first, until it has this many bytes at most. */
  giveBack(bytes: number): void {
    while (this.lentBytes > bytes) {
      const [segment] = this.lent.splice(0, 1);
      this.senders.returned(OTHER, this.#sender, segment[0], false);
    }
  }

  #post(message: MirrorMessage): void {
    this.posted.push(message);
    if (message.kind === "end") return;
    if (message.kind === "begin") this.#sender = message.sender;
    for (const { segment, memory } of message.part.pieces) {
      if (memory) this.lent.push([segment, memory.byteLength]);
    }
  }
}

Deno.test("a thread that has too much gets nothing before it has given half of it back", () => {
  const scene = new Scene();
  scene.fill();
  assert.ok(scene.lentBytes > MAX_LENT_BYTES);
  assert.deepEqual(scene.send("keyframe"), [], "it has too much");
  // One segment less, or a good many: nothing goes on yet, or it would be full again at once.
  scene.giveBack(MAX_LENT_BYTES);
  assert.deepEqual(scene.send("keyframe"), []);
  const largest = Math.max(...scene.lent.map(([, bytes]) => bytes));
  scene.giveBack(MAX_LENT_BYTES / 2 + largest);
  assert.ok(scene.lentBytes > MAX_LENT_BYTES / 2);
  assert.deepEqual(scene.send("keyframe"), [], "more than half");
  scene.giveBack(MAX_LENT_BYTES / 2);
  const last = scene.lent[scene.lent.length - 1];
  assert.deepEqual(scene.send("frame"), [], "not before a keyframe");
  const [message, ...others] = scene.send("keyframe");
  assert.deepEqual(others, []);
  assert.equal(message.kind, "more");
  // Its first entry is the keyframe; players that wait go on there, in memory that is told anew.
  const { resumeAt, newestKeyframe, pieces } = message.part;
  assert.deepEqual([resumeAt, newestKeyframe], [0, 0]);
  assert.notEqual(pieces[0].memory, null);
  assert.equal(pieces[0].entries.length, 4, "that one entry");
  assert.equal(pieces[0].segment, last[0], "in a segment that it has");
  assert.equal(scene.send("frame").length, 1, "and so on");
});

Deno.test("headers that changed while a thread was cut off are told where it goes on", () => {
  for (const changed of [true, false]) {
    const scene = new Scene();
    scene.fill();
    if (changed) scene.publisher.video(100_000, payloads.videoHeader(9));
    scene.giveBack(0);
    const [message] = scene.send("keyframe");
    assert.equal(message.kind, "more");
    assert.equal(message.part.tell, changed);
    assert.equal(message.part.headers !== null, changed);
  }
});

Deno.test("memory that a thread had goes back to the pool, unless a write may still refer to it", () => {
  for (const returned of [true, false]) {
    const scene = new Scene();
    for (let i = 0; i < 20; i++) scene.send("keyframe", FRAME_BYTES);
    const { stream, fixture } = scene;
    assert.ok(stream.log.bytes > 0);
    assert.equal(fixture.pool.freeBytes, 0);
    // It says that it is through with everything, or it ends without a word.
    if (returned) scene.giveBack(0);
    scene.senders.close(OTHER);
    assert.equal(scene.senders.cursor, Infinity);
    scene.publisher.stop();
    assert.equal(stream.log.bytes, 0);
    assert.equal(fixture.pool.freeBytes > 0, returned);
    // Late words of a thread that is gone are nothing.
    const { freeBytes } = fixture.pool;
    scene.giveBack(0);
    assert.equal(fixture.pool.freeBytes, freeBytes);
  }
});

Deno.test("each segment is lent once for all its entries", () => {
  const scene = new Scene();
  const before = scene.lent.length;
  const sent = [scene.send("keyframe"), scene.send("frame"), scene.send("frame")].flat();
  const pieces = sent.flatMap((message) => message.kind === "end" ? [] : message.part.pieces);
  assert.equal(pieces.length, 3);
  assert.ok(
    pieces.every(({ memory }) => memory === null),
    "it goes on in the segment of the headers",
  );
  assert.equal(scene.lent.length, before);
});

/** A part with entries of 10 bytes, the first at `at` of a segment, which is lent with it if it is `isNew`. */
function part(segment: number, isNew: boolean, at: number, entries: number): MirrorPart {
  return {
    pieces: [{
      segment,
      memory: isNew ? new ArrayBuffer(1024) : null,
      at,
      entries: Array.from({ length: entries }, () => [10, Entry.VIDEO, 0, 0]).flat(),
    }],
    headers: null,
    tell: false,
    newestKeyframe: null,
    gopStart: null,
    hasVideo: true,
    resumeAt: null,
    time: 0,
    highest: 0,
    absolute: false,
  };
}

Deno.test("a mirror knows of a GOP as long as it has its first frame, whatever the owner has", () => {
  const log = new BroadcastLog(new SegmentPool());
  const gop = new Gop(true, 0);
  const timeline = new Timeline("full");
  const [wentOn, back]: [number[], number[]] = [[], []];
  const receiver = new MirrorReceiver({
    log,
    clock: { now: () => 0 },
    ingest: {
      gop,
      timeline,
      headers: new HeaderCache(),
      absolute: false,
      keepTimestamps: () => {},
      repeatHeaders: () => {},
      noteAdopted: () => {},
    },
    appended: () => {},
    resumeAt: (entry) => wentOn.push(entry),
  }, (segment) => back.push(segment));
  receiver.take({ ...part(7, true, 0, 5), newestKeyframe: 0, gopStart: 0, resumeAt: 1 });
  assert.deepEqual([gop.newestKeyframe, gop.start, wentOn], [0, 0, [1]]);
  receiver.take({ ...part(8, true, 0, 2), newestKeyframe: 0, gopStart: -5 });
  assert.deepEqual([gop.newestKeyframe, gop.start], [5, 0]);
  // For want of room the first segment goes.
  log.trim(5);
  assert.deepEqual([log.tail, back], [5, [7]]);
  receiver.take({ ...part(8, false, 20, 1), newestKeyframe: -2, gopStart: -7 });
  assert.deepEqual(
    [gop.newestKeyframe, gop.start],
    [5, -1],
    "the oldest entry that is left is one",
  );
  receiver.take({ ...part(8, false, 30, 1), newestKeyframe: -4, gopStart: -3, resumeAt: 0 });
  assert.deepEqual([gop.newestKeyframe, gop.start, wentOn], [-1, 5, [1, 8]]);
  receiver.take(part(8, false, 40, 1));
  assert.deepEqual([gop.newestKeyframe, gop.start], [-1, -1], "the owner has none");
});
