/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The player: FLV over HTTP into a video element by mpegts.js, close behind the live stream, with the
 * figures that tell how well that goes.
 * @module
 */

import { CONTROL_MS } from "./limits.ts";
import { readClockStamp } from "./clock_stamp.ts";
import { DelayMeter } from "./delay_meter.ts";
import { flvLoader } from "./flv_loader.ts";
import { LiveEdge } from "./live_edge.ts";
import { mpegts, type Player, type SeiMessage } from "./mpegts.ts";

/** What the player is doing. `ended`: the server has ended the stream. */
export type PlayerState = "idle" | "connecting" | "playing" | "stalled" | "ended" | "failed";

/** What is known of the present playing. */
export interface PlayerFigures {
  readonly decoded: number;
  readonly dropped: number;
  /** Times that the buffer ran dry. */
  readonly stalls: number;
  /** ms from `play` to the first byte and to the first picture; null: not there yet. */
  readonly firstByteMs: number | null;
  readonly firstFrameMs: number | null;
  /** kbit/s received in the last second. */
  readonly kbps: number;
  /** See `DelayMeter`. */
  readonly bufferMs: number | null;
  readonly networkMs: number | null;
  readonly endToEndMs: number | null;
}

/** What is played. */
export interface Source {
  readonly url: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

/** s of lag from which mpegts.js itself jumps, and to which: for pages that were asleep. */
const CHASE_FROM = 3;
const CHASE_TO = 0.4;

/** One video element. */
export class StreamPlayer {
  state: PlayerState = "idle";
  /** Why it failed. */
  error = "";
  readonly #video: HTMLVideoElement;
  readonly #onState: () => void;
  /** ms to be added to this machine's clock to have the server's. */
  readonly #clockOffset: () => number;
  #player: Player | null = null;
  #meter = new DelayMeter();
  #edge = new LiveEdge();
  #timer: ReturnType<typeof setInterval> | undefined;
  #startedAt = 0;
  #firstByteMs: number | null = null;
  #firstFrameMs: number | null = null;
  #stalls = 0;
  #bytes = 0;
  #rate = { at: 0, bytes: 0, kbps: 0 };

  constructor(video: HTMLVideoElement, clockOffset: () => number, onState: () => void) {
    this.#video = video;
    this.#clockOffset = clockOffset;
    this.#onState = onState;
    video.addEventListener("waiting", () => this.#ranDry());
    video.addEventListener("playing", () => {
      if (this.state === "stalled") this.#enter("playing");
    });
  }

  /** Whether it has something to play or to wait for. */
  get active(): boolean {
    return this.#player !== null;
  }

  /** Starts to play; what was played before is given up. */
  play({ url, hasAudio, hasVideo }: Source): void {
    this.stop();
    if (!mpegts.isSupported()) {
      this.error = "Media Source Extensions";
      return this.#enter("failed");
    }
    this.#meter = new DelayMeter();
    this.#edge = new LiveEdge();
    this.#startedAt = performance.now();
    this.#rate = { at: this.#startedAt, bytes: 0, kbps: 0 };
    this.#bytes = 0;
    this.#firstByteMs = this.#firstFrameMs = null;
    this.#stalls = 0;
    const player = mpegts.createPlayer({ type: "flv", isLive: true, url, hasAudio, hasVideo }, {
      customLoader: flvLoader({
        received: (bytes) => {
          this.#bytes += bytes;
          this.#firstByteMs ??= performance.now() - this.#startedAt;
        },
        media: (...arrival) => this.#meter.arrived(...arrival),
      }),
      enableStashBuffer: false,
      liveBufferLatencyChasing: true,
      liveBufferLatencyMaxLatency: CHASE_FROM,
      liveBufferLatencyMinRemain: CHASE_TO,
      lazyLoad: false,
      autoCleanupSourceBuffer: true,
      autoCleanupMaxBackwardDuration: 20,
      autoCleanupMinBackwardDuration: 10,
    });
    this.#player = player;
    player.on("sei_arrived", (message) => this.#sei(message));
    player.on("loading_complete", () => this.#end("ended", ""));
    player.on("error", (type, detail, info) => {
      this.#end(
        type === "NetworkError" ? "ended" : "failed",
        `${detail} ${info?.msg ?? ""}`.trim(),
      );
    });
    player.attachMediaElement(this.#video);
    player.load();
    this.#enter("connecting");
    Promise.resolve(player.play()).catch((error: unknown) => {
      // The browser wants a click first; the video's own button is there for that.
      if (this.#player === player) console.debug("play", error);
    });
    this.#watchFrames(player, hasVideo);
    this.#timer = setInterval(() => this.#control(), CONTROL_MS);
  }

  /** Somebody else publishes the stream, from now on. */
  newPublisher(): void {
    this.#meter.forgetArrivals();
  }

  /** Stops and forgets. */
  stop(): void {
    clearInterval(this.#timer);
    const player = this.#player;
    this.#player = null;
    player?.destroy();
    this.error = "";
    if (this.state !== "idle") this.#enter("idle");
  }

  /** The figures; null: nothing is played. */
  figures(): PlayerFigures | null {
    if (!this.#player) return null;
    const { totalVideoFrames, droppedVideoFrames } = this.#video.getVideoPlaybackQuality();
    this.#measureRate();
    return {
      decoded: totalVideoFrames,
      dropped: droppedVideoFrames,
      stalls: this.#stalls,
      firstByteMs: this.#firstByteMs,
      firstFrameMs: this.#firstFrameMs,
      kbps: this.#rate.kbps,
      bufferMs: this.#meter.bufferMs,
      networkMs: this.#meter.networkMs,
      endToEndMs: this.#meter.endToEndMs,
    };
  }

  // ---- inside

  #enter(state: PlayerState): void {
    this.state = state;
    this.#video.controls = this.active;
    this.#onState();
  }

  #end(state: "ended" | "failed", error: string): void {
    if (!this.#player) return;
    // Not from within the library's own call.
    const player = this.#player;
    setTimeout(() => {
      if (this.#player !== player) return;
      this.stop();
      this.error = error;
      this.#enter(state);
    });
  }

  #sei({ type, uuid, user_data, pts }: SeiMessage): void {
    if (type !== 5 || !uuid || !user_data || pts === undefined) return;
    const clockMs = readClockStamp(uuid, user_data);
    if (clockMs !== null) this.#meter.stamped(pts, clockMs);
  }

  /**
   * Looks at every picture when it is shown, or four times a second at where the player is: where there is
   * no picture, and in browsers that do not tell.
   */
  #watchFrames(player: Player, hasVideo: boolean): void {
    const video = this.#video;
    const shown = (mediaMs: number, inMs: number) => {
      if (this.#firstFrameMs === null) {
        this.#firstFrameMs = performance.now() - this.#startedAt;
        this.#enter("playing");
      }
      const now = Date.now() + this.#clockOffset() + inMs;
      this.#meter.shown(mediaMs, now, this.#bufferedEnd() * 1000 - mediaMs);
    };
    if (!hasVideo || !("requestVideoFrameCallback" in video)) {
      const element: HTMLVideoElement = video;
      const look = () => {
        if (this.#player !== player) return element.removeEventListener("timeupdate", look);
        const plays = !element.paused && !element.seeking;
        if (plays && element.readyState >= element.HAVE_CURRENT_DATA) {
          shown(element.currentTime * 1000, 0);
        }
      };
      return element.addEventListener("timeupdate", look);
    }
    const look = (nowMs: number, frame: VideoFrameCallbackMetadata) => {
      if (this.#player !== player) return;
      shown(frame.mediaTime * 1000, Math.max(0, frame.expectedDisplayTime - nowMs));
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  }

  #ranDry(): void {
    if (this.state !== "playing") return;
    this.#stalls++;
    this.#edge.stalled(performance.now() / 1000);
    this.#enter("stalled");
  }

  /** The newest that is there, s of the player's time. */
  #bufferedEnd(): number {
    const { buffered, currentTime } = this.#video;
    return Math.max(currentTime, buffered.length > 0 ? buffered.end(buffered.length - 1) : 0);
  }

  #control(): void {
    const video = this.#video;
    if (this.#firstFrameMs === null || video.paused || video.seeking) return;
    const buffered = this.#bufferedEnd() - video.currentTime;
    const { rate, jumpTo } = this.#edge.advise(buffered, performance.now() / 1000);
    if (jumpTo !== null) video.currentTime += buffered - jumpTo;
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  #measureRate(): void {
    const now = performance.now();
    const { at, bytes } = this.#rate;
    if (now - at < 900) return;
    this.#rate = { at: now, bytes: this.#bytes, kbps: (this.#bytes - bytes) * 8 / (now - at) };
  }
}
