/**
 * What an HTTP player's request takes and gives back on its way to a session: a place among the
 * connections, the stream, a visit of the hook servers.
 * @module
 */

import assert from "node:assert/strict";
import { Gate, Visit } from "../../src/hooks/gate.ts";
import { HookCaller } from "../../src/hooks/hook_caller.ts";
import { type Refusal, RefusalCode, type Visitor } from "../../src/hooks/visitor.ts";
import { type FlvHost, flvRoutes } from "../../src/http/flv_routes.ts";
import { Hub } from "../../src/live/hub.ts";
import type { LiveStream } from "../../src/live/live_stream.ts";
import type { HttpPeer } from "../../src/net/http_listener.ts";
import type { WebLinkHandler } from "../../src/net/web_link.ts";
import { NO_RELAYS, type RelayService } from "../../src/relay/relays.ts";
import { setLogTarget } from "../../src/log/log.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { FakePublisher, payloads } from "./support/live_fixture.ts";
import { ManualClock } from "./support/manual_clock.ts";
import { configOf } from "./support/rtmp_peer.ts";
import { IDENTITY } from "./support/visits.ts";

type Answer = (refusal: Refusal | null) => void;

/** A gate whose question the test answers. */
class HeldGate extends Gate {
  readonly asked: Answer[] = [];
  ends = 0;
  /** Whom it was asked about. */
  readonly visitors: Visitor[] = [];
  fault: Error | null = null;

  constructor() {
    super(IDENTITY, new HookCaller("srs-edge/1.2.3"));
  }

  override visit(...args: Parameters<Gate["visit"]>): Visit {
    this.visitors.push(args[0]);
    const visit = super.visit(...args);
    const end = visit.end.bind(visit);
    visit.ask = (answer) => {
      if (this.fault) throw this.fault;
      this.asked.push(answer);
    };
    visit.end = () => {
      this.ends++;
      end();
    };
    return visit;
  }
}

const EDGE = "cluster { mode remote; origin 127.0.0.1:1; }";

/** A server's part of the routes. */
class Scene {
  readonly clock = new ManualClock();
  readonly hub = new Hub(this.clock, "1.2.3");
  readonly gate = new HeldGate();
  readonly config;
  readonly calls: string[] = [];
  limit: string | null = null;
  /** The player that the answer to `get` has become. */
  player: WebLinkHandler | null = null;
  /** A fault of ours that looking a name up raises. */
  broken: Error | null = null;
  readonly relay: RelayService;
  readonly #routes;
  readonly #host: FlvHost;

  constructor(vhost = "", relay: Partial<RelayService> = {}, server = "") {
    this.relay = { ...NO_RELAYS, ...relay };
    this.config = configOf(`listen 1935; http_server { enabled on; listen 8080; ${server} }
      vhost __defaultVhost__ { ${vhost} http_remux { enabled on; } }`);
    const { clock, hub, gate, config, calls } = this;
    const broken = () => this.broken;
    this.#host = {
      clock,
      hub,
      gate,
      get config() {
        const fault = broken();
        if (fault) throw fault;
        return config;
      },
      relay: this.relay,
      admit: (address) => {
        if (this.limit === null) calls.push(`admit ${address}`);
        return this.limit;
      },
      dismiss: (address) => void calls.push(`dismiss ${address}`),
      streamId: ({ key }) => `id of ${key}`,
      opened: () => void calls.push("opened"),
      left: () => void calls.push("left"),
      finished: () => void calls.push("finished"),
    };
    this.#routes = flvRoutes(this.#host);
  }

  stream(key = "/live/s"): LiveStream {
    const [vhost] = this.config.vhosts;
    return this.hub.obtain(key, vhost, "live", key.slice(key.lastIndexOf("/") + 1));
  }

  /** Asks for it; does not wait for the answer. */
  get(init: RequestInit = {}, path = "/live/s.flv"): Promise<Response> {
    const peer: HttpPeer = {
      address: "192.0.2.7",
      port: 50123,
      stream: (handler) => {
        this.calls.push("stream");
        this.player = handler;
        handler.onOpen({ send: () => true, end: () => {}, abort: () => {} });
      },
      upgrade: () => false,
    };
    return Promise.resolve(this.#routes.request(`http://h${path}`, init, { peer }));
  }

  /** Seconds of the hub; how many streams are left. */
  seconds(count: number): number {
    for (let i = 0; i < count; i++) {
      this.clock.advance(1000);
      this.hub.tick();
    }
    return [...this.hub.streams].length;
  }
}

/** Lets what has been promised happen. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

function publishing(scene: Scene, key?: string): FakePublisher {
  const publisher = new FakePublisher(scene.stream(key));
  publisher.start();
  publisher.headers();
  publisher.video(0, payloads.keyframe(1));
  return publisher;
}

Deno.test("FLV routes: a stream is not forgotten while hooks are asked about it, and is afterwards", async () => {
  const scene = new Scene();
  const publisher = publishing(scene);
  const stream = scene.stream();
  const answer = scene.get();
  await settled();
  publisher.stop();
  assert.equal(scene.seconds(60), 1, "it is being asked about");
  publisher.start();
  assert.equal(scene.stream(), stream);
  scene.gate.asked[0](null);
  const response = await answer;
  assert.equal(response.status, 200);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "stream", "opened"]);
  scene.player?.onClose();
  assert.deepEqual(scene.calls.slice(3), ["left", "finished"]);
  assert.equal(scene.gate.ends, 1);
  publisher.stop();
  assert.equal(scene.seconds(3), 0, "nothing holds it any more");
});

Deno.test("FLV routes: a client that hooks refuse gives everything back", async () => {
  const scene = new Scene();
  const publisher = publishing(scene);
  const answer = scene.get();
  await settled();
  scene.gate.asked[0]({ code: RefusalCode.HOOK, reason: "refused by the hook on_play" });
  const response = await answer;
  assert.equal(response.status, 403);
  assert.match(await response.text(), /on_play/);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.gate.ends, 1);
  publisher.stop();
  assert.equal(scene.seconds(3), 0);
});

Deno.test("FLV routes: a stream that has ended while hooks were asked is 404, and nothing is kept", async () => {
  const scene = new Scene();
  const publisher = publishing(scene);
  const answer = scene.get();
  await settled();
  publisher.stop();
  scene.gate.asked[0](null);
  assert.equal((await answer).status, 404);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.gate.ends, 1);
  assert.equal(scene.seconds(3), 0);
});

Deno.test("FLV routes: a fault while hooks are asked gives everything back", async () => {
  const scene = new Scene();
  const publisher = publishing(scene);
  scene.gate.fault = new Error("ours");
  const error = console.error;
  console.error = () => {};
  try {
    assert.equal((await scene.get()).status, 500);
  } finally {
    console.error = error;
  }
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.gate.ends, 1);
  publisher.stop();
  assert.equal(scene.seconds(3), 0);
});

Deno.test("FLV routes: who is not let in, asks for the head alone or for nothing takes nothing", async () => {
  const scene = new Scene();
  assert.equal((await scene.get()).status, 404);
  publishing(scene);
  assert.equal((await scene.get({ method: "HEAD" })).status, 200);
  scene.limit = "max_connections=1";
  const refused = await scene.get();
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /max_connections=1/);
  assert.deepEqual(scene.calls, []);
  assert.equal(scene.gate.asked.length, 0);
});

Deno.test("FLV routes: at an edge the viewer waits for the stream, and gives back what never came", async () => {
  for (const comes of [true, false]) {
    let wanted = 0;
    const scene = new Scene(EDGE, { play: () => void wanted++ });
    const answer = scene.get();
    await settled();
    scene.gate.asked[0](null);
    await settled();
    assert.ok(wanted > 0, "the pull is asked for");
    scene.clock.advance(20);
    await settled();
    assert.ok(wanted > 1, "again and again");
    const publisher = comes ? publishing(scene) : null;
    for (let i = 0; i < 500; i++) {
      scene.clock.advance(20);
      if (i % 50 === 0) scene.hub.tick();
      await Promise.resolve();
      await Promise.resolve();
      await Promise.resolve();
    }
    const response = await answer;
    assert.equal(response.status, comes ? 200 : 404);
    scene.player?.onClose();
    assert.equal(scene.calls[1], comes ? "stream" : "dismiss 192.0.2.7");
    publisher?.stop();
    assert.equal(scene.seconds(3), 0);
  }
});

Deno.test("FLV routes: what an origin refuses is refused, and what came through here before is a loop", async () => {
  const scene = new Scene(EDGE, {
    admit: (_client, answer) => void answer(new RtmpError(ErrorCode.LIMIT, "not at the origin")),
  });
  const answer = scene.get();
  await settled();
  scene.gate.asked[0](null);
  const response = await answer;
  assert.equal(response.status, 403);
  assert.match(await response.text(), /not at the origin/);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.gate.ends, 1);
  // Nor is an origin asked about a client that hooks refuse.
  const asked: string[] = [];
  const refused = new Scene(EDGE, {
    admit: (_client, answer) => {
      asked.push("admit");
      answer(null);
    },
    play: () => void asked.push("play"),
  });
  const no = refused.get();
  await settled();
  refused.gate.asked[0]({ code: RefusalCode.HOOK, reason: "refused by the hook on_play" });
  assert.equal((await no).status, 403);
  assert.deepEqual(asked, []);
  const looped = new Scene(EDGE, { refuse: () => "it has been here" });
  assert.equal((await looped.get()).status, 508);
  assert.deepEqual(looped.calls, []);
});

Deno.test("FLV routes: rules and hooks see the address that a trusted proxy names, and of no other", async () => {
  const headers = { "X-Forwarded-For": "9.9.9.9, 1.2.3.4", "X-Real-IP": "1.2.3.4" };
  for (const trusts of [true, false]) {
    const server = trusts ? "trusted_proxies 192.0.2.7;" : "";
    const scene = new Scene("", {}, server);
    publishing(scene);
    const answer = scene.get({ headers });
    await settled();
    assert.deepEqual(scene.gate.visitors.map(({ ip }) => ip), [trusts ? "1.2.3.4" : "192.0.2.7"]);
    // Places are counted by connection, which is the proxy's.
    assert.equal(scene.calls[0], "admit 192.0.2.7");
    scene.gate.asked[0](null);
    await (await answer).body?.cancel();
  }
});

Deno.test("FLV routes: the log says what the first proxy has said", async () => {
  const rows: [Record<string, string>, string][] = [
    [{ "X-Forwarded-For": "1.1.1.1, 2.2.2.2", "X-Real-IP": "3.3.3.3" }, ", real ip=1.1.1.1"],
    [{ "X-Real-IP": "3.3.3.3", "Forwarded": "for=4.4.4.4" }, ", real ip=3.3.3.3"],
    [{ "Forwarded": "for=4.4.4.4" }, ", real ip=for=4.4.4.4"],
    [{}, ""],
  ];
  for (const [headers, expected] of rows) {
    const scene = new Scene();
    publishing(scene);
    const lines: string[] = [];
    setLogTarget({ takes: () => true, write: ({ text }) => void lines.push(text) });
    try {
      const answer = scene.get({ headers });
      await settled();
      scene.gate.asked[0](null);
      await (await answer).body?.cancel();
    } finally {
      setLogTarget({ takes: () => false, write: () => {} });
    }
    const [line] = lines.filter((text) => text.startsWith("HTTP client "));
    assert.equal(line, `HTTP client ip=192.0.2.7:50123, http${expected}`);
  }
});

Deno.test("FLV routes: a 404 lists what is live beside it, and nothing of another identity", async () => {
  const scene = new Scene();
  publishing(scene, "/live/a");
  publishing(scene, "/live/b").stop();
  const response = await scene.get();
  assert.equal(response.status, 404);
  const text = await response.text();
  assert.match(text, /^Not Found: nobody publishes \/live\/s\.\n/);
  assert.deepEqual(text.match(/http:\S+/g), ["http://h/live/a.flv"]);
  const { streams } = await (await scene.get({ headers: { Accept: "application/json" } })).json();
  assert.deepEqual(streams, ["http://h/live/a.flv"]);
  // At an edge a vhost that the client names is a name of its own, in one vhost of the configuration.
  const edge = new Scene(EDGE);
  publishing(edge, "/live/a");
  publishing(edge, "other.com/live/c");
  for (const [query, found] of [["", "/live/a.flv"], ["?vhost=other.com", "/live/c.flv"]]) {
    edge.gate.asked.length = 0;
    const answer = edge.get({}, `/live/s.flv${query}`);
    await settled();
    edge.gate.asked[0](null);
    for (let i = 0; i < 500; i++) {
      edge.clock.advance(20);
      await Promise.resolve();
      await Promise.resolve();
      await Promise.resolve();
    }
    const lines = (await (await answer).text()).match(/http:\S+/g);
    assert.deepEqual(lines, [`http://h${found}${query}`]);
  }
});

Deno.test("FLV routes: a name that cannot be one is a 404 that says why, a fault of ours is none", async () => {
  const scene = new Scene();
  const response = await scene.get({}, `/live/${"x".repeat(2049)}.flv`);
  assert.equal(response.status, 404);
  assert.match(await response.text(), /^Not Found: .*\.\n$/);
  scene.broken = new Error("ours");
  const { error } = console;
  console.error = () => {};
  try {
    assert.equal((await scene.get()).status, 500);
  } finally {
    console.error = error;
  }
  assert.deepEqual(scene.calls, []);
});
