/**
 * How many files and sockets this process may open, and who may have how many of them (H36, H37). No
 * part may take the last one: Deno 2.9 stops accepting for good once it had to do without, and Bun
 * spins.
 *
 *     max_connections   RTMP connections and HTTP players
 *     HTTP              connections that play nothing
 *     hooks             calls to hook servers
 *     outgoing          pulls, uplinks and forwards
 *     reserve           log, listeners, certificates, configuration, who is turned away, the event loop
 *
 * @module
 */

import { MAX_HTTP_CONNECTIONS } from "./limits.ts";
import { closeSync, openSync } from "node:fs";
import { type Config, HOOK_ACTIONS } from "../config/types.ts";
import { limitHttpConnections } from "./http_listener.ts";
import { limitOutgoing } from "./outgoing.ts";

/** ... and these at least: without an answer no user could find out what is the matter. */
const MIN_HTTP_CONNECTIONS = 16;
/** Calls to one hook server at a time: see `MAX_ASKING_CALLS` and `MAX_TELLING_CALLS`. */
const CALLS_PER_HOOK_SERVER = 48;
/** Connections to origins and destinations at least. */
const MIN_OUTGOING = 16;
/** Files that are not connections, and connections that are being turned away (SRS: 128 in all). */
const RESERVED_FILES = 96;

/** A file that is always there and costs nothing to open. */
const NULL_DEVICE = "/dev/null";

/** How the files are shared: connections of each side. */
export interface FileShares {
  readonly http: number;
  readonly outgoing: number;
}

/** What of the configuration says how many files are needed. */
export type FileNeeds = Pick<Config, "maxConnections" | "vhosts">;

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
    return isOutOfFiles(error) ? files.length : wanted;
  } finally {
    for (const file of files) closeSync(file);
  }
}

/** Whether an error says that the process, or the system, has no file left. */
export function isOutOfFiles(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EMFILE" || code === "ENFILE";
}

/** How `openable` files are shared; each side has its least in any case. */
export function fileShares(needs: FileNeeds, openable: number): FileShares {
  const left = Math.max(0, openable - leastFiles(needs));
  const http = Math.min(MAX_HTTP_CONNECTIONS, MIN_HTTP_CONNECTIONS + Math.floor(left / 2));
  return { http, outgoing: MIN_OUTGOING + left - (http - MIN_HTTP_CONNECTIONS) };
}

/** Has each side keep to its share. `open`: connections of clients that there are already. */
export function shareFiles(needs: FileNeeds, open = 0): void {
  const most = leastFiles(needs) + MAX_HTTP_CONNECTIONS + needs.maxConnections;
  const { http, outgoing } = fileShares(needs, open + openableFiles(most - open));
  limitHttpConnections(http);
  limitOutgoing(outgoing);
}

/**
 * Why the open files do not suffice for what the configuration allows, and the cure; null if they do.
 * `open`: connections that there are already; `openable`: see `openableFiles`.
 */
export function fileShortage(
  needs: FileNeeds,
  open = 0,
  openable: (wanted: number) => number = openableFiles,
): string | null {
  const wanted = leastFiles(needs);
  const found = open + openable(Math.max(0, wanted - open));
  if (found >= wanted) return null;
  const { maxConnections } = needs;
  const others = wanted - maxConnections;
  const fits = found - others;
  const lower = fits > 0 ? `, or lower max_connections to ${fits}` : "";
  return `max_connections=${maxConnections} needs ${wanted} open files (${others} of them for HTTP, hooks, ` +
    `other servers and files), and this process may have ${found}. Run: ulimit -HSn ` +
    `${Math.max(10_000, 10 * maxConnections)}${lower}`;
}

function leastFiles({ maxConnections, vhosts }: FileNeeds): number {
  const hooks = new Set<string>();
  for (const { hooks: urls, forward } of vhosts) {
    const all = HOOK_ACTIONS.flatMap((action) => urls[action]);
    if (forward?.backend) all.push(forward.backend);
    for (const url of all) if (URL.canParse(url)) hooks.add(new URL(url).host);
  }
  return maxConnections + MIN_HTTP_CONNECTIONS + MIN_OUTGOING +
    CALLS_PER_HOOK_SERVER * hooks.size + RESERVED_FILES;
}
