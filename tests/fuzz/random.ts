/**
 * Random numbers that can be repeated, and what fuzzing does with bytes.
 * @module
 */
import { Buffer } from "node:buffer";

/** Values that lengths and counts are often wrong about. */
const EDGES = [0, 1, 2, 3, 0x7f, 0x80, 0xfe, 0xff];

/** A generator of random numbers with a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= result < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, 0 <= result < end. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of them. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** Random bytes, at most `most`; half of them are such as upset parsers. */
  bytes(most: number): Uint8Array {
    return Uint8Array.from({ length: this.below(most + 1) }, () => this.byte());
  }

  /** A random byte. */
  byte(): number {
    return this.chance(0.5) ? this.pick(EDGES) : this.below(256);
  }

  /** A copy with some bytes changed, put in, taken out or repeated; `from`: those before it stay. */
  mutate(input: Uint8Array, from = 0): Uint8Array {
    let bytes: Uint8Array = input.slice();
    for (let changes = this.below(6); changes > 0 && bytes.length > from; changes--) {
      const at = from + this.below(bytes.length - from);
      const length = 1 + this.below(8);
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
      switch (this.below(6)) {
        case 0:
          bytes[at] = this.byte();
          break;
        case 1:
          bytes[at] ^= 1 << this.below(8);
          break;
        case 2:
          bytes = Buffer.concat([before, this.bytes(8), after]);
          break;
        case 3:
          bytes = Buffer.concat([before, after.subarray(length)]);
          break;
        case 4:
          bytes = Buffer.concat([before, after.subarray(0, 10 * length), after]);
          break;
        case 5:
          if (this.chance(0.2)) bytes = before;
      }
    }
    return new Uint8Array(bytes);
  }

  /** Lengths that add up to `length`: mostly short ones, some long ones. */
  cuts(length: number): number[] {
    const cuts: number[] = [];
    for (let left = length; left > 0;) {
      const size = Math.min(left, 1 + this.below(this.chance(0.7) ? 20 : 3000));
      cuts.push(size);
      left -= size;
    }
    return cuts;
  }
}
