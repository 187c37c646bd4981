/**
 * F31: a restart. SIGTERM closes the ports at once and ends everyone in an orderly way, and the process is
 * gone in about a second, whatever its clients and hook servers do.
 * @module
 */
import assert from "node:assert/strict";
import { HookServer } from "../tools/hook_server.ts";
import { media } from "../tools/media.ts";
import { Movable, REQUEST } from "../tools/movable.ts";
import { type Child, until, within } from "../tools/process.ts";
import { isMedia, RawClient, statusCode } from "../tools/raw_client.ts";
import { scenario } from "../tools/scenario.ts";
import { accepts, type Server } from "../tools/server.ts";
import { whyNoWorkers } from "../tools/workers.ts";

/** ms for something that takes a second at most. */
const SOON_MS = 10_000;
/** ms for a stop, which takes about a second at most: the machine may be busy. */
const STOP_LIMIT_MS = 2200;
/** ms from the order to restart until the new process accepts. A cold start is most of it. */
const RESTART_LIMIT_MS = 5000;
const PLAYERS = 20;

/** An encoder that connects anew whenever its connection ends. */
class Encoder {
  #over = false;
  starts = 0;

  constructor(start: () => Child) {
    const run = async () => {
      while (!this.#over) {
        this.starts++;
        await start().ended;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    // The test has ended: no process may be started any more.
    void run().catch(() => {});
  }

  stop(): void {
    this.#over = true;
  }
}

function codes(client: RawClient): string[] {
  return client.messages.map(statusCode);
}

/** Sends SIGTERM; resolves to the ms until the process has ended. */
async function terminate(server: Server): Promise<number> {
  const start = performance.now();
  server.process.signal("SIGTERM");
  const ended = await server.process.finish(SOON_MS);
  assert.equal(ended.code, 0, server.process.report());
  assert.match(server.log, /srs-edge terminated/);
  return performance.now() - start;
}

const impossible = await whyNoWorkers();

for (const workers of [1, 2]) {
  const ignore = workers === 1 ? null : impossible;

  scenario(
    `F31: SIGTERM, and a new process has encoder and players back at once; workers ${workers}`,
    async (s) => {
      const hooks = new HookServer();
      try {
        const server = await s.server({
          global: `workers ${workers};`,
          vhost: `min_latency on; play { mw_latency 100; } ${hooks.block}`,
        });
        const clip = await media("small-0");
        const url = server.url("live/livestream");
        const encoder = new Encoder(() => s.publish(clip, url, { loop: true }));
        const ffmpeg = await s.play(url);
        await ffmpeg.received("video", 10);
        const players = [];
        for (let i = 0; i < PLAYERS; i++) {
          const player = await s.raw(server);
          await player.play("live", "livestream");
          await player.next("media", isMedia);
          players.push(player);
        }
        const publisher = await s.raw(server);
        await publisher.publish("live", "other");
        const movers = {
          publisher: (await Movable.connect(server.port, "publish", "moving")).send(),
          player: await Movable.connect(server.port, "play", "moving"),
        };
        await movers.player.client.next("media", isMedia);
        const flv = await fetch(`http://127.0.0.1:${server.apiPort}/healthz`);
        assert.equal(await flv.text(), "ok");
        hooks.clear();

        const ordered = performance.now();
        const stopped = terminate(server);
        // Should the test fail before it waits for this, that is what it says.
        stopped.catch(() => {});
        for (const mover of Object.values(movers)) {
          assert.equal(await mover.asked(), undefined, "at the same address");
        }
        // Deno 2.6 takes some ms for it.
        await until("the closed port", SOON_MS, async () => !await accepts(server.port));
        const second = s.command("-c", server.configFile);
        await until("the new process", SOON_MS, async () => {
          assert.equal(second.exit, null, second.report());
          return await accepts(server.port);
        });
        const restarted = performance.now() - ordered;
        assert.ok(restarted < RESTART_LIMIT_MS, `the new process accepts after ${restarted} ms`);
        const took = await stopped;
        assert.ok(took < STOP_LIMIT_MS, `the process ends after ${took} ms`);

        // All ports are closed before anyone is sent away.
        // Those of workers are their own, and not logged.
        for (const port of workers === 1 ? ["HTTP-API", "RTMP"] : ["HTTP-API"]) {
          const closed = server.log.indexOf(`${port} listen no more`);
          assert.ok(closed >= 0 && closed < server.log.indexOf("server disconnect"), server.log);
        }

        for (const player of players) {
          assert.equal(await within("the player's end", SOON_MS, player.ended), "end");
          const last = codes(player).filter((code) => code !== "").slice(-2);
          assert.deepEqual(last, ["NetStream.Play.UnpublishNotify", "NetStream.Play.Stop"]);
          assert.ok(!codes(player).includes(REQUEST), "it has not said that it can");
        }
        assert.equal(await within("the publisher's end", SOON_MS, publisher.ended), "end");
        assert.equal(codes(publisher).at(-1), "NetStream.Unpublish.Success");
        // Publisher, ffmpeg's player and ours, and the movers: everyone is told of, each end once.
        const count = (action: string) => hooks.actions.filter((each) => each === action).length;
        const fromOld = hooks.calls.filter(({ body }) => body.action === "on_stop");
        assert.equal(new Set(fromOld.map(({ body }) => body.client_id)).size, PLAYERS + 2);
        assert.equal(count("on_stop"), PLAYERS + 2);
        assert.ok(count("on_unpublish") >= 3, hooks.actions.join(" "));
        assert.ok(count("on_close") >= PLAYERS + 4, hooks.actions.join(" "));

        for (const mover of Object.values(movers)) mover.leave();
        for (let i = 0; i < PLAYERS; i++) {
          const player = await RawClient.open(server.port);
          await player.play("live", "livestream");
          await player.next("media", isMedia);
          player.destroy();
        }
        assert.ok(encoder.starts >= 2, "the encoder was told, and came again");
        encoder.stop();
        assert.equal((await second.stop("SIGTERM")).code, 0);
      } finally {
        await hooks.stop();
      }
    },
    { ignore },
  );
}

scenario(
  "F31: a hook server that hangs and a player that does not read hold nothing up",
  async (s) => {
    const hooks = new HookServer();
    try {
      const server = await s.server({ vhost: `min_latency on; ${hooks.block}` });
      const clip = await media("small-0");
      s.publish(clip, server.url("live/livestream"), { loop: true });
      const player = await s.raw(server);
      await player.play("live", "livestream");
      await player.next("media", isMedia);
      player.pause();
      const announced = await Movable.connect(server.port, "play", "livestream");
      const hanging = Promise.withResolvers<void>();
      hooks.reply = () => hanging.promise.then(() => new Response("0"));
      const took = await terminate(server);
      hanging.resolve();
      announced.leave();
      assert.ok(took < STOP_LIMIT_MS, `the process ends after ${took} ms`);
      assert.ok(hooks.actions.includes("on_unpublish"), "it has been tried");
    } finally {
      await hooks.stop();
    }
  },
);
