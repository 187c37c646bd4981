/**
 * What the server does with its parts: once a second, at a reload, while it drains. Connections are fakes
 * that come in as HTTP players do; time is the test's own.
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import type { Config } from "../../src/config/types.ts";
import { findVhost } from "../../src/config/types.ts";
import type { FlvHost } from "../../src/servers/flv/routes.ts";
import type { ServerView } from "../../src/stats/view.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import type { AccessRequest } from "../../src/access/request.ts";
import type { ToCoordinator } from "../../src/workers/messages.ts";
import { setLogTarget } from "../../src/log/log.ts";
import { StreamLink } from "../../src/workers/stream_link.ts";
import { Admission } from "../../src/access/connection_limits.ts";
import { HookServer } from "../tools/hook_server.ts";
import { Server } from "../../src/app/server.ts";
import type { WorkerParts } from "../../src/workers/part.ts";
import { freePort } from "../tools/server.ts";
import { FakePlayer } from "./support/fake_player.ts";
import { FakeSession, roleOf } from "./support/fake_session.ts";
import { FakeTime } from "./support/fake_time.ts";
import { FakePublisher } from "./support/live_fixture.ts";
import { MemoryLog } from "./support/memory_log.ts";
import { configOf } from "./support/rtmp_peer.ts";
import { IDENTITY } from "./support/grants.ts";

/** ms between two of the server's ticks. */
const TICK_MS = 1000;
/** Where the HTTP side says that it is. */
const HTTP_PORT = 8080;
/** ms of a stop in which encoders may come back by themselves, then in which the last bytes are taken. */
const RECONNECT_MS = 200;
const LAST_BYTES_MS = 300;
/** ms after that in which connections that were cut off are over. */
const CUT_OFF_MS = 100;
/** ms within which what sockets do must have happened. */
const LIMIT_MS = 5000;

/** A server without HTTP, into which connections come by its own interface for HTTP players. */
class Scene implements AsyncDisposable {
  readonly time = new FakeTime();
  readonly port = freePort();
  readonly sessions: FakeSession[] = [];
  readonly #parts: { view: ServerView; flv: FlvHost }[] = [];
  #server: Server | null = null;
  #stopped: Promise<void> | null = null;
  /** Times that the HTTP side went over to what it had prepared. */
  httpUses = 0;
  /** The HTTP side has been closed. */
  httpClosed = false;

  static async start(
    root = "",
    vhost = "",
    worker: WorkerParts | null = null,
  ): Promise<Scene> {
    const scene = new Scene();
    scene.#server = await Server.start(scene.config(root, vhost), (view, flv) => {
      scene.#parts.push({ view, flv });
      const address = { host: "127.0.0.1", port: HTTP_PORT };
      const open = () => Promise.resolve({ address, release: () => {} });
      const prepare = () =>
        Promise.resolve({
          wanted: [{ key: "http", address, open }],
          use: () => void scene.httpUses++,
        });
      const close = () => {
        scene.httpClosed = true;
        return Promise.resolve();
      };
      return { prepare, keyOf: (role) => role === "api" ? "http" : null, close };
    }, worker);
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.time[Symbol.dispose]();
    for (const session of this.sessions) this.flv.finished(session as never);
    await this.stop();
  }

  /** Has the server stop; it does so once. */
  stop(): Promise<void> {
    return this.#stopped ??= this.server.stop();
  }

  config(root = "", vhost = ""): Config {
    return configOf(`listen 127.0.0.1:${this.port}; ${root} vhost __defaultVhost__ { ${vhost} }`);
  }

  get server(): Server {
    assert.ok(this.#server);
    return this.#server;
  }

  get flv(): FlvHost {
    return this.#parts[0].flv;
  }

  get view(): ServerView {
    return this.#parts[0].view;
  }

  stream(name = "s"): LiveStream {
    const vhost = findVhost(this.server.config, "any");
    assert.ok(vhost);
    return this.flv.hub.obtain(`live/${name}`, vhost, "live", name);
  }

  /** Lets seconds pass, with a tick at the end of each. */
  seconds(count: number): void {
    this.time.tick(TICK_MS, count);
  }

  /** A client in a role. */
  client(stream = this.stream(), publish = false): FakeSession {
    const session = new FakeSession(`client${this.sessions.length}`, this.time.now);
    this.sessions.push(session);
    // The routes open sessions of their own class; the server looks at what every session has.
    this.flv.opened(session as never, roleOf(stream, publish) as never);
    return session;
  }

  /** Whether a connection to the RTMP port is accepted, and stays. */
  async accepts(): Promise<boolean> {
    const socket = net.connect({ host: "127.0.0.1", port: this.port });
    try {
      await once(socket, "connect");
      // The server's first word is its handshake.
      socket.write(new Uint8Array(1537).fill(3, 0, 1));
      const first = Promise.race([once(socket, "data"), once(socket, "close").then(() => null)]);
      return await first !== null;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  /** Waits until something is so, in real time. */
  async until(what: string, condition: () => boolean): Promise<void> {
    for (let waited = 0; !condition(); waited += 5) {
      assert.ok(waited < LIMIT_MS, `${what}: not within ${LIMIT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Without looking for leaks: sockets end some time after the test. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });
}

test("server: at most 20 lines of figures a second, and each connection's turn comes", async () => {
  await using scene = await Scene.start("pithy_print_ms 2000;");
  for (let i = 0; i < 50; i++) scene.client();
  const lines = () => scene.sessions.map(({ log }) => log.matching("figures").length);
  const sum = () => lines().reduce((a, b) => a + b, 0);
  scene.seconds(1);
  assert.equal(sum(), 0, "none is due");
  for (const expected of [20, 40]) {
    scene.seconds(1);
    assert.equal(sum(), expected);
  }
  // Those that were first are due again, and wait for the ten that have had none.
  scene.seconds(1);
  assert.equal(sum(), 60);
  assert.ok(lines().every((count) => count >= 1), `${lines()}`);
  scene.seconds(6);
  assert.ok(Math.max(...lines()) - Math.min(...lines()) <= 1, "in turns");
});

test("server: connections without figures take no other's turn", async () => {
  await using scene = await Scene.start("pithy_print_ms 1000;");
  for (let i = 0; i < 30; i++) scene.client().text = i < 25 ? "" : "figures";
  scene.seconds(1);
  assert.equal(scene.sessions.filter(({ log }) => log.lines.length > 0).length, 5);
});

test("server: every connection has its tick, with the time", async () => {
  await using scene = await Scene.start();
  const [one, two] = [scene.client(), scene.client()];
  scene.seconds(2);
  const { now } = scene.time;
  for (const { ticks } of [one, two]) assert.deepEqual(ticks, [now - 1000, now]);
  scene.flv.finished(one as never);
  scene.seconds(1);
  assert.equal(one.ticks.length, 2);
  assert.equal(two.ticks.length, 3);
});

test("server: a draining server has no RTMP port, whatever a reload says", async () => {
  await using scene = await Scene.start();
  assert.equal(await scene.accepts(), true);
  await scene.server.reload(scene.config());
  assert.equal(scene.server.rtmpAddresses.length, 1, "a reload alone releases nothing");
  assert.equal(await scene.accepts(), true);
  scene.server.drain(null);
  assert.deepEqual(scene.server.rtmpAddresses, []);
  assert.equal(await scene.accepts(), false);
  await scene.server.reload(scene.config());
  assert.deepEqual(scene.server.rtmpAddresses, []);
  assert.equal(await scene.accepts(), false);
  assert.equal(scene.flv.admit("127.0.0.1")?.reason, "the server drains");
});

test("server: while it drains, players are let go 3 s after their stream has ended, and no others", async () => {
  await using scene = await Scene.start();
  const stream = scene.stream();
  const publisher = new FakePublisher(stream);
  publisher.start();
  const source = scene.client(stream, true);
  const player = scene.client(stream);
  const waiting = scene.client(scene.stream("other"));
  scene.server.drain("rtmp://b/live");
  assert.deepEqual(player.reconnects, ["rtmp://b/live"], "asked at once");
  scene.seconds(2);
  assert.deepEqual(waiting.shutdowns, []);
  scene.seconds(1);
  assert.deepEqual(waiting.shutdowns, ["its stream has ended, and the server drains"]);
  assert.deepEqual([player.shutdowns, source.shutdowns], [[], []]);
  publisher.stop();
  scene.seconds(3);
  assert.deepEqual(player.shutdowns, []);
  // The publisher is back in time: the count begins anew.
  publisher.start();
  scene.seconds(1);
  publisher.stop();
  scene.seconds(3);
  assert.deepEqual(player.shutdowns, []);
  scene.seconds(1);
  assert.equal(player.shutdowns.length, 1);
  assert.deepEqual(source.shutdowns, [], "a publisher is never let go");
  assert.ok(player.reconnects.length > 5, "asked every second");
});

test("server: who has been admitted counts until it is dismissed or finished", async () => {
  await using scene = await Scene.start("max_connections 2;");
  const { flv } = scene;
  const full = "max_connections=2";
  assert.equal(flv.admit("127.0.0.1"), null);
  assert.equal(flv.admit("127.0.0.1"), null);
  assert.equal(flv.admit("127.0.0.1")?.reason, full);
  flv.dismiss("127.0.0.1");
  assert.equal(flv.admit("127.0.0.1"), null);
  assert.equal(flv.admit("127.0.0.1")?.reason, full);
  const session = scene.client();
  flv.finished(session as never);
  assert.equal(scene.server.clients, 0);
  assert.equal(flv.admit("127.0.0.1"), null);
  assert.equal(flv.admit("127.0.0.1")?.reason, full);
  // Another limit is for those that come from now on.
  await scene.server.reload(scene.config("max_connections 3;"));
  assert.equal(flv.admit("127.0.0.1"), null);
  assert.equal(flv.admit("127.0.0.1")?.reason, "max_connections=3");
});

test("server: a connection to the RTMP port counts from its accept to its end", async () => {
  await using scene = await Scene.start("max_connections 1;");
  const connect = async () => {
    const socket = net.connect({ host: "127.0.0.1", port: scene.port });
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  };
  const first = await connect();
  await scene.until("the first", () => scene.server.clients === 1);
  assert.equal(scene.view.totals.connections, 1);
  const second = await connect();
  await once(second.resume(), "close");
  assert.equal(scene.server.clients, 1, "refused");
  first.destroy();
  await scene.until("its end", () => scene.server.clients === 0);
  assert.equal(await scene.accepts(), true);
  second.destroy();
});

test("server: a reload is for streams, vhosts and sockets that are there already", async () => {
  await using scene = await Scene.start("", "tcp_nodelay on; min_latency on;");
  const stream = scene.stream();
  const session = scene.client(stream);
  const next = scene.config("", "enabled off; tcp_nodelay off; min_latency off;");
  await scene.server.reload(next);
  assert.equal(scene.server.config, next);
  assert.equal(scene.flv.config, next, "what the routes ask");
  assert.equal(scene.httpUses, 2, "and what they answer");
  assert.equal(stream.vhost.minLatency, false);
  assert.deepEqual(session.noDelays, [false]);
  assert.deepEqual([...scene.view.vhosts.values()].map(({ enabled }) => enabled), [false]);
  await scene.server.reload(scene.config("", "tcp_nodelay on;"));
  assert.deepEqual(session.noDelays, [false, true]);
});

test("server: a reload whose port cannot be had changes nothing", async () => {
  await using scene = await Scene.start("max_connections 5;");
  const taken = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
  const { config } = scene.server;
  try {
    const listen = `listen 127.0.0.1:${scene.port} 127.0.0.1:${taken.addr.port};`;
    const next = configOf(`${listen} max_connections 1; vhost __defaultVhost__ { }`);
    await assert.rejects(scene.server.reload(next), new RegExp(`${taken.addr.port}`));
  } finally {
    taken.close();
  }
  assert.equal(scene.server.config, config);
  assert.equal(scene.httpUses, 1, "HTTP answers as before");
  for (let i = 0; i < 5; i++) assert.equal(scene.flv.admit("127.0.0.1"), null);
  assert.equal(await scene.accepts(), false, "five are let in, as before");
  scene.flv.dismiss("127.0.0.1");
  assert.equal(await scene.accepts(), true);
});

test("server: rates and short windows are sampled, and a stream that nobody uses is forgotten", async () => {
  await using scene = await Scene.start();
  const stream = scene.stream();
  const publisher = new FakePublisher(stream);
  publisher.start();
  const session = scene.client(stream, true);
  const shown = () => [...scene.view.streams.values()][0];
  for (let i = 0; i < 36; i++) {
    session.recvBytes += 125_000;
    scene.seconds(1);
  }
  assert.equal(shown().kbps.recv30s, 1000);
  assert.ok(Math.abs(shown().edge.recvKbps - 1000) < 1);
  assert.equal([...scene.view.clients.values()][0].kbps.recv30s, 1000);
  publisher.stop();
  scene.flv.left(session as never);
  scene.flv.finished(session as never);
  assert.equal(scene.view.clients.size, 0);
  scene.seconds(2);
  assert.equal(scene.view.streams.size, 1);
  scene.seconds(2);
  assert.equal(scene.view.streams.size, 0);
  assert.equal(scene.flv.hub.find(stream.key), null);
});

test("server: a stream is kept until it is let go", async () => {
  await using scene = await Scene.start();
  const vhost = findVhost(scene.server.config, "any");
  assert.ok(vhost);
  const release = scene.server.keep("live/k", vhost, "live", "k");
  scene.seconds(60);
  const stream = scene.flv.hub.find("live/k");
  assert.notEqual(stream, null);
  release();
  scene.seconds(2);
  assert.equal(scene.flv.hub.find("live/k"), stream);
  scene.seconds(1);
  assert.equal(scene.flv.hub.find("live/k"), null);
});

test("F31: a stop asks who may come back, ends publishers before players, and cuts off who stays", async () => {
  await using scene = await Scene.start();
  const stream = scene.stream();
  const player = scene.client(stream);
  const publisher = scene.client(stream, true);
  const encoder = scene.client(scene.stream("other"), true);
  encoder.comesBack = true;
  const calls: string[] = [];
  const names = new Map([[player, "player"], [publisher, "publisher"], [encoder, "encoder"]]);
  for (const [session, name] of names) session.onCall = (what) => calls.push(`${what} ${name}`);
  const stopped = scene.stop();
  assert.deepEqual(scene.server.rtmpAddresses, []);
  assert.equal(scene.flv.admit("127.0.0.1")?.reason, "the server drains");
  await Promise.resolve();
  assert.equal(calls.length, 0, "nobody is to come back before the port is closed, a turn later");
  await scene.until("their ends", () => calls.includes("shutdown player"));
  const asked = ["reconnect player", "reconnect publisher", "reconnect encoder"];
  assert.deepEqual(calls.slice(0, 4), [...asked, "shutdown publisher"]);
  calls.length = 0;
  assert.deepEqual(player.reconnects, [null], "at the same address");
  // The clock stands still: the encoder has its time to go by itself.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([calls, encoder.shutdowns.length], [[], 0]);
  scene.time.pass(RECONNECT_MS);
  await scene.until("its end too", () => encoder.shutdowns.length > 0);
  scene.flv.finished(player as never);
  scene.flv.finished(encoder as never);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(publisher.aborts, 0, "it may take its last bytes");
  scene.time.pass(LAST_BYTES_MS);
  await scene.until("cut off", () => publisher.aborts === 1);
  assert.deepEqual([player.aborts, encoder.aborts], [0, 0]);
  assert.equal(scene.httpClosed, false);
  scene.flv.finished(publisher as never);
  await stopped;
  assert.equal(scene.httpClosed, true, "what answers last is the API");
});

test("F31: a stop waits for nobody who has gone, and not for ever for the others", async () => {
  await using scene = await Scene.start();
  const [gone, stays] = [scene.client(), scene.client()];
  gone.comesBack = true;
  gone.onCall = () => scene.flv.finished(gone as never);
  let over = false;
  const stopped = scene.stop().then(() => over = true);
  await scene.until("the end of the other", () => stays.shutdowns.length === 2);
  assert.deepEqual(gone.shutdowns, [], "it went when it was asked to come back");
  for (let ms = 0; ms < LAST_BYTES_MS + CUT_OFF_MS; ms += 50) {
    assert.equal(over, false);
    scene.time.pass(50);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await stopped;
  assert.equal(stays.aborts, 1);
});

test("F31: a client that is sent away and comes back at once does not reach the old process", async () => {
  await using scene = await Scene.start();
  const session = scene.client();
  session.comesBack = true;
  const attempt = Promise.withResolvers<string>();
  session.onCall = () => {
    const socket = net.connect({ host: "127.0.0.1", port: scene.port });
    const said = (what: string) => {
      attempt.resolve(what);
      socket.destroy();
    };
    socket.on("connect", () => said("connected")).on("error", () => said("refused"));
  };
  const stopped = scene.stop();
  assert.equal(await attempt.promise, "refused");
  scene.flv.finished(session as never);
  await stopped;
});

test("F31: a stop ends the connections to other servers, and has hook servers told of all", async () => {
  const origin = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const edge = `cluster { mode remote; origin 127.0.0.1:${origin.addr.port}; }`;
  const delivered: unknown[] = [];
  const hooks = new HookServer(async ({ body }) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    delivered.push(body.action);
    return new Response("0");
  });
  try {
    await using scene = await Scene.start("", `${edge} ${hooks.block}`);
    const stream = scene.stream();
    const { vhost } = stream;
    const client = { ...request(stream), swfUrl: "", args: null, hops: [], transport: "rtmp" };
    scene.flv.relay.play(stream, client as never);
    const upstream = await origin.accept();
    const session = scene.client(stream);
    session.onCall = (what) => {
      if (what !== "shutdown" || session.shutdowns.length > 1) return;
      const gone = { id: "client0", ip: "192.0.2.7", vhost: "", app: "live", sent: 0, received: 0 };
      scene.flv.access.closed(gone as never, vhost, session.log);
      scene.flv.finished(session as never);
    };
    await scene.stop();
    assert.deepEqual(delivered, ["on_close"]);
    const buffer = new Uint8Array(4096);
    const ended = (async () => {
      try {
        while (await upstream.read(buffer) !== null);
      } catch {
        // A reset is an end too.
      }
      return true;
    })();
    const late = new Promise((resolve) => setTimeout(() => resolve(false), LIMIT_MS));
    assert.equal(await Promise.race([ended, late]), true, "the origin sees the end");
    upstream.close();
  } finally {
    origin.close();
    await hooks.stop();
  }
});

function request({ vhost, app, name, key }: LiveStream): AccessRequest {
  return {
    id: "client01",
    ip: "192.0.2.7",
    action: "publish",
    protocol: "rtmp",
    vhost,
    app,
    stream: name,
    param: "",
    tcUrl: "rtmp://h/live",
    pageUrl: "",
    key,
  };
}

test("F8: a worker that makes way says so when its own access has delivered the publisher's end", async () => {
  const held = Promise.withResolvers<void>();
  const hooks = new HookServer(async ({ body }) => {
    if (body.action === "on_unpublish") await held.promise;
    return new Response("0");
  });
  const posted: ToCoordinator[] = [];
  const link = new StreamLink({ coordinator: (message) => posted.push(message), peer: () => {} });
  const config = configOf("listen 1935; vhost __defaultVhost__ { }");
  const worker = { link, admission: new Admission(config), identity: IDENTITY, listens: false };
  try {
    await using scene = await Scene.start("", hooks.block, { ...worker, listen: [] });
    const stream = scene.stream();
    const log = new MemoryLog("client01");
    const grant = scene.flv.access.grant(request(stream), { log, streamId: () => "vid-1234567" });
    await new Promise((resolve) => grant.askHooks(resolve));
    grant.begin();
    grant.end();
    link.fromCoordinator({ kind: "clear", id: 7, key: stream.key, address: "10.0.0.1" });
    await hooks.received(3);
    const cleared = () => posted.filter(({ kind }) => kind === "cleared").length;
    assert.equal(cleared(), 0, "on_unpublish is under way");
    held.resolve();
    await scene.until("the answer", () => cleared() === 1);
  } finally {
    held.resolve();
    await hooks.stop();
  }
});

test("server: the API's address is that of its open port; a stop leaves no timer", async () => {
  await using scene = await Scene.start();
  assert.deepEqual(scene.server.httpAddress, { host: "127.0.0.1", port: HTTP_PORT });
  assert.ok(scene.time.timers > 0);
  await scene.stop();
  assert.equal(scene.time.timers, 0);
});

test("server: refusals are counted, and told every 10 s; at a drain nobody is refused by a limit", async () => {
  await using scene = await Scene.start("max_connections 1;");
  const lines: string[] = [];
  setLogTarget({ takes: () => true, write: ({ text }) => void lines.push(text) });
  try {
    const { flv } = scene;
    const refuse = (count: number) => {
      for (let i = 0; i < count; i++) assert.notEqual(flv.admit("192.0.2.7"), null);
    };
    assert.equal(flv.admit("192.0.2.7"), null);
    assert.deepEqual(lines, []);
    refuse(3);
    scene.seconds(9);
    scene.time.pass(999);
    refuse(1);
    const line = (count: number) =>
      `client ip=192.0.2.7 refused by max_connections=1; ${count} refused so far`;
    assert.deepEqual(lines, [line(1)]);
    scene.time.pass(1);
    refuse(1);
    assert.deepEqual(lines, [line(1), line(5)]);
    scene.server.drain(null);
    scene.seconds(10);
    lines.length = 0;
    refuse(1);
    assert.deepEqual(lines, []);
  } finally {
    setLogTarget({ takes: () => false, write: () => {} });
  }
});

test("server: rates are made of a sample every 3 s", async () => {
  await using scene = await Scene.start();
  scene.seconds(1);
  const session = scene.client(scene.stream(), true);
  const rate = () => [...scene.view.clients.values()][0].kbps.recv30s;
  session.recvBytes += 1_000_000;
  // Its 30 s are over in second 31; the next sample is due in second 33.
  scene.seconds(31);
  assert.equal(rate(), 0);
  scene.seconds(1);
  assert.equal(rate(), 250);
});

test("server: an edge's pull that nobody needs ends in its time", async () => {
  const origin = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const edge = `cluster { mode remote; origin 127.0.0.1:${origin.addr.port}; }`;
    await using scene = await Scene.start("", edge);
    const stream = scene.stream();
    const client = { ...request(stream), swfUrl: "", args: null, hops: [], transport: "rtmp" };
    const pulls = () => {
      const { pulls } = scene.view.figures.relays;
      return Object.values(pulls).reduce((sum, count) => sum + count, 0);
    };
    scene.flv.relay.play(stream, client as never);
    (await origin.accept()).close();
    assert.equal(pulls(), 1);
    scene.seconds(60);
    assert.equal(pulls(), 0);
  } finally {
    origin.close();
  }
});

test("server: a worker tells the publisher's thread how many play here, once a second", async () => {
  const told: number[] = [];
  const link = new StreamLink({
    coordinator: () => {},
    peer: (_, message) => void (message.kind === "audience" && told.push(message.players)),
  });
  const config = configOf("listen 1935; vhost __defaultVhost__ { }");
  const worker = { link, admission: new Admission(config), identity: IDENTITY, listens: false };
  await using scene = await Scene.start("", "", { ...worker, listen: [] });
  const stream = scene.stream();
  const part = {
    pieces: [],
    headers: null,
    tell: false,
    newestKeyframe: null,
    gopStart: null,
    hasVideo: false,
    resumeAt: null,
    time: 0,
    highest: 0,
    absolute: false,
  };
  const mirror = { kind: "begin", epoch: 1, sender: 1, part } as const;
  link.fromPeer(2, { kind: "mirror", key: stream.key, message: mirror });
  for (let i = 0; i < 3; i++) new FakePlayer(stream);
  assert.deepEqual(told, [0, 1], "nobody at first; the first one at once: somebody plays");
  scene.seconds(2);
  assert.deepEqual(told, [0, 1, 3]);
});
