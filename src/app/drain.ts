/**
 * The slow end: no new clients, those who can are asked to go elsewhere, the others stay until they leave
 * or their time is up.
 * @module
 */

import { DRAIN_FIRST_LINE_MS, DRAIN_LINE_MS, DRAIN_POLL_MS } from "./limits.ts";
import type { GraceConfig } from "../config/types.ts";
import { serverLog } from "../log/log.ts";

/** What is drained. */
export interface DrainTarget {
  /** Connections of clients. */
  readonly clients: number;
  /** No new clients; asks clients that support it to reconnect, at `reconnectTo` or the same address. */
  drain(reconnectTo: string | null): void;
}

/** Time, in ms. */
export interface DrainClock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

const CLOCK: DrainClock = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Drains; resolves when the server may stop. `ended`: a second signal ends the drain. */
export async function drain(
  target: DrainTarget,
  grace: GraceConfig,
  reconnectTo: string | null,
  ended: () => boolean,
  clock: DrainClock = CLOCK,
): Promise<void> {
  const { startWaitMs, maxWaitMs, finalWaitMs } = grace;
  serverLog.info(`drain: no new clients in ${startWaitMs} ms, /healthz says so from now on`);
  await clock.sleep(startWaitMs);
  if (ended()) return;
  target.drain(reconnectTo);
  const limit = maxWaitMs > 0 ? `for ${maxWaitMs} ms` : "until they leave";
  serverLog.info(`drain: ${left(target.clients)}, who may stay ${limit}`);
  if (!await emptied(target, maxWaitMs, ended, clock)) return;
  serverLog.info(`drain: the last client has gone, the end comes in ${finalWaitMs} ms`);
  await clock.sleep(finalWaitMs);
}

/** Waits for the clients to go; false when some are still there at the end of their time. */
async function emptied(
  target: DrainTarget,
  maxWaitMs: number,
  ended: () => boolean,
  clock: DrainClock,
): Promise<boolean> {
  const start = clock.now();
  let interval = DRAIN_FIRST_LINE_MS;
  let nextLine = start + interval;
  while (target.clients > 0) {
    const now = clock.now();
    if (ended()) return false;
    if (maxWaitMs > 0 && now - start >= maxWaitMs) {
      serverLog.warn(`drain: the time is up, ${left(target.clients)}`);
      return false;
    }
    if (now >= nextLine) {
      serverLog.info(`drain: ${left(target.clients)}`);
      interval = Math.min(DRAIN_LINE_MS, 2 * interval);
      nextLine = now + interval;
    }
    await clock.sleep(DRAIN_POLL_MS);
  }
  return true;
}

function left(clients: number): string {
  return clients === 1 ? "1 client left" : `${clients} clients left`;
}
