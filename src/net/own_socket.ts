/**
 * A connection of this thread's event loop, as the rest of the server sees it.
 * @module
 */

import { CLOSE_LINGER_MS } from "./limits.ts";
import type { ListenAddress } from "../config/types.ts";
import { guarded } from "../runtime/faults.ts";
import type { Libc } from "../runtime/libc.ts";
import { type DirectOwner, DirectSocket, type Role } from "./direct_socket.ts";
import type { EventLoop } from "./event_loop.ts";
import type { TcpHandler, TcpSocket } from "./socket.ts";

/** Both ends of a connection. */
export interface Ends {
  readonly peer: ListenAddress;
  /** Our own address alone. */
  readonly localAddress: string;
}

/** See above. Nobody is told anything before `attach`. */
export class OwnSocket implements TcpSocket, DirectOwner {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly remote: string;
  readonly #loop: EventLoop;
  readonly #direct: DirectSocket;
  readonly #over: () => void;
  #handler: TcpHandler | null = null;
  #paused = false;
  #closing = false;
  #cancelLinger: (() => void) | null = null;

  /**
   * `fd` belongs to it from now on; `over` is called once, when the connection is over.
   * @throws Error when the kernel does not watch it; the caller still has `fd` then.
   */
  constructor(libc: Libc, loop: EventLoop, fd: number, ends: Ends, over: () => void = () => {}) {
    const { host, port } = ends.peer;
    this.remoteAddress = host;
    this.remote = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    this.localAddress = ends.localAddress;
    this.#loop = loop;
    this.#over = over;
    const direct = DirectSocket.adopt(fd, this, libc, loop);
    if (!direct) throw new Error("the kernel watches no more connections");
    this.#direct = direct;
  }

  /** Whom it is to tell. */
  attach(handler: TcpHandler): void {
    this.#handler = handler;
  }

  get pendingBytes(): number {
    return this.#direct.pendingBytes;
  }

  send(bytes: Uint8Array): boolean {
    return this.#closing || this.#direct.send(bytes);
  }

  setNoDelay(on: boolean): void {
    this.#direct.setNoDelay(on);
  }

  pauseReading(): void {
    if (this.#closing) return;
    this.#paused = true;
    this.#direct.setReading(false);
  }

  resumeReading(): void {
    if (this.#closing) return;
    this.#paused = false;
    this.#direct.setReading(true);
  }

  readWaiting(): boolean {
    return this.#paused && !this.#closing &&
      this.#direct.receive(() => this.#paused && !this.#closing);
  }

  expect(role: Role): void {
    this.#direct.setRole(role);
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    // Unread bytes would make the kernel reset the connection and lose our last words.
    this.#direct.setReading(true);
    this.#direct.setRole(null);
    this.#direct.end();
    this.#cancelLinger = this.#loop.after(CLOSE_LINGER_MS, () => this.abort());
  }

  abort(): void {
    this.#closing = true;
    this.#direct.destroy();
  }

  /** `DirectOwner` */
  onBytes(bytes: Uint8Array): void {
    if (!this.#closing) this.#handler?.onBytes(bytes);
  }

  /** `DirectOwner` */
  onDrained(): void {
    if (!this.#closing) this.#handler?.onWritable();
  }

  /** `DirectOwner` */
  onEnd(): void {
    if (!this.#closing && this.#handler?.onEnd?.()) return;
    this.close();
  }

  /** `DirectOwner` */
  onGone(error: Error | null): void {
    this.#cancelLinger?.();
    this.#closing = true;
    const handler = this.#handler;
    this.#handler = null;
    this.#over();
    guarded("the end of a connection", () => handler?.onClose(error));
  }
}
