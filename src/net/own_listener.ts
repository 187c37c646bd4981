/**
 * A listening socket of this thread's event loop.
 * @module
 */

import { FULL_LISTENER_MS, KEEPALIVE_MS, MAX_ACCEPTS } from "./limits.ts";
import type { ListenAddress } from "../config/types.ts";
import { Epoll } from "../runtime/epoll.ts";
import { guarded } from "../runtime/faults.ts";
import type { Libc } from "../runtime/libc.ts";
import type { EventLoop, Watcher } from "./event_loop.ts";
import { OwnSocket } from "./own_socket.ts";
import { fromSockaddr, SOCKADDR_BYTES, toSockaddr } from "./sockaddr.ts";
import type { TcpHandler, TcpListener, TcpSocket } from "./socket.ts";

/** See above. */
export class OwnListener implements TcpListener, Watcher {
  readonly address: ListenAddress;
  readonly #libc: Libc;
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #accept: (socket: TcpSocket) => TcpHandler | null;
  readonly #peer = new Uint8Array(SOCKADDR_BYTES);
  readonly #local = new Uint8Array(SOCKADDR_BYTES);
  #cancelRetry: (() => void) | null = null;
  #closed = false;

  private constructor(
    libc: Libc,
    loop: EventLoop,
    fd: number,
    asked: ListenAddress,
    accept: (socket: TcpSocket) => TcpHandler | null,
  ) {
    this.#libc = libc;
    this.#loop = loop;
    this.#fd = fd;
    this.#accept = accept;
    const port = libc.localOf(fd, this.#local) ? fromSockaddr(this.#local)?.port : undefined;
    this.address = { host: asked.host, port: port ?? asked.port };
  }

  /** Listens; null: it is not possible, for a reason that the runtime's own listener tells. */
  static open(
    libc: Libc,
    loop: EventLoop,
    address: ListenAddress,
    accept: (socket: TcpSocket) => TcpHandler | null,
    options: { readonly reusePort: boolean; readonly backlog: number },
  ): OwnListener | null {
    const where = toSockaddr(address);
    const fd = where ? libc.listener(where.bytes, { ...options, ipv6: where.ipv6 }) : -1;
    if (fd < 0) return null;
    const listener = new OwnListener(libc, loop, fd, address, accept);
    if (loop.watch(fd, Epoll.IN, listener)) return listener;
    libc.close(fd);
    return null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRetry?.();
    this.#loop.close(this.#fd);
  }

  /** `Watcher` */
  onEvents(): void {
    this.#loop.turn();
    for (let accepted = 0; accepted < MAX_ACCEPTS && !this.#closed; accepted++) {
      const fd = this.#libc.accept(this.#fd, this.#peer);
      if (fd >= 0) this.#take(fd);
      // One is there, and cannot be had: there are no descriptors.
      else return accepted === 0 ? this.#pause() : undefined;
    }
  }

  /** `Watcher`: a fault in an accept ends that connection, and is told there. */
  onFault(): void {}

  #take(fd: number): void {
    const peer = fromSockaddr(this.#peer);
    const local = this.#libc.localOf(fd, this.#local) ? fromSockaddr(this.#local) : null;
    if (!peer || !local) return this.#libc.close(fd);
    this.#libc.setNoDelay(fd, true);
    this.#libc.setKeepAlive(fd, KEEPALIVE_MS);
    const ends = { peer, localAddress: local.host };
    const socket = guarded("the accept of a connection", () => {
      try {
        return new OwnSocket(this.#libc, this.#loop, fd, ends);
      } catch (error) {
        this.#libc.close(fd);
        throw error;
      }
    });
    if (!socket) return;
    const handler = guarded("the accept of a connection", () => this.#accept(socket));
    if (handler) socket.attach(handler);
    else socket.abort();
  }

  #pause(): void {
    this.#loop.change(this.#fd, 0);
    this.#cancelRetry = this.#loop.after(FULL_LISTENER_MS, () => {
      this.#loop.change(this.#fd, Epoll.IN);
    });
  }
}
