/**
 * The TCP adapter: the one file that knows sockets. `node:net` is native on both runtimes and was
 * measured to be the cheapest interface on Deno, and as cheap as the native one on Bun.
 * @module
 */

import { Buffer } from "node:buffer";
import net from "node:net";
import type { ListenAddress } from "../config/types.ts";

/**
 * Connections that may wait to be accepted. The kernel cuts this to net.core.somaxconn; Deno 2.4 takes
 * it for the most that may be open, so it must not be small (SRS: 512).
 */
const BACKLOG = 16_383;
/**
 * Bytes that the runtime reads ahead for us. As good as none: a connection whose reading is paused must
 * leave them in the kernel. On Bun it also is what may be on its way before `drain` is of use; Deno has
 * 64 KB for that, whatever is said.
 */
const HIGH_WATER_MARK = 1;
/** ms that a peer has to take the last bytes and close, before it is cut off. */
const CLOSE_LINGER_MS = 2000;
/** ms of silence after which the kernel asks whether a peer is still there (H21). */
const KEEPALIVE_MS = 30_000;

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

/** A connection of `node:net` or `node:tls`. */
export class NetSocket implements TcpSocket {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly remote: string;
  readonly #socket: net.Socket;
  #handler: TcpHandler | null = null;
  #busy = false;
  #closing = false;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #error: Error | null = null;
  /** Told of every write; undefined where `drain` does as well. */
  readonly #written: (() => void) | undefined;

  constructor(socket: net.Socket) {
    this.#socket = socket;
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
    this.#socket.on("data", (bytes: Uint8Array) => {
      if (!this.#closing) handler.onBytes(bytes);
    });
    this.#socket.on("error", (error: Error) => {
      this.#error ??= error;
    });
    // The peer has closed its side, and nobody in RTMP goes on listening after that.
    this.#socket.on("end", () => this.close());
    this.#socket.on("close", () => this.#onClose());
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#closing || this.#socket.destroyed) return true;
    this.#socket.write(asBuffer(bytes), this.#written);
    this.#busy = this.#socket.writableLength > 0;
    return !this.#busy;
  }

  setNoDelay(on: boolean): void {
    this.#socket.setNoDelay(on);
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    if (!this.#closing) this.#socket.resume();
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    // Unread bytes would make the kernel reset the connection and lose our last words.
    this.#socket.resume();
    this.#socket.end();
    this.#linger = setTimeout(() => this.#socket.destroy(), CLOSE_LINGER_MS);
  }

  abort(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  #onWritten(): void {
    if (!this.#busy || this.#socket.writableLength > 0) return;
    this.#busy = false;
    if (!this.#closing) this.#handler?.onWritable();
  }

  #onClose(): void {
    clearTimeout(this.#linger);
    this.#closing = true;
    const handler = this.#handler;
    this.#handler = null;
    handler?.onClose(this.#error);
  }
}

/** `::ffff:1.2.3.4` is 1.2.3.4 to everybody but the kernel. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/**
 * Listens on an address, with `reusePort` together with others that do; `accept` gives each new connection its handler, or null to refuse it at once.
 * @throws Error with the address and the cure when the address cannot be had.
 */
export function listenTcp(
  address: ListenAddress,
  accept: (socket: TcpSocket) => TcpHandler | null,
  reusePort = false,
): Promise<TcpListener> {
  const options = { allowHalfOpen: true, noDelay: true, highWaterMark: HIGH_WATER_MARK };
  const server = net.createServer(options, (socket) => {
    const connection = new NetSocket(socket);
    const handler = accept(connection);
    if (handler) {
      connection.attach(handler);
    } else {
      socket.on("error", () => {});
      socket.destroy();
    }
  });
  return new Promise((resolve, reject) => {
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
 * Makes sure that nobody listens on an address, as a listener alone on its port does by itself: with
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

function bindError(address: ListenAddress, error: Error): Error {
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
