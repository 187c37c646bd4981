/**
 * What the statistics tell of one publisher's tracks: the figures in keyframes of the main video track,
 * and how many tracks there are.
 * @module
 */

import { ExPacketType, FrameFlag } from "../../codec/ex_header.ts";
import { frameFigures } from "../../codec/frame_figures.ts";
import { addTrackIds } from "../../codec/multitrack.ts";
import { NO_VIDEO_FIGURES, type VideoFigures } from "../../codec/video_config.ts";
import { VideoCodec, videoCodec } from "../../codec/video_header.ts";

/** The track of messages that are not multitrack ones. */
const MAIN_TRACK = 0;

/** Follows one publisher. */
export class TrackFigures {
  readonly #video = new Set<number>();
  readonly #audio = new Set<number>();
  #frame = NO_VIDEO_FIGURES;
  #codec: number = VideoCodec.NONE;

  /** Video tracks of which something has come and that have not ended. */
  get videoTracks(): number {
    return this.#video.size;
  }

  /** The same of audio. */
  get audioTracks(): number {
    return this.#audio.size;
  }

  /** What the newest keyframe that tells anything told. */
  get frame(): VideoFigures {
    return this.#frame;
  }

  /** A message has come; `flags` are its `FrameFlag` bits, `track` its first track. */
  note(isVideo: boolean, flags: number, track: number, payload: Uint8Array): void {
    const tracks = isVideo ? this.#video : this.#audio;
    if (flags & FrameFlag.END_OF_SEQUENCE) {
      tracks.delete(track);
    } else if (flags & FrameFlag.MULTITRACK) {
      const { VIDEO_MULTITRACK, AUDIO_MULTITRACK } = ExPacketType;
      addTrackIds(payload, isVideo ? VIDEO_MULTITRACK : AUDIO_MULTITRACK, tracks);
    } else if (!(flags & FrameFlag.COMMAND)) {
      tracks.add(MAIN_TRACK);
    }
  }

  /**
   * A keyframe of the main track, as a message of its own. One without figures leaves those of the one
   * before. `header`: its sequence header, or what `frameFigures` takes in its place.
   */
  keyframe(payload: Uint8Array, header: Uint8Array | null): void {
    const codec = videoCodec(payload);
    const found = frameFigures(payload, header);
    if (found.width !== null || codec !== this.#codec) this.#frame = found;
    this.#codec = codec;
  }

  /** The main track has another sequence header: what keyframes before it told is over. */
  configured(): void {
    this.#frame = NO_VIDEO_FIGURES;
  }
}
