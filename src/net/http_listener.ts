/**
 * The HTTP listener of the runtime, Deno's or Bun's, behind one function.
 * @module
 */

import type { ListenAddress } from "../config/types.ts";
import type { WebLinkHandler } from "./web_link.ts";
import {
  BUN_WEB_SOCKETS,
  type BunUpgrade,
  type BunWebSockets,
  upgradeBun,
  upgradeDeno,
  wantsWebSocket,
} from "./web_socket.ts";

/** The other end of the connection that a request came on. */
export interface HttpPeer {
  readonly address: string;
  readonly port: number;
  /** The answer is a stream that may pause for longer than the connection may idle. */
  keepOpen(): void;
  /** Drops the connection although its answer has not been taken. Deno cannot: it waits for the peer. */
  cutOff(): void;
  /** Answers the request by turning its connection into a WebSocket; null: it asks for none. */
  upgrade(handler: WebLinkHandler): Response | null;
}

/** Answers a request. Should it throw, the client gets a plain 500. */
export type FetchHandler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;

/** An open listener. */
export interface HttpListener {
  /** Where it listens; the real port if 0 was asked for. */
  readonly address: ListenAddress;
  /**
   * Stops accepting; what has been asked for is answered to the end. Not to be closed after that: Deno
   * cannot.
   */
  release(): void;
  /** Stops accepting and drops every connection, answered or not. */
  close(): Promise<void>;
}

/** Key and certificates of a TLS listener: the contents of PEM files. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
}

/** s without traffic after which Bun closes a connection (SRS: 15 s). Deno has no such setting. */
const BUN_IDLE_TIMEOUT_S = 15;
/** s without traffic until Bun drops a connection that is to be dropped; it knows no less than this. */
const BUN_CUT_OFF_S = 1;

/** The part of Bun's API that is used here. */
interface BunServer {
  readonly port: number;
  requestIP(request: Request): { readonly address: string; readonly port: number } | null;
  timeout(request: Request, seconds: number): void;
  upgrade(request: Request, options: BunUpgrade): boolean;
  stop(closeActiveConnections: boolean): Promise<void>;
}

interface BunRuntime {
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    reusePort: boolean;
    development: boolean;
    tls?: TlsFiles;
    fetch(request: Request, server: BunServer): Response | Promise<Response>;
    websocket: BunWebSockets;
    error(error: unknown): Response;
  }): BunServer;
}

declare global {
  /** Present when Bun is the runtime. */
  var Bun: BunRuntime | undefined;
}

/**
 * Listens for HTTP, or HTTPS if there are `tls` files, on one address; prints nothing.
 * @throws Error that names the address, the reason and the cure when that is not possible
 */
// deno-lint-ignore require-await -- so that every failure is a rejection
export async function listenHttp(
  address: ListenAddress,
  handler: FetchHandler,
  tls: TlsFiles | null = null,
): Promise<HttpListener> {
  try {
    return globalThis.Bun === undefined
      ? listenDeno(address, handler, tls)
      : listenBun(globalThis.Bun, address, handler, tls);
  } catch (error) {
    throw bindError(address, error);
  }
}

function listenDeno(
  address: ListenAddress,
  handler: FetchHandler,
  tls: TlsFiles | null,
): HttpListener {
  const stop = new AbortController();
  const server = Deno.serve({
    hostname: address.host,
    port: address.port,
    signal: stop.signal,
    onListen: () => {},
    onError: serverFault,
    ...tls,
  }, (request, { remoteAddr }) => {
    return handler(request, {
      address: remoteAddr.hostname,
      port: remoteAddr.port,
      keepOpen: () => {},
      cutOff: () => {},
      upgrade: (handler) => wantsWebSocket(request) ? upgradeDeno(request, handler) : null,
    });
  });
  return {
    address: { host: address.host, port: server.addr.port },
    release: () => void server.shutdown(),
    close: () => {
      stop.abort();
      return server.finished;
    },
  };
}

function listenBun(
  bun: BunRuntime,
  address: ListenAddress,
  handler: FetchHandler,
  tls: TlsFiles | null,
): HttpListener {
  const server = bun.serve({
    hostname: address.host,
    port: address.port,
    idleTimeout: BUN_IDLE_TIMEOUT_S,
    // Said explicitly: left out, a second listener on a port of this process does not fail.
    reusePort: false,
    development: false,
    ...(tls && { tls }),
    fetch: (request, server) => {
      const { address, port } = server.requestIP(request) ?? { address: "", port: 0 };
      const peer: HttpPeer = {
        address,
        port,
        keepOpen: () => server.timeout(request, 0),
        cutOff: () => server.timeout(request, BUN_CUT_OFF_S),
        upgrade: (handler) =>
          wantsWebSocket(request)
            ? upgradeBun(request, (options) => server.upgrade(request, options), handler)
            : null,
      };
      // Without a usable Host header, as in a load balancer's HTTP/1.0 probe, the URL is but a path.
      const whole = request.url.startsWith("/")
        ? new Request(`http://localhost${request.url}`, request)
        : request;
      return handler(whole, peer);
    },
    websocket: BUN_WEB_SOCKETS,
    error: serverFault,
  });
  return {
    address: { host: address.host, port: server.port },
    release: () => void server.stop(false),
    close: () => server.stop(true),
  };
}

/** The runtimes' own pages would show the fault to the client. */
function serverFault(): Response {
  return new Response("Internal Server Error", { status: 500 });
}

/** Reason and cure by the error's code, which is the same on both runtimes. */
const BIND_FAULTS: { readonly [code: string]: string } = {
  EADDRINUSE: "address already in use. Stop the program that uses it, or listen on another port",
  EADDRNOTAVAIL: "this machine does not have that address. Use one of its own, or 0.0.0.0 for all",
  EACCES:
    "permission denied. Ports below 1024 are privileged: use a higher one, or grant the right",
};

function bindError({ host, port }: ListenAddress, error: unknown): Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const message = error instanceof Error ? error.message : String(error);
  const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new Error(`cannot listen on ${where}: ${BIND_FAULTS[code] ?? message}`, { cause: error });
}
