/**
 * Buffers of megabytes whose memory comes and goes when we say so. What an ordinary buffer has taken is
 * free when the garbage collector has got round to it, and the C library then keeps much of it; a
 * resizable one gives its pages back to the kernel the moment that it shrinks.
 * @module
 */

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
  if (buffer instanceof ArrayBuffer && buffer.resizable) buffer.resize(0);
}
