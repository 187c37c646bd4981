/**
 * Listening for TCP connections.
 * @module
 */

import net from "node:net";
import type { ListenAddress } from "../config/types.ts";
import { guarded } from "../runtime/faults.ts";
import { HIGH_WATER_MARK, NetSocket } from "./net_socket.ts";
import { OwnListener } from "./own_listener.ts";
import { openLoop, type OwnLoop } from "./own_loop.ts";
import type { TcpHandler, TcpListener, TcpSocket } from "./socket.ts";

export type { TcpHandler, TcpListener, TcpSocket } from "./socket.ts";

/** Connections that may wait to be accepted. The kernel cuts this to net.core.somaxconn (SRS: 512). */
const BACKLOG = 16_383;
/**
 * Listens on an address, with `reusePort` together with others that do; `accept` gives each new
 * connection its handler, or null to refuse it at once.
 * @throws Error with the address and the cure when the address cannot be had.
 */
export async function listenTcp(
  address: ListenAddress,
  accept: (socket: TcpSocket) => TcpHandler | null,
  reusePort = false,
): Promise<TcpListener> {
  const own = await openLoop();
  const listener = own?.accepts
    ? OwnListener.open(own.libc, own.loop, address, accept, { reusePort, backlog: BACKLOG })
    : null;
  // What is in the way, it says.
  return listener ?? await listenByRuntime(address, accept, reusePort, own);
}

async function listenByRuntime(
  address: ListenAddress,
  accept: (socket: TcpSocket) => TcpHandler | null,
  reusePort: boolean,
  own: OwnLoop | null,
): Promise<TcpListener> {
  const options = { allowHalfOpen: true, noDelay: true, highWaterMark: HIGH_WATER_MARK };
  const server = net.createServer(options, (socket) => {
    const handler = guarded("the accept of a connection", () => {
      const connection = new NetSocket(socket, own);
      const handler = accept(connection);
      if (handler) connection.attach(handler);
      return handler;
    });
    if (!handler) {
      socket.on("error", () => {});
      socket.destroy();
    }
  });
  return await new Promise((resolve, reject) => {
    server.once("error", (error) => reject(bindError(address, error)));
    const { host, port } = address;
    server.listen({ host, port, backlog: BACKLOG, ...(reusePort && { reusePort }) }, () => {
      const bound = server.address();
      const port = typeof bound === "object" && bound ? bound.port : address.port;
      server.on("error", () => {});
      resolve({ address: { host: address.host, port }, close: () => void server.close() });
    });
  });
}

/** Whether this runtime can listen on a port several times, found out by doing it. */
export async function canReusePort(): Promise<boolean> {
  const refuse = () => null;
  const first = await listenTcp({ host: "127.0.0.1", port: 0 }, refuse, true);
  try {
    (await listenTcp(first.address, refuse, true)).close();
    return true;
  } catch {
    return false;
  } finally {
    first.close();
  }
}

/**
 * Makes sure that no process listens on an address, as a listener alone on its port does by itself: with
 * `reusePort` two servers would share it, and each would have half of the clients.
 * @throws Error with the address and the cure when the address cannot be had.
 */
export async function assertFree(address: ListenAddress): Promise<void> {
  (await listenTcp(address, () => null)).close();
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The error with the address, the reason in plain words, and the cure. */
export function bindError(address: ListenAddress, error: Error): Error {
  const code = "code" in error ? error.code : undefined;
  const where = `cannot listen on ${formatAddress(address)}`;
  switch (code) {
    case "EADDRINUSE":
      return new Error(
        `${where}: the port is in use. Stop the other program, or change "listen" in the configuration`,
      );
    case "EACCES":
      return new Error(
        `${where}: no permission. Ports below 1024 need root or CAP_NET_BIND_SERVICE`,
      );
    case "EADDRNOTAVAIL":
      return new Error(`${where}: this machine has no such address`);
    default:
      return new Error(`${where}: ${error.message}`);
  }
}
