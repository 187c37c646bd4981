/**
 * Who may have a stream for itself, when the stream is in several threads.
 * @module
 */

import type { Answer } from "../../rtmp/error.ts";
import type { LiveStream } from "./live_stream.ts";
import { CLEAR, type Clearance } from "../publication/takeover.ts";

/** Who decides whether a client may have a stream for itself, when this thread cannot alone. */
export interface Claims {
  /**
   * Ends publishers of the stream in other threads as `LiveStream.clear` does, and waits until their
   * on_unpublish has been delivered. `address`: the newcomer's; null: it has the stream already.
   */
  clear(stream: LiveStream, address: string | null, done: (found: Clearance) => void): void;
  /** `address`: the publisher's, without a port. */
  claim(stream: LiveStream, address: string, answer: Answer): void;
}

/** With one thread the stream itself knows. */
export const NO_CLAIMS: Claims = {
  clear: (_stream, _address, done) => done(CLEAR),
  claim: (_stream, _address, answer) => void answer(null),
};
