/**
 * Where the bytes of lines go: stdout, or a file. Nothing here makes the event loop wait, whether nobody
 * reads the pipe, a terminal is stopped by Ctrl-S, or the file's disk does not answer: Deno's own calls
 * wait in threads of the runtime, where its `node:fs` writes at once and waits with the loop; on Bun
 * `node:fs` is what waits in a thread.
 * @module
 */

import { close, open, write } from "node:fs";

const STDOUT = 1;

/** Rights of a new log file. */
const MODE = 0o644;

/** ms that a disk has to open a file. One that does not answer for so long may never do. */
export const OPEN_LIMIT_MS = 5000;

/** ms until a write is tried again when the descriptor is non-blocking and its reader is slow. */
const RETRY_MS = 20;

/** An open target. */
export interface LineTarget {
  /**
   * Resolves when the system has all of the bytes; rejects when they are lost, in whole or in part. Another
   * thread has begun when it returns, so that it goes on although the loop does not.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives the file back; stdout stays. */
  close(): void;
}

/** Stdout. */
export function consoleTarget(): LineTarget {
  return typeof Deno === "undefined" ? new NodeTarget(STDOUT) : new DenoTarget(Deno.stdout);
}

/**
 * A file to whose end is written.
 * @throws Error (as a rejection) with the system's reason, or one that says that the disk does not answer.
 */
export async function fileTarget(path: string): Promise<LineTarget> {
  const opened = typeof Deno === "undefined" ? openNode(path) : openDeno(path);
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

/**
 * Deno 2.6 opens with the loop waiting, though it looks at a path in another thread: a disk that does not
 * answer is found out by that. A named pipe is opened for reading as well, which does not wait for a reader.
 */
async function openDeno(path: string): Promise<LineTarget> {
  let isPipe = false;
  try {
    isPipe = (await Deno.stat(path)).isFifo === true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return new DenoTarget(
    await Deno.open(path, { append: true, create: true, mode: MODE, read: isPipe }),
  );
}

/** The part of a Deno file that is used here. */
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

function openNode(path: string): Promise<LineTarget> {
  return new Promise((resolve, reject) => {
    open(path, "a", MODE, (error, fd) => error ? reject(error) : resolve(new NodeTarget(fd)));
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
          if (error?.code === "EAGAIN") setTimeout(() => writeFrom(at), RETRY_MS);
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
