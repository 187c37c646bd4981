/**
 * The client's half of the RTMP handshake (as SRS does it).
 *
 *     client  C0 C1 (1537)                 C2 (1536)
 *     server             S0 S1 (1537)                 S2 (1536), mostly together with S0 S1
 *
 * C1 carries a digest, as the C1 of players does. A server that knows nothing of digests takes it for
 * random bytes and answers simply; then C2 is S1 to the letter. What stands in S2 is not looked at.
 * @module
 */

import { randomBytes } from "node:crypto";
import { ErrorCode, RtmpError } from "./error.ts";
import { HANDSHAKE_SIZE, RTMP_VERSION, writeTime } from "./handshake.ts";
import {
  DIGEST_SIZE,
  digestOf,
  digestPosition,
  type DigestSchema,
  findDigest,
  hmac,
  PLAYER_KEY,
  PLAYER_NAME,
  SERVER_NAME,
} from "./handshake_digest.ts";

/** Schema of our C1: the only one that Flash Media Server understands (Q55). */
const SCHEMA: DigestSchema = 1;
/** The Flash Player that our C1 claims to be (SRS); not zero announces a digest. */
const PLAYER_VERSION = [0x80, 0x00, 0x07, 0x02];

/** The two kinds of handshake. */
export type HandshakeKind = "simple" | "complex";

/** C0 and C1. `nowMs` is any millisecond clock. */
function request(kind: HandshakeKind, nowMs: number): Uint8Array {
  const bytes = new Uint8Array(1 + HANDSHAKE_SIZE);
  bytes[0] = RTMP_VERSION;
  const c1 = bytes.subarray(1);
  c1.set(randomBytes(HANDSHAKE_SIZE));
  writeTime(c1, 0, nowMs);
  c1.set(kind === "complex" ? PLAYER_VERSION : [0, 0, 0, 0], 4);
  if (kind === "complex") {
    const position = digestPosition(c1, SCHEMA);
    c1.set(digestOf(c1, position, PLAYER_NAME), position);
  }
  return bytes;
}

/** C2 towards a server whose S1 has this digest. */
function digestAnswer(serverDigest: Uint8Array): Uint8Array {
  const c2 = new Uint8Array(randomBytes(HANDSHAKE_SIZE));
  const body = c2.subarray(0, HANDSHAKE_SIZE - DIGEST_SIZE);
  c2.set(hmac(hmac(PLAYER_KEY, serverDigest), body), body.length);
  return c2;
}

/**
 * Takes a server's bytes until the handshake is over. `push` returns how many bytes it has used; the
 * rest belongs to the chunk stream.
 */
export class ClientHandshake {
  /** C0 C1, to be sent at once. */
  readonly request: Uint8Array;
  /** C2, once S1 has come; the caller sends it and sets it back to null. */
  answer: Uint8Array | null = null;
  /** How the server has answered; null until S1 has come. */
  kind: HandshakeKind | null = null;
  /** True when S2 has come too. */
  done = false;

  readonly #buffer = new Uint8Array(1 + HANDSHAKE_SIZE);
  #have = 0;

  constructor(nowMs: number, kind: HandshakeKind = "complex") {
    this.request = request(kind, nowMs);
  }

  /** Takes bytes. @throws {RtmpError} when what answers is not RTMP. */
  push(bytes: Uint8Array): number {
    let position = 0;
    while (position < bytes.length && !this.done) {
      const wanted = this.kind === null ? 1 + HANDSHAKE_SIZE : HANDSHAKE_SIZE;
      const take = Math.min(wanted - this.#have, bytes.length - position);
      if (this.kind === null) {
        this.#buffer.set(bytes.subarray(position, position + take), this.#have);
        if (this.#have === 0) checkVersion(this.#buffer[0]);
      }
      position += take;
      this.#have += take;
      if (this.#have < wanted) continue;
      this.#have = 0;
      if (this.kind === null) this.#answerS1(this.#buffer.subarray(1));
      else this.done = true;
    }
    return position;
  }

  #answerS1(s1: Uint8Array): void {
    const found = findDigest(s1, SERVER_NAME);
    this.kind = found ? "complex" : "simple";
    this.answer = found ? digestAnswer(found.digest) : s1.slice();
  }
}

/** Refuses at S0 what is no RTMP server. @throws {RtmpError} with the cure in it. */
function checkVersion(first: number): void {
  if (first === RTMP_VERSION) return;
  const what = first === 0x48
    ? "an HTTP server answers on this port: use http://, or the RTMP port"
    : first === 0x15 || first === 0x16
    ? "a TLS server answers on this port: use rtmps://"
    : `the server speaks RTMP version ${first}, only plain RTMP (3) is supported`;
  throw new RtmpError(ErrorCode.HANDSHAKE, what);
}
