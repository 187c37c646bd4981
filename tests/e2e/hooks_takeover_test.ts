/**
 * F8: what an application hears of a stream whose publisher is replaced. The last word is that it is live,
 * every accepted on_publish has one on_unpublish, and a stranger changes nothing.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type HookCall, HookServer } from "../tools/hook_server.ts";
import { sleep, until, within } from "../tools/process.ts";
import { RawClient, statusCode, Type } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import type { Server } from "../tools/server.ts";
import { whyNoWorkers } from "../tools/workers.ts";

/** ms for what takes a moment. */
const SOON_MS = 10_000;
/** ms of silence after which a publisher may be replaced, and some more. */
const STALLED_MS = 2600;
/** Streams at once: with two workers some publishers meet on one worker, and some do not. */
const STREAMS = 8;
/** ms that the hook server takes for an on_unpublish: the order must not be a matter of luck. */
const SLOW_MS = 300;
const REPLACE = "publish { takeover replace; }";
/** What a replaced publisher is told: by an edge, or by its origin, whichever is faster. */
const LOST = new Set(["NetStream.Publish.BadName", "NetStream.Publish.Failed"]);
const WRONG = "?key=wrong";
const KEYFRAME = Buffer.from([0x17, 1, 0, 0, 0, 1, 2, 3]);

/** A hook server that takes its time, and what it was told once it has answered. */
class Application {
  readonly hooks = new HookServer();
  readonly told: HookCall[] = [];

  constructor() {
    this.hooks.reply = async (call) => {
      if (call.body.action === "on_unpublish") await sleep(SLOW_MS);
      const no = call.body.action === "on_publish" && call.body.param === WRONG;
      this.told.push(call);
      return new Response(no ? "1" : "0");
    };
  }

  get block(): string {
    const { hooks } = this;
    return `http_hooks { enabled on; on_publish ${hooks.url("/p")}; ` +
      `on_unpublish ${hooks.url("/u")}; }`;
  }

  /** What was said of a stream: `+A -A +B`, a letter for each client in the order of their coming. */
  words(stream: string): string {
    const names = new Map<string, string>();
    return this.told.filter(({ body }) => body.stream === stream).map(({ body }) => {
      const id = String(body.client_id);
      if (!names.has(id)) names.set(id, "ABCDEFG"[names.size]);
      const sign = body.action === "on_unpublish" ? "-" : body.param === WRONG ? "?" : "+";
      return `${sign}${names.get(id)}`;
    }).join(" ");
  }

  async heard(words: string): Promise<void> {
    for (let i = 0; i < STREAMS; i++) {
      await until(`${words} of s${i}`, SOON_MS, () => this.words(`s${i}`) === words)
        .catch((error) => assert.fail(`${error}: s${i} has ${this.words(`s${i}`)}`));
    }
  }
}

function test(
  name: string,
  ignore: string | null,
  work: (s: Scenario, app: Application) => Promise<void>,
): void {
  scenario(name, async (s) => {
    const app = new Application();
    try {
      await work(s, app);
    } finally {
      await app.hooks.stop();
    }
  }, { ignore });
}

/** Asks to publish in vain; resolves to the last status, once the server has closed. */
async function refused(s: Scenario, server: Server, stream: string): Promise<string | undefined> {
  const client = await s.raw(server);
  await client.connect("live");
  client.command("FCPublish", null, stream);
  client.command("publish", null, stream, "live");
  assert.equal(await within("the end of the newcomer", SOON_MS, client.ended), "end");
  return client.messages.map(statusCode).at(-1);
}

/** A publisher of each stream. */
async function publishers(s: Scenario, server: Server, param = ""): Promise<RawClient[]> {
  return await Promise.all(Array.from({ length: STREAMS }, async (_, i) => {
    const client = await s.raw(server);
    await client.publish("live", `s${i}${param}`);
    client.send(Type.VIDEO, KEYFRAME);
    return client;
  }));
}

/** Two publishers of each stream, both healthy, and a stranger; `takeover replace`. */
async function replacing(s: Scenario, app: Application, server: Server): Promise<void> {
  const old = await publishers(s, server);
  let time = 0;
  const timer = setInterval(() => {
    time += 200;
    for (const client of old) client.send(Type.VIDEO, KEYFRAME, time);
  }, 200);
  try {
    await sleep(500);
    for (let i = 0; i < STREAMS; i++) {
      assert.equal(await refused(s, server, `s${i}${WRONG}`), "NetStream.Publish.Denied");
    }
    let lost = 0;
    for (const client of old) void client.ended.then(() => lost++);
    await sleep(500);
    assert.equal(lost, 0, "a stranger ends nobody");
    await app.heard("+A ?B");
    const next = await publishers(s, server, "?key=right");
    await app.heard("+A ?B +C -A -C +C");
    for (const client of old) {
      assert.equal(await within("the end of the old one", SOON_MS, client.ended), "end");
      const last = client.messages.map(statusCode).at(-1);
      assert.ok(last !== undefined && LOST.has(last), last);
    }
    for (const client of next) client.destroy();
    await app.heard("+A ?B +C -A -C +C -C");
  } finally {
    clearInterval(timer);
  }
}

const impossible = await whyNoWorkers();

for (const workers of [1, 2]) {
  const ignore = workers === 1 ? null : impossible;

  test(
    `F8: a stalled publisher's end comes before the newcomer; workers ${workers}`,
    ignore,
    async (s, app) => {
      const server = await s.server({ global: `workers ${workers};`, vhost: app.block });
      await publishers(s, server);
      await sleep(STALLED_MS);
      const next = await publishers(s, server);
      await app.heard("+A -A +B");
      for (const client of next) client.destroy();
      await app.heard("+A -A +B -B");
    },
  );

  test(
    `F8: replace: the last word is that it is live; workers ${workers}`,
    ignore,
    async (s, app) => {
      const vhost = `${REPLACE} ${app.block}`;
      await replacing(s, app, await s.server({ global: `workers ${workers};`, vhost }));
    },
  );

  test(
    `F8: replace on an edge: the last word is that it is live; workers ${workers}`,
    ignore,
    async (s, app) => {
      const origin = await s.server({ vhost: REPLACE });
      const cluster = `cluster { mode remote; origin 127.0.0.1:${origin.port}; }`;
      const vhost = `${REPLACE} ${cluster} ${app.block}`;
      await replacing(s, app, await s.server({ global: `workers ${workers};`, vhost }));
    },
  );

  test(
    `F8: a healthy publisher's newcomer is not even asked about; workers ${workers}`,
    ignore,
    async (s, app) => {
      const server = await s.server({ global: `workers ${workers};`, vhost: app.block });
      const old = await publishers(s, server);
      for (let i = 0; i < STREAMS; i++) {
        for (const client of old) client.send(Type.VIDEO, KEYFRAME, 100 * (i + 1));
        assert.equal(await refused(s, server, `s${i}`), "NetStream.Publish.BadName");
      }
      await app.heard("+A");
    },
  );

  test(
    `F8: on an edge a stalled publisher's end comes before the newcomer; workers ${workers}`,
    ignore,
    async (s, app) => {
      const origin = await s.server();
      const cluster = `cluster { mode remote; origin 127.0.0.1:${origin.port}; }`;
      const edge = await s.server({
        global: `workers ${workers};`,
        vhost: `${cluster} ${app.block}`,
      });
      await publishers(s, edge);
      await sleep(STALLED_MS);
      const next = await publishers(s, edge);
      await app.heard("+A -A +B");
      for (const client of next) client.destroy();
      await app.heard("+A -A +B -B");
    },
  );
}
