/**
 * What a decoder must have before anything else: metadata and sequence headers, as last published.
 * @module
 */

import { ChunkStream, MessageType, STREAM_ID } from "../rtmp/message.ts";
import { MessageWriter } from "../rtmp/chunk_writer.ts";

/** Headers remembered of one kind: tracks of a multitrack stream, and their colour metadata. */
const MAX_HEADERS = 32;

/** Bytes of an audio message that tell its codec: the extended header and its FourCC. */
const AUDIO_SAMPLE_BYTES = 8;

/** Who gets a message: everybody, or only players that do, or do not, understand multitrack ones. */
export type Audience = "all" | "multitrack" | "main track";

interface Header {
  readonly payload: Uint8Array;
  readonly audience: Audience;
}

/** Whether two payloads are the same to the byte. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** The configuration messages of one publisher. */
export class HeaderCache {
  #metadata: Uint8Array | null = null;
  readonly #audio = new Map<number, Header>();
  readonly #video = new Map<number, Header>();
  /** MP3, G.711 and the like have no sequence header: the first bytes of a message tell the codec. */
  #audioSample: Uint8Array | null = null;

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
    }
    return true;
  }

  /** An audio message that is no header, for a codec that has none. */
  noteAudio(payload: Uint8Array): void {
    this.#audioSample ??= payload.slice(0, AUDIO_SAMPLE_BYTES);
  }

  /**
   * All of it as RTMP bytes for a joining player: metadata, audio, video.
   * @param time Of the sequence headers, ms.
   * @param metadataTime Of the metadata, ms.
   * @param multitrack Whether the player understands multitrack messages.
   */
  encode(
    time: number,
    metadataTime: number,
    chunkSize: number,
    multitrack: boolean,
  ): Uint8Array {
    const writer = new MessageWriter();
    writer.chunkSize = chunkSize;
    if (this.#metadata) {
      const { DATA } = ChunkStream;
      writer.write(DATA, MessageType.DATA_AMF0, metadataTime, STREAM_ID, this.#metadata);
    }
    const other: Audience = multitrack ? "main track" : "multitrack";
    for (const { payload, audience } of this.#audio.values()) {
      if (audience === other) continue;
      writer.write(ChunkStream.AUDIO, MessageType.AUDIO, time, STREAM_ID, payload);
    }
    for (const { payload, audience } of this.#video.values()) {
      if (audience === other) continue;
      writer.write(ChunkStream.VIDEO, MessageType.VIDEO, time, STREAM_ID, payload);
    }
    return writer.take();
  }
}
