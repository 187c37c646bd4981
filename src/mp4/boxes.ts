/**
 * Boxes of the ISO base media file format (ISO/IEC 14496-12 §4.2).
 *
 *     size (u32) | type (4 letters) | [version (u8), flags (u24)] | content
 * @module
 */

/** What a box contains: bytes, or other boxes. */
export type Content = Uint8Array | readonly number[];

/** Bytes of the size and type before a box's content. */
export const BOX_HEADER_BYTES = 8;

/** A box with this content. */
export function box(type: string, ...content: readonly Content[]): Uint8Array {
  const size = content.reduce((sum, { length }) => sum + length, BOX_HEADER_BYTES);
  const bytes = new Uint8Array(size);
  let at = writeBoxHeader(bytes, 0, size, type);
  for (const part of content) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A box with version and flags. */
export function fullBox(
  type: string,
  version: number,
  flags: number,
  ...content: readonly Content[]
): Uint8Array {
  return box(type, [version, ...u24(flags)], ...content);
}

/** Writes the size and type of a box; returns the position after them. */
export function writeBoxHeader(
  target: Uint8Array,
  at: number,
  size: number,
  type: string,
): number {
  at = writeU32(target, at, size);
  for (let i = 0; i < 4; i++) target[at++] = type.charCodeAt(i);
  return at;
}

/** Writes an unsigned number of 32 bits, or a signed one; returns the position after it. */
export function writeU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

/** Writes an unsigned number below 2^53 in 64 bits; returns the position after it. */
export function writeU64(target: Uint8Array, at: number, value: number): number {
  return writeU32(target, writeU32(target, at, Math.floor(value / 2 ** 32)), value >>> 0);
}

/** An unsigned number as bytes, the highest first. */
export function u16(value: number): number[] {
  return [value >>> 8 & 0xff, value & 0xff];
}

/** See `u16`. */
export function u24(value: number): number[] {
  return [value >>> 16 & 0xff, ...u16(value & 0xffff)];
}

/** See `u16`. */
export function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

/** `count` bytes that are 0. */
export function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}
