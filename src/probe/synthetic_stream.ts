/**
 * The stream that `srs-edge probe --publish` sends: H.264 with a stamp in every picture, and AAC
 * silence; as RTMP message payloads with their timestamps.
 * @module
 */

import { encodeAmf0 } from "../rtmp/amf0.ts";
import { AmfEcmaArray } from "../rtmp/amf_value.ts";
import { MessageType } from "../rtmp/message.ts";
import { SERVER_NAME, VERSION } from "../runtime/version.ts";
import { stampNal } from "./stamp.ts";
import {
  escapeNal,
  fillerNal,
  keyframeSlice,
  repeatSlice,
  VIDEO_HEIGHT,
  VIDEO_WIDTH,
  videoConfig,
} from "./synthetic_video.ts";

/** What the stream is like. */
export interface SyntheticOptions {
  readonly fps: number;
  /** Pictures from one keyframe to the next. */
  readonly gop: number;
  /** kbit/s of video to fill up to; 0: as small as it gets. */
  readonly kbps: number;
}

/** A message to publish. */
export interface SyntheticMessage {
  readonly type: number;
  /** ms since the stream began. */
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** Samples of sound a second, and in one frame of AAC: 43 frames a second. */
const SAMPLE_RATE = 44_100;
const FRAME_SAMPLES = 1024;
/** AudioSpecificConfig: AAC-LC, 44.1 kHz, mono. */
const AUDIO_CONFIG = [0x12, 0x08];
/**
 * A silent frame: one channel without any scale factor band, then the end mark (ISO/IEC 14496-3 §4.4.2).
 */
const SILENCE = [0x00, 0x00, 0x00, 0x07];
/** FLV's header byte of AAC, and packet types. */
const AAC = 0xaf;
const CONFIG = 0;
const FRAME = 1;
/** FLV's header bytes of AVC. */
const KEYFRAME = 0x17;
const INTER_FRAME = 0x27;
/** Bytes of the length before a NAL unit. */
const LENGTH_BYTES = 4;

/** Makes the stream, message by message, in the order of their times. */
export class SyntheticStream {
  /** Pictures made. */
  frames = 0;
  #sounds = 0;
  readonly #options: SyntheticOptions;
  readonly #run: number;
  readonly #wallClock: () => number;

  /**
   * @param run Random 32-bit number, by which the stream's stamps are known.
   * @param wallClock ms since 1970 UTC, with fractions.
   */
  constructor(options: SyntheticOptions, run: number, wallClock: () => number) {
    this.#options = options;
    this.#run = run;
    this.#wallClock = wallClock;
  }

  /** What comes before the first frame: metadata and both configurations. */
  begin(): SyntheticMessage[] {
    const { fps, kbps } = this.#options;
    const metadata = encodeAmf0(
      "@setDataFrame",
      "onMetaData",
      new AmfEcmaArray([
        ["width", VIDEO_WIDTH],
        ["height", VIDEO_HEIGHT],
        ["framerate", fps],
        ["videocodecid", 7],
        ["videodatarate", kbps],
        ["audiocodecid", 10],
        ["audiosamplerate", SAMPLE_RATE],
        ["audiosamplesize", 16],
        ["stereo", false],
        ["encoder", `${SERVER_NAME}/${VERSION} probe`],
      ]),
    );
    const video = Uint8Array.of(KEYFRAME, CONFIG, 0, 0, 0, ...videoConfig(fps));
    const audio = Uint8Array.of(AAC, CONFIG, ...AUDIO_CONFIG);
    return [
      { type: MessageType.DATA_AMF0, timestamp: 0, payload: metadata },
      { type: MessageType.VIDEO, timestamp: 0, payload: video },
      { type: MessageType.AUDIO, timestamp: 0, payload: audio },
    ];
  }

  /** When the next message is due, ms since the stream began. */
  get nextAt(): number {
    return Math.min(this.#videoAt, this.#audioAt);
  }

  /** The next message; a picture is stamped with the time of this call. */
  next(): SyntheticMessage {
    return this.#audioAt < this.#videoAt ? this.#sound() : this.#picture();
  }

  get #videoAt(): number {
    return this.frames * 1000 / this.#options.fps;
  }

  get #audioAt(): number {
    return this.#sounds * FRAME_SAMPLES * 1000 / SAMPLE_RATE;
  }

  #sound(): SyntheticMessage {
    const timestamp = Math.round(this.#audioAt);
    this.#sounds++;
    const payload = Uint8Array.of(AAC, FRAME, ...SILENCE);
    return { type: MessageType.AUDIO, timestamp, payload };
  }

  #picture(): SyntheticMessage {
    const { fps, gop, kbps } = this.#options;
    const number = this.frames++;
    const timestamp = Math.round(number * 1000 / fps);
    const inGop = number % gop;
    const slice = inGop === 0 ? keyframeSlice(number / gop) : repeatSlice(inGop);
    const stamp = { run: this.#run, number, time: this.#wallClock() };
    const units = [escapeNal(stampNal(stamp)), slice];
    const size = units.reduce((sum, unit) => sum + LENGTH_BYTES + unit.length, 0);
    const missing = Math.floor(kbps * 1000 / 8 / fps) - size - LENGTH_BYTES;
    if (missing > 1) units.push(fillerNal(missing));
    return { type: MessageType.VIDEO, timestamp, payload: accessUnit(inGop === 0, units) };
  }
}

/** A legacy AVC message: header, composition time 0, and NAL units with their lengths. */
function accessUnit(keyframe: boolean, units: readonly Uint8Array[]): Uint8Array {
  const size = units.reduce((sum, unit) => sum + LENGTH_BYTES + unit.length, 0);
  const payload = new Uint8Array(5 + size);
  payload.set([keyframe ? KEYFRAME : INTER_FRAME, FRAME]);
  const view = new DataView(payload.buffer);
  let at = 5;
  for (const unit of units) {
    view.setUint32(at, unit.length);
    payload.set(unit, at + LENGTH_BYTES);
    at += LENGTH_BYTES + unit.length;
  }
  return payload;
}
