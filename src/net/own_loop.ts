/**
 * This thread's event loop, where the C library can be called; everywhere else the runtime's own sockets
 * do all of it.
 * @module
 */

import { once } from "node:events";
import net from "node:net";
import process from "node:process";
import { type Libc, openLibc } from "../runtime/libc.ts";
import { EventLoop } from "./event_loop.ts";
import { runClock } from "./run_clock.ts";
import { fromSockaddr, SOCKADDR_BYTES } from "./sockaddr.ts";

/** Set to `runtime`, it leaves all sockets to the runtime: for tests, and to compare. */
const SWITCH = "SRS_EDGE_SOCKETS";

/** The loop, and how it makes system calls. */
export interface OwnLoop {
  readonly libc: Libc;
  readonly loop: EventLoop;
  /** It accepts and connects as well: Bun cannot wait for that while nobody publishes. */
  readonly accepts: boolean;
}

let opened: Promise<OwnLoop | null> | undefined;
let current: OwnLoop | null = null;

/** This thread's event loop; null where there can be none. */
export function openLoop(): Promise<OwnLoop | null> {
  opened ??= open();
  return opened;
}

/** ... if it has been opened. */
export function ownLoop(): OwnLoop | null {
  return current;
}

async function open(): Promise<OwnLoop | null> {
  if (process.env[SWITCH] === "runtime") return null;
  const libc = await openLibc();
  if (!libc) return null;
  try {
    const loop = new EventLoop(libc, await runtimePollers(libc));
    runClock.useTimers((ms, task) => loop.after(ms, task));
    current = { libc, loop, accepts: process.versions.bun === undefined };
    return current;
  } catch {
    // There is no descriptor left for it.
    return null;
  }
}

/** Numbers in a row that lead nowhere, after which there are no more descriptors. */
const GAP = 256;

/**
 * The epoll instances in which the runtime of this thread waits: those that watch a listener that it has
 * just opened. None, where /proc does not tell.
 */
async function runtimePollers(libc: Libc): Promise<number[]> {
  const server = net.createServer();
  try {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : -1;
    return pollersOf(libc, port);
  } catch {
    return [];
  } finally {
    server.close();
  }
}

function pollersOf(libc: Libc, port: number): number[] {
  const local = new Uint8Array(SOCKADDR_BYTES);
  const pollers: number[] = [];
  const listeners = new Set<number>();
  for (let fd = 0, gap = 0; gap < GAP; fd++) {
    const kind = libc.readLink(`/proc/self/fd/${fd}`);
    gap = kind === null ? gap + 1 : 0;
    if (kind === "anon_inode:[eventpoll]") pollers.push(fd);
    else if (kind?.startsWith("socket:") && libc.localOf(fd, local)) {
      if (fromSockaddr(local)?.port === port) listeners.add(fd);
    }
  }
  return pollers.filter((fd) => {
    const text = libc.readText(`/proc/self/fdinfo/${fd}`) ?? "";
    return text.matchAll(/^tfd:\s*(\d+)/gm).some(([, watched]) => listeners.has(Number(watched)));
  });
}
