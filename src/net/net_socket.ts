/**
 * A connection of `node:net` or `node:tls`. `node:net` is native on both runtimes and was measured to be
 * the cheapest of their interfaces on Deno, and as cheap as the native one on Bun. Cheaper still is this
 * thread's event loop, which takes over where it can, as soon as it is known what the connection is for.
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
import type net from "node:net";
import tls from "node:tls";
import { guarded } from "../runtime/faults.ts";
import { connectionError, type Libc, startReading, stopReading } from "../runtime/libc.ts";
import type { Role } from "./direct_socket.ts";
import { mendSocket } from "./old_deno.ts";
import type { OwnLoop } from "./own_loop.ts";
import { type Ends, OwnSocket } from "./own_socket.ts";
import type { TcpHandler, TcpSocket } from "./socket.ts";

/**
 * Bytes that the runtime reads ahead for us. As good as none: a connection whose reading is paused must
 * leave them in the kernel. On Bun it also is what may be on its way before `drain` is of use; Deno has
 * 64 KB for that, whatever is said.
 */
export const HIGH_WATER_MARK = 1;
const RECEIVE_SIZE = BigInt(RECEIVE_BYTES);
const received = new Uint8Array(RECEIVE_BYTES);

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
  /** Null once the connection is the event loop's. */
  #socket: net.Socket | null;
  #own: OwnSocket | null = null;
  #handler: TcpHandler | null = null;
  #busy = false;
  #paused = false;
  #closing = false;
  /** What it is for: it becomes the event loop's as soon as that is possible. */
  #role: Role = null;
  /** The runtime does not read for it. */
  #stopped = false;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #error: Error | null = null;
  /** Told of every write; undefined where `drain` does as well. */
  readonly #written: (() => void) | undefined;

  /** Called once, when it is over. */
  readonly #over: () => void;
  /** Null: it stays the runtime's. */
  readonly #loop: OwnLoop | null;

  constructor(socket: net.Socket, loop: OwnLoop | null, over: () => void = () => {}) {
    this.#loop = loop;
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
    socket?.on("end", () => this.#onEnd());
    socket?.on("close", () => void guarded("the end of a connection", () => this.#onClose()));
  }

  /** Whether it is the event loop's. */
  get own(): boolean {
    return this.#own !== null;
  }

  get pendingBytes(): number {
    return this.#own?.pendingBytes ?? this.#socket?.writableLength ?? 0;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#own) return this.#own.send(bytes);
    const socket = this.#socket;
    if (this.#closing || !socket || socket.destroyed) return true;
    socket.write(asBuffer(bytes), this.#written);
    this.#busy = socket.writableLength > 0;
    return !this.#busy;
  }

  setNoDelay(on: boolean): void {
    this.#socket?.setNoDelay(on);
    this.#own?.setNoDelay(on);
  }

  pauseReading(): void {
    this.#paused = true;
    this.#socket?.pause();
    this.#own?.pauseReading();
  }

  resumeReading(): void {
    if (this.#closing) return;
    this.#paused = false;
    this.#startReading();
    this.#socket?.resume();
    this.#own?.resumeReading();
  }

  readWaiting(): boolean {
    if (this.#own) return this.#own.readWaiting();
    const socket = this.#socket;
    const libc = this.#loop?.libc;
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

  expect(role: Role): void {
    this.#role = role;
    if (this.#own) this.#own.expect(role);
    else this.#handOver();
  }

  close(): void {
    if (this.#own) return this.#own.close();
    if (this.#closing) return;
    this.#closing = true;
    // Unread bytes would make the kernel reset the connection and lose our last words.
    this.#startReading();
    this.#socket?.resume();
    this.#socket?.end();
    this.#linger = setTimeout(() => this.abort(), CLOSE_LINGER_MS);
  }

  abort(): void {
    if (this.#own) return this.#own.abort();
    this.#closing = true;
    if (!this.#handler) this.#socket?.on("error", () => {});
    this.#socket?.destroy();
  }

  #onEnd(): void {
    if (!this.#closing && this.#handler?.onEnd?.()) return;
    this.close();
  }

  #onWritten(): void {
    if (!this.#busy || !this.#socket || this.#socket.writableLength > 0) return;
    this.#busy = false;
    if (this.#role) this.#handOver();
    if (!this.#closing) this.#handler?.onWritable();
  }

  /** As soon as the runtime has nothing more to send for it. */
  #handOver(): void {
    const [socket, own] = [this.#socket, this.#loop];
    if (!own || !socket || !this.#role) return;
    if (this.#closing || socket.destroyed || socket.writableLength > 0) return;
    this.#startReading();
    const fd = duplicate(own.libc, socket);
    if (fd < 0) return;
    const peer = { host: this.remoteAddress, port: socket.remotePort ?? 0 };
    const ends = { peer, localAddress: this.localAddress };
    const taken = this.#newOwner(own, fd, ends);
    if (!taken) return own.libc.close(fd);
    this.#socket = null;
    socket.removeAllListeners();
    socket.on("error", () => {});
    // What has been read ahead comes before what is read from now on, and after what is being handled.
    const { readableLength } = socket;
    const ahead: Uint8Array | null = readableLength > 0 ? socket.read(readableLength) : null;
    if (ahead) queueMicrotask(() => taken.onBytes(ahead));
    socket.destroy();
    if (this.#paused) taken.pauseReading();
    if (this.#handler) taken.attach(this.#handler);
    taken.expect(this.#role);
    this.#handler = null;
  }

  /** Null: the kernel watches no more. */
  #newOwner({ libc, loop }: OwnLoop, fd: number, ends: Ends): OwnSocket | null {
    try {
      return this.#own = new OwnSocket(libc, loop, fd, ends, this.#over);
    } catch {
      return null;
    }
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
    const libc = this.#loop?.libc;
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
