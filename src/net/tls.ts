/**
 * TLS ports. On Deno the runtime's own interface: `node:tls` cannot listen on an address in Deno 2.6.
 * On Bun, and on any other, `node:tls`.
 * @module
 */

import { ACCEPT_RETRY_MS, HANDSHAKE_TIMEOUT_MS, MAX_HANDSHAKES, RECEIVE_BYTES } from "./limits.ts";
import tls from "node:tls";
import type { ListenAddress } from "../config/types.ts";
import { PeerCutter } from "./peer_cutter.ts";
import { runClock } from "./run_clock.ts";
import { CLOSE_LINGER_MS } from "./limits.ts";
import { HIGH_WATER_MARK, NetSocket, plainAddress } from "./net_socket.ts";
import type { TcpHandler, TcpListener, TcpSocket } from "./socket.ts";
import { bindError } from "./tcp.ts";

/** Key and certificates of a TLS listener: the contents of PEM files. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
}

/**
 * Listens for TLS on an address; `accept` gives each connection whose handshake is done its handler, or
 * null to refuse it.
 * @throws Error with the address and the cure when the address cannot be had, and the TLS library's when
 * it does not take the files.
 */
export async function listenTls(
  address: ListenAddress,
  files: TlsFiles,
  accept: (socket: TcpSocket) => TcpHandler | null,
): Promise<TcpListener> {
  return globalThis.Bun === undefined
    ? listenDeno(address, files, accept)
    : await listenNode(address, files, accept);
}

declare global {
  /** Present when Bun is the runtime. */
  var Bun: object | undefined;
}

function listenNode(
  address: ListenAddress,
  files: TlsFiles,
  accept: (socket: TcpSocket) => TcpHandler | null,
): Promise<TcpListener> {
  const server = tls.createServer({
    ...files,
    allowHalfOpen: true,
    highWaterMark: HIGH_WATER_MARK,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  } as tls.TlsOptions, (socket) => {
    const connection = new NetSocket(socket, null);
    const handler = accept(connection);
    if (handler) return connection.attach(handler);
    socket.on("error", () => {});
    socket.destroy();
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(bindError(address, error)));
    server.listen({ host: address.host, port: address.port }, () => {
      const bound = server.address();
      const port = typeof bound === "object" && bound ? bound.port : address.port;
      server.on("error", () => {});
      resolve({ address: { host: address.host, port }, close: () => void server.close() });
    });
  });
}

function listenDeno(
  address: ListenAddress,
  files: TlsFiles,
  accept: (socket: TcpSocket) => TcpHandler | null,
): TcpListener {
  let listener: Deno.TlsListener;
  try {
    listener = Deno.listenTls({
      hostname: address.host,
      port: address.port,
      alpnProtocols: ["http/1.1"],
      ...files,
    });
  } catch (error) {
    throw error instanceof Error ? bindError(address, error) : error;
  }
  void acceptDeno(listener, accept);
  const port = listener.addr.port;
  return { address: { host: address.host, port }, close: () => listener.close() };
}

/** Until the listener is closed. */
async function acceptDeno(
  listener: Deno.TlsListener,
  accept: (socket: TcpSocket) => TcpHandler | null,
): Promise<void> {
  /** In the order in which they have come. */
  const handshakes = new Set<Handshake>();
  const cutter = await PeerCutter.open();
  for (;;) {
    let connection: Deno.TlsConn;
    try {
      connection = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return;
      }
      await new Promise<void>((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      continue;
    }
    // An honest client is through in a moment: the oldest one is the least likely to be.
    if (handshakes.size >= MAX_HANDSHAKES) {
      for (const oldest of handshakes.keys()) {
        oldest.giveUp();
        break;
      }
    }
    const handshake = new Handshake(connection, cutter);
    handshakes.add(handshake);
    void handshake.done(accept).finally(() => handshakes.delete(handshake));
  }
}

/** A connection that shakes hands. */
class Handshake {
  readonly #connection: Deno.TlsConn;
  readonly #cutter: PeerCutter;
  #over = false;

  constructor(connection: Deno.TlsConn, cutter: PeerCutter) {
    this.#connection = connection;
    this.#cutter = cutter;
  }

  /** Ends the connection, whose peer does not go on. */
  giveUp(): void {
    if (this.#over) return;
    this.#over = true;
    const { hostname, port } = this.#connection.remoteAddr;
    this.#connection.close();
    // The runtime continues the handshake of a connection that is closed before its end.
    this.#cutter.cut({ host: hostname, port });
  }

  /** Hands the connection over when hands are shaken in time; otherwise ends it. */
  async done(accept: (socket: TcpSocket) => TcpHandler | null): Promise<void> {
    const cancel = runClock.after(HANDSHAKE_TIMEOUT_MS, () => this.giveUp());
    try {
      await this.#connection.handshake();
    } catch {
      if (!this.#over) this.#connection.close();
      this.#over = true;
      return;
    } finally {
      cancel();
    }
    if (this.#over) return;
    this.#over = true;
    const socket = new DenoTlsSocket(this.#connection);
    const handler = accept(socket);
    if (handler) socket.attach(handler);
    else this.#connection.close();
  }
}

/** A connection of `Deno.listenTls`. */
class DenoTlsSocket implements TcpSocket {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly remote: string;
  readonly #connection: Deno.TlsConn;
  #handler: TcpHandler | null = null;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writing = false;
  #resume: (() => void) | null = null;
  #paused = false;
  #closing = false;
  #over = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Deno.TlsConn) {
    this.#connection = connection;
    this.remoteAddress = plainAddress(connection.remoteAddr.hostname);
    this.localAddress = plainAddress(connection.localAddr.hostname);
    const { port } = connection.remoteAddr;
    this.remote = this.remoteAddress.includes(":")
      ? `[${this.remoteAddress}]:${port}`
      : `${this.remoteAddress}:${port}`;
  }

  attach(handler: TcpHandler): void {
    this.#handler = handler;
    void this.#read();
  }

  get pendingBytes(): number {
    return this.#queuedBytes;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#closing) return true;
    if (bytes.length > 0) {
      this.#queue.push(bytes);
      this.#queuedBytes += bytes.length;
      if (!this.#writing) void this.#write();
    }
    return this.#queuedBytes === 0;
  }

  /** The runtime sets it when a connection begins, and has no switch for it. */
  setNoDelay(): void {}

  pauseReading(): void {
    this.#paused = true;
  }

  resumeReading(): void {
    this.#paused = false;
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }

  readWaiting(): boolean {
    return false;
  }

  expect(): void {}

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.resumeReading();
    this.#linger = setTimeout(() => this.#end(null), CLOSE_LINGER_MS);
    if (!this.#writing) void this.#closeWrite();
  }

  abort(): void {
    this.#closing = true;
    this.#end(null);
  }

  async #read(): Promise<void> {
    const into = new Uint8Array(RECEIVE_BYTES);
    try {
      while (!this.#over) {
        const size = await this.#connection.read(into);
        if (this.#paused) await new Promise<void>((resolve) => this.#resume = resolve);
        if (this.#over) return;
        if (size === null) break;
        if (!this.#closing) this.#handler?.onBytes(into.subarray(0, size));
      }
      if (this.#closing) this.#end(null);
      else if (!this.#handler?.onEnd?.()) this.close();
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      for (let bytes = this.#queue.shift(); bytes && !this.#over; bytes = this.#queue.shift()) {
        for (let at = 0; at < bytes.length;) {
          const written = await this.#connection.write(bytes.subarray(at));
          at += written;
          this.#queuedBytes -= written;
        }
      }
    } catch (error) {
      return this.#end(error instanceof Error ? error : new Error(String(error)));
    }
    this.#writing = false;
    if (this.#over) return;
    if (this.#closing) return await this.#closeWrite();
    this.#handler?.onWritable();
  }

  async #closeWrite(): Promise<void> {
    try {
      await this.#connection.closeWrite();
    } catch {
      // The peer is gone; the end follows.
    }
  }

  #end(error: Error | null): void {
    if (this.#over) return;
    this.#over = this.#closing = true;
    clearTimeout(this.#linger);
    this.resumeReading();
    this.#queue.length = this.#queuedBytes = 0;
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
    const handler = this.#handler;
    this.#handler = null;
    // Never within a call of the owner's.
    queueMicrotask(() => handler?.onClose(error));
  }
}
