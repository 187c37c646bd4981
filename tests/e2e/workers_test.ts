/**
 * `workers N`: publishers and players that land on different workers, and all that has to be whole over
 * them. The kernel deals connections out; with a dozen of them every worker has some.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { runNginx } from "../tools/nginx.ts";
import { Child, sleep, until, within } from "../tools/process.ts";
import { A_SECOND, assertOneTimeline, assertStretches } from "../tools/publisher_changes.ts";
import { isMedia, RawClient, statusCode } from "../tools/raw_client.ts";
import { reload } from "../tools/reloading.ts";
import { assertPlayed, type Scenario, scenario } from "../tools/scenario.ts";
import {
  accepts,
  configText,
  freePort,
  Server,
  serverCommand,
  type ServerOptions,
} from "../tools/server.ts";
import { whyNoWorkers } from "../tools/workers.ts";

const WORKERS = "workers 3;";
const REALTIME = "min_latency on; play { gop_cache on; mw_latency 100; }";
/** Enough for each of three workers to have one, but for one time in a hundred. */
const CLIENTS = 14;
/** What the tests' configuration allows. */
const MAX_CONNECTIONS = 100;
/** ms for something that takes a second at most. */
const SOON_MS = 10_000;

const impossible = await whyNoWorkers();

interface Stream {
  readonly name: string;
  readonly clients: number;
  readonly frames: number;
  readonly publish: { readonly active: boolean; readonly cid?: string };
}

interface Client {
  readonly id: string;
  readonly publish: boolean;
  readonly stream: string;
}

async function streamsOf(server: Server): Promise<readonly Stream[]> {
  return (await server.api("/api/v1/streams/") as { streams: Stream[] }).streams;
}

async function clientsOf(server: Server): Promise<readonly Client[]> {
  const answer = await server.api("/api/v1/clients/?count=100") as { clients: Client[] };
  return answer.clients;
}

async function connectionsOf(server: Server): Promise<number> {
  const answer = await server.api("/api/v1/summaries") as {
    data: { system: { conn_srs: number } };
  };
  return answer.data.system.conn_srs;
}

/** A server whose workers are all there: until then the first one gets all connections. */
async function startWorkers(s: Scenario, options: ServerOptions): Promise<Server> {
  const server = await s.server({ global: WORKERS, ...options });
  await until("all workers", SOON_MS, () => server.log.includes("3 workers"));
  return server;
}

/** Players of our own client. */
async function rawPlayers(s: Scenario, server: Server, stream: string): Promise<RawClient[]> {
  const players: RawClient[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const player = await s.raw(server);
    await player.play("live", stream);
    players.push(player);
  }
  return players;
}

scenario(
  "players on all workers get every byte of streams that are published on any",
  async (s) => {
    const server = await startWorkers(s, { vhost: REALTIME });
    const clips = [await media("small-0"), await media("small-1"), await media("small-2")];
    for (const clip of clips) s.publish(clip, server.url(`live/${clip.name}`), { loop: true });
    await sleep(1000);
    const players = clips.flatMap((clip) =>
      [1, 2, 3, 4].map(() => ({ clip, player: s.startPlayer(server.url(`live/${clip.name}`)) }))
    );
    for (const { player } of players) await player.received("video", 4 * A_SECOND);
    for (const { clip, player } of players) {
      assertPlayed(`${player.process.label} of ${clip.name}`, await player.stop(), clip, {
        seconds: 3,
        loop: true,
        startsWithKeyframe: true,
      });
    }
  },
  { ignore: impossible },
);

scenario("publishers change workers, players stay and see one timeline", async (s) => {
  const server = await startWorkers(s, { vhost: REALTIME });
  const clips = [await media("small-0"), await media("small-1"), await media("small-2")];
  const url = server.url("live/livestream");
  const players = [await s.play(url), await s.play(url), await s.play(url)];
  const witnesses = await rawPlayers(s, server, "livestream");
  for (const clip of clips) {
    assert.ok((await s.publish(clip, url).finish(20_000)).success);
    await sleep(500);
  }
  await sleep(500);
  for (const player of players) assertStretches(await player.stop(), clips, true);
  witnesses.forEach(assertOneTimeline);
  const [first, ...others] = witnesses.map(({ messages }) => messages.filter(isMedia));
  for (const other of others) assert.equal(other.length, first.length);
}, { ignore: impossible });

scenario("a name is taken over, or not, wherever its publisher is", async (s) => {
  const server = await startWorkers(s, {
    vhosts: "vhost __defaultVhost__ { publish { takeover deny; } } " +
      "vhost open.test { publish { takeover if_stalled; } }",
  });
  const holder = await s.raw(server);
  await holder.publish("live", "taken");
  for (let i = 0; i < CLIENTS; i++) {
    const rival = await s.raw(server);
    await rival.connect("live");
    await rival.call("createStream", null);
    rival.command("publish", null, "taken", "live");
    await rival.status("NetStream.Publish.BadName");
    assert.equal(await within("the close", SOON_MS, rival.ended), "end");
  }
  // A holder that sends nothing counts as stalled after 2 s.
  const stalled = await s.raw(server);
  await stalled.connect("live", `rtmp://open.test/live`);
  await stalled.call("createStream", null);
  stalled.command("publish", null, "free", "live");
  await stalled.status("NetStream.Publish.Start");
  await sleep(2500);
  const heir = await s.raw(server);
  await heir.connect("live", `rtmp://open.test/live`);
  await heir.call("createStream", null);
  heir.command("publish", null, "free", "live");
  await heir.status("NetStream.Publish.Start");
  await within("the end of the stalled one", SOON_MS, stalled.ended);
  assert.equal(stalled.messages.map(statusCode).at(-1), "NetStream.Publish.BadName");
}, { ignore: impossible });

scenario("figures are one server's, and every client can be kicked", async (s) => {
  const server = await startWorkers(s, { vhost: REALTIME });
  const clip = await media("small-0");
  const players = await rawPlayers(s, server, clip.name);
  const publisher = s.publish(clip, server.url(`live/${clip.name}`), { loop: true });
  await until("all of them in the API", SOON_MS, async () => {
    const [stream, ...others] = await streamsOf(server);
    assert.equal(others.length, 0, "one stream, however many workers have it");
    return stream?.clients === CLIENTS + 1 && stream.publish.active && stream.frames > A_SECOND;
  });
  const clients = await clientsOf(server);
  assert.equal(clients.length, CLIENTS + 1);
  assert.equal(new Set(clients.map(({ id }) => id)).size, CLIENTS + 1);
  assert.equal(new Set(clients.map(({ stream }) => stream)).size, 1);
  assert.equal(await connectionsOf(server), CLIENTS + 1);
  const kick = async (id: string) => {
    const url = `http://127.0.0.1:${server.apiPort}/api/v1/clients/${id}`;
    return await (await fetch(url, { method: "DELETE" })).json() as { code: number };
  };
  assert.equal((await kick("nobody00")).code, 2049);
  for (const { id } of clients) assert.equal((await kick(id)).code, 0, id);
  for (const player of players) await within("the end of a player", SOON_MS, player.ended);
  await publisher.finish(SOON_MS);
  await until("nobody is left", SOON_MS, async () => await connectionsOf(server) === 0);
}, { ignore: impossible });

scenario("max_connections holds over all workers", async (s) => {
  const server = await startWorkers(s, {});
  const open = (count: number) =>
    Promise.all(
      Array.from(
        { length: count },
        () => Deno.connect({ hostname: "127.0.0.1", port: server.port }),
      ),
    );
  // The connection that found the port open may still be there.
  await until("nobody is there", SOON_MS, async () => await connectionsOf(server) === 0);
  const sockets = await open(MAX_CONNECTIONS + 20);
  try {
    await until("all that may", SOON_MS, async () => {
      const count = await connectionsOf(server);
      assert.ok(count <= MAX_CONNECTIONS, `${count} connections`);
      return count === MAX_CONNECTIONS;
    });
    const refusal = /refused by max_connections=100/;
    await until("a line about the others", SOON_MS, () => refusal.test(server.log));
  } finally {
    for (const socket of sockets) socket.close();
  }
  await until("room again", SOON_MS, async () => await connectionsOf(server) === 0);
  await (await s.raw(server)).publish("live", "livestream");
}, { ignore: impossible });

scenario("a worker that dies takes its connections with it, and is replaced", async (s) => {
  const [port, apiPort] = [freePort(), freePort()];
  const file = `${s.folder}/crash.conf`;
  await Deno.writeTextFile(file, configText(port, apiPort, { global: WORKERS, vhost: REALTIME }));
  const trigger = `${s.folder}/crash`;
  const program = new URL("../tools/crash/server.ts", import.meta.url).pathname;
  const [runtime, ...args] = serverCommand();
  const child = s.add(
    new Child("server", [runtime, ...args.slice(0, -1), program, file], {
      env: { SRS_EDGE_TEST_CRASH: trigger },
      cwd: new URL("../../", import.meta.url).pathname,
    }),
  );
  await until("the server", 30_000, () => child.stdout.includes("3 workers"));
  const server = { port, apiPort, api: Server.prototype.api, url: Server.prototype.url } as Server;
  const players = await rawPlayers(s, server, "livestream");
  const ended = new Set<RawClient>();
  for (const player of players) void player.ended.then(() => ended.add(player));
  const clip = await media("small-0");
  const url = `rtmp://127.0.0.1:${port}/live/livestream`;
  let publisher = s.publish(clip, url, { loop: true });
  const playing = await s.play(url);
  await playing.received("video", A_SECOND);

  await Deno.writeTextFile(trigger, "");
  await until("a worker dies", SOON_MS, () => child.stdout.includes("has ended and its"));
  await until("another one starts", SOON_MS, () => /worker 4 has started/.test(child.stdout));
  assert.match(child.stdout, /a fault in a worker/);
  await sleep(200);
  assert.ok(ended.size > 0 && ended.size < CLIENTS, `${ended.size} players of ${CLIENTS} ended`);

  // Whether or not the publisher was on that worker, its name can be had, and the others go on.
  publisher.signal("SIGTERM");
  await publisher.finish(SOON_MS);
  publisher = s.publish(clip, url, { loop: true });
  const stayed = players.filter((player) => !ended.has(player));
  for (const player of stayed) {
    const before = player.messages.length;
    await until("a player goes on", SOON_MS, () => player.messages.length > before + A_SECOND);
    assertOneTimeline(player);
  }
  const fresh = await rawPlayers(s, server, "livestream");
  for (const player of fresh) {
    await until("a new player plays", SOON_MS, () => player.messages.filter(isMedia).length > 10);
  }
  const left = playing.process.exit === null ? 1 : 0;
  assert.equal(await connectionsOf(server), stayed.length + fresh.length + left + 1);
  assert.equal((await child.stop()).code, 0);
}, {
  ignore: impossible === null && isExecutable()
    ? "the executable has no test's workers"
    : impossible,
});

function isExecutable(): boolean {
  return Deno.env.get("SRS_EDGE_RUNTIME") === "exe";
}

scenario("a reload and a drain reach all workers, FLV players included", async (s) => {
  const server = await startWorkers(s, {
    global: `${WORKERS} grace_start_wait 100; grace_final_wait 100; grace_max_wait 6000;`,
    vhost: `${REALTIME} http_remux { enabled on; }`,
  });
  const clip = await media("small-0");
  const url = server.url("live/livestream");
  s.publish(clip, url, { loop: true });
  const player = await s.play(url);
  await player.received("video", A_SECOND);
  const flv = `http://127.0.0.1:${server.apiPort}/live/livestream.flv`;
  const flvPlayer = s.startPlayer(flv);
  await flvPlayer.received("video", A_SECOND);

  const port = freePort();
  const lines = await reload(
    server,
    (text) =>
      text.replace(`listen 127.0.0.1:${server.port}`, `listen 127.0.0.1:${port}`)
        .replace("workers 3", "workers 2")
        .replace("max_connections 100", `max_connections ${CLIENTS + 3}`)
        .replace("vhost __defaultVhost__ {", "vhost b.example { }\nvhost __defaultVhost__ {"),
  );
  assert.deepEqual(lines, [
    `reload: applied listen 127.0.0.1:${server.port} -> 127.0.0.1:${port}`,
    "reload: needs a restart: workers 3 -> 2",
    `reload: applied max_connections 100 -> ${CLIENTS + 3} connections`,
    "reload: applied to new connections: vhost b.example added",
    "reload config success, state=90.",
  ]);
  await until("the old port's end", SOON_MS, async () => !await accepts(server.port));
  assert.match(server.log, new RegExp(`RTMP listen at tcp://127.0.0.1:${port}, 3 workers`));
  // Each worker has the new vhost, and knows the new limit.
  const clients: RawClient[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const client = await RawClient.open(port);
    clients.push(client);
    await client.connect("live", `rtmp://127.0.0.1:${port}/live?vhost=b.example`);
    client.command("play", null, "livestream", -2000);
    await client.status("NetStream.Play.Start");
  }
  assert.ok(await accepts(port));
  await until("a refusal", SOON_MS, () => server.log.includes("refused by max_connections="));

  const other = freePort();
  const refused = await reload(server, (text) => {
    // The coordinator has this one already.
    return text.replace(`:${port};`, `:${port} 127.0.0.1:${other} 127.0.0.1:${server.apiPort};`);
  });
  assert.match(refused[0], /^reload failed/);
  assert.ok(!await accepts(other), "all or nothing");

  server.process.signal("SIGQUIT");
  await until("closed ports", SOON_MS, async () => !await accepts(port));
  const late = await fetch(flv);
  assert.equal(late.status, 503);
  await late.body?.cancel();
  // Players of a stream that nobody can publish any more are let go by all workers.
  for (const client of clients) {
    assert.equal(await within("the end of a player", SOON_MS, client.ended), "end");
  }
  assert.equal((await server.process.finish(SOON_MS)).code, 0, server.process.report());
  assert.ok(server.log.includes("drain: the time is up, 3 clients left"), "and nobody else");
  for (const one of [player, flvPlayer]) {
    assertPlayed(one.process.label, await one.stop(), clip, { seconds: 2, loop: true });
  }
}, { ignore: impossible });

/** Waits until every client has had `more` further media messages. */
async function allReceive(clients: readonly RawClient[], more: number): Promise<void> {
  const count = ({ messages }: RawClient) => messages.filter(isMedia).length;
  const before = clients.map(count);
  await until(
    `${more} more messages for all players`,
    2 * SOON_MS,
    () => clients.every((client, i) => count(client) >= before[i] + more),
  );
}

scenario("an edge has one pull, whichever worker its players are in", async (s) => {
  const clip = await media("small-0");
  const origin = await runNginx(s, "application live { live on; }");
  const web = freePort();
  const edge = await s.server({
    vhost: `min_latency on; play { gop_cache on; mw_latency 100; }
      cluster { mode remote; origin 127.0.0.1:${origin.port}; }
      http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }`,
    global: `workers 2; http_server { enabled on; listen 127.0.0.1:${web}; }`,
  });
  s.publish(clip, `${origin.url}/live/livestream`, { loop: true });
  const clients = await Promise.all(Array.from({ length: 12 }, async () => {
    const client = await s.raw(edge);
    await client.play("live", "livestream");
    return client;
  }));
  const viewer = s.startPlayer(`http://127.0.0.1:${web}/live/livestream.flv`);
  await allReceive(clients, 50);
  await viewer.received("video", 50);
  assertPlayed("FLV", await viewer.stop(), clip, { seconds: 1.5, loop: true });
  const connected = () => edge.log.match(/edge pull \/live\/livestream: connected/g)?.length ?? 0;
  assert.equal(connected(), 1, "one pull");

  await origin.process.kill();
  const back = await runNginx(s, "application live { live on; }", origin.port);
  s.publish(clip, `${back.url}/live/livestream`, { loop: true });
  await allReceive(clients, 50);
  assert.equal(connected(), 2, "one again");
  for (const client of clients) client.destroy();
  await until(
    "the end of the pull",
    SOON_MS + 5000,
    () => /edge pull \/live\/livestream ends/.test(edge.log),
  );

  // Publishing, and players of the same stream in all workers.
  s.publish(clip, edge.url("live/upward"), { loop: true });
  const players = await Promise.all(Array.from({ length: 4 }, async () => {
    const client = await s.raw(edge);
    await client.play("live", "upward");
    return client;
  }));
  await allReceive(players, 25);
}, { ignore: impossible });
