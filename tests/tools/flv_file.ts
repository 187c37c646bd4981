/**
 * FLV files of messages that a test has received. Independent of the server's own code.
 * @module
 */
import { Buffer } from "node:buffer";

/** What a tag is made of; of `raw_client.ts`'s messages, these. */
export interface TagMessage {
  readonly type: number;
  /** ms, below 2^32. */
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

const HEADER = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]);
const TAG_HEADER_BYTES = 11;

/** A file with sound and pictures. */
export function flvFile(messages: readonly TagMessage[]): Uint8Array {
  const parts: Uint8Array[] = [HEADER];
  for (const { type, timestamp, payload } of messages) {
    const header = Buffer.alloc(TAG_HEADER_BYTES);
    header[0] = type;
    header.writeUIntBE(payload.length, 1, 3);
    header.writeUIntBE(timestamp & 0xffffff, 4, 3);
    header[7] = timestamp >>> 24;
    const size = Buffer.alloc(4);
    size.writeUInt32BE(TAG_HEADER_BYTES + payload.length);
    parts.push(header, payload, size);
  }
  return Buffer.concat(parts);
}
