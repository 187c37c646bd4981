/**
 * The format of a log line, which is SRS's:
 * `[2026-11-22 14:07:37.399][INFO][pid][connection id] text`; with a code
 * `[2026-11-22 14:07:37.399][WARN][pid][connection id][1007] text`.
 * @module
 */

import { LINE_MAX_BYTES } from "./limits.ts";
import { sanitize } from "./text.ts";

/** The levels of a line. */
export type LineLevel = "trace" | "debug" | "info" | "warn" | "error";

/** The parts of a line. */
export interface LogLine {
  /** Unix ms. */
  readonly time: number;
  readonly level: LineLevel;
  readonly pid: number;
  /** Connection id. */
  readonly id: string;
  /** SRS's error number. When undefined, the line has no such field. */
  readonly code?: number | undefined;
  readonly text: string;
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(LINE_MAX_BYTES);

/**
 * Formats one line, without line feed and colour, in at most `LINE_MAX_BYTES` bytes of UTF-8.
 * @param utc times in UTC instead of local time
 */
export function formatLine(line: LogLine, utc: boolean): string {
  const code = line.code === undefined ? "" : `[${line.code}]`;
  const head = `[${formatTime(line.time, utc)}][${line.level.toUpperCase()}][${line.pid}]`;
  return cutBytes(`${head}[${line.id}]${code} ${sanitize(line.text)}`);
}

/** SRS's colours for a terminal: yellow for WARN, red for ERROR. */
export function colourLine(line: string, level: LineLevel): string {
  if (level === "warn") return `\x1b[33m${line}\x1b[0m`;
  if (level === "error") return `\x1b[31m${line}\x1b[0m`;
  return line;
}

/** `YYYY-MM-DD HH:MM:SS.mmm`. */
function formatTime(ms: number, utc: boolean): string {
  const date = new Date(ms);
  // The time is shifted by the zone's offset, so that the UTC formatter prints local time.
  if (!utc) date.setTime(ms - date.getTimezoneOffset() * 60_000);
  return date.toISOString().replace("T", " ").slice(0, -1);
}

/** The longest prefix of whole characters within the limit. */
function cutBytes(text: string): string {
  // A UTF-16 unit takes at most 3 bytes of UTF-8.
  if (text.length * 3 <= LINE_MAX_BYTES) return text;
  return text.slice(0, encoder.encodeInto(text, scratch).read);
}
