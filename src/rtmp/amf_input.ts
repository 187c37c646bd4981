/**
 * Bounded reading of AMF bytes: every length is checked before it is used, every value and every level
 * of nesting is counted. AMF0 and the AMF3 values inside it draw on the same counts.
 * @module
 */

import { AMF_MAX_DEPTH, AMF_MAX_ITEMS } from "./limits.ts";
import { ErrorCode, RtmpError } from "./error.ts";

/** Malformed UTF-8 becomes U+FFFD instead of an error: old encoders write Latin-1. */
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** A cursor over one message's payload. Every method throws `RtmpError` AMF_DECODE and nothing else. */
export class AmfInput {
  /** Offset of the next byte. */
  position = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #items = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  u8(): number {
    return this.#bytes[this.#advance(1, "a byte")];
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2, "a 16-bit number"));
  }

  i16(): number {
    return this.#view.getInt16(this.#advance(2, "a 16-bit number"));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4, "a 32-bit number"));
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8, "a double"));
  }

  /** `length` bytes as a view. */
  take(length: number, what: string): Uint8Array {
    const start = this.#advance(length, what);
    return this.#bytes.subarray(start, start + length);
  }

  /** `length` bytes of UTF-8. */
  utf8(length: number): string {
    return length === 0 ? "" : UTF8.decode(this.take(length, "a string"));
  }

  /** Whether a property list ends here: empty name and object end marker, 00 00 09. */
  atObjectEnd(): boolean {
    const at = this.position;
    return this.remaining >= 3 && this.#bytes[at] === 0 && this.#bytes[at + 1] === 0 &&
      this.#bytes[at + 2] === 9;
  }

  /** Accounts for `count` values, before anything is allocated for them. */
  count(count: number): void {
    this.#items += count;
    if (this.#items > AMF_MAX_ITEMS) this.fail(`more than ${AMF_MAX_ITEMS} values in one message`);
  }

  /** One level down; `leave` comes back up. */
  enter(): void {
    if (++this.#depth > AMF_MAX_DEPTH) this.fail(`nesting deeper than ${AMF_MAX_DEPTH} levels`);
  }

  leave(): void {
    this.#depth--;
  }

  /** Refuses the message. */
  fail(reason: string): never {
    throw new RtmpError(
      ErrorCode.AMF_DECODE,
      `AMF: ${reason}, at byte ${this.position} of ${this.#bytes.length}`,
    );
  }

  #advance(length: number, what: string): number {
    const start = this.position;
    if (length > this.#bytes.length - start) {
      this.fail(`${what} of ${length} bytes does not fit in the message`);
    }
    this.position = start + length;
    return start;
  }
}
