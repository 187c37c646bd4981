/**
 * Gives memory back after a burst. The collectors of both runtimes weigh the objects of their heap, not
 * the buffers behind them: tens of megabytes of read buffers and of large messages that are not needed any
 * more stay until the heap itself has grown, on a quiet server for ever.
 * @module
 */

import { MIN_GROWTH_BYTES, MIN_GROWTH_SHARE, RESTS_MS } from "./limits.ts";

/** Looks at the memory, and has it collected when it has grown. */
export class MemoryKeeper {
  readonly #resident: () => number;
  readonly #collect: () => void;
  /** The least since the last growth, bytes; what is more may be garbage. */
  #least = Infinity;
  /** Collections since the last growth. */
  #collections = RESTS_MS.length;
  #dueAt = -Infinity;

  /**
   * `resident`: this process's memory without what is known to be in use, bytes; `collect`: the
   * collector.
   */
  constructor(resident: () => number, collect: () => void) {
    this.#resident = resident;
    this.#collect = collect;
  }

  /** Once a second; clock ms. */
  tick(nowMs: number): void {
    const resident = this.#resident();
    this.#least = Math.min(this.#least, resident);
    if (nowMs < this.#dueAt) return;
    const growth = Math.max(MIN_GROWTH_BYTES, MIN_GROWTH_SHARE * this.#least);
    if (resident - this.#least >= growth) this.#collections = 0;
    else if (this.#collections === RESTS_MS.length) return;
    this.#dueAt = nowMs + RESTS_MS[this.#collections++];
    this.#collect();
    this.#least = this.#resident();
  }
}
