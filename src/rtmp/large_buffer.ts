/**
 * Buffers of megabytes whose memory comes and goes when we say so. What an ordinary buffer has taken is
 * free when the garbage collector has got round to it, and the C library then keeps much of it; a
 * resizable one gives its pages back to the kernel the moment that it shrinks.
 * @module
 */

import { COLLECT_AFTER_BYTES } from "./limits.ts";

let collector: (() => void) | null = null;
let given = 0;

/**
 * Has `collect` called now and then as large buffers are given back. On Bun a buffer keeps pages until it
 * is collected, and a publisher of messages of 15 MB can make hundreds of them in a second (H56).
 */
export function collectLarge(collect: (() => void) | null): void {
  collector = collect;
}

/** An empty buffer that `growLarge` makes longer, up to `maxBytes`; that many addresses, no memory yet. */
export function reserveLarge(maxBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(0, { maxByteLength: maxBytes }));
}

/** Makes a buffer of `reserveLarge` `size` bytes long; what is in it stays. */
export function growLarge(bytes: Uint8Array<ArrayBuffer>, size: number): void {
  bytes.buffer.resize(size);
}

/** Gives the memory of a buffer of `reserveLarge` back at once; for any other, does nothing. */
export function freeLarge({ buffer }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || !buffer.resizable) return;
  given += buffer.byteLength;
  buffer.resize(0);
  if (given < COLLECT_AFTER_BYTES) return;
  given = 0;
  collector?.();
}
