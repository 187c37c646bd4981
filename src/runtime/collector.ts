/**
 * The runtime's garbage collector, asked to work now.
 * @module
 */

import { type Libc, openLibc } from "./libc.ts";
import { PROVOKING_BYTES } from "./limits.ts";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The part of Bun's API that is used here. */
interface BunCollector {
  gc(force: boolean): void;
}

/**
 * The way to start a full collection on this runtime, and to give the kernel what is free then. The call
 * takes some 5 ms, and 10 ms and more with thousands of connections.
 */
export function findCollector(): () => void {
  const collect = runtimeCollector();
  let libc: Libc | null = null;
  void openLibc().then((opened) => libc = opened);
  return () => {
    collect();
    libc?.giveBack();
  };
}

function runtimeCollector(): () => void {
  if (globalThis.Bun !== undefined) {
    const bun: unknown = globalThis.Bun;
    return () => (bun as BunCollector).gc(true);
  }
  try {
    // Contexts made from now on have it; ours need not.
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    if (typeof collect === "function") return () => void collect();
  } catch {
    // The base of the executables, Deno 2.6, ignores the flag.
  }
  return () => void new ArrayBuffer(PROVOKING_BYTES);
}

/** Whether this runtime keeps the pages of a buffer that has shrunk until it is collected: Bun does. */
export function keepsFreedPages(): boolean {
  return globalThis.Bun !== undefined;
}
