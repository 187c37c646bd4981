/**
 * Writes lines to a target. All lines of one turn of the event loop go out in one write. The target may
 * take any time.
 * @module
 */

import { QUEUE_MAX_CHARS } from "./limits.ts";
import type { LineTarget } from "./line_target.ts";

const encoder = new TextEncoder();

/** A new target, and the lines that still belong to the previous one. */
interface Change {
  readonly lines: string[];
  readonly next: Promise<LineTarget>;
}

/** Queues lines for one target. A failed write loses lines and never throws. */
export class LineWriter {
  #target: LineTarget;
  readonly #lostLine: (count: number) => string;
  #queue: string[] = [];
  #queuedChars = 0;
  #full = false;
  #lost = 0;
  #scheduled = false;
  #busy = false;
  readonly #changes: Change[] = [];
  #idle: (() => void)[] = [];

  /** @param lostLine Formats the line that reports how many lines were lost. */
  constructor(target: LineTarget, lostLine: (count: number) => string) {
    this.#target = target;
    this.#lostLine = lostLine;
  }

  /** Queues one line; the line feed is added. */
  write(line: string): void {
    // Lost lines form one gap with one count: a later, shorter line that would fit is dropped too.
    if (this.#full || this.#queuedChars + line.length > QUEUE_MAX_CHARS) {
      this.#full = true;
      this.#lost++;
      return;
    }
    this.#queue.push(line);
    this.#queuedChars += line.length;
    this.#schedule();
  }

  /**
   * Switches to another target as soon as it is open. Lines queued from now on wait for it. When it
   * cannot be opened, they go to the previous target.
   */
  change(next: Promise<LineTarget>): void {
    // The caller that opens the target reports the failure.
    next.catch(() => {});
    this.#changes.push({ lines: this.#takeLines(), next });
    this.#schedule();
  }

  /** Resolves when everything queued so far has been handed to the system. */
  drain(): Promise<void> {
    if (!this.#busy && !this.#scheduled) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /**
   * Starts a last write when the process exits, in another thread, unless an earlier write is still in
   * progress. Returns true when a write is in progress: the caller then leaves it some time.
   */
  startLast(): boolean {
    if (this.#busy) return true;
    const lines = this.#changes.splice(0).flatMap((change) => change.lines);
    const bytes = encode([...lines, ...this.#takeLines()]);
    if (bytes.length === 0) return false;
    this.#busy = true;
    this.#target.write(bytes).catch(() => {});
    return true;
  }

  /** Writes what is queued, then closes the target. */
  async close(): Promise<void> {
    await this.drain();
    this.#target.close();
  }

  #schedule(): void {
    if (this.#scheduled || this.#busy) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      // The last write of the process may have started.
      if (!this.#busy) void this.#run();
    }, 0);
  }

  async #run(): Promise<void> {
    this.#busy = true;
    let well = true;
    // After a failure the next line triggers the next attempt: a full disk must not keep the CPU busy.
    while (this.#changes.length > 0 || this.#queue.length > 0 || (well && this.#lost > 0)) {
      const change = this.#changes.shift();
      well = await this.#pass(change ? change.lines : this.#takeLines());
      if (change) await this.#changeTo(change.next);
    }
    this.#busy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Returns true when the target has taken the lines. */
  async #pass(lines: string[]): Promise<boolean> {
    if (lines.length === 0) return true;
    try {
      await this.#target.write(encode(lines));
      return true;
    } catch {
      this.#lost += lines.length;
      return false;
    }
  }

  async #changeTo(next: Promise<LineTarget>): Promise<void> {
    try {
      const target = await next;
      this.#target.close();
      this.#target = target;
    } catch {
      // The previous target stays in use.
    }
  }

  /** Takes everything queued, with the count of lost lines, and leaves the queue empty. */
  #takeLines(): string[] {
    const lines = this.#queue;
    if (this.#lost > 0) lines.push(this.#lostLine(this.#lost));
    this.#queue = [];
    this.#queuedChars = 0;
    this.#full = false;
    this.#lost = 0;
    return lines;
  }
}

function encode(lines: readonly string[]): Uint8Array {
  return encoder.encode(lines.length === 0 ? "" : lines.join("\n") + "\n");
}
