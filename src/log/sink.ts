/**
 * The sink of the log. LogTape filters by level; this module formats and writes. Lines go to stdout
 * before `openLog` and after `closeLog`. After `openLog` no call blocks the event loop on a reader or a
 * disk.
 * @module
 */

import { CLOSE_WAIT_MS, LAST_WAIT_MS } from "./limits.ts";
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
import { faultsAreDeadly } from "./crash.ts";
import { colourLine, formatLine, type LineLevel } from "./line.ts";
import { consoleTarget, fileTarget, type LineTarget } from "./line_target.ts";
import { LineWriter } from "./line_writer.ts";
import { type LineSink, LOG_TASK_ID, serverLog, setLogTarget } from "./log.ts";

/** The target of an open log. */
interface OpenLog {
  readonly writer: LineWriter;
  /** Absolute path. Null for the console. */
  readonly file: string | null;
}

const STDOUT = 1;

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

/** The open log. Null before `openLog` and after `closeLog`. */
let open: OpenLog | null = null;

/**
 * The writer of stdout, made by the first `openLog` and kept for the life of the process. A reader that
 * has stopped then has one write pending, and the count of lost lines survives reloads.
 */
let stdout: LineWriter | null = null;

/** Whether times are written in UTC. */
let utc = false;

/**
 * The current receiver of lines. Before a log is open, lines go directly to stdout: nothing runs yet
 * that a blocking write could delay.
 */
let writeLine: LineSink = inColour(isatty(STDOUT), writeToStdout);

// The synchronous write keeps lines that precede an immediate exit, such as that of a failed start.
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
// Deno does not send "exit" after an uncaught error either; Bun does.
for (const crash of ["error", "unhandledrejection"]) {
  globalThis.addEventListener?.(crash, () => faultsAreDeadly() && writeLast());
}

/**
 * Writes the queue within the time that an exit may take. Nothing reports whether the reader is stuck.
 */
function writeLast(): void {
  const writers = new Set([open?.writer, stdout]);
  const started = [...writers].filter((writer) => writer?.startLast());
  if (started.length === 0) return;
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  Atomics.wait(never, 0, 0, LAST_WAIT_MS);
}

/**
 * Opens the log that the configuration asks for. A second call replaces the open log.
 * @throws Error that names the file and the cure when it cannot be opened. The previous log stays in use.
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

/** Writes a line that another thread has formatted. */
export function writeForwarded(line: string, level: LineLevel): void {
  writeLine(line, level);
}

/** Resolves when the system has all lines logged so far. */
export async function logWritten(): Promise<void> {
  await open?.writer.drain();
}

/** Prints a text on stdout, whatever the target of the log, without waiting for the reader. */
export function printText(text: string): void {
  stdout?.write(text);
}

/** Writes the queue, as far as the reader takes it, and closes the log. Later lines go to stdout. */
export async function closeLog(): Promise<void> {
  if (open === null || stdout === null) return;
  const [old, console] = [open, stdout];
  open = null;
  writeLine = inColour(isatty(STDOUT), (line) => console.write(line));
  configureTape("info");
  await finish(old);
}

/** Waits a bounded time for the last lines. A file is closed once they are written. */
async function finish({ writer, file }: OpenLog): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((done) => timer = setTimeout(done, CLOSE_WAIT_MS));
  await Promise.race([file === null ? writer.drain() : writer.close(), limit]);
  clearTimeout(timer);
}

/**
 * Closes the log file and opens its path again, after logrotate has renamed the file. Does nothing for
 * the console. When the path cannot be opened, the old file stays in use and receives an ERROR line.
 */
export function reopenLog(): void {
  if (open === null || open.file === null) return;
  const next = openFile(open.file);
  open.writer.change(next);
  next.catch((error) => serverLog.error(error instanceof Error ? error.message : String(error)));
}

function configureTape(level: LogLevel): void {
  const lowestLevel = TAPE_LEVEL[level];
  // `configureSync`, because lines logged during the wait of `configure` would be lost.
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

/** LogTape's sink, which passes records to the current receiver. */
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
    // stdout is closed or full, and there is no other place to report it.
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
