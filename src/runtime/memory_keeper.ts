/**
 * Gives memory back after a burst. The collectors of both runtimes weigh the objects of their heap, not
 * the buffers behind them: tens of megabytes of read buffers and of large messages that are not needed any
 * more stay until the heap itself has grown, on a quiet server for ever.
 * @module
 */

import {
  LONG_REST_MS,
  MIN_GROWTH_BYTES,
  MIN_GROWTH_SHARE,
  RESTS_MS,
  WARM_UP_BYTES,
} from "./limits.ts";

/** Looks at the memory, and has it collected when it has grown. */
export class MemoryKeeper {
  readonly #resident: () => number;
  readonly #collect: () => void;
  /** The least since the last growth, bytes; what is more may be garbage. */
  #least: number;
  /** The least that there ever was, bytes. */
  #floor: number;
  /** Collections since the last growth. */
  #collections = RESTS_MS.length;
  #dueAt = -Infinity;

  /**
   * `resident`: this process's memory without what is known to be in use, bytes, asked at once, too: the
   * first burst may come before the first tick; `collect`: the collector.
   */
  constructor(resident: () => number, collect: () => void) {
    this.#resident = resident;
    this.#collect = collect;
    this.#least = this.#floor = resident() + WARM_UP_BYTES;
  }

  /** Once a second; clock ms. */
  tick(nowMs: number): void {
    const resident = this.#resident();
    this.#least = Math.min(this.#least, resident);
    this.#floor = Math.min(this.#floor, resident);
    const idleMs = nowMs - this.#dueAt;
    if (idleMs < 0) return;
    if (grown(resident, this.#least)) this.#collections = 0;
    else if (this.#collections === RESTS_MS.length) {
      if (idleMs < LONG_REST_MS || !grown(resident, this.#floor)) return;
      this.#collections--;
    }
    this.#dueAt = nowMs + RESTS_MS[this.#collections++];
    this.#collect();
    this.#least = this.#resident();
  }
}

/** Whether a process of `least` bytes that has `resident` bytes now is worth a collection. */
function grown(resident: number, least: number): boolean {
  return resident - least >= Math.max(MIN_GROWTH_BYTES, MIN_GROWTH_SHARE * least);
}
