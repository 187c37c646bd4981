/**
 * Outgoing TCP connections, with or without TLS.
 * @module
 */

import net from "node:net";
import tls from "node:tls";
import type { ListenAddress } from "../config/types.ts";
import { guarded } from "../runtime/faults.ts";
import { noPlace, takeOutgoing } from "./outgoing.ts";
import { runClock } from "./run_clock.ts";
import { NetSocket } from "./net_socket.ts";
import { OwnConnect } from "./own_connect.ts";
import { ownLoop } from "./own_loop.ts";
import type { OwnSocket } from "./own_socket.ts";
import type { TcpHandler, TcpSocket } from "./socket.ts";
import { formatAddress } from "./tcp.ts";

/** What went wrong, for programs. */
export type ConnectFailure = "refused" | "no-host" | "timeout" | "unreachable" | "tls" | "other";

/** There is no connection. The message names the place and the cure. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  constructor(readonly failure: ConnectFailure, message: string) {
    super(message);
  }
}

/** How to connect. */
export interface ConnectOptions {
  /** ms until the connection must stand, name look-up and TLS included. */
  readonly timeoutMs: number;
  /** TLS with the host as server name (S12). */
  readonly tls?: boolean;
  /** Certificates (PEM) to trust instead of the usual ones. */
  readonly ca?: string;
}

/**
 * Connects. Either `begin` is called, once, with the open socket, and gives the handler of its bytes;
 * or `failed` is, once. Nagle is off. The result gives up an attempt that is still going on: neither is
 * called then.
 */
export function connectTcp(
  to: ListenAddress,
  options: ConnectOptions,
  begin: (socket: TcpSocket) => TcpHandler,
  failed: (error: ConnectError) => void,
): () => void {
  const giveBack = takeOutgoing();
  if (!giveBack) {
    // Not before the caller has what is returned.
    return runClock.after(0, () => {
      failed(new ConnectError("other", noPlace(formatAddress(to))));
    });
  }
  let over = false;
  let giveUp = () => {};
  const settle = () => {
    over = true;
    cancel();
  };
  const fail = (error: ConnectError | null) => {
    if (over) return;
    settle();
    giveUp();
    giveBack();
    if (error) failed(error);
  };
  const cancel = runClock.after(
    options.timeoutMs,
    () => fail(timeoutError(to, options.timeoutMs)),
  );
  const events: Events = {
    connected: (connection) => {
      if (over) return;
      settle();
      const handler = guarded("a connection to another server", () => begin(connection));
      if (handler) connection.attach(handler);
      else {
        connection.abort();
        giveBack();
      }
    },
    failed: (error) => fail(connectError(to, error)),
  };
  giveUp = attempt(to, options, events, giveBack);
  return () => fail(null);
}

interface Events {
  connected(connection: NetSocket | OwnSocket): void;
  failed(error: Error): void;
}

/** `over` is called when a connection that was made is over. Returns how to give it up. */
function attempt(
  to: ListenAddress,
  options: ConnectOptions,
  events: Events,
  over: () => void,
): () => void {
  const own = ownLoop();
  if (own?.accepts && !options.tls) {
    const connecting = new OwnConnect(own, to, events, over);
    return () => connecting.cancel();
  }
  const socket = options.tls
    ? tlsSocket(to, options)
    : net.connect({ ...to, noDelay: true, allowHalfOpen: true });
  socket.on("error", events.failed);
  socket.once(options.tls ? "secureConnect" : "connect", () => {
    socket.removeListener("error", events.failed);
    events.connected(new NetSocket(socket, own, over));
  });
  return () => {
    socket.on("error", () => {});
    socket.destroy();
  };
}

function tlsSocket(to: ListenAddress, { ca }: ConnectOptions): tls.TLSSocket {
  // An address is no server name (RFC 6066 §3).
  const servername = net.isIP(to.host) === 0 ? { servername: to.host } : {};
  return tls.connect({ ...to, ...servername, ...(ca === undefined ? {} : { ca }) });
}

function timeoutError(to: ListenAddress, ms: number): ConnectError {
  return new ConnectError(
    "timeout",
    `cannot connect to ${
      formatAddress(to)
    }: no answer within ${ms} ms. Is the address right, and ` +
      "does a firewall let it through?",
  );
}

/** What the runtimes call a refused connection, and so on: their codes, else their words. */
const FAILURES: readonly (readonly [ConnectFailure, RegExp])[] = [
  ["refused", /ECONNREFUSED|connection refused/i],
  ["no-host", /ENOTFOUND|EAI_|ENODATA|dns error|failed to lookup/i],
  ["timeout", /ETIMEDOUT|timed out/i],
  ["unreachable", /EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|unreachable|no route/i],
  ["tls", /certificate|CERT|EPROTO|TLS|SSL|corrupt message|handshake/i],
];

/** The error with place and cure, from what `node:net`, `node:tls` and `fetch` throw. */
export function connectError(to: ListenAddress, error: Error): ConnectError {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const cause = error.cause instanceof Error ? error.cause.message : "";
  const text = `${code} ${error.message} ${cause}`;
  const failure = FAILURES.find(([, words]) => words.test(text))?.[0] ?? "other";
  const where = `cannot connect to ${formatAddress(to)}`;
  const said = cause || error.message || code;
  const cures: Record<ConnectFailure, string> = {
    refused: `refused. Nothing listens on port ${to.port}: start the server, or check the port`,
    "no-host": `no such host. Check the name "${to.host}"`,
    timeout: "no answer. Is the address right, and does a firewall let it through?",
    unreachable: "no way there. Check address and network",
    tls: `TLS fails: ${said}. Check the server's certificate, or whether it speaks TLS at all`,
    other: said,
  };
  return new ConnectError(failure, `${where}: ${cures[failure]}`);
}
