/**
 * WebSockets of the runtime, Deno's or Bun's, that only send.
 * @module
 */

import type { WebLink, WebLinkHandler } from "./web_link.ts";

/** Bytes of a message from a client; players have nothing to say. */
const MAX_MESSAGE_BYTES = 1024;
/** s of silence after which a peer is asked whether it is still there, and given up if it is not. */
const IDLE_TIMEOUT_S = 60;
/** Bytes that Bun keeps for a socket before it drops messages: more than the largest message. */
const BUN_BUFFER_BYTES = 32 * 1024 * 1024;
/** ms between two looks at what Deno has still to send: it does not tell. */
const DENO_POLL_MS = 20;
/** Close codes (RFC 6455 §7.4). */
const NORMAL = 1000;
const TOO_BIG = 1009;

/** Whether a request asks for a WebSocket. */
export function wantsWebSocket(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** What Bun's socket carries with it. */
export interface BunSocketData {
  readonly handler: WebLinkHandler;
}

/** The part of Bun's socket that is used here. */
interface BunSocket {
  readonly data: BunSocketData;
  /** -1: it is in the buffer. */
  sendBinary(bytes: Uint8Array): number;
  close(code: number): void;
  terminate(): void;
}

/** Bun's handlers, one set for all sockets of a listener. */
export interface BunWebSockets {
  readonly perMessageDeflate: boolean;
  readonly maxPayloadLength: number;
  readonly idleTimeout: number;
  readonly backpressureLimit: number;
  open(socket: BunSocket): void;
  message(socket: BunSocket): void;
  drain(socket: BunSocket): void;
  close(socket: BunSocket): void;
}

export const BUN_WEB_SOCKETS: BunWebSockets = {
  perMessageDeflate: false,
  maxPayloadLength: MAX_MESSAGE_BYTES,
  idleTimeout: IDLE_TIMEOUT_S,
  backpressureLimit: BUN_BUFFER_BYTES,
  open: (socket) =>
    socket.data.handler.onOpen({
      send: (bytes) => socket.sendBinary(bytes) >= 0,
      end: () => socket.close(NORMAL),
      abort: () => socket.terminate(),
    }),
  message: () => {},
  drain: ({ data }) => data.handler.onWritable(),
  close: ({ data }) => data.handler.onClose(),
};

/** Bun's answer to a request for a WebSocket; null when it cannot be one. */
export function upgradeBun(
  upgrade: (data: BunSocketData) => boolean,
  handler: WebLinkHandler,
): Response | null {
  // Bun has answered already then; what is returned is not looked at.
  return upgrade({ handler }) ? new Response(null) : null;
}

/** Deno's answer to a request for a WebSocket; null when it cannot be one. */
export function upgradeDeno(request: Request, handler: WebLinkHandler): Response | null {
  try {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT_S });
    new DenoLink(socket, handler);
    return response;
  } catch (error) {
    // Headers that are missing or wrong.
    if (error instanceof TypeError) return null;
    throw error;
  }
}

class DenoLink implements WebLink {
  readonly #socket: WebSocket;
  readonly #handler: WebLinkHandler;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(socket: WebSocket, handler: WebLinkHandler) {
    this.#socket = socket;
    this.#handler = handler;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => handler.onOpen(this);
    socket.onmessage = ({ data }) => {
      const size = data instanceof ArrayBuffer ? data.byteLength : String(data).length;
      if (size > MAX_MESSAGE_BYTES) socket.close(TOO_BIG);
    };
    // What it was does not matter: the end follows.
    socket.onerror = () => {};
    socket.onclose = () => {
      clearInterval(this.#timer);
      handler.onClose();
    };
  }

  send(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.readyState !== WebSocket.OPEN) return true;
    const waiting = socket.bufferedAmount;
    // Deno copies them.
    socket.send(bytes);
    if (waiting === 0) return true;
    this.#timer ??= setInterval(() => this.#look(), DENO_POLL_MS);
    return false;
  }

  end(): void {
    this.#socket.close(NORMAL);
  }

  abort(): void {
    this.#socket.close(NORMAL);
  }

  #look(): void {
    if (this.#socket.bufferedAmount > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#handler.onWritable();
  }
}
