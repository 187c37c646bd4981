/**
 * When to flush: at once while that is cheap, merged when it is not.
 *
 * With `min_latency on` a message leaves in the turn in which it came, as long as all flushes together
 * take no more than a fixed share of one core. When they would, the interval between flushes widens
 * until they do not, at most to `mw_latency`. With `min_latency off` messages gather for `mw_latency`.
 * Either way `mw_latency` is a ceiling, where SRS has a floor.
 * @module
 */

import { MIN_DELAY_MS, RIDE_INTERVAL_MS, RIDE_MS } from "../limits.ts";

/** Share of one core that flushing may take before it is done less often. */
export const FLUSH_SHARE = 0.5;
/** Weight of the newest flush in the moving average of what a flush costs. */
const COST_WEIGHT = 0.2;

/** The settings of a vhost that decide. */
export interface PacerSettings {
  readonly minLatency: boolean;
  /** ms */
  readonly mwLatencyMs: number;
  /** Messages to gather before a flush; only `mw_latency` overrides it. */
  readonly mwMsgs: number;
  /** ms between messages to one player; 0 = no such pacing. */
  readonly sendMinIntervalMs: number;
}

/** What flushing costs over all streams of this process: they share one core. */
export class FlushBudget {
  /** ms that one flush of every active stream takes together. */
  total = 0;
}

/** Decides for one stream. */
export class Pacer {
  /** May be exchanged at any time. */
  settings: PacerSettings;
  readonly #budget: FlushBudget;
  #cost = 0;
  #lastFlush = -Infinity;

  constructor(settings: PacerSettings, budget: FlushBudget) {
    this.settings = settings;
    this.#budget = budget;
  }

  /** The present interval between flushes, ms; 0 when each message goes out by itself. */
  get intervalMs(): number {
    if (this.settings.sendMinIntervalMs > 0) return this.settings.sendMinIntervalMs;
    if (!this.settings.minLatency) return this.settings.mwLatencyMs;
    const interval = Math.min(this.settings.mwLatencyMs, this.#budget.total / FLUSH_SHARE);
    return interval < MIN_DELAY_MS ? 0 : interval;
  }

  /**
   * ms to wait before flushing `unsent` messages, the oldest of which came at `oldestMs`; 0 = now.
   * @param audioOnly They are audio, and video is to be expected.
   */
  delay(nowMs: number, unsent: number, oldestMs: number, audioOnly = false): number {
    const { minLatency, mwLatencyMs, mwMsgs, sendMinIntervalMs } = this.settings;
    const ceiling = oldestMs + mwLatencyMs - (minLatency ? this.#ownShare : 0) - nowMs;
    let wait: number;
    if (sendMinIntervalMs > 0) wait = this.#lastFlush + sendMinIntervalMs - nowMs;
    else if (!minLatency || unsent <= mwMsgs) wait = ceiling;
    else wait = Math.min(ceiling, this.#paced(nowMs, oldestMs, audioOnly));
    return wait < MIN_DELAY_MS ? 0 : wait;
  }

  /**
   * ms of `mw_latency` that the flush itself takes, so that the last player has a message in time, too;
   * 0 when that would be most of it: then it cannot be had, and is not worth a core.
   */
  get #ownShare(): number {
    return 2 * this.#cost <= this.settings.mwLatencyMs ? this.#cost : 0;
  }

  #paced(nowMs: number, oldestMs: number, audioOnly: boolean): number {
    const interval = this.intervalMs;
    const next = this.#lastFlush + interval - nowMs;
    const rides = audioOnly && interval > RIDE_INTERVAL_MS;
    return rides ? Math.max(next, oldestMs + RIDE_MS - nowMs) : next;
  }

  /** Tells what a flush took; both ms of the clock. */
  flushed(startMs: number, endMs: number): void {
    const cost = this.#cost + COST_WEIGHT * (endMs - startMs - this.#cost);
    this.#budget.total += cost - this.#cost;
    this.#cost = cost;
    this.#lastFlush = startMs;
  }

  /** The stream has stopped: its flushes cost the others nothing any more. */
  stop(): void {
    this.#budget.total -= this.#cost;
    this.#cost = 0;
  }
}
