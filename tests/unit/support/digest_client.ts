/**
 * The client's half of the handshake with digests, written from its description and apart from the
 * server's code.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

const TAIL = Buffer.from("F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE", "hex");
const FP = Buffer.from("Genuine Adobe Flash Player 001", "latin1");
const FMS = Buffer.from("Genuine Adobe Flash Media Server 001", "latin1");
const FMS_FULL = Buffer.concat([FMS, TAIL]);

function sha256(key: Uint8Array, text: Uint8Array): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** Where the digest of a packet stands. */
export function digestAt(packet: Uint8Array, schema: 0 | 1): number {
  const d = [772, 8][schema];
  return d + 4 + ((packet[d] + packet[d + 1] + packet[d + 2] + packet[d + 3]) % 728);
}

function withoutDigest(packet: Uint8Array, at: number): Buffer {
  const bytes = Buffer.from(packet);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 32)]);
}

/** Makes 1536 filler bytes a C1 with a digest; returns it and the digest. */
export function makeC1(filler: Uint8Array, schema: 0 | 1): { c1: Uint8Array; digest: Uint8Array } {
  const c1 = filler.slice();
  c1.set([0x80, 0, 7, 2], 4);
  const at = digestAt(c1, schema);
  const digest = sha256(FP, withoutDigest(c1, at));
  c1.set(digest, at);
  return { c1, digest: new Uint8Array(digest) };
}

/** Checks S0 S1 S2 as Flash does: the digest of S1 in the client's schema, and S2's over C1's digest. */
export function verifyAnswer(answer: Uint8Array, digest: Uint8Array, schema: 0 | 1): void {
  assert.equal(answer.length, 3073);
  assert.equal(answer[0], 3);
  const s1 = answer.subarray(1, 1537);
  const s2 = answer.subarray(1537);
  const at = digestAt(s1, schema);
  const expected = sha256(FMS, withoutDigest(s1, at)).toString("hex");
  assert.equal(Buffer.from(s1.subarray(at, at + 32)).toString("hex"), expected, "S1 digest");
  const key = sha256(FMS_FULL, digest);
  const signature = sha256(key, s2.subarray(0, 1504)).toString("hex");
  assert.equal(Buffer.from(s2.subarray(1504)).toString("hex"), signature, "S2 signature");
}
