/**
 * Measures a stream as it comes in: messages with the moment of their arrival in, figures out.
 *
 * Lag: message `m` was sent when its timestamp said so, give or take a constant. `arrival - timestamp`
 * is that constant plus its way; the smallest value seen stands for the quickest way, and how much
 * later another message comes is its lag. Audio and video may lie apart by any time: each has its own.
 * A player needs a buffer as long as the largest lag that it wants to ride out.
 * @module
 */

import { BURST_MS, GAP_MS, JUMP_MS, NEW_TIMELINE_MS } from "./limits.ts";
import { type AudioInfo, audioInfo, type VideoInfo, videoInfo } from "../codec/codec_info.ts";
import { audioConfigOffset, audioFlags } from "../codec/audio_header.ts";
import { FrameFlag } from "../codec/ex_header.ts";
import { mainMessage } from "../codec/multitrack.ts";
import { videoCodec, videoConfigOffset, videoFlags } from "../codec/video_header.ts";
import { TrackFigures } from "../live/ingest/track_figures.ts";
import { type Message, MessageType } from "../rtmp/message.ts";
import { SampleWindow, sortedAboveLeast, type Spread, spread, spreadOf } from "./sample_window.ts";
import { readStamp, type Stamp } from "./stamp.ts";
import { publisherClock } from "./publisher_clock.ts";

/** Weight of a new difference in the jitter (RFC 3550 §6.4.1). */
const JITTER_WEIGHT = 1 / 16;

/** Video or audio. */
export class Track {
  frames = 0;
  bytes = 0;
  first = 0;
  last = 0;
  jumps = 0;
  /** ms of media, jumps left out. */
  span = 0;
  /** How uneven the frames come, ms (RFC 3550 §6.4.1). */
  jitterMs = 0;
  /** `arrival - timestamp` of all frames but the first burst. */
  offsets = new SampleWindow();
  smallestOffset = Infinity;
  /** Of the last frame, those of the first burst included. */
  newestOffset: number | null = null;
  #lastOffset: number | null = null;

  /** A frame has come, with this `arrival - timestamp`. */
  addOffset(offset: number, inBurst: boolean): void {
    // A timeline that starts over has nothing to do with the one before.
    const { newestOffset } = this;
    if (newestOffset !== null && Math.abs(offset - newestOffset) > NEW_TIMELINE_MS) {
      this.smallestOffset = Infinity;
      this.offsets = new SampleWindow();
    }
    this.smallestOffset = Math.min(this.smallestOffset, offset);
    this.newestOffset = offset;
    if (!inBurst) this.offsets.add(offset);
  }

  /** A frame; `nowMs` null: it came in the first burst. */
  add(timestamp: number, bytes: number, nowMs: number | null): void {
    const step = timestamp - this.last;
    const jumps = this.frames > 0 && (step < 0 || step > JUMP_MS);
    if (jumps) this.jumps++;
    else if (this.frames > 0) this.span += step;
    if (nowMs !== null) {
      const offset = nowMs - timestamp;
      const difference = Math.abs(offset - (this.#lastOffset ?? offset));
      if (!jumps) this.jitterMs += (difference - this.jitterMs) * JITTER_WEIGHT;
      this.#lastOffset = offset;
    }
    this.last = timestamp;
    this.frames++;
    this.bytes += bytes;
  }

  /** Frames a second by the timestamps; null: too few. */
  get rate(): number | null {
    return this.span > 0 ? (this.frames - 1 - this.jumps) * 1000 / this.span : null;
  }

  /** kbit/s by the timestamps. */
  get kbps(): number | null {
    return this.span > 0 ? this.bytes * 8 / this.span : null;
  }
}

/** Measured so far. Times are clock ms; null: has not come yet. */
export class StreamMeter {
  metadataAt: number | null = null;
  firstAudioAt: number | null = null;
  firstFrameAt: number | null = null;
  firstKeyframeAt: number | null = null;
  firstMediaAt: number | null = null;
  lastMediaAt = 0;
  readonly video = new Track();
  readonly audio = new Track();
  videoInfo: VideoInfo | null = null;
  audioInfo: AudioInfo | null = null;
  #videoHeader: Uint8Array | null = null;
  readonly #figures = new TrackFigures();

  keyframes = 0;
  /** Pictures and ms from the last keyframe but one to the last; null: less than two keyframes. */
  gopFrames: number | null = null;
  gopMs: number | null = null;
  gopMaxFrames = 0;
  gopMaxMs = 0;
  #sinceKeyframe = 0;
  #keyframeTime = 0;

  /** Pauses of more than `GAP_MS`, and the longest pause of all. */
  gaps = 0;
  longestPauseMs = 0;

  #firstTrack: Track | null = null;
  #lastTrack: Track | null = null;
  #startOffset = 0;

  /** Delay by the publisher's own clock. */
  readonly #delays = new SampleWindow();
  delayNow: number | null = null;
  /** Where that clock was found. */
  delaySource: "stamp" | "data" | null = null;

  /**
   * @param wallClock ms since 1970 UTC, with fractions.
   * @param onStamp Is told every stamp and the delay that it means.
   */
  constructor(
    readonly wallClock: () => number,
    readonly onStamp: (stamp: Stamp, delayMs: number) => void = () => {},
  ) {}

  /** A message has arrived; clock ms. */
  add(message: Message, nowMs: number): void {
    switch (message.type) {
      case MessageType.VIDEO:
        return this.#addVideo(message, nowMs);
      case MessageType.AUDIO:
        return this.#addAudio(message, nowMs);
      default:
        return this.#addData(message, nowMs);
    }
  }

  /** Unevenness of the pictures, or of the sound if there are none, ms. */
  get jitterMs(): number {
    return (this.video.frames > 0 ? this.video : this.audio).jitterMs;
  }

  /** Whether any frame has come. */
  get hasMedia(): boolean {
    return this.video.frames + this.audio.frames > 0;
  }

  /** How much later than the quickest message the others came; null: nothing yet. */
  get lag(): Spread | null {
    return spreadOf(sortedAboveLeast(this.video.offsets, this.audio.offsets));
  }

  /** Lag of the last message, ms. */
  get lagNow(): number | null {
    const track = this.#lastTrack;
    return track === null ? null : (track.newestOffset ?? 0) - track.smallestOffset;
  }

  /** How old the first message was, compared with the live ones: the cached GOP, ms. */
  get startLag(): number | null {
    return this.#firstTrack === null ? null : this.#startOffset - this.#firstTrack.smallestOffset;
  }

  /** Delay from the publisher's clock to ours, ms; null: it does not tell its clock. */
  get delay(): Spread | null {
    return spread(this.#delays);
  }

  /** Frames that told the publisher's clock. */
  get delaySamples(): number {
    return this.#delays.count;
  }

  #addVideo(message: Message, nowMs: number): void {
    const { timestamp } = message;
    const flags = videoFlags(message.payload);
    // Other tracks than the main one have no part in its figures.
    const payload = mainMessage(MessageType.VIDEO, flags, message.payload);
    if (payload === null) return;
    if (videoConfigOffset(payload) >= 0) {
      this.#videoHeader = payload.slice();
      this.#figures.configured();
      this.videoInfo = videoInfo(payload);
      return;
    }
    const noFrame = FrameFlag.METADATA | FrameFlag.COMMAND | FrameFlag.END_OF_SEQUENCE;
    if (payload.length === 0 || (flags & noFrame) !== 0) return;
    this.videoInfo ??= videoInfo(payload);
    if ((flags & FrameFlag.KEYFRAME) !== 0) this.#noteFigures(payload);
    this.firstFrameAt ??= nowMs;
    if ((flags & FrameFlag.KEYFRAME) !== 0) this.#addKeyframe(timestamp, nowMs);
    this.#sinceKeyframe++;
    this.#arrived(this.video, timestamp, payload.length, nowMs);
    const stamp = readStamp(payload);
    if (stamp) {
      const delay = this.wallClock() - stamp.time;
      this.#addDelay("stamp", delay, nowMs);
      this.onStamp(stamp, delay);
    }
  }

  /** What a keyframe tells: some codecs have their size in it. */
  #noteFigures(keyframe: Uint8Array): void {
    const header = this.#videoHeader;
    this.#figures.keyframe(keyframe, header);
    const isOfHeader = header !== null && videoCodec(header) === videoCodec(keyframe);
    this.videoInfo = videoInfo(isOfHeader ? header : keyframe, this.#figures.frame);
  }

  #addKeyframe(timestamp: number, nowMs: number): void {
    this.firstKeyframeAt ??= nowMs;
    if (this.keyframes++ > 0) {
      this.gopFrames = this.#sinceKeyframe;
      this.gopMs = timestamp - this.#keyframeTime;
      this.gopMaxFrames = Math.max(this.gopMaxFrames, this.gopFrames);
      this.gopMaxMs = Math.max(this.gopMaxMs, this.gopMs);
    }
    this.#sinceKeyframe = 0;
    this.#keyframeTime = timestamp;
  }

  #addAudio(message: Message, nowMs: number): void {
    const flags = audioFlags(message.payload);
    const payload = mainMessage(MessageType.AUDIO, flags, message.payload);
    if (payload === null) return;
    if (audioConfigOffset(payload) >= 0) {
      this.audioInfo = audioInfo(payload);
      return;
    }
    if (payload.length === 0) return;
    this.audioInfo ??= audioInfo(payload);
    this.firstAudioAt ??= nowMs;
    this.#arrived(this.audio, message.timestamp, payload.length, nowMs);
  }

  #addData(message: Message, nowMs: number): void {
    const wall = this.wallClock();
    const time = publisherClock(message, wall);
    if (time !== null && this.delaySource !== "stamp") {
      this.#addDelay("data", wall - time, nowMs);
    }
  }

  #addDelay(source: "stamp" | "data", delay: number, nowMs: number): void {
    this.delaySource = source;
    this.delayNow = delay;
    if (!this.#bursting(nowMs)) this.#delays.add(delay);
  }

  #bursting(nowMs: number): boolean {
    return this.firstMediaAt === null || nowMs - this.firstMediaAt < BURST_MS;
  }

  #arrived(track: Track, timestamp: number, bytes: number, nowMs: number): void {
    const offset = nowMs - timestamp;
    this.firstMediaAt ??= nowMs;
    const inBurst = this.#bursting(nowMs);
    track.add(timestamp, bytes, inBurst ? null : nowMs);
    if (this.#firstTrack === null) {
      this.#firstTrack = track;
      this.#startOffset = offset;
    }
    track.addOffset(offset, inBurst);
    if (!inBurst) {
      const pause = nowMs - this.lastMediaAt;
      this.longestPauseMs = Math.max(this.longestPauseMs, pause);
      if (pause > GAP_MS) this.gaps++;
    }
    this.lastMediaAt = nowMs;
    this.#lastTrack = track;
  }
}
