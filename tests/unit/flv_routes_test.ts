/**
 * What an HTTP player's request takes and gives back on its way to a session: a place among the
 * connections, the stream, a grant of the hook servers.
 * @module
 */

import assert from "node:assert/strict";
import { Access } from "../../src/access/access.ts";
import { Grant } from "../../src/access/grant.ts";
import { HookCaller } from "../../src/access/hook_caller.ts";
import type { AccessRequest } from "../../src/access/request.ts";
import { ErrorCode, type Refusal } from "../../src/rtmp/error.ts";
import { type FlvHost, flvRoutes } from "../../src/servers/flv/routes.ts";
import { signature } from "../../src/access/signed_url.ts";
import { Hub } from "../../src/live/stream/hub.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import type { HttpPeer } from "../../src/net/http_listener.ts";
import type { WebLinkHandler } from "../../src/net/web_link.ts";
import { NO_RELAYS, type RelayService } from "../../src/relay/relays.ts";
import { setLogTarget } from "../../src/log/log.ts";
import { FakePublisher, payloads } from "./support/live_fixture.ts";
import { ManualClock } from "./support/manual_clock.ts";
import { configOf } from "./support/rtmp_peer.ts";
import { IDENTITY } from "./support/grants.ts";

type Answer = (refusal: Refusal | null) => void;

/** A access whose question the test answers. */
class HeldAccess extends Access {
  readonly asked: Answer[] = [];
  ends = 0;
  /** Whom it was asked about. */
  readonly requests: AccessRequest[] = [];
  fault: Error | null = null;

  constructor() {
    super(IDENTITY, new HookCaller("srs-edge/1.2.3"));
  }

  override grant(...args: Parameters<Access["grant"]>): Grant {
    this.requests.push(args[0]);
    const grant = super.grant(...args);
    const end = grant.end.bind(grant);
    grant.askHooks = (answer) => {
      if (this.fault) throw this.fault;
      this.asked.push(answer);
    };
    grant.end = () => {
      this.ends++;
      end();
    };
    return grant;
  }
}

const EDGE = "cluster { mode remote; origin 127.0.0.1:1; }";

/** A server's part of the routes. */
class Scene {
  readonly clock = new ManualClock();
  readonly hub = new Hub(this.clock, "1.2.3");
  readonly access = new HeldAccess();
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
    const { clock, hub, access, config, calls } = this;
    const broken = () => this.broken;
    this.#host = {
      clock,
      hub,
      access,
      get config() {
        const fault = broken();
        if (fault) throw fault;
        return config;
      },
      relay: this.relay,
      admit: (address) => {
        if (this.limit === null) calls.push(`admit ${address}`);
        return this.limit === null ? null : { code: ErrorCode.LIMIT, reason: this.limit };
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
  scene.access.asked[0](null);
  const response = await answer;
  assert.equal(response.status, 200);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "stream", "opened"]);
  scene.player?.onClose();
  assert.deepEqual(scene.calls.slice(3), ["left", "finished"]);
  assert.equal(scene.access.ends, 1);
  publisher.stop();
  assert.equal(scene.seconds(3), 0, "nothing holds it any more");
});

Deno.test("FLV routes: a client that hooks refuse gives everything back", async () => {
  const scene = new Scene();
  const publisher = publishing(scene);
  const answer = scene.get();
  await settled();
  scene.access.asked[0]({ code: ErrorCode.HOOK, reason: "refused by the hook on_play" });
  const response = await answer;
  assert.equal(response.status, 403);
  assert.match(await response.text(), /on_play/);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.access.ends, 1);
  publisher.stop();
  assert.equal(scene.seconds(3), 0);
});

Deno.test("FLV routes: a stream that has ended while hooks were asked is 404, and nothing is kept", async () => {
  const scene = new Scene();
  const publisher = publishing(scene);
  const answer = scene.get();
  await settled();
  publisher.stop();
  scene.access.asked[0](null);
  assert.equal((await answer).status, 404);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.access.ends, 1);
  assert.equal(scene.seconds(3), 0);
});

Deno.test("FLV routes: a fault while hooks are asked gives everything back", async () => {
  const scene = new Scene();
  const publisher = publishing(scene);
  scene.access.fault = new Error("ours");
  const error = console.error;
  console.error = () => {};
  try {
    assert.equal((await scene.get()).status, 500);
  } finally {
    console.error = error;
  }
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.access.ends, 1);
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
  assert.equal(scene.access.asked.length, 0);
});

Deno.test("FLV routes: at an edge the viewer waits for the stream, and gives back what never came", async () => {
  for (const comes of [true, false]) {
    let wanted = 0;
    const scene = new Scene(EDGE, { play: () => void wanted++ });
    const answer = scene.get();
    await settled();
    scene.access.asked[0](null);
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
    admit: (_client, answer) =>
      void answer({ code: ErrorCode.ORIGIN, reason: "not at the origin" }),
  });
  const answer = scene.get();
  await settled();
  scene.access.asked[0](null);
  const response = await answer;
  assert.equal(response.status, 403);
  assert.match(await response.text(), /not at the origin/);
  assert.deepEqual(scene.calls, ["admit 192.0.2.7", "dismiss 192.0.2.7"]);
  assert.equal(scene.access.ends, 1);
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
  refused.access.asked[0]({ code: ErrorCode.HOOK, reason: "refused by the hook on_play" });
  assert.equal((await no).status, 403);
  assert.deepEqual(asked, []);
  const looped = new Scene(EDGE, {
    refuse: () => ({ code: ErrorCode.LOOP, reason: "it has been here" }),
  });
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
    assert.deepEqual(scene.access.requests.map(({ ip }) => ip), [trusts ? "1.2.3.4" : "192.0.2.7"]);
    // Places are counted by connection, which is the proxy's.
    assert.equal(scene.calls[0], "admit 192.0.2.7");
    scene.access.asked[0](null);
    await (await answer).body?.cancel();
  }
});

Deno.test("H41: a request whose proxy headers disagree asks nobody", async () => {
  const headers = { "X-Forwarded-For": "1.2.3.4", "X-Real-IP": "5.6.7.8" };
  const scene = new Scene("", {}, "trusted_proxies 192.0.2.7;");
  publishing(scene);
  assert.equal((await scene.get({ headers })).status, 403);
  assert.deepEqual([scene.access.requests, scene.calls], [[], []]);
  const named = new Scene("", {}, "trusted_proxies 192.0.2.7; client_address_header x-real-ip;");
  publishing(named);
  const answer = named.get({ headers });
  await settled();
  assert.deepEqual(named.access.requests.map(({ ip }) => ip), ["5.6.7.8"]);
  named.access.asked[0](null);
  await (await answer).body?.cancel();
});

Deno.test("H44: a WebSocket of another site's page needs crossdomain or its name", async () => {
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket", Host: "h" };
  const rows: [string, string | null, boolean][] = [
    ["crossdomain off;", "https://evil.example", false],
    ["crossdomain off;", "null", false],
    ["crossdomain off;", "", false],
    ["crossdomain off;", "http://h.evil.example", false],
    ["crossdomain off; trusted_origins https://a.example;", "https://a.example", true],
    ["crossdomain off; trusted_origins https://a.example;", "http://a.example", false],
    ["crossdomain off;", "http://h", true],
    ["crossdomain off;", "https://h", true],
    ["crossdomain off;", null, true],
    ["", "https://evil.example", true],
  ];
  for (const [site, origin, opens] of rows) {
    const scene = new Scene("", {}, site);
    publishing(scene);
    const headers = { ...upgrade, ...(origin !== null && { Origin: origin }) };
    const answer = scene.get({ headers });
    await settled();
    assert.equal(scene.access.asked.length, opens ? 1 : 0, `${site} ${origin}`);
    scene.access.asked[0]?.({ code: ErrorCode.HOOK, reason: "enough" });
    const response = await answer;
    assert.equal(response.status, 403);
    assert.equal((await response.text()).includes("other sites"), !opens);
  }
});

Deno.test("H63: a page of another site is told no names of streams", async () => {
  const scene = new Scene();
  publishing(scene, "/live/a");
  const text = async (headers: Record<string, string>) => {
    return await (await scene.get({ headers: { Host: "h", ...headers } })).text();
  };
  for (const Origin of ["https://evil.example", "null"]) {
    assert.doesNotMatch(await text({ Origin }), /live\/a/);
    assert.doesNotMatch(await text({ Origin, Accept: "application/json" }), /live\/a/);
  }
  for (const headers of [{}, { Origin: "http://h" }]) assert.match(await text(headers), /live\/a/);
});

Deno.test("FLV routes: the log believes proxies that are trusted, and nobody else", async () => {
  const trusted = "trusted_proxies 192.0.2.0/24;";
  const rows: [string, Record<string, string>, string][] = [
    [
      trusted,
      { "X-Forwarded-For": "1.1.1.1, 3.3.3.3", "X-Real-IP": "3.3.3.3" },
      ", real ip=3.3.3.3",
    ],
    [trusted, { "Forwarded": "for=4.4.4.4" }, ", real ip=4.4.4.4"],
    [trusted, {}, ""],
    ["", { "X-Forwarded-For": "1.1.1.1", "X-Real-IP": "3.3.3.3" }, ""],
  ];
  for (const [server, headers, expected] of rows) {
    const scene = new Scene("", {}, server);
    publishing(scene);
    const lines: string[] = [];
    setLogTarget({ takes: () => true, write: ({ text }) => void lines.push(text) });
    try {
      const answer = scene.get({ headers });
      await settled();
      scene.access.asked[0](null);
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
    edge.access.asked.length = 0;
    const answer = edge.get({}, `/live/s.flv${query}`);
    await settled();
    edge.access.asked[0](null);
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

Deno.test("H49: no names where not everybody may play", async () => {
  const rules = [
    "publish { secret 0123456789abcdef0123; }",
    "play { secret 0123456789abcdef0123; }",
    "security { enabled on; allow play all; }",
    "refer { enabled on; play example.com; }",
    "http_hooks { enabled on; on_publish http://127.0.0.1:1/; }",
    "http_hooks { enabled on; on_play http://127.0.0.1:1/; }",
  ];
  for (const rule of rules) {
    const scene = new Scene(rule);
    publishing(scene, "/live/a");
    const expires = String(Math.floor(Date.now() / 1000) + 60);
    const path = `/live/s.flv?expires=${expires}&sign=${
      signature("0123456789abcdef0123", "play", "/live/s", expires)
    }`;
    for (const headers of [{}, { Accept: "application/json" }]) {
      const Referer = "https://example.com/";
      const answer = await scene.get({ headers: { ...headers, Referer } }, path);
      // By RTMP alone a page is told of.
      assert.equal(answer.status, 404, rule);
      assert.doesNotMatch(await answer.text(), /live\/a/, rule);
    }
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
