/**
 * Who is connected and what is counted of it.
 * @module
 */

import { flvPathOf } from "../../src/servers/flv/mount.ts";
import assert from "node:assert/strict";
import { Hub } from "../../src/live/stream/hub.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import { newIdentity } from "../../src/log/ids.ts";
import { LoopLag } from "../../src/stats/loop_lag.ts";
import { Registry } from "../../src/stats/registry.ts";
import { FakePlayer } from "./support/fake_player.ts";
import { FakeSession, roleOf } from "./support/fake_session.ts";
import { FakePublisher, payloads, vhostOf } from "./support/live_fixture.ts";
import { ManualClock } from "./support/manual_clock.ts";

/** A registry over a hub, and clients with numbers for names. */
class Scene implements Disposable {
  readonly identity = newIdentity();
  readonly clock = new ManualClock();
  readonly hub = new Hub(this.clock, "1.2.3");
  readonly #loop = new LoopLag(this.clock);
  readonly registry = new Registry({
    identity: this.identity,
    pid: 4711,
    now: () => this.clock.now(),
    hub: this.hub,
    loop: this.#loop,
    flvPath: ({ vhost, app, key }) => flvPathOf(vhost, app, key),
  });
  #next = 1;

  [Symbol.dispose](): void {
    this.#loop.stop();
  }

  stream(name = "s", vhost = "v"): LiveStream {
    return this.hub.obtain(`${vhost}/${name}`, vhostOf({}, { name: vhost }), "live", name);
  }

  /** A connection that has no role yet. */
  connect(): FakeSession {
    const session = new FakeSession(`c${this.#next++}`, this.clock.now());
    this.registry.add(session);
    return session;
  }

  take(session: FakeSession, stream: LiveStream, publish = false): void {
    this.registry.roleChanged(session, roleOf(stream, publish));
  }

  /** The connection ends, with its role. */
  end(session: FakeSession, failed: boolean): void {
    session.failed = failed;
    this.registry.roleChanged(session, null);
    this.registry.remove(session);
  }
}

Deno.test("an error is counted for a client that failed in its role, once, and for no other", () => {
  using scene = new Scene();
  const errors = () => scene.registry.figures.clientErrors;
  const stream = scene.stream();
  const [through, broken, silent] = [scene.connect(), scene.connect(), scene.connect()];
  scene.take(through, stream);
  scene.take(broken, stream);
  scene.end(through, false);
  assert.equal(errors(), 0, "it was through");
  // A connection that never had a role is no client.
  scene.end(silent, true);
  assert.equal(errors(), 0, "it had no role");
  scene.end(broken, true);
  assert.equal(errors(), 1);
  scene.registry.roleChanged(broken, null);
  assert.equal(errors(), 1, "once");
});

Deno.test("a client is counted each time that it takes a role", () => {
  using scene = new Scene();
  const stream = scene.stream();
  const session = scene.connect();
  assert.equal(scene.registry.figures.clientsTotal, 0);
  scene.take(session, stream, true);
  scene.registry.roleChanged(session, null);
  assert.equal(scene.registry.figures.clientsTotal, 1);
  assert.equal(scene.registry.clients.size, 0);
  scene.take(session, stream);
  assert.equal(scene.registry.figures.clientsTotal, 2);
  assert.deepEqual([...scene.registry.clients.keys()], [session.id]);
  // From one role to another without a moment between: it is one client still.
  scene.take(session, scene.stream("other"));
  assert.equal(scene.registry.clients.size, 1);
  assert.equal(scene.registry.figures.clientsTotal, 3);
});

Deno.test("bytes belong to the stream and vhost in whose role they were carried, and stay there", () => {
  using scene = new Scene();
  const [one, two] = [scene.stream("one", "v"), scene.stream("two", "w")];
  const session = scene.connect();
  const bytes = () => {
    const all = [...scene.registry.streams.values(), ...scene.registry.vhosts.values()];
    return Object.fromEntries(
      all.map(({ name, recvBytes, sendBytes, clients }) => [name, [recvBytes, sendBytes, clients]]),
    );
  };
  session.recvBytes = 7;
  session.sentBytes = 9;
  scene.take(session, one, true);
  assert.deepEqual(bytes(), { one: [0, 0, 1], v: [0, 0, 1] }, "what it had before is nobody's");
  session.recvBytes = 107;
  session.sentBytes = 19;
  assert.deepEqual(bytes(), { one: [100, 10, 1], v: [100, 10, 1] });
  scene.take(session, two);
  session.recvBytes = 110;
  session.sentBytes = 1019;
  const both = { one: [100, 10, 0], v: [100, 10, 0], two: [3, 1000, 1], w: [3, 1000, 1] };
  assert.deepEqual(bytes(), both);
  scene.end(session, false);
  assert.deepEqual(bytes(), { ...both, two: [3, 1000, 0], w: [3, 1000, 0] });
  assert.deepEqual(scene.registry.totals, { connections: 0, recvBytes: 110, sendBytes: 1019 });
  scene.registry.remove(session);
  assert.equal(scene.registry.totals.recvBytes, 110, "once");
  // The vhost keeps what its stream had.
  scene.registry.forget(two);
  assert.deepEqual(bytes(), { one: [100, 10, 0], v: [100, 10, 0], w: [3, 1000, 0] });
});

Deno.test("what a stream has pulled belongs to its vhost and to the server, also when it is forgotten", () => {
  using scene = new Scene();
  const stream = scene.stream();
  scene.take(scene.connect(), stream);
  stream.pulledBytes = 1000;
  const received = () => ({
    all: scene.registry.totals.recvBytes,
    streams: [...scene.registry.streams.values()].map(({ recvBytes }) => recvBytes),
    vhosts: [...scene.registry.vhosts.values()].map(({ recvBytes }) => recvBytes),
  });
  assert.deepEqual(received(), { all: 1000, streams: [1000], vhosts: [1000] });
  const [client] = scene.registry.sessions.values();
  scene.registry.roleChanged(client, null);
  for (let i = 0; i < 4; i++) {
    scene.clock.advance(1000);
    for (const gone of scene.hub.tick()) scene.registry.forget(gone);
  }
  assert.deepEqual(received(), { all: 1000, streams: [], vhosts: [1000] });
});

Deno.test("the publisher of a stream is the last one that took the role, with its own time", () => {
  using scene = new Scene();
  const stream = scene.stream();
  const view = () => [...scene.registry.streams.values()][0];
  const [player, first, second] = [scene.connect(), scene.connect(), scene.connect()];
  scene.take(player, stream);
  assert.deepEqual(view().publish, { active: false, cid: undefined });
  assert.equal(view().edge.uptimeMs, null);
  const publisher = new FakePublisher(stream);
  publisher.start();
  scene.take(first, stream, true);
  scene.clock.advance(5000);
  scene.take(player, stream);
  assert.deepEqual(view().publish, { active: true, cid: first.id });
  assert.equal(view().edge.uptimeMs, 5000);
  scene.take(second, stream, true);
  scene.clock.advance(300);
  assert.deepEqual(view().publish, { active: true, cid: second.id });
  assert.equal(view().edge.uptimeMs, 300);
  assert.equal([...scene.registry.vhosts.values()][0].streams, 1);
  publisher.stop();
  assert.deepEqual(view().publish, { active: false, cid: second.id });
  assert.equal([...scene.registry.vhosts.values()][0].streams, 0);
});

Deno.test("a client is shown as what it is, and only a client that is there can be kicked", () => {
  using scene = new Scene();
  const stream = scene.stream();
  const session = scene.connect();
  scene.clock.advance(1500);
  assert.equal(scene.registry.kick(session.id), false, "it has no role");
  scene.take(session, stream);
  const [view] = scene.registry.clients.values();
  const { kbps: _, ...rest } = view;
  const [streamView] = scene.registry.streams.values();
  assert.deepEqual(rest, {
    id: session.id,
    vhostId: streamView.vhostId,
    streamId: streamView.id,
    ip: "127.0.0.1",
    pageUrl: "http://a/page",
    swfUrl: "http://a/swf",
    tcUrl: "rtmp://a/live",
    url: "v/s",
    name: "s",
    type: "rtmp-play",
    publish: false,
    aliveMs: 1500,
    edge: { port: 50123, lagMs: null, droppedGops: 0, droppedMessages: 0 },
    recvBytes: 0,
    sendBytes: 0,
  });
  assert.equal(scene.registry.kick("nobody"), false);
  assert.equal(session.kicks, 0);
  assert.equal(scene.registry.kick(session.id), true);
  assert.equal(session.kicks, 1);
});

Deno.test("a connection that is put behind the others stands last, and one that is gone stays gone", () => {
  using scene = new Scene();
  const [a, b] = [scene.connect(), scene.connect()];
  scene.registry.moveToEnd(a);
  assert.deepEqual([...scene.registry.sessions.keys()], [b.id, a.id]);
  scene.registry.remove(b);
  scene.registry.moveToEnd(b);
  assert.deepEqual([...scene.registry.sessions.keys()], [a.id]);
});

Deno.test("a vhost that the configuration has no more, or has switched off, counts as switched off", () => {
  using scene = new Scene();
  for (const name of ["a", "b", "c"]) scene.take(scene.connect(), scene.stream("s", name));
  const vhosts = [vhostOf({}, { name: "a" }), vhostOf({}, { name: "b", enabled: false })];
  scene.registry.configure(vhosts);
  const enabled = () => [...scene.registry.vhosts.values()].map(({ enabled }) => enabled);
  assert.deepEqual(enabled(), [true, false, false]);
  scene.registry.configure(vhosts.map((vhost) => ({ ...vhost, enabled: true })));
  assert.deepEqual(enabled(), [true, true, false]);
});

Deno.test("the log's bytes and the players are those of all streams", () => {
  using scene = new Scene();
  for (const name of ["a", "b"]) {
    const stream = scene.stream(name);
    stream.join({ send: () => true }, { durationMs: 0, multitrack: false, onEnd: () => {} });
    const publisher = new FakePublisher(stream);
    publisher.start();
    publisher.headers();
    publisher.video(0, payloads.keyframe(1, 1000));
  }
  const { players, logBytes } = scene.registry.figures;
  assert.equal(players, 2);
  const [a, b] = [...scene.hub.streams].map((stream) => stream.logBytes);
  assert.ok(a > 0 && b > 0);
  assert.equal(logBytes, a + b);
});

Deno.test("the server is called what its identity says", () => {
  using scene = new Scene();
  const { serverId, serviceId, pid } = scene.registry;
  assert.deepEqual([serverId, serviceId, pid], [
    scene.identity.serverId,
    scene.identity.serviceId,
    4711,
  ]);
});

Deno.test("totals are those of the connections that are there and of those that were", () => {
  using scene = new Scene();
  const [one, two] = [scene.connect(), scene.connect()];
  Object.assign(one, { recvBytes: 100, sentBytes: 1000 });
  Object.assign(two, { recvBytes: 20, sentBytes: 200 });
  const all = { connections: 2, recvBytes: 120, sendBytes: 1200 };
  assert.deepEqual(scene.registry.totals, all);
  scene.end(one, false);
  assert.deepEqual(scene.registry.totals, { ...all, connections: 1 });
  two.sentBytes += 5;
  assert.deepEqual(scene.registry.totals, { ...all, connections: 1, sendBytes: 1205 });
});

Deno.test("lag is that of the player that lags most, of whatever stream; who lags is counted", () => {
  using scene = new Scene();
  const publishers = ["a", "b", "c"].map((name) => {
    const publisher = new FakePublisher(scene.stream(name));
    publisher.start();
    publisher.headers();
    return publisher;
  });
  // Those of "a" and "b" take one write, and nothing after that.
  const [a, b] = ["a", "b"].map((name) => new FakePlayer(scene.stream(name), { fast: false }));
  new FakePlayer(scene.stream("c"));
  for (const publisher of publishers) publisher.video(0, payloads.keyframe(1));
  b.drain();
  assert.equal(scene.registry.figures.laggingPlayers, 0);
  for (let time = 100; time <= 3000; time += 100) {
    scene.clock.advance(100);
    for (const publisher of publishers) publisher.video(time, payloads.frame(2));
    if (time === 1000) b.drain();
  }
  const { lagMs, laggingPlayers, players } = scene.registry.figures;
  assert.equal(players, 3);
  assert.equal(laggingPlayers, 2);
  const most = Math.max(a.player.lagMs, b.player.lagMs);
  assert.ok(most > 2500 && b.player.lagMs < most, `${a.player.lagMs} ${b.player.lagMs}`);
  assert.equal(lagMs, most);
});

Deno.test("the flush interval is the longest of the streams that are live", () => {
  using scene = new Scene();
  const longest = () => scene.registry.figures.flushIntervalMs;
  const [slow, fast] = [10, 50].map((sendMinIntervalMs, i) => {
    const vhost = vhostOf({ minLatency: false, sendMinIntervalMs } as never, { name: "v" });
    return scene.hub.obtain(`v/${i}`, { ...vhost, minLatency: false }, "live", `${i}`);
  });
  assert.equal(longest(), 0);
  const publisher = new FakePublisher(slow);
  publisher.start();
  const one = longest();
  assert.equal(one, slow.flushIntervalMs);
  new FakePublisher(fast).start();
  assert.equal(longest(), Math.max(slow.flushIntervalMs, fast.flushIntervalMs));
  publisher.stop();
  assert.equal(longest(), fast.flushIntervalMs);
});

Deno.test("a client's rates are made of samples of its own", () => {
  using scene = new Scene();
  const stream = scene.stream();
  const [busy, idle] = [scene.connect(), scene.connect()];
  scene.take(busy, stream, true);
  scene.take(idle, stream);
  for (let i = 0; i < 12; i++) {
    scene.clock.advance(3000);
    busy.recvBytes += 375_000;
    scene.registry.sample();
  }
  const rates = [busy, idle].map(({ id }) => scene.registry.clients.get(id)?.kbps.recv30s);
  assert.deepEqual(rates, [1000, 0]);
});

Deno.test("memory of logs is counted where it is, not where a mirror of it is read", () => {
  using scene = new Scene();
  const own = scene.stream("own");
  const publisher = new FakePublisher(own);
  publisher.start();
  const player = new FakePlayer(own);
  publisher.headers();
  publisher.video(0, payloads.keyframe(1));
  const { logBytes } = scene.registry.figures;
  assert.ok(logBytes > 0);
  const mirror = scene.stream("mirror");
  const copied = new FakePublisher(mirror);
  copied.start();
  const other = new FakePlayer(mirror);
  copied.headers();
  copied.video(0, payloads.keyframe(1));
  assert.ok(scene.registry.figures.logBytes > logBytes);
  copied.stop();
  mirror.beginCopy();
  copied.video(40, payloads.frame(2));
  assert.equal(mirror.mirrored, true);
  assert.ok(mirror.logBytes > 0, "it has a log");
  assert.equal(scene.registry.figures.logBytes, own.logBytes);
  player.leave();
  other.leave();
});
