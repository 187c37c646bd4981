/**
 * How many files and sockets this process may open.
 * @module
 */

import { closeSync, openSync } from "node:fs";

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
