/**
 * What the settings for delay do, seen by the number of writes that reach a player: a count, not a time.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { isMedia, type Message } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { sleep } from "../tools/process.ts";

/** Seconds of stream that are counted. */
const SECONDS = 5;

/** Messages per second of the test stream: 25 of video and 43 of audio. */
const RATE = 68;

/** Plays for some seconds; returns the media messages with the number of the read that brought them. */
async function watch(s: Scenario, vhost: string): Promise<readonly Message[]> {
  const server = await s.server({ vhost });
  s.publish(await media("small-0"), server.url("live/livestream"), { loop: true });
  await sleep(1500);
  const player = await s.raw(server);
  await player.play("live", "livestream");
  await player.next("media", isMedia);
  const start = player.messages.length;
  await sleep(SECONDS * 1000);
  return player.messages.slice(start).filter(isMedia);
}

function writesOf(messages: readonly Message[]): number {
  return new Set(messages.map((m) => m.read)).size;
}

function assertComplete(messages: readonly Message[]): void {
  const due = RATE * (SECONDS - 2.5);
  assert.ok(messages.length > due, `only ${messages.length} messages came, ${due} were due`);
}

scenario("realtime.conf: messages leave as they come, not gathered", async (s) => {
  const messages = await watch(
    s,
    "tcp_nodelay on; min_latency on; play { gop_cache off; mw_latency 100; } publish { mr off; }",
  );
  assertComplete(messages);
  const writes = writesOf(messages);
  // ffmpeg itself sends what falls due together in one piece, so it is not one write per message.
  assert.ok(
    writes > messages.length / 4,
    `${messages.length} messages came in ${writes} writes: they were gathered`,
  );
});

scenario("min_latency off, mw_latency 2000: a player gets few, large writes", async (s) => {
  const messages = await watch(s, "min_latency off; play { gop_cache off; mw_latency 2000; }");
  assertComplete(messages);
  const writes = writesOf(messages);
  assert.ok(writes < messages.length / 10, `${messages.length} messages came in ${writes} writes`);
});

scenario("mr on, mr_latency 1000: a publisher's packets are gathered", async (s) => {
  const messages = await watch(
    s,
    "min_latency off; play { gop_cache off; mw_latency 0; mw_msgs 0; } " +
      "publish { mr on; mr_latency 1000; }",
  );
  assertComplete(messages);
  const writes = writesOf(messages);
  assert.ok(writes < messages.length / 10, `${messages.length} messages came in ${writes} writes`);
});

scenario("send_min_interval 100: a player gets at most ten messages a second", async (s) => {
  const messages = await watch(
    s,
    "play { gop_cache off; mw_latency 0; send_min_interval 100; queue_length 30; }",
  );
  const most = SECONDS * 10 * 1.2;
  assert.ok(messages.length <= most, `${messages.length} messages came, at most ${most} were due`);
  assert.ok(messages.length >= SECONDS * 10 / 4, `only ${messages.length} messages came`);
});
