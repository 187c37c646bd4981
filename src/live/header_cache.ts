/**
 * What a decoder must have before anything else: metadata and sequence headers, as last published.
 * @module
 */

import { MessageType } from "../rtmp/message.ts";
import { Entry } from "./broadcast_log.ts";
import type { MessageFormat } from "./message_format.ts";

/** Headers remembered of one kind: tracks of a multitrack stream, and their colour metadata. */
const MAX_HEADERS = 32;

/** Bytes of an audio message that tell its codec: the extended header and its FourCC. */
const AUDIO_SAMPLE_BYTES = 8;

/** Who gets a message: everybody, or only players that do, or do not, understand multitrack ones. */
export type Audience = "all" | "multitrack" | "main track";

/** What a header for an audience is in the log. */
const AUDIENCE_FLAG: Readonly<Record<Audience, number>> = {
  "all": 0,
  "multitrack": Entry.MULTITRACK,
  "main track": Entry.MAIN_TRACK,
};

interface Header {
  readonly payload: Uint8Array;
  readonly audience: Audience;
}

/** Whether two payloads are the same to the byte. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A header of one kind, as it is sent to another thread. */
export interface HeaderEntry extends Header {
  readonly key: number;
}

/** The contents of a cache. */
export interface HeaderSnapshot {
  readonly metadata: Uint8Array | null;
  readonly audio: readonly HeaderEntry[];
  readonly video: readonly HeaderEntry[];
}

/** The configuration messages of one publisher. */
export class HeaderCache {
  /** Grows with every change. */
  version = 0;
  #metadata: Uint8Array | null = null;
  readonly #audio = new Map<number, Header>();
  readonly #video = new Map<number, Header>();
  /** MP3, G.711 and the like have no sequence header: the first bytes of a message tell the codec. */
  #audioSample: Uint8Array | null = null;

  /** A cache with the contents of another one. */
  static from({ metadata, audio, video }: HeaderSnapshot): HeaderCache {
    const cache = new HeaderCache();
    cache.#metadata = metadata;
    for (const { key, payload, audience } of audio) cache.#audio.set(key, { payload, audience });
    for (const { key, payload, audience } of video) cache.#video.set(key, { payload, audience });
    return cache;
  }

  /** All that a joining player needs. */
  snapshot(): HeaderSnapshot {
    const entries = (headers: ReadonlyMap<number, Header>) =>
      Array.from(headers, ([key, header]) => ({ key, ...header }));
    return {
      metadata: this.#metadata,
      audio: entries(this.#audio),
      video: entries(this.#video),
    };
  }

  /** Body of the last metadata message, or null. */
  get metadata(): Uint8Array | null {
    return this.#metadata;
  }

  /** The first audio sequence header; without one, the beginning of an audio message; or null. */
  get audio(): Uint8Array | null {
    return this.#audio.values().next().value?.payload ?? this.#audioSample;
  }

  /** The first video sequence header, or null. */
  get video(): Uint8Array | null {
    return this.#video.values().next().value?.payload ?? null;
  }

  /** Remembers metadata (copied); false when it is what was known already. */
  setMetadata(payload: Uint8Array): boolean {
    if (this.#metadata && sameBytes(this.#metadata, payload)) return false;
    this.#metadata = payload.slice();
    this.version++;
    return true;
  }

  /**
   * Remembers an audio or video header (copied) in place of the last one with the same `key`; false
   * when it is what was known already.
   */
  set(type: number, key: number, payload: Uint8Array, audience: Audience): boolean {
    const headers = type === MessageType.AUDIO ? this.#audio : this.#video;
    const known = headers.get(key);
    if (known && sameBytes(known.payload, payload)) return false;
    if (known || headers.size < MAX_HEADERS) {
      headers.set(key, { payload: payload.slice(), audience });
      this.version++;
    }
    return true;
  }

  /** An audio message that is no header, for a codec that has none. */
  noteAudio(payload: Uint8Array): void {
    this.#audioSample ??= payload.slice(0, AUDIO_SAMPLE_BYTES);
  }

  /** Calls `take` with each message of it, its time, and the `Entry` bits that say whom it is for. */
  each(
    time: number,
    metadataTime: number,
    take: (type: number, time: number, payload: Uint8Array, flags: number) => void,
  ): void {
    if (this.#metadata) take(MessageType.DATA_AMF0, metadataTime, this.#metadata, 0);
    for (const { payload, audience } of this.#audio.values()) {
      take(MessageType.AUDIO, time, payload, AUDIENCE_FLAG[audience]);
    }
    for (const { payload, audience } of this.#video.values()) {
      take(MessageType.VIDEO, time, payload, AUDIENCE_FLAG[audience]);
    }
  }

  /**
   * All of it for a joining player, in the format of its rendition: metadata, audio, video.
   * @param time Of the sequence headers, ms.
   * @param metadataTime Of the metadata, ms.
   * @param skip `Entry` bits of what is not for this player.
   */
  encode(format: MessageFormat, time: number, metadataTime: number, skip: number): Uint8Array {
    const messages: [type: number, time: number, payload: Uint8Array][] = [];
    if (this.#metadata) messages.push([MessageType.DATA_AMF0, metadataTime, this.#metadata]);
    const add = (type: number, kind: number, headers: Iterable<Header>) => {
      for (const { payload, audience } of headers) {
        if (((kind | AUDIENCE_FLAG[audience]) & skip) === 0) messages.push([type, time, payload]);
      }
    };
    add(MessageType.AUDIO, Entry.AUDIO, this.#audio.values());
    add(MessageType.VIDEO, Entry.VIDEO, this.#video.values());
    let size = 0;
    for (const [, at, payload] of messages) size += format.size(payload.length, at);
    const bytes = new Uint8Array(size);
    let end = 0;
    for (const [type, at, payload] of messages) end = format.write(bytes, end, type, at, payload);
    return bytes;
  }
}
