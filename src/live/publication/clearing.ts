/**
 * Makes way for a newcomer that wants to publish a stream. A socket of a publisher without players is
 * read a few times a second: the end of the publish that a newcomer follows may still lie in it (H53).
 * @module
 */

import type { Clock } from "../clock.ts";
import { CLEAR_LOOKS_MS } from "../limits.ts";
import { CLEAR, type Clearance } from "./takeover.ts";

/** What it needs of the stream. */
export interface ClearableStream {
  readonly clock: Pick<Clock, "after">;
  /** See `Publication.clear`. */
  clear(newcomer: string): Clearance;
  /** See `Publisher.catchUp`. */
  catchUp(): void;
}

/**
 * Clears the stream for `newcomer`, an address. `done` is called at once where no publisher keeps the
 * stream.
 */
export function clearFor(
  stream: ClearableStream,
  newcomer: string,
  done: (found: Clearance) => void,
): void {
  let found = CLEAR;
  whileKept(stream, () => (found = stream.clear(newcomer)).kept, () => done(found));
}

/**
 * Calls `done` when the publisher does not keep the stream, or still sends after all that it had sent
 * before was read.
 */
export function whileKept(
  stream: Pick<ClearableStream, "clock" | "catchUp">,
  isKept: () => boolean,
  done: () => void,
): void {
  const look = (number: number): void => {
    if (!isKept() || number === CLEAR_LOOKS_MS.length) return done();
    stream.catchUp();
    stream.clock.after(CLEAR_LOOKS_MS[number], () => look(number + 1));
  };
  look(0);
}
