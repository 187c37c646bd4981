/**
 * Outgoing connections of this thread's event loop.
 * @module
 */

import { lookup } from "node:dns";
import { isIP } from "node:net";
import { KEEPALIVE_MS } from "./limits.ts";
import type { ListenAddress } from "../config/types.ts";
import { Epoll } from "../runtime/epoll.ts";
import { connectionError } from "../runtime/libc.ts";
import type { Watcher } from "./event_loop.ts";
import type { OwnLoop } from "./own_loop.ts";
import { OwnSocket } from "./own_socket.ts";
import { fromSockaddr, SOCKADDR_BYTES, toSockaddr } from "./sockaddr.ts";

/** What becomes of an attempt: one of them is called, once. */
export interface ConnectEvents {
  connected(socket: OwnSocket): void;
  /** `error` has the system's code. */
  failed(error: Error): void;
}

/** Connects to a host: to its addresses one after the other, in the resolver's order. */
export class OwnConnect {
  readonly #own: OwnLoop;
  readonly #port: number;
  readonly #over: () => void;
  readonly #events: ConnectEvents;
  /** Addresses that have not been tried. */
  #left: string[] = [];
  #attempt: Attempt | null = null;
  #done = false;

  /** `over` is called when a connection that was made is over. */
  constructor(own: OwnLoop, to: ListenAddress, events: ConnectEvents, over: () => void) {
    this.#own = own;
    this.#port = to.port;
    this.#events = events;
    this.#over = over;
    // Nothing is told before the caller has what is returned.
    if (isIP(to.host) !== 0) queueMicrotask(() => this.#begin([to.host]));
    else {
      lookup(to.host, { all: true }, (error, found) => {
        if (error) this.#fail(error);
        else this.#begin(found.map(({ address }) => address));
      });
    }
  }

  /** Gives it up; nothing is told any more. */
  cancel(): void {
    this.#done = true;
    this.#attempt?.cancel();
  }

  #begin(addresses: string[]): void {
    this.#left = addresses;
    this.#next(new Error("the host has no address"));
  }

  #next(error: Error): void {
    if (this.#done) return;
    const host = this.#left.shift();
    if (host === undefined) return this.#fail(error);
    this.#attempt = new Attempt(this.#own, { host, port: this.#port }, (result) => {
      this.#attempt = null;
      if (result instanceof Error) this.#next(result);
      else this.#connected(result);
    });
  }

  #connected({ fd, peer, localAddress }: Connected): void {
    const { libc, loop } = this.#own;
    let socket;
    try {
      socket = new OwnSocket(libc, loop, fd, { peer, localAddress }, this.#over);
    } catch (error) {
      libc.close(fd);
      return this.#fail(error as Error);
    }
    this.#done = true;
    this.#events.connected(socket);
  }

  #fail(error: Error): void {
    if (this.#done) return;
    this.#done = true;
    this.#events.failed(error);
  }
}

/** An open connection that nobody watches. */
interface Connected {
  readonly fd: number;
  readonly peer: ListenAddress;
  readonly localAddress: string;
}

/** One address. */
class Attempt implements Watcher {
  readonly #own: OwnLoop;
  readonly #done: (result: Connected | Error) => void;
  #fd: number;

  constructor(own: OwnLoop, to: ListenAddress, done: (result: Connected | Error) => void) {
    this.#own = own;
    this.#done = done;
    const address = toSockaddr(to);
    this.#fd = address ? own.libc.connecting(address.bytes, address.ipv6) : -1;
    if (this.#fd >= 0 && own.loop.watch(this.#fd, Epoll.OUT, this)) return;
    if (this.#fd >= 0) own.libc.close(this.#fd);
    this.#fd = -1;
    queueMicrotask(() =>
      done(new Error("there is no descriptor left, or no such kind of address"))
    );
  }

  cancel(): void {
    if (this.#fd >= 0) this.#own.loop.close(this.#fd);
    this.#fd = -1;
  }

  /** `Watcher` */
  onEvents(): void {
    const { libc, loop } = this.#own;
    const fd = this.#fd;
    loop.turn();
    const error = libc.takeError(fd);
    const bytes = new Uint8Array(SOCKADDR_BYTES);
    const peer = error === 0 && libc.peerOf(fd, bytes) ? fromSockaddr(bytes) : null;
    const local = libc.localOf(fd, bytes) ? fromSockaddr(bytes) : null;
    if (!peer || !local) {
      this.cancel();
      // A failure that came at once is not told again.
      return this.#done(connectionError(error || ENETUNREACH));
    }
    loop.forget(fd);
    this.#fd = -1;
    libc.setNoDelay(fd, true);
    libc.setKeepAlive(fd, KEEPALIVE_MS);
    this.#done({ fd, peer, localAddress: local.host });
  }

  /** `Watcher`: what `done` had to do has failed, and is told. */
  onFault(): void {
    this.cancel();
  }
}

/** Linux's number: there is no way to the address. */
const ENETUNREACH = 101;
