/**
 * An edge with nginx-rtmp for its origin.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { runNginx, startNginx } from "../tools/nginx.ts";
import { sleep, until } from "../tools/process.ts";
import { isMedia, type RawClient } from "../tools/raw_client.ts";
import { assertPlayed, scenario } from "../tools/scenario.ts";
import { freePort } from "../tools/server.ts";
import { streamOf, untilStream } from "../tools/upstreams.ts";

const LATENCY = "min_latency on; tcp_nodelay on; play { gop_cache on; mw_latency 100; }";

/** A vhost that is an edge of these origins. */
function edgeOf(origins: string, more = ""): string {
  return `${LATENCY} cluster { mode remote; origin ${origins}; ${more} }`;
}

/** Packets of video in a second. */
const FPS = 25;
const PLAYERS = 50;
/** Of those, players that are ffmpeg, whose every packet is compared. */
const EXACT = 3;
/** ms that a player may wait for media after an origin has gone and another one is there. */
const FAILOVER_MS = 5000;
/** ms until a pull without players has ended: the linger, a tick, and the stream's own end. */
const LINGER_LIMIT_MS = 12_000;

/** Media messages that a client has had. */
function mediaOf(client: RawClient): number {
  return client.messages.filter(isMedia).length;
}

/** Waits until every client has had `more` further media messages. */
async function allReceive(clients: readonly RawClient[], more: number, limitMs: number) {
  const before = clients.map(mediaOf);
  await until(
    `${more} more messages for all of ${clients.length} players`,
    limitMs,
    () => clients.every((client, i) => mediaOf(client) >= before[i] + more),
  );
}

/** By how much later one client of the same media gets each message than another one. */
function hopDelay(near: RawClient, far: RawClient): string {
  const seen = new Map(near.messages.filter(isMedia).map((m) => [m.payload.toString("hex"), m.at]));
  const delays = far.messages.filter(isMedia)
    .map(({ payload, at }) => at - (seen.get(payload.toString("hex")) ?? NaN))
    .filter((ms) => !Number.isNaN(ms)).sort((a, b) => a - b);
  assert.ok(delays.length >= FPS, "both have had the same messages");
  const at = (share: number) => delays[Math.floor(delays.length * share)].toFixed(2);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, of ${delays.length} messages`;
}

scenario("50 players of an edge; its origin nginx-rtmp is killed and restarted", async (s) => {
  const clip = await media("h264-aac");
  const origin = await runNginx(s, "application live { live on; }");
  const edge = await s.server({ vhost: edgeOf(`127.0.0.1:${origin.port}`) });
  s.publish(clip, `${origin.url}/live/livestream`, { loop: true });
  const exact = await Promise.all(
    Array.from({ length: EXACT }, () => s.play(edge.url("live/livestream"))),
  );
  const clients: RawClient[] = [];
  for (let i = EXACT; i < PLAYERS; i++) {
    const client = await s.raw(edge);
    await client.play("live", "livestream");
    clients.push(client);
  }
  await allReceive(clients, 2 * FPS, 15_000);
  const { edge: shown, publish } = await untilStream(
    "50 players on one live upstream",
    edge,
    "/live/livestream",
    5000,
    (stream) => stream.edge.players === PLAYERS && stream.edge.upstream?.state === "live",
  );
  assert.equal(publish.active, true);
  assert.equal(shown.upstream?.origin, `127.0.0.1:${origin.port}`);
  assert.equal(shown.upstream?.retries, 0, "one pull serves all");
  for (const player of exact) {
    await player.received("video", 2 * FPS);
    assertPlayed("before", player.recording(), clip, { seconds: 1.5, loop: true });
  }

  await origin.process.kill();
  await sleep(1500);
  const back = await runNginx(s, "application live { live on; }", origin.port);
  s.publish(clip, `${back.url}/live/livestream`, { loop: true });
  await allReceive(clients, 2 * FPS, 15_000);
  for (const player of exact) {
    assert.equal(player.process.exit, null, "it has stayed connected");
    await player.received("video", player.recording().video.length + FPS);
  }
  const again = await streamOf(edge, "/live/livestream");
  assert.ok((again?.edge.upstream?.retries ?? 0) >= 1);
  assert.match(edge.log, /edge pull \/live\/livestream ended \(lost\)/);

  for (const player of exact) await player.stop();
  for (const client of clients) client.destroy();
  await until(
    "the end of the pull",
    LINGER_LIMIT_MS,
    async () => await streamOf(edge, "/live/livestream") === null,
  );
  assert.match(edge.log, /edge pull \/live\/livestream ends: nobody has played it/);
}, { limitMs: 90_000 });

scenario("a chain nginx-rtmp -> edge -> edge is exact, and the hop's delay", async (s) => {
  const clip = await media("h264-aac");
  const nginx = await startNginx(s, "application live { live on; }");
  const first = await s.server({ vhost: edgeOf(new URL(nginx.replace("rtmp", "http")).host) });
  const second = await s.server({ vhost: edgeOf(`127.0.0.1:${first.port}`) });
  const player = await s.play(second.url("live/livestream"));
  const near = await s.raw(first);
  await near.play("live", "livestream");
  const far = await s.raw(second);
  await far.play("live", "livestream");
  s.publish(clip, `${nginx}/live/livestream`, { loop: true });
  await player.received("video", 4 * FPS, 20_000);
  assertPlayed("chain", await player.stop(), clip, { seconds: 3.5, loop: true });
  console.log(`      the second hop adds ${hopDelay(near, far)}`);
});

scenario("two origins: one is killed, the players of the edge go on with the other", async (s) => {
  const clip = await media("small-0");
  const origins = [
    await runNginx(s, "application live { live on; }"),
    await runNginx(s, "application live { live on; }"),
  ];
  for (const { url } of origins) s.publish(clip, `${url}/live/livestream`, { loop: true });
  const list = origins.map(({ port }) => `127.0.0.1:${port}`);
  const edge = await s.server({ vhost: edgeOf(list.join(" ")) });
  const clients = await Promise.all(Array.from({ length: 10 }, async () => {
    const client = await s.raw(edge);
    await client.play("live", "livestream");
    return client;
  }));
  await allReceive(clients, FPS, 15_000);
  const first = await streamOf(edge, "/live/livestream");
  assert.equal(first?.edge.upstream?.origin, list[0]);
  const killed = performance.now();
  await origins[0].process.kill();
  await allReceive(clients, FPS, FAILOVER_MS);
  const second = await streamOf(edge, "/live/livestream");
  assert.equal(second?.edge.upstream?.origin, list[1]);
  const after = clients.map((client) => {
    const i = client.messages.findIndex(({ at }) => at > killed + 5);
    return client.messages[i].at - client.messages[i - 1].at;
  });
  console.log(`      longest silence of a player ${Math.max(...after).toFixed(0)} ms`);
});

scenario("publishing on an edge goes up to nginx-rtmp, which knows who may", async (s) => {
  const clip = await media("h264-aac");
  const nginx = await runNginx(s, "application live { live on; }");
  const { url, port } = nginx;
  const edge = await s.server({ vhost: edgeOf(`127.0.0.1:${port}`) });
  const atOrigin = await s.play(`${url}/live/livestream`);
  const atEdge = await s.play(edge.url("live/livestream"));
  const publisher = s.publish(clip, edge.url("live/livestream?token=abc"), { loop: true });
  await atOrigin.received("video", 3 * FPS);
  await atEdge.received("video", 3 * FPS);
  for (const [label, player] of [["at the origin", atOrigin], ["at the edge", atEdge]] as const) {
    assertPlayed(label, await player.stop(), clip, { seconds: 2.5, loop: true });
  }

  const second = await s.raw(edge);
  await second.call("connect", { app: "live", tcUrl: edge.url("live") });
  await second.call("createStream", null);
  second.command("publish", null, "livestream", "live");
  await second.status("NetStream.Publish.BadName");
  await second.ended;

  await publisher.stop("SIGINT");
  const third = await s.raw(edge);
  await third.publish("live", "livestream");
  third.destroy();

  await nginx.process.kill();
  const refused = await s.raw(edge);
  await refused.call("connect", { app: "live", tcUrl: edge.url("live") });
  await refused.call("createStream", null);
  refused.command("publish", null, "livestream", "live");
  await refused.status("NetStream.Publish.Denied");
});

scenario("players of an edge are told when the stream ends, and get the next one", async (s) => {
  const clip = await media("small-0");
  const origin = await s.server({ vhost: LATENCY });
  const edge = await s.server({ vhost: edgeOf(`127.0.0.1:${origin.port}`) });
  const publisher = s.publish(clip, origin.url("live/livestream"), { loop: true });
  const client = await s.raw(edge);
  await client.play("live", "livestream");
  await allReceive([client], FPS, 15_000);
  await publisher.stop("SIGINT");
  await client.status("NetStream.Play.UnpublishNotify");
  s.publish(clip, origin.url("live/livestream"), { loop: true });
  await allReceive([client], FPS, 15_000);
  const { edge: shown } = await untilStream(
    "the stream",
    edge,
    "/live/livestream",
    1000,
    () => true,
  );
  assert.equal(shown.upstream?.retries, 0, "the upstream was kept open");
});

scenario("loops: an edge of itself, and two edges of one another, are refused", async (s) => {
  const port = freePort();
  const self = await s.server({ vhost: edgeOf(`127.0.0.1:${port}`), port });
  const ownClient = await s.raw(self);
  await ownClient.play("live", "livestream");
  await until("the line about it", 5000, () => self.log.includes("the origin is this very server"));
  const publisher = await s.raw(self);
  await publisher.call("connect", { app: "live", tcUrl: self.url("live") });
  await publisher.call("createStream", null);
  publisher.command("publish", null, "livestream", "live");
  await publisher.status("NetStream.Publish.Denied");

  const [a, b] = [freePort(), freePort()];
  const left = await s.server({ vhost: edgeOf(`127.0.0.1:${b}`), port: a });
  const right = await s.server({ vhost: edgeOf(`127.0.0.1:${a}`), port: b });
  for (const server of [left, right]) {
    const client = await s.raw(server);
    await client.play("live", "livestream");
  }
  await until(
    "the loop's end",
    5000,
    () =>
      [left, right].some(({ log }) => log.includes("loop: the request has come from this very")),
  );
  await sleep(1000);
  for (const server of [left, right]) {
    const { clients } = await server.api("/api/v1/clients/") as { clients: unknown[] };
    assert.ok(clients.length <= 2, "nobody has multiplied");
  }
});

scenario("an edge with an HTTP-FLV origin; HTTP-FLV from an edge", async (s) => {
  const clip = await media("h264-aac");
  const web = freePort();
  const remux = (listen: number) => `http_server { enabled on; listen 127.0.0.1:${listen}; }`;
  const flv = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
  const origin = await s.server({ vhost: `${LATENCY} ${flv}`, global: remux(web) });
  const edgeWeb = freePort();
  const edge = await s.server({
    vhost: edgeOf(`127.0.0.1:${web}`, "protocol flv;") + flv,
    global: remux(edgeWeb),
  });
  const player = await s.play(edge.url("live/livestream"));
  s.publish(clip, origin.url("live/livestream"), { loop: true });
  await player.received("video", 3 * FPS);
  assertPlayed("RTMP by way of FLV", await player.stop(), clip, { seconds: 2.5, loop: true });
  await until(
    "the end of the pull",
    LINGER_LIMIT_MS,
    async () => await streamOf(edge, "/live/livestream") === null,
  );
  // The first player is one by HTTP.
  const viewer = s.startPlayer(`http://127.0.0.1:${edgeWeb}/live/livestream.flv`);
  await viewer.received("video", 3 * FPS);
  assertPlayed("FLV by way of FLV", await viewer.stop(), clip, { seconds: 2.5, loop: true });
  const nobody = await fetch(`http://127.0.0.1:${edgeWeb}/live/nobody.flv`);
  assert.equal(nobody.status, 404);
  await nobody.body?.cancel();
});

scenario("token_traverse: the origin decides by the client's own address", async (s) => {
  const clip = await media("small-0");
  // What nginx-rtmp asks about every connection.
  const asked: string[] = [];
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const form = new URLSearchParams(await request.text());
      const tcUrl = form.get("tcurl") ?? "";
      asked.push(tcUrl);
      // The pull itself comes without.
      const isPull = !tcUrl.includes("?");
      return new Response(null, { status: isPull || tcUrl.includes("token=good") ? 200 : 403 });
    },
  );
  try {
    const nginx = await runNginx(
      s,
      "application live { live on; }",
      undefined,
      `on_connect http://127.0.0.1:${http.addr.port}/;`,
    );
    s.publish(clip, `${nginx.url}/live/livestream`, { loop: true });
    const edge = await s.server({ vhost: edgeOf(`127.0.0.1:${nginx.port}`, "token_traverse on;") });
    const good = await s.raw(edge);
    await good.connect("live", edge.url("live?token=good"));
    good.command("play", null, "livestream", -2000);
    await good.status("NetStream.Play.Start");
    await allReceive([good], FPS, 15_000);
    const bad = await s.raw(edge);
    await bad.connect("live", edge.url("live?token=bad"));
    bad.command("play", null, "livestream", -2000);
    await bad.status("NetStream.Play.Failed");
    await bad.ended;
    assert.ok(asked.some((tcUrl) => tcUrl.includes("token=bad")), asked.join());
  } finally {
    await http.shutdown();
  }
});
