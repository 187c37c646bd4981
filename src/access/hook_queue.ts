/**
 * The calls to one hook server. Asking ones, whose answer a client waits for, and telling ones, for
 * which no client waits, have turns of their own: however many clients leave, those who come are asked
 * about (H48).
 * @module
 */

import { runClock } from "../net/run_clock.ts";

/** Ends a turn; to be called once. */
export type EndTurn = () => void;

/** Bounds of one kind of calls. */
export interface LaneLimits {
  readonly maxRunning: number;
  readonly maxWaiting: number;
}

/** Bounds of a queue. */
export interface QueueLimits {
  readonly asking: LaneLimits;
  readonly telling: LaneLimits;
}

/** Calls of one kind. Those that have not begun are there by their client, in their order. */
class Lane {
  running = 0;
  readonly waiting = new Map<string, (lane: Lane) => void>();

  constructor(readonly limits: LaneLimits) {}

  get hasTurn(): boolean {
    return this.running < this.limits.maxRunning;
  }

  /** A turn is over: the next one begins. */
  done(): void {
    for (const [client, start] of this.waiting) {
      this.waiting.delete(client);
      return start(this);
    }
    this.running--;
  }
}

/** Gives turns. */
export class CallQueue {
  readonly #asking: Lane;
  readonly #telling: Lane;

  constructor({ asking, telling }: QueueLimits) {
    this.#asking = new Lane(asking);
    this.#telling = new Lane(telling);
  }

  /** Whether nothing runs or waits. */
  get idle(): boolean {
    return this.#asking.running + this.#telling.running === 0;
  }

  /** Telling calls that have not begun. */
  get untold(): number {
    return this.#telling.waiting.size;
  }

  /**
   * Waits for a turn, for at most `ms`. A client waits for one turn at a time.
   * @returns What ends it; null: it has not come, or too many wait already.
   */
  async turn(client: string, asks: boolean, ms: number): Promise<EndTurn | null> {
    const lane = asks ? this.#asking : this.#telling;
    if (lane.hasTurn) {
      lane.running++;
      return () => lane.done();
    }
    if (lane.waiting.size >= lane.limits.maxWaiting) return null;
    return await new Promise<EndTurn | null>((resolve) => {
      const cancel = ms === Infinity ? () => {} : runClock.after(ms, () => {
        this.#asking.waiting.delete(client);
        this.#telling.waiting.delete(client);
        resolve(null);
      });
      lane.waiting.set(client, (its) => {
        cancel();
        resolve(() => its.done());
      });
    });
  }

  /** A newcomer waits for a telling call of this client: the call moves to the asking ones. */
  hasten(client: string): void {
    const start = this.#telling.waiting.get(client);
    if (!start) return;
    this.#telling.waiting.delete(client);
    const lane = this.#asking;
    if (!lane.hasTurn) return void lane.waiting.set(client, start);
    lane.running++;
    start(lane);
  }
}
