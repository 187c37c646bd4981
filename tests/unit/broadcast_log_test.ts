/**
 * The broadcast log and its players against a plain list of messages; memory that is used again.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { BroadcastLog, Entry } from "../../src/live/log/broadcast_log.ts";
import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES } from "../../src/live/limits.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import { SegmentPool } from "../../src/live/log/segment_pool.ts";
import { MessageWriter } from "../../src/rtmp/chunk_writer.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../../src/rtmp/message.ts";
import { FakePlayer, type FakeSink, parse } from "./support/fake_player.ts";
import { equalBytes, FakePublisher, Fixture } from "./support/live_fixture.ts";

/** Appends an entry of `size` bytes, all of them `fill`. */
function append(log: BroadcastLog, size: number, fill: number, nowMs = 0): number {
  const bytes = log.reserve(size, nowMs);
  bytes.fill(fill, log.writeAt, log.writeAt + size);
  return log.commit(size, Entry.VIDEO, nowMs, nowMs);
}

/** All bytes from an entry on. */
function readAll(log: BroadcastLog, from: number, limit = log.head): Uint8Array {
  const views: Uint8Array[] = [];
  for (let at = from; at < limit; at = log.viewEnd) views.push(log.view(at, limit));
  return new Uint8Array(Buffer.concat(views));
}

// ---- the log alone

Deno.test("views are what was appended, between any two entries", () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 200 }), fc.nat(90_000)), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(), (sizes, a, b) => {
      const log = new BroadcastLog(new SegmentPool());
      const wanted: Uint8Array[] = [];
      sizes.forEach((size, i) => {
        assert.equal(append(log, size + 1, i), i);
        wanted.push(new Uint8Array(size + 1).fill(i));
      });
      assert.equal(log.head, sizes.length);
      const [from, limit] = [a % (sizes.length + 1), b % (sizes.length + 1)].toSorted((x, y) =>
        x - y
      );
      const expected = Buffer.concat(wanted.slice(from, limit));
      assert.ok(equalBytes(readAll(log, from, limit), expected));
    }),
    { numRuns: 50 },
  );
});

Deno.test("one view for all who ask at the same point, in every segment", () => {
  const log = new BroadcastLog(new SegmentPool());
  // Slowly: all segments have the same size.
  append(log, 40_000, 1, 0);
  append(log, 40_000, 2, 2000);
  append(log, 40_000, 3, 4000);
  const first = log.view(0);
  assert.equal(log.viewEnd, 1);
  const second = log.view(1);
  const third = log.view(2);
  assert.ok(log.view(0) === first && log.view(1) === second && log.view(2) === third);
  assert.equal(log.viewEnd, 3);
  append(log, 10, 4);
  assert.ok(log.view(2, 3) === third, "nothing has changed for who stops there");
  assert.equal(log.view(2).length, 40_010);
});

Deno.test("what is known of an entry survives the growth of the ring", () => {
  const log = new BroadcastLog(new SegmentPool());
  for (let i = 0; i < 5000; i++) {
    log.reserve(3, i);
    log.commit(3, i % 32, i * 2.5, i);
    // The ring turns before it grows.
    if (i === 1000) log.trim(1001);
  }
  assert.equal(log.tail, 1001);
  for (let i = log.tail; i < 5000; i++) {
    assert.deepEqual([log.timestampAt(i), log.arrivalAt(i), log.flagsAt(i)], [i * 2.5, i, i % 32]);
  }
});

Deno.test("only whole segments are trimmed, and their memory is used again", () => {
  const pool = new SegmentPool();
  const log = new BroadcastLog(pool);
  append(log, 40_000, 1);
  append(log, 40_000, 2, 2000);
  append(log, 20_000, 3, 2000);
  const memory = log.view(0).buffer;
  assert.equal(log.bytes, 2 * MIN_SEGMENT_BYTES);
  assert.ok(!log.canTrim(0));
  log.trim(0);
  assert.equal(log.tail, 0);
  assert.ok(log.canTrim(2));
  log.trim(2);
  assert.equal(log.tail, 1);
  assert.equal(log.bytes, MIN_SEGMENT_BYTES);
  assert.equal(pool.freeBytes, MIN_SEGMENT_BYTES);
  append(log, 40_000, 4, 4000);
  assert.ok(log.view(3).buffer === memory, "the segment is used again");
  assert.equal(pool.freeBytes, 0);
  assert.throws(() => log.view(0), RangeError);
});

Deno.test("the segment that is being filled goes as well when nobody needs it", () => {
  const pool = new SegmentPool();
  const log = new BroadcastLog(pool);
  append(log, 100, 1);
  log.trim(log.head);
  assert.equal(log.bytes, 0);
  assert.equal(pool.freeBytes, MIN_SEGMENT_BYTES);
  assert.equal(append(log, 100, 2), 1);
  assert.ok(equalBytes(readAll(log, 1), new Uint8Array(100).fill(2)));
});

Deno.test("memory of a write in flight does not go back to the pool", () => {
  const pool = new SegmentPool();
  const log = new BroadcastLog(pool);
  append(log, 40_000, 1, 0);
  append(log, 40_000, 2, 2000);
  const view = log.view(0);
  log.hold(0);
  log.trim(2);
  assert.equal(pool.freeBytes, MIN_SEGMENT_BYTES, "one of two");
  for (let i = 0; i < 10; i++) append(log, 40_000, 9, 4000);
  assert.ok(equalBytes(view, new Uint8Array(40_000).fill(1)));
  // Entries that are gone, or have not come, hold nothing.
  log.hold(0);
  log.hold(log.head);
});

Deno.test("segments grow with the bitrate, and shrink again", () => {
  const pool = new SegmentPool();
  const log = new BroadcastLog(pool);
  const fill = (seconds: number, everyMs: number, from: number) => {
    for (let now = from; now < from + seconds * 1000; now += everyMs) {
      append(log, 10_000, 1, now);
      log.trim(log.head - 1);
    }
  };
  fill(10, 2, 0);
  assert.ok(log.bytes >= MAX_SEGMENT_BYTES);
  fill(2000, 1500, 10_000);
  assert.ok(log.bytes <= 2 * MIN_SEGMENT_BYTES);
});

Deno.test("a message larger than any segment has one of its own, which is not kept", () => {
  const pool = new SegmentPool();
  const log = new BroadcastLog(pool);
  append(log, 100, 1);
  append(log, MAX_SEGMENT_BYTES * 3 + 1, 2);
  append(log, 100, 3);
  const expected = [100, MAX_SEGMENT_BYTES * 3 + 1, 100];
  expected.forEach((size, i) => assert.equal(log.view(i, i + 1).length, size));
  log.trim(3);
  assert.equal(log.bytes, 0);
  assert.ok(pool.freeBytes < MAX_SEGMENT_BYTES * 3);
});

Deno.test("the pool keeps what it may be asked for, and only so much of it", () => {
  const pool = new SegmentPool();
  pool.give(new Uint8Array(MIN_SEGMENT_BYTES - 1));
  pool.give(new Uint8Array(MIN_SEGMENT_BYTES + 1));
  pool.give(new Uint8Array(MAX_SEGMENT_BYTES * 2));
  assert.equal(pool.freeBytes, 0);
  for (let i = 0; i < 100; i++) pool.give(new Uint8Array(MAX_SEGMENT_BYTES));
  assert.ok(pool.freeBytes <= 16 * 1024 * 1024);
  const kept = pool.freeBytes;
  assert.equal(pool.take(MAX_SEGMENT_BYTES).length, MAX_SEGMENT_BYTES);
  assert.equal(pool.freeBytes, kept - MAX_SEGMENT_BYTES);
  assert.equal(pool.take(MIN_SEGMENT_BYTES).length, MIN_SEGMENT_BYTES);
});

// ---- the log, its players and their sockets, against a list

const QUEUE_MS = 10_000;

/** Every message that was published, as it has to be on the wire. */
interface Model {
  readonly wire: Uint8Array[];
  readonly keyframe: boolean[];
  /** Where publishers have begun. */
  readonly begins: Set<number>;
  readonly joinedAt: number[];
}

/** A player, and what it has got so far. */
interface Seat {
  readonly fake: FakePlayer;
  left: boolean;
  paused: boolean;
}

class Real extends Fixture {
  readonly live: LiveStream = this.stream({ queueLengthMs: QUEUE_MS, timeJitter: "off" });
  publisher = new FakePublisher(this.live);
  readonly seats: Seat[] = [];
  /** Another stream, which gets the memory that the first one gives back. */
  readonly noise: LiveStream = this.stream({ timeJitter: "off" });

  constructor() {
    super();
    this.publisher.start();
    new FakePublisher(this.noise).start();
  }
}

/** Id at bytes 2 to 5, the rest filled with its low byte. */
function message(id: number, keyframe: boolean, size: number): Uint8Array {
  const payload = new Uint8Array(6 + size).fill(id);
  payload[0] = keyframe ? 0x17 : 0x27;
  payload[1] = 1;
  new DataView(payload.buffer).setUint32(2, id);
  return payload;
}

class Step implements fc.Command<Model, Real> {
  readonly #name: string;
  readonly #run: (model: Model, real: Real) => void;

  constructor(name: string, run: (model: Model, real: Real) => void) {
    this.#name = name;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    this.#run(model, real);
    for (const seat of real.seats) {
      // Who takes all at once has all at once: the pacer sees a clock that flushing costs nothing.
      const { fake } = seat;
      if (!seat.left && fake.player.ready) assert.equal(fake.player.lagMs, 0);
    }
  }

  toString(): string {
    return this.#name;
  }
}

/** A command for one of the players that are there. */
function withSeat(name: string, run: (seat: Seat, real: Real) => void): fc.Arbitrary<Step> {
  return fc.nat(7).map((at) =>
    new Step(`${name}(${at})`, (_, real) => {
      const seats = real.seats.filter(({ left }) => !left);
      if (seats.length > 0) run(seats[at % seats.length], real);
    })
  );
}

const size = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 3000 }) },
  { weight: 6, arbitrary: fc.integer({ min: 20_000, max: MIN_SEGMENT_BYTES }) },
  { weight: 2, arbitrary: fc.integer({ min: MIN_SEGMENT_BYTES, max: MIN_SEGMENT_BYTES + 70_000 }) },
  { weight: 1, arbitrary: fc.constant(MAX_SEGMENT_BYTES + 5) },
);

const publish = fc.tuple(size, fc.integer({ min: 0, max: 4 }).map((n) => n === 0), fc.nat(300)).map(
  ([size, keyframe, pause]) =>
    new Step(`publish(${size}${keyframe ? ", keyframe" : ""}, ${pause} ms)`, (model, real) => {
      real.clock.advance(pause);
      const id = model.wire.length;
      const payload = message(id, keyframe, size);
      const time = real.clock.now();
      const writer = new MessageWriter();
      writer.chunkSize = real.live.vhost.chunkSize;
      writer.write(ChunkStream.VIDEO, MessageType.VIDEO, time, STREAM_ID, payload);
      model.wire.push(writer.take());
      model.keyframe.push(keyframe);
      real.publisher.video(time, payload);
    }),
);

const commands = [
  publish,
  publish,
  publish,
  fc.boolean().map((fast) =>
    new Step(`join(${fast ? "fast" : "slow"})`, (model, real) => {
      model.joinedAt.push(model.wire.length);
      real.seats.push({ fake: new FakePlayer(real.live, { fast }), left: false, paused: false });
    })
  ),
  withSeat("slow", ({ fake }) => void (fake.sink.fast = false)),
  withSeat("fast", ({ fake }) => {
    fake.sink.fast = true;
    fake.drain();
  }),
  withSeat("writable", ({ fake }) => {
    if (fake.sink.inFlight > 0) fake.writable();
  }),
  withSeat("pause", (seat) => {
    seat.paused = !seat.paused;
    seat.fake.player.pause(seat.paused);
  }),
  withSeat("leave", (seat) => {
    seat.left = true;
    seat.fake.leave();
  }),
  fc.constant(new Step("tick", (_, real) => real.live.tick())),
  fc.constant(
    new Step("stall", (_, real) => {
      real.clock.advance(QUEUE_MS + 1000);
      real.live.tick();
    }),
  ),
  fc.constant(
    new Step("noise", (_, real) => {
      for (let i = 0; i < 4; i++) {
        real.noise.media(MessageType.VIDEO, 0, new Uint8Array(40_000).fill(0xee));
        real.noise.readDone();
      }
      real.noise.tick();
    }),
  ),
  fc.constant(
    new Step("next publisher", (model, real) => {
      real.publisher.stop();
      real.publisher = new FakePublisher(real.live);
      assert.ok(real.publisher.start());
      model.begins.add(model.wire.length);
    }),
  ),
];

/** What a player got must be all from where it joined, or all but what it was too slow for. */
function checkReceived(model: Model, seat: Seat, joinedAt: number, chunkSize: number): void {
  const { player, sink } = seat.fake;
  const { bytes } = sink;
  assert.equal(player.sentBytes, bytes.length);
  if (player.jumps === 0) {
    const all = Buffer.concat(model.wire.slice(joinedAt));
    const expected = seat.left ? all.subarray(0, bytes.length) : all;
    assert.ok(equalBytes(bytes, expected), "exactly what was published since it joined");
  }
  let next = joinedAt;
  let missed = 0;
  let gaps = 0;
  for (const { payload } of parse(bytes, chunkSize)) {
    const id = new DataView(payload.buffer, payload.byteOffset).getUint32(2);
    assert.ok(id >= next, "in order, nothing twice");
    if (id > next) {
      gaps++;
      missed += id - next;
      assert.ok(
        model.keyframe[id] || model.begins.has(id),
        `goes on with ${id}, which is no keyframe`,
      );
    }
    assert.ok(equalBytes(payload, message(id, model.keyframe[id], payload.length - 6)));
    next = id + 1;
  }
  assert.ok(gaps <= player.jumps, "a gap for each jump");
  if (!seat.left && !player.waiting) {
    assert.equal(player.cursor, model.wire.length);
    assert.equal(player.droppedMessages, missed + model.wire.length - next);
  }
}

Deno.test("whatever happens, players get the list of messages, and no write in flight is touched", () => {
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 80, size: "max" }), (commands) => {
      const real = new Real();
      const model: Model = { wire: [], keyframe: [], begins: new Set(), joinedAt: [] };
      fc.modelRun(() => ({ model, real }), commands);

      const gone = real.seats.filter(({ left }) => left).map(({ fake }) => fake.sink);
      for (const seat of real.seats) {
        if (seat.left) continue;
        seat.fake.sink.fast = true;
        if (seat.paused) seat.fake.player.pause(false);
        seat.fake.drain();
      }
      gone.forEach((sink: FakeSink) => sink.complete());
      real.seats.forEach((seat, i) => {
        checkReceived(model, seat, model.joinedAt[i], real.live.vhost.chunkSize);
      });

      // Nobody needs anything: all memory is free, but for what writes in flight had to keep.
      for (const { fake } of real.seats) fake.leave();
      real.live.tick();
      assert.equal(real.live.log.bytes, 0);
    }),
    { numRuns: 150 },
  );
});

Deno.test("a long stream lives on a few segments that go round", () => {
  const real = new Real();
  const player = new FakePlayer(real.live);
  const memory = new Set<ArrayBufferLike>();
  player.sink.onSend = (bytes) => {
    memory.add(bytes.buffer);
    player.sink.clear();
  };
  for (let i = 0; i < 3000; i++) {
    real.clock.advance(20);
    real.publisher.video(i * 20, message(i, i % 50 === 0, 10_000));
  }
  assert.ok(memory.size <= 8, `${memory.size} segments for 30 MB`);
  assert.ok(real.live.log.bytes <= 2 * MAX_SEGMENT_BYTES);
});

Deno.test("a message that nobody will read has a number, a time and flags, and takes no memory", () => {
  const log = new BroadcastLog(new SegmentPool());
  log.reserve(100, 1);
  assert.equal(log.commit(100, Entry.VIDEO, 10, 1), 0);
  for (let i = 1; i < 1000; i++) assert.equal(log.pass(Entry.AUDIO, 10 * i, i), i);
  assert.equal(log.bytes, 0);
  assert.equal(log.tail, 1000);
  assert.equal(log.timestampAt(999), 9990);
  assert.equal(log.flagsAt(999), Entry.AUDIO);
  log.reserve(7, 2000).fill(9, log.writeAt, log.writeAt + 7);
  assert.equal(log.commit(7, Entry.VIDEO, 9999, 2000), 1000);
  assert.deepEqual([...log.view(1000)], Array(7).fill(9));
});
