/**
 * The logging interface of all parts of the server. `sink.ts` decides where lines go. A thread without
 * a sink sends its lines to the thread that started it.
 * @module
 */

import { CAUSES_MAX } from "./limits.ts";
import process from "node:process";
import type { LogConfig, LogLevel } from "../config/types.ts";
import { newConnectionId } from "./ids.ts";
import { formatLine, type LineLevel, type LogLine } from "./line.ts";
import { redactQuery } from "./text.ts";

/** A log whose lines carry one connection's id. Callers pass a peer's text through `peerText` first. */
export interface Log {
  readonly id: string;
  debug(text: string): void;
  info(text: string): void;
  /** @param code SRS's error number */
  warn(text: string, code?: number): void;
  /**
   * @param code SRS's error number
   * @param error An internal fault. Its message is added to the text. Its stack and the stacks of its
   * causes follow, one line per frame with the same head.
   */
  error(text: string, code?: number, error?: unknown): void;
  /** The connection ends: its last lines are not left out, however many it has had. */
  closing?(): void;
  /** A line that has a rate of its own and is no part of a budget; without it, `info` does. */
  figures?(text: string): void;
}

/** Receives formatted lines. */
export type LineSink = (line: string, level: LineLevel) => void;

/** Receives log records. */
export interface LogTarget {
  /** Whether this level is logged at present. */
  takes(level: LineLevel): boolean;
  write(line: LogLine): void;
}

/** The rank of each level. */
const WEIGHT: Record<LogLevel, number> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, off: 5 };

/** Id of this thread's own lines. */
export const LOG_TASK_ID = newConnectionId();

let target: LogTarget = lineTarget("info", false, (line) => console.log(line));

/** Sets the receiver of all later records. */
export function setLogTarget(next: LogTarget): void {
  target = next;
}

/** Opens the log of a thread without a target: `forward` receives its formatted lines. */
export function forwardLog({ level, utc }: LogConfig, forward: LineSink): void {
  target = lineTarget(level, utc, forward);
}

function lineTarget(least: LogLevel, utc: boolean, sink: LineSink): LogTarget {
  return {
    takes: (level) => WEIGHT[level] >= WEIGHT[least],
    write: (line) => sink(formatLine(line, utc), line.level),
  };
}

/** Makes the log of one connection or internal task. It costs one small object. */
export function connectionLog(id: string): Log {
  return new IdLog(id);
}

class IdLog implements Log {
  constructor(readonly id: string) {}

  debug(text: string): void {
    emit("debug", this.id, text);
  }
  info(text: string): void {
    emit("info", this.id, text);
  }
  warn(text: string, code?: number): void {
    emit("warn", this.id, text, code);
  }
  error(text: string, code?: number, error?: unknown): void {
    if (error === undefined) return emit("error", this.id, text, code);
    const [first, ...rest] = describeError(error);
    emit("error", this.id, `${text}: ${first}`, code);
    for (const line of rest) emit("error", this.id, line, code);
  }
}

/** The log of the server itself, with an id of its own. */
export const serverLog: Log = connectionLog(LOG_TASK_ID);

function emit(level: LineLevel, id: string, text: string, code?: number): void {
  if (target.takes(level)) {
    target.write({ time: Date.now(), level, pid: process.pid, id, code, text });
  }
}

/** One line for the error's message and one for each frame of its stack; the same for its causes. */
function describeError(error: unknown): string[] {
  const lines: string[] = [];
  let cause = error;
  for (let depth = 0; depth <= CAUSES_MAX && cause !== undefined; depth++) {
    const prefix = depth === 0 ? "" : "caused by ";
    if (!(cause instanceof Error)) {
      lines.push(prefix + redactQuery(String(cause)));
      break;
    }
    lines.push(`${prefix}${cause.name}: ${redactQuery(cause.message)}`);
    const frames = cause.stack?.split("\n").filter((line) => /^\s+at /.test(line)) ?? [];
    lines.push(...frames);
    cause = cause.cause;
  }
  return lines;
}
