/**
 * Streams, and media to put into them.
 * @module
 */

import { Buffer } from "node:buffer";
import { loadConfig } from "../../../src/config/file/load.ts";
import { findVhost, type PlayConfig, type VhostConfig } from "../../../src/config/types.ts";
import { LiveStream, type Publisher } from "../../../src/live/stream/live_stream.ts";
import { FlushBudget } from "../../../src/live/play/pacer.ts";
import { SegmentPool } from "../../../src/live/log/segment_pool.ts";
import { encodeAmf0 } from "../../../src/rtmp/amf0.ts";
import { AmfEcmaArray, type AmfValue } from "../../../src/rtmp/amf_value.ts";
import { MessageType } from "../../../src/rtmp/message.ts";
import type { Received } from "./fake_player.ts";
import { ManualClock } from "./manual_clock.ts";

/** What the fixtures' server says it is. */
export const VERSION = "1.2.3";

/** The default vhost of a configuration text, with some of its values replaced. */
export function vhostOf(
  play: Partial<PlayConfig> = {},
  vhost: Partial<VhostConfig> = {},
): VhostConfig {
  const text = "listen 1935; vhost __defaultVhost__ { min_latency on; play { gop_cache off; } }";
  const { config } = loadConfig("test.conf", () => text, {});
  const found = findVhost(config, "any");
  if (!found) throw new Error("the text has a default vhost");
  return { ...found, ...vhost, play: { ...found.play, ...play } };
}

/** A stream, the clock and all that it shares with others. */
export class Fixture {
  readonly clock = new ManualClock();
  readonly pool = new SegmentPool();
  readonly budget = new FlushBudget();

  /** Another stream beside the others. */
  stream(play: Partial<PlayConfig> = {}, vhost: Partial<VhostConfig> = {}): LiveStream {
    const { clock, pool, budget } = this;
    const shared = { clock, pool, budget, version: VERSION, listeners: [] };
    return new LiveStream(shared, vhostOf(play, vhost), "live", "livestream", "live/livestream");
  }
}

function padded(head: number[], size: number, fill: number): Uint8Array {
  const payload = new Uint8Array(Math.max(size, head.length)).fill(fill);
  payload.set(head);
  return payload;
}

/** Payloads: H.264 and AAC in legacy headers, told apart by `id`, a byte. */
export const payloads = {
  /** AVC sequence header. */
  videoHeader: (id = 0) => padded([0x17, 0, 0, 0, 0, 1, 100, 0, 31, id], 16, 0),
  keyframe: (id = 0, size = 64) => padded([0x17, 1, 0, 0, 0, id], size, id),
  frame: (id = 0, size = 32) => padded([0x27, 1, 0, 0, 0, id], size, id),
  /** AudioSpecificConfig of AAC-LC, 44.1 kHz, stereo; `id` is behind it. */
  audioHeader: (id = 0) => padded([0xaf, 0, 0x12, 0x10, id], 5, 0),
  audio: (id = 0, size = 16) => padded([0xaf, 1, id], size, id),
  /** A raw data message; the name comes first. */
  data: (...values: AmfValue[]) => encodeAmf0(...values),
  metadata: (fields: Record<string, AmfValue>) =>
    encodeAmf0("@setDataFrame", "onMetaData", new AmfEcmaArray(Object.entries(fields))),
};

/** Publishes into a stream: each call is one read of the socket with one message in it. */
export class FakePublisher implements Publisher {
  /** Times that it was to read what its peer has sent. */
  caughtUp = 0;
  readonly #stream: LiveStream;
  address = "10.0.0.1";
  /** As if it had just sent something, unless a test says otherwise. */
  lastBytesAt = Infinity;
  /** As if it were an origin. */
  timeCorrected = false;
  /** Times that another publisher took its stream over. */
  replacements = 0;

  constructor(stream: LiveStream) {
    this.#stream = stream;
  }

  catchUp(): void {
    this.caughtUp++;
  }

  hasAudience(): void {}

  replaced(): void {
    this.replacements++;
    this.stop();
  }

  /** Takes the stream; whether it could. */
  start(): boolean {
    return this.#stream.publish(this);
  }

  stop(): void {
    this.#stream.unpublish(this);
  }

  video(time: number, payload: Uint8Array): void {
    this.#stream.media(MessageType.VIDEO, time, payload);
    this.#stream.readDone();
  }

  audio(time: number, payload: Uint8Array): void {
    this.#stream.media(MessageType.AUDIO, time, payload);
    this.#stream.readDone();
  }

  data(time: number, payload: Uint8Array): boolean {
    const known = this.#stream.data(MessageType.DATA_AMF0, time, payload);
    this.#stream.readDone();
    return known;
  }

  /** Metadata and both headers at time 0, as encoders begin. */
  headers(id = 0): void {
    this.data(0, payloads.metadata({ width: 640 + id }));
    this.audio(0, payloads.audioHeader(id));
    this.video(0, payloads.videoHeader(id));
  }
}

/** A word for a received message: `K7` is the keyframe with id 7, `VH` a video header, `M` metadata. */
export function word({ type, payload }: Received): string {
  if (type === MessageType.DATA_AMF0) return "M";
  if (type === MessageType.AUDIO) return payload[1] === 0 ? `AH${payload[4]}` : `A${payload[2]}`;
  if (payload[1] === 0) return `VH${payload[9]}`;
  return `${payload[0] === 0x17 ? "K" : "P"}${payload[5]}`;
}

/** All of them, with spaces. */
export function words(messages: Received[]): string {
  return messages.map(word).join(" ");
}

/** Whether two byte strings are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
