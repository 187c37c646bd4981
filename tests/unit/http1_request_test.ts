/**
 * Requests as they come: in any pieces, one after another, and those that no two readers read alike.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { BadRequest } from "../../src/http1/request_head.ts";
import { MAX_BODY_BYTES, MAX_HEAD_BYTES } from "../../src/http1/limits.ts";
import { RequestReader } from "../../src/http1/request_reader.ts";

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

interface Seen {
  readonly line: string;
  readonly body: string;
}

/** What is read of these bytes, given in pieces of these sizes. */
function read(text: string, sizes: readonly number[] = []): Seen[] {
  const reader = new RequestReader();
  const bytes = latin1(text);
  const seen: Seen[] = [];
  const take = () => {
    for (let request = reader.next(); request; request = reader.next()) {
      const { method, target, host, keepAlive } = request.head;
      const line = `${method} ${target} at ${host}${keepAlive ? "" : ", the last"}`;
      seen.push({ line, body: new TextDecoder().decode(request.body) });
    }
  };
  let at = 0;
  for (const size of sizes) {
    reader.push(bytes.subarray(at, at + size));
    at = Math.min(bytes.length, at + size);
    take();
  }
  reader.push(bytes.subarray(at));
  take();
  return seen;
}

/** The status of the refusal of these bytes; 0: it is none. */
function refusal(text: string): number {
  try {
    read(text);
    return 0;
  } catch (error) {
    assert.ok(error instanceof BadRequest, String(error));
    assert.match(error.message, /\S/);
    return error.status;
  }
}

const PIPELINED = "GET /a?x=1 HTTP/1.1\r\nHost: h:80\r\n\r\n" +
  "POST /b HTTP/1.1\r\nhost: h\r\nContent-Length: 5\r\n\r\nhello" +
  "\r\nPUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
  "3;x=y\r\nabc\r\n0b\r\ndefghijklmn\r\n0\r\nTrailer: t\r\n\r\n" +
  "GET http://other/d HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n";

const PIPELINED_SEEN: Seen[] = [
  { line: "GET /a?x=1 at h:80", body: "" },
  { line: "POST /b at h", body: "hello" },
  { line: "PUT /c at h", body: "abcdefghijklmn" },
  { line: "GET /d at other, the last", body: "" },
];

Deno.test("HTTP/1.1: requests are read in any pieces", () => {
  assert.deepEqual(read(PIPELINED), PIPELINED_SEEN);
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (sizes) => {
    assert.deepEqual(read(PIPELINED, sizes), PIPELINED_SEEN);
  }));
  assert.deepEqual(read(PIPELINED, Array(PIPELINED.length).fill(1)), PIPELINED_SEEN);
});

Deno.test("HTTP/1.1: what is asked for, in ASCII; HTTP/1.0 may name no host", () => {
  assert.deepEqual(read("GET /\xe4\xb8\xad?a=\xff HTTP/1.0\r\n\r\n"), [
    { line: "GET /%E4%B8%AD?a=%FF at localhost, the last", body: "" },
  ]);
  assert.deepEqual(read("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n"), [
    { line: "OPTIONS / at localhost", body: "" },
  ]);
  assert.deepEqual(read("GET http://[::1]:8080?x HTTP/1.1\r\nHost: h\r\n\r\n"), [
    { line: "GET /?x at [::1]:8080", body: "" },
  ]);
});

Deno.test("HTTP/1.1: requests that two readers could read in two ways are refused (H59, H65)", () => {
  const get = (line: string) => `GET / HTTP/1.1\r\nHost: h\r\n${line}\r\n\r\n`;
  const cases: [string, number][] = [
    ["GET / HTTP/1.1\nHost: h\n\n", 400],
    ["GET / HTTP/1.1\r\nHost: h\n\r\n", 400],
    ["GET / HTTP/1.1\r\n\r\n", 400],
    [get("Host: h"), 400],
    [get("Host : h"), 400],
    [get(" folded: x"), 400],
    [get(": x"), 400],
    [get("no colon"), 400],
    [get("A: b\x00c"), 400],
    [get("A: b\rc"), 400],
    [get("Content-Length: 1\r\nContent-Length: 1"), 400],
    [get("Content-Length: 1, 1"), 400],
    [get("Content-Length: +1"), 400],
    [get("Content-Length: 0x10"), 400],
    [get("Content-Length: 9999999999999999999"), 400],
    [get("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400],
    [get("Transfer-Encoding: gzip, chunked"), 501],
    [get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 501],
    ["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
    [get(`Content-Length: ${MAX_BODY_BYTES + 1}`), 413],
    [get("Transfer-Encoding: chunked") + `${(MAX_BODY_BYTES + 1).toString(16)}\r\n`, 413],
    [get("Transfer-Encoding: chunked") + "x\r\n", 400],
    [get("Transfer-Encoding: chunked") + "1\r\nab\r\n", 400],
    [get("Transfer-Encoding: chunked") + "1\nab\r\n", 400],
    [get("Transfer-Encoding: chunked") + "-1\r\n", 400],
    [get(`X: ${"x".repeat(MAX_HEAD_BYTES)}`), 431],
    ["GET /" + "x".repeat(MAX_HEAD_BYTES), 431],
    [get(Array(101).fill("A: b").join("\r\n")), 431],
    ["GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ["GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
    ["GET /\r\n\r\n", 400],
    ["GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400],
    ["GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400],
    ["GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400],
    ["GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400],
    ["GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
    ["G\xc3T / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: h/api?\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400],
    ["GET http://user@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ];
  for (const [text, status] of cases) {
    assert.equal(refusal(text), status, JSON.stringify(text.slice(0, 90)));
  }
});

Deno.test("HTTP/1.1: bytes of another protocol are refused at the first one", () => {
  const refusals: readonly (readonly [number[], RegExp])[] = [
    [[0x16, 3, 1], /HTTP without TLS/],
    [[3], /HTTP, not RTMP/],
    [[0xff], /first byte/],
    [[0x20], /first byte/],
    [[0], /first byte/],
    [[0x0d, 0x47], /first byte/],
  ];
  for (const [bytes, reason] of refusals) {
    const reader = new RequestReader();
    reader.push(Uint8Array.from(bytes));
    assert.throws(() => reader.next(), (error: BadRequest) => {
      assert.match(error.message, reason);
      return error.status === 400;
    });
  }
  for (const start of ["\r", "\r\n", "G", "\r\nG", "m"]) {
    const reader = new RequestReader();
    reader.push(new TextEncoder().encode(start));
    assert.equal(reader.next(), null, JSON.stringify(start));
  }
});

Deno.test("HTTP/1.1: what is at the limit is taken", () => {
  const head = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  const longest = head + "x".repeat(MAX_HEAD_BYTES - head.length);
  assert.equal(refusal(`${longest}\r\n\r\n`), 0);
  assert.equal(refusal(`${longest}x\r\n\r\n`), 431);
  const body = "x".repeat(MAX_BODY_BYTES);
  const post = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  assert.equal(read(post)[0].body.length, MAX_BODY_BYTES);
});

Deno.test("HTTP/1.1: whatever is sent is a request or a refusal, and little is kept", () => {
  const pieces = [
    "GET ",
    "/",
    " HTTP/1.1",
    "\r\n",
    "\r",
    "\n",
    "Host: h",
    "Content-Length: 3",
    ": ",
  ]
    .concat("Transfer-Encoding: chunked", "0", "5", "\x00", "\xff", "abc", ";", "http://", "POST ");
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 40 });
  fc.assert(fc.property(text, fc.integer({ min: 1, max: 9 }), (parts, size) => {
    const bytes = latin1(parts.join(""));
    const reader = new RequestReader();
    try {
      for (let at = 0; at < bytes.length; at += size) {
        reader.push(bytes.subarray(at, at + size));
        while (reader.next());
      }
    } catch (error) {
      assert.ok(error instanceof BadRequest, String(error));
    }
    assert.ok(reader.waitingBytes <= bytes.length);
  }));
});

Deno.test("HTTP/1.1: a client that waits for 100 Continue is seen, once", () => {
  const reader = new RequestReader();
  reader.push(
    latin1("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"),
  );
  assert.equal(reader.next(), null);
  assert.equal(reader.awaitsContinue, true);
  reader.awaitsContinue = false;
  reader.push(latin1("a"));
  assert.equal(reader.next(), null);
  assert.equal(reader.awaitsContinue, false);
  assert.equal(reader.midway, true);
  reader.push(latin1("b"));
  assert.equal(reader.next()?.body.length, 2);
  assert.equal(reader.midway, false);
});
