/**
 * Resolves the path of the log file. Links of other users are not followed: a server that runs as root
 * would append lines, with text chosen by clients, to a file chosen by that user (H61). Links of root
 * and of the server's own user are followed, such as `/dev/stdout`.
 * @module
 */

import { MAX_LINKS } from "./limits.ts";
import { dirname, join, resolve } from "node:path";

/** The file at a path. */
export interface PathState {
  readonly kind: "link" | "file" | "pipe" | "other";
  /** Owner. Null on a system without owners. */
  readonly uid: number | null;
  /** Permission bits. */
  readonly mode: number;
  /** Number of names (hard links) of the file. */
  readonly links: number;
  readonly dev: number;
  readonly ino: number;
}

/** The file system calls that {@link logPath} needs. Each may be slow, and may reject. */
export interface PathLooks {
  /** State of the path itself, even of a link. Null when nothing is there. */
  look(path: string): Promise<PathState | null>;
  /** State of the file that a path leads to. */
  follow(path: string): Promise<PathState | null>;
  /** Target text of a link. */
  readLink(path: string): Promise<string>;
  /** The same path without links. Its folders must exist. */
  realPath(path: string): Promise<string>;
}

/** Not looked at: Deno 2.9 says nothing of it. */
export const STDOUT = "/dev/stdout";

/** A path that may be opened as long as the file there still is `state`. */
export interface LogPath {
  readonly path: string;
  /** Null when the file does not exist and is to be created. */
  readonly state: PathState | null;
}

const ROOT = 0;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Follows the links of a log file's path. `user` is the user of this process. When it is null
 * (unknown), only root's links are followed.
 * @throws Error with the reason when a link is not followed.
 */
export async function logPath(path: string, user: number | null, on: PathLooks): Promise<LogPath> {
  const trusted = (uid: number | null) => uid === null || uid === ROOT || uid === user;
  let at = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    if (at === STDOUT) return { path: at, state: null };
    const state = await on.look(at);
    if (state === null) return { path: at, state };
    if (state.kind === "file" && state.links > 1) {
      const folder = await on.follow(dirname(at));
      if (folder && !(trusted(folder.uid) && (folder.mode & WRITABLE_BY_OTHERS) === 0)) {
        throw new Error(
          `${at} is a second name of another file, and others may write to its folder`,
        );
      }
    }
    if (state.kind !== "link") return { path: at, state };
    if (!trusted(state.uid)) {
      throw new Error(`${at} is a link of another user (${state.uid}), which is not followed`);
    }
    // Links in /dev and /proc are root's, and their targets need not be paths.
    if (/^\/(dev|proc)\//.test(at)) return { path: at, state: await on.follow(at) };
    const target = await on.readLink(at);
    const folder = await on.realPath(dirname(at));
    at = resolve(target.startsWith("/") ? target : join(folder, target));
  }
  throw new Error(`more than ${MAX_LINKS} links lead from one to the next`);
}

/** Whether two states belong to the same file. */
export function isSameFile(a: PathState, b: PathState): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}
