/**
 * What a second publisher of a stream gets: `publish { takeover }`, which SRS does not have.
 *
 * An encoder that has lost its network comes back before the server knows that the old connection is
 * dead, and SRS tells it "stream busy". Here it takes its stream over. Two encoders that fight for one
 * name must not make it change hands for ever: who has been put out stays out while the other sends.
 * @module
 */

import type { Takeover } from "../config/types.ts";

/** Silence after which a publisher counts as stalled, ms: two missed keyframe intervals of most encoders. */
export const STALLED_MS = 2000;
/** ms for which who was put out may not put the other out; each attempt starts it anew. */
export const REVENGE_MS = 60_000;
/** Addresses remembered for that. */
const MAX_REMEMBERED = 64;

/** Decides for one stream. Time is an argument, ms of the clock. */
export class TakeoverRule {
  readonly #policy: Takeover;
  /** When an address that was put out has last tried to come back. */
  readonly #putOut = new Map<string, number>();

  constructor(policy: Takeover) {
    this.#policy = policy;
  }

  /**
   * Whether a publisher from `newcomer` may put out one that has last sent something at `lastBytesAt`.
   */
  allows(newcomer: string, lastBytesAt: number, nowMs: number): boolean {
    if (this.#policy === "deny") return false;
    if (nowMs - lastBytesAt >= STALLED_MS) return true;
    if (this.#policy === "if_stalled") return false;
    const since = this.#putOut.get(newcomer);
    if (since === undefined || nowMs - since >= REVENGE_MS) return true;
    this.#putOut.set(newcomer, nowMs);
    return false;
  }

  /** A publisher from `address` has been put out while it was sending. */
  putOut(address: string, nowMs: number): void {
    if (this.#putOut.size >= MAX_REMEMBERED) this.#putOut.clear();
    this.#putOut.set(address, nowMs);
  }
}
