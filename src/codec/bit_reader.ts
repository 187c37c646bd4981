/**
 * Reading bits and exp-Golomb codes from codec headers, for figures only: past the end it reads zeros
 * and says so afterwards, so that no parser needs a check at every field.
 * @module
 */

import { GOLOMB_MAX_ZEROS, UNESCAPE_MAX_BYTES } from "./limits.ts";

/** A cursor over bits, the highest bit of a byte first. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #bit = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether more was read than there is: every figure read is worthless then. */
  get overrun(): boolean {
    return this.#bit > this.#bytes.length * 8;
  }

  /** Bits not yet read; negative after an overrun. */
  get left(): number {
    return this.#bytes.length * 8 - this.#bit;
  }

  /** An unsigned number of `count` bits, 0 to 32. */
  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#bit++) {
      const byte = this.#bytes[this.#bit >> 3] ?? 0;
      value = value * 2 + ((byte >> (7 - (this.#bit & 7))) & 1);
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  skip(count: number): void {
    this.#bit += count;
  }

  /** Unsigned exp-Golomb, ue(v). */
  ue(): number {
    let zeros = 0;
    while (!this.overrun && !this.flag()) {
      if (++zeros > GOLOMB_MAX_ZEROS) this.skip(this.left + 1);
    }
    return this.overrun ? 0 : 2 ** zeros - 1 + this.bits(zeros);
  }

  /** Signed exp-Golomb, se(v). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : 0 - code / 2;
  }
}

/** The payload of a NAL unit: without the 03 that keeps start codes out (00 00 03 becomes 00 00). */
export function unescapeNal(nal: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.min(nal.length, UNESCAPE_MAX_BYTES));
  let length = 0;
  let zeros = 0;
  for (let i = 0; i < nal.length && length < out.length; i++) {
    const byte = nal[i];
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}
