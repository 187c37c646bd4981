/**
 * Faults of sockets of `node:net` in older Deno, which is in executables made with it (2.6; 2.9 has neither).
 * A socket that is paused and resumed reads twice at a time into one buffer, and what a burst brings is
 * overwritten before it is told. The end of our side closes the connection whole: the kernel resets one
 * whose peer still sends, and our last bytes are lost with it.
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
  shutdown(request: Shutdown): number;
  fdForIpc?: unknown;
}

/** What waits for the end of our side; `status` is 0 or an error of libuv. */
interface Shutdown {
  oncomplete(status: number): void;
}

/** UV_ENOTCONN */
const NOT_CONNECTED = -107;

function faultyHandle(socket: net.Socket): Handle | null {
  if (process.versions.bun !== undefined) return null;
  const handle = (socket as { _handle?: Partial<Handle> | null })._handle;
  if (!handle || handle.fdForIpc !== undefined || !Object.hasOwn(handle, "reading")) return null;
  return typeof handle.onread === "function" && handle.readStart && handle.readStop
    ? handle as Handle
    : null;
}

/** Mends a connected socket where its runtime has the faults. */
export function mendSocket(socket: net.Socket): void {
  const handle = faultyHandle(socket);
  if (!handle) return;
  readSingly(handle);
  endHalf(handle);
}

/**
 * Has a socket read once at a time. A read that waits for bytes cannot be taken back there, so
 * it is left to wait, and reading stops after it: what it brings stays in the socket, which is paused.
 */
function readSingly(handle: Handle): void {
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

/** Has the end of our side leave the other open, by the connection of Deno's own below the handle. */
function endHalf(handle: Handle): void {
  const connection = Object.getOwnPropertySymbols(handle)
    .map((key) => (handle as unknown as Record<symbol, Partial<Deno.Conn> | null>)[key])
    .find((value) => typeof value?.closeWrite === "function");
  if (!connection?.closeWrite) return;
  const closeWrite = connection.closeWrite.bind(connection);
  handle.shutdown = (request) => {
    closeWrite().then(() => request.oncomplete(0), () => request.oncomplete(NOT_CONNECTED));
    return 0;
  };
}
