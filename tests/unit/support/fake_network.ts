/**
 * Other servers, as an edge or a forward sees them: each attempt is there for the test to play the far
 * end of.
 * @module
 */

import type {
  EndReason,
  UpstreamHandler,
  UpstreamPeer,
} from "../../../src/clients/upstream_handler.ts";

/** One attempt at another server. */
export class FakeAttempt {
  readonly name: string;
  readonly at: number;
  readonly hops: readonly string[];
  readonly streamId: number = 1;
  recvBytes = 0;
  /** We have closed it. */
  closed = false;
  /** Whether it is over, whoever has ended it. */
  over = false;
  /** What was published, as type, timestamp and payload, or as chunks. */
  readonly published: { type: number; timestamp: number; payload: Uint8Array }[] = [];
  readonly chunks: Uint8Array[] = [];
  /** The far end does not read. */
  slow = false;
  readonly #handler: UpstreamHandler;

  constructor(name: string, at: number, hops: readonly string[], handler: UpstreamHandler) {
    this.name = name;
    this.at = at;
    this.hops = hops;
    this.#handler = handler;
  }

  publish(type: number, timestamp: number, payload: Uint8Array): boolean {
    this.published.push({ type, timestamp, payload: payload.slice() });
    return !this.slow;
  }

  publishChunks(bytes: Uint8Array): boolean {
    this.chunks.push(bytes.slice());
    return !this.slow;
  }

  close(): void {
    this.closed = true;
    this.#end("closed", "closed by us");
  }

  // ---- what the far end does

  opened(peer: UpstreamPeer): void {
    this.#handler.opened(peer);
  }

  connected(): void {
    this.#handler.connected();
  }

  accept(): void {
    this.#handler.connected();
    this.#handler.accepted();
  }

  media(type: number, timestamp: number, payload: Uint8Array): void {
    this.recvBytes += payload.length;
    this.#handler.media({ type, timestamp, streamId: 1, payload });
    this.#handler.settled();
  }

  unpublish(): void {
    this.#handler.unpublished();
  }

  drain(): void {
    this.slow = false;
    this.#handler.writable();
  }

  fail(reason: EndReason, text = `it is ${reason}`): void {
    this.#end(reason, text);
  }

  #end(reason: EndReason, text: string): void {
    if (this.over) return;
    this.over = true;
    this.#handler.ended({ reason, text, redirect: null, error: null });
  }
}
