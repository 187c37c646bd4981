/**
 * What one connection may have read in a second and in a turn of the event loop, so that the others have
 * their turns too (H57), and what of a publisher waits for its next one.
 * @module
 */

import { ErrorCode, RtmpError } from "../../rtmp/error.ts";
import {
  MAX_BYTES_PER_SECOND,
  MAX_HELD_BYTES,
  MAX_MESSAGES_PER_SECOND,
  MAX_MESSAGES_PER_TURN,
  MAX_PLAYER_MESSAGES_PER_SECOND,
  MAX_PUBLISHED_PER_SECOND,
  MAX_REQUESTS_PER_SECOND,
} from "./limits.ts";

/** What a client is: only a publisher has much to say. */
export type Speaker = "publisher" | "player" | "newcomer";

/** Messages in a second. A publisher's and a player's that are beyond wait, a newcomer's end it. */
const MESSAGES: Readonly<Record<Speaker, number>> = {
  publisher: MAX_PUBLISHED_PER_SECOND,
  player: MAX_PLAYER_MESSAGES_PER_SECOND,
  newcomer: MAX_MESSAGES_PER_SECOND,
};

/** The counters of one connection. */
export class ReadBudget {
  #requests = 0;
  #messages = 0;
  #bytes = 0;
  #turnEnds = MAX_MESSAGES_PER_TURN;
  #hasTurns = true;
  #held: Uint8Array[] | null = null;
  #heldBytes = 0;

  /** A second is over. */
  renew(): void {
    this.#requests = this.#messages = this.#bytes = 0;
    this.#hasTurns = true;
  }

  /** Bytes are about to be read. @throws {RtmpError} */
  begin(speaker: Speaker, bytes: number): void {
    this.#turnEnds = this.#messages + MAX_MESSAGES_PER_TURN;
    if (speaker === "publisher") return;
    this.#bytes += bytes;
    if (this.#bytes <= MAX_BYTES_PER_SECOND) return;
    if (speaker === "newcomer") throw tooMuch(`${MAX_BYTES_PER_SECOND} bytes`, speaker);
    this.#hasTurns = false;
  }

  /** All bytes have been read. True: those that come next wait for the next second. */
  end(): boolean {
    if (this.#hasTurns || this.#held) return false;
    this.#held = [];
    return true;
  }

  /** Counts a command or ping. @throws {RtmpError} */
  countRequest(): void {
    if (++this.#requests > MAX_REQUESTS_PER_SECOND) {
      throw new RtmpError(
        ErrorCode.LIMIT,
        `more than ${MAX_REQUESTS_PER_SECOND} commands or pings in a second`,
      );
    }
  }

  /** Counts a message. True: the next one waits, from here on. @throws {RtmpError} */
  countMessage(speaker: Speaker): boolean {
    this.#messages++;
    const most = MESSAGES[speaker];
    if (speaker === "newcomer") {
      if (this.#messages > most) throw tooMuch(`${most} messages`, speaker);
      return false;
    }
    if (this.#messages >= most) this.#hasTurns = false;
    else if (this.#messages < this.#turnEnds) return false;
    this.#held = [];
    return true;
  }

  /** Something waits for its turn, and what comes waits behind it. */
  get holds(): boolean {
    return this.#held !== null;
  }

  /** What waits can go on in the next turn; otherwise in the next second. */
  get hasTurns(): boolean {
    return this.#hasTurns;
  }

  /** Has bytes (copied) wait. @throws {RtmpError} when more wait than can have been read ahead. */
  hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES) {
      throw tooMuch(`${MAX_PUBLISHED_PER_SECOND} messages`, "publisher");
    }
    this.#held?.push(bytes.slice());
  }

  /** What has waited, in order; nothing waits any more. */
  take(): Uint8Array[] {
    const held = this.#held ?? [];
    this.#held = null;
    this.#heldBytes = 0;
    return held;
  }
}

function tooMuch(what: string, speaker: Speaker): RtmpError {
  const who = speaker === "newcomer" ? "client that neither publishes nor plays" : speaker;
  return new RtmpError(ErrorCode.LIMIT, `more than ${what} in a second from a ${who}`);
}
