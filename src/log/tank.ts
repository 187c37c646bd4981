/**
 * Where the log goes: LogTape decides what is written, this module how and where. Lines go to stdout
 * until `openLog` and after `closeLog`. From `openLog` on nothing here waits for a reader or a disk in
 * the event loop's thread.
 * @module
 */

import { writeSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { isatty } from "node:tty";
import {
  configureSync,
  getLogger,
  type LogLevel as TapeLevel,
  type LogRecord,
} from "@logtape/logtape";
import type { LogConfig, LogLevel } from "../config/types.ts";
import { colourLine, formatLine, type LineLevel } from "./line.ts";
import { consoleTarget, fileTarget, type LineTarget } from "./line_target.ts";
import { LineWriter } from "./line_writer.ts";
import { type LineSink, LOG_TASK_ID, serverLog, setLogTarget } from "./log.ts";

/** Where an open log's lines go. */
interface OpenLog {
  readonly writer: LineWriter;
  /** Absolute path; null: the console. */
  readonly file: string | null;
}

const STDOUT = 1;

/** ms that `closeLog` waits for a reader that does not read, so that the server always ends. */
const CLOSE_WAIT_MS = 1000;

/**
 * ms that the end of the process leaves to the threads that write its last lines. When they are through
 * cannot be seen from here; a pipe or a disk that is not stuck takes a few.
 */
const LAST_WAIT_MS = 150;

const TAPE_LEVEL: Record<LogLevel, TapeLevel | null> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
  off: null,
};

const LINE_LEVEL: Record<TapeLevel, LineLevel> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  fatal: "error",
};

const logger = getLogger("srs-edge");

/** The open log; null before `openLog` and after `closeLog`. */
let open: OpenLog | null = null;

/**
 * What writes to stdout since the first `openLog`: one for the life of the process, so that a reader who
 * has stopped has one write to take, and what is lost meanwhile is counted across reloads.
 */
let stdout: LineWriter | null = null;

/** Whether times are written in UTC. */
let utc = false;

/**
 * Where lines go at present: until a log is open, and nothing runs that they could hold up, straight to
 * stdout.
 */
let writeLine: LineSink = inColour(isatty(STDOUT), writeToStdout);

// Nothing is lost if the process ends right after such a line, as it does when the start fails.
configureTape("info");

setLogTarget({
  takes: (level) => logger.isEnabledFor(TAPE_LEVEL[level] ?? "fatal"),
  write: ({ time, level, id, code, text }) => {
    // emit() rather than info(): LogTape would read `{name}` in a text as a placeholder.
    logger.emit({
      level: TAPE_LEVEL[level] ?? "fatal",
      message: [text],
      rawMessage: text,
      timestamp: time,
      properties: { id, code },
    });
  },
});

// LogTape's own hook waits for "unload", which Deno does not send on process.exit().
process.on("exit", writeLast);
// Nor does Deno send "exit" when an error ends the process that nobody catches; Bun does.
for (const crash of ["error", "unhandledrejection"]) {
  globalThis.addEventListener?.(crash, writeLast);
}

/** Writes what is queued in the time that an end may take: the reader may be stuck, which nothing tells. */
function writeLast(): void {
  const writers = new Set([open?.writer, stdout]);
  const started = [...writers].filter((writer) => writer?.startLast());
  if (started.length === 0) return;
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  Atomics.wait(never, 0, 0, LAST_WAIT_MS);
}

/**
 * Opens the log as the configuration says; called again, it replaces the open one.
 * @throws Error that names the file and the cure when it cannot be opened; the log is as before then
 */
export async function openLog(config: LogConfig): Promise<void> {
  const file = config.tank === "file" ? resolve(config.file) : null;
  stdout ??= new LineWriter(consoleTarget(), lostLine);
  const old = open;
  const moves = old === null || old.file !== file;
  if (moves) {
    const writer = file === null ? stdout : new LineWriter(await openFile(file), lostLine);
    open = { writer, file };
    writeLine = inColour(file === null && isatty(STDOUT), (line) => writer.write(line));
  }
  utc = config.utc;
  configureTape(config.level);
  if (moves && old !== null) await finish(old);
}

/** Writes a line that another thread has finished. */
export function writeForwarded(line: string, level: LineLevel): void {
  writeLine(line, level);
}

/** Resolves when the lines so far have been handed to the system. */
export async function logWritten(): Promise<void> {
  await open?.writer.drain();
}

/** Prints a text on stdout, wherever the log goes, without waiting for whoever reads it. */
export function printText(text: string): void {
  stdout?.write(text);
}

/** Writes what is queued, if somebody takes it, and closes the log. Later lines go to stdout again. */
export async function closeLog(): Promise<void> {
  if (open === null || stdout === null) return;
  const [old, console] = [open, stdout];
  open = null;
  writeLine = inColour(isatty(STDOUT), (line) => console.write(line));
  configureTape("info");
  await finish(old);
}

/** Gives the last lines the time they may take; a file is closed when it has them. */
async function finish({ writer, file }: OpenLog): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((done) => timer = setTimeout(done, CLOSE_WAIT_MS));
  await Promise.race([file === null ? writer.drain() : writer.close(), limit]);
  clearTimeout(timer);
}

/**
 * Closes the log file and opens the path anew, after logrotate has renamed the file. Does nothing when the
 * log goes to the console. When the path cannot be opened the old file stays in use, and an ERROR line in it
 * says so.
 */
export function reopenLog(): void {
  if (open === null || open.file === null) return;
  const next = openFile(open.file);
  open.writer.change(next);
  next.catch((error) => serverLog.error(error instanceof Error ? error.message : String(error)));
}

function configureTape(level: LogLevel): void {
  const lowestLevel = TAPE_LEVEL[level];
  // Not `configure`: it waits in between, and what is logged meanwhile would be lost.
  configureSync({
    sinks: { lines },
    loggers: [
      { category: "srs-edge", sinks: ["lines" as const], lowestLevel },
      // Without an entry of its own, LogTape's "meta" logger prints a notice at every start.
      { category: ["logtape", "meta"], sinks: [], lowestLevel: null },
    ],
    reset: true,
  });
}

/** LogTape's way to wherever lines go. */
function lines(record: LogRecord): void {
  const { id, code } = record.properties;
  const level = LINE_LEVEL[record.level];
  const line = formatLine({
    time: record.timestamp,
    level,
    pid: process.pid,
    id: typeof id === "string" ? id : LOG_TASK_ID,
    code: typeof code === "number" ? code : undefined,
    text: record.message.join(""),
  }, utc);
  writeLine(line, level);
}

function inColour(colour: boolean, write: (line: string) => void): LineSink {
  return (line, level) => write(colour ? colourLine(line, level) : line);
}

function lostLine(count: number): string {
  return formatLine({
    time: Date.now(),
    level: "warn",
    pid: process.pid,
    id: LOG_TASK_ID,
    text: `${count} log lines lost: the log is not read or written fast enough`,
  }, utc);
}

function writeToStdout(line: string): void {
  try {
    writeSync(STDOUT, line + "\n");
  } catch {
    // stdout is closed, or full: there is no other place to say so.
  }
}

async function openFile(path: string): Promise<LineTarget> {
  try {
    return await fileTarget(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `cannot open the log file ${path}: ${reason}. Create its directory, make it writable for this ` +
        `user, or set "srs_log_tank console;"`,
      { cause: error },
    );
  }
}
