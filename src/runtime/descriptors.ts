/**
 * Which file descriptors a thread has of its own. They belong to the process: when the thread ends, the
 * runtime closes its sockets, and these are left for the thread that had started it.
 * @module
 */

import { MAX_DESCRIPTORS } from "./limits.ts";

/** One bit for each descriptor, in memory that two threads see. What is never touched takes none. */
export class DescriptorSet {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** A new set, or the one in this memory. */
  constructor(memory = new SharedArrayBuffer(MAX_DESCRIPTORS / 8)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** Notes a descriptor; false: it is too large for that. */
  add(fd: number): boolean {
    if (fd >= MAX_DESCRIPTORS) return false;
    Atomics.or(this.#words, fd >> 5, 1 << (fd & 31));
    return true;
  }

  /** It has no owner any more. */
  delete(fd: number): void {
    if (fd < MAX_DESCRIPTORS) Atomics.and(this.#words, fd >> 5, ~(1 << (fd & 31)));
  }

  /** Empties the set; what was in it. */
  take(): number[] {
    const all: number[] = [];
    for (let word = 0; word < this.#words.length; word++) {
      const bits = Atomics.exchange(this.#words, word, 0);
      for (let bit = 0; bit < 32; bit++) if ((bits >>> bit & 1) === 1) all.push(word * 32 + bit);
    }
    return all;
  }
}
