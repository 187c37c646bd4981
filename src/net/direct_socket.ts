/**
 * A connection that is driven by system calls: sending is one `send(2)` of the shared view, with nothing
 * allocated and no callback, and the event loop tells what comes in.
 * @module
 */

import { RECEIVE_BYTES } from "./limits.ts";
import { Epoll } from "../runtime/epoll.ts";
import { connectionError, type Libc } from "../runtime/libc.ts";
import type { EventLoop, Watcher } from "./event_loop.ts";

const RECEIVE_SIZE = BigInt(RECEIVE_BYTES);
/** What comes in, of whichever connection: it is lent for the time of a call. */
const received = new Uint8Array(RECEIVE_BYTES);
/** ... of one that is read while another one's bytes are being told. */
const receivedWithin = new Uint8Array(RECEIVE_BYTES);

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

/** What a connection is for: one whose purpose is not known yet is heard as soon as the runtime is. */
export type Role = "player" | "publisher" | null;

/** See above. */
export class DirectSocket implements Watcher {
  readonly #fd: number;
  readonly #owner: DirectOwner;
  readonly #libc: Libc;
  readonly #loop: EventLoop;
  /** What the kernel has not taken, in order; the first of it from `#sent` on. */
  readonly #pending: Uint8Array[] = [];
  #sent = 0;
  #pendingBytes = 0;
  #reading = true;
  #ending = false;
  #gone = false;
  #role: Role = null;
  /** `Epoll` bits that it is watched for. */
  #interest: number = Epoll.IN;

  private constructor(fd: number, owner: DirectOwner, libc: Libc, loop: EventLoop) {
    this.#fd = fd;
    this.#owner = owner;
    this.#libc = libc;
    this.#loop = loop;
  }

  /** Takes a connection, with its descriptor, which is closed with it; null: it cannot be watched. */
  static adopt(fd: number, owner: DirectOwner, libc: Libc, loop: EventLoop): DirectSocket | null {
    const socket = new DirectSocket(fd, owner, libc, loop);
    return loop.watch(fd, socket.#interest, socket) ? socket : null;
  }

  /** Bytes given to `send` that the kernel has not taken. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Sends bytes in order; false: they are not all through, and must not change until they are. */
  send(bytes: Uint8Array): boolean {
    if (this.#gone) return true;
    // The kernel takes nothing of nothing, which looks as if there were no room.
    if (bytes.length === 0) return this.#pendingBytes === 0;
    let sent = 0;
    if (this.#pendingBytes === 0) {
      sent = this.#libc.send(this.#fd, bytes);
      if (sent === bytes.length) return true;
      // A failure shows itself to the next look.
      this.#sent = sent = Math.max(0, sent);
    }
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length - sent;
    if (this.#pending.length === 1) {
      this.#loop.wait(1);
      this.#watch();
    }
    return false;
  }

  /** Switches TCP_NODELAY. */
  setNoDelay(on: boolean): void {
    if (!this.#gone) this.#libc.setNoDelay(this.#fd, on);
  }

  /** What it is for. While there are publishers, the event loop has the thread. */
  setRole(role: Role): void {
    if (this.#gone || this.#role === role) return;
    if (this.#role === "publisher") this.#loop.publish(-1);
    this.#role = role;
    if (role === "publisher") this.#loop.publish(1);
  }

  /** Takes what comes in, or leaves it in the kernel. */
  setReading(on: boolean): void {
    if (this.#reading === on || this.#gone) return;
    this.#reading = on;
    this.#watch();
  }

  /** Takes what has come so far, as long as `goesOn`; false: the peer has closed its side. */
  receive(goesOn: () => boolean): boolean {
    let size;
    do {
      size = this.#libc.receive(this.#fd, receivedWithin, RECEIVE_SIZE);
      if (size > 0) this.#owner.onBytes(receivedWithin.subarray(0, size));
    } while (size === RECEIVE_BYTES && !this.#gone && goesOn());
    return size !== 0;
  }

  /** Sends what is pending, then says that nothing more comes. The peer is expected to close. */
  end(): void {
    if (this.#ending || this.#gone) return;
    this.#ending = true;
    if (this.#pendingBytes === 0) this.#libc.endSending(this.#fd);
  }

  /** Closes at once, whatever is pending. */
  destroy(error: Error | null = null): void {
    if (this.#gone) return;
    this.setRole(null);
    this.#gone = true;
    if (this.#pendingBytes > 0) this.#loop.wait(-1);
    this.#pending.length = this.#pendingBytes = 0;
    this.#loop.close(this.#fd);
    this.#loop.turn();
    queueMicrotask(() => this.#owner.onGone(error));
  }

  /** `Watcher` */
  onFault(error: unknown): void {
    this.destroy(error instanceof Error ? error : new Error(String(error)));
  }

  /** `Watcher` */
  onEvents(events: number): void {
    if (this.#role === null) this.#loop.turn();
    if ((events & Epoll.OUT) !== 0) this.#sendOn();
    if (this.#gone) return;
    if ((events & Epoll.ERR) !== 0) {
      return this.destroy(connectionError(this.#libc.takeError(this.#fd)));
    }
    if ((events & (Epoll.IN | Epoll.HUP)) === 0) return;
    const size = this.#libc.receive(this.#fd, received, RECEIVE_SIZE);
    if (size > 0) return this.#owner.onBytes(received.subarray(0, size));
    // Both sides are closed: with our end before it that is as it should be.
    if ((events & Epoll.HUP) !== 0) {
      const error = this.#libc.takeError(this.#fd);
      this.destroy(this.#ending && error === 0 ? null : connectionError(error));
    } else if (size === 0) this.#ended();
  }

  /** The peer has closed its side; what it is still to be sent may be all that is missing. */
  #ended(): void {
    this.setReading(false);
    this.#loop.turn();
    if (this.#ending && this.#pendingBytes === 0) this.destroy();
    else this.#owner.onEnd();
  }

  #sendOn(): void {
    if (this.#pending.length === 0) return;
    while (this.#pending.length > 0) {
      const [first] = this.#pending;
      const rest = this.#sent === 0 ? first : first.subarray(this.#sent);
      const sent = this.#libc.send(this.#fd, rest);
      if (sent <= 0) return;
      this.#pendingBytes -= sent;
      if (sent < rest.length) {
        this.#sent += sent;
        return;
      }
      this.#sent = 0;
      this.#pending.shift();
    }
    this.#loop.wait(-1);
    this.#watch();
    if (this.#ending) this.#libc.endSending(this.#fd);
    this.#owner.onDrained();
  }

  #watch(): void {
    const interest = (this.#reading ? Epoll.IN : 0) | (this.#pendingBytes > 0 ? Epoll.OUT : 0);
    if (interest === this.#interest) return;
    this.#interest = interest;
    this.#loop.change(this.#fd, interest);
  }
}
