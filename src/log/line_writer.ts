/**
 * Writes lines to a target: all lines of one turn of the event loop in one write. The target may take as
 * long as it likes.
 * @module
 */

import type { LineTarget } from "./line_target.ts";

/**
 * Characters that may wait for a slow reader, such as a paused terminal: some 10 000 lines; as many again
 * may be in the write under way. The log must not grow without limit, the memory of a small box is for
 * the media: more lines are counted and lost.
 */
export const QUEUE_MAX_CHARS = 1024 * 1024;

const encoder = new TextEncoder();

/** Another target, and the lines that still go to the one before. */
interface Change {
  readonly lines: string[];
  readonly next: Promise<LineTarget>;
}

/** Lines on their way to one target. A failing write loses lines, it never throws. */
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

  /** @param lostLine the line that tells how many lines were lost */
  constructor(target: LineTarget, lostLine: (count: number) => string) {
    this.#target = target;
    this.#lostLine = lostLine;
  }

  /** Queues one line; the line feed is added. */
  write(line: string): void {
    // What is lost is one gap, counted where it is: a short line that would fit again is lost too.
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
   * Writes to another target as soon as it is open; lines that are queued from here on wait for it. When
   * it cannot be opened they go where they went before.
   */
  change(next: Promise<LineTarget>): void {
    // What was wrong with it is the business of the one who opens it.
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
   * For the moment the process ends: has another thread begin to write what is queued, unless the target
   * has not taken yet what it was given. Whether one is at work: it is to be left some time.
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
      // The last write of the process may have begun.
      if (!this.#busy) void this.#run();
    }, 0);
  }

  async #run(): Promise<void> {
    this.#busy = true;
    let well = true;
    // After a failure the next line is what tries again: a full disk must not keep the processor busy.
    while (this.#changes.length > 0 || this.#queue.length > 0 || (well && this.#lost > 0)) {
      const change = this.#changes.shift();
      well = await this.#pass(change ? change.lines : this.#takeLines());
      if (change) await this.#changeTo(change.next);
    }
    this.#busy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Whether the target has taken the lines. */
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
      // The one before goes on.
    }
  }

  /** Everything queued, and how many lines were lost; leaves the queue empty. */
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
