/**
 * The on_unpublish calls that are under way, by stream. The next publisher of a stream is asked about
 * after they have been delivered: an application that keeps "online" per stream would end "offline" if
 * the old publisher's end came last (F8).
 * @module
 */

import { within } from "../net/run_clock.ts";

/** on_unpublish calls under way. */
export class Departures {
  /** Each with what makes it go before others. */
  readonly #byStream = new Map<string, Map<Promise<void>, () => void>>();

  /** Streams with such a call. */
  get size(): number {
    return this.#byStream.size;
  }

  /**
   * A publisher of the stream `key` has gone; `delivered` settles when the hook servers know. `hasten` is
   * called when a caller waits for it.
   */
  add(key: string, delivered: Promise<void>, hasten: () => void = () => {}): void {
    const calls = this.#byStream.get(key) ?? new Map<Promise<void>, () => void>();
    this.#byStream.set(key, calls.set(delivered, hasten));
    const over = () => {
      calls.delete(delivered);
      if (calls.size === 0 && this.#byStream.get(key) === calls) this.#byStream.delete(key);
    };
    delivered.then(over, over);
  }

  /** Waits until those of a stream have been delivered or have failed, but no longer than `ms`. */
  async delivered(key: string, ms: number): Promise<void> {
    const calls = this.#byStream.get(key);
    if (!calls) return;
    for (const hasten of calls.values()) hasten();
    await within(ms, Promise.allSettled(calls.keys()));
  }
}
