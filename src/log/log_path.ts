/**
 * Where the log file really is. A link that another user may have put there is not followed: a server that
 * runs as root would append lines, in which strangers choose words, to a file of that user's choice (H61).
 * A link that root or the server's own user has made is one on purpose, such as `/dev/stdout`.
 * @module
 */

import { dirname, join, resolve } from "node:path";

/** What lies at a path. */
export interface PathState {
  readonly kind: "link" | "file" | "pipe" | "other";
  /** Owner; null where the system has none. */
  readonly uid: number | null;
  /** Permission bits. */
  readonly mode: number;
  /** Names of the same file. */
  readonly links: number;
  readonly dev: number;
  readonly ino: number;
}

/** The looks at the file system that are needed. All may be slow, and reject. */
export interface PathLooks {
  /** Of the path itself, even if it is a link; null: nothing is there. */
  look(path: string): Promise<PathState | null>;
  /** Of what a path leads to. */
  follow(path: string): Promise<PathState | null>;
  /** Text of a link. */
  readLink(path: string): Promise<string>;
  /** A path of existing folders without links. */
  realPath(path: string): Promise<string>;
}

/** Not looked at: Deno 2.9 says nothing of it. */
export const STDOUT = "/dev/stdout";

/** A path that may be opened, if what lies there is still `state`. */
export interface LogPath {
  readonly path: string;
  /** Null: it is to be created. */
  readonly state: PathState | null;
}

/** Links that lead from one to the next. */
const MAX_LINKS = 8;

const ROOT = 0;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Follows the links of a log file's path. `user`: who this process is; null: unknown, only root is trusted.
 * @throws Error with the reason why it is not followed
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
    // Other descriptors of this process: root's, and their links may be no paths.
    if (/^\/(dev|proc)\//.test(at)) return { path: at, state: await on.follow(at) };
    const target = await on.readLink(at);
    const folder = await on.realPath(dirname(at));
    at = resolve(target.startsWith("/") ? target : join(folder, target));
  }
  throw new Error(`more than ${MAX_LINKS} links lead from one to the next`);
}

/** Whether two states are of the same file. */
export function isSameFile(a: PathState, b: PathState): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}
