/**
 * Which worker has which stream. A stream is published in one worker at a time; those that know it
 * otherwise are its watchers, and get it from there.
 * @module
 */

import { CLEAR, type Clearance, type Evicted } from "../live/publication/takeover.ts";
import type { ToWorker } from "./messages.ts";

/** A client that wants to publish. */
interface Claim {
  readonly worker: number;
  readonly id: number;
  readonly address: string;
}

interface Entry {
  readonly key: string;
  owner: number | null;
  /** Number of the newest grant. */
  epoch: number;
  readonly watchers: Set<number>;
  readonly claims: Claim[];
  /** The worker that has been asked whether it yields to the first claim. */
  asked: number | null;
  readonly time: SharedArrayBuffer;
  evicted: readonly Evicted[];
}

/** A `clear` that not all others have answered. */
interface Clearing {
  /** Who wants to know, and by which id. */
  readonly worker: number;
  readonly id: number;
  readonly waiting: Set<number>;
  found: Clearance;
}

/** The coordinator's table of streams. Driven by calls alone. */
export class Directory {
  readonly #send: (worker: number, message: ToWorker) => void;
  readonly #liveChanged: (key: string, live: boolean) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #clearings = new Map<number, Clearing>();
  #nextClearing = 1;

  /** `liveChanged` is told when a stream has a worker that publishes it, and when it has none. */
  constructor(
    send: (worker: number, message: ToWorker) => void,
    liveChanged: (key: string, live: boolean) => void = () => {},
  ) {
    this.#send = send;
    this.#liveChanged = liveChanged;
  }

  /** Streams known. */
  get size(): number {
    return this.#entries.size;
  }

  /** A worker has come to know a stream, as every one that claims it does before. */
  watch(worker: number, key: string): void {
    const entry = this.#entries.get(key) ?? this.#add(key);
    entry.watchers.add(worker);
    if (entry.owner !== null && entry.owner !== worker) {
      this.#send(entry.owner, { kind: "subscribe", key, worker });
    }
  }

  /** A worker has forgotten a stream. */
  unwatch(worker: number, key: string): void {
    const entry = this.#entries.get(key);
    if (!entry?.watchers.delete(worker)) return;
    if (entry.owner !== null && entry.owner !== worker) {
      this.#send(entry.owner, { kind: "unsubscribe", key, worker });
    }
    if (entry.watchers.size === 0) this.#entries.delete(key);
  }

  /** A client of a worker wants to publish; the answer is `grant` or `deny`, in the order of asking. */
  claim(worker: number, id: number, key: string, address: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return this.#send(worker, { kind: "deny", id });
    entry.claims.push({ worker, id, address });
    this.#decide(entry);
  }

  /**
   * All others that know the stream are asked to make way; also one whose publisher has just gone may have
   * something to deliver. The answer is `cleared`.
   */
  clear(worker: number, id: number, key: string, address: string | null): void {
    const waiting = new Set(this.#entries.get(key)?.watchers);
    waiting.delete(worker);
    const number = this.#nextClearing++;
    const clearing: Clearing = { worker, id, waiting, found: CLEAR };
    this.#clearings.set(number, clearing);
    for (const other of waiting) this.#send(other, { kind: "clear", id: number, key, address });
    this.#answerClearing(number, clearing);
  }

  /** The answer of one of them. */
  cleared(worker: number, number: number, { kept, present }: Clearance): void {
    const clearing = this.#clearings.get(number);
    if (!clearing?.waiting.delete(worker)) return;
    const { found } = clearing;
    clearing.found = { kept: found.kept || kept, present: found.present || present };
    this.#answerClearing(number, clearing);
  }

  #answerClearing(number: number, { worker, id, waiting, found }: Clearing): void {
    if (waiting.size > 0) return;
    this.#clearings.delete(number);
    this.#send(worker, { kind: "cleared", id, found });
  }

  /** The publisher of a worker has gone. An older grant than the newest one is not meant any more. */
  release(worker: number, key: string, epoch: number): void {
    const entry = this.#entries.get(key);
    if (entry?.owner !== worker || entry.epoch !== epoch) return;
    entry.owner = null;
    this.#liveChanged(key, false);
  }

  /** The owner's answer to `yield`. */
  yielded(worker: number, key: string, yes: boolean, evicted: readonly Evicted[]): void {
    const entry = this.#entries.get(key);
    if (entry?.asked !== worker) return;
    entry.asked = null;
    entry.evicted = evicted;
    if (yes || entry.owner === null) {
      // Who wanted it may have gone meanwhile.
      if (entry.owner !== null && entry.claims.length === 0) this.#liveChanged(key, false);
      entry.owner = null;
    } else {
      const claim = entry.claims.shift();
      if (claim) this.#send(claim.worker, { kind: "deny", id: claim.id });
    }
    this.#decide(entry);
  }

  /** A worker has ended: what it had is free. */
  gone(worker: number): void {
    for (const [number, clearing] of this.#clearings) {
      if (clearing.worker === worker) this.#clearings.delete(number);
      else this.cleared(worker, number, CLEAR);
    }
    for (const entry of this.#entries.values()) {
      entry.watchers.delete(worker);
      if (entry.owner === worker) {
        entry.owner = null;
        this.#liveChanged(entry.key, false);
      }
      const left = entry.claims.filter((claim) => claim.worker !== worker);
      entry.claims.splice(0, entry.claims.length, ...left);
      if (entry.asked === worker) entry.asked = null;
      if (entry.watchers.size === 0) this.#entries.delete(entry.key);
      else this.#decide(entry);
    }
  }

  /** Grants what can be granted, one claim after the other. */
  #decide(entry: Entry): void {
    while (entry.asked === null) {
      const [claim] = entry.claims;
      if (!claim) return;
      if (entry.owner !== null && entry.owner !== claim.worker) {
        entry.asked = entry.owner;
        this.#send(entry.owner, { kind: "yield", key: entry.key, address: claim.address });
        return;
      }
      entry.claims.shift();
      entry.owner = claim.worker;
      entry.epoch++;
      this.#liveChanged(entry.key, true);
      this.#send(claim.worker, {
        kind: "grant",
        id: claim.id,
        key: entry.key,
        epoch: entry.epoch,
        watchers: [...entry.watchers].filter((watcher) => watcher !== claim.worker),
        time: entry.time,
        evicted: entry.evicted,
      });
    }
  }

  #add(key: string): Entry {
    const time = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
    new Float64Array(time)[0] = -1;
    const entry: Entry = {
      key,
      owner: null,
      epoch: 0,
      watchers: new Set(),
      claims: [],
      asked: null,
      time,
      evicted: [],
    };
    this.#entries.set(key, entry);
    return entry;
  }
}
