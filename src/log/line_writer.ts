/**
 * Writes lines to a file descriptor: all lines of one turn of the event loop in one write.
 * @module
 */

import { Buffer } from "node:buffer";
import { closeSync, write, writeSync } from "node:fs";

/**
 * Characters that may wait for a slow reader, such as a paused terminal. The log must not grow without
 * limit, nor hold up the media: more lines are counted and lost.
 */
const QUEUE_MAX_CHARS = 1024 * 1024;

/** ms until a write is tried again when the descriptor is non-blocking and its reader is slow. */
const RETRY_MS = 20;

/** Lines on their way to one file descriptor. A failing write loses lines, it never throws. */
export class LineWriter {
  readonly #fd: number;
  readonly #lostLine: (count: number) => string;
  #queue: string[] = [];
  #queuedChars = 0;
  #lost = 0;
  #scheduled = false;
  #writing = false;
  #idle: (() => void)[] = [];

  /**
   * @param fd an open descriptor
   * @param lostLine the line that tells how many lines were lost
   */
  constructor(fd: number, lostLine: (count: number) => string) {
    this.#fd = fd;
    this.#lostLine = lostLine;
  }

  /** Queues one line; the line feed is added. */
  write(line: string): void {
    if (this.#queuedChars + line.length > QUEUE_MAX_CHARS) {
      this.#lost++;
      return;
    }
    this.#queue.push(line);
    this.#queuedChars += line.length;
    this.#schedule();
  }

  /** Resolves when everything queued so far has been handed to the system. */
  drain(): Promise<void> {
    if (!this.#writing && !this.#scheduled) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Writes what is queued before it returns: for the moment the process ends. */
  flushSync(): void {
    const bytes = this.#take();
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    } catch {
      // Nobody is left to be told.
    }
  }

  /** Forgets what is queued. */
  discard(): void {
    this.#take();
  }

  /** Writes what is queued, then closes the descriptor. */
  async close(): Promise<void> {
    await this.drain();
    closeSync(this.#fd);
  }

  #schedule(): void {
    if (this.#scheduled || this.#writing) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      this.#next();
    }, 0);
  }

  #next(): void {
    const bytes = this.#take();
    if (bytes.length === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#writing = true;
    this.#writeFrom(bytes, 0);
  }

  #writeFrom(bytes: Buffer, at: number): void {
    write(this.#fd, bytes, at, bytes.length - at, null, (error, written) => {
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.#writeFrom(bytes, at), RETRY_MS);
      } else if (error === null && at + written < bytes.length) {
        this.#writeFrom(bytes, at + written);
      } else {
        this.#writing = false;
        this.#next();
      }
    });
  }

  /** Everything queued as bytes, and the count of lost lines; leaves the queue empty. */
  #take(): Buffer {
    if (this.#lost > 0) this.#queue.push(this.#lostLine(this.#lost));
    const text = this.#queue.length === 0 ? "" : this.#queue.join("\n") + "\n";
    this.#queue = [];
    this.#queuedChars = 0;
    this.#lost = 0;
    return Buffer.from(text);
  }
}
