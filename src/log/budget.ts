/**
 * How many lines one connection, and one address with all its connections, may have in the log: a
 * client that changes channel or reconnects in a loop would fill disks otherwise (H46). What is left
 * out is counted, and the count is a line.
 *
 * The lines of figures, one for each connection every `pithy_print_ms`, are not part of it.
 * @module
 */

import { MAX_ADDRESSES, MAX_TOLD, TELL_MS } from "./limits.ts";
import { addressGroup } from "./address_group.ts";
import { connectionLog, type Log } from "./log.ts";

/** Lines at once, and more per second, without an end. */
export interface LineRate {
  readonly burst: number;
  readonly perSecond: number;
}

/** A usual connection has ten to twenty lines; a player that changes channel has six for each change. */
export const CONNECTION_LINES: LineRate = { burst: 200, perSecond: 2 };

/**
 * Behind one address may be thousands of players that come at once, by NAT or a proxy. 50 lines a second
 * are about 10 KB.
 */
export const ADDRESS_LINES: LineRate = { burst: 10_000, perSecond: 50 };

/** Lines that may be written now, and those that were not. */
class Allowance {
  leftOut = 0;
  readonly #rate: LineRate;
  #lines: number;
  #at: number;

  constructor(rate: LineRate, now: number) {
    this.#rate = rate;
    this.#lines = rate.burst;
    this.#at = now;
  }

  /** Whether there is one; it is not taken. */
  has(now: number): boolean {
    const { burst, perSecond } = this.#rate;
    this.#lines = Math.min(burst, this.#lines + Math.max(0, now - this.#at) * perSecond / 1000);
    this.#at = now;
    return this.#lines >= 1;
  }

  take(): void {
    this.#lines--;
  }

  /** The number of lines left out so far, to be said now. */
  told(): number {
    const count = this.leftOut;
    this.leftOut = 0;
    return count;
  }
}

/** What addresses have left: one per thread. */
export class LineBudget {
  readonly #now: () => number;
  readonly #addresses = new Map<string, Allowance>();
  /** Addresses whose left-out lines have not been reported yet. */
  readonly #untold = new Set<string>();
  #toldAt = -Infinity;

  /** `now`: steady ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#addresses.size;
  }

  /** The log of a connection from `address`. */
  log(id: string, address: string): Log {
    return new BudgetedLog(this, connectionLog(id), addressGroup(address), this.#now);
  }

  /** Whether an address may have one more line, which it has then. */
  takes(group: string): boolean {
    const now = this.#now();
    const allowance = this.#addresses.get(group) ?? this.#remember(group, now);
    if (allowance.has(now)) {
      allowance.take();
      return true;
    }
    allowance.leftOut++;
    this.#untold.add(group);
    return false;
  }

  /** Says of which addresses lines were left out, every `TELL_MS`. To be called more often than that. */
  tell(log: Log): void {
    const now = this.#now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    let lines = 0;
    for (const group of this.#untold) {
      if (lines++ >= MAX_TOLD) return;
      this.#untold.delete(group);
      const count = this.#addresses.get(group)?.told() ?? 0;
      if (count > 0) log.warn(`${count} lines left out, of connections from ${group}`);
    }
  }

  #remember(group: string, now: number): Allowance {
    for (const oldest of this.#addresses.keys()) {
      if (this.#addresses.size < MAX_ADDRESSES) break;
      this.#addresses.delete(oldest);
      this.#untold.delete(oldest);
    }
    const allowance = new Allowance(ADDRESS_LINES, now);
    this.#addresses.set(group, allowance);
    return allowance;
  }
}

class BudgetedLog implements Log {
  readonly #budget: LineBudget;
  readonly #log: Log;
  readonly #group: string;
  readonly #now: () => number;
  readonly #own: Allowance;
  #closing = false;

  constructor(budget: LineBudget, log: Log, group: string, now: () => number) {
    this.#budget = budget;
    this.#log = log;
    this.#group = group;
    this.#now = now;
    this.#own = new Allowance(CONNECTION_LINES, now());
  }

  get id(): string {
    return this.#log.id;
  }

  debug(text: string): void {
    this.#log.debug(text);
  }

  info(text: string): void {
    if (this.#takes()) this.#log.info(text);
  }

  warn(text: string, code?: number): void {
    if (this.#takes()) this.#log.warn(text, code);
  }

  error(text: string, code?: number, error?: unknown): void {
    if (this.#takes()) this.#log.error(text, code, error);
  }

  figures(text: string): void {
    this.#log.info(text);
  }

  closing(): void {
    this.#closing = true;
  }

  #takes(): boolean {
    if (!this.#closing && !this.#own.has(this.#now())) {
      this.#own.leftOut++;
      return false;
    }
    if (!this.#budget.takes(this.#group)) return false;
    this.#own.take();
    const leftOut = this.#own.told();
    if (leftOut > 0) {
      this.#own.take();
      this.#log.warn(`${leftOut} lines left out`);
    }
    return true;
  }
}

/** This thread's. */
export const lineBudget: LineBudget = new LineBudget();
