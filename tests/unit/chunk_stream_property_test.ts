/**
 * What holds for every chunk stream: it reads as it was written, and how it is cut does not matter.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ChunkReader } from "../../src/rtmp/chunk_reader.ts";
import { RtmpError } from "../../src/rtmp/error.ts";
import { ServerHandshake } from "../../src/rtmp/handshake.ts";
import { concat, toHex } from "./hex.ts";
import { makeC1 } from "./support/digest_client.ts";
import { be, chunk } from "./support/naive_chunks.ts";

/** A message to be sent on one of the chunk streams. */
interface Planned {
  readonly lane: number;
  /** ms since the lane's last message; a negative one needs a type-0 header. */
  readonly step: number;
  readonly type: number;
  readonly payload: Uint8Array;
  readonly msid: number;
  /** Type of header wished for; used where it can say what must be said. */
  readonly fmt: 0 | 1 | 2 | 3;
  readonly form: 2 | 3;
  /** Sent before this message: Set Chunk Size, 0 = none. */
  readonly chunkSize: number;
}

interface Plan {
  readonly csids: readonly number[];
  readonly start: number;
  readonly repeats: boolean;
  readonly messages: readonly Planned[];
  /** Which of the unfinished messages sends its next chunk. */
  readonly order: readonly number[];
}

const CONTROL = 2;

const csids = fc.uniqueArray(
  fc.oneof(fc.integer({ min: 3, max: 63 }), fc.integer({ min: 64, max: 65599 })),
  { minLength: 1, maxLength: 4 },
);

const plans: fc.Arbitrary<Plan> = fc.record({
  csids,
  start: fc.oneof(fc.nat(1000), fc.constantFrom(0xffffff - 100, 0x01000000, 0x7fffff00)),
  repeats: fc.boolean(),
  messages: fc.array(
    fc.record({
      lane: fc.nat(3),
      step: fc.oneof(fc.nat(100), fc.constantFrom(0, 40, 40, 0xfffffe, 0xffffff, -5)),
      type: fc.constantFrom(8, 9, 18, 20, 22, 200),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ minLength: 100, maxLength: 400 }),
      ),
      msid: fc.constantFrom(0, 1, 1, 0x01020304),
      fmt: fc.constantFrom<(0 | 1 | 2 | 3)[]>(0, 1, 2, 3),
      form: fc.constantFrom<(2 | 3)[]>(2, 3),
      chunkSize: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 })),
    }),
    { minLength: 1, maxLength: 14 },
  ),
  order: fc.array(fc.nat(7), { minLength: 40, maxLength: 40 }),
});

/** What the sender knows of a chunk stream. */
interface Lane {
  timestamp: number;
  delta: number;
  length: number;
  type: number;
  msid: number;
  extended: boolean;
}

interface Unfinished {
  readonly csid: number;
  readonly type: number;
  readonly timestamp: number;
  readonly msid: number;
  readonly payload: Uint8Array;
  readonly first: (data: Uint8Array) => Uint8Array;
  readonly extended: boolean;
  readonly form: 2 | 3;
  at: number;
}

/** Carries a plan out: the bytes, and the messages in the order in which they are complete. */
function carryOut(plan: Plan): { bytes: Uint8Array; expected: string[] } | null {
  const lanes = new Map<number, Lane>();
  const pieces: Uint8Array[] = [];
  const expected: string[] = [];
  const unfinished: Unfinished[] = [];
  /** Where the data of continuation chunks begin whose sender leaves the extended field out. */
  const unmarked: { at: number; time: number }[] = [];
  let chunkSize = 128;
  let written = 0;
  let turn = 0;

  const put = (bytes: Uint8Array) => {
    pieces.push(bytes);
    written += bytes.length;
  };
  const sendChunk = (message: Unfinished) => {
    const { csid, payload, timestamp, form } = message;
    const data = payload.subarray(message.at, message.at + chunkSize);
    if (message.at === 0) {
      put(message.first(data));
    } else {
      const repeated = message.extended && plan.repeats ? { repeated: timestamp } : {};
      const bytes = chunk(3, { csid, form, ...repeated }, data);
      if (message.extended && !plan.repeats) {
        unmarked.push({ at: written + bytes.length - data.length, time: timestamp });
      }
      put(bytes);
    }
    message.at += data.length;
    if (message.at < payload.length) return;
    unfinished.splice(unfinished.indexOf(message), 1);
    if (payload.length === 0) return;
    expected.push(`${message.type}@${timestamp}/${message.msid} ${toHex(payload)}`);
    if (message.type === 1 && csid === CONTROL) {
      chunkSize = new DataView(payload.buffer).getUint32(0);
    }
  };
  const next = () => {
    const at = (plan.order[turn++ % plan.order.length] ?? 0) % unfinished.length;
    sendChunk(unfinished[at]);
  };
  const begin = (csid: number, wish: Omit<Planned, "lane" | "chunkSize">) => {
    while (unfinished.some((message) => message.csid === csid)) next();
    const { message, lane } = start(csid, wish, lanes.get(csid), plan.start);
    lanes.set(csid, lane);
    unfinished.push(message);
    sendChunk(message);
  };

  for (const message of plan.messages) {
    if (message.chunkSize > 0) {
      const payload = Uint8Array.from(be(message.chunkSize, 4));
      begin(CONTROL, { step: 0, type: 1, payload, msid: 0, fmt: 0, form: 3 });
    }
    begin(plan.csids[message.lane % plan.csids.length], message);
    if (unfinished.length > 0) next();
  }
  while (unfinished.length > 0) next();

  const bytes = concat(...pieces);
  // No reader can tell data from the field when they are the same.
  const ambiguous = unmarked.some(({ at, time }) =>
    be(time, 4).every((byte, i) => bytes[at + i] === byte || at + i >= bytes.length)
  );
  return ambiguous ? null : { bytes, expected };
}

/** Chooses the header of a message. */
function start(
  csid: number,
  wish: Omit<Planned, "lane" | "chunkSize">,
  known: Lane | undefined,
  firstTime: number,
): { message: Unfinished; lane: Lane } {
  const { type, payload, msid, form } = wish;
  const length = payload.length;
  const timestamp = Math.min(
    0x7fffffff,
    Math.max(0, known ? known.timestamp + wish.step : firstTime),
  );
  const delta = known ? timestamp - known.timestamp : -1;
  let fmt: 0 | 1 | 2 | 3 = 0;
  if (known && known.msid === msid && delta >= 0 && delta < 0xffffff) {
    const same = known.length === length && known.type === type;
    fmt = wish.fmt;
    if (fmt === 3 && (known.extended ? delta !== 0 : delta !== known.delta)) fmt = 2;
    if (fmt >= 2 && !same) fmt = 1;
  }
  const time = fmt === 0 ? timestamp : delta;
  // A type-3 header is under the rule of the one before it.
  const extended = fmt === 3 ? known?.extended === true : time >= 0xffffff;
  const repeated = fmt === 3 && extended ? { repeated: timestamp } : {};
  const fields = { csid, form, time, length, type, msid, ...repeated };
  return {
    message: {
      csid,
      type,
      timestamp,
      msid,
      payload,
      form,
      extended,
      first: (data) => chunk(fmt, fields, data),
      at: 0,
    },
    lane: {
      timestamp,
      delta: fmt === 3 ? known?.delta ?? 0 : time,
      length,
      type,
      msid,
      extended,
    },
  };
}

/** Feeds a reader in pieces that end at `ends`, and tells all that can be seen of it. */
function run(bytes: Uint8Array, ends: readonly number[], handshake = false): string[] {
  const reader = new ChunkReader();
  reader.maxMessageSize = 100_000;
  const shake = new ServerHandshake();
  const seen: string[] = [];
  let from = 0;
  try {
    for (const to of [...ends, bytes.length]) {
      let piece = bytes.slice(from, to);
      from = to;
      if (handshake && !shake.done) piece = piece.subarray(shake.push(piece, 1));
      reader.push(piece);
      while (reader.next()) {
        const { type, timestamp, streamId, payload } = reader.message;
        seen.push(`${type}@${timestamp}/${streamId} ${toHex(payload)}`);
      }
    }
    seen.push(`${reader.partialBytes} bytes left, chunk size ${reader.chunkSize}`);
  } catch (error) {
    if (!(error instanceof RtmpError)) throw error;
    seen.push(`${error.code} ${error.message}`);
  }
  if (handshake) seen.push(`${shake.done} ${shake.kind}`);
  return seen;
}

function assertCutsDoNotMatter(bytes: Uint8Array, cuts: readonly number[], handshake = false) {
  const whole = run(bytes, [], handshake);
  const ends = cuts.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b);
  assert.deepEqual(run(bytes, ends, handshake), whole);
  assert.deepEqual(run(bytes, Array.from(bytes, (_, i) => i), handshake), whole);
}

const cuts = fc.array(fc.nat(), { maxLength: 10 });

/** Small damage: a byte changed, some removed, some put in. */
const damage = fc.array(
  fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) }),
  { minLength: 1, maxLength: 3 },
);

function damaged(bytes: Uint8Array, changes: { at: number; remove: number; insert: Uint8Array }[]) {
  for (const { at, remove, insert } of changes) {
    const from = at % (bytes.length + 1);
    bytes = concat(bytes.subarray(0, from), insert, bytes.subarray(from + remove));
  }
  return bytes;
}

Deno.test("property: any interleaving with headers of all types reads as it was meant (H4)", () => {
  fc.assert(
    fc.property(plans, cuts, (plan, at) => {
      const done = carryOut(plan);
      if (done === null) return fc.pre(false);
      const got = run(done.bytes, []);
      assert.match(got.pop() ?? "", /^0 bytes left/);
      assert.deepEqual(got, done.expected);
      assertCutsDoNotMatter(done.bytes, at);
    }),
    { numRuns: 400 },
  );
});

Deno.test("property: a damaged chunk stream gives the same however it is cut (H5)", () => {
  fc.assert(
    fc.property(plans, damage, cuts, (plan, changes, at) => {
      const done = carryOut(plan);
      if (done === null) return fc.pre(false);
      assertCutsDoNotMatter(damaged(done.bytes, changes), at);
    }),
    { numRuns: 400 },
  );
});

Deno.test("property: random bytes give the same however they are cut", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), cuts, (bytes, at) => {
      // A chunk stream of every kind of id, so that there is something to go on from.
      const start = concat(
        chunk(0, { csid: 3, time: 1, length: 1 }, "00"),
        chunk(0, { csid: 4, time: 0x01020304, length: 3 }, "000000"),
        "01000000 0005 01 0004",
        bytes,
      );
      assertCutsDoNotMatter(bytes, at);
      assertCutsDoNotMatter(start, at);
    }),
    { numRuns: 300 },
  );
});

Deno.test("property: handshake and chunk stream in one go give the same however they are cut", () => {
  const { c1 } = makeC1(new Uint8Array(1536).fill(3), 1);
  const starts = fc.constantFrom(
    concat("03", c1, new Uint8Array(1536)),
    concat("03", new Uint8Array(3072)),
    concat("f30004 c0000201 03", new Uint8Array(3072)),
    concat("06", new Uint8Array(3072)),
    concat("'GET / HTTP/1.1"),
  );
  fc.assert(
    fc.property(starts, plans, cuts, (start, plan, at) => {
      const done = carryOut(plan);
      if (done !== null) assertCutsDoNotMatter(concat(start, done.bytes), at, true);
    }),
    { numRuns: 60 },
  );
});
