/**
 * The floor: what comes in from one connection goes out to all others, as it is. No protocol, no queue,
 * no statistics; one write per player per flush window, of the same bytes for all. A server in the same
 * runtime cannot be cheaper than this.
 *
 *     deno run --allow-net floor.ts PORT WINDOW_MS      bun floor.ts PORT WINDOW_MS
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import process from "node:process";

const [port, windowMs] = process.argv.slice(2).map(Number);

/**
 * Connections that may wait to be accepted: all players come at once.
 */
const BACKLOG = 16_383;

const sockets = new Set<net.Socket>();
let gathered: Uint8Array[] = [];

function flush(publisher: net.Socket): void {
  const bytes = Buffer.concat(gathered);
  gathered = [];
  for (const socket of sockets) if (socket !== publisher) socket.write(bytes);
}

net.createServer({ noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on("data", (bytes: Uint8Array) => {
    gathered.push(bytes);
    if (windowMs === 0) flush(socket);
    else if (gathered.length === 1) setTimeout(() => flush(socket), windowMs);
  });
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(socket));
}).listen({ host: "127.0.0.1", port, backlog: BACKLOG });
