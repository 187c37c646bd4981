/**
 * Questions to several workers at once.
 * @module
 */

import { within } from "../net/run_clock.ts";

interface Poll {
  readonly waiting: Set<number>;
  readonly done: () => void;
  yes: boolean;
}

/** Questions that have not been answered by all yet. */
export class Polls {
  readonly #open = new Map<number, Poll>();
  #nextId = 1;

  /** Questions that still wait. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Asks `workers` by `send`, and waits for their answers for at most `limitMs`. True when one of them
   * said yes.
   */
  async ask(
    workers: Iterable<number>,
    limitMs: number,
    send: (worker: number, id: number) => void,
  ): Promise<boolean> {
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<void>();
    const poll: Poll = { waiting: new Set(workers), done: resolve, yes: false };
    this.#open.set(id, poll);
    for (const worker of poll.waiting) send(worker, id);
    if (poll.waiting.size > 0) await within(limitMs, promise);
    this.#open.delete(id);
    return poll.yes;
  }

  /** A worker has answered the question `id`. */
  answered(id: number, worker: number, yes: boolean): void {
    const poll = this.#open.get(id);
    if (!poll?.waiting.delete(worker)) return;
    poll.yes ||= yes;
    if (poll.waiting.size === 0) poll.done();
  }

  /** A worker has ended: no question waits for it. */
  gone(worker: number): void {
    for (const poll of this.#open.values()) {
      if (poll.waiting.delete(worker) && poll.waiting.size === 0) poll.done();
    }
  }
}
