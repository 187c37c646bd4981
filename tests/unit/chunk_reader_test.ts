/**
 * Incoming chunks, case by case: timestamps, broken order, control messages, memory.
 * `chunk_stream_property_test.ts` has what holds for every input.
 * @module
 */

import assert from "node:assert/strict";
import { MAX_CHUNK_STREAMS, MAX_PARTIAL_BYTES } from "../../src/rtmp/limits.ts";
import { ChunkReader } from "../../src/rtmp/chunk_reader.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { concat, toHex } from "./hex.ts";
import { be, chunk, type Fields } from "./support/naive_chunks.ts";

/** Feeds bytes and lists the messages as `type@timestamp/stream payload`. */
function read(bytes: Uint8Array, reader = new ChunkReader()): string[] {
  reader.push(bytes);
  const messages: string[] = [];
  while (reader.next()) {
    const { type, timestamp, streamId, payload } = reader.message;
    messages.push(`${type}@${timestamp}/${streamId} ${toHex(payload)}`);
  }
  return messages;
}

/** The same fed whole and byte by byte, which must agree. */
function readBoth(...pieces: (Uint8Array | string)[]): string[] {
  const bytes = concat(...pieces);
  const whole = read(bytes);
  const reader = new ChunkReader();
  const single = Array.from(bytes, (byte) => read(Uint8Array.of(byte), reader)).flat();
  assert.deepEqual(single, whole);
  return whole;
}

function assertRefused(code: number, reason: RegExp, ...pieces: (Uint8Array | string)[]): void {
  assert.throws(() => read(concat(...pieces)), (error) => {
    assert.ok(error instanceof RtmpError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, reason);
    return true;
  });
}

function setChunkSize(size: number, csid = 2): Uint8Array {
  const data = Uint8Array.from(be(size, 4));
  return chunk(0, { csid, length: 4, type: 1, msid: 0 }, data);
}

const AB = concat("aabb");

// ---- headers and timestamps

Deno.test("type 0: all fields; the stream id is little-endian", () => {
  const bytes = "06 000102 000002 09 01020304 aabb";
  assert.deepEqual(readBoth(bytes), ["9@258/67305985 aabb"]);
});

Deno.test("types 1 and 2 add their delta; 3 adds the last one again", () => {
  assert.deepEqual(
    readBoth(
      chunk(0, { time: 1000, length: 2, type: 8 }, AB),
      chunk(1, { time: 20, length: 1, type: 9 }, "01"),
      chunk(2, { time: 5 }, "02"),
      chunk(3, {}, "03"),
      chunk(3, {}, "04"),
    ),
    ["8@1000/1 aabb", "9@1020/1 01", "9@1025/1 02", "9@1030/1 03", "9@1035/1 04"],
  );
});

Deno.test("Q6: type 3 after a type-0 message: its timestamp is the delta (26, 52, 78)", () => {
  assert.deepEqual(
    readBoth(chunk(0, { time: 26, length: 2 }, AB), chunk(3, {}, AB), chunk(3, {}, AB)),
    ["8@26/1 aabb", "8@52/1 aabb", "8@78/1 aabb"],
  );
});

Deno.test("Q7: the first chunk of a chunk stream is type 1: stream id 0, the delta is the time", () => {
  assert.deepEqual(
    readBoth("42 000007 000006 04 0006 0000000d", chunk(3, { csid: 2 }, "0006 0000000e")),
    ["4@7/0 00060000000d", "4@14/0 00060000000e"],
  );
});

Deno.test("H6: the first chunk of a chunk stream is type 2 or 3", () => {
  assertRefused(ErrorCode.CHUNK_START, /chunk stream 4 .*type-2/, chunk(2, { time: 1 }, AB));
  assertRefused(ErrorCode.CHUNK_START, /chunk stream 70 .*type-3/, chunk(3, { csid: 70 }, AB));
});

Deno.test("Q8: chunk stream ids in 1, 2 and 3 bytes; both forms of an id are one stream", () => {
  for (const csid of [2, 3, 45, 63, 64, 65, 319, 320, 65599]) {
    for (const form of [2, 3] as const) {
      assert.deepEqual(
        readBoth(
          chunk(0, { csid, form, time: 5, length: 2 }, AB),
          chunk(3, { csid }, AB),
        ),
        ["8@5/1 aabb", "8@10/1 aabb"],
        `csid ${csid}`,
      );
    }
  }
  assert.deepEqual(readBoth("00 06 000001 000001 08 01000000 aa"), ["8@1/1 aa"]);
  // The third byte is the high one: 64 + 1 + 256 * 2 is not 64 + 2 + 256 * 1.
  assertRefused(
    ErrorCode.CHUNK_START,
    /chunk stream 322/,
    "01 01 02 000001 000001 08 01000000 aa",
    "c1 02 01 aa",
  );
});

Deno.test("Q3, Q4: extended timestamp in type 0, from the field's last plain value on", () => {
  for (const time of [0xfffffe, 0xffffff, 0x1000000, 0x7fffffff]) {
    assert.deepEqual(readBoth(chunk(0, { time, length: 2 }, AB)), [`8@${time}/1 aabb`]);
  }
});

Deno.test("Q5: timestamps are masked to 31 bits, sums too", () => {
  assert.deepEqual(
    readBoth(
      chunk(0, { time: 0x80000005, length: 2 }, AB),
      chunk(0, { time: 0xffffffff, length: 2 }, AB),
      chunk(2, { time: 0x21 }, AB),
    ),
    ["8@5/1 aabb", "8@2147483647/1 aabb", "8@32/1 aabb"],
  );
});

Deno.test("an extended timestamp is absolute in types 1 and 2 too", () => {
  assert.deepEqual(
    readBoth(
      chunk(0, { time: 50, length: 2 }, AB),
      chunk(1, { time: 0x01000100, length: 1, type: 9 }, "01"),
      chunk(2, { time: 0x01000200 }, "02"),
      chunk(2, { time: 40 }, "03"),
    ),
    ["8@50/1 aabb", "9@16777472/1 01", "9@16777728/1 02", "9@16777768/1 03"],
  );
});

Deno.test("type 3 starting a message under an extended timestamp has the field and is absolute", () => {
  assert.deepEqual(
    readBoth(
      chunk(0, { time: 0x01000000, length: 2 }, AB),
      chunk(3, { repeated: 0x01000000 }, AB),
      chunk(3, { repeated: 0x01000020 }, AB),
      chunk(2, { time: 9 }, AB),
      chunk(3, {}, AB),
    ),
    [16777216, 16777216, 16777248, 16777257, 16777266].map((t) => `8@${t}/1 aabb`),
  );
});

// ---- continuation chunks under an extended timestamp

const TIME = 0x01000000;

/** A message of `data` at `time` in chunks of 4 bytes, with or without the field repeated. */
function longMessage(data: Uint8Array, repeats: boolean, time = TIME): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += 4) {
    const piece = data.subarray(at, at + 4);
    const repeated = repeats ? { repeated: time } : {};
    pieces.push(
      at === 0 ? chunk(0, { time, length: data.length }, piece) : chunk(3, repeated, piece),
    );
  }
  return concat(...pieces);
}

for (const [row, repeats] of [["Q1", true], ["Q2", false]] as const) {
  const how = repeats ? "repeated in" : "left out of";
  Deno.test(`${row}: extended timestamp ${how} type-3 chunks, final chunk of any size`, () => {
    for (const length of [5, 6, 7, 8, 9, 11, 12, 13]) {
      const data = Uint8Array.from({ length }, (_, i) => 0x10 + i);
      const expected = `8@${TIME}/1 ${toHex(data)}`;
      assert.deepEqual(readBoth(setChunkSize(4), longMessage(data, repeats)).slice(1), [expected]);
    }
  });
}

Deno.test("Q2: a short final chunk is not held back until more bytes come, the first one neither", () => {
  const data = concat("10111213 20");
  assert.deepEqual(readBoth(setChunkSize(4), longMessage(data, false)).length, 2);
});

Deno.test("Q2: data that begins like the timestamp, then differs", () => {
  for (const tail of ["01", "0100", "010000", "01000001", "01000001 01000002", "010000ff 01"]) {
    const data = concat("10111213", tail);
    const next = chunk(0, { csid: 5, time: 1, length: 2 }, AB);
    assert.deepEqual(readBoth(setChunkSize(4), longMessage(data, false), next).slice(1), [
      `8@${TIME}/1 ${toHex(data)}`,
      "8@1/1 aabb",
    ]);
  }
});

Deno.test("Q2: sniffed bytes that are data, a whole header and the data behind it", () => {
  // The timestamp looks like: last data byte 05, type-3 header of chunk stream 4, data e1.
  const time = 0x05c4e1e2;
  const first = chunk(0, { csid: 4, time: 3, length: 2 }, AB);
  const other = concat(setChunkSize(4), chunk(0, { csid: 6, time, length: 5 }, "10111213"));
  assert.deepEqual(
    readBoth(first, other, "c6 05", "c4 e1 00", "c4 e1 e3").slice(2),
    [`8@${time}/1 1011121305`, "8@6/1 e100", "8@9/1 e1e3"],
  );
  // The same with a header that is not all there.
  assert.deepEqual(
    readBoth(first, other, "c6 05", "c4", "e1 e3").slice(2),
    [`8@${time}/1 1011121305`, "8@6/1 e1e3"],
  );
});

Deno.test("Q1: an extended timestamp of 0 and one with bit 31 are recognised when repeated", () => {
  for (const time of [0, 0x80000000, 0xffffffff]) {
    const bytes = concat(
      setChunkSize(4),
      concat("04 ffffff 000006 08 01000000", Uint8Array.from(be(time, 4)), "10111213"),
      concat("c4", Uint8Array.from(be(time, 4)), "1415"),
    );
    assert.deepEqual(readBoth(bytes).slice(1), [`8@${time & 0x7fffffff}/1 101112131415`]);
  }
});

// ---- messages in pieces

Deno.test("long messages of several chunk streams interleaved, media in three", () => {
  const size = setChunkSize(4);
  assert.deepEqual(
    readBoth(
      size,
      chunk(0, { csid: 4, time: 1, length: 6, type: 8 }, "00010203"),
      chunk(0, { csid: 6, time: 2, length: 9, type: 9 }, "10111213"),
      chunk(0, { csid: 64, time: 3, length: 5, type: 18 }, "20212223"),
      chunk(3, { csid: 6 }, "14151617"),
      chunk(3, { csid: 4 }, "0405"),
      chunk(3, { csid: 64 }, "24"),
      chunk(3, { csid: 6 }, "18"),
      chunk(3, { csid: 4 }, "06070809"),
      chunk(3, { csid: 4 }, "0a0b"),
    ).slice(1),
    [
      "8@1/1 000102030405",
      "18@3/1 2021222324",
      "9@2/1 101112131415161718",
      "8@2/1 060708090a0b",
    ],
  );
});

Deno.test("Q10, H4: Set Chunk Size between two chunks of another message, up and down", () => {
  assert.deepEqual(
    readBoth(
      setChunkSize(2),
      chunk(0, { csid: 4, length: 9 }, "0001"),
      chunk(0, { csid: 2, length: 4, type: 1, msid: 0 }, "0000"),
      chunk(3, { csid: 2 }, "0005"),
      chunk(3, { csid: 4 }, "0203040506"),
      setChunkSize(1),
      chunk(3, { csid: 4 }, "07"),
      chunk(3, { csid: 4 }, "08"),
    ),
    ["1@0/0 00000002", "1@0/0 00000005", "1@0/0 00000001", "8@0/1 000102030405060708"],
  );
});

Deno.test("Q9: Set Chunk Size on any chunk stream", () => {
  for (const csid of [2, 3, 4, 5, 6, 70]) {
    const reader = new ChunkReader();
    read(setChunkSize(777, csid), reader);
    assert.equal(reader.chunkSize, 777);
  }
});

Deno.test("Q11, H3: chunk sizes from 1 to 2^31 - 1 are accepted, larger than a message as that", () => {
  for (const size of [1, 127, 128, 60_000, 65_536, 1_000_000, 1_048_576, 0xffffff]) {
    const reader = new ChunkReader();
    read(setChunkSize(size), reader);
    assert.equal(reader.chunkSize, size);
  }
  const reader = new ChunkReader();
  read(setChunkSize(0x7fffffff), reader);
  assert.equal(reader.chunkSize, 0xffffff);
});

Deno.test("Q11, H3: chunk size 0, bit 31, and a body that is too short are refused", () => {
  for (const size of [0, 0x80000000, 0xffffffff]) {
    assertRefused(ErrorCode.CHUNK_SIZE, new RegExp(`chunk size ${size} `), setChunkSize(size));
  }
  const short = chunk(0, { csid: 2, length: 3, type: 1, msid: 0 }, "000080");
  assertRefused(ErrorCode.CHUNK_SIZE, /3 bytes/, short);
});

/** A connect command, longer than a chunk of 128 bytes; its data hold the bytes of no chunk header. */
const CONNECT = concat(
  "02 0007 636f6e6e656374 00 3ff0000000000000",
  new Uint8Array(300).fill(0x55),
);
const CONNECT_HEADER: Fields = { csid: 3, length: CONNECT.length, type: 20, msid: 0 };
const CONNECTED = `20@0/0 ${toHex(CONNECT)}`;

Deno.test("Q14: connect in chunks of 4096 bytes that nobody has announced, whatever follows it", () => {
  const next = chunk(0, { csid: 3, length: 2, type: 20, msid: 0 }, AB);
  const bytes = concat(chunk(0, CONNECT_HEADER, CONNECT), next);
  const reader = new ChunkReader();
  assert.deepEqual(read(bytes, reader), [CONNECTED, "20@0/0 aabb"]);
  assert.equal(reader.chunkSize, 4096);
});

Deno.test("Q14: connect in chunks of 128 bytes is one of the standard size", () => {
  const rest = [chunk(3, { csid: 3 }, CONNECT.subarray(128, 256))];
  rest.push(chunk(3, { csid: 3 }, CONNECT.subarray(256)));
  const pieces = [chunk(0, CONNECT_HEADER, CONNECT.subarray(0, 128)), ...rest];
  assert.deepEqual(readBoth(...pieces), [CONNECTED]);
});

Deno.test("Q14: a control message behind the first chunk of connect is one, not the rest of it", () => {
  const pieces = [
    chunk(0, CONNECT_HEADER, CONNECT.subarray(0, 128)),
    setChunkSize(1000),
    chunk(3, { csid: 3 }, CONNECT.subarray(128)),
  ];
  const reader = new ChunkReader();
  assert.deepEqual(read(concat(...pieces), reader), ["1@0/0 000003e8", CONNECTED]);
  assert.equal(reader.chunkSize, 1000);
  assert.equal(readBoth(...pieces).length, 2);
});

Deno.test("H5: a type-0 header in the middle of a message", () => {
  assertRefused(
    ErrorCode.CHUNK_START,
    /type-0 header in the middle/,
    chunk(0, { length: 200 }, new Uint8Array(128)),
    chunk(0, { length: 200 }, new Uint8Array(128)),
  );
});

Deno.test("H5: type 1 in the middle: refused with another length, tolerated with the same", () => {
  const first = chunk(0, { time: 3, length: 130 }, new Uint8Array(128));
  for (const length of [129, 131, 0xffffff]) {
    assertRefused(
      ErrorCode.PACKET_SIZE,
      new RegExp(`from 130 to ${length} bytes`),
      first,
      chunk(1, { length }, AB),
    );
  }
  const data = "00".repeat(128) + "aabb";
  assert.deepEqual(readBoth(first, chunk(1, { time: 9, length: 130 }, AB)), [`8@3/1 ${data}`]);
  assert.deepEqual(readBoth(first, chunk(2, { time: 9 }, AB)), [`8@3/1 ${data}`]);
});

Deno.test("H13: an empty message is dropped, its header counts", () => {
  assert.deepEqual(
    readBoth(
      chunk(0, { time: 100, length: 2 }, AB),
      chunk(1, { time: 7, length: 0, type: 9 }, ""),
      chunk(3, {}, ""),
      chunk(1, { time: 1, length: 2, type: 8 }, AB),
    ),
    ["8@100/1 aabb", "8@115/1 aabb"],
  );
});

Deno.test("Abort drops the unfinished message of that chunk stream alone", () => {
  const size = setChunkSize(2);
  const abort = concat(
    chunk(0, { csid: 2, length: 4, type: 2, msid: 0 }, "0000"),
    chunk(3, { csid: 2 }, "0006"),
  );
  assert.deepEqual(
    readBoth(
      size,
      chunk(0, { csid: 4, time: 1, length: 4 }, "0001"),
      chunk(0, { csid: 6, time: 2, length: 4, type: 9 }, "1011"),
      abort,
      chunk(3, { csid: 4 }, "0203"),
      chunk(0, { csid: 6, time: 5, length: 2, type: 9 }, "2021"),
    ).slice(1),
    ["2@0/0 00000006", "8@1/1 00010203", "9@5/1 2021"],
  );
  // Of a chunk stream that has nothing, or does not exist.
  assert.deepEqual(readBoth(size, abort).slice(1), ["2@0/0 00000006"]);
});

// ---- memory and work

Deno.test("a payload in one piece is a view of what was pushed", () => {
  const bytes = chunk(0, { length: 100 }, new Uint8Array(100));
  const reader = new ChunkReader();
  reader.push(bytes);
  assert.ok(reader.next());
  assert.equal(reader.message.payload.buffer, bytes.buffer);
});

Deno.test("H1: a message of 16 MB is announced: only what has come is held", () => {
  const reader = new ChunkReader();
  read(concat(setChunkSize(0xffffff), chunk(0, { length: 0xffffff, type: 9 }, "")), reader);
  assert.equal(reader.partialBytes, 0);
  assert.equal(reader.allocatedBytes, 0);
  read(new Uint8Array(1000), reader);
  assert.equal(reader.partialBytes, 1000);
  assert.ok(reader.allocatedBytes <= 4096, `${reader.allocatedBytes}`);
  for (let i = 0; i < 100; i++) {
    read(new Uint8Array(1000), reader);
    assert.ok(reader.allocatedBytes <= Math.max(4096, 2 * reader.partialBytes));
  }
});

Deno.test("H1: a message that is larger than allowed is refused with its header", () => {
  const reader = new ChunkReader();
  reader.maxMessageSize = 1000;
  assert.equal(read(chunk(0, { length: 1000 }, ""), reader).length, 0);
  assert.throws(
    () =>
      read(
        chunk(0, { csid: 9, length: 1001 }, ""),
        Object.assign(new ChunkReader(), {
          maxMessageSize: 1000,
        }),
      ),
    /message of 1001 bytes, at most 1000/,
  );
});

Deno.test("H1: memory is let go after a large message", () => {
  const reader = new ChunkReader();
  const size = 3 * 1024 * 1024;
  read(concat(setChunkSize(size), chunk(0, { length: size, type: 9 }, "")), reader);
  read(new Uint8Array(size - 1), reader);
  assert.equal(reader.partialBytes, size - 1);
  assert.equal(read(new Uint8Array(1), reader).length, 1);
  assert.equal(reader.partialBytes, 0);
  assert.equal(reader.allocatedBytes, 0);
});

Deno.test("H2: large messages begun and aborted one after the other hold no memory", () => {
  const reader = new ChunkReader();
  const size = 2 * 1024 * 1024;
  read(setChunkSize(size), reader);
  for (let csid = 3; csid < 40; csid++) {
    read(chunk(0, { csid, length: size + 1, type: 9 }, new Uint8Array(size)), reader);
    read(chunk(0, { csid: 2, length: 4, type: 2 }, Uint8Array.from(be(csid, 4))), reader);
    assert.equal(reader.partialBytes, 0);
    assert.ok(reader.allocatedBytes <= 1024 * 1024, `${reader.allocatedBytes} bytes at ${csid}`);
  }
});

Deno.test("H2: unfinished messages together have a limit, however the input is cut", () => {
  const size = 0xa00000;
  for (const piece of [2 * size, 100_000]) {
    const reader = new ChunkReader();
    const feed = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; at += piece) {
        read(bytes.subarray(at, at + piece), reader);
        assert.ok(reader.partialBytes <= MAX_PARTIAL_BYTES);
      }
    };
    feed(setChunkSize(size));
    feed(chunk(0, { csid: 4, length: size + 1 }, new Uint8Array(size)));
    // The first is still unfinished; this one is complete, but would not fit beside it.
    const other = chunk(0, { csid: 5, length: size }, new Uint8Array(size));
    assert.throws(() => feed(other), (error) => {
      return error instanceof RtmpError && error.code === ErrorCode.LIMIT;
    });
  }
});

Deno.test("H2: idle chunk streams are forgotten, unfinished ones are limited in number", () => {
  const reader = new ChunkReader();
  for (let csid = 3; csid < 2000; csid++) {
    assert.equal(read(chunk(0, { csid, length: 2 }, AB), reader).length, 1);
  }
  const open = new ChunkReader();
  const begin = (csid: number) => chunk(0, { csid, length: 200 }, new Uint8Array(128));
  for (let i = 0; i < MAX_CHUNK_STREAMS; i++) read(begin(10 + i), open);
  assert.equal(open.partialBytes, MAX_CHUNK_STREAMS * 128);
  assert.throws(() => read(begin(9), open), /64 chunk streams in the middle of a message/);
});

/** Counts the bytes that are cut out of it, since only those are copied or handed on. */
class CountedBytes extends Uint8Array {
  static touched = 0;
  override subarray(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    const part = new Uint8Array(this.buffer, this.byteOffset, this.byteLength).subarray(start, end);
    CountedBytes.touched += part.length;
    return part;
  }
}

Deno.test("H3: work is linear, with 1-byte chunks and 1-byte pieces too", () => {
  const wire = (messages: number) => {
    const pieces = [setChunkSize(1)];
    for (let i = 0; i < messages; i++) {
      pieces.push(chunk(0, { time: 0x01000000, length: 50 }, "01"));
      for (let n = 1; n < 50; n++) pieces.push(concat("c4 01"));
    }
    return concat(...pieces);
  };
  for (const [messages, step] of [[10, 1], [100, 1], [100, 37], [1000, 1e9]]) {
    const bytes = wire(messages);
    CountedBytes.touched = 0;
    const reader = new ChunkReader();
    let count = 0;
    for (let at = 0; at < bytes.length; at += step) {
      count += read(new CountedBytes(bytes.slice(at, at + step)), reader).length;
    }
    assert.equal(count, messages + 1);
    assert.ok(CountedBytes.touched <= bytes.length, `${CountedBytes.touched} of ${bytes.length}`);
  }
});
