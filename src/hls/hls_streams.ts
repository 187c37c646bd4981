/**
 * HLS of all streams of the vhosts that have it on, and the memory that it takes together.
 * @module
 */

import type { HubListener, LiveStream } from "../live/stream/live_stream.ts";
import { HlsStream } from "./hls_stream.ts";
import { EPOCH_MS, MEMORY_BYTES } from "./limits.ts";

/** What it needs of the server around it. */
export interface HlsHostParts {
  /** ms since 1970. */
  date(): number;
  /** See `HlsStream.run`. */
  newRun(): string;
  /** A fault of ours in what is made of a stream. */
  fault(stream: LiveStream, error: unknown): void;
}

/** Follows streams from the moment when they are known. */
export class HlsStreams implements HubListener {
  readonly #streams = new Map<LiveStream, HlsStream>();
  readonly #host: HlsHostParts;
  readonly #memoryBytes: number;

  /** `memoryBytes`: of all segments together. */
  constructor(host: HlsHostParts, memoryBytes = MEMORY_BYTES) {
    this.#host = host;
    this.#memoryBytes = memoryBytes;
  }

  /** HLS of a stream; null: its vhost has none. */
  of(stream: LiveStream): HlsStream | null {
    return this.#streams.get(stream) ?? null;
  }

  /** Bytes of all segments. */
  get bytes(): number {
    let sum = 0;
    for (const { window } of this.#streams.values()) sum += window.bytes;
    return sum;
  }

  obtained(stream: LiveStream): void {
    const { hls } = stream.vhost;
    if (!hls.enabled) return;
    // Not below what an earlier run has used: a second has one segment at most.
    const firstNumber = Math.floor((this.#host.date() - EPOCH_MS) / 1000);
    const host = {
      date: () => this.#host.date(),
      run: this.#host.newRun(),
      grown: () => this.#shrink(),
      fault: (error: unknown) => this.#host.fault(stream, error),
    };
    const made = new HlsStream(stream, hls, host, firstNumber);
    this.#streams.set(stream, made);
    stream.follow(made);
  }

  forgotten(stream: LiveStream): void {
    const made = this.#streams.get(stream);
    if (!made) return;
    this.#streams.delete(stream);
    stream.unfollow(made);
  }

  /** The stream that has most gives its oldest segments, as long as there is too much. */
  #shrink(): void {
    let { bytes } = this;
    if (bytes <= this.#memoryBytes) return;
    const largest = [...this.#streams.values()].map(({ window }) => window)
      .sort((a, b) => b.bytes - a.bytes);
    for (const window of largest) {
      while (bytes > this.#memoryBytes) {
        const before = window.bytes;
        if (!window.dropOldest()) break;
        bytes -= before - window.bytes;
      }
    }
  }
}
