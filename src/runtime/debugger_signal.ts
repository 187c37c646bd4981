/**
 * SIGUSR1 opens no debugger. Deno 2.9 from source answers it with a debugger on 127.0.0.1:9229 that asks
 * for no password: every local user could run code in the server (H52). There the signal is switched off
 * before the server listens. Bun and the executables leave it to the program, which reopens its log.
 * @module
 */

import { constants } from "node:os";
import process from "node:process";
import { COMMIT } from "./commit.ts";
import { openLibc } from "./libc.ts";

/**
 * What SIGUSR1 does in this process: `free`: nothing until the program handles it; `ignored`: the runtime
 * would take it, and it does nothing; `taken`: the runtime takes it, and nothing here can change that.
 */
export type DebuggerSignal = "free" | "ignored" | "taken";

/** Switches the runtime's SIGUSR1 off. To be called at the start, before Deno gets to it. */
export async function disarmDebuggerSignal(): Promise<DebuggerSignal> {
  const isDenoFromSource = process.versions.deno !== undefined && COMMIT === "";
  if (!isDenoFromSource) return "free";
  // Deno handles it about 0.5 s after the start. A signal that has a handler by then gets no other one, so
  // that what is said to the kernel after this stays.
  process.on("SIGUSR1", () => {});
  const libc = await openLibc();
  return libc?.ignoreSignal(constants.signals.SIGUSR1) ? "ignored" : "taken";
}
