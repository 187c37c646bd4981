/**
 * When to acknowledge what a peer sends: twice per window, with the sum of all bytes.
 * @module
 */

/** A sum that would pass this starts at 0 again (SRS, Q53). */
const MAX_TOTAL = 0xf0000000;

/** Counts a peer's bytes, those of its handshake included. */
export class AckCounter {
  /** The window that the peer has announced, bytes; 0: none. */
  window = 0;
  /** The window until it does, bytes; 0: it gets no acknowledgements (Q52). */
  defaultWindow = 0;
  #total = 0;
  #unacknowledged = 0;

  /** Bytes have come. */
  add(bytes: number): void {
    this.#unacknowledged += bytes;
  }

  /** Whether an acknowledgement is due. */
  get due(): boolean {
    const window = this.window || this.defaultWindow;
    return window > 0 && this.#unacknowledged >= window / 2;
  }

  /** The sum to send; from here on the next half window is counted. */
  take(): number {
    const total = this.#total + this.#unacknowledged;
    this.#total = total > MAX_TOTAL ? this.#unacknowledged : total;
    this.#unacknowledged = 0;
    return this.#total;
  }
}
