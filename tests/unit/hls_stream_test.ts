/**
 * HLS of a live stream: it follows publications, tells those who wait, bounds its memory, and costs no
 * publisher anything when it fails.
 * @module
 */

import assert from "node:assert/strict";
import { HlsStreams } from "../../src/hls/hls_streams.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import { MIN_SEGMENTS } from "../../src/hls/limits.ts";
import { FakePublisher, Fixture } from "./support/live_fixture.ts";

const AVCC = [1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 1];
const HEADER = Uint8Array.of(0x17, 0, 0, 0, 0, ...AVCC);
const HLS = { enabled: true, fragment: 1, part: 0.2, window: 5, sessions: true };

/** A stream with HLS, and a publisher. */
class Scene extends Fixture {
  readonly faults: unknown[] = [];
  readonly all: HlsStreams;
  now = Date.UTC(2026, 10, 27);

  constructor(memoryBytes?: number) {
    super();
    this.all = new HlsStreams({
      date: () => this.now,
      newRun: () => "abcdefgh",
      fault: (_stream, error) => void this.faults.push(error),
    }, memoryBytes);
  }

  live(hls: Partial<typeof HLS> = {}): LiveStream {
    const live = this.stream({ gopCache: true }, { minLatency: true, hls: { ...HLS, ...hls } });
    this.all.obtained(live);
    return live;
  }

  /** Publishes so many seconds of pictures of `bytes`, with a keyframe each second. */
  seconds(publisher: FakePublisher, from: number, count: number, bytes = 100): void {
    const payload = new Uint8Array(9 + bytes).fill(0x41);
    for (let i = 0; i < count * 25; i++) {
      const ms = from * 1000 + i * 40;
      this.clock.advance(40);
      this.now += 40;
      payload.set([i % 25 === 0 ? 0x17 : 0x27, 1, 0, 0, 0]);
      payload.set([bytes >>> 24, bytes >>> 16 & 0xff, bytes >>> 8 & 0xff, bytes & 0xff], 5);
      publisher.video(ms, payload);
    }
  }
}

function begin(live: LiveStream): FakePublisher {
  const publisher = new FakePublisher(live);
  publisher.start();
  publisher.video(0, HEADER);
  return publisher;
}

Deno.test("HLS stream: segments while it is published, and a discontinuity with the next publisher", () => {
  const scene = new Scene();
  const live = scene.live();
  const hls = scene.all.of(live);
  assert.ok(hls);
  const first = begin(live);
  scene.seconds(first, 0, 4);
  assert.equal(hls.window.isLive, true);
  const numbers = hls.window.listed.map(({ number }) => number);
  assert.equal(numbers[0], Math.floor((Date.UTC(2026, 10, 27) - Date.UTC(2020, 0, 1)) / 1000));
  assert.equal(numbers.length, 4, "three are complete, one grows");
  first.stop();
  assert.equal(hls.window.isLive, false);
  assert.ok(hls.window.listed.every(({ isComplete }) => isComplete));
  const next = begin(live);
  scene.seconds(next, 0, 2);
  const [, , , , fifth] = hls.window.listed;
  assert.equal(fifth.isDiscontinuous, true);
  assert.equal(fifth.number, numbers[0] + 4);
  // It is dated by the time at which it came, on one timeline.
  assert.ok(Math.abs(fifth.dateMs - scene.now + 2000) < 300, `${scene.now - fifth.dateMs} ms`);
  assert.deepEqual(scene.faults, []);
});

Deno.test("HLS stream: who waits is told once, of each part", () => {
  const scene = new Scene();
  const live = scene.live();
  const hls = scene.all.of(live);
  assert.ok(hls);
  const publisher = begin(live);
  let told = 0;
  hls.next(() => told++);
  const cancel = hls.next(() => assert.fail("it was cancelled"));
  cancel();
  assert.equal(hls.waiting, 1);
  scene.seconds(publisher, 0, 2);
  assert.deepEqual([told, hls.waiting], [1, 0]);
});

Deno.test("HLS stream: sessions are an audience, and the last one leaves none", () => {
  const scene = new Scene();
  const live = scene.live();
  const hls = scene.all.of(live);
  assert.ok(hls);
  hls.count(1);
  hls.count(1);
  assert.equal(live.playerCount, 2);
  hls.count(-1);
  hls.count(-1);
  assert.deepEqual([live.playerCount, live.localPlayers], [0, 0]);
});

Deno.test("HLS streams: memory of all together is bounded, and the largest gives first", () => {
  const scene = new Scene(2_000_000);
  const [small, large] = [scene.live({ window: 60 }), scene.live({ window: 60 })];
  const [one, two] = [begin(small), begin(large)];
  scene.seconds(one, 0, 20, 400);
  scene.seconds(two, 0, 20, 20_000);
  const [a, b] = [small, large].map((live) => scene.all.of(live)?.window);
  assert.ok(a && b);
  assert.ok(scene.all.bytes <= 2_000_000 + 600_000, `${scene.all.bytes} bytes`);
  assert.equal(a.listed.length, 20, "the small one keeps all");
  assert.ok(b.listed.length >= MIN_SEGMENTS && b.listed.length < 8);
  scene.all.forgotten(large);
  assert.equal(scene.all.of(large), null);
  assert.ok(scene.all.bytes < 300_000);
});

Deno.test("HLS stream: a fault of ours ends it for the publication, and nothing else", () => {
  const scene = new Scene();
  const live = scene.live();
  const hls = scene.all.of(live);
  assert.ok(hls);
  const publisher = begin(live);
  scene.seconds(publisher, 0, 2);
  const before = hls.window.version;
  Object.assign(hls.window, {
    addPart: () => {
      throw new Error("ours");
    },
  });
  scene.seconds(publisher, 2, 2);
  assert.equal(scene.faults.length, 1);
  assert.equal(hls.window.version, before);
  assert.equal(live.active, true, "the publisher goes on");
  Reflect.deleteProperty(hls.window, "addPart");
  publisher.stop();
  const next = begin(live);
  scene.seconds(next, 0, 2);
  assert.ok(hls.window.version > before, "and the next publication has HLS again");
});

Deno.test("HLS streams: a vhost without it has none", () => {
  const scene = new Scene();
  assert.equal(scene.all.of(scene.live({ enabled: false })), null);
});
