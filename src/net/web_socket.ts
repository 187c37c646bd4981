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

/** A token (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

/**
 * The first of the subprotocols that a request offers, which the answer names: a browser that has offered
 * some gives up when none is chosen (RFC 6455 §4.1). FLV bytes are the same under any name. Null: it
 * offers none.
 */
export function subprotocolOf(request: Request): string | null {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").map((name) => name.trim()).find((name) => TOKEN.test(name)) ?? null;
}

/** What Bun's socket carries with it. */
export interface BunSocketData {
  readonly handler: WebLinkHandler;
}

/** What Bun wants to know for the answer. */
export interface BunUpgrade {
  readonly data: BunSocketData;
  readonly headers: Record<string, string>;
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
  request: Request,
  upgrade: (options: BunUpgrade) => boolean,
  handler: WebLinkHandler,
): Response | null {
  const protocol = subprotocolOf(request);
  const headers: Record<string, string> = protocol === null
    ? {}
    : { "Sec-WebSocket-Protocol": protocol };
  // Bun has answered already then; what is returned is not looked at.
  return upgrade({ data: { handler }, headers }) ? new Response(null) : null;
}

/** Deno's answer to a request for a WebSocket; null when it cannot be one. */
export function upgradeDeno(request: Request, handler: WebLinkHandler): Response | null {
  try {
    const protocol = subprotocolOf(request);
    if (protocol !== null) offerOnly(request, protocol);
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: IDLE_TIMEOUT_S,
      ...(protocol !== null && { protocol }),
    });
    new DenoLink(socket, handler);
    return response;
  } catch (error) {
    // Headers that are missing or wrong.
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/**
 * Has Deno read an offer of one subprotocol: it looks for the chosen one between commas with exactly one
 * space behind them, and refuses what any other client offers as `a,b`.
 */
function offerOnly(request: Request, protocol: string): void {
  const headers = new Headers(request.headers);
  headers.set("sec-websocket-protocol", protocol);
  Object.defineProperty(request, "headers", { value: headers });
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
