/**
 * The server's half of the RTMP handshake, simple and with digests.
 *
 *     client  C0 (1 byte version)  C1 (1536)            C2 (1536)
 *     server                       S0 S1 S2 (3073)
 *
 * C1 and S1 are time(4) version(4) and 1528 bytes that are random or hold two blocks of 764 bytes, a
 * key and a digest, in an order called schema. What a client sends as C2 is never looked at.
 * @module
 */

import { PROXY_MAX_LENGTH } from "./limits.ts";
import { randomBytes } from "node:crypto";
import { ErrorCode, RtmpError } from "./error.ts";
import {
  DIGEST_SIZE,
  digestOf,
  digestPosition,
  type DigestSchema,
  findDigest,
  hmac,
  PLAYER_NAME,
  SERVER_KEY,
  SERVER_NAME,
} from "./handshake_digest.ts";

/** Bytes of C1, C2, S1 and S2 each. */
export const HANDSHAKE_SIZE = 1536;
/** The only protocol version of plain RTMP. 6, 8 and 9 are encrypted variants. */
export const RTMP_VERSION = 3;
/** First byte of a proxy header that carries the client's real address (as SRS has it). */
const PROXY_MAGIC = 0xf3;

/** Writes a time field, ms modulo 2^32. */
export function writeTime(packet: Uint8Array, position: number, ms: number): void {
  new DataView(packet.buffer, packet.byteOffset).setUint32(position, ms >>> 0);
}

/** S0 S1 S2 towards a client whose C1 has no digest: S2 is C1 to the letter (the most compatible). */
function simpleAnswer(c1: Uint8Array, nowMs: number): Uint8Array {
  const answer = new Uint8Array(1 + 2 * HANDSHAKE_SIZE);
  answer[0] = RTMP_VERSION;
  const s1 = answer.subarray(1, 1 + HANDSHAKE_SIZE);
  s1.set(randomBytes(HANDSHAKE_SIZE));
  writeTime(s1, 0, nowMs);
  s1.set(c1.subarray(0, 4), 4);
  answer.set(c1, 1 + HANDSHAKE_SIZE);
  return answer;
}

/** S0 S1 S2 with digests. The key block stays random: only the encrypted variants would use it. */
function digestAnswer(schema: DigestSchema, clientDigest: Uint8Array, nowMs: number): Uint8Array {
  const answer = new Uint8Array(1 + 2 * HANDSHAKE_SIZE);
  answer[0] = RTMP_VERSION;
  const s1 = answer.subarray(1, 1 + HANDSHAKE_SIZE);
  s1.set(randomBytes(HANDSHAKE_SIZE));
  writeTime(s1, 0, nowMs);
  s1.set([1, 0, 5, 4], 4);
  const position = digestPosition(s1, schema);
  s1.set(digestOf(s1, position, SERVER_NAME), position);

  const s2 = answer.subarray(1 + HANDSHAKE_SIZE);
  const body = s2.subarray(0, HANDSHAKE_SIZE - DIGEST_SIZE);
  body.set(randomBytes(body.length));
  s2.set(hmac(hmac(SERVER_KEY, clientDigest), body), HANDSHAKE_SIZE - DIGEST_SIZE);
  return answer;
}

/**
 * Takes a client's bytes until its handshake is over. `push` returns how many bytes it has used; the
 * rest belongs to the chunk stream. `answer` holds S0 S1 S2 once they are due.
 */
export class ServerHandshake {
  /** True when C2 has come too. */
  done = false;
  /** S0 S1 S2, to be sent at once; the caller takes it and sets it back to null. */
  answer: Uint8Array | null = null;
  /** Which of the two it was, for the log; null until C1 has come. */
  kind: "simple" | "complex" | null = null;
  /** The client's address as a proxy in front of us told it, or null. */
  proxiedAddress: string | null = null;

  #state: "proxy" | "C0C1" | "C2" = "proxy";
  readonly #buffer = new Uint8Array(1 + HANDSHAKE_SIZE);
  #have = 0;

  /**
   * Takes bytes; `nowMs` is any millisecond clock, it becomes the time field of S1.
   * @throws {RtmpError} when what comes is not RTMP.
   */
  push(bytes: Uint8Array, nowMs: number): number {
    let position = 0;
    while (position < bytes.length && !this.done) {
      const wanted = this.#wanted();
      const take = Math.min(wanted - this.#have, bytes.length - position);
      // C2 is only counted, so it is not kept either.
      if (this.#state !== "C2") {
        this.#buffer.set(bytes.subarray(position, position + take), this.#have);
      }
      position += take;
      this.#have += take;
      if (this.#have === this.#wanted()) this.#advance(nowMs);
    }
    return position;
  }

  /** Bytes that the present part must have before it can be looked at. */
  #wanted(): number {
    if (this.#state === "C2") return HANDSHAKE_SIZE;
    if (this.#state === "C0C1") return 1 + HANDSHAKE_SIZE;
    if (this.#have === 0 || this.#buffer[0] !== PROXY_MAGIC) return 1;
    if (this.#have < 3) return 3;
    const length = (this.#buffer[1] << 8) | this.#buffer[2];
    if (length > PROXY_MAX_LENGTH) {
      throw new RtmpError(ErrorCode.HANDSHAKE, `proxy header of ${length} bytes is too long`);
    }
    return 3 + length;
  }

  #advance(nowMs: number): void {
    switch (this.#state) {
      case "proxy":
        if (this.#buffer[0] === PROXY_MAGIC) {
          if (this.#have >= 7) this.proxiedAddress = this.#buffer.subarray(3, 7).join(".");
          this.#have = 0;
        } else {
          refuseOtherProtocols(this.#buffer[0]);
        }
        this.#state = "C0C1";
        return;
      case "C0C1":
        this.#answerC1(nowMs);
        this.#state = "C2";
        this.#have = 0;
        return;
      case "C2":
        this.done = true;
    }
  }

  #answerC1(nowMs: number): void {
    const c1 = this.#buffer.subarray(1);
    const found = findDigest(c1, PLAYER_NAME);
    if (found) {
      this.kind = "complex";
      this.answer = digestAnswer(found.schema, found.digest, nowMs);
      return;
    }
    if (this.#buffer[0] !== RTMP_VERSION) {
      throw new RtmpError(
        ErrorCode.HANDSHAKE,
        `RTMP version ${this.#buffer[0]} is not supported, only plain RTMP (3)`,
      );
    }
    this.kind = "simple";
    this.answer = simpleAnswer(c1, nowMs);
  }
}

/**
 * Refuses at the first byte what can only be another protocol; a version byte that an RTMP client
 * might send is judged later, since a valid digest makes up for a wrong one (as in SRS).
 * @throws {RtmpError} with the cure in it (Q57).
 */
function refuseOtherProtocols(first: number): void {
  if (first === 0x16) {
    throw new RtmpError(ErrorCode.HANDSHAKE, "TLS on the RTMP port: use rtmp://, not rtmps://");
  }
  if (first >= 0x41 && first <= 0x5a) {
    throw new RtmpError(
      ErrorCode.HANDSHAKE,
      "an HTTP request on the RTMP port: use rtmp://, or the HTTP port",
    );
  }
}
