/**
 * A fault of older Deno, which is in executables made with them: a socket of `node:net` that is paused and
 * resumed reads twice at a time into one buffer, and what a burst brings is overwritten before it is told.
 * @module
 */

import type net from "node:net";
import process from "node:process";

/** The handle below a socket, where it is written in JavaScript (Deno 2.6; in 2.9 it is native). */
interface Handle {
  reading: boolean;
  onread: (this: Handle, bytes: Uint8Array, size: number) => void;
  readStart(): number;
  readStop(): number;
  fdForIpc?: unknown;
}

function faultyHandle(socket: net.Socket): Handle | null {
  if (process.versions.bun !== undefined) return null;
  const handle = (socket as { _handle?: Partial<Handle> | null })._handle;
  if (!handle || handle.fdForIpc !== undefined || !Object.hasOwn(handle, "reading")) return null;
  return typeof handle.onread === "function" && handle.readStart && handle.readStop
    ? handle as Handle
    : null;
}

/**
 * Has a connected socket read once at a time. A read that waits for bytes cannot be taken back there, so
 * it is left to wait, and reading stops after it: what it brings stays in the socket, which is paused.
 */
export function readSingly(socket: net.Socket): void {
  const handle = faultyHandle(socket);
  if (!handle) return;
  const { onread } = handle;
  const start = handle.readStart.bind(handle);
  const stop = handle.readStop.bind(handle);
  /** A read waits for bytes, or its bytes are being told. */
  let reads = handle.reading;
  let wanted = reads;
  handle.readStart = () => {
    wanted = true;
    if (reads) return 0;
    reads = true;
    return start();
  };
  handle.readStop = () => {
    wanted = false;
    return 0;
  };
  handle.onread = function (bytes, size) {
    try {
      onread.call(this, bytes, size);
    } finally {
      if (!wanted) {
        reads = false;
        stop();
      }
    }
  };
}
