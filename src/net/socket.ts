/**
 * What a TCP connection is to the rest of the server, whoever drives it: the runtime, or this thread's
 * event loop.
 * @module
 */

import type { ListenAddress } from "../config/types.ts";

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
   * What the connection is for: a publisher brings a stream, a player is sent one; null: that is not known
   * yet, or over. What either says may be answered some ms later than what the others say.
   */
  expect(role: "player" | "publisher" | null): void;
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
