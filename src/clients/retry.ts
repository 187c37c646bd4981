/**
 * How a connection to another server is tried again: when, how often it was, and with which lines in the
 * log. Every kind of connection that comes back does it in this way.
 * @module
 */

import type { Clock } from "../live/clock.ts";
import type { Log } from "../log/log.ts";
import { peerText } from "../log/text.ts";
import { Backoff } from "./backoff.ts";
import { RETRY_PAUSE_MS } from "./limits.ts";
import { RepeatedLine } from "./repeated_line.ts";

/** What a retry needs around it. */
export interface RetryParts {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
  /** The next attempt is due. */
  again(): void;
}

/** How an attempt has ended. */
export interface Failure {
  /** What has ended, for the log: `forward /live/s to 10.0.0.1 ended (refused)`. */
  readonly line: (why: string) => string;
  /** Why, without secrets. */
  readonly why: string;
  /** What tells this failure from another one; default: `why`. */
  readonly same?: string;
  /** ms for which the connection was of use. */
  readonly workedMs: number;
  /** It was of use for so long that its end was an accident: the next attempt is due at once. */
  readonly stable?: () => void;
  /** Takes another server, which is asked at once. False: there is none, and a pause is due. */
  readonly another?: () => boolean;
  /** The connection led to this very server: the pause is the longest. */
  readonly isLoop: boolean;
  /** Stands behind the time of the next attempt: `, at 10.0.0.1`. */
  readonly where?: () => string;
}

/** The attempts at one upstream. */
export class Retry {
  /** Attempts after the first one. */
  count = 0;
  /** Why the last attempt ended; null: none has. */
  lastError: string | null = null;
  readonly #parts: RetryParts;
  readonly #backoff: Backoff;
  readonly #lines: RepeatedLine;
  #cancel: () => void = () => {};

  constructor(parts: RetryParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.random);
    this.#lines = new RepeatedLine(parts.clock);
  }

  /** Pauses since the upstream was last of use. */
  get failures(): number {
    return this.#backoff.failures;
  }

  /** The upstream has accepted: the next failure is news. */
  accepted(): void {
    this.#lines.forget();
  }

  /** An attempt is over: says so, and calls `again` when the next one is due. */
  failed({ line, why, same, workedMs, stable, another, isLoop, where }: Failure): void {
    const { clock, log, again } = this.#parts;
    let pauseMs = 0;
    if (isLoop) pauseMs = RETRY_PAUSE_MS;
    else if (this.#backoff.worked(workedMs)) stable?.();
    else if (!another?.()) pauseMs = this.#backoff.next();
    this.lastError = peerText(why);
    const next = pauseMs === 0 ? "at once" : `in ${pauseMs} ms`;
    const said = this.#lines.line(
      `${line(this.lastError)}; next try ${next}${where?.() ?? ""}`,
      same ?? why,
    );
    if (said !== null) log.warn(said);
    this.#cancel = clock.after(pauseMs, () => {
      this.count++;
      again();
    });
  }

  /** No attempt is due any more. */
  cancel(): void {
    this.#cancel();
  }
}
