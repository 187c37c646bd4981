/**
 * A buffer that grows as it is written. Big-endian, as everything in AMF.
 * @module
 */

import { WRITER_INITIAL_BYTES } from "./limits.ts";

/** UTF-8 takes at most 3 bytes for each UTF-16 code unit. */
const UTF8_BYTES_PER_UNIT = 3;

const ENCODER = new TextEncoder();

/** Appends bytes; doubles when full. */
export class ByteWriter {
  #bytes = new Uint8Array(WRITER_INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written, as a view: the next write may leave it behind, but never changes it. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Writes `text` as UTF-8 without a length. */
  utf8(text: string): void {
    const start = this.#reserve(text.length * UTF8_BYTES_PER_UNIT);
    this.#length = start + ENCODER.encodeInto(text, this.#bytes.subarray(start)).written;
  }

  /** Bytes that `text` takes in UTF-8; a lone surrogate counts as the U+FFFD it becomes. */
  static utf8Length(text: string): number {
    let bytes = text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) continue;
      bytes += unit < 0x800 ? 1 : 2;
      const paired = unit >= 0xd800 && unit < 0xdc00 && text.charCodeAt(i + 1) >= 0xdc00 &&
        text.charCodeAt(i + 1) < 0xe000;
      if (paired) i++;
    }
    return bytes;
  }

  /** Makes room and returns its offset. It may replace the buffer: call it before naming that. */
  #reserve(length: number): number {
    const start = this.#length;
    const end = start + length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = end;
    return start;
  }
}
