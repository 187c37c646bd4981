/**
 * The body of an HTTP answer that has no end: a player's stream, in chunks, as it is, or as the
 * messages of a WebSocket.
 * @module
 */

import { chunk, LAST_CHUNK, SharedFrames } from "../http1/response.ts";
import { binaryFrame, ClientFrames, CloseCode, closeFrame } from "../http1/web_socket.ts";
import type { TcpSocket } from "./tcp.ts";
import type { WebLink, WebLinkHandler } from "./web_link.ts";

/** The frames that all players share: they are sent the same bytes one after the other. */
const chunks = new SharedFrames(chunk);
const messages = new SharedFrames(binaryFrame);

/** The bytes of a stream without end, and what its client says meanwhile. */
export class EndlessBody implements WebLink {
  readonly #socket: TcpSocket;
  readonly #handler: WebLinkHandler;
  /** As chunks, as they are, or as the messages of a WebSocket, whose frames are read. */
  readonly #form: "chunks" | "bytes" | ClientFrames;
  #sent = false;
  #ending = false;
  #over = false;

  constructor(
    socket: TcpSocket,
    handler: WebLinkHandler,
    form: "chunks" | "bytes" | ClientFrames,
  ) {
    this.#socket = socket;
    this.#handler = handler;
    this.#form = form;
  }

  get isWebSocket(): boolean {
    return this.#form instanceof ClientFrames;
  }

  open(): void {
    this.#handler.onOpen(this);
  }

  /** Whether anything has been sent since this was last asked. */
  takeSent(): boolean {
    const sent = this.#sent;
    this.#sent = false;
    return sent;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#ending || bytes.length === 0) return true;
    this.#sent = true;
    if (this.#form === "bytes") return this.#socket.send(bytes);
    return this.#socket.send((this.#form === "chunks" ? chunks : messages).of(bytes));
  }

  end(): void {
    if (this.#form === "bytes") this.#finish(null);
    else this.#finish(this.#form === "chunks" ? LAST_CHUNK : closeFrame(CloseCode.NORMAL));
  }

  abort(): void {
    this.#ending = true;
    this.#socket.abort();
  }

  writable(): void {
    if (!this.#ending) this.#handler.onWritable();
  }

  /** From the client; a player of HTTP has nothing to say. */
  received(bytes: Uint8Array): void {
    if (this.#ending || !(this.#form instanceof ClientFrames)) return;
    const { answers, close } = this.#form.push(bytes);
    for (const answer of answers) {
      // Who asks without reading is not answered.
      if (close || this.#socket.pendingBytes === 0) this.#socket.send(answer);
    }
    if (close) this.#finish(null);
  }

  /** The connection is over. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.onClose();
  }

  #finish(last: Uint8Array | null): void {
    if (this.#ending) return;
    this.#ending = true;
    if (last) this.#socket.send(last);
    this.#socket.close();
  }
}
