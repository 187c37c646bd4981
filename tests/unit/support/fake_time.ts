/**
 * Time for tests of parts that have `performance.now` and `setInterval` of their own.
 * @module
 */
import type { Clock } from "../../../src/live/clock.ts";

/** From its making to its disposal both are the test's own. Timers of `setTimeout` stay real. */
export class FakeTime implements Disposable {
  readonly #now = performance.now;
  readonly #setInterval = globalThis.setInterval;
  readonly #clearInterval = globalThis.clearInterval;
  readonly #timers = new Map<number, { readonly ms: number; readonly task: () => void }>();
  #ms = Math.round(this.#now.call(performance));
  #next = 1;
  /** The same time, as the live core sees it. */
  readonly clock: Clock = {
    now: () => this.#ms,
    after: (ms, task) => {
      const id = this.#next++;
      this.#timers.set(id, {
        ms,
        task: () => {
          this.#timers.delete(id);
          task();
        },
      });
      return () => void this.#timers.delete(id);
    },
  };

  constructor() {
    performance.now = () => this.#ms;
    const set = (task: () => void, ms = 0) => {
      this.#timers.set(this.#next, { ms, task });
      return this.#next++;
    };
    globalThis.setInterval = set as unknown as typeof setInterval;
    globalThis.clearInterval = (id) => void this.#timers.delete(Number(id));
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
    globalThis.setInterval = this.#setInterval;
    globalThis.clearInterval = this.#clearInterval;
  }

  /** ms, whole. */
  get now(): number {
    return this.#ms;
  }

  /** Timers that run. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Time goes on, and nothing notices: the thread is busy, or stopped. */
  pass(ms: number): void {
    this.#ms += ms;
  }

  /** Runs the timers of this interval once, after that much time; `count` times. */
  tick(ms: number, count = 1): void {
    for (let i = 0; i < count; i++) {
      this.#ms += ms;
      for (const timer of [...this.#timers.values()]) if (timer.ms === ms) timer.task();
    }
  }
}
