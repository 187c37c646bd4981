/**
 * The gate as a session sees it: when hooks are asked and told, whatever a client does in between.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { connectBody, streamBody } from "../../src/hooks/bodies.ts";
import type { Visitor } from "../../src/hooks/visitor.ts";
import { clientAddress } from "../../src/http/client_address.ts";
import { parseNetwork } from "../../src/config/network.ts";
import type { Clearance } from "../../src/live/takeover.ts";
import { ErrorCode } from "../../src/rtmp/error.ts";
import { NO_CLAIMS } from "../../src/session/phase.ts";
import { HookServer } from "../tools/hook_server.ts";
import { until } from "../tools/process.ts";
import { MemoryLog } from "./support/memory_log.ts";
import { command, configOf, type Peer, recipe, TestServer } from "./support/rtmp_peer.ts";
import { IDENTITY, newGate } from "./support/visits.ts";

/** The one HTTP client of the process is made by the first call and stays. */
function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, fn, sanitizeResources: false });
}

function visitorOf(vhost: string, more: Partial<Visitor> = {}): Visitor {
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

/** One visit with a hook server behind it. */
async function withVisit(work: (hooks: HookServer) => Promise<void>): Promise<void> {
  const hooks = new HookServer();
  try {
    await work(hooks);
  } finally {
    await hooks.stop();
  }
}

const parts = () => ({ log: new MemoryLog("client01"), streamId: () => "vid-1234567" });

test("hook bodies H28: names of peers are text, whatever is in them", () => {
  const vhost = visitorOf("").vhost;
  fc.assert(fc.property(fc.string(), fc.string(), (stream, param) => {
    const visitor = visitorOf("", { stream, param, vhost });
    const bodies = [connectBody(IDENTITY, visitor), streamBody(IDENTITY, "on_play", visitor, "id")];
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

test("visit: without hooks the answer is there at once, and the end is told to nobody", () => {
  const visit = newGate().visit(visitorOf(""), parts());
  let answered = 0;
  visit.ask((refusal) => {
    assert.equal(refusal, null);
    answered++;
  });
  assert.equal(answered, 1);
  visit.begin();
  visit.end();
});

test("visit: the end is told exactly once for what was counted, wherever it ends", () =>
  withVisit(async (hooks) => {
    // Ends while on_connect is asked, while on_publish is, after both, and after it has begun.
    const ends = ["on_connect", "on_publish", "answer", "begun"] as const;
    for (const end of ends) {
      hooks.clear();
      const gate = newGate();
      const visitor = visitorOf(hooks.block);
      const visit = gate.visit(visitor, parts());
      hooks.reply = ({ body }) => {
        if (body.action === end) visit.end();
        return new Response("0");
      };
      let answers = 0;
      visit.ask(() => answers++);
      if (end === "answer" || end === "begun") {
        await until("the answer", 5000, () => answers === 1);
        if (end === "begun") visit.begin();
        visit.end();
        visit.end();
      }
      await hooks.received(end === "on_connect" ? 1 : 3);
      await gate.settle(5000);
      const expected = end === "on_connect"
        ? ["on_connect"]
        : ["on_connect", "on_publish", "on_unpublish"];
      assert.deepEqual(hooks.actions, expected, end);
      assert.equal(answers, end === "answer" || end === "begun" ? 1 : 0);
    }
  }));

test("visit: who was refused has not ended; who was never asked about has, if he began", () =>
  withVisit(async (hooks) => {
    const gate = newGate();
    hooks.reply = ({ body }) => new Response(body.action === "on_publish" ? "1" : "0");
    const refused = gate.visit(visitorOf(hooks.block), parts());
    const refusal = await new Promise((resolve) => refused.ask(resolve));
    assert.deepEqual(refusal, { code: 3064, reason: "refused by the hook on_publish" });
    refused.end();
    const told = `http_hooks { enabled on; on_unpublish ${hooks.url("/")}; }`;
    const never = gate.visit(visitorOf(told), parts());
    never.ask(() => {});
    never.end();
    await gate.settle(5000);
    assert.deepEqual(hooks.actions, ["on_connect", "on_publish"]);
    const began = gate.visit(visitorOf(told), parts());
    began.ask(() => {});
    began.begin();
    began.end();
    await hooks.received(3);
    assert.equal(hooks.actions[2], "on_unpublish");
  }));

test("session: a stream that nobody has is kept while hooks are asked about it", () =>
  withVisit(async (hooks) => {
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
    end(peer);
    await server.host.gate.settle(5000);
    assert.deepEqual(hooks.actions, ["on_connect", "on_publish", "on_unpublish", "on_close"]);
    server.pass(10_000);
    assert.equal([...server.hub.streams].length, 0, "nothing is left of it");
  }));

test("F8: a stream is kept, and hooks are not asked, while the other threads make way for a newcomer", () =>
  withVisit(async (hooks) => {
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
      await server.host.gate.settle(5000);
      const asked = ["on_connect", "on_publish", "on_unpublish", "on_close"];
      assert.deepEqual(hooks.actions, kept ? ["on_close"] : asked);
      server.pass(10_000);
      assert.equal([...server.hub.streams].length, 0, "nothing is left of it");
    }
  }));

test("session: hooks that do not come to an end do not keep a client for ever", () =>
  withVisit(async (hooks) => {
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
    await server.host.gate.settle(5000);
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
  const rows: [string, string | null, string | null, string][] = [
    ["1.1.1.1", "2.2.2.2", "3.3.3.3", "1.1.1.1"],
    ["127.0.0.1", null, null, "127.0.0.1"],
    ["127.0.0.1", "2.2.2.2", null, "2.2.2.2"],
    ["::1", "2001:db8::1", null, "2001:db8::1"],
    ["127.0.0.1", null, "3.3.3.3", "3.3.3.3"],
    ["127.0.0.1", "2.2.2.2", "3.3.3.3", "127.0.0.1"],
    ["127.0.0.1", "2.2.2.2", "2.2.2.2", "2.2.2.2"],
    ["127.0.0.1", "6.6.6.6, 2.2.2.2", null, "2.2.2.2"],
    ["127.0.0.1", "6.6.6.6,2.2.2.2 , 10.0.0.7", null, "2.2.2.2"],
    ["127.0.0.1", "10.0.0.1, 10.0.0.7", null, "10.0.0.1"],
    ["127.0.0.1", "unknown", null, "127.0.0.1"],
    ["127.0.0.1", "2.2.2.2, evil, 10.0.0.7", null, "10.0.0.7"],
    ["127.0.0.1", "0.0.0.0/0", null, "127.0.0.1"],
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
  withVisit(async (hooks) => {
    const gate = newGate();
    const old = gate.visit(visitorOf(hooks.block), parts());
    let answers = 0;
    old.ask(() => answers++);
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
    const next = gate.visit(visitorOf(hooks.block, { id: "client02" }), { ...parts(), log });
    next.ask(() => answers++);
    // A player, and a publisher of another stream, wait for nobody.
    const others = [
      visitorOf(hooks.block, { action: "play" }),
      visitorOf(hooks.block, { key: "o" }),
    ];
    others.forEach((other, i) => {
      const otherLog = new MemoryLog(`other${i}`);
      gate.visit(other, { ...parts(), log: otherLog }).ask(() => answers++);
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
    await gate.settle(5000);
  }));

test("F8: accepted while another publisher had the stream: said again behind the other one's end", () =>
  withVisit(async (hooks) => {
    for (const leaves of [false, true]) {
      hooks.clear();
      const gate = newGate();
      let answers = 0;
      const start = async (id: string) => {
        const log = new MemoryLog(id);
        const visit = gate.visit(visitorOf(hooks.block, { id }), { ...parts(), log });
        const before = answers;
        visit.ask(() => answers++);
        await until("the answer", 5000, () => answers > before);
        return visit;
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
      await gate.settle(5000);
      if (!leaves) next.end();
      await gate.settle(5000);
      const said = hooks.calls.filter(({ body }) => body.action !== "on_connect")
        .map(({ body }) => `${body.action} ${body.client_id}`);
      const asked = ["on_publish client01", "on_publish client02", "on_unpublish client01"];
      const again = leaves ? [] : ["on_unpublish client02", "on_publish client02"];
      assert.deepEqual(said, [...asked, ...again, "on_unpublish client02"]);
    }
  }));
