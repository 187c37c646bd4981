/**
 * One HTTP/1.1 connection over a socket of ours: requests in, answers out, one at a time. A connection may
 * end as a stream of bytes without end, in chunks or as a WebSocket, that goes to the socket as it is.
 * @module
 */

import { ANSWER_STALL_S, HALF_CLOSED_S, MAX_PENDING_BYTES, REQUEST_TIMEOUT_S } from "./limits.ts";
import { setImmediate } from "node:timers";
import { BadRequest, type RequestHead } from "../http1/request_head.ts";
import { MAX_HEAD_BYTES } from "../http1/limits.ts";
import { type HttpRequest, RequestReader } from "../http1/request_reader.ts";
import { chunk, CONTINUE, LAST_CHUNK, reasonLine, responseHead } from "../http1/response.ts";
import { ClientFrames, handshakeFields } from "../http1/web_socket.ts";
import type { TcpHandler, TcpSocket } from "./tcp.ts";
import { EndlessBody } from "./endless_body.ts";
import type { WebLinkHandler } from "./web_link.ts";

/** Bytes of requests that may have come while one is answered; more is left in the kernel. */
const MAX_AHEAD_BYTES = MAX_HEAD_BYTES;

/** The other end of the connection that a request came on. */
export interface HttpPeer {
  readonly address: string;
  readonly port: number;
  /**
   * The answer's body is what `handler` sends, until it ends: once the answer, with status 200, has been
   * made. Of its headers, those of the connection and of the body's length are ours.
   */
  stream(handler: WebLinkHandler): void;
  /**
   * Answers the request by turning its connection into a WebSocket; false: it is no handshake. The answer
   * is to have status 200, as above.
   */
  upgrade(handler: WebLinkHandler): boolean;
}

/** Answers a request. Should it throw, the client gets a plain 500. */
export type FetchHandler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;

/** What a connection needs of the listener. */
export interface HttpConnectionHost {
  readonly fetch: FetchHandler;
  readonly scheme: "http" | "https";
  /** No more requests: the answer that is on its way is the last. */
  readonly closing: boolean;
  /** The connection is over. */
  finished(connection: HttpConnection): void;
  /** A fault of ours. */
  fault(error: unknown): void;
}

/** What the answer is to become. */
interface Turn {
  readonly handler: WebLinkHandler;
  /** The fields of a WebSocket's handshake; null: an ordinary body. */
  readonly upgrade: readonly [string, string][] | null;
}

/** The server's side of one connection. */
export class HttpConnection implements TcpHandler {
  readonly socket: TcpSocket;
  readonly #host: HttpConnectionHost;
  readonly #reader = new RequestReader();
  readonly #peer: { readonly address: string; readonly port: number };
  /** The request that is answered; null: one is awaited. */
  #aborter: AbortController | null = null;
  #link: EndlessBody | null = null;
  #onWritable: (() => void) | null = null;
  #paused = false;
  /** The client has closed its side: what it has asked for is all. */
  #halfClosed = false;
  /** Our last bytes are on their way, or the socket is closed. */
  #closed = false;
  #over = false;
  /** Whole seconds, in which the server ran, since something was last heard or taken. */
  #idleS = 0;

  constructor(socket: TcpSocket, host: HttpConnectionHost) {
    this.socket = socket;
    this.#host = host;
    const port = Number(socket.remote.slice(socket.remote.lastIndexOf(":") + 1));
    this.#peer = { address: socket.remoteAddress, port };
  }

  /** Whether nothing is lost when it is closed: no request is being answered. */
  get idle(): boolean {
    return this.#aborter === null && this.#link === null;
  }

  /** Whether it has been closed, though its socket may not be yet. */
  get over(): boolean {
    return this.#closed;
  }

  /** Whether it is a player's: it lasts, and the limits for clients are for it. */
  get streams(): boolean {
    return this.#link !== null;
  }

  // ---- from the socket

  onBytes(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#link) return this.#link.received(bytes);
    this.#reader.push(bytes);
    if (this.#aborter) return this.#pauseIfFull();
    this.#next();
  }

  onWritable(): void {
    this.#idleS = 0;
    if (this.#link) return this.#link.writable();
    const tell = this.#onWritable;
    this.#onWritable = null;
    tell?.();
  }

  /**
   * A client that has said all it has to say may wait for the answer, or be gone: that does not show. What
   * is answered continues; what is only waited for need not (H39).
   */
  onEnd(): boolean {
    if (this.#closed || this.idle || this.#link?.isWebSocket) return false;
    this.#halfClosed = true;
    this.#aborter?.abort();
    return true;
  }

  onClose(): void {
    this.#over = this.#closed = true;
    this.#aborter?.abort();
    const tell = this.#onWritable;
    this.#onWritable = null;
    tell?.();
    this.#link?.closed();
    this.#host.finished(this);
  }

  // ---- from the listener

  /** Once a second, while the server runs. */
  tick(): void {
    if (this.#over) return;
    this.#idleS++;
    if (this.#link) {
      if (this.#link.takeSent()) this.#idleS = 0;
      if (this.#halfClosed && this.#idleS > HALF_CLOSED_S) this.abort();
      return;
    }
    if (this.#aborter === null && this.#idleS > REQUEST_TIMEOUT_S) {
      // A client that has sent nothing waits for nothing.
      if (this.#reader.midway) {
        this.#refuse(new BadRequest(408, "the request has not come in time"));
      } else this.close();
    } else if (this.socket.pendingBytes > 0 && this.#idleS > ANSWER_STALL_S) this.socket.abort();
  }

  /** Closes it in an orderly way; an answer that is on its way is cut off. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.close();
  }

  /** Closes it at once. */
  abort(): void {
    this.#closed = true;
    this.socket.abort();
  }

  // ---- inside

  /** Takes the next request, if it is there and the connection is free. */
  #next(): void {
    if (this.#closed || this.#aborter || this.#link) return;
    let request: HttpRequest | null;
    try {
      request = this.#reader.next();
    } catch (error) {
      if (error instanceof BadRequest) return this.#refuse(error);
      throw error;
    }
    if (request) {
      this.#idleS = 0;
      void this.#answer(request);
    } else if (this.#halfClosed) this.close();
    else if (this.#reader.awaitsContinue) {
      this.#reader.awaitsContinue = false;
      this.socket.send(CONTINUE);
    }
  }

  async #answer({ head, body }: HttpRequest): Promise<void> {
    const aborter = this.#aborter = new AbortController();
    let turn: Turn | null = null;
    try {
      const request = requestOf(head, body, this.#host.scheme, aborter.signal);
      const response = await this.#ask(request, {
        ...this.#peer,
        stream: (handler) => turn = { handler, upgrade: null },
        upgrade: (handler) => {
          const upgrade = head.http11 ? handshakeFields(request) : null;
          if (upgrade) turn = { handler, upgrade };
          return upgrade !== null;
        },
      });
      // The checker does not see that it is set by the functions above.
      const wanted = turn as Turn | null;
      if (wanted && response.status === 200 && !this.#closed) {
        return this.#become(wanted, head, response);
      }
      wanted?.handler.onClose();
      if (this.#closed) return void response.body?.cancel();
      await this.#send(head, response);
    } catch (error) {
      this.#host.fault(error);
      return this.abort();
    }
    this.#aborter = null;
    if (this.#closed) return;
    if (!head.keepAlive || this.#host.closing) return this.close();
    this.#idleS = 0;
    if (this.#paused) {
      this.#paused = false;
      this.socket.resumeReading();
    }
    // A turn later: requests without end on one connection must not keep the others waiting.
    setImmediate(() => this.#guard(() => this.#next()));
  }

  /** The answer; a plain one for a fault of ours. */
  async #ask(request: Request, peer: HttpPeer): Promise<Response> {
    try {
      return await this.#host.fetch(request, peer);
    } catch (error) {
      this.#host.fault(error);
      return new Response("Internal Server Error", { status: 500 });
    }
  }

  /** From now on the connection is a player's. */
  #become({ handler, upgrade }: Turn, head: RequestHead, response: Response): void {
    this.#aborter = null;
    const chunked = upgrade === null && head.http11;
    const fields: readonly (readonly [string, string])[] = upgrade ?? [
      ...fieldsOf(response, false),
      ...chunked ? [["Transfer-Encoding", "chunked"] as const] : [],
      ["Connection", "close"],
    ];
    const own = upgrade ? serverField(response) : [];
    this.socket.send(responseHead(upgrade ? 101 : 200, [...own, ...fields]));
    const form = upgrade ? new ClientFrames() : chunked ? "chunks" : "bytes";
    this.#link = new EndlessBody(this.socket, handler, form);
    this.socket.expect("player");
    if (this.#paused) this.socket.resumeReading();
    const rest = this.#reader.takeRest();
    this.#link.open();
    if (rest.length > 0 && upgrade) this.#link.received(rest);
  }

  /** Sends an ordinary answer. */
  async #send(head: RequestHead, response: Response): Promise<void> {
    const close = !head.keepAlive || this.#host.closing || wantsClose(response);
    const begin = (more: readonly (readonly [string, string])[]) =>
      responseHead(response.status, [
        ...fieldsOf(response, true),
        ...more,
        ["Connection", close ? "close" : "keep-alive"],
      ]);
    const bodiless = response.status === 204 || response.status === 304;
    const said = response.headers.has("Content-Length");
    const { body } = response;
    if (body === null || head.method === "HEAD") {
      await body?.cancel();
      const none = !said && !bodiless && head.method !== "HEAD";
      this.socket.send(begin(none ? [["Content-Length", "0"]] : []));
    } else {
      await this.#sendBody(body.getReader(), begin, said, head.http11);
    }
    if (close) this.close();
  }

  async #sendBody(
    body: ReadableStreamDefaultReader<Uint8Array>,
    begin: (more: readonly (readonly [string, string])[]) => Uint8Array,
    lengthSaid: boolean,
    http11: boolean,
  ): Promise<void> {
    const { value: first, done } = await body.read();
    const start = done ? new Uint8Array(0) : first;
    // A text is one piece: then the length is known, and all goes in one write.
    let next = done ? null : body.read();
    const whole = next === null || (!lengthSaid && await settledSoon(next) === true);
    if (whole) {
      const lengths = lengthSaid ? [] : [["Content-Length", String(start.length)] as const];
      this.socket.send(joined(begin(lengths), start));
      return;
    }
    const chunked = !lengthSaid && http11;
    const frame = chunked ? chunk : (bytes: Uint8Array) => bytes;
    this.socket.send(
      joined(begin(chunked ? [["Transfer-Encoding", "chunked"]] : []), frame(start)),
    );
    try {
      for (; next; next = body.read()) {
        const { value, done } = await next;
        if (done || this.#closed) break;
        if (value.length === 0) continue;
        this.socket.send(frame(value));
        if (this.socket.pendingBytes > MAX_PENDING_BYTES) await this.#room();
        if (this.#closed) break;
      }
    } catch {
      // The body has broken off, and the client must see that.
      return this.abort();
    } finally {
      if (this.#closed) await body.cancel().catch(() => {});
    }
    if (this.#closed) return;
    if (chunked) this.socket.send(LAST_CHUNK);
    else if (!lengthSaid) this.close();
  }

  /** Until the client has taken what was sent, or is gone. */
  #room(): Promise<void> {
    return new Promise((resolve) => this.#onWritable = resolve);
  }

  /** What was sent cannot be understood: says why, and closes. */
  #refuse({ status, message }: BadRequest): void {
    const text = `${reasonLine(status)}: ${message}\n`.replace(/^\d+ /, "");
    const fields: [string, string][] = [
      ["Content-Type", "text/plain; charset=UTF-8"],
      ["Content-Length", String(text.length)],
      ["Connection", "close"],
    ];
    this.socket.send(joined(responseHead(status, fields), new TextEncoder().encode(text)));
    this.close();
  }

  #pauseIfFull(): void {
    if (this.#paused || this.#reader.waitingBytes <= MAX_AHEAD_BYTES) return;
    this.#paused = true;
    this.socket.pauseReading();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#host.fault(error);
      this.abort();
    }
  }
}

function requestOf(
  head: RequestHead,
  body: Uint8Array,
  scheme: string,
  signal: AbortSignal,
): Request {
  const url = `${scheme}://${head.host}${head.target}`;
  const bodiless = head.method === "GET" || head.method === "HEAD" || body.length === 0;
  return new Request(url, {
    method: head.method,
    headers: head.fields.map(([name, value]): [string, string] => [name, value]),
    signal,
    ...(!bodiless && { body: body.slice() }),
  });
}

/** What is ours to say: who keeps the connection, and how long a body is. */
const OURS = new Set(["connection", "keep-alive", "transfer-encoding", "date"]);

function fieldsOf(response: Response, withLength: boolean): (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [["Date", httpDate()]];
  response.headers.forEach((value, name) => {
    if (!OURS.has(name) && (withLength || name !== "content-length")) {
      fields.push([canonical(name), value]);
    }
  });
  return fields;
}

function serverField(response: Response): (readonly [string, string])[] {
  const name = response.headers.get("Server");
  return name === null ? [] : [["Server", name]];
}

/** `content-type` as `Content-Type`: what people, and careless clients, look for. */
function canonical(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => {
    return dash + letter.toUpperCase();
  });
}

function wantsClose(response: Response): boolean {
  return response.headers.get("Connection")?.toLowerCase() === "close";
}

let dateText = "";
let dateSecond = NaN;

/** The time, made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** Whether a body that has given one piece is over, if that shows within a turn; null: it does not. */
async function settledSoon(
  next: Promise<ReadableStreamReadResult<Uint8Array>>,
): Promise<boolean | null> {
  const turn = new Promise<null>((resolve) => setImmediate(() => resolve(null)));
  // What it fails with shows itself where it is used.
  return await Promise.race([next.then(({ done }) => done, () => null), turn]);
}
