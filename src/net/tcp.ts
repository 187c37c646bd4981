/**
 * The TCP adapter: a connection as the rest of the server sees it. `node:net` is native on both runtimes
 * and was measured to be the cheapest of their interfaces on Deno, and as cheap as the native one on Bun;
 * cheaper still are system calls, for the connections of players and of publishers without players.
 * @module
 */

import {
  CLOSE_LINGER_MS,
  DESCRIPTOR_RETRY_MS,
  KEEPALIVE_MS,
  RECEIVE_BYTES,
  UNREAD_BYTES,
} from "./limits.ts";
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import type { ListenAddress } from "../config/types.ts";
import { type DirectOwner, type DirectSocket, DirectSockets } from "./direct_socket.ts";
import { guarded } from "../runtime/faults.ts";
import {
  connectionError,
  type Libc,
  openLibc,
  startReading,
  stopReading,
} from "../runtime/libc.ts";
import { mendSocket } from "./old_deno.ts";

/** Connections that may wait to be accepted. The kernel cuts this to net.core.somaxconn (SRS: 512). */
const BACKLOG = 16_383;
/**
 * Bytes that the runtime reads ahead for us. As good as none: a connection whose reading is paused must
 * leave them in the kernel. On Bun it also is what may be on its way before `drain` is of use; Deno has
 * 64 KB for that, whatever is said.
 */
export const HIGH_WATER_MARK = 1;
const RECEIVE_SIZE = BigInt(RECEIVE_BYTES);

/** One connection, as the rest of the server sees it. */
export interface TcpSocket {
  /** `address:port` of the peer; an IPv4 address is never written as an IPv6 one. */
  readonly remote: string;
  /** The peer's address alone. */
  readonly remoteAddress: string;
  /** Our own address on this connection. */
  readonly localAddress: string;
  /** Bytes given to `send` that the kernel has not taken. */
  readonly pendingBytes: number;
  /**
   * Sends bytes in order. They are not copied: until all is through they must not change. True: all is
   * through. False: it is not, and `onWritable` will say when it is.
   */
  send(bytes: Uint8Array): boolean;
  /** Switches TCP_NODELAY. On when a connection begins. */
  setNoDelay(on: boolean): void;
  /** Leaves incoming bytes in the kernel for a while. */
  pauseReading(): void;
  /** Takes them again. */
  resumeReading(): void;
  /**
   * While reading is paused: takes what has come so far. False when only `resumeReading` can do that, or
   * the connection may be over.
   */
  readWaiting(): boolean;
  /**
   * What is to be expected: a player is sent much and says little, which some ms may pass before it is
   * heard; nothing of a publisher's may wait. Before anything is said: nothing may wait.
   */
  expect(role: "player" | "publisher"): void;
  /** Sends what was given to `send`, then closes. What still comes in is thrown away. */
  close(): void;
  /** Closes at once, whatever is pending. */
  abort(): void;
}

/** What a connection tells its owner. */
export interface TcpHandler {
  /** Bytes have come; they are only lent for the time of the call. */
  onBytes(bytes: Uint8Array): void;
  /** Everything given to `send` is through. */
  onWritable(): void;
  /**
   * The peer says no more, and may still listen. True: what it is to be sent continues. Where nothing is
   * said here, the connection is closed.
   */
  onEnd?(): boolean;
  /** The connection is over: the last call. `error` when it did not end in an orderly way. */
  onClose(error: Error | null): void;
}

/** A listening port. */
export interface TcpListener {
  /** Where it really listens. */
  readonly address: ListenAddress;
  /** Takes no new connections; the existing ones go on. */
  close(): void;
}

/** The last bytes that were sent, as the Buffer that `node:net` wants: players share their views. */
let lastBytes: Uint8Array | null = null;
let lastBuffer: Buffer = Buffer.alloc(0);

function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes === lastBytes) return lastBuffer;
  lastBytes = bytes;
  lastBuffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return lastBuffer;
}

/** How this thread makes system calls; null: not at all. */
let libc: Libc | null = null;
let directSockets: DirectSockets | null = null;
const received = new Uint8Array(RECEIVE_BYTES);

/** Finds out whether this thread can make system calls; with no descriptor left it cannot. */
async function openDirect(): Promise<void> {
  libc = await openLibc();
  try {
    if (libc) directSockets ??= new DirectSockets(libc);
  } catch {
    libc = null;
  }
}

/** A connection of `node:net` or `node:tls`. */
export class NetSocket implements TcpSocket, DirectOwner {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly remote: string;
  /** Null once the connection is driven by system calls. */
  #socket: net.Socket | null;
  #direct: DirectSocket | null = null;
  #handler: TcpHandler | null = null;
  #busy = false;
  #paused = false;
  #closing = false;
  #wantsDirect = false;
  /** The runtime does not read for it. */
  #stopped = false;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #error: Error | null = null;
  /** Told of every write; undefined where `drain` does as well. */
  readonly #written: (() => void) | undefined;

  /** Called once, when it is over. */
  readonly #over: () => void;

  constructor(socket: net.Socket, over: () => void = () => {}) {
    this.#over = over;
    this.#socket = socket;
    mendSocket(socket);
    this.remoteAddress = plainAddress(socket.remoteAddress ?? "unknown");
    this.localAddress = plainAddress(socket.localAddress ?? "unknown");
    this.remote = this.remoteAddress.includes(":")
      ? `[${this.remoteAddress}]:${socket.remotePort}`
      : `${this.remoteAddress}:${socket.remotePort}`;
    // Where the mark is respected, `drain` comes once for whatever did not go through at once.
    if (socket.writableHighWaterMark <= HIGH_WATER_MARK) {
      socket.on("drain", () => this.#onWritten());
    } else this.#written = () => this.#onWritten();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
  }

  /** Whom it is to tell; before that nothing is read. */
  attach(handler: TcpHandler): void {
    this.#handler = handler;
    const socket = this.#socket;
    socket?.on("data", (bytes: Uint8Array) => {
      if (!this.#closing) handler.onBytes(bytes);
    });
    socket?.on("error", (error: Error) => {
      this.#error ??= error;
    });
    socket?.on("end", () => this.onEnd());
    socket?.on("close", () => void guarded("the end of a connection", () => this.#onClose()));
  }

  /** Whether it is driven by system calls. */
  get direct(): boolean {
    return this.#direct !== null;
  }

  get pendingBytes(): number {
    return this.#direct?.pendingBytes ?? this.#socket?.writableLength ?? 0;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#closing) return true;
    if (this.#direct) return this.#direct.send(bytes);
    const socket = this.#socket;
    if (!socket || socket.destroyed) return true;
    socket.write(asBuffer(bytes), this.#written);
    this.#busy = socket.writableLength > 0;
    return !this.#busy;
  }

  setNoDelay(on: boolean): void {
    this.#socket?.setNoDelay(on);
    this.#direct?.setNoDelay(on);
  }

  pauseReading(): void {
    this.#paused = true;
    this.#socket?.pause();
    this.#direct?.setReading(false);
  }

  resumeReading(): void {
    if (this.#closing) return;
    this.#paused = false;
    this.#startReading();
    this.#socket?.resume();
    this.#direct?.setReading(true);
  }

  readWaiting(): boolean {
    const socket = this.#socket;
    if (!libc || !socket || this.#closing || !this.#paused) return false;
    const fd = duplicate(libc, socket);
    if (fd < 0) return false;
    try {
      return this.#readFrom(fd, socket, libc);
    } finally {
      libc.close(fd);
    }
  }

  #readFrom(fd: number, socket: net.Socket, libc: Libc): boolean {
    const error = libc.takeError(fd);
    if (error !== 0) {
      socket.destroy(connectionError(error));
      return true;
    }
    // What is told here may end the pause, or the connection.
    const goesOn = () => this.#socket === socket && this.#paused && !this.#closing;
    if (!this.#stopped) {
      // The runtime may have read ahead: Bun does, once, when it is told to pause.
      while (socket.readableLength > 0 && goesOn()) socket.read(socket.readableLength);
      if (!goesOn()) return true;
      this.#stopped = true;
      stopReading(socket);
      libc.setReceiveLowWater(fd, UNREAD_BYTES);
    }
    let size;
    do {
      size = libc.receive(fd, received, RECEIVE_SIZE);
      if (size > 0) this.#handler?.onBytes(received.subarray(0, size));
    } while (size === RECEIVE_BYTES && goesOn());
    return size !== 0;
  }

  expect(role: "player" | "publisher"): void {
    if (role === "publisher") {
      this.#wantsDirect = false;
      this.#direct?.setUrgent();
    } else if (!this.#direct) {
      this.#wantsDirect = true;
      this.#goDirect();
    }
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    // Unread bytes would make the kernel reset the connection and lose our last words.
    this.#startReading();
    this.#socket?.resume();
    this.#socket?.end();
    this.#direct?.setReading(true);
    this.#direct?.end();
    this.#linger = setTimeout(() => this.abort(), CLOSE_LINGER_MS);
  }

  abort(): void {
    this.#closing = true;
    this.#socket?.destroy();
    this.#direct?.destroy();
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
    this.#error = error;
    this.#onClose();
  }

  #onWritten(): void {
    if (!this.#busy || !this.#socket || this.#socket.writableLength > 0) return;
    this.#busy = false;
    if (this.#wantsDirect) this.#goDirect();
    if (!this.#closing) this.#handler?.onWritable();
  }

  /** As soon as the runtime has nothing more to send for it. */
  #goDirect(): void {
    const socket = this.#socket;
    if (!libc || !directSockets || !socket) return;
    if (this.#closing || socket.destroyed || socket.writableLength > 0) return;
    this.#wantsDirect = false;
    this.#startReading();
    const fd = duplicate(libc, socket);
    if (fd < 0) return;
    this.#direct = directSockets.adopt(fd, this);
    if (!this.#direct) return libc.close(fd);
    this.#socket = null;
    socket.removeAllListeners();
    socket.on("error", () => {});
    // What has been read ahead comes before what is read from now on, and after what is being handled.
    const { readableLength } = socket;
    const ahead: Uint8Array | null = readableLength > 0 ? socket.read(readableLength) : null;
    if (ahead) queueMicrotask(() => this.onBytes(ahead));
    socket.destroy();
    if (this.#paused) this.#direct.setReading(false);
  }

  /** What has come since `readWaiting` is the runtime's again. */
  #startReading(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    // In this order: a waiting caller is told of what is there already.
    if (this.#socket) startReading(this.#socket);
    this.#resetLowWater();
  }

  #resetLowWater(): void {
    if (!libc || !this.#socket || this.#socket.destroyed || this.#stopped) return;
    const fd = duplicate(libc, this.#socket);
    if (fd >= 0) {
      libc.setReceiveLowWater(fd, 1);
      libc.close(fd);
    } else setTimeout(() => this.#resetLowWater(), DESCRIPTOR_RETRY_MS);
  }

  #onClose(): void {
    clearTimeout(this.#linger);
    this.#closing = true;
    const handler = this.#handler;
    this.#handler = null;
    this.#over();
    handler?.onClose(this.#error);
  }
}

/** Encrypted bytes are the runtime's business. */
function duplicate(libc: Libc, socket: net.Socket): number {
  return socket instanceof tls.TLSSocket ? -1 : libc.duplicate(socket);
}

/** `::ffff:1.2.3.4` is 1.2.3.4 to all but the kernel. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/**
 * Listens on an address, with `reusePort` together with others that do; `accept` gives each new
 * connection its handler, or null to refuse it at once.
 * @throws Error with the address and the cure when the address cannot be had.
 */
export async function listenTcp(
  address: ListenAddress,
  accept: (socket: TcpSocket) => TcpHandler | null,
  reusePort = false,
): Promise<TcpListener> {
  await openDirect();
  const options = { allowHalfOpen: true, noDelay: true, highWaterMark: HIGH_WATER_MARK };
  const server = net.createServer(options, (socket) => {
    const handler = guarded("the accept of a connection", () => {
      const connection = new NetSocket(socket);
      const handler = accept(connection);
      if (handler) connection.attach(handler);
      return handler;
    });
    if (!handler) {
      socket.on("error", () => {});
      socket.destroy();
    }
  });
  return await new Promise((resolve, reject) => {
    server.once("error", (error) => reject(bindError(address, error)));
    const { host, port } = address;
    server.listen({ host, port, backlog: BACKLOG, ...(reusePort && { reusePort }) }, () => {
      const bound = server.address();
      const port = typeof bound === "object" && bound ? bound.port : address.port;
      server.on("error", () => {});
      resolve({ address: { host: address.host, port }, close: () => void server.close() });
    });
  });
}

/** Whether this runtime can listen on a port several times, found out by doing it. */
export async function canReusePort(): Promise<boolean> {
  const refuse = () => null;
  const first = await listenTcp({ host: "127.0.0.1", port: 0 }, refuse, true);
  try {
    (await listenTcp(first.address, refuse, true)).close();
    return true;
  } catch {
    return false;
  } finally {
    first.close();
  }
}

/**
 * Makes sure that no process listens on an address, as a listener alone on its port does by itself: with
 * `reusePort` two servers would share it, and each would have half of the clients.
 * @throws Error with the address and the cure when the address cannot be had.
 */
export async function assertFree(address: ListenAddress): Promise<void> {
  (await listenTcp(address, () => null)).close();
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The error with the address, the reason in plain words, and the cure. */
export function bindError(address: ListenAddress, error: Error): Error {
  const code = "code" in error ? error.code : undefined;
  const where = `cannot listen on ${formatAddress(address)}`;
  switch (code) {
    case "EADDRINUSE":
      return new Error(
        `${where}: the port is in use. Stop the other program, or change "listen" in the configuration`,
      );
    case "EACCES":
      return new Error(
        `${where}: no permission. Ports below 1024 need root or CAP_NET_BIND_SERVICE`,
      );
    case "EADDRNOTAVAIL":
      return new Error(`${where}: this machine has no such address`);
    default:
      return new Error(`${where}: ${error.message}`);
  }
}
