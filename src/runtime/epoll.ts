/**
 * The kernel's list of descriptors that something has happened to.
 * @module
 */

import { MAX_EVENTS } from "./limits.ts";
import process from "node:process";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** Bits of an epoll event: readable, writable, failed, both sides closed; told once for each change. */
export const Epoll = { IN: 1, OUT: 4, ERR: 8, HUP: 16, EDGE: 0x80000000 } as const;

/** `struct epoll_event` is packed on x86-64 and nowhere else: bytes of one, and of its data's offset. */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const EVENT_DATA = process.arch === "x64" ? 4 : 8;

/** The calls of the C library that are needed. */
export interface EpollFunctions {
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint8Array<ArrayBuffer>): number;
  epoll_wait(epoll: number, events: Uint8Array<ArrayBuffer>, most: number, ms: number): number;
}

/** `epoll_wait` in another thread; null: the runtime has no such calls. */
export type WaitAside =
  | ((epoll: number, events: Uint8Array<ArrayBuffer>, most: number, ms: number) => Promise<number>)
  | null;

/** An epoll instance, level-triggered. */
export class EpollSet {
  /** Its own descriptor. */
  readonly fd: number;
  readonly #c: EpollFunctions;
  readonly #events = new Uint8Array(EVENT_BYTES * MAX_EVENTS);
  readonly #view = new DataView(this.#events.buffer);
  readonly #change = new Uint8Array(EVENT_BYTES);
  readonly #changeView = new DataView(this.#change.buffer);
  readonly #aside: WaitAside;
  /** What the other thread writes and nobody reads. */
  readonly #seenAside = new Uint8Array(EVENT_BYTES);

  /** @throws Error when no file can be opened any more. */
  constructor(functions: EpollFunctions, aside: WaitAside = null) {
    this.#c = functions;
    this.#aside = aside;
    this.fd = functions.epoll_create1(EPOLL_CLOEXEC);
    if (this.fd < 0) {
      throw new Error("epoll_create1 failed: raise the limit on open files (ulimit -n)");
    }
  }

  /** Watches a descriptor for these events, for failures always. False: it cannot be watched. */
  add(fd: number, events: number): boolean {
    return this.#control(EPOLL_CTL_ADD, fd, events);
  }

  /** Watches it for others. */
  change(fd: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, events);
  }

  /** Watches it no more. */
  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  /** What has happened, or does within `ms`: the number of events, `MAX_EVENTS` at most. */
  take(ms = 0): number {
    return Math.max(0, this.#c.epoll_wait(this.fd, this.#events, MAX_EVENTS, ms));
  }

  /** Whether `wait` can be called. */
  get canWait(): boolean {
    return this.#aside !== null;
  }

  /** Resolves when there is something to take, or after `ms`; this thread goes on meanwhile. */
  async wait(ms: number): Promise<void> {
    await this.#aside?.(this.fd, this.#seenAside, 1, ms);
  }

  /** Descriptor of an event that was taken. */
  fdAt(index: number): number {
    return this.#view.getInt32(index * EVENT_BYTES + EVENT_DATA, true);
  }

  /** What happened to it, `Epoll` bits. */
  eventsAt(index: number): number {
    return this.#view.getUint32(index * EVENT_BYTES, true);
  }

  #control(operation: number, fd: number, events: number): boolean {
    this.#changeView.setUint32(0, events, true);
    this.#changeView.setInt32(EVENT_DATA, fd, true);
    return this.#c.epoll_ctl(this.fd, operation, fd, this.#change) === 0;
  }
}
