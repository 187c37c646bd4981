/**
 * The benchmark's reader of HTTP-FLV answers: the same result however the bytes are cut, and no answer
 * taken for what it is not.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AnswerError, type Framing, HttpFlvParser } from "../bench/http_flv_parser.ts";
import { HEAD_BYTES } from "../bench/stream.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\ntransfer-encoding: chunked\r\n\r\n";
const FLV_HEADER = [0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];

interface Tag {
  readonly type: number;
  readonly payload: Uint8Array;
}

const u24 = (value: number) => [value >> 16 & 0xff, value >> 8 & 0xff, value & 0xff];

function tagBytes({ type, payload }: Tag, size = 11 + payload.length): number[] {
  return [type, ...u24(payload.length), 0, 0, 1, 0, 0, 0, 0, ...payload, 0, ...u24(size)];
}

/** `bytes` in chunks of the given sizes, in turn. */
function chunks(bytes: readonly number[], sizes: readonly number[], extension = ""): number[] {
  const out: number[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const data = bytes.slice(at, at + sizes[i % sizes.length]);
    const size = i % 2 === 0
      ? data.length.toString(16)
      : `0${data.length.toString(16)}`.toUpperCase();
    out.push(...ascii(`${size}${extension}\r\n`), ...data, ...ascii("\r\n"));
    at += data.length;
  }
  return out;
}

/** `bytes` in frames of a WebSocket, of the given sizes in turn, with a ping after each. */
function frames(bytes: readonly number[], sizes: readonly number[]): number[] {
  const out: number[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const data = bytes.slice(at, at + sizes[i % sizes.length]);
    const { length } = data;
    const size = length < 126
      ? [length]
      : length < 65_536
      ? [126, length >> 8, length & 0xff]
      : [127, 0, 0, 0, 0, 0, ...u24(length)];
    out.push(0x82, ...size, ...data, 0x89, 3, 0x82, 0x01, 9);
    at += length;
  }
  return out;
}

const ascii = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0));

/** What a parser tells of bytes that come in pieces of the given sizes, in turn. */
function parse(
  bytes: readonly number[],
  sizes: readonly number[],
  framing: Framing = "chunks",
): string[] {
  const told: string[] = [];
  const parser = new HttpFlvParser({
    onAnswer: () => told.push("answer"),
    onHead: ({ type, head }) => told.push(`head ${type} ${head.join()}`),
    onTag: ({ type, head }) => told.push(`tag ${type} ${head.join()}`),
  }, framing);
  // As in the load client, all pieces come into the same memory, somewhere in it.
  const buffer = new Uint8Array(18 + Math.max(...sizes));
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const piece = bytes.slice(at, at + sizes[i % sizes.length]);
    buffer.fill(0xee);
    buffer.set(piece, 18);
    parser.push(buffer, 18, 18 + piece.length);
    at += piece.length;
  }
  return told;
}

/** What must be told of these tags. Of a payload that is shorter than a head, the rest is the old one. */
function expected(tags: readonly Tag[]): string[] {
  const told = ["answer"];
  const head = new Uint8Array(HEAD_BYTES);
  for (const { type, payload } of tags) {
    head.set(payload.subarray(0, HEAD_BYTES));
    if (type === 18 || payload.length === 0) continue;
    if (payload.length >= HEAD_BYTES) told.push(`head ${type} ${head.join()}`);
    told.push(`tag ${type} ${head.join()}`);
  }
  return told;
}

const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 12 });
const tags = fc.array(
  fc.record({
    type: fc.constantFrom(8, 9, 18),
    payload: fc.uint8Array({ maxLength: 120 }),
  }),
  { maxLength: 12 },
);

Deno.test("HTTP-FLV in the benchmark: any tags, any chunks, any cuts", () => {
  const extensions = fc.constantFrom("", ";a=1");
  fc.assert(fc.property(tags, sizes, sizes, extensions, (tags, chunkSizes, cuts, extension) => {
    const flv = [...FLV_HEADER, ...tags.flatMap((tag) => tagBytes(tag))];
    const answer = [...ascii(OK), ...chunks(flv, chunkSizes, extension)];
    assert.deepEqual(parse(answer, cuts), expected(tags));
  }));
});

const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

Deno.test("WS-FLV in the benchmark: any tags, any frames, any cuts", () => {
  const frameSizes = fc.array(fc.constantFrom(1, 90, 125, 126, 127, 70_000), { minLength: 1 });
  fc.assert(fc.property(tags, frameSizes, sizes, (tags, frameSizes, cuts) => {
    const flv = [...FLV_HEADER, ...tags.flatMap((tag) => tagBytes(tag))];
    const answer = [...ascii(SWITCHED), ...frames(flv, frameSizes)];
    assert.deepEqual(parse(answer, cuts, "frames"), expected(tags));
  }));
  const large = [{ type: 9, payload: new Uint8Array(70_000).fill(3) }];
  const flv = [...FLV_HEADER, ...large.flatMap((tag) => tagBytes(tag))];
  const answer = [...ascii(SWITCHED), ...frames(flv, [70_000])];
  assert.deepEqual(parse(answer, [1000], "frames"), expected(large));
});

Deno.test("WS-FLV in the benchmark: what an answer of no use is called", () => {
  const answers: readonly [reason: RegExp, bytes: number[]][] = [
    [/^HTTP\/1\.1 200 OK$/, ascii(OK)],
    [/^a frame is masked$/, [...ascii(SWITCHED), 0x82, 0x83]],
    [/^a frame has no proper size$/, [...ascii(SWITCHED), 0x82, 127, ...Array(8).fill(0xff)]],
    [/^the server has ended the answer$/, [...ascii(SWITCHED), 0x88, 0]],
  ];
  for (const [message, bytes] of answers) {
    assert.throws(() => parse(bytes, [7], "frames"), { message });
  }
});

Deno.test("HTTP-FLV in the benchmark: large tags, byte by byte and at once", () => {
  const payload = Uint8Array.from({ length: 70_000 }, (_, i) => i * 7);
  const all = [{ type: 9, payload }, { type: 8, payload: payload.subarray(100, 300) }];
  const flv = [...FLV_HEADER, ...all.flatMap((tag) => tagBytes(tag))];
  const answer = [...ascii(OK), ...chunks(flv, [66_000])];
  for (const cut of [1, 1000, answer.length]) assert.deepEqual(parse(answer, [cut]), expected(all));
});

Deno.test("HTTP-FLV in the benchmark: what an answer of no use is called", () => {
  const tag = { type: 8, payload: new Uint8Array(30) };
  const answers: readonly [reason: RegExp, bytes: number[]][] = [
    [/^HTTP\/1\.1 404 Not Found$/, ascii("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")],
    [/^the answer does not come in chunks$/, ascii("HTTP/1.1 200 OK\r\n\r\nFLV")],
    [/^the head of the answer does not end$/, ascii("HTTP/1.1 200 OK\r\nX: ".padEnd(9000, "x"))],
    [/^a chunk has no proper size$/, ascii(`${OK}xyz\r\n`)],
    [/^a chunk has no proper size$/, ascii(`${OK}\r\n`)],
    [/^a chunk has no proper size$/, ascii(`${OK}${"f".repeat(20)}\r\n`)],
    [/^a chunk is longer than it says$/, ascii(`${OK}3\r\nFLVx`)],
    [/^the answer is no FLV$/, ascii(`${OK}6\r\n<html>`)],
    [/^no tag is of type 5$/, [...ascii(OK), ...chunks([...FLV_HEADER, 5], [50])]],
    [
      /^a tag is not as long as it says$/,
      [...ascii(OK), ...chunks([...FLV_HEADER, ...tagBytes(tag, 40)], [9])],
    ],
    [
      /^the server has ended the answer$/,
      [...ascii(OK), ...chunks([...FLV_HEADER, ...tagBytes(tag)], [50]), ...ascii("0\r\n\r\n")],
    ],
  ];
  for (const [message, bytes] of answers) {
    for (const cut of [1, 7, bytes.length]) {
      assert.throws(
        () => parse(bytes, [cut]),
        (error) => error instanceof AnswerError && message.test(error.message),
        String(message),
      );
    }
  }
});
