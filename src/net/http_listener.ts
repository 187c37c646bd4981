/**
 * HTTP ports: HTTP/1.1 over sockets of ours, the same on both runtimes. The runtimes' own servers bound
 * neither the connections nor what a client may leave unsaid, and do not hand their sockets over to a
 * stream.
 * @module
 */

import { HTTP_TICK_MS } from "./limits.ts";
import type { ListenAddress } from "../config/types.ts";
import { type FetchHandler, HttpConnection, type HttpConnectionHost } from "./http_connection.ts";
import { guarded } from "../runtime/faults.ts";
import { listenTcp, type TcpListener, type TcpSocket } from "./tcp.ts";
import { listenTls, type TlsFiles } from "./tls.ts";

export type { FetchHandler, HttpPeer } from "./http_connection.ts";

/** An open listener. */
export interface HttpListener {
  /** Where it listens; the real port if 0 was asked for. */
  readonly address: ListenAddress;
  /** Stops accepting; what has been asked for is answered to the end, and streams go on. */
  release(): void;
  /** Stops accepting and drops every connection, answered or not. */
  close(): Promise<void>;
}

/** HTTP connections that are no players', until it is told how many there may be. */
const DEFAULT_ROOM = 64;

/**
 * The connections of all listeners of this thread, in the order in which they came. The players of
 * HTTP-FLV and WebSockets among them count as clients, whose limit is `max_connections`.
 */
const open = new Set<HttpConnection>();
let room = DEFAULT_ROOM;

/** So many connections that are no players' may be open on all HTTP ports; see file_limit.ts. */
export function limitHttpConnections(most: number): void {
  room = most;
}

/**
 * Listens for HTTP, or HTTPS if there are `tls` files, on one address; prints nothing. `fault` is told of
 * faults of ours, each of which ends one connection.
 * @throws Error that names the address, the reason and the cure when that is not possible
 */
export async function listenHttp(
  address: ListenAddress,
  handler: FetchHandler,
  tls: TlsFiles | null = null,
  fault: (error: unknown) => void = () => {},
): Promise<HttpListener> {
  const connections = new HttpConnections(handler, tls ? "https" : "http", fault);
  const accept = (socket: TcpSocket) => connections.add(socket);
  const listener = await (tls ? listenTls(address, tls, accept) : listenTcp(address, accept));
  return connections.listener(listener);
}

/** The connections of one listener. */
class HttpConnections implements HttpConnectionHost {
  readonly fetch: FetchHandler;
  readonly scheme: "http" | "https";
  closing = false;
  readonly fault: (error: unknown) => void;
  /** In the order in which they came. */
  readonly #all = new Set<HttpConnection>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #gone: (() => void) | null = null;

  constructor(fetch: FetchHandler, scheme: "http" | "https", fault: (error: unknown) => void) {
    this.fetch = fetch;
    this.scheme = scheme;
    this.fault = fault;
  }

  add(socket: TcpSocket): HttpConnection {
    makeRoom();
    const connection = new HttpConnection(socket, this);
    this.#all.add(connection);
    open.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), HTTP_TICK_MS);
    return connection;
  }

  finished(connection: HttpConnection): void {
    this.#all.delete(connection);
    open.delete(connection);
    if (this.#all.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#gone?.();
  }

  listener(listener: TcpListener): HttpListener {
    const release = () => {
      this.closing = true;
      listener.close();
      for (const connection of this.#all) if (connection.idle) connection.close();
    };
    return {
      address: listener.address,
      release,
      close: async () => {
        release();
        const gone = new Promise<void>((resolve) => this.#gone = resolve);
        for (const connection of [...this.#all]) connection.abort();
        if (this.#all.size > 0) await gone;
      },
    };
  }

  #tick(): void {
    for (const connection of [...this.#all]) {
      guarded("a tick of an HTTP connection", () => connection.tick());
    }
  }
}

/**
 * When there are as many as may be, the oldest idle one of the address that has most goes: who opens
 * connections without end loses its own, and all others are let in (H36).
 */
function makeRoom(): void {
  if (open.size < room) return;
  const counted = [...open].filter((connection) => !connection.streams && !connection.over);
  if (counted.length < room) return;
  const byAddress = Map.groupBy(counted, ({ socket }) => socket.remoteAddress);
  const most = [...byAddress.values()].reduce((a, b) => b.length > a.length ? b : a);
  (most.find((connection) => connection.idle) ?? most[0]).abort();
}
