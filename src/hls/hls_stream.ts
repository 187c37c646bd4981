/**
 * HLS of one live stream: reads its entries, cuts them, and keeps what players may ask for.
 * @module
 */

import type { BroadcastLog } from "../live/log/broadcast_log.ts";
import { Entry } from "../live/log/broadcast_log.ts";
import type { Follower } from "../live/follow/follower.ts";
import type { LiveStream } from "../live/stream/live_stream.ts";
import { MessageCopy } from "../remux/message_copy.ts";
import { type Cut, Segmenter } from "./segmenter.ts";
import { type Keep, Window } from "./window.ts";

/** How a stream is cut, and how much of it is kept. */
export interface HlsSettings extends Cut, Keep {}

/** What a stream needs of the server around it. */
export interface HlsStreamHost {
  /** ms since 1970. */
  date(): number;
  /** See `HlsStream.run`. */
  readonly run: string;
  /** More is kept than before: something may have to go. */
  grown(): void;
  /** A fault of ours: there is no HLS of this publication any more. */
  fault(error: unknown): void;
}

/** See above. It outlives publications: players wait for the next one. */
export class HlsStream implements Follower {
  readonly live: LiveStream;
  readonly window: Window;
  /**
   * Part of the names of its files: 8 letters and digits that nobody can guess. Files of an earlier run are
   * still in caches, and who knows a name has been told it.
   */
  readonly run: string;
  readonly #segmenter: Segmenter;
  readonly #host: HlsStreamHost;
  readonly #copy = new MessageCopy();
  readonly #chunkSize: number;
  /** The next entry to be read; Infinity: there is no publisher. */
  #cursor = Infinity;
  #sessions = 0;
  /** Who waits for what comes next. */
  #waiting = new Set<() => void>();

  /** `firstNumber`: see `Window`. */
  constructor(
    live: LiveStream,
    settings: HlsSettings,
    host: HlsStreamHost,
    firstNumber: number,
  ) {
    this.live = live;
    this.run = host.run;
    this.#host = host;
    this.#chunkSize = live.vhost.chunkSize;
    const window = this.window = new Window(settings, firstNumber);
    this.#segmenter = new Segmenter(settings, {
      onInit: (init) => window.addInit(init),
      onPart: (part) => {
        window.addPart(part, host.date());
        host.grown();
        this.#wake();
      },
      onSegment: () => {
        window.endSegment();
        this.#segmenter.longest = window.longest;
        this.#wake();
      },
      onDiscontinuity: () => window.discontinue(),
    });
  }

  /** Longest part, seconds. */
  get partTarget(): number {
    return this.#segmenter.partTarget;
  }

  /** Sessions that play it. */
  get sessions(): number {
    return this.#sessions;
  }

  /** A session has come, or gone. */
  count(change: 1 | -1): void {
    this.#sessions += change;
    this.live.noteAudience();
  }

  /** Calls `task` once when something is new; calling the result before that cancels it. */
  next(task: () => void): () => void {
    this.#waiting.add(task);
    return () => void this.#waiting.delete(task);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (waiting.size === 0) return;
    this.#waiting = new Set();
    for (const task of waiting) task();
  }

  // ---- Follower

  get audience(): number {
    return this.#sessions;
  }

  get reads(): boolean {
    return true;
  }

  get needsStream(): boolean {
    return this.#sessions > 0;
  }

  get cursor(): number {
    return this.#cursor;
  }

  begin(): void {
    const { log, headers, gop } = this.live;
    this.#cursor = gop.start >= 0 ? gop.start : log.head;
    this.window.isLive = true;
    this.#guard(() => {
      // The headers that it has missed; those of a publisher that begins are still to come.
      headers.each(this.live.time, 0, (type, time, payload, flags) => {
        if ((flags & Entry.MULTITRACK) === 0) this.#segmenter.message(type, time, payload);
      });
      this.#readAll();
    });
  }

  pull(): void {
    if (this.#cursor < this.live.log.head) this.#guard(() => this.#readAll());
  }

  resumeAt(): void {}

  checkLag(): void {}

  dropBacklog(): void {
    if (this.#cursor < Infinity) this.#cursor = this.live.log.head;
  }

  trimming(): void {}

  end(): void {
    this.pull();
    this.#guard(() => this.#segmenter.end());
    this.window.discontinue();
    this.window.isLive = false;
    this.#cursor = Infinity;
    this.#wake();
  }

  /** No publisher is closed for what goes wrong here. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#cursor = Infinity;
      this.#host.fault(error);
    }
  }

  #readAll(): void {
    const { log } = this.live;
    while (this.#cursor < log.head) this.#read(log, this.#cursor++);
  }

  #read(log: BroadcastLog, entry: number): void {
    const flags = log.flagsAt(entry);
    if ((flags & Entry.MULTITRACK) !== 0 || (flags & (Entry.AUDIO | Entry.VIDEO)) === 0) return;
    this.#copy.read(log, entry, this.#chunkSize);
    this.#segmenter.message(this.#copy.type, log.timestampAt(entry), this.#copy.payload);
  }
}
