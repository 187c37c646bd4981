/**
 * `token_traverse`: before a client is served, an origin is asked with the client's
 * own `connect`. An origin that lets it in says `_result`, and that is all that is wanted.
 * @module
 */

import { NOT_THERE, type UplinkAttempt } from "./publish.ts";
import type { OriginTour } from "./origins.ts";
import { type UpstreamEnd, UpstreamListener } from "../../clients/upstream_handler.ts";
import type { UpstreamHandler } from "../../clients/upstream_handler.ts";

/** Takes why the origin does not let a client in, for the log; null: it does. */
export type TraverseAnswer = (refusal: string | null) => void;

/** One question. */
export class TokenTraverse extends UpstreamListener {
  readonly #tour: OriginTour;
  readonly #open: (tour: OriginTour, handler: UpstreamHandler) => UplinkAttempt;
  readonly #answer: TraverseAnswer;
  #attempt: UplinkAttempt;
  #over = false;

  /** Asks, at once. */
  constructor(
    tour: OriginTour,
    open: (tour: OriginTour, handler: UpstreamHandler) => UplinkAttempt,
    answer: TraverseAnswer,
  ) {
    super();
    this.#tour = tour;
    this.#open = open;
    this.#answer = answer;
    this.#attempt = open(tour, this);
  }

  override connected(): void {
    if (this.#over) return;
    this.#over = true;
    this.#tour.worked();
    this.#attempt.close();
    this.#answer(null);
  }

  override ended(end: UpstreamEnd): void {
    if (this.#over) return;
    // SRS asks the next origin only where there was no connection; a server that says nothing is as
    // good as none.
    if (NOT_THERE.has(end.reason) && this.#tour.advance()) {
      this.#attempt = this.#open(this.#tour, this);
      return;
    }
    this.#over = true;
    this.#answer(end.text);
  }
}
