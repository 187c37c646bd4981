/**
 * Streams in other containers than FLV, for players that come by HTTP: MPEG-TS, and AAC and MP3 alone.
 * What has no place in a container has an entry without bytes, so that entries have the same numbers in
 * all of them.
 * @module
 */

import { ADTS_HEADER_BYTES, ADTS_MAX_BYTES, adtsFields, writeAdtsHeader } from "../codec/adts.ts";
import type { AdtsFields } from "../codec/adts.ts";
import {
  AudioCodec,
  audioCodec,
  audioConfigOffset,
  audioFrameOffset,
} from "../codec/audio_header.ts";
import { type BroadcastLog, Entry } from "../live/log/broadcast_log.ts";
import type { Renderer, Rendering } from "../live/play/rendering.ts";
import { MessageType } from "../rtmp/message.ts";
import { TsMuxer } from "../ts/ts_muxer.ts";
import { MessageCopy } from "./message_copy.ts";

/** MPEG-TS: H.264, HEVC, AAC and MP3. */
export const TRANSPORT_STREAM: Rendering = {
  begin: () => new ContainerRenderer(new TsMuxer()),
};

/** AAC frames, each behind its ADTS header. */
export const AAC_FRAMES: Rendering = {
  begin: () => new ContainerRenderer(new AacFrames()),
};

/** MP3 frames. */
export const MP3_FRAMES: Rendering = {
  begin: () => new ContainerRenderer(new Mp3Frames()),
};

/** Makes a container of messages, one after the other; see `TsMuxer`. */
interface Muxer {
  take(type: number, time: number, payload: Uint8Array): number;
  write(target: Uint8Array, at: number): number;
}

/** Brings what a muxer makes into the log that players read. */
class ContainerRenderer implements Renderer {
  readonly #muxer: Muxer;
  readonly #copy = new MessageCopy();

  constructor(muxer: Muxer) {
    this.#muxer = muxer;
  }

  /** Headers stand in the stream, where they are needed: a player begins with nothing of its own. */
  size(): number {
    return 0;
  }

  /** ... but the muxer has to know them. */
  write(_target: Uint8Array, at: number, type: number, time: number, payload: Uint8Array): number {
    this.#muxer.take(type, time, payload);
    return at;
  }

  render(log: BroadcastLog, target: BroadcastLog, chunkSize: number): void {
    while (target.head < log.head) {
      const entry = target.head;
      const flags = log.flagsAt(entry);
      const arrival = log.arrivalAt(entry);
      const time = log.timestampAt(entry);
      let size = 0;
      if ((flags & Entry.MULTITRACK) === 0 && (flags & (Entry.AUDIO | Entry.VIDEO)) !== 0) {
        this.#copy.read(log, entry, chunkSize);
        size = this.#muxer.take(this.#copy.type, time, this.#copy.payload);
      }
      const memory = target.reserve(size, arrival);
      if (size > 0) this.#muxer.write(memory, target.writeAt);
      target.commit(size, flags, time, arrival);
    }
  }
}

const NOTHING = new Uint8Array(0);

class AacFrames implements Muxer {
  #fields: AdtsFields | null = null;
  #frame: Uint8Array = NOTHING;

  take(type: number, _time: number, payload: Uint8Array): number {
    if (type !== MessageType.AUDIO || audioCodec(payload) !== AudioCodec.AAC) return 0;
    const config = audioConfigOffset(payload);
    if (config >= 0) {
      this.#fields = adtsFields(payload.subarray(config));
      return 0;
    }
    const offset = audioFrameOffset(payload);
    const size = ADTS_HEADER_BYTES + payload.length - offset;
    if (offset < 0 || this.#fields === null || size > ADTS_MAX_BYTES) return 0;
    this.#frame = payload.subarray(offset);
    return size;
  }

  write(target: Uint8Array, at: number): number {
    if (!this.#fields) return at;
    const body = writeAdtsHeader(target, at, this.#fields, this.#frame.length);
    target.set(this.#frame, body);
    return body + this.#frame.length;
  }
}

class Mp3Frames implements Muxer {
  #frame: Uint8Array = NOTHING;

  take(type: number, _time: number, payload: Uint8Array): number {
    if (type !== MessageType.AUDIO || audioCodec(payload) !== AudioCodec.MP3) return 0;
    const offset = audioFrameOffset(payload);
    if (offset < 0) return 0;
    this.#frame = payload.subarray(offset);
    return this.#frame.length;
  }

  write(target: Uint8Array, at: number): number {
    target.set(this.#frame, at);
    return at + this.#frame.length;
  }
}
