/**
 * The calls to one hook server: so many at a time, the others wait, and those that somebody waits for go
 * first.
 * @module
 */

import { runClock } from "../net/run_clock.ts";

/** One call that has not begun. */
interface Waiting {
  readonly start: () => void;
}

/** Bounds of a queue. */
export interface QueueLimits {
  readonly maxRunning: number;
  readonly maxWaiting: number;
}

/** Gives turns. */
export class CallQueue {
  readonly #limits: QueueLimits;
  /** Asking ones, telling ones. */
  readonly #waiting: readonly [Set<Waiting>, Set<Waiting>] = [new Set(), new Set()];
  #running = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Whether nothing runs or waits. */
  get idle(): boolean {
    return this.#running === 0;
  }

  /**
   * Waits for a turn, for at most `ms`; whoever got it calls `done` once.
   * @returns Whether it has come.
   */
  async turn(urgent: boolean, ms: number): Promise<boolean> {
    if (this.#running < this.#limits.maxRunning) {
      this.#running++;
      return true;
    }
    const [asking, telling] = this.#waiting;
    if (asking.size + telling.size >= this.#limits.maxWaiting) return false;
    const lane = urgent ? asking : telling;
    return await new Promise<boolean>((resolve) => {
      const waiting = {
        start: () => {
          cancel();
          resolve(true);
        },
      };
      const cancel = runClock.after(ms, () => {
        lane.delete(waiting);
        resolve(false);
      });
      lane.add(waiting);
    });
  }

  /** A turn is over: the next one begins. */
  done(): void {
    for (const lane of this.#waiting) {
      for (const next of lane) {
        lane.delete(next);
        return next.start();
      }
    }
    this.#running--;
  }
}
