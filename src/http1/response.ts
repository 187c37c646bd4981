/**
 * What an HTTP/1.1 answer consists of: its head, and the frames of a body in chunks (RFC 9112 §4, §7.1).
 * @module
 */

/** What the first line says beside the status; other statuses go without. */
const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  200: "OK",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  416: "Range Not Satisfiable",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
  508: "Loop Detected",
};

/** The head of an answer with the empty line at its end. `fields`: one character for each byte. */
export function responseHead(
  status: number,
  fields: Iterable<readonly [string, string]>,
): Uint8Array {
  let text = `HTTP/1.1 ${reasonLine(status)}\r\n`;
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`;
  return bytesOf(`${text}\r\n`);
}

/** Status and reason, as `404 Not Found`. */
export function reasonLine(status: number): string {
  return `${status} ${REASONS[status] ?? ""}`;
}

/** "100 Continue": the client may send the body. */
export const CONTINUE = bytesOf("HTTP/1.1 100 Continue\r\n\r\n");

/** The end of a body in chunks. */
export const LAST_CHUNK = bytesOf("0\r\n\r\n");

const CR = 13;
const LF = 10;

/** A chunk: size in hexadecimal, line end, bytes, line end. An empty one would be the end of the body. */
export function chunk(bytes: Uint8Array): Uint8Array {
  const size = bytes.length.toString(16);
  const framed = new Uint8Array(size.length + bytes.length + 4);
  let at = 0;
  for (; at < size.length; at++) framed[at] = size.charCodeAt(at);
  framed[at++] = CR;
  framed[at++] = LF;
  framed.set(bytes, at);
  at += bytes.length;
  framed[at++] = CR;
  framed[at] = LF;
  return framed;
}

/**
 * Puts bytes into frames once for all players: they are sent the same bytes one after the other, and the
 * frame that was made last is theirs too.
 */
export class SharedFrames {
  readonly #frame: (bytes: Uint8Array) => Uint8Array;
  #bytes: Uint8Array | null = null;
  #framed: Uint8Array = new Uint8Array(0);

  /** @param frame puts bytes, which never change, into a frame */
  constructor(frame: (bytes: Uint8Array) => Uint8Array) {
    this.#frame = frame;
  }

  /** The frame of these bytes. */
  of(bytes: Uint8Array): Uint8Array {
    if (this.#bytes === bytes) return this.#framed;
    this.#bytes = bytes;
    return this.#framed = this.#frame(bytes);
  }
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
