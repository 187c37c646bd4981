/**
 * Writing bits and exp-Golomb codes, for the synthetic stream.
 * @module
 */

/** Appends bits, the highest of a byte first. */
export class BitWriter {
  readonly #bytes: number[] = [];
  #bit = 0;

  /** An unsigned number of `count` bits, 0 to 32. */
  bits(value: number, count: number): this {
    for (let i = count - 1; i >= 0; i--) {
      if (this.#bit === 0) this.#bytes.push(0);
      const bit = Math.floor(value / 2 ** i) % 2;
      this.#bytes[this.#bytes.length - 1] |= bit << (7 - this.#bit);
      this.#bit = (this.#bit + 1) % 8;
    }
    return this;
  }

  /** Unsigned exp-Golomb, ue(v). */
  ue(value: number): this {
    const length = Math.floor(Math.log2(value + 1));
    return this.bits(0, length).bits(value + 1, length + 1);
  }

  /** Zeros up to the next byte. */
  align(): this {
    while (this.#bit !== 0) this.bits(0, 1);
    return this;
  }

  /** Whole bytes; only where a byte begins. */
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  /** A one and zeros up to the next byte: the end of an H.264 payload. */
  trailing(): this {
    return this.bits(1, 1).align();
  }

  /** What was written. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
