/**
 * Reads what the server sends, without the server's own chunk reader: it may use nothing but 1-byte
 * basic headers, one type-0 header for every message and type-3 headers for the rest of it.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decodeAmf0All } from "../../../src/rtmp/amf0.ts";
import { AmfProperties, type AmfValue } from "../../../src/rtmp/amf_value.ts";

/** A message as it stands on the wire. */
export interface WireMessage {
  readonly csid: number;
  readonly msid: number;
  readonly type: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** Reads a server's chunk stream; keeps the chunk size from one call to the next. */
export class ServerMessages {
  chunkSize = 128;

  /** All messages in `bytes`, which must end where a message ends. */
  read(bytes: Uint8Array): WireMessage[] {
    const input = Buffer.from(bytes);
    const messages: WireMessage[] = [];
    for (let at = 0; at < input.length;) {
      const csid = input[at];
      assert.ok(csid >= 2 && csid <= 63, `byte ${at}: 0x${csid.toString(16)} is no type-0 header`);
      const time = input.readUIntBE(at + 1, 3);
      const length = input.readUIntBE(at + 4, 3);
      const type = input[at + 7];
      const msid = input.readUInt32LE(at + 8);
      at += 12;
      const extended = time === 0xffffff;
      const timestamp = extended ? input.readUInt32BE(at) : time;
      if (extended) at += 4;
      const pieces: Uint8Array[] = [];
      for (let left = length; left > 0;) {
        if (left < length) {
          assert.equal(input[at], 0xc0 | csid, `byte ${at}: a type-3 header is missing`);
          at++;
          if (extended) {
            assert.equal(input.readUInt32BE(at), timestamp, `byte ${at}: extended timestamp`);
            at += 4;
          }
        }
        const size = Math.min(left, this.chunkSize);
        assert.ok(at + size <= input.length, "the bytes end within a message");
        pieces.push(input.subarray(at, at + size));
        at += size;
        left -= size;
      }
      const payload = new Uint8Array(Buffer.concat(pieces));
      if (type === 1) this.chunkSize = Buffer.from(payload).readUInt32BE(0);
      messages.push({ csid, msid, type, timestamp, payload });
    }
    return messages;
  }
}

/** A value with objects and ECMA arrays as plain objects, for comparing. */
export type Plain = null | undefined | number | boolean | string | Plain[] | {
  [key: string]: Plain;
};

/** An AMF value as a plain one. */
export function plain(value: AmfValue): Plain {
  if (value instanceof AmfProperties) {
    const entries = [...value].map(([key, item]): [string, Plain] => [key, plain(item)]);
    return Object.fromEntries(entries);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) return value.kind;
  return value;
}

/**
 * A message as a list that is easy to compare: chunk stream id, message stream id, type, and then the
 * AMF values, or the numbers of a control message, or timestamp and payload in hex of a media message.
 */
export function summary({ csid, msid, type, timestamp, payload }: WireMessage): Plain[] {
  const bytes = Buffer.from(payload);
  const head = [csid, msid, type];
  switch (type) {
    case 1:
    case 3:
    case 5:
      return [...head, bytes.readUInt32BE(0)];
    case 4:
      return [...head, bytes.readUInt16BE(0), bytes.readUInt32BE(2)];
    case 6:
      return [...head, bytes.readUInt32BE(0), bytes[4]];
    case 18:
    case 20:
      return [...head, ...decodeAmf0All(payload).map(plain)];
    default:
      return [...head, timestamp, bytes.toString("hex")];
  }
}
