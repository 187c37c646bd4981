/**
 * The access as a session sees it: when hooks are asked and told, whatever a client does in between.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { connectBody, streamBody } from "../../src/access/hook_bodies.ts";
import type { Access } from "../../src/access/access.ts";
import type { Grant } from "../../src/access/grant.ts";
import type { AccessRequest } from "../../src/access/request.ts";
import { clientAddress } from "../../src/servers/http/request/client_address.ts";
import { parseNetwork } from "../../src/config/network.ts";
import { CLEAR_LOOKS_MS } from "../../src/live/limits.ts";
import type { Clearance } from "../../src/live/publication/takeover.ts";
import { ErrorCode } from "../../src/rtmp/error.ts";
import type { Uplink } from "../../src/relay/edge/publish.ts";
import { NO_RELAYS } from "../../src/relay/relays.ts";
import { NO_CLAIMS } from "../../src/live/stream/claims.ts";
import { HookServer } from "../tools/hook_server.ts";
import { until } from "../tools/process.ts";
import { MemoryLog } from "./support/memory_log.ts";
import { command, configOf, type Peer, recipe, TestServer } from "./support/rtmp_peer.ts";
import { IDENTITY, newAccess } from "./support/grants.ts";

/** The one HTTP client of the process is made by the first call and stays. */
function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, fn, sanitizeResources: false });
}

function requestOf(vhost: string, more: Partial<AccessRequest> = {}): AccessRequest {
  return {
    id: "client01",
    ip: "192.0.2.7",
    action: "publish",
    protocol: "rtmp",
    vhost: configOf(recipe(vhost)).vhosts[0],
    app: "live",
    stream: "s",
    param: "",
    tcUrl: "rtmp://h/live",
    pageUrl: "",
    key: "/live/s",
    ...more,
  };
}

/** One grant with a hook server behind it. */
async function withHooks(work: (hooks: HookServer) => Promise<void>): Promise<void> {
  const hooks = new HookServer();
  try {
    await work(hooks);
  } finally {
    await hooks.stop();
  }
}

const parts = () => ({ log: new MemoryLog("client01"), streamId: () => "vid-1234567" });

test("hook bodies H28: names of peers are text, whatever is in them", () => {
  const vhost = requestOf("").vhost;
  fc.assert(fc.property(fc.string(), fc.string(), (stream, param) => {
    const request = requestOf("", { stream, param, vhost });
    const bodies = [connectBody(IDENTITY, request), streamBody(IDENTITY, "on_play", request, "id")];
    for (const body of bodies) {
      const parsed = JSON.parse(body);
      assert.deepEqual([parsed.stream, parsed.param, parsed.client_id], [
        stream,
        param,
        "client01",
      ]);
    }
  }));
});

test("grant: without hooks the answer is there at once, and the end is told to nobody", () => {
  const grant = newAccess().grant(requestOf(""), parts());
  let answered = 0;
  grant.askHooks((refusal) => {
    assert.equal(refusal, null);
    answered++;
  });
  assert.equal(answered, 1);
  grant.begin();
  grant.end();
});

test("grant: the end is told exactly once for what was counted, wherever it ends", () =>
  withHooks(async (hooks) => {
    // Ends while on_connect is asked, while on_publish is, after both, and after it has begun.
    const ends = ["on_connect", "on_publish", "answer", "begun"] as const;
    for (const end of ends) {
      hooks.clear();
      const access = newAccess();
      const request = requestOf(hooks.block);
      const grant = access.grant(request, parts());
      hooks.reply = ({ body }) => {
        if (body.action === end) grant.end();
        return new Response("0");
      };
      let answers = 0;
      grant.askHooks(() => answers++);
      if (end === "answer" || end === "begun") {
        await until("the answer", 5000, () => answers === 1);
        if (end === "begun") grant.begin();
        grant.end();
        grant.end();
      }
      await hooks.received(end === "on_connect" ? 1 : 3);
      await access.waitDelivered(5000);
      const expected = end === "on_connect"
        ? ["on_connect"]
        : ["on_connect", "on_publish", "on_unpublish"];
      assert.deepEqual(hooks.actions, expected, end);
      assert.equal(answers, end === "answer" || end === "begun" ? 1 : 0);
    }
  }));

test("grant: who was refused has not ended; who was never asked about has, if he began", () =>
  withHooks(async (hooks) => {
    const access = newAccess();
    hooks.reply = ({ body }) => new Response(body.action === "on_publish" ? "1" : "0");
    const refused = access.grant(requestOf(hooks.block), parts());
    const refusal = await new Promise((resolve) => refused.askHooks(resolve));
    assert.deepEqual(refusal, { code: 3064, reason: "refused by the hook on_publish" });
    refused.end();
    const told = `http_hooks { enabled on; on_unpublish ${hooks.url("/")}; }`;
    const never = access.grant(requestOf(told), parts());
    never.askHooks(() => {});
    never.end();
    await access.waitDelivered(5000);
    assert.deepEqual(hooks.actions, ["on_connect", "on_publish"]);
    const began = access.grant(requestOf(told), parts());
    began.askHooks(() => {});
    began.begin();
    began.end();
    await hooks.received(3);
    assert.equal(hooks.actions[2], "on_unpublish");
  }));

test("session: a stream that nobody has is kept while hooks are asked about it", () =>
  withHooks(async (hooks) => {
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    hooks.reply = async () => {
      await held;
      return new Response("0");
    };
    const server = new TestServer(recipe(hooks.block));
    const peer = server.created();
    peer.send(command("publish", 5, null, "s", "live"));
    assert.equal(peer.socket.reading, false);
    // Longer than an unused stream is kept, and than a client may take to say what it wants.
    server.pass(34_000);
    peer.assertOpen();
    const [stream] = server.hub.streams;
    release();
    await until("the answer", 5000, () => stream.published);
    assert.equal([...server.hub.streams][0], stream);
    await server.host.access.waitDelivered(5000);
    assert.deepEqual(hooks.actions, ["on_connect", "on_publish"], "it goes on");
    end(peer);
    await server.host.access.waitDelivered(5000);
    assert.deepEqual(hooks.actions, ["on_connect", "on_publish", "on_unpublish", "on_close"]);
    server.pass(10_000);
    assert.equal([...server.hub.streams].length, 0, "nothing is left of it");
  }));

test("F8: a stream is kept, and hooks are not asked, while the other threads make way for a newcomer", () =>
  withHooks(async (hooks) => {
    let found: (clearance: Clearance) => void = () => {};
    const server = new TestServer(recipe(hooks.block));
    Object.assign(server.host, {
      claims: {
        ...NO_CLAIMS,
        clear: (...[, , done]: Parameters<typeof NO_CLAIMS.clear>) => found = done,
      },
    });
    for (const kept of [false, true]) {
      hooks.clear();
      const peer = server.created();
      peer.send(command("publish", 5, null, "s", "live"));
      server.pass(9000);
      peer.assertOpen();
      const [stream] = server.hub.streams;
      assert.deepEqual(hooks.actions, []);
      found({ kept, present: kept });
      if (kept) peer.assertClosed(ErrorCode.STREAM_BUSY, /being published/);
      else await until("the answer", 5000, () => stream.published);
      assert.equal([...server.hub.streams][0], stream);
      end(peer);
      await server.host.access.waitDelivered(5000);
      const asked = ["on_connect", "on_publish", "on_unpublish", "on_close"];
      assert.deepEqual(hooks.actions, kept ? ["on_close"] : asked);
      server.pass(10_000);
      assert.equal([...server.hub.streams].length, 0, "nothing is left of it");
    }
  }));

/** A server whose stream may have a publisher in another thread, `there`; asks for way are written down. */
function clearing(vhost: string, publish: string, there: boolean, isEdge = false) {
  const edge = "cluster { mode remote; origin 127.0.0.1:1; }";
  const server = new TestServer(recipe(`${vhost} ${isEdge ? edge : ""}`, "", publish));
  // Its origin accepts everybody.
  const openUplink = (...[, , answer]: Parameters<typeof NO_RELAYS.openUplink>) => {
    queueMicrotask(() => answer(null));
    return { owner: null, publish: () => true, close: () => {} } as unknown as Uplink;
  };
  Object.assign(server.host, { relay: { ...NO_RELAYS, openUplink } });
  const asked: (string | null)[] = [];
  Object.assign(server.host, {
    claims: {
      ...NO_CLAIMS,
      clear: (...[, address, done]: Parameters<typeof NO_CLAIMS.clear>) => {
        asked.push(address);
        done({ kept: false, present: there && address !== null });
      },
    },
  });
  /** A client at an address that wants to publish "s". */
  const client = (address: string) => {
    const peer = server.created();
    Object.assign(peer.socket, { remoteAddress: address });
    peer.send(command("publish", 5, null, "s", "live"));
    return peer;
  };
  return { server, asked, publish: client };
}

test("F8: a newcomer is announced again if another publisher had the stream, here or elsewhere", () =>
  withHooks(async (hooks) => {
    const rows = [[false, false], [true, false], [false, true], [true, true]]
      .flatMap(([here, there]) => [[here, there, false], [here, there, true]]);
    for (const [here, there, edge] of rows) {
      hooks.clear();
      const { server, asked, publish } = clearing(hooks.block, "takeover replace;", there, edge);
      const { access } = server.host;
      if (here) {
        // The first one: nobody was there before it.
        const first = publish("10.0.0.1");
        await until("the first", 5000, () => first.session.role !== null);
        await access.waitDelivered(5000);
        asked.length = 0;
        hooks.clear();
      }
      const peer = publish("10.0.0.2");
      await until("the answer", 5000, () => peer.session.role !== null);
      await access.waitDelivered(5000);
      const again = here || there;
      assert.deepEqual(
        asked,
        again ? ["10.0.0.2", null] : ["10.0.0.2"],
        `${here} ${there} ${edge}`,
      );
      const said = hooks.actions.filter((action) =>
        action !== "on_connect" && action !== "on_close"
      );
      const first = here ? ["on_unpublish"] : [];
      const last = again ? ["on_unpublish", "on_publish"] : [];
      assert.deepEqual(said, ["on_publish", ...first, ...last], `${here} ${there}`);
    }
  }));

test("F8: who was put out is refused without asking hooks or other threads", () =>
  withHooks(async (hooks) => {
    const { server, asked, publish } = clearing(hooks.block, "takeover replace;", false);
    for (const address of ["10.0.0.1", "10.0.0.2"]) {
      const peer = publish(address);
      await until(`${address}`, 5000, () => peer.session.role !== null);
    }
    await server.host.access.waitDelivered(5000);
    hooks.clear();
    asked.length = 0;
    const refused = publish("10.0.0.1");
    for (const ms of CLEAR_LOOKS_MS) server.clock.advance(ms);
    refused.assertClosed(ErrorCode.STREAM_BUSY, /being published/);
    await server.host.access.waitDelivered(5000);
    assert.deepEqual(asked, []);
    assert.ok(!hooks.actions.includes("on_publish"));
  }));

test("F8: without on_publish nobody is asked to make way before the claim", () => {
  const { server, asked, publish } = clearing("", "", false);
  const peer = publish("10.0.0.1");
  assert.notEqual(peer.session.role, null);
  assert.deepEqual(asked, []);
  assert.equal([...server.hub.streams].length, 1);
});

test("session: hooks that do not come to an end do not keep a client for ever", () =>
  withHooks(async (hooks) => {
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    hooks.reply = async () => {
      await held;
      return new Response("0");
    };
    const server = new TestServer(recipe(hooks.block));
    const peer = server.created();
    peer.send(command("play", 5, null, "s"));
    server.pass(37_000);
    peer.assertClosed(ErrorCode.TIMEOUT, /no verdict within 35000 ms/);
    end(peer);
    release();
    await server.host.access.waitDelivered(5000);
    assert.deepEqual(hooks.actions, ["on_connect", "on_close"]);
    server.pass(10_000);
    assert.equal([...server.hub.streams].length, 0);
  }));

/** The connection is over, as the socket says. */
function end(peer: Peer): void {
  peer.session.onClose(null);
}

test("client address: proxies of ours are believed, one after the other, and nobody else", () => {
  const trusted = ["127.0.0.1", "10.0.0.0/8", "::1"].map((text) => {
    const network = parseNetwork(text);
    assert.ok(network);
    return network;
  });
  const rows: [string, string | null, string | null, string | null][] = [
    ["1.1.1.1", "2.2.2.2", "3.3.3.3", "1.1.1.1"],
    ["127.0.0.1", null, null, "127.0.0.1"],
    ["127.0.0.1", "2.2.2.2", null, "2.2.2.2"],
    ["::1", "2001:db8::1", null, "2001:db8::1"],
    ["127.0.0.1", null, "3.3.3.3", "3.3.3.3"],
    ["127.0.0.1", "2.2.2.2", "3.3.3.3", null],
    ["127.0.0.1", "2.2.2.2", "2.2.2.2", "2.2.2.2"],
    ["127.0.0.1", "6.6.6.6, 2.2.2.2", null, "2.2.2.2"],
    ["127.0.0.1", "6.6.6.6,2.2.2.2 , 10.0.0.7", null, "2.2.2.2"],
    ["127.0.0.1", "10.0.0.1, 10.0.0.7", null, "10.0.0.1"],
    ["127.0.0.1", "unknown", null, null],
    ["127.0.0.1", "2.2.2.2, evil, 10.0.0.7", null, null],
    ["127.0.0.1", "0.0.0.0/0", null, null],
    ["127.0.0.1", "", null, "127.0.0.1"],
  ];
  for (const [peer, forwardedFor, realIp, expected] of rows) {
    assert.equal(
      clientAddress(peer, { forwardedFor, realIp, forwarded: null }, trusted),
      expected,
      `${forwardedFor}`,
    );
  }
});

test("F8: a newcomer is asked about when the last publisher's on_unpublish has been delivered", () =>
  withHooks(async (hooks) => {
    const access = newAccess();
    const old = access.grant(requestOf(hooks.block), parts());
    let answers = 0;
    old.askHooks(() => answers++);
    await until("the answer", 5000, () => answers === 1);
    old.begin();
    const held = Promise.withResolvers<void>();
    const delivered: unknown[] = [];
    hooks.reply = async ({ body }) => {
      if (body.action === "on_unpublish") await held.promise;
      delivered.push(body.action);
      return new Response("0");
    };
    hooks.clear();
    old.end();
    const log = new MemoryLog("client02");
    const next = access.grant(requestOf(hooks.block, { id: "client02" }), { ...parts(), log });
    next.askHooks(() => answers++);
    // A player, and a publisher of another stream, wait for nobody.
    const others = [
      requestOf(hooks.block, { action: "play" }),
      requestOf(hooks.block, { key: "o" }),
    ];
    others.forEach((other, i) => {
      const otherLog = new MemoryLog(`other${i}`);
      access.grant(other, { ...parts(), log: otherLog }).askHooks(() => answers++);
    });
    await until("the others' answers", 5000, () => answers === 3);
    assert.ok(
      !hooks.calls.some(({ body }) => {
        return body.action === "on_publish" && body.client_id === "client02";
      }),
    );
    held.resolve();
    await until("the newcomer's answer", 5000, () => answers === 4);
    const order = delivered.filter((action) => action !== "on_connect" && action !== "on_play");
    assert.deepEqual(order, ["on_publish", "on_unpublish", "on_publish"]);
    await access.waitDelivered(5000);
  }));

test("F8: accepted while another publisher had the stream: said again behind the other one's end", () =>
  withHooks(async (hooks) => {
    for (const leaves of [false, true]) {
      hooks.clear();
      const access = newAccess();
      let answers = 0;
      const start = async (id: string) => {
        const log = new MemoryLog(id);
        const grant = access.grant(requestOf(hooks.block, { id }), { ...parts(), log });
        const before = answers;
        grant.askHooks(() => answers++);
        await until("the answer", 5000, () => answers > before);
        return grant;
      };
      const old = await start("client01");
      old.begin();
      const next = await start("client02");
      const elsewhere = Promise.withResolvers<void>();
      old.end();
      next.begin(() => elsewhere.promise);
      await hooks.received(5);
      if (leaves) next.end();
      elsewhere.resolve();
      await access.waitDelivered(5000);
      if (!leaves) next.end();
      await access.waitDelivered(5000);
      const said = hooks.calls.filter(({ body }) => body.action !== "on_connect")
        .map(({ body }) => `${body.action} ${body.client_id}`);
      const asked = ["on_publish client01", "on_publish client02", "on_unpublish client01"];
      const again = leaves ? [] : ["on_unpublish client02", "on_publish client02"];
      assert.deepEqual(said, [...asked, ...again, "on_unpublish client02"]);
    }
  }));

/** A publisher whose grant is accepted; it has not begun. */
async function accepted(access: Access, request: AccessRequest): Promise<Grant> {
  const grant = access.grant(request, { ...parts(), log: new MemoryLog(request.id) });
  assert.equal(await new Promise((resolve) => grant.askHooks(resolve)), null);
  return grant;
}

test("F8: said again only if hooks were asked, and if there are both of them", () =>
  withHooks(async (hooks) => {
    const urls = (actions: string[]) =>
      `http_hooks { enabled on; ${actions.map((one) => `${one} ${hooks.url("/")};`).join(" ")} }`;
    const rows: [string[], boolean, string[]][] = [
      [["on_publish", "on_unpublish"], true, ["on_publish", "on_unpublish", "on_publish"]],
      [["on_publish", "on_unpublish"], false, []],
      [["on_publish"], true, ["on_publish"]],
      [["on_unpublish"], true, []],
    ];
    for (const [actions, asks, expected] of rows) {
      hooks.clear();
      const access = newAccess();
      const request = requestOf(urls(actions));
      const grant = asks ? await accepted(access, request) : access.grant(request, parts());
      grant.begin(() => Promise.resolve());
      await access.waitDelivered(5000);
      assert.deepEqual(hooks.actions, expected, `${actions} ${asks}`);
    }
  }));

test("F8: what is said again waits for this thread's departures and for those of the others", () =>
  withHooks(async (hooks) => {
    for (const slow of ["here", "elsewhere"]) {
      hooks.clear();
      const held = Promise.withResolvers<void>();
      hooks.reply = async ({ body }) => {
        const isOld = body.action === "on_unpublish" && body.client_id === "client01";
        if (isOld && slow === "here") await held.promise;
        return new Response("0");
      };
      const access = newAccess();
      const old = await accepted(access, requestOf(hooks.block));
      old.begin();
      const next = await accepted(access, requestOf(hooks.block, { id: "client02" }));
      old.end();
      next.begin(() => slow === "here" ? Promise.resolve() : held.promise);
      const taken = () =>
        hooks.calls.some(({ body }) =>
          body.action === "on_unpublish" && body.client_id === "client02"
        );
      await hooks.received(5);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(taken(), false, slow);
      held.resolve();
      await until("it is said again", 5000, taken);
      await access.waitDelivered(5000);
      assert.equal(hooks.actions.at(-1), "on_publish");
    }
  }));

test("F8: a newcomer waits for ends of publishers alone, and of those that hooks had accepted", () =>
  withHooks(async (hooks) => {
    const held = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    hooks.reply = async ({ body }) => {
      if (body.client_id === "asking" && body.action === "on_publish") await answer.promise;
      if (body.action === "on_stop" || body.action === "on_unpublish") await held.promise;
      if (body.client_id === "refused") return new Response("1");
      return new Response("0");
    };
    const access = newAccess();
    const player = await accepted(access, requestOf(hooks.block, { action: "play" }));
    player.begin();
    player.end();
    const refused = access.grant(requestOf(hooks.block, { id: "refused" }), {
      ...parts(),
      log: new MemoryLog("refused"),
    });
    assert.notEqual(await new Promise((resolve) => refused.askHooks(resolve)), null);
    refused.end();
    // One that goes while it is asked about: whether hooks have accepted it is not known yet.
    const asking = access.grant(requestOf(hooks.block, { id: "asking" }), {
      ...parts(),
      log: new MemoryLog("asking"),
    });
    asking.askHooks(() => {});
    await until("the question", 5000, () =>
      hooks.calls.at(-1)?.body.client_id === "asking" &&
      hooks.actions.at(-1) === "on_publish");
    asking.end();
    await within5s("nobody's end", access.departed("/live/s"));
    answer.resolve();
    const publisher = await accepted(access, requestOf(hooks.block, { id: "client02" }));
    publisher.begin();
    publisher.end();
    let departed = false;
    const departure = access.departed("/live/s").then(() => departed = true);
    await within5s("another stream's", access.departed("/live/other"));
    assert.equal(departed, false);
    held.resolve();
    await within5s("its end", departure);
    await access.waitDelivered(5000);
  }));

/** `promise`, which must settle long before the limit of departures. */
async function within5s(what: string, promise: Promise<unknown>): Promise<void> {
  let over = false;
  void promise.then(() => over = true);
  await until(what, 2000, () => over);
}
