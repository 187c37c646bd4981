/**
 * The last guard against faults of ours that belong to no connection: they are logged once for each kind,
 * counted, and end nothing. Whatever has one of them may work badly from there on; all the others go on.
 * @module
 */

import { MAX_KINDS } from "./limits.ts";
import process from "node:process";
import { outliveFaults } from "../log/crash.ts";
import { type Log, serverLog } from "../log/log.ts";
import { reportFaults } from "./faults.ts";

/** Catches faults, and counts them by kind. */
export class FaultGuard {
  readonly #log: Log;
  readonly #counts = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Faults so far. */
  get count(): number {
    return this.#counts.values().reduce((sum, count) => sum + count, 0);
  }

  /** Runs `work`, whose fault ends nothing else. `what`: where it happens, for the log. */
  run(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.note(what, error);
    }
  }

  /**
   * Takes a fault that has been caught elsewhere. The first of its kind is logged, and each after which
   * their number is ten times as large.
   */
  note(what: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const known = this.#counts.has(`${what} ${message}`) || this.#counts.size < MAX_KINDS;
    const kind = known ? `${what} ${message}` : "others";
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (!/^10*$/.test(String(count))) return;
    const times = count === 1 ? "" : `, ${count} times now`;
    this.#log.error(`internal fault in ${what}, the server goes on${times}`, undefined, error);
  }

  /**
   * From now on no uncaught exception and no unhandled rejection ends this process, or this thread: it is
   * the net below timers, callbacks of the runtime, messages of threads and promises.
   */
  watchProcess(): void {
    outliveFaults();
    reportFaults((what, error) => this.note(what, error));
    process.on("uncaughtException", (error) => this.note("a callback", error));
    process.on("unhandledRejection", (error) => this.note("a promise", error));
  }
}

/** Of this thread. */
export const faults: FaultGuard = new FaultGuard(serverLog);
