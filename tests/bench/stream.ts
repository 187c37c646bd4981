/**
 * The stream that is published: H.264 and AAC in shape, 25 pictures and 43 audio frames a second, a
 * keyframe every 2 s, and in each message the time at which it was sent and its number.
 *
 * A message is built once as wire bytes; sending it again means writing a timestamp, a clock stamp and
 * a number into it. Stamp and number are written in bytes of 7 bits with the top bit set, so that no
 * start code and no emulation prevention can come about in them.
 * @module
 */
import { encodeAmf } from "../tools/raw_client.ts";

/** RTMP message types. */
export const AUDIO = 8;
export const VIDEO = 9;
const DATA = 18;

/** Payload bytes of a chunk that we send: what OBS announces. */
export const SEND_CHUNK_BYTES = 4096;

/** µs between pictures: 25 a second. */
const PICTURE_US = 40_000;
/** µs between audio frames: 1024 samples of 44100 a second. */
const AUDIO_US = 1024 / 44_100 * 1e6;
/** Pictures from keyframe to keyframe. */
const GOP_PICTURES = 50;
/** A keyframe is so many times larger than another picture. */
const KEYFRAME_FACTOR = 8;
/** kbps of the sound. */
const AUDIO_KBPS = 64;

/** Media messages that a stream has in a second. */
export const MESSAGES_PER_SECOND = 1e6 / PICTURE_US + 1e6 / AUDIO_US;

const CHUNK_STREAM = { [AUDIO]: 4, [VIDEO]: 6, [DATA]: 4 };
/** Message stream id; every server numbers its first stream so. */
const STREAM_ID = 1;
/** Bytes of a chunk header with all fields. */
const HEADER_BYTES = 12;

/** Bytes of a stamp (µs, 49 bits) and of the number after it (28 bits). */
const STAMP_BYTES = 7;
const NUMBER_BYTES = 4;
/** Where the stamp stands in a payload: after tag header, NAL length and NAL type; after tag header. */
const STAMP_AT = { [VIDEO]: 10, [AUDIO]: 2 };
/** Bytes at the start of a payload that hold all that a player looks at. */
export const HEAD_BYTES = STAMP_AT[VIDEO] + STAMP_BYTES + NUMBER_BYTES;

/** AVCDecoderConfigurationRecord of 640x360 baseline, and AudioSpecificConfig of AAC 44100 Hz stereo. */
const VIDEO_HEADER =
  "17000000000142c01effe100196742c01ed890280bfe5c0440000003004000000c83c58b898001" +
  "000568c888cb20";
const AUDIO_HEADER = "af001210";

/** The messages of streams of one bitrate, as wire bytes. */
export class StreamShape {
  /** Metadata and sequence headers. */
  readonly opening: readonly Uint8Array<ArrayBuffer>[];
  readonly keyframe: Uint8Array<ArrayBuffer>;
  readonly picture: Uint8Array<ArrayBuffer>;
  readonly audio: Uint8Array<ArrayBuffer>;

  constructor(kbps: number) {
    const perGop = (kbps - AUDIO_KBPS) * 125 * GOP_PICTURES * PICTURE_US / 1e6;
    const pictureBytes = Math.round(perGop / (GOP_PICTURES - 1 + KEYFRAME_FACTOR));
    this.keyframe = wire(VIDEO, picture(0x17, 0x65, pictureBytes * KEYFRAME_FACTOR));
    this.picture = wire(VIDEO, picture(0x27, 0x41, pictureBytes));
    this.audio = wire(AUDIO, filled([0xaf, 1], Math.round(AUDIO_KBPS * 125 * AUDIO_US / 1e6)));
    const metadata = { width: 640, height: 360, framerate: 25, videocodecid: 7, audiocodecid: 10 };
    this.opening = [
      wire(DATA, encodeAmf("@setDataFrame", "onMetaData", metadata)),
      wire(VIDEO, bytesOfHex(VIDEO_HEADER)),
      wire(AUDIO, bytesOfHex(AUDIO_HEADER)),
    ];
  }
}

/** One publisher's stream in time. */
export class StreamSource {
  #pictures = 0;
  #audioFrames = 0;
  #number = 0;

  /** The first message is due at `startUs`. */
  constructor(readonly shape: StreamShape, readonly startUs: number) {}

  /** When the next message is due, µs of the clock. */
  get dueUs(): number {
    return this.startUs + Math.min(this.#pictures * PICTURE_US, this.#audioFrames * AUDIO_US);
  }

  /** The next message, stamped; its bytes are the same memory each time. */
  take(nowUs: number): Uint8Array<ArrayBuffer> {
    const { shape } = this;
    const pictureUs = this.#pictures * PICTURE_US;
    const audioUs = this.#audioFrames * AUDIO_US;
    if (pictureUs <= audioUs) {
      const isKeyframe = this.#pictures++ % GOP_PICTURES === 0;
      return this.#stamp(isKeyframe ? shape.keyframe : shape.picture, VIDEO, pictureUs, nowUs);
    }
    this.#audioFrames++;
    return this.#stamp(shape.audio, AUDIO, audioUs, nowUs);
  }

  #stamp(
    bytes: Uint8Array<ArrayBuffer>,
    type: typeof AUDIO | typeof VIDEO,
    streamUs: number,
    nowUs: number,
  ) {
    const timestamp = Math.floor(streamUs / 1000);
    bytes[1] = timestamp >> 16;
    bytes[2] = timestamp >> 8;
    bytes[3] = timestamp;
    const at = HEADER_BYTES + STAMP_AT[type];
    writeSevens(bytes, at, STAMP_BYTES, nowUs);
    writeSevens(bytes, at + STAMP_BYTES, NUMBER_BYTES, this.#number++);
    return bytes;
  }
}

/** When a message was sent, µs, by the first bytes of its payload. */
export function sentUs(type: number, head: Uint8Array): number {
  return readSevens(head, type === VIDEO ? STAMP_AT[VIDEO] : STAMP_AT[AUDIO], STAMP_BYTES);
}

/** The number of a message in its stream, by the first bytes of its payload. */
export function numberOf(type: number, head: Uint8Array): number {
  const at = type === VIDEO ? STAMP_AT[VIDEO] : STAMP_AT[AUDIO];
  return readSevens(head, at + STAMP_BYTES, NUMBER_BYTES);
}

function writeSevens(bytes: Uint8Array, at: number, count: number, value: number): void {
  for (let i = count - 1; i >= 0; i--) {
    bytes[at + i] = 0x80 | value % 128;
    value = Math.floor(value / 128);
  }
}

function readSevens(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 128 + (bytes[at + i] & 0x7f);
  return value;
}

/** An AVC picture of one NAL unit. */
function picture(frameAndCodec: number, nalType: number, size: number): Uint8Array {
  const nalBytes = size - 9;
  const length = [nalBytes >> 24, nalBytes >> 16, nalBytes >> 8, nalBytes].map((b) => b & 0xff);
  return filled([frameAndCodec, 1, 0, 0, 0, ...length, nalType], size);
}

/** `start`, then bytes that look coded and never hold a start code. */
function filled(start: readonly number[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = 1 + (i * 167) % 255;
  bytes.set(start);
  return bytes;
}

/** A message as chunks of `SEND_CHUNK_BYTES`: one full header, then headers of one byte. */
function wire(type: typeof AUDIO | typeof VIDEO | typeof DATA, payload: Uint8Array) {
  return chunked(CHUNK_STREAM[type], type, STREAM_ID, payload);
}

/** A message at time 0 as wire bytes. */
export function chunked(
  chunkStream: number,
  type: number,
  streamId: number,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const more = Math.max(0, Math.ceil(payload.length / SEND_CHUNK_BYTES) - 1);
  const bytes = new Uint8Array(HEADER_BYTES + payload.length + more);
  const { length } = payload;
  bytes.set([chunkStream, 0, 0, 0, length >> 16, length >> 8, length, type, streamId]);
  let at = HEADER_BYTES;
  for (let from = 0; from < length; from += SEND_CHUNK_BYTES) {
    if (from > 0) bytes[at++] = 0xc0 | chunkStream;
    const part = payload.subarray(from, from + SEND_CHUNK_BYTES);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));
}
