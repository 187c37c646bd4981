/**
 * The coordinator of several workers, with threads that the test plays: starts, ends, replacements, reload,
 * drain, and whom it asks.
 * @module
 */
import assert from "node:assert/strict";
import { type Config, DEFAULT_VHOST } from "../../src/config/types.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { onPortMessage, type ThreadEvents } from "../../src/net/thread.ts";
import { canReusePort } from "../../src/net/tcp.ts";
import { EMPTY_REPORT } from "../../src/stats/merged_view.ts";
import type { Report, ServerView } from "../../src/stats/view.ts";
import { Coordinator } from "../../src/workers/coordinator.ts";
import { MAX_SILENT_PINGS } from "../../src/workers/limits.ts";
import type { ToCoordinator, ToWorker, WorkerStart } from "../../src/workers/messages.ts";
import type { WorkerParts } from "../../src/workers/part.ts";
import { SharedAdmission } from "../../src/workers/shared_admission.ts";
import { until } from "../tools/process.ts";

/** ms until something that is due has happened. */
const SOON_MS = 5000;

const KEY = "/live/cam";

/** What a fake thread is given by the system. No connection is made to it. */
const PORT = 4711;

const POSSIBLE = await canReusePort();

/** `port` 0: the system chooses, which no file can say. */
function config(text = "", port = PORT): Config {
  const file = `listen 1; http_api { enabled off; } ${text}`;
  const listen = [{ host: "127.0.0.1", port }];
  return { ...loadConfig("test.conf", () => file, {}).config, listen };
}

type Kind = ToWorker["kind"];

/** A thread that the test plays. */
class FakeThread {
  readonly heard: (ToWorker & { port?: MessagePort })[] = [];
  terminated = false;

  constructor(readonly start: WorkerStart, readonly events: ThreadEvents, answers: boolean) {
    if (answers) this.say({ kind: "started", addresses: [{ host: "127.0.0.1", port: PORT }] });
  }

  /** To the coordinator, in a turn of its own. */
  say(message: ToCoordinator): void {
    queueMicrotask(() => this.events.message(message));
  }

  end(error: Error | null = null): void {
    if (error) this.events.failed(error);
    this.events.ended();
  }

  post(message: unknown): void {
    const heard = message as ToWorker & { port?: MessagePort };
    this.heard.push(heard);
    if (heard.kind === "stop") this.say({ kind: "stopped" });
  }

  terminate(): Promise<void> {
    this.terminated = true;
    return Promise.resolve();
  }

  of<K extends Kind>(kind: K): Extract<ToWorker, { kind: K }>[] {
    return this.heard.filter((message) => message.kind === kind) as Extract<
      ToWorker,
      { kind: K }
    >[];
  }

  /** Lets go of its ends of the ways to the others. */
  close(): void {
    for (const { port } of this.heard) port?.close();
  }
}

/** The coordinator and its threads. */
class Scene {
  readonly threads: FakeThread[] = [];
  /** Whether a thread that is started says that it has. */
  answers = true;
  readonly partCalls: string[] = [];
  /** Why the coordinator's own part does not reload; null: it does. */
  partRefuses: string | null = null;
  view: ServerView | null = null;
  parts: WorkerParts | null = null;
  coordinator!: Coordinator;

  async start(text = "", workers = 2): Promise<Coordinator> {
    this.coordinator = await Coordinator.start(config(text, 0), workers, {
      program: new URL("file:///nowhere.ts"),
      startThread: (_program, start, events) => {
        const thread = new FakeThread(start, events, this.answers);
        this.threads.push(thread);
        return thread;
      },
      startPart: (_config, parts, view) => {
        this.view = view;
        this.parts = parts;
        return Promise.resolve({
          view: { ...view, figures: EMPTY_REPORT.figures, totals: NO_BYTES, ...NONE, kick: no },
          httpAddress: null,
          reload: () => {
            this.partCalls.push("reload");
            if (this.partRefuses) throw new Error(this.partRefuses);
            return Promise.resolve();
          },
          drain: () => void this.partCalls.push("drain"),
          stop: () => Promise.resolve(void this.partCalls.push("stop")),
          keep: () => () => {},
        });
      },
    });
    return this.coordinator;
  }

  /** A worker answers the newest question of a kind. */
  answer(thread: FakeThread, kind: "reload" | "kick" | "report", value: unknown): void {
    const id = thread.of(kind).at(-1)?.id ?? -1;
    if (kind === "reload") thread.say({ kind: "reloaded", id, reason: value as string | null });
    else if (kind === "kick") thread.say({ kind: "kicked", id, known: value as boolean });
    else thread.say({ kind: "report", id, report: value as Report });
  }

  async stop(): Promise<void> {
    await this.coordinator?.stop();
    for (const thread of this.threads) thread.close();
  }
}

const no = () => false;
const NO_BYTES = { connections: 0, recvBytes: 0, sendBytes: 0 };
const NONE = { vhosts: new Map(), streams: new Map(), clients: new Map() };

function scene(name: string, work: (s: Scene) => Promise<void>): void {
  Deno.test({
    name: `coordinator: ${name}`,
    ignore: !POSSIBLE,
    fn: async () => {
      const s = new Scene();
      try {
        await work(s);
      } finally {
        await s.stop();
      }
    },
  });
}

function claim(thread: FakeThread, id: number): void {
  thread.say({ kind: "watch", key: KEY });
  thread.say({
    kind: "claim",
    id,
    key: KEY,
    address: "127.0.0.1",
    vhost: DEFAULT_VHOST,
    app: "live",
    name: "cam",
  });
}

scene("every worker is started once, on one port, and has a way to each other", async (s) => {
  await s.start("", 3);
  assert.deepEqual(s.threads.map(({ start }) => [start.worker, start.column]), [
    [1, 0],
    [2, 1],
    [3, 2],
  ]);
  // The port that the first one was given by the system is the others' too.
  assert.deepEqual(s.threads.map(({ start }) => start.config.listen[0].port), [0, 4711, 4711]);
  assert.deepEqual(s.coordinator.rtmpAddresses, [{ host: "127.0.0.1", port: 4711 }]);
  const ways = s.threads.map((thread) => thread.of("peer").map(({ worker }) => worker));
  assert.deepEqual(ways, [[0, 2, 3], [0, 1, 3], [0, 1, 2]]);

  // The two ends belong together.
  const [one, two] = s.threads;
  const from = one.heard.find((message) => message.kind === "peer" && message.worker === 2);
  const to = two.heard.find((message) => message.kind === "peer" && message.worker === 1);
  assert.ok(from?.port && to?.port);
  const heard: unknown[] = [];
  onPortMessage(to.port as never, (message) => heard.push(message));
  from.port.postMessage("hello");
  await until("a message on the way between two workers", SOON_MS, () => heard.length > 0);
});

scene("a worker that cannot start ends the start, with its reason", async (s) => {
  s.answers = false;
  const started = s.start("", 2);
  await until("the first thread", SOON_MS, () => s.threads.length === 1);
  s.threads[0].say({ kind: "failed", reason: "no port" });
  await assert.rejects(started, /^Error: no port$/);
  assert.ok(s.threads[0].terminated);
  assert.deepEqual(s.partCalls, ["stop"]);
});

scene("a worker that ends is gone for all: connections, claims, questions, figures", async (s) => {
  await s.start();
  const [one, two] = s.threads;
  const { admission, columns, column } = one.start;
  const its = new SharedAdmission(config(), admission, columns, column);
  for (let i = 0; i < 3; i++) assert.equal(its.admit("127.0.0.1", Date.now()), null);
  assert.equal(s.coordinator.clients, 3);

  claim(one, 1);
  await until("the grant", SOON_MS, () => one.of("grant").length === 1);
  claim(two, 1);
  await until("the question whether it yields", SOON_MS, () => one.of("yield").length === 1);

  const refreshed = s.view?.refresh();
  await until("the question for figures", SOON_MS, () => two.of("report").length === 1);
  s.answer(one, "report", { ...EMPTY_REPORT, connections: 3, recvBytes: 1000 });
  s.answer(two, "report", { ...EMPTY_REPORT, connections: 1, recvBytes: 50 });
  await refreshed;
  assert.equal(s.view?.totals.recvBytes, 1050);
  assert.equal(s.view?.totals.connections, 4);

  const asked = s.view?.kick("somebody");
  await until("the question to kick", SOON_MS, () => two.of("kick").length === 1);
  s.answer(two, "kick", true);
  const begun = performance.now();
  one.end(new Error("a fault"));
  assert.equal(await asked, true, "it is not waited for");
  assert.ok(performance.now() - begun < 900, "it is not waited for");

  assert.equal(s.coordinator.clients, 0, "its connections are not counted any more");
  assert.deepEqual(two.of("gone"), [{ kind: "gone", worker: 1 }]);
  await until("the grant of what it had", SOON_MS, () => two.of("grant").length === 1);
  assert.equal(s.view?.totals.recvBytes, 1050, "what it has carried is not forgotten");
  assert.equal(s.view?.totals.connections, 1);

  // It may still be heard, and says nothing any more.
  claim(one, 2);
  one.say({ kind: "report", id: 1, report: { ...EMPTY_REPORT, recvBytes: 7 } });
  await until("its successor", SOON_MS, () => s.threads.length === 3);
  assert.deepEqual(two.of("subscribe"), []);
  const successor = s.threads[2].start;
  assert.deepEqual([successor.worker, successor.column], [3, 0]);
  assert.deepEqual(s.threads[2].of("peer").map(({ worker }) => worker), [0, 2]);
  assert.equal(s.view?.totals.recvBytes, 1050);
});

scene("a successor has what has happened while it started", async (s) => {
  await s.start();
  s.answers = false;
  s.threads[0].end();
  await until("the successor", SOON_MS, () => s.threads.length === 3);
  const next = config("pithy_print_ms 3000;");
  const reloaded = s.coordinator.reload(next);
  for (const thread of s.threads.slice(1)) {
    await until("the reload", SOON_MS, () => thread.of("reload").length === 1);
    s.answer(thread, "reload", null);
  }
  await reloaded;
  s.coordinator.drain("rtmp://other/live");
  assert.deepEqual(s.partCalls, ["reload", "drain"]);
  s.threads[2].say({ kind: "started", addresses: [] });
  await until("both again", SOON_MS, () => s.threads[2].of("drain").length === 2);
  const again = s.threads[2].of("reload");
  assert.equal(again.length, 2);
  assert.equal(again[1].config.pithyPrintMs, 3000);
  assert.equal(s.coordinator.config, next);
});

scene("a worker that starts with what is in effect hears nothing of it", async (s) => {
  await s.start();
  s.threads[0].end();
  await until("the successor", SOON_MS, () => s.threads.length === 3);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(s.threads[2].heard.map(({ kind }) => kind), ["peer", "peer"]);
});

scene("a worker that ends while the server drains has no successor", async (s) => {
  await s.start();
  s.coordinator.drain(null);
  assert.deepEqual(s.threads[1].of("drain"), [{ kind: "drain", reconnectTo: null }]);
  s.threads[0].end();
  assert.deepEqual(s.threads[1].of("gone").length, 1);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  assert.equal(s.threads.length, 2);
});

scene("a reload is for all or for none", async (s) => {
  const coordinator = await s.start();
  const before = coordinator.config;
  let count = 0;
  const answer = async (reason: string | null) => {
    count++;
    await until(
      "the question",
      SOON_MS,
      () => s.threads.every((thread) => thread.of("reload").length >= count),
    );
    s.answer(s.threads[0], "reload", null);
    s.answer(s.threads[1], "reload", reason);
  };
  const refused = coordinator.reload(config("pithy_print_ms 3000;"));
  const seen = assert.rejects(refused, /^Error: port taken$/);
  await answer("port taken");
  await answer(null);
  await seen;
  assert.equal(coordinator.config, before);
  assert.equal(s.threads[0].of("reload")[1].config.listen[0].port, 4711);
  assert.deepEqual(s.partCalls, []);

  s.partRefuses = "no certificate";
  const refusedHere = assert.rejects(
    coordinator.reload(config("pithy_print_ms 3000;")),
    /^Error: no certificate$/,
  );
  await answer(null);
  await answer(null);
  await refusedHere;
  assert.equal(coordinator.config, before);
});

scene("after a reload the limits are the new ones, in this thread too", async (s) => {
  const coordinator = await s.start("max_connections 2;");
  const reloaded = coordinator.reload(config("max_connections 1;"));
  for (const thread of s.threads) {
    await until("the question", SOON_MS, () => thread.of("reload").length === 1);
    s.answer(thread, "reload", null);
  }
  await reloaded;
  const admission = s.parts?.admission;
  assert.equal(admission?.admit("127.0.0.1", 0), null);
  assert.match(admission?.admit("127.0.0.1", 0) ?? "", /max_connections=1/);
});

scene("a worker that answers no more is ended, one that answers stays", async (s) => {
  const pings: (() => void)[] = [];
  const real = globalThis.setInterval;
  globalThis.setInterval = ((ping: () => void) =>
    pings.push(ping)) as unknown as typeof setInterval;
  try {
    await s.start();
  } finally {
    globalThis.setInterval = real;
  }
  const [ping] = pings;
  for (let i = 0; i <= MAX_SILENT_PINGS; i++) {
    ping();
    s.threads[0].say({ kind: "pong" });
    await Promise.resolve();
  }
  assert.equal(s.threads[0].of("ping").length, MAX_SILENT_PINGS + 1);
  assert.deepEqual(s.threads.map(({ terminated }) => terminated), [false, true]);
});

scene("requests for figures at the same time are one question", async (s) => {
  await s.start();
  const all = [s.view?.refresh(), s.view?.refresh()];
  for (const thread of s.threads) {
    await until("the question", SOON_MS, () => thread.of("report").length === 1);
    s.answer(thread, "report", EMPTY_REPORT);
  }
  await Promise.all(all);
  assert.deepEqual(s.threads.map((thread) => thread.of("report").length), [1, 1]);
});

scene("a stop asks all, waits for them, and ends the threads", async (s) => {
  const coordinator = await s.start();
  await coordinator.stop();
  assert.deepEqual(s.partCalls, ["stop"]);
  for (const thread of s.threads) {
    assert.equal(thread.of("stop").length, 1);
    assert.ok(thread.terminated);
  }
  s.threads[0].end();
  assert.equal(s.threads[1].of("gone").length, 0);
});
