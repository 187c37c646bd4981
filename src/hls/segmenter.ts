/**
 * Cuts a stream into parts and segments of fragmented MP4.
 *
 * A segment begins with a keyframe when the one before it has `hls_fragment`; without keyframes it is ended
 * all the same when it would grow longer than the playlist allows. A part is as many frames as fit into the
 * part target, which is chosen from the first frames and stays. Audio goes with the pictures before it.
 * @module
 */

import { fragment, type Sample } from "../mp4/fragment.ts";
import { initSegment } from "../mp4/init_segment.ts";
import { MessageType } from "../rtmp/message.ts";
import { AudioTimes } from "./audio_times.ts";
import {
  GRID_FRAMES,
  GRID_MS,
  JUMP_BACK_MS,
  JUMP_FORWARD_MS,
  LONGEST_FRAGMENTS,
  MAX_SEGMENT_BYTES,
  PART_MARGIN,
  START_MS,
} from "./limits.ts";
import { AUDIO_TRACK, type Frame, Tracks, VIDEO_TIMESCALE, VIDEO_TRACK } from "./tracks.ts";

/** Some frames of a segment, ready to be sent. Times are seconds. */
export interface Part {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly duration: number;
  /** When its first frame is decoded, from the beginning of the timeline. */
  readonly time: number;
  /** It begins with a keyframe, or is of audio alone. */
  readonly isIndependent: boolean;
}

/** What decoders need before the parts that follow, and what is in these. */
export interface Init {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Names of the codecs, as playlists have them. */
  readonly codecs: readonly string[];
  /** Pixels; 0 without video. */
  readonly width: number;
  readonly height: number;
}

/** What a segmenter tells. */
export interface SegmenterEvents {
  /** The parts that follow need this. */
  onInit(init: Init): void;
  onPart(part: Part): void;
  /** The parts since the last one are a segment. */
  onSegment(): void;
  /** What follows does not continue what came before. */
  onDiscontinuity(): void;
}

/** How it is to cut, seconds. */
export interface Cut {
  /** Shortest segment. */
  readonly fragment: number;
  /** Shortest part. */
  readonly part: number;
}

/** A frame that is still to come into a part. */
interface Waiting {
  readonly ms: number;
  /** Ticks of its track. */
  readonly time: number;
  readonly frame: Frame;
}

/** A message before the length of parts is known. */
interface Early {
  readonly isVideo: boolean;
  readonly ms: number;
  readonly frame: Frame;
}

/** Segments of one stream. */
export class Segmenter {
  /** Longest part as playlists announce it, seconds; 0: not known yet. */
  partTarget = 0;
  /** Longest segment that may come, seconds. */
  longest: number;
  readonly #cut: Cut;
  readonly #events: SegmenterEvents;
  #tracks = new Tracks();
  #generation = 0;
  #initDue = true;
  #early: Early[] | null = [];
  #video: Waiting[] = [];
  #audio: Waiting[] = [];
  #audioTimes: AudioTimes | null = null;
  /** Duration of the newest picture, or audio frame, ms. */
  #frameMs = 0;
  /** When the segment, and its next part, began, ms. */
  #segmentMs = NaN;
  #partMs = NaN;
  #segmentBytes = 0;
  #lastMs = { video: NaN, audio: NaN };
  #sequence = 0;
  #hasParts = false;

  constructor(cut: Cut, events: SegmenterEvents) {
    this.#cut = cut;
    this.#events = events;
    this.longest = cut.fragment * LONGEST_FRAGMENTS;
  }

  /** Takes a message; `ms`: the stream's time. Its payload is only lent. */
  message(type: number, ms: number, payload: Uint8Array): void {
    const isVideo = type === MessageType.VIDEO;
    if (!isVideo && type !== MessageType.AUDIO) return;
    const frame = isVideo ? this.#tracks.takeVideo(payload) : this.#tracks.takeAudio(payload);
    if (this.#tracks.generation !== this.#generation) this.#changed();
    if (!frame) return;
    if (this.#early) this.#collect(this.#early, { isVideo, ms, frame });
    else this.#add(isVideo, ms, frame);
  }

  /** The publication has ended: what is left goes out. */
  end(): void {
    this.#settle();
    this.#finish();
    this.#tracks = new Tracks();
    this.#generation = 0;
    this.#initDue = true;
    this.#restart();
  }

  /** Other tracks, or the same in another way. */
  #changed(): void {
    this.#generation = this.#tracks.generation;
    // Frames whose init segment has not gone out can have none any more.
    if (this.#initDue) this.#video = this.#audio = [];
    this.#finish();
    this.#initDue = true;
    this.#restart();
  }

  /** What comes next is placed without regard to what came before. */
  #restart(): void {
    this.#audioTimes = null;
    this.#segmentMs = this.#partMs = NaN;
    this.#lastMs = { video: NaN, audio: NaN };
  }

  #collect(early: Early[], message: Early): void {
    early.push(message);
    const lead = early.filter(({ isVideo }) => isVideo === (this.#tracks.video !== null));
    const spanMs = message.ms - early[0].ms;
    if (spanMs >= 0 && spanMs < GRID_MS && lead.length <= GRID_FRAMES) return;
    this.#settle();
  }

  /** Chooses the length of parts from the frames that have come, and takes these. */
  #settle(): void {
    const early = this.#early;
    if (!early) return;
    this.#early = null;
    const hasVideo = this.#tracks.video !== null;
    const times = early.filter(({ isVideo }) => isVideo === hasVideo).map(({ ms }) => ms);
    const steps = times.slice(1).map((ms, i) => ms - times[i]).filter((step) => step > 0)
      .sort((a, b) => a - b);
    this.#frameMs = steps[steps.length >> 1] ?? 1000 * this.#cut.part;
    const frames = Math.max(1, Math.round(1000 * this.#cut.part / this.#frameMs));
    this.partTarget = Math.round(frames * this.#frameMs * PART_MARGIN) / 1000;
    for (const { isVideo, ms, frame } of early) this.#add(isVideo, ms, frame);
  }

  #add(isVideo: boolean, ms: number, frame: Frame): void {
    const last = isVideo ? this.#lastMs.video : this.#lastMs.audio;
    if (ms < last - JUMP_BACK_MS || ms > last + JUMP_FORWARD_MS) {
      this.#finish();
      this.#events.onDiscontinuity();
      this.#restart();
    }
    if (isVideo) this.#addVideo(ms, frame);
    else this.#addAudio(ms, frame);
    if (isVideo) this.#lastMs.video = ms;
    else this.#lastMs.audio = ms;
  }

  #addVideo(ms: number, frame: Frame): void {
    // A segment begins with a keyframe; what comes before the first one cannot be shown.
    if (Number.isNaN(this.#segmentMs)) {
      if (!frame.isSync) return;
      this.#segmentMs = this.#partMs = ms;
    }
    const previous = this.#video[this.#video.length - 1];
    const ticks = (ms + START_MS) * (VIDEO_TIMESCALE / 1000);
    const time = previous ? Math.max(ticks, previous.time + 1) : ticks;
    this.#lead(ms, previous, frame.isSync);
    this.#video.push({ ms, time, frame });
  }

  #addAudio(ms: number, frame: Frame): void {
    const audio = this.#tracks.audio;
    if (!audio) return;
    const isLead = this.#tracks.video === null;
    // Pictures come first: nothing is played before them.
    if (Number.isNaN(this.#segmentMs)) {
      if (!isLead) return;
      this.#segmentMs = this.#partMs = ms;
    }
    this.#audioTimes ??= new AudioTimes(audio.clock.rate);
    const time = this.#audioTimes.place(ms, frame.samples);
    if (time === null) return;
    if (isLead) this.#lead(ms, this.#audio[this.#audio.length - 1], true);
    this.#audio.push({ ms, time, frame });
  }

  /** A frame of the leading track comes: ends the part, and the segment, that it is not to be in. */
  #lead(ms: number, previous: Waiting | undefined, isSync: boolean): void {
    if (!previous) return;
    if (ms > previous.ms) this.#frameMs = ms - previous.ms;
    const segment = (ms - this.#segmentMs) / 1000;
    const isFull = segment + this.#frameMs / 1000 > this.longest ||
      this.#segmentBytes > MAX_SEGMENT_BYTES;
    if (isFull || (isSync && segment >= this.#cut.fragment - this.#frameMs / 2000)) {
      this.#emit(ms);
      this.#endSegment(ms);
      return;
    }
    const target = 1000 * this.partTarget;
    // It has come later than was expected: the frame before it is not to be in the part either.
    if (ms - this.#partMs > target && previous.ms > this.#partMs) this.#emit(previous.ms);
    if (ms - this.#partMs + this.#frameMs > target) this.#emit(ms);
  }

  /** Makes a part of what comes before `ms`; of audio, before `audioMs`. */
  #emit(ms: number, audioMs = ms): void {
    const hasVideo = this.#tracks.video !== null;
    const video = take(this.#video, ms);
    const audio = take(this.#audio, audioMs);
    if ((hasVideo ? video : audio).length === 0) {
      this.#audio.unshift(...audio);
      return;
    }
    this.#sendInit();
    const end = (ms + START_MS) * (VIDEO_TIMESCALE / 1000);
    const next = this.#audio[0]?.time ?? NaN;
    const bytes = fragment(++this.#sequence, [
      run(VIDEO_TRACK, video, end),
      run(AUDIO_TRACK, audio, next),
    ]);
    this.#segmentBytes += bytes.length;
    this.#hasParts = true;
    this.#events.onPart({
      bytes,
      duration: (ms - this.#partMs) / 1000,
      time: (this.#partMs + START_MS) / 1000,
      isIndependent: !hasVideo || video[0].frame.isSync,
    });
    this.#partMs = ms;
  }

  #sendInit(): void {
    if (!this.#initDue) return;
    this.#initDue = false;
    const { video, audio } = this.#tracks;
    this.#events.onInit({
      bytes: initSegment(this.#tracks.all),
      codecs: [video, audio].flatMap((known) => known ? [known.name] : []),
      width: video?.track.width ?? 0,
      height: video?.track.height ?? 0,
    });
  }

  #endSegment(ms: number): void {
    if (this.#hasParts) this.#events.onSegment();
    this.#hasParts = false;
    this.#segmentBytes = 0;
    this.#segmentMs = this.#partMs = ms;
  }

  /** All that waits goes out, and ends its segment. */
  #finish(): void {
    const last = (this.#tracks.video ? this.#video : this.#audio).at(-1);
    if (last) this.#emit(last.ms + Math.max(1, Math.round(this.#frameMs)), Infinity);
    this.#video = [];
    this.#audio = [];
    this.#endSegment(NaN);
  }
}

/** Takes the frames before `ms` away. */
function take(frames: Waiting[], ms: number): Waiting[] {
  let count = 0;
  while (count < frames.length && frames[count].ms < ms) count++;
  return frames.splice(0, count);
}

/** The samples of one track; the last one lasts until `end`, ticks; NaN: as long as it says itself. */
function run(trackId: number, frames: readonly Waiting[], end: number) {
  const samples = frames.map(({ time, frame }, i): Sample => {
    const next = frames[i + 1]?.time ?? end;
    return {
      data: frame.data,
      duration: Math.max(1, Number.isNaN(next) ? frame.samples : next - time),
      composition: frame.composition * (VIDEO_TIMESCALE / 1000),
      isSync: frame.isSync,
    };
  });
  return { trackId, baseTime: frames[0]?.time ?? 0, samples };
}
