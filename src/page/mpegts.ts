/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * mpegts.js, which stands in the page as a script of its own before this one: the part of it that is
 * used here. (Its own types are those of another kind of module, and do not know SEI messages.)
 * @module
 */

/** What is played and how. */
export interface MediaSource {
  readonly type: "flv";
  readonly isLive: boolean;
  readonly url: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

/** The settings that are used here; times in seconds. */
export interface Settings {
  /** The loader is made by `new`. */
  readonly customLoader: new () => Loader;
  readonly enableStashBuffer: boolean;
  readonly liveBufferLatencyChasing: boolean;
  readonly liveBufferLatencyMaxLatency: number;
  readonly liveBufferLatencyMinRemain: number;
  readonly lazyLoad: boolean;
  readonly autoCleanupSourceBuffer: boolean;
  readonly autoCleanupMaxBackwardDuration: number;
  readonly autoCleanupMinBackwardDuration: number;
}

/** A player in a media element. */
export interface Player {
  on(event: "loading_complete", listener: () => void): void;
  on(event: "sei_arrived", listener: (message: SeiMessage) => void): void;
  on(
    event: "error",
    listener: (
      type: "NetworkError" | "MediaError" | "OtherError",
      detail: string,
      info?: { readonly msg?: string },
    ) => void,
  ): void;
  attachMediaElement(element: HTMLMediaElement): void;
  load(): void;
  play(): Promise<void> | undefined;
  destroy(): void;
}

/** An SEI message, with its time in the player. */
export interface SeiMessage {
  /** ITU-T H.264 D.1: 5 = user data with a UUID. */
  readonly type: number;
  readonly uuid?: Uint8Array;
  readonly user_data?: Uint8Array;
  /** ms of the media element's time. */
  readonly pts?: number;
}

/** What fetches the bytes; the library sets the callbacks. */
export declare class Loader {
  constructor(name: string);
  _status: LoaderStatus;
  _needStash: boolean;
  onDataArrival(chunk: ArrayBuffer, byteStart: number, receivedLength: number): void;
  onError(type: LoaderError, info: { readonly code: number; readonly msg: string }): void;
  onComplete(rangeFrom: number, rangeTo: number): void;
  open(source: { readonly url: string }): void;
  abort(): void;
  destroy(): void;
}

/** States of a loader. */
export const LoaderStatus = { CONNECTING: 1, BUFFERING: 2, ERROR: 3, COMPLETE: 4 } as const;
/** One of them; 0: has not begun. */
export type LoaderStatus = 0 | typeof LoaderStatus[keyof typeof LoaderStatus];

/** Why a loader gives up. */
export type LoaderError = "HttpStatusCodeInvalid" | "UnrecoverableEarlyEof";

/** The library. */
export interface MpegTs {
  isSupported(): boolean;
  createPlayer(source: MediaSource, settings: Settings): Player;
  readonly BaseLoader: typeof Loader;
  readonly LoggingControl: { applyConfig(config: { enableAll: boolean }): void };
}

declare global {
  /** Set by its script. */
  var mpegts: MpegTs;
}

/** The library. */
export const mpegts = globalThis.mpegts;
// What goes wrong is told by events too.
mpegts.LoggingControl.applyConfig({ enableAll: false });
