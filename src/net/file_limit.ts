/**
 * How many files and sockets this process may open.
 * @module
 */

import { closeSync, openSync } from "node:fs";

/** Files that are not connections: log, listeners, libraries (SRS). */
const RESERVED_FILES = 128;

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
