/**
 * The least that a server must do wherever it runs: a stream, byte for byte, and the API.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "./media.ts";
import { playWhole, type Scenario } from "./scenario.ts";
import type { Server } from "./server.ts";

/** The recipe's low-latency settings. */
const REALTIME = `
    tcp_nodelay on;
    min_latency on;
    play { gop_cache off; queue_length 10; mw_latency 100; }
    publish { mr off; }`;

/** Starts the server by a command, plays a stream through it, asks the API, and stops it. */
export async function smoke(s: Scenario, command: readonly string[]): Promise<void> {
  const server = await s.server({ command, vhost: REALTIME });
  await playSmoke(s, server);
  const { success, code } = await server.process.stop("SIGTERM");
  assert.ok(success, `exit status 0 and not ${code} when stopped`);
}

/** The same with a server that is there already. */
export async function playSmoke(s: Scenario, server: Server): Promise<void> {
  // Somebody who stays: a stream that nobody has any more is soon forgotten.
  await s.play(server.url("live/livestream"));
  await playWhole(s, server, await media("h264-aac"));
  const summaries = JSON.stringify(await server.api("/api/v1/summaries"));
  assert.match(summaries, /"code":0/, summaries);
  const streams = JSON.stringify(await server.api("/api/v1/streams/"));
  assert.match(streams, /"name":"livestream"/, streams);
}
