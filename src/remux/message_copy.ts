/**
 * The payloads of a log's entries, in one piece each: in the log they lie in chunks.
 * @module
 */

import type { BroadcastLog } from "../live/log/broadcast_log.ts";
import { copyWirePayload, wireLength, wireType } from "../rtmp/chunk_writer.ts";
import { COPY_BYTES } from "./limits.ts";

/** Copies one payload after the other into the same memory. */
export class MessageCopy {
  /** Of the entry that was read last; until the next one is. */
  payload = new Uint8Array(0);
  type = 0;
  #memory = new Uint8Array(COPY_BYTES);

  /** Reads an entry of a log whose chunks have `chunkSize` bytes. */
  read(log: BroadcastLog, entry: number, chunkSize: number): void {
    const wire = log.view(entry, entry + 1);
    const length = wireLength(wire);
    this.#fit(length);
    copyWirePayload(wire, chunkSize, this.#memory, 0);
    this.type = wireType(wire);
    this.payload = this.#memory.subarray(0, length);
  }

  /** What one large message has needed is not kept. */
  #fit(length: number): void {
    const wanted = Math.max(length, COPY_BYTES);
    const { length: room } = this.#memory;
    if (wanted > room || (room > COPY_BYTES && wanted === COPY_BYTES)) {
      this.#memory = new Uint8Array(wanted);
    }
  }
}
