/**
 * A log that keeps its lines.
 * @module
 */

import type { Log } from "../../../src/log/log.ts";

/** Lines as `level text`, a code appended as ` [code]`. */
export class MemoryLog implements Log {
  readonly lines: string[] = [];
  /** What an internal fault was logged with. */
  readonly faults: unknown[] = [];

  constructor(readonly id: string) {}

  debug(text: string): void {
    this.lines.push(`debug ${text}`);
  }
  info(text: string): void {
    this.lines.push(`info ${text}`);
  }
  warn(text: string, code?: number): void {
    this.lines.push(`warn ${text}${code === undefined ? "" : ` [${code}]`}`);
  }
  error(text: string, _code?: number, error?: unknown): void {
    this.lines.push(`error ${text}`);
    this.faults.push(error);
  }

  /** Lines that contain `text`. */
  matching(text: string): string[] {
    return this.lines.filter((line) => line.includes(text));
  }
}
