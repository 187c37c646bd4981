/**
 * A socket in memory: it keeps what is sent, and is as slow as a test wants.
 * @module
 */

import assert from "node:assert/strict";
import type { TcpHandler, TcpSocket } from "../../../src/net/tcp.ts";
import { concat } from "../hex.ts";

/** Records bytes and calls. While `busy` nothing that is sent gets through until `drain`. */
export class FakeSocket implements TcpSocket {
  readonly remote = "192.0.2.7:50123";
  readonly remoteAddress = "192.0.2.7";
  readonly localAddress = "192.0.2.1";
  /** What every `send` was given, copied. */
  readonly writes: Uint8Array[] = [];
  state: "open" | "closed" | "aborted" = "open";
  noDelay: boolean | null = null;
  reading = true;
  expected: "player" | "publisher" | null = null;
  /** Whether the peer has stopped reading. */
  busy = false;
  pendingBytes = 0;
  handler: TcpHandler | null = null;
  readonly #inFlight: { bytes: Uint8Array; copy: Uint8Array }[] = [];

  /** Everything that was sent, in one piece. */
  get sent(): Uint8Array {
    return concat(...this.writes);
  }

  send(bytes: Uint8Array): boolean {
    assert.equal(this.state, "open", "bytes are sent on a closed socket");
    const copy = bytes.slice();
    this.writes.push(copy);
    if (!this.busy) return true;
    this.#inFlight.push({ bytes, copy });
    this.pendingBytes += bytes.length;
    return false;
  }

  /** The peer reads on: everything gets through. The bytes must not have changed since `send`. */
  drain(): void {
    for (const { bytes, copy } of this.#inFlight) assert.deepEqual(bytes, copy);
    this.#inFlight.length = 0;
    this.busy = false;
    this.pendingBytes = 0;
    this.handler?.onWritable();
  }

  setNoDelay(on: boolean): void {
    this.noDelay = on;
  }

  pauseReading(): void {
    this.reading = false;
  }

  resumeReading(): void {
    this.reading = true;
  }

  readWaiting(): boolean {
    return false;
  }

  expect(role: "player" | "publisher" | null): void {
    this.expected = role;
  }

  close(): void {
    if (this.state === "open") this.state = "closed";
  }

  abort(): void {
    this.state = "aborted";
  }
}
