/**
 * Memory for broadcast logs, used again instead of being collected and zeroed.
 * @module
 */

import { freeLarge, growLarge, reserveLarge } from "../../rtmp/large_buffer.ts";
import { MAX_FREE_BYTES, MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES } from "../limits.ts";

/** Where a log has its memory from. */
export interface SegmentMemory {
  /** At least `size` bytes, with any contents. */
  take(size: number): Uint8Array;
  /** Takes memory back that the log does not need any more. */
  give(bytes: Uint8Array): void;
}

/** Memory that is left to the collector, for bytes whose end of use is not reported. */
export const COLLECTED_MEMORY: SegmentMemory = {
  take: (size) => new Uint8Array(size),
  give: () => {},
};

/** Hands out segments whose sizes are powers of two, and takes them back. */
export class SegmentPool implements SegmentMemory {
  readonly #free = new Map<number, Uint8Array[]>();
  readonly #shared: boolean;
  #freeBytes = 0;

  /** `shared`: other threads are to read it, so that it has to be shared memory. */
  constructor(shared = false) {
    this.#shared = shared;
  }

  /** Bytes that lie ready. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** At least `size` bytes, with any contents. */
  take(size: number): Uint8Array {
    // Memory that others see cannot be taken from them: that of large messages is left to the collector.
    if (size > MAX_SEGMENT_BYTES && !this.#shared) {
      const large = reserveLarge(size);
      growLarge(large, size);
      return large;
    }
    const free = this.#free.get(size)?.pop();
    if (!free) {
      return this.#shared ? new Uint8Array(new SharedArrayBuffer(size)) : new Uint8Array(size);
    }
    this.#freeBytes -= size;
    return free;
  }

  /** Takes memory back that nothing refers to any more; what it has no use for is freed. */
  give(bytes: Uint8Array): void {
    const size = bytes.length;
    if (size > MAX_SEGMENT_BYTES) return freeLarge(bytes);
    const pooled = size >= MIN_SEGMENT_BYTES && (size & (size - 1)) === 0;
    if (!pooled || this.#freeBytes + size > MAX_FREE_BYTES) return;
    const list = this.#free.get(size);
    if (list) list.push(bytes);
    else this.#free.set(size, [bytes]);
    this.#freeBytes += size;
  }
}
