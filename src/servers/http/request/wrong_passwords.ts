/**
 * Guards the API's password against being guessed: each address may be wrong so often, and what it
 * tries beyond that is not even looked at. Others are not held up. The log has a line per address and
 * minute, not one per guess (H62).
 * @module
 */

import {
  FORGIVE_MS,
  MAX_ADDRESSES,
  MAX_WRONG,
  MAX_WRONG_LINES,
  WRONG_LINE_EVERY_MS,
} from "./limits.ts";
import { addressGroup } from "../../../log/address_group.ts";
import { type Log, serverLog } from "../../../log/log.ts";
import { runClock } from "../../../net/run_clock.ts";

/** An address that was wrong. */
interface Guesser {
  /** Wrong passwords that it may still send, at `at`. */
  left: number;
  /** `now` ms. */
  at: number;
  /** Wrong ones, and requests not looked at, since its last line. */
  wrong: number;
  refused: number;
}

/** What the guard needs of the process. */
export interface GuardParts {
  readonly log: Log;
  /** ms, steady. */
  readonly now: () => number;
  readonly after: (ms: number, task: () => void) => void;
}

/** Counts wrong passwords by address. */
export class WrongPasswords {
  readonly #parts: GuardParts;
  readonly #guessers = new Map<string, Guesser>();
  #lines = 0;
  #timed = false;
  /** Wrong passwords, and requests that were not looked at, since the start. */
  wrong = 0;
  refused = 0;

  constructor(parts: GuardParts) {
    this.#parts = parts;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#guessers.size;
  }

  /** Whether a password of this address may be looked at. If not, that is counted. */
  mayTry(address: string): boolean {
    const guesser = this.#guessers.get(addressGroup(address));
    if (!guesser || this.#left(guesser) >= 1) return true;
    guesser.refused++;
    this.refused++;
    return false;
  }

  /** It was wrong. */
  note(address: string): void {
    this.wrong++;
    const group = addressGroup(address);
    const known = this.#guessers.get(group);
    const guesser = known ?? { left: MAX_WRONG, at: this.#parts.now(), wrong: 0, refused: 0 };
    guesser.left = this.#left(guesser) - 1;
    if (known) {
      guesser.wrong++;
    } else {
      this.#remember(group, guesser);
      this.#first(group, guesser);
    }
    if (this.#timed) return;
    this.#timed = true;
    this.#parts.after(WRONG_LINE_EVERY_MS, () => this.#tell());
  }

  #remember(group: string, guesser: Guesser): void {
    for (const oldest of this.#guessers.keys()) {
      if (this.#guessers.size < MAX_ADDRESSES) break;
      this.#guessers.delete(oldest);
    }
    this.#guessers.set(group, guesser);
  }

  #first(group: string, guesser: Guesser): void {
    if (this.#lines >= MAX_WRONG_LINES) return void guesser.wrong++;
    this.#lines++;
    this.#parts.log.warn(`HTTP-API: wrong password from ${group}`);
  }

  /** Brings what an address may still be wrong up to date. */
  #left(guesser: Guesser): number {
    const now = this.#parts.now();
    guesser.left = Math.min(MAX_WRONG, guesser.left + (now - guesser.at) / FORGIVE_MS);
    guesser.at = now;
    return guesser.left;
  }

  /** A minute is over: says who was wrong, and forgets who is so no more. */
  #tell(): void {
    this.#timed = false;
    this.#lines = 0;
    const others = { addresses: 0, wrong: 0, refused: 0 };
    for (const [group, guesser] of this.#guessers) {
      const { wrong, refused } = guesser;
      const quiet = wrong + refused === 0;
      if (quiet && this.#left(guesser) >= MAX_WRONG) this.#guessers.delete(group);
      if (quiet) continue;
      guesser.wrong = guesser.refused = 0;
      if (this.#lines < MAX_WRONG_LINES) {
        this.#lines++;
        this.#parts.log.warn(`HTTP-API: ${counts(wrong, refused)} from ${group}`);
      } else {
        others.addresses++;
        others.wrong += wrong;
        others.refused += refused;
      }
    }
    const { addresses, wrong, refused } = others;
    if (addresses > 0) {
      this.#parts.log.warn(`HTTP-API: ${counts(wrong, refused)} from ${addresses} more addresses`);
    }
    this.#lines = 0;
    if (this.#guessers.size === 0) return;
    this.#timed = true;
    this.#parts.after(WRONG_LINE_EVERY_MS, () => this.#tell());
  }
}

function counts(wrong: number, refused: number): string {
  const rest = refused === 0 ? "" : `, and ${refused} requests with one that was not looked at`;
  return `${wrong} wrong passwords in the last ${WRONG_LINE_EVERY_MS / 1000} s${rest},`;
}

/** For all ports of this process, whatever a reload makes of them. */
export const wrongPasswords: WrongPasswords = new WrongPasswords({
  log: serverLog,
  now: () => performance.now(),
  after: (ms, task) => void runClock.after(ms, task),
});
