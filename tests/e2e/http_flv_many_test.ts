/**
 * 200 browsers' worth of HTTP-FLV of one stream, and one that does not read.
 * @module
 */
import assert from "node:assert/strict";
import net from "node:net";
import { deafClient } from "../tools/flv_client.ts";
import { media } from "../tools/media.ts";
import { sleep, until } from "../tools/process.ts";
import { scenario } from "../tools/scenario.ts";
import type { Server } from "../tools/server.ts";

const PLAYERS = 200;
const PATH = "/live/livestream.flv";

/** ms of media that the server may keep for who does not read. */
const QUEUE_MS = 2000;
/** ms by which the API's figure may go beyond: a GOP of the clip is dropped as a whole. */
const GOP_MS = 1000;

/** ms until all are being served, and between two looks at them. */
const START_LIMIT_MS = 15_000;
const LOOK_MS = 500;
/** ms for which they are looked at; in each of the pieces every one must get something. */
const PIECES = 4;
const PIECE_MS = 2000;
/** ms until the stalled one has filled the buffers of both sockets and then its queue. */
const DROP_LIMIT_MS = 15_000;

/**
 * Memory that the server may take from its first player on. What 200 players get is 100 MB a second, so
 * a server that kept one second of it for each of them, or copied what it sends faster than its
 * collector works, would need more within a piece. Needed are some tens of kB for each connection, the
 * stalled one's queue (1 MB), and what the collector has not come to yet.
 */
const GROWTH_LIMIT = 96 << 20;

/** A player that counts what it gets and keeps nothing. */
interface Counter {
  readonly socket: net.Socket;
  bytes: number;
  closed: boolean;
}

function counter(port: number): Counter {
  const socket = net.connect({ host: "127.0.0.1", port });
  const player: Counter = { socket, bytes: 0, closed: false };
  socket.on("data", (part: Uint8Array) => void (player.bytes += part.length));
  socket.on("error", () => {});
  socket.on("close", () => player.closed = true);
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return player;
}

/** What the API says of the client on this local port. */
async function clientOn(server: Server, port: number | undefined) {
  const answer = await server.api("/api/v1/clients/?count=1000");
  assert.ok(typeof answer === "object" && answer !== null && "clients" in answer);
  assert.ok(Array.isArray(answer.clients));
  const client = answer.clients.find(({ edge }) => edge.port === port);
  assert.ok(client, "the API knows the stalled client");
  return {
    droppedGops: Number(client.edge.dropped_gops),
    lagMs: Number(client.edge.lag_ms),
    flvClients: answer.clients.filter(({ type }) => type === "flv-play").length,
  };
}

scenario("HTTP-FLV: 200 players of 4 Mbit/s, and one that does not read", async (s) => {
  const server = await s.server({
    maxConnections: PLAYERS + 10,
    vhost: `play { gop_cache on; queue_length ${QUEUE_MS / 1000}; } http_remux { enabled on; }`,
  });
  s.publish(await media("four-mbit"), server.url("live/livestream"), { loop: true });
  await until("the stream", START_LIMIT_MS, async () => {
    const address = `http://127.0.0.1:${server.apiPort}${PATH}`;
    return (await fetch(address, { method: "HEAD" })).status === 200;
  });

  const before = server.residentBytes();
  let peak = before;
  const look = () => peak = Math.max(peak, server.residentBytes());
  const stalled = deafClient(server.apiPort, PATH, "http");
  const players = Array.from({ length: PLAYERS }, () => counter(server.apiPort));
  try {
    await until("the first bytes at all of them", START_LIMIT_MS, () => {
      look();
      return players.every(({ bytes }) => bytes > 0);
    });
    const start = players.reduce((sum, { bytes }) => sum + bytes, 0);
    for (let piece = 0; piece < PIECES; piece++) {
      const had = players.map(({ bytes }) => bytes);
      for (let ms = 0; ms < PIECE_MS; ms += LOOK_MS) {
        await sleep(LOOK_MS);
        look();
      }
      const idle = players.filter(({ bytes }, i) => bytes === had[i]).length;
      assert.equal(idle, 0, `${idle} players got nothing for ${PIECE_MS} ms`);
    }
    const bytes = players.reduce((sum, player) => sum + player.bytes, 0) - start;

    // What does not fit into its socket waits in its queue, and then goes, whole GOPs at a time.
    const last = await until("GOPs dropped for the stalled player", DROP_LIMIT_MS, async () => {
      look();
      const client = await clientOn(server, stalled.localPort);
      return client.droppedGops > 0 && client;
    });
    assert.ok(last.lagMs <= QUEUE_MS + GOP_MS, `the stalled player is ${last.lagMs} ms behind`);
    assert.equal(last.flvClients, PLAYERS + 1);
    assert.equal(players.filter(({ closed }) => closed).length, 0, "nobody was thrown out");

    const growth = peak - before;
    const mbit = Math.round(bytes * 8 / 1000 / PIECES / PIECE_MS);
    console.log(
      `${PLAYERS} players got ${mbit} Mbit/s; memory: ${before >> 20} MB, at most ` +
        `${
          growth >> 20
        } MB more; the stalled one: ${last.droppedGops} GOPs dropped, ${last.lagMs} ms`,
    );
    assert.ok(growth < GROWTH_LIMIT, `the server grew by ${growth >> 20} MB`);
  } finally {
    stalled.destroy();
    for (const { socket } of players) socket.destroy();
  }
});
