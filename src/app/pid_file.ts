/**
 * The pid file. `pid FILE` may name a file that is none, or a link that another user has put there: only
 * a file that holds a process number is written over, and only one that holds ours is removed (H61).
 * @module
 */

import { CLOCK_SLACK_MS } from "./limits.ts";
import type { Stats } from "node:fs";
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import process from "node:process";
import type { Processes } from "../runtime/processes.ts";

/** Rights of a new pid file. */
const MODE = 0o644;

/** Bytes of a pid file: Linux's largest number has 7 digits, a line end may follow. */
const MAX_BYTES = 16;

/**
 * Writes our number.
 * @throws Error that names the file and the cure when it is not ours to write
 */
export function writePidFile(path: string, processes: Processes): void {
  try {
    const fd = openSync(path, "wx", MODE);
    finish(fd, () => {});
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw refused(path, reasonOf(error));
    replace(path, processes);
  }
}

/**
 * Whether the file could be written.
 * @throws Error as `writePidFile` does
 */
export function checkPidFile(path: string, processes: Processes): void {
  let state: Stats;
  try {
    state = lstatSync(path);
  } catch {
    return;
  }
  const why = whyNoPidFile(path, state, processes);
  if (why !== null) throw refused(path, why);
}

/** Removes it if it holds our number: a server that has taken over may have written its own. */
export function removePidFile(path: string): void {
  try {
    if (!lstatSync(path).isFile()) return;
    if (readFileSync(path, "utf8").trim() === String(process.pid)) unlinkSync(path);
  } catch {
    // It has been removed already, or its folder cannot be written to.
  }
}

/** An open file is written only after it turned out to be the one that was looked at. */
function replace(path: string, processes: Processes): void {
  let fd: number;
  let state: Stats;
  try {
    state = lstatSync(path);
    const why = whyNoPidFile(path, state, processes);
    if (why !== null) throw new Error(why);
    fd = openSync(path, "r+");
  } catch (error) {
    throw refused(path, reasonOf(error));
  }
  finish(fd, () => {
    const opened = fstatSync(fd);
    if (opened.ino !== state.ino || opened.dev !== state.dev) {
      throw refused(path, "it was changed while it was opened");
    }
    const bytes = new Uint8Array(MAX_BYTES + 1);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    const why = whyNotOurs(new TextDecoder().decode(bytes.subarray(0, length)), opened, processes);
    if (why !== null) throw refused(path, why);
    ftruncateSync(fd, 0);
  });
}

/** Writes our number into an open file that `check` has nothing against. */
function finish(fd: number, check: () => void): void {
  try {
    check();
    writeSync(fd, `${process.pid}`, 0);
    // After a power failure an empty file would keep the server from starting.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Why what lies there is not written over; null: it may be. */
function whyNoPidFile(path: string, state: Stats, processes: Processes): string | null {
  if (state.isSymbolicLink()) return "it is a link, which is not followed";
  if (!state.isFile()) return "it is no file";
  if (state.nlink > 1) return `it is one of ${state.nlink} names of the same file`;
  if (state.size > MAX_BYTES) return "it holds something else than a process number";
  return whyNotOurs(readFileSync(path, "utf8"), state, processes);
}

/** Why a file with this text is not ours to replace; null: it is. */
function whyNotOurs(text: string, state: Stats, processes: Processes): string | null {
  if (!/^[1-9]\d{0,9}\s*$/.test(text)) return "it holds something else than a process number";
  const pid = Number(text);
  if (pid === process.pid) return null;
  const other = processes.look(pid);
  if (other === null) return null;
  // After a power failure another program may have the number, which must not keep the server from
  // starting.
  if (other.begunMs !== null && other.begunMs > state.mtimeMs + CLOCK_SLACK_MS) return null;
  // A server that drains, or ends while its successor starts.
  if (other.isSameProgram) return null;
  return `it belongs to process ${pid}, which runs and is not srs-edge`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function refused(path: string, reason: string): Error {
  return new Error(
    `cannot write the pid file ${path}: ${reason}. Change or drop "pid", or remove the file`,
  );
}
