/**
 * Large buffers that come and go. Left to the garbage collector they add up: it does not run while a
 * server is idle, and then holds tens of megabytes that nobody uses. Moving a buffer's memory away frees
 * it at once.
 * @module
 */

/** Bytes whose memory is nobody else's, so that it may be taken away from under them. */
export type OwnBytes = Uint8Array<ArrayBuffer>;

/** The same bytes in memory of another size; the old memory is gone, and views of it are empty. */
export function resize(bytes: OwnBytes, size: number): OwnBytes {
  // An empty one may be a shared constant.
  return bytes.length === 0 ? new Uint8Array(size) : new Uint8Array(bytes.buffer.transfer(size));
}

/** Frees the memory now; views of it are empty. */
export function free(bytes: OwnBytes): void {
  if (bytes.length > 0) bytes.buffer.transfer(0);
}
