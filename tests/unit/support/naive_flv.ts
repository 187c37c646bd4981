/**
 * FLV the slow and simple way, to compare with.
 * @module
 */

import { be } from "./naive_chunks.ts";
import type { Received } from "./fake_player.ts";

/** Messages as the tags of an FLV file, without the file's header. */
export function naiveFlv(messages: readonly Received[]): Uint8Array {
  const bytes: number[] = [];
  for (const { type, time, payload } of messages) {
    bytes.push(type, ...be(payload.length, 3), ...be(time % 0x1000000, 3));
    bytes.push(Math.floor(time / 0x1000000) % 256, 0, 0, 0);
    for (const byte of payload) bytes.push(byte);
    bytes.push(...be(payload.length + 11, 4));
  }
  return Uint8Array.from(bytes);
}
