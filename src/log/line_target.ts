/**
 * Targets of log lines: stdout, or a file. No target blocks the event loop: not a pipe without a
 * reader, not a terminal stopped by Ctrl-S, not a disk that does not answer. On Deno this module uses
 * Deno's own calls, which wait in threads of the runtime; Deno's `node:fs` would block the loop. On Bun
 * `node:fs` waits in a thread.
 * @module
 */

import { MAX_OPEN_TRIES, OPEN_LIMIT_MS, OPEN_RETRY_MS } from "./limits.ts";
import { close, constants, fstat, open, type Stats, write } from "node:fs";
import { lstat, readlink, realpath, stat } from "node:fs/promises";
import process from "node:process";
import {
  isSameFile,
  type LogPath,
  logPath,
  type PathLooks,
  type PathState,
  STDOUT as STDOUT_PATH,
} from "./log_path.ts";

const STDOUT = 1;

/** Permission bits of a new log file. */
const MODE = 0o644;

/** An open target. */
export interface LineTarget {
  /**
   * Resolves when the system has all of the bytes. Rejects when some or all of them are lost. When the
   * call returns, another thread has started the write, so that it continues while the loop is blocked.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes the file. Stdout stays open. */
  close(): void;
}

/** Stdout. */
export function consoleTarget(): LineTarget {
  return typeof Deno === "undefined" ? new NodeTarget(STDOUT) : new DenoTarget(Deno.stdout);
}

/**
 * Opens a file for appending.
 * @throws Error (as a rejection) with the system's reason, or with a note that the disk does not answer.
 */
export async function fileTarget(path: string): Promise<LineTarget> {
  const opened = openTarget(path);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let late = false;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = true;
      reject(new Error(`it does not open within ${OPEN_LIMIT_MS} ms`));
    }, OPEN_LIMIT_MS);
  });
  void opened.then((target) => late && target.close(), () => {});
  try {
    return await Promise.race([opened, limit]);
  } finally {
    clearTimeout(timer);
  }
}

async function openTarget(path: string): Promise<LineTarget> {
  const [looks, opens] = typeof Deno === "undefined" ? [NODE, openNode] : [DENO, openDeno];
  for (let tries = 0; tries < MAX_OPEN_TRIES; tries++) {
    const found = await logPath(path, userId(), looks);
    if (found.path === STDOUT_PATH) return consoleTarget();
    const target = await opens(found);
    if (target !== null) return target;
  }
  throw new Error("it is changed again and again while it is opened");
}

/** The user of this process. Null when it is unknown. */
function userId(): number | null {
  try {
    return process.geteuid?.() ?? null;
  } catch {
    // Deno throws here without the permission `sys`.
    return null;
  }
}

function missing(error: unknown): null {
  if ((error as { code?: string } | null)?.code === "ENOENT") return null;
  throw error;
}

const DENO: PathLooks = {
  look: async (path) => {
    const info = await Deno.lstat(path).catch(missing);
    return info && denoState(info);
  },
  follow: async (path) => {
    const info = await Deno.stat(path).catch(missing);
    return info && denoState(info);
  },
  readLink: (path) => Deno.readLink(path),
  realPath: (path) => Deno.realPath(path),
};

/** A file's state, as Deno reports it. */
type DenoInfo = Awaited<ReturnType<typeof Deno.stat>>;

function denoState(info: DenoInfo): PathState {
  const { isSymlink, isFile, isFifo, uid, mode, nlink, dev, ino } = info;
  return {
    kind: isSymlink ? "link" : isFile ? "file" : isFifo ? "pipe" : "other",
    uid,
    mode: mode ?? 0,
    links: nlink ?? 1,
    dev,
    ino: ino ?? 0,
  };
}

/**
 * Returns null when the path has another file by now. Deno 2.6 blocks the loop in `open`, but not in
 * `stat`: a `stat` beforehand finds a disk that does not answer. A named pipe is opened for reading
 * too, because that does not wait for a reader.
 */
async function openDeno({ path, state }: LogPath): Promise<LineTarget | null> {
  if (state === null) {
    try {
      return new DenoTarget(await Deno.open(path, { append: true, createNew: true, mode: MODE }));
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return null;
      throw error;
    }
  }
  const file = await Deno.open(path, { append: true, read: state.kind === "pipe" });
  if (isSameFile(denoState(await file.stat()), state)) return new DenoTarget(file);
  file.close();
  return null;
}

/** The part of Deno's file interface that this module uses. */
interface DenoWriter {
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

class DenoTarget implements LineTarget {
  readonly #file: DenoWriter;

  constructor(file: DenoWriter) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
  }

  close(): void {
    if (this.#file !== Deno.stdout) this.#file.close();
  }
}

const NODE: PathLooks = {
  look: async (path) => {
    const stats = await lstat(path).catch(missing);
    return stats && nodeState(stats);
  },
  follow: async (path) => {
    const stats = await stat(path).catch(missing);
    return stats && nodeState(stats);
  },
  readLink: (path) => readlink(path),
  realPath: (path) => realpath(path),
};

function nodeState(stats: Stats): PathState {
  const { uid, mode, nlink, dev, ino } = stats;
  const kind = stats.isSymbolicLink()
    ? "link"
    : stats.isFile()
    ? "file"
    : stats.isFIFO()
    ? "pipe"
    : "other";
  return { kind, uid, mode, links: nlink, dev, ino };
}

/** Returns null when the path has another file by now. */
function openNode({ path, state }: LogPath): Promise<LineTarget | null> {
  const { O_APPEND, O_WRONLY } = constants;
  return new Promise((resolve, reject) => {
    open(path, state === null ? "ax" : O_APPEND | O_WRONLY, MODE, (error, fd) => {
      if (error) return state === null && error.code === "EEXIST" ? resolve(null) : reject(error);
      fstat(fd, (failed, stats) => {
        if (!failed && (state === null || isSameFile(nodeState(stats), state))) {
          return resolve(new NodeTarget(fd));
        }
        close(fd, () => failed ? reject(failed) : resolve(null));
      });
    });
  });
}

class NodeTarget implements LineTarget {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const writeFrom = (at: number) => {
        write(this.#fd, bytes, at, bytes.length - at, null, (error, written) => {
          if (error?.code === "EAGAIN") setTimeout(() => writeFrom(at), OPEN_RETRY_MS);
          else if (error) reject(error);
          else if (at + written < bytes.length) writeFrom(at + written);
          else resolve();
        });
      };
      writeFrom(0);
    });
  }

  close(): void {
    if (this.#fd !== STDOUT) close(this.#fd, () => {});
  }
}
