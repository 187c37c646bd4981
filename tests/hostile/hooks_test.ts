/**
 * Crowds that come and go while hook servers are slow.
 * @module
 */
import assert from "node:assert/strict";
import { signature } from "../../src/access/signed_url.ts";
import { type HookCall, HookServer } from "../tools/hook_server.ts";
import { sleep, until } from "../tools/process.ts";
import { RawClient } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { runtimes, type Server, serverCommand } from "../tools/server.ts";
import { WatchedControl } from "../tools/watched_control.ts";

/** ms that on_close takes in the first attack. */
const SLOW_MS = 6000;

/** ms that a player waits for on_play at most while that goes on: a good deal less. */
const PLAY_LIMIT_MS = 2500;

/** Clients that come and go. */
const QUICK = 300;

/** Players that leave at once. */
const PLAYERS = 600;

/** ms that hooks take then: those of 1200 events with 16 at a time. */
const HOOK_MS = 200;

/** ms within which all have been told. */
const TOLD_LIMIT_MS = 40_000;

/** Clients whose events are told: not the control stream's. */
const isCrowd = ({ body }: HookCall) => body.app === "live";

const tellsOf = (hooks: HookServer, action: string) =>
  hooks.calls.filter((call) => isCrowd(call) && call.body.action === action);

async function start(s: Scenario, runtime: string, vhost: string): Promise<Server> {
  return await s.server({
    maxConnections: 1000,
    vhost: `min_latency on; http_remux { enabled on; } ${vhost}`,
    command: serverCommand(runtime),
  });
}

/** So many at a time. */
async function crowd(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 30 }, run));
}

for (const runtime of runtimes()) {
  scenario(`H48 on ${runtime}: a crowd that leaves does not hold up who comes`, async (s) => {
    const hooks = new HookServer();
    try {
      const server = await start(s, runtime, hooks.block);
      const control = await WatchedControl.start(server);
      try {
        hooks.reply = async (call) => {
          if (call.body.action === "on_close" && isCrowd(call)) await sleep(SLOW_MS);
          return new Response("0");
        };
        await crowd(QUICK, async () => {
          const client = await RawClient.open(server.port);
          await client.call("connect", { app: "live", tcUrl: server.url("live") });
          client.destroy();
        });
        await until("on_close, which does not come to its end", 10_000, () => {
          return tellsOf(hooks, "on_close").length > 0;
        });
        for (let i = 0; i < 5; i++) {
          const before = performance.now();
          const player = await s.raw(server);
          await player.play("live", `cam${i}`);
          const took = performance.now() - before;
          assert.ok(took < PLAY_LIMIT_MS, `player ${i} waited for ${Math.round(took)} ms`);
          player.destroy();
        }
        assert.ok(tellsOf(hooks, "on_close").length < QUICK, "they still wait");
        await control.fine("while on_close is slow");
        // Late, but not lost.
        hooks.reply = () => new Response("0");
        await until("all on_close", TOLD_LIMIT_MS, () => {
          return tellsOf(hooks, "on_close").length === QUICK + 5;
        });
        assert.equal(tellsOf(hooks, "on_stop").length, 5);
      } finally {
        control.stop();
      }
    } finally {
      await hooks.stop();
    }
  });

  scenario(`H48 on ${runtime}: of 600 players that leave at once every end is told`, async (s) => {
    const hooks = new HookServer();
    const players: RawClient[] = [];
    try {
      const server = await start(s, runtime, hooks.block);
      const control = await WatchedControl.start(server);
      try {
        await crowd(PLAYERS, async () => {
          const player = await RawClient.open(server.port);
          players.push(player);
          await player.play("live", "cam");
        });
        hooks.reply = async () => {
          await sleep(HOOK_MS);
          return new Response("0");
        };
        for (const player of players) player.destroy();
        for (const action of ["on_stop", "on_close"]) {
          await until(`every ${action}`, TOLD_LIMIT_MS, () => {
            return tellsOf(hooks, action).length >= PLAYERS;
          }).catch((error) => {
            throw new Error(`${tellsOf(hooks, action).length} ${action}`, { cause: error });
          });
          const clients = new Set(tellsOf(hooks, action).map(({ body }) => body.client_id));
          assert.equal(clients.size, PLAYERS);
        }
        assert.doesNotMatch(server.log, /http: on_(stop|close) failed|are lost/);
        await control.fine("while they leave");
      } finally {
        control.stop();
      }
    } finally {
      for (const player of players) player.destroy();
      await hooks.stop();
    }
  }, { limitMs: 90_000 });

  scenario(`H45 on ${runtime}: what clients say of themselves is kept in part`, async (s) => {
    const hooks = new HookServer();
    const secret = "s3cret";
    const long = "x".repeat(15_000);
    try {
      const publish = `publish { secret ${secret}; }`;
      const server = await s.server({
        vhosts:
          `vhost __defaultVhost__ { ${hooks.block} min_latency on; http_remux { enabled on; } }
vhost signed.local { ${publish} }`,
        command: serverCommand(runtime),
      });
      const control = await WatchedControl.start(server);
      try {
        const client = await s.raw(server);
        await client.call("connect", {
          app: "live",
          tcUrl: `${server.url("live")}?${"q".repeat(7000)}`,
          pageUrl: `http://page/${long}`,
          swfUrl: `http://swf/${long}`,
          flashVer: long,
        });
        await client.call("createStream", null);
        client.command("publish", null, "cam", "live");
        await client.status("NetStream.Publish.Start");
        const referer = `http://page/${"x".repeat(10_000)}`;
        const web = new AbortController();
        const answer = await fetch(`http://127.0.0.1:${server.apiPort}/live/cam.flv`, {
          headers: { referer, "x-forwarded-for": "y".repeat(4000) },
          signal: web.signal,
        });
        assert.equal(answer.status, 200);
        await until("both clients in the API", 10_000, async () => {
          const { clients } = await server.api("/api/v1/clients/") as { clients: KnownClient[] };
          const known = clients.filter(({ pageUrl }) => pageUrl.startsWith("http://page/"));
          for (const client of known) {
            for (const [name, value] of Object.entries(client)) {
              // The URL's query is shown by itself.
              if (typeof value === "string") assert.ok(value.length <= 1024, `${name} of the API`);
            }
          }
          return known.length === 2 && known.every(({ pageUrl }) => pageUrl.length === 1024);
        });
        for (const { body } of hooks.calls) {
          for (const name of ["tcUrl", "pageUrl"]) {
            assert.ok(String(body[name] ?? "").length <= 1024, `${name} of ${body.action}`);
          }
        }
        assert.ok(hooks.calls.some(({ body }) => String(body.pageUrl).length === 1024));
        web.abort();

        // A signature behind more than is kept.
        const expires = String(Math.floor(Date.now() / 1000) + 60);
        const sign = signature(secret, "publish", "signed.local/live/cam", expires);
        const signer = await s.raw(server);
        const url = `rtmp://signed.local/live?pad=${"p".repeat(3000)}&expires=${expires}&sign=`;
        await signer.call("connect", { app: "live", tcUrl: url + sign });
        await signer.call("createStream", null);
        signer.command("publish", null, "cam", "live");
        await signer.status("NetStream.Publish.Start");
        const forger = await s.raw(server);
        await forger.call("connect", { app: "live", tcUrl: `${url}${"0".repeat(64)}` });
        await forger.call("createStream", null);
        forger.command("publish", null, "cam2", "live");
        await forger.status("NetStream.Publish.Denied");
        await control.fine("while clients say much");
      } finally {
        control.stop();
      }
    } finally {
      await hooks.stop();
    }
  });
}

interface KnownClient {
  readonly pageUrl: string;
}
