/**
 * WebSockets that only send (RFC 6455): the handshake's answer, frames to a client, and what a client may
 * say, which is little.
 * @module
 */

import { MAX_CLIENT_BYTES } from "./limits.ts";
import { createHash } from "node:crypto";

/** What every server adds to the client's key (RFC 6455 §1.3). */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
/** A token (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

/** Bytes of the payload of a ping, pong or close (RFC 6455 §5.5). */
const MAX_CONTROL_BYTES = 125;

/** Frame types (RFC 6455 §5.2). */
const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** Why a connection is closed (RFC 6455 §7.4.1). */
export const CloseCode = { NORMAL: 1000, PROTOCOL_ERROR: 1002, TOO_BIG: 1009 } as const;

/** Whether a request asks for a WebSocket. */
export function wantsWebSocket(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/**
 * The fields of the answer that turns a request's connection into a WebSocket; null: the request is no
 * handshake. The first subprotocol that is offered is chosen: a browser that has offered some gives up
 * when none is (RFC 6455 §4.1), and FLV bytes are the same under any name.
 */
export function handshakeFields(request: Request): [string, string][] | null {
  const { headers, method } = request;
  const key = headers.get("sec-websocket-key") ?? "";
  const upgrades = (headers.get("connection") ?? "").toLowerCase().split(",")
    .some((member) => member.trim() === "upgrade");
  const version = headers.get("sec-websocket-version");
  if (method !== "GET" || !upgrades || version !== "13" || !KEY.test(key)) return null;
  const accept = createHash("sha1").update(key + KEY_SUFFIX).digest("base64");
  const fields: [string, string][] = [
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", accept],
  ];
  const protocol = subprotocolOf(request);
  if (protocol !== null) fields.push(["Sec-WebSocket-Protocol", protocol]);
  return fields;
}

/** The first of the subprotocols that a request offers; null: it offers none. */
export function subprotocolOf(request: Request): string | null {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").map((name) => name.trim()).find((name) => TOKEN.test(name)) ?? null;
}

/** A whole binary message in one frame. */
export function binaryFrame(bytes: Uint8Array): Uint8Array {
  return frame(Opcode.BINARY, bytes);
}

/** The frame that begins the end, or answers it. */
export function closeFrame(code: number): Uint8Array {
  return frame(Opcode.CLOSE, new Uint8Array([code >> 8, code & 255]));
}

/** First byte: final and opcode; then the length in 7, 16 or 64 bits. A server's frames are not masked. */
function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = new Uint8Array(head + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80 | opcode;
  if (head === 2) bytes[1] = length;
  else if (head === 4) {
    bytes[1] = 126;
    view.setUint16(2, length);
  } else {
    bytes[1] = 127;
    view.setBigUint64(2, BigInt(length));
  }
  bytes.set(payload, head);
  return bytes;
}

/** What is to be done about what a client has said. */
export interface ClientWish {
  /** Frames to be sent in answer. */
  readonly answers: readonly Uint8Array[];
  /** The connection is to be closed after them. */
  readonly close: boolean;
}

const NOTHING: ClientWish = { answers: [], close: false };

/** Reads a client's frames: answers its pings and its close, and ignores the rest within bounds. */
export class ClientFrames {
  #bytes = new Uint8Array(0);
  /** Bytes of the message whose last fragment has not come; null: there is none. */
  #messageBytes: number | null = null;

  /** Takes bytes, which are only lent for the time of the call. After `close` nothing more is to come. */
  push(bytes: Uint8Array): ClientWish {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    const answers: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const size = this.#frameSize(all, at);
      if (size === null) break;
      if (typeof size !== "number") return { answers: [...answers, ...size.answers], close: true };
      const opcode = all[at] & 15;
      if (opcode === Opcode.CLOSE) return { answers: [...answers, closeFrame(1000)], close: true };
      // Of many pings in one go the last one alone is answered (RFC 6455 §5.5.3).
      if (opcode === Opcode.PING) answers[0] = frame(Opcode.PONG, unmasked(all, at, size));
      at += size;
    }
    this.#bytes = all.slice(at);
    return answers.length === 0 ? NOTHING : { answers, close: false };
  }

  /** Bytes of the frame at `at`; null: not all of it has come; a wish: it is not to be borne. */
  #frameSize(bytes: Uint8Array, at: number): number | ClientWish | null {
    if (bytes.length - at < 2) return null;
    const final = (bytes[at] & 0x80) !== 0;
    const opcode = bytes[at] & 15;
    const length = bytes[at + 1] & 127;
    const control = opcode >= 8;
    const known = opcode <= Opcode.BINARY || (opcode >= Opcode.CLOSE && opcode <= Opcode.PONG);
    // No extension has been agreed on, and what a client says is masked.
    if ((bytes[at] & 0x70) !== 0 || (bytes[at + 1] & 0x80) === 0 || !known) return refused(1002);
    if (control && (!final || length > MAX_CONTROL_BYTES)) return refused(CloseCode.PROTOCOL_ERROR);
    if (length === 127) return refused(CloseCode.TOO_BIG);
    const head = length === 126 ? 8 : 6;
    if (bytes.length - at < head) return null;
    const payload = length === 126 ? bytes[at + 2] << 8 | bytes[at + 3] : length;
    const fragments = this.#messageBytes;
    if (!control) {
      if ((opcode === Opcode.CONTINUATION) !== (fragments !== null)) {
        return refused(CloseCode.PROTOCOL_ERROR);
      }
      if (payload + (fragments ?? 0) > MAX_CLIENT_BYTES) return refused(CloseCode.TOO_BIG);
    }
    if (bytes.length - at < head + payload) return null;
    // A fragment counts for its head too: empty ones without end are no message either.
    if (!control) this.#messageBytes = final ? null : (fragments ?? 0) + payload + head;
    return head + payload;
  }
}

function refused(code: number): ClientWish {
  return { answers: [closeFrame(code)], close: true };
}

/** The payload of a short frame: two bytes of head and four of mask stand before it. */
function unmasked(bytes: Uint8Array, at: number, size: number): Uint8Array {
  const payload = bytes.slice(at + 6, at + size);
  for (let index = 0; index < payload.length; index++) payload[index] ^= bytes[at + 2 + index % 4];
  return payload;
}
