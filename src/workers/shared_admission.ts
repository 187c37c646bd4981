/**
 * Limits on connections that hold over all workers: the counters are in shared memory, and a thread that
 * changes them holds a lock for about a microsecond.
 *
 *     int32   0: the lock, 1..: connections of each worker
 *     then entries for addresses in sets of `WAYS`:
 *     int32   0, 1: hash of the address, 2: start of the second, 3: connections begun in it,
 *             4..: connections open in each worker
 *
 * @module
 */

import { LOCK_WAIT_MS, MAX_ENTRIES, RATE_WINDOW_MS } from "./limits.ts";
import type { Config } from "../config/types.ts";
import { addressGroup } from "../log/address_group.ts";

/** The limits; 0 = none. */
export type AdmissionLimits = Pick<
  Config,
  "maxConnections" | "maxConnectionsPerIp" | "connectRatePerIp"
>;

/** Entries that an address may be in. */
const WAYS = 32;
/** Entries for each connection that may be open: sets are never near full then. */
const ENTRIES_PER_CONNECTION = 4;
/** Times that it looks before it sleeps. */
const LOCK_SPINS = 200;

const LOCK = 0;
const OPEN = 1;
/** Fields of an entry before those of the workers. */
const Field = { HASH_A: 0, HASH_B: 1, WINDOW: 2, IN_WINDOW: 3, OPEN: 4 } as const;

/** Memory for that many workers. */
export function admissionMemory(limits: AdmissionLimits, workers: number): SharedArrayBuffer {
  const ints = OPEN + workers + entriesFor(limits) * entrySize(workers);
  return new SharedArrayBuffer(ints * Int32Array.BYTES_PER_ELEMENT);
}

function entrySize(workers: number): number {
  return Field.OPEN + workers;
}

/** There are some without limits too: a reload may bring them. */
function entriesFor(limits: AdmissionLimits): number {
  const wanted = Math.min(MAX_ENTRIES, ENTRIES_PER_CONNECTION * limits.maxConnections);
  return WAYS * Math.ceil(wanted / WAYS);
}

/** One worker's access to the counters. */
export class SharedAdmission {
  #limits: AdmissionLimits;
  readonly #cells: Int32Array;
  readonly #workers: number;
  readonly #column: number;
  readonly #entries: number;

  /** `column`: which of the `workers` this is, from 0; the coordinator is the one after the last. */
  constructor(
    limits: AdmissionLimits,
    memory: SharedArrayBuffer,
    workers: number,
    column: number,
  ) {
    this.#limits = limits;
    this.#cells = new Int32Array(memory);
    this.#workers = workers;
    this.#column = column;
    this.#entries = (this.#cells.length - OPEN - workers) / entrySize(workers);
  }

  /** Connections that are open now, of all workers. */
  get open(): number {
    return this.#sum(OPEN);
  }

  /** Other limits, for those who come from now on. */
  configure(limits: AdmissionLimits): void {
    this.#limits = limits;
  }

  /** Lets a connection in, returning null, or says which limit is in the way. `nowMs`: Unix time. */
  admit(address: string, nowMs: number): string | null {
    const group = addressGroup(address);
    return this.#locked(() => this.#admit(group, nowMs));
  }

  /** A connection that was let in is over. */
  leave(address: string): void {
    const group = addressGroup(address);
    this.#locked(() => {
      this.#cells[OPEN + this.#column]--;
      const at = this.#find(group, null);
      if (at < 0) return;
      const cell = at + Field.OPEN + this.#column;
      // It may have been let in uncounted, while its set was full, before the address got an entry.
      if (this.#cells[cell] > 0) this.#cells[cell]--;
    });
  }

  /** The coordinator's: the worker of that column has ended, and its connections with it. */
  forget(column: number): void {
    const cells = this.#cells;
    // It may have ended while it had the lock; all others wait for it then.
    Atomics.compareExchange(cells, LOCK, column + 1, 0);
    this.#locked(() => {
      cells[OPEN + column] = 0;
      for (let i = 0; i < this.#entries; i++) cells[this.#entryAt(i) + Field.OPEN + column] = 0;
    });
  }

  #admit(address: string, nowMs: number): string | null {
    const { maxConnections, maxConnectionsPerIp, connectRatePerIp } = this.#limits;
    const cells = this.#cells;
    if (maxConnections > 0 && this.#sum(OPEN) >= maxConnections) {
      return `max_connections=${maxConnections}`;
    }
    const now = nowMs | 0;
    const at = this.#find(address, now);
    // All places of its set are taken by others: it is let in, uncounted.
    if (at >= 0) {
      if (maxConnectionsPerIp > 0 && this.#sum(at + Field.OPEN) >= maxConnectionsPerIp) {
        return `max_connections_per_ip=${maxConnectionsPerIp}`;
      }
      if (this.#isOld(at, now)) {
        cells[at + Field.WINDOW] = now;
        cells[at + Field.IN_WINDOW] = 0;
      }
      if (connectRatePerIp > 0 && cells[at + Field.IN_WINDOW] >= connectRatePerIp) {
        return `connect_rate_per_ip=${connectRatePerIp}`;
      }
      cells[at + Field.IN_WINDOW]++;
      cells[at + Field.OPEN + this.#column]++;
    }
    cells[OPEN + this.#column]++;
    return null;
  }

  /** Where an address's entry begins; with `now` one is made if need be. -1: there is none. */
  #find(address: string, now: number | null): number {
    const cells = this.#cells;
    const a = hash(address, 0x811c9dc5) || 1;
    const b = hash(address, 0x2c1b3c6d);
    const sets = this.#entries / WAYS;
    const first = ((a >>> 0) % sets) * WAYS;
    let free = -1;
    for (let i = first; i < first + WAYS; i++) {
      const at = this.#entryAt(i);
      if (cells[at + Field.HASH_A] === a && cells[at + Field.HASH_B] === b) return at;
      if (now === null || free >= 0) continue;
      const unused = cells[at + Field.HASH_A] === 0 ||
        (this.#sum(at + Field.OPEN) === 0 && this.#isOld(at, now));
      if (unused) free = at;
    }
    if (free < 0 || now === null) return -1;
    cells.fill(0, free, free + Field.OPEN + this.#workers);
    cells[free + Field.HASH_A] = a;
    cells[free + Field.HASH_B] = b;
    cells[free + Field.WINDOW] = now;
    return free;
  }

  #entryAt(index: number): number {
    return OPEN + this.#workers + index * entrySize(this.#workers);
  }

  /** Whether the entry's second is over; a clock that was set back begins a new one. */
  #isOld(at: number, now: number): boolean {
    const age = (now - this.#cells[at + Field.WINDOW]) | 0;
    return age < 0 || age >= RATE_WINDOW_MS;
  }

  #sum(first: number): number {
    let sum = 0;
    for (let i = first; i < first + this.#workers; i++) sum += this.#cells[i];
    return sum;
  }

  #locked<T>(work: () => T): T {
    const cells = this.#cells;
    for (let spins = 0; Atomics.compareExchange(cells, LOCK, 0, this.#column + 1) !== 0; spins++) {
      if (spins < LOCK_SPINS) continue;
      Atomics.wait(cells, LOCK, Atomics.load(cells, LOCK), LOCK_WAIT_MS);
    }
    try {
      return work();
    } finally {
      Atomics.store(cells, LOCK, 0);
    }
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value;
}
