/**
 * Walks through FLV bytes as they arrive and tells the timestamp of each tag of sound or pictures,
 * without looking into the tags.
 * @module
 */

const FILE_HEADER_BYTES = 9;
/** Size of the previous tag, which stands before every tag's header. */
const TRAILER_BYTES = 4;
const TAG_HEADER_BYTES = 11;
const AUDIO = 8;
const VIDEO = 9;

/** One connection's bytes. */
export class FlvScanner {
  readonly #onMedia: (timestampMs: number, isVideo: boolean) => void;
  /** Bytes to skip before what is looked for. */
  #skip = FILE_HEADER_BYTES;
  /** Trailer and tag header, as far as they have come. */
  readonly #head = new Uint8Array(TRAILER_BYTES + TAG_HEADER_BYTES);
  #have = 0;

  /** `onMedia` is called for each tag of sound or pictures as soon as its header is there. */
  constructor(onMedia: (timestampMs: number, isVideo: boolean) => void) {
    this.#onMedia = onMedia;
  }

  /** The next bytes. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const part = bytes.subarray(at, at + this.#head.length - this.#have);
      this.#head.set(part, this.#have);
      this.#have += part.length;
      at += part.length;
      if (this.#have === this.#head.length) this.#tag();
    }
  }

  /** type u8, size u24, timestamp low u24, timestamp high u8, stream u24. */
  #tag(): void {
    const [type, s2, s1, s0, t2, t1, t0, t3] = this.#head.subarray(TRAILER_BYTES);
    this.#have = 0;
    this.#skip = (s2 << 16) | (s1 << 8) | s0;
    const timestamp = ((t3 << 24) | (t2 << 16) | (t1 << 8) | t0) >>> 0;
    if (type === AUDIO || type === VIDEO) this.#onMedia(timestamp, type === VIDEO);
  }
}
