/**
 * The body of an HTTP answer that goes on and on.
 * @module
 */

import type { WebLink, WebLinkHandler } from "./web_link.ts";

/**
 * A body whose bytes come from `handler`'s link. The runtime takes one piece at a time, and the next one
 * waits here: that is all that a client which does not read can make the server hold.
 * @param cutOff Drops the connection, if the runtime can.
 */
export function responseBody(
  handler: WebLinkHandler,
  cutOff: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(new BodySource(handler, cutOff), { highWaterMark: 1 });
}

class BodySource implements UnderlyingDefaultSource<Uint8Array>, WebLink {
  readonly #handler: WebLinkHandler;
  readonly #cutOff: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #busy = false;
  #ending = false;

  constructor(handler: WebLinkHandler, cutOff: () => void) {
    this.#handler = handler;
    this.#cutOff = cutOff;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    this.#handler.onOpen(this);
  }

  /** The runtime has taken a piece. */
  pull(): void {
    if (!this.#busy) return;
    this.#busy = false;
    if (this.#ending) this.#finish();
    else this.#handler.onWritable();
  }

  /** The client is gone. */
  cancel(): void {
    if (!this.#controller) return;
    this.#controller = null;
    this.#handler.onClose();
  }

  send(bytes: Uint8Array): boolean {
    const controller = this.#controller;
    if (!controller || this.#ending) return true;
    controller.enqueue(bytes);
    this.#busy = (controller.desiredSize ?? 0) <= 0;
    return !this.#busy;
  }

  // An error would end it sooner; but both runtimes print it, and neither drops a connection for it
  // while the client does not read.
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    if (!this.#busy) this.#finish();
  }

  abort(): void {
    this.end();
    if (this.#controller) this.#cutOff();
  }

  #finish(): void {
    const controller = this.#controller;
    if (!controller) return;
    this.#controller = null;
    controller.close();
    this.#handler.onClose();
  }
}
