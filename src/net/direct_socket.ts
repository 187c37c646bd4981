/**
 * Connections that are driven by system calls: those of players, which are sent much and say little.
 *
 * Sending is one `send(2)` of the shared view, with nothing allocated and no callback. What comes
 * in, and room for what did not go through, is looked for by one timer for all of them: a player's
 * "pause" may wait for some ms, and a connection that has something to send is looked at more often.
 * @module
 */

import { DEAF_LOOK_MS, MAX_URGENT_LOOK_MS, RECEIVE_BYTES, URGENT_LOOK_MS } from "./limits.ts";
import { MAX_EVENTS } from "../runtime/limits.ts";
import { connectionError, Epoll, type EpollSet, type Libc } from "../runtime/libc.ts";

const RECEIVE_SIZE = BigInt(RECEIVE_BYTES);
/** Whom a direct socket tells what happens. */
export interface DirectOwner {
  /** Bytes have come; they are only lent for the time of the call. */
  onBytes(bytes: Uint8Array): void;
  /** Everything given to `send` is through. */
  onDrained(): void;
  /** The peer has closed its side. */
  onEnd(): void;
  /** The connection is over: the last call. Never within a call of the owner's. */
  onGone(error: Error | null): void;
}

/** One of them. Made by `DirectSockets.adopt`. */
export class DirectSocket {
  readonly fd: number;
  readonly owner: DirectOwner;
  readonly #libc: Libc;
  readonly #all: DirectSockets;
  /** What the kernel has not taken, in order; the first of it from `#sent` on. */
  readonly #pending: Uint8Array[] = [];
  #sent = 0;
  #pendingBytes = 0;
  #reading = true;
  #ending = false;
  #gone = false;
  #urgent = false;

  constructor(fd: number, owner: DirectOwner, libc: Libc, all: DirectSockets) {
    this.fd = fd;
    this.owner = owner;
    this.#libc = libc;
    this.#all = all;
  }

  /** Bytes given to `send` that the kernel has not taken. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** It wants to be looked at soon. */
  get waits(): boolean {
    return this.#urgent || this.#pendingBytes > 0;
  }

  /** `Epoll` bits that it is watched for. */
  get interest(): number {
    return (this.#reading ? Epoll.IN : 0) | (this.#pendingBytes > 0 ? Epoll.OUT : 0);
  }

  /** Sends bytes in order; false: they are not all through, and must not change until they are. */
  send(bytes: Uint8Array): boolean {
    if (this.#gone) return true;
    // The kernel takes nothing of nothing, which looks as if there were no room.
    if (bytes.length === 0) return this.#pendingBytes === 0;
    let sent = 0;
    if (this.#pendingBytes === 0) {
      sent = this.#libc.send(this.fd, bytes);
      if (sent === bytes.length) return true;
      // A failure shows itself to the next look.
      this.#sent = sent = Math.max(0, sent);
    }
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length - sent;
    if (this.#pending.length === 1) this.#all.changed(this);
    return false;
  }

  /** Switches TCP_NODELAY. */
  setNoDelay(on: boolean): void {
    if (!this.#gone) this.#libc.setNoDelay(this.fd, on);
  }

  /** It sends more than words from now on. */
  setUrgent(): void {
    if (this.#gone) return;
    this.#urgent = true;
    this.#all.changed(this);
  }

  /** Takes what comes in, or leaves it in the kernel. */
  setReading(on: boolean): void {
    if (this.#reading === on || this.#gone) return;
    this.#reading = on;
    this.#all.changed(this);
  }

  /** Sends what is pending, then says that nothing more comes. The peer is expected to close. */
  end(): void {
    if (this.#ending || this.#gone) return;
    this.#ending = true;
    if (this.#pendingBytes === 0) this.#libc.endSending(this.fd);
  }

  /** Closes at once, whatever is pending. */
  destroy(error: Error | null = null): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#pending.length = this.#pendingBytes = 0;
    this.#all.remove(this);
    queueMicrotask(() => this.owner.onGone(error));
  }

  /** Something has happened; `Epoll` bits. `into`: room for what has come. */
  look(events: number, into: Uint8Array, size: bigint): void {
    if ((events & Epoll.OUT) !== 0) this.#sendOn();
    if (this.#gone) return;
    if ((events & Epoll.ERR) !== 0) {
      return this.destroy(connectionError(this.#libc.takeError(this.fd)));
    }
    if ((events & (Epoll.IN | Epoll.HUP)) === 0) return;
    const received = this.#libc.receive(this.fd, into, size);
    if (received > 0) return this.owner.onBytes(into.subarray(0, received));
    // Both sides are closed: with our end before it that is as it should be.
    if ((events & Epoll.HUP) !== 0) {
      const error = this.#libc.takeError(this.fd);
      this.destroy(this.#ending && error === 0 ? null : connectionError(error));
    } else if (received === 0) this.#ended();
  }

  /** The peer has closed its side; what it is still to be sent may be all that is missing. */
  #ended(): void {
    this.setReading(false);
    if (this.#ending && this.#pendingBytes === 0) this.destroy();
    else this.owner.onEnd();
  }

  #sendOn(): void {
    while (this.#pending.length > 0) {
      const [first] = this.#pending;
      const rest = this.#sent === 0 ? first : first.subarray(this.#sent);
      const sent = this.#libc.send(this.fd, rest);
      if (sent <= 0) return;
      this.#pendingBytes -= sent;
      if (sent < rest.length) {
        this.#sent += sent;
        return;
      }
      this.#sent = 0;
      this.#pending.shift();
    }
    this.#all.changed(this);
    if (this.#ending) this.#libc.endSending(this.fd);
    this.owner.onDrained();
  }
}

/** All of a thread's direct sockets. */
export class DirectSockets {
  readonly #libc: Libc;
  readonly #epoll: EpollSet;
  /** By descriptor. */
  readonly #sockets: (DirectSocket | undefined)[] = [];
  readonly #into = new Uint8Array(RECEIVE_BYTES);
  /** Those of them that want to be looked at soon. */
  readonly #waiting = new Set<DirectSocket>();
  /** To be closed after this look: until then no other connection may get their numbers. */
  readonly #left: number[] = [];
  #count = 0;
  #looking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = 0;
  #urgentMs = URGENT_LOOK_MS;
  /** There was more to see than one look shows. */
  #more = false;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#epoll = libc.poller();
  }

  /** Takes a connection over, with the descriptor, which is closed with it; null: that is not possible. */
  adopt(fd: number, owner: DirectOwner): DirectSocket | null {
    const socket = new DirectSocket(fd, owner, this.#libc, this);
    if (!this.#epoll.add(fd, socket.interest)) return null;
    this.#sockets[fd] = socket;
    this.#count++;
    this.#wind();
    return socket;
  }

  /** What a socket is to be watched for, or how often, has changed. */
  changed(socket: DirectSocket): void {
    this.#epoll.change(socket.fd, socket.interest);
    if (socket.waits) {
      this.#waiting.add(socket);
      this.#urgentMs = URGENT_LOOK_MS;
    } else this.#waiting.delete(socket);
    this.#wind();
  }

  /** A socket is done with. */
  remove(socket: DirectSocket): void {
    this.#waiting.delete(socket);
    this.#sockets[socket.fd] = undefined;
    this.#count--;
    this.#epoll.remove(socket.fd);
    if (this.#looking) this.#left.push(socket.fd);
    else this.#libc.close(socket.fd);
  }

  /** Sets the timer for the next look, or leaves it if that comes soon enough. */
  #wind(): void {
    if (this.#looking) return;
    const ms = this.#waiting.size > 0 || this.#more ? this.#urgentMs : DEAF_LOOK_MS;
    if (this.#timer !== undefined && this.#timerMs <= ms) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    this.#timerMs = ms;
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    this.#looking = true;
    const events = this.#epoll.take();
    this.#more = events === MAX_EVENTS;
    this.#urgentMs = events > 0 ? URGENT_LOOK_MS : Math.min(2 * this.#urgentMs, MAX_URGENT_LOOK_MS);
    try {
      for (let i = 0; i < events; i++) {
        const socket = this.#sockets[this.#epoll.fdAt(i)];
        socket?.look(this.#epoll.eventsAt(i), this.#into, RECEIVE_SIZE);
      }
    } finally {
      this.#looking = false;
      for (const fd of this.#left.splice(0)) this.#libc.close(fd);
      this.#wind();
    }
  }
}
