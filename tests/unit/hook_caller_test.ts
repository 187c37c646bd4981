/**
 * Calling hook servers, real ones: which answers are a yes, and what a slow, dead or hostile one can do.
 * @module
 */
import assert from "node:assert/strict";
import { type CallerLimits, HookCaller, type HookEvent } from "../../src/access/hook_caller.ts";
import { verdictOf } from "../../src/access/verdict.ts";
import { HookServer, silentServer } from "../tools/hook_server.ts";
import { sleep, within } from "../tools/process.ts";
import { freePort } from "../tools/server.ts";
import { MemoryLog } from "./support/memory_log.ts";

/** ms that nothing here takes, and within which all of it has happened on the busiest machine. */
const LONG_MS = 60_000;
const LIMIT_MS = 20_000;

/** The one HTTP client of the process is made by the first call and stays. */
function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, fn, sanitizeResources: false });
}

test("hook verdict: SRS's table", () => {
  const yes = ["0", '{"code":0}', '{"code":0,"data":{"a":1}}', '{"data":{"code":0.0},"code":0}'];
  const no = [
    '"0"',
    "[0]",
    "ok",
    "",
    "1",
    "-0",
    "0.0",
    "00",
    "null",
    "{}",
    "[]",
    '{"code":"0"}',
    '{"code":0.0}',
    '{"code":-0}',
    '{"code":1}',
    '{"code":null}',
    '{"data":{"code":0}}',
    '[{"code":0}]',
    '{"code":0',
    '{"code":0}}',
    '{"__proto__":{"code":0}}',
  ];
  for (const body of yes) {
    for (const status of [200, 201]) assert.equal(verdictOf(status, body), null, body);
    for (const status of [202, 204, 302, 400, 404, 500]) {
      assert.equal(verdictOf(status, body), `HTTP status ${status}`);
    }
    assert.equal(verdictOf(200, ` ${body}\r\n`), null, "space around it: ours");
  }
  for (const body of no) assert.match(verdictOf(200, body) ?? "", /^answer "/, body);
  assert.ok((verdictOf(200, "x".repeat(10_000)) ?? "").length < 150);
});

/** A caller and what it needs, for one test. */
class Bench {
  readonly log = new MemoryLog("client01");
  readonly caller: HookCaller;

  constructor(limits: Partial<CallerLimits> = {}) {
    this.caller = new HookCaller("srs-edge/1.2.3", limits);
  }

  event(...urls: string[]): HookEvent {
    return { action: "on_publish", urls, body: () => '{"action":"on_publish"}', log: this.log };
  }

  /** Asks these URLs with all the time that the limits leave. */
  ask(...urls: string[]): Promise<boolean> {
    return this.caller.ask(this.event(...urls), performance.now() + LONG_MS, () => true);
  }

  /** The only line so far. */
  get line(): string {
    assert.equal(this.log.lines.length, 1, this.log.lines.join("\n"));
    return this.log.lines[0];
  }
}

async function withServer(work: (server: HookServer) => Promise<void>): Promise<void> {
  const server = new HookServer();
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

test("hooks: what a call looks like", () =>
  withServer(async (server) => {
    const bench = new Bench();
    const url = server.url("/a?token=secret").replace("//", "//us%40er:pass@");
    assert.equal(await bench.ask(url), true);
    const [{ method, headers, text }] = server.calls;
    assert.equal(method, "POST");
    assert.equal(text, '{"action":"on_publish"}');
    assert.equal(headers.get("content-type"), "application/json");
    assert.equal(headers.get("content-length"), String(text.length));
    assert.equal(headers.get("user-agent"), "srs-edge/1.2.3");
    assert.equal(headers.get("host"), server.host);
    assert.equal(headers.get("authorization"), `Basic ${btoa("us@er:pass")}`);
    assert.match(bench.line, /http: on_publish ok, client_id=client01, url=http:/);
    assert.doesNotMatch(bench.line, /pass|secret/);
  }));

test("hooks: several URLs one after the other, the first refusal ends it", () =>
  withServer(async (server) => {
    const bench = new Bench();
    server.reply = ({ path }) => new Response(path === "/2" ? "1" : "0");
    assert.equal(await bench.ask(server.url("/1"), server.url("/2"), server.url("/3")), false);
    assert.deepEqual(server.calls.map(({ path }) => path), ["/1", "/2"]);
    assert.match(bench.log.lines[1], /on_publish failed, .*\/2: answer "1"/);
  }));

test("hooks H28: redirects are not followed", () =>
  withServer(async (server) => {
    const bench = new Bench();
    server.reply = ({ path }) =>
      path === "/a"
        ? new Response("0", { status: 302, headers: { Location: server.url("/b") } })
        : new Response("0");
    assert.equal(await bench.ask(server.url("/a")), false);
    assert.deepEqual(server.calls.map(({ path }) => path), ["/a"]);
    assert.match(bench.line, /HTTP status 302/);
  }));

test("hooks H28: an endless answer is cut off", () =>
  withServer(async (server) => {
    const bench = new Bench();
    let sent = 0;
    server.reply = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          pull(controller) {
            sent += 65_536;
            controller.enqueue(new Uint8Array(65_536).fill(0x20));
          },
        }),
      );
    assert.equal(await bench.ask(server.url("/a")), false);
    assert.match(bench.line, /the answer is longer than 65536 bytes/);
    assert.ok(sent < 50e6, `${sent} bytes were taken`);
  }));

test("hooks H28: a server that answers too late, one byte at a time, or never", () =>
  withServer(async (server) => {
    const silent = silentServer();
    let drip: ReturnType<typeof setInterval> | undefined;
    server.reply = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          start(controller) {
            drip = setInterval(() => controller.enqueue(new Uint8Array([0x20])), 50);
          },
          cancel: () => clearInterval(drip),
        }),
      );
    try {
      for (const url of [silent.url, server.url("/drip")]) {
        const bench = new Bench({ timeoutMs: 300 });
        assert.equal(await bench.ask(url), false);
        assert.match(bench.line, /no answer within \d+ ms/);
      }
    } finally {
      clearInterval(drip);
      silent.stop();
    }
  }));

test("hooks H28: nobody listens, or it is no HTTP server", async () => {
  const bench = new Bench();
  assert.equal(await bench.ask(`http://user:pass@127.0.0.1:${freePort()}/a`), false);
  assert.match(bench.line, /failed, .*refused/);
  assert.doesNotMatch(bench.line, /pass/);
});

test("hooks H28: a dead server holds few sockets, whoever waits fails in time, others go on", () =>
  withServer(async (alive) => {
    const silent = silentServer();
    try {
      const bench = new Bench({ timeoutMs: 2000, maxAsking: 3, maxWaiting: 20 });
      const asked = Array.from({ length: 50 }, (_, i) => {
        const log = new MemoryLog(`client${i}`);
        const event = { ...bench.event(silent.url), log };
        return bench.caller.ask(event, performance.now() + LONG_MS, () => true);
      });
      assert.equal(await bench.ask(alive.url("/a")), true, "while the other one is dead");
      assert.deepEqual(await Promise.all(asked), asked.map(() => false));
      assert.ok(silent.accepted() <= 6, `${silent.accepted()} sockets`);
      assert.equal(bench.caller.pending, 0);
    } finally {
      silent.stop();
    }
  }));

/** A caller with so many turns, and clients that are told of or asked about at `server`. */
function crowd(server: HookServer, limits: Partial<CallerLimits>) {
  const bench = new Bench(limits);
  const event = (id: string, path: string) => {
    return { ...bench.event(server.url(path)), log: new MemoryLog(id) };
  };
  return {
    caller: bench.caller,
    tell: (id: string, path: string) => bench.caller.tell(event(id, path)),
    ask: (id: string, path: string) =>
      bench.caller.ask(event(id, path), performance.now() + LONG_MS, () => true),
    event,
  };
}

test("H48: who is asked about does not wait for those who are told of", () =>
  withServer(async (server) => {
    const scene = crowd(server, { maxTelling: 2, timeoutMs: LONG_MS });
    const slow = Promise.withResolvers<void>();
    server.reply = async ({ path }) => {
      if (path === "/tell") await slow.promise;
      return new Response("0");
    };
    const told = Array.from({ length: 50 }, (_, i) => scene.tell(`gone${i}`, "/tell"));
    await server.received(2);
    const asked = Array.from({ length: 50 }, (_, i) => scene.ask(`new${i}`, "/ask"));
    assert.deepEqual(await Promise.all(asked), asked.map(() => true));
    assert.equal(server.calls.filter(({ path }) => path === "/tell").length, 2);
    // One that has gone comes again: its own end is told first, before all the others'.
    assert.equal(await Promise.race([scene.ask("gone40", "/ask"), sleep(300)]), undefined);
    assert.equal(server.calls.filter(({ path }) => path === "/tell").length, 3);
    slow.resolve();
    await Promise.all(told);
    assert.equal(server.calls.filter(({ path }) => path === "/tell").length, 50, "late, not lost");
    await scene.caller.waitDelivered(LONG_MS);
    assert.equal(scene.caller.pending, 0);
  }));

test("H48: what is to be told waits for longer than a call may take", () =>
  withServer(async (server) => {
    const scene = crowd(server, { maxTelling: 1, timeoutMs: 300 });
    server.reply = async () => {
      await sleep(100);
      return new Response("0");
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => scene.tell(`gone${i}`, "/tell")));
    assert.equal(server.calls.length, 8);
  }));

test("H48: a full queue has one line, and one with the number when it has caught up", () =>
  withServer(async (server) => {
    const scene = crowd(server, { maxTelling: 1, maxWaiting: 4, timeoutMs: LONG_MS });
    const slow = Promise.withResolvers<void>();
    server.reply = async () => {
      await slow.promise;
      return new Response("0");
    };
    const events = Array.from({ length: 12 }, (_, i) => scene.event(`gone${i}`, "/tell"));
    const told = events.map((event) => scene.caller.tell(event));
    await server.received(1);
    const lines = () => events.flatMap(({ log }) => log.lines.map((line) => String(line)));
    assert.equal(lines().length, 1, lines().join("\n"));
    assert.match(lines()[0], /4 calls wait for the hook server 127.0.0.1:\d+, .* are lost/);
    assert.equal(await Promise.race([scene.ask("new", "/ask"), sleep(200)]), undefined, "asks on");
    slow.resolve();
    await Promise.all(told);
    await scene.caller.waitDelivered(LONG_MS);
    assert.equal(server.calls.filter(({ path }) => path === "/tell").length, 5);
    assert.equal(
      lines().filter((line) => / 7 calls to the hook server .* were lost/.test(line)).length,
      1,
    );
  }));

test("hooks: the events of one client arrive in order, also after one that failed", () =>
  withServer(async (server) => {
    const bench = new Bench({ timeoutMs: LONG_MS });
    server.reply = async ({ path }) => {
      if (path === "/1") await new Promise((resolve) => setTimeout(resolve, 100));
      return new Response("0", { status: path === "/2" ? 500 : 200 });
    };
    for (const path of ["/1", "/2", "/3"]) bench.caller.tell(bench.event(server.url(path)));
    assert.equal(await bench.ask(server.url("/4")), true);
    assert.deepEqual(server.calls.map(({ path }) => path), ["/1", "/2", "/3", "/4"]);
  }));

test("hooks: nobody is asked for a client that has gone", () =>
  withServer(async (server) => {
    const bench = new Bench();
    let wanted = true;
    server.reply = () => {
      wanted = false;
      return new Response("0");
    };
    const event = bench.event(server.url("/1"), server.url("/2"));
    assert.equal(await bench.caller.ask(event, performance.now() + LONG_MS, () => wanted), false);
    assert.equal(server.calls.length, 1);
  }));

test("hooks: at the end what is still to be told gets a little time, and no more", async () => {
  const silent = silentServer();
  const bench = new Bench({ timeoutMs: LONG_MS });
  bench.caller.tell(bench.event(silent.url));
  // Well before the call itself would end.
  await within("the little time", LIMIT_MS, bench.caller.waitDelivered(100));
  assert.equal(bench.caller.pending, 1);
  silent.stop();
  await within("the end of the call", LIMIT_MS, bench.caller.waitDelivered(LONG_MS));
  assert.equal(bench.caller.pending, 0);
});
