/**
 * How many files and sockets this process may open.
 * @module
 */

import { closeSync, openSync } from "node:fs";

/** Files that are not connections: log, listeners, libraries (SRS). */
const RESERVED_FILES = 128;

/**
 * HTTP connections that are no players': a browser opens six, a proxy some tens. They have this many of the
 * process's files at most, whatever the limit, and what `max_connections` leaves of a small one.
 */
export const MAX_HTTP_CONNECTIONS = 512;
/** ... and these at least: without an answer nobody could find out what is the matter. */
const MIN_HTTP_CONNECTIONS = 16;
/**
 * Files for connections to other servers (pulls, forwards, hooks), for reading a socket that rests, and for
 * what is opened now and then, while clients have all that they may have.
 */
const RESERVED_FOR_OUTGOING = 64;

/** A file that is always there and costs nothing to open. */
const NULL_DEVICE = "/dev/null";

/**
 * Whether `wanted` more files can be open at a time, found out by opening them: under Deno, /proc, which
 * tells the limit, needs all permissions, and both runtimes raise the soft limit by themselves. Returns
 * `wanted`, or how many it was; `wanted` too where it cannot be found out.
 */
export function openableFiles(wanted: number): number {
  const files: number[] = [];
  try {
    while (files.length < wanted) files.push(openSync(NULL_DEVICE, "r"));
    return wanted;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "EMFILE" || code === "ENFILE" ? files.length : wanted;
  } finally {
    for (const file of files) closeSync(file);
  }
}

/**
 * How many HTTP connections there may be beside `max_connections` clients, so that the process never has
 * to do without a file: Deno 2.9 accepts nobody any more once it had to, and Bun spins.
 */
export function httpRoom(maxConnections: number): number {
  const others = maxConnections + RESERVED_FOR_OUTGOING;
  const left = openableFiles(others + MAX_HTTP_CONNECTIONS) - others;
  return Math.max(MIN_HTTP_CONNECTIONS, Math.min(MAX_HTTP_CONNECTIONS, left));
}

/**
 * Why the open files do not suffice for `max_connections`, and the cure; null if they do (SRS). `open`:
 * connections that there are already.
 */
export function fileShortage(maxConnections: number, open = 0): string | null {
  const wanted = maxConnections + RESERVED_FILES;
  const openable = open + openableFiles(Math.max(0, wanted - open));
  if (openable >= wanted) return null;
  const advice = Math.max(10_000, 10 * maxConnections);
  return `max_connections=${maxConnections} needs ${wanted} open files, and this process may have ` +
    `${openable}. Run: ulimit -HSn ${advice}, or lower max_connections`;
}
