/**
 * The client's handshake: against hand-made servers, and against our own.
 * @module
 */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { ClientHandshake } from "../../src/rtmp/client_handshake.ts";
import { RtmpError } from "../../src/rtmp/error.ts";
import { ServerHandshake } from "../../src/rtmp/handshake.ts";
import { concat, hex } from "./hex.ts";
import { plainServerHandshake } from "./support/fake_upstream.ts";

const TAIL = "f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae";

/** Position of the digest in schema 1, written down from the document. */
function schema1(packet: Uint8Array): number {
  return 12 + (packet[8] + packet[9] + packet[10] + packet[11]) % 728;
}

function hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(concat(...parts)).digest());
}

Deno.test("C0 C1: version 3, the player's version, and its digest in schema 1", () => {
  const { request } = new ClientHandshake(0x01020304);
  assert.equal(request.length, 1537);
  assert.deepEqual(request.subarray(0, 9), concat("03 01020304 80000702"));
  const c1 = request.subarray(1);
  const at = schema1(c1);
  const key = concat("'Genuine Adobe Flash Player 001");
  assert.deepEqual(c1.subarray(at, at + 32), hmac(key, c1.subarray(0, at), c1.subarray(at + 32)));
});

Deno.test("simple on request: no version, no digest", () => {
  const { request } = new ClientHandshake(5, "simple");
  assert.deepEqual(request.subarray(0, 9), concat("03 00000005 00000000"));
});

Deno.test("a server without digests: C2 is S1 to the letter", () => {
  const client = new ClientHandshake(0);
  const server = plainServerHandshake();
  assert.equal(client.push(concat(server, "0203")), server.length);
  assert.ok(client.done);
  assert.equal(client.kind, "simple");
  assert.deepEqual(client.answer, server.subarray(1, 1537));
});

Deno.test("a server that repeats C1 as S1 knows no digests", () => {
  const client = new ClientHandshake(0);
  client.push(concat(client.request, client.request.subarray(1)));
  assert.equal(client.kind, "simple");
  assert.ok(client.done);
});

Deno.test("C2 is due when S1 is there: some servers keep S2 until it comes", () => {
  const client = new ClientHandshake(0);
  const server = plainServerHandshake();
  client.push(server.subarray(0, 1536));
  const answered = () => client.answer?.length ?? 0;
  assert.equal(answered(), 0);
  client.push(server.subarray(1536, 1537));
  assert.equal(answered(), 1536);
  assert.equal(client.done, false);
  client.push(server.subarray(1537));
  assert.ok(client.done);
});

Deno.test("our own server: complex, C2 carries the right digest", () => {
  const client = new ClientHandshake(0);
  const server = new ServerHandshake();
  server.push(client.request, 77);
  assert.equal(server.kind, "complex");
  assert.ok(server.answer);
  client.push(server.answer);
  assert.equal(client.kind, "complex");
  const { answer: c2 } = client;
  assert.ok(c2);
  const s1 = server.answer.subarray(1, 1537);
  const at = schema1(s1);
  const key = concat("'Genuine Adobe Flash Player 001", hex(TAIL));
  const digest = hmac(hmac(key, s1.subarray(at, at + 32)), c2.subarray(0, 1504));
  assert.deepEqual(c2.subarray(1504), digest);
  assert.equal(server.push(c2, 77), 1536);
  assert.ok(server.done);
});

Deno.test("property: how the server's bytes are cut does not matter", () => {
  fc.assert(fc.property(fc.array(fc.nat(1600), { maxLength: 6 }), (cuts) => {
    const client = new ClientHandshake(0);
    const bytes = concat(plainServerHandshake(), "02");
    let used = 0;
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + (cuts.pop() ?? 3000));
      used += client.push(bytes.subarray(at, end));
      at = end;
    }
    assert.equal(used, 3073);
    assert.ok(client.done && client.answer);
  }));
});

for (
  const [what, bytes, reason] of [
    ["an HTTP server", "'HTTP/1.1 400 Bad Request", /HTTP server.*use http:/],
    ["a TLS alert", "15 03 01", /TLS server.*rtmps:/],
    ["RTMPE", "06", /version 6/],
  ] as const
) {
  Deno.test(`${what} is refused at the first byte, with the cure`, () => {
    assert.throws(
      () => new ClientHandshake(0).push(concat(bytes)),
      (error) => error instanceof RtmpError && reason.test(error.message),
    );
  });
}
