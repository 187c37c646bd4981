/**
 * A log line about something that fails again and again: said when it changes, and once a minute while
 * it does not.
 * @module
 */

import type { Clock } from "../live/clock.ts";
import { SAME_FAILURE_LOG_MS } from "./limits.ts";

/** Decides which of the lines are said. */
export class RepeatedLine {
  readonly #clock: Clock;
  #what: string | null = null;
  #saidAt = 0;
  #unsaid = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The line, with the number of those left out before it; null: it is left out. `what` it is about. */
  line(text: string, what: string): string | null {
    const now = this.#clock.now();
    if (what === this.#what && now - this.#saidAt < SAME_FAILURE_LOG_MS) {
      this.#unsaid++;
      return null;
    }
    const times = what === this.#what ? ` (${this.#unsaid} more times meanwhile)` : "";
    this.#what = what;
    this.#saidAt = now;
    this.#unsaid = 0;
    return text + times;
  }

  /** It works again: the next failure is news. */
  forget(): void {
    this.#what = null;
  }
}
