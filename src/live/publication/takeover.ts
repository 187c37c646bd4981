/**
 * What a second publisher of a stream gets: `publish { takeover }`, which SRS does not have.
 *
 * An encoder that has lost its network comes back before the server knows that the old connection is
 * dead, and SRS tells it "stream busy". Here it takes its stream over. Two encoders that fight for one
 * name must not make it change hands for ever: an evicted publisher stays out while the other sends.
 * @module
 */

import type { Takeover } from "../../config/types.ts";
import { MAX_REMEMBERED, REVENGE_MS, STALLED_MS } from "../limits.ts";

/** An address that has lost the stream to another one. */
export interface Evicted {
  readonly address: string;
  /** ms since it was evicted, or has last tried to come back. */
  readonly agoMs: number;
}

/** What a newcomer finds when it wants to publish a stream. */
export interface Clearance {
  /** A publisher has the stream and keeps it: the newcomer is refused. */
  readonly kept: boolean;
  /** A publisher has the stream, and leaves it to the newcomer once hooks have accepted that. */
  readonly present: boolean;
}

/** No publisher has the stream. */
export const CLEAR: Clearance = { kept: false, present: false };

/** Whether a publisher that has last sent something at `lastBytesAt` may be ended by any newcomer. */
export function givesUp(policy: Takeover, lastBytesAt: number, nowMs: number): boolean {
  return policy !== "deny" && nowMs - lastBytesAt >= STALLED_MS;
}

/** Decides for one stream. Time is an argument, ms of the clock. */
export class TakeoverRule {
  /** May be exchanged at any time. */
  policy: Takeover;
  /** When an evicted address has last tried to come back. */
  readonly #evicted = new Map<string, number>();

  constructor(policy: Takeover) {
    this.policy = policy;
  }

  /** Whether a publisher that has last sent something at `lastBytesAt` may be ended by any newcomer. */
  givesUp(lastBytesAt: number, nowMs: number): boolean {
    return givesUp(this.policy, lastBytesAt, nowMs);
  }

  /**
   * Whether a publisher from `newcomer` may evict one that has last sent something at `lastBytesAt`.
   */
  allows(newcomer: string, lastBytesAt: number, nowMs: number): boolean {
    if (this.policy === "deny") return false;
    if (nowMs - lastBytesAt >= STALLED_MS) return true;
    if (this.policy === "if_stalled") return false;
    const since = this.#evicted.get(newcomer);
    if (since === undefined || nowMs - since >= REVENGE_MS) return true;
    this.#evicted.set(newcomer, nowMs);
    return false;
  }

  /** Who has been evicted, and how many ms ago: for the thread that decides about the stream next. */
  remembered(nowMs: number): readonly Evicted[] {
    return Array.from(this.#evicted, ([address, at]) => ({ address, agoMs: nowMs - at }));
  }

  /** Goes on from what another rule remembered. */
  remember(evicted: readonly Evicted[], nowMs: number): void {
    for (const { address, agoMs } of evicted) this.evict(address, nowMs - agoMs);
  }

  /** A publisher from `address` has been evicted while it was sending. */
  evict(address: string, nowMs: number): void {
    if (this.#evicted.size >= MAX_REMEMBERED) this.#evicted.clear();
    this.#evicted.set(address, nowMs);
  }
}
