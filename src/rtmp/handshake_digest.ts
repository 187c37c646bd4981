/**
 * The digests of the complex handshake, which both sides use.
 * @module
 */

import { createHmac, timingSafeEqual } from "node:crypto";

/** Bytes of a digest, HMAC-SHA256. */
export const DIGEST_SIZE = 32;
const BLOCK_SIZE = 764;
const FIRST_BLOCK = 8;
const SECOND_BLOCK = FIRST_BLOCK + BLOCK_SIZE;
const DIGEST_OFFSETS = 728;

/** The secret shared by all of Adobe's players and servers, public for many years. */
const SHARED_KEY = Uint8Array.from(
  "f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae".match(/../g) ?? [],
  (hex) => parseInt(hex, 16),
);
/** HMAC key of a client's C1. */
export const PLAYER_NAME = new TextEncoder().encode("Genuine Adobe Flash Player 001");
/** HMAC key of a server's S1. */
export const SERVER_NAME = new TextEncoder().encode("Genuine Adobe Flash Media Server 001");
/** HMAC key of S2. */
export const SERVER_KEY = new Uint8Array([...SERVER_NAME, ...SHARED_KEY]);
/** HMAC key of C2. */
export const PLAYER_KEY = new Uint8Array([...PLAYER_NAME, ...SHARED_KEY]);

/** Where the digest sits: schema 0 has the key block first, schema 1 the digest block. */
export type DigestSchema = 0 | 1;

/** HMAC-SHA256 over the parts, one behind the other. */
export function hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const sum = createHmac("sha256", key);
  for (const part of parts) sum.update(part);
  return sum.digest();
}

/** Position of the 32 digest bytes within a C1 or S1 of that schema. */
export function digestPosition(packet: Uint8Array, schema: DigestSchema): number {
  const block = schema === 0 ? SECOND_BLOCK : FIRST_BLOCK;
  const sum = packet[block] + packet[block + 1] + packet[block + 2] + packet[block + 3];
  return block + 4 + (sum % DIGEST_OFFSETS);
}

/** The digest of a C1 or S1, over everything but the place where it stands. */
export function digestOf(packet: Uint8Array, position: number, key: Uint8Array): Uint8Array {
  return hmac(key, packet.subarray(0, position), packet.subarray(position + DIGEST_SIZE));
}

/** The schema and digest of a C1 or S1 that carries a valid one, else null (a simple handshake then). */
export function findDigest(
  packet: Uint8Array,
  key: Uint8Array,
): { schema: DigestSchema; digest: Uint8Array } | null {
  for (const schema of [0, 1] as const) {
    const position = digestPosition(packet, schema);
    const digest = packet.subarray(position, position + DIGEST_SIZE);
    if (timingSafeEqual(digest, digestOf(packet, position, key))) return { schema, digest };
  }
  return null;
}
