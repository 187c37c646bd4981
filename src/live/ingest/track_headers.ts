/**
 * The headers of one kind of media, audio or video, by track and codec. A publisher may change the codec
 * of a track; players that join get the headers of the codec in use.
 * @module
 */

import { FrameFlag, JOIN_FLAGS } from "../../codec/ex_header.ts";
import { MAX_HEADER_BYTES, MAX_HEADERS, MAX_KEPT_BYTES } from "../limits.ts";

/** A codec that cannot be told. */
const NO_CODEC = 0;

/** Who gets a message: all players, or only players that do, or do not, understand multitrack ones. */
export type Audience = "all" | "multitrack" | "main track";

/** A header, as it is also sent to another thread. */
export interface TrackHeader {
  /** Its flag of `JOIN_FLAGS`. */
  readonly kind: number;
  readonly track: number;
  readonly payload: Uint8Array;
  readonly audience: Audience;
}

interface KnownHeader extends TrackHeader {
  readonly codec: number;
}

/** Whether two payloads are the same to the byte. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function isConfig({ kind }: TrackHeader): boolean {
  return kind === FrameFlag.SEQUENCE_HEADER;
}

/** Headers of one publisher. */
export class TrackHeaders {
  readonly #codecOf: (payload: Uint8Array) => number;
  /** In the order in which they came; what has changed counts as new. */
  readonly #headers = new Map<number, KnownHeader>();
  /** The codec of each track. */
  readonly #inUse = new Map<number, number>();

  /** `codecOf` tells a message's codec, 0 for none. */
  constructor(codecOf: (payload: Uint8Array) => number) {
    this.#codecOf = codecOf;
  }

  /**
   * Remembers a header (copied) in place of the last one of its kind, track, codec and audience. Another
   * configuration, or one of another codec, takes along what belonged to the one before: colour
   * metadata, layout of channels. One for which there is no room is not kept: neither is the one before,
   * which is over. False when it is what was in use already.
   */
  set(header: TrackHeader): boolean {
    const { track, payload, audience } = header;
    const kind = header.kind & JOIN_FLAGS;
    const codec = this.#codecOf(payload);
    const key = ((codec * 256 + track) * 256 + kind) * 2 + (audience === "main track" ? 1 : 0);
    const known = this.#headers.get(key);
    const same = known !== undefined && sameBytes(known.payload, payload);
    const changesCodec = isConfig(header) && this.#inUse.get(track) !== codec;
    if (same && !changesCodec) return false;
    if (isConfig(header)) {
      const before = this.#inUse.get(track);
      if (known || (changesCodec && before !== undefined)) this.#dropCompanions(track);
      this.#inUse.set(track, codec);
    }
    this.#headers.delete(key);
    const { length } = payload;
    while (!this.#hasRoom(length) && this.#evict());
    if (length <= MAX_HEADER_BYTES && this.#hasRoom(length)) {
      this.#headers.set(key, { kind, track, payload: payload.slice(), audience, codec });
    }
    return true;
  }

  /** The codec of a track; undefined: nothing of it has come. */
  codec(track: number): number | undefined {
    return this.#inUse.get(track);
  }

  /** A track has this codec from now on. What came with the configuration before is dropped. */
  use(track: number, codec: number): void {
    if (codec === NO_CODEC || this.#inUse.get(track) === codec) return;
    if (this.#inUse.has(track)) this.#dropCompanions(track);
    this.#inUse.set(track, codec);
  }

  /** What joiners need, in order. */
  *current(): Iterable<TrackHeader> {
    for (const header of this.#headers.values()) if (this.#isCurrent(header)) yield header;
  }

  /** Newest configuration of the main track, in the form that `current` has; or null. */
  get main(): Uint8Array | null {
    let found: Uint8Array | null = null;
    for (const header of this.current()) {
      if (isConfig(header) && header.track === 0 && header.audience !== "multitrack") {
        found = header.payload;
      }
    }
    return found;
  }

  /** First configuration of any track, or null. */
  get first(): Uint8Array | null {
    for (const header of this.current()) if (isConfig(header)) return header.payload;
    return null;
  }

  #isCurrent({ track, codec }: KnownHeader): boolean {
    const used = this.#inUse.get(track);
    return used === undefined || used === codec;
  }

  #dropCompanions(track: number): void {
    for (const [key, header] of this.#headers) {
      if (header.track === track && !isConfig(header)) this.#headers.delete(key);
    }
  }

  #hasRoom(bytes: number): boolean {
    for (const { payload } of this.#headers.values()) bytes += payload.length;
    return this.#headers.size < MAX_HEADERS && bytes <= MAX_KEPT_BYTES;
  }

  /** Makes room: of a codec that is not in use. False: there is none. */
  #evict(): boolean {
    for (const [key, header] of this.#headers) {
      if (!this.#isCurrent(header)) return this.#headers.delete(key);
    }
    return false;
  }
}
