/**
 * Where the log goes: LogTape decides what is written, this module how and where. Lines go to stdout
 * until `openLog` and after `closeLog`.
 * @module
 */

import { writeSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { isatty } from "node:tty";
import {
  configure,
  configureSync,
  drain,
  getLogger,
  type LogLevel as TapeLevel,
  type LogRecord,
  type Sink,
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
  readonly utc: boolean;
}

const STDOUT = 1;

/** ms that `closeLog` waits for a reader that does not read, so that the server always ends. */
const CLOSE_WAIT_MS = 1000;

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

/** The open log; null while lines go straight to stdout. */
let open: OpenLog | null = null;

/**
 * Where lines go at present: until a log is open, and nothing runs that they could hold up, straight to
 * stdout.
 */
let writeLine: LineSink = toStdout();

// Nothing is lost if the process ends right after such a line, as it does when the start fails.
configureSync({
  ...tapeConfig("info", makeSink(false, writeLine)),
  reset: true,
});

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
process.on("exit", () => open?.writer.flushNow());

/**
 * Opens the log as the configuration says; called again, it replaces the open one.
 * @throws Error that names the file and the cure when it cannot be opened; the log is as before then
 */
export async function openLog(config: LogConfig): Promise<void> {
  const file = config.tank === "file" ? resolve(config.file) : null;
  const target = file === null ? consoleTarget() : await openFile(file);
  const next: OpenLog = { writer: makeWriter(target, config.utc), file, utc: config.utc };
  await closeLog();
  const write = inColour(
    file === null && isatty(STDOUT),
    (line) => next.writer.write(line),
  );
  const sink = Object.assign(makeSink(config.utc, write), { drain: () => next.writer.drain() });
  await configure({ ...tapeConfig(config.level, sink), reset: true });
  open = next;
  writeLine = write;
}

/** Writes a line that another thread has finished. */
export function writeForwarded(line: string, level: LineLevel): void {
  writeLine(line, level);
}

/** Resolves when the lines so far have been handed to the system. */
export function logWritten(): Promise<void> {
  return drain();
}

/** Prints a text as it is, below the lines so far, without waiting for whoever reads it. */
export async function printText(text: string): Promise<void> {
  if (open?.file === null) return open.writer.write(text);
  try {
    await consoleTarget().write(new TextEncoder().encode(`${text}\n`));
  } catch {
    // Stdout is closed: nobody wants to know.
  }
}

/**
 * Writes what is queued and closes the log. Later lines go to stdout again, or nowhere when nobody takes
 * what was written there.
 */
export async function closeLog(): Promise<void> {
  if (open === null) return;
  const { writer, file, utc } = open;
  open = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<"late">((done) => timer = setTimeout(done, CLOSE_WAIT_MS, "late"));
  const stuck = await Promise.race([drain(), limit]) === "late";
  clearTimeout(timer);
  writer.discard();
  writeLine = stuck && file === null ? () => {} : toStdout();
  await configure({ ...tapeConfig("info", makeSink(utc, writeLine)), reset: true });
  if (file !== null) void writer.close();
}

/**
 * Closes the log file and opens the path anew: what SRS does on USR1 after logrotate has renamed the
 * file. Does nothing when the log goes to the console. When the path cannot be opened the old file
 * stays in use, and an ERROR line in it says so.
 */
export function reopenLog(): void {
  if (open === null || open.file === null) return;
  const next = openFile(open.file);
  open.writer.change(next);
  next.catch((error) => serverLog.error(error instanceof Error ? error.message : String(error)));
}

function tapeConfig(level: LogLevel, sink: Sink) {
  const lowestLevel = TAPE_LEVEL[level];
  return {
    sinks: { lines: sink },
    loggers: [
      { category: "srs-edge", sinks: ["lines" as const], lowestLevel },
      // Without an entry of its own, LogTape's "meta" logger prints a notice at every start.
      { category: ["logtape", "meta"], sinks: [], lowestLevel: null },
    ],
  };
}

function toStdout(): LineSink {
  return inColour(isatty(STDOUT), writeToStdout);
}

function inColour(colour: boolean, write: (line: string) => void): LineSink {
  return (line, level) => write(colour ? colourLine(line, level) : line);
}

function makeSink(utc: boolean, write: LineSink): Sink {
  return (record: LogRecord) => {
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
    write(line, level);
  };
}

function makeWriter(target: LineTarget, utc: boolean): LineWriter {
  return new LineWriter(target, (count) =>
    formatLine({
      time: Date.now(),
      level: "warn",
      pid: process.pid,
      id: LOG_TASK_ID,
      text: `${count} log lines lost: the log is not read or written fast enough`,
    }, utc));
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
