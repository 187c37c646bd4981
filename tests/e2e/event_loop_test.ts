/**
 * While streams run, the event loop of their connections has the thread; everything else that the process
 * has to do is as quick as without: answers of the API, hooks, signals. Without streams it sleeps.
 * @module
 */
import assert from "node:assert/strict";
import { HookServer } from "../tools/hook_server.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { media } from "../tools/media.ts";
import { sleep, until } from "../tools/process.ts";
import { isMedia } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { runtimes, type Server, serverCommand } from "../tools/server.ts";

/** ms of live traffic. */
const SPAN_MS = 10_000;
/** ms by which nothing may be later because of the loop. */
const LATE_MS = 50;
/** ms for something that is there at once. */
const SOON_MS = 10_000;

/**
 * The time that nine of ten took at most: the tenth may have met other programs of the machine.
 */
function usual(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.ceil(times.length * 0.9) - 1];
}

/** Resolves to the ms until `condition` holds. */
async function msUntil(what: string, condition: () => boolean): Promise<number> {
  const start = performance.now();
  const end = start + SOON_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(1);
  }
  return performance.now() - start;
}

/** A stream with players of each kind. */
async function live(s: Scenario, server: Server): Promise<FlvClient[]> {
  const clip = await media("small-0");
  s.publish(clip, server.url("live/livestream"), { loop: true });
  const player = await s.raw(server);
  await player.play("live", "livestream");
  await player.next("media", isMedia);
  const path = `127.0.0.1:${server.apiPort}/live/livestream.flv`;
  return await Promise.all(["http", "ws"].map((by) => FlvClient.open(`${by}://${path}`)));
}

const VHOST = "min_latency on; tcp_nodelay on; http_remux { enabled on; } play { mw_latency 100; }";

for (const runtime of runtimes()) {
  const command = serverCommand(runtime);

  scenario(`on ${runtime} live traffic holds up no answer, no hook and no signal`, async (s) => {
    const hooks = new HookServer();
    let clients: FlvClient[] = [];
    try {
      const server = await s.server({ vhost: `${VHOST} ${hooks.block}`, command });
      clients = await live(s, server);
      const times = { api: [] as number[], hook: [] as number[], reload: [] as number[] };
      const end = performance.now() + SPAN_MS;
      while (performance.now() < end) {
        const asked = performance.now();
        await server.api("/api/v1/streams");
        times.api.push(performance.now() - asked);

        // The handshake and `connect` of a client, until its hook is called.
        const client = await s.raw(server);
        const calls = hooks.calls.length;
        const playing = client.play("live", "livestream");
        times.hook.push(await msUntil("a hook", () => hooks.calls.length > calls));
        await playing;
        client.destroy();

        const lines = server.log.length;
        server.process.signal("SIGHUP");
        times.reload.push(
          await msUntil("the reload", () => server.log.slice(lines).includes("reload")),
        );
        await sleep(50);
      }
      for (const [what, found] of Object.entries(times)) {
        assert.ok(found.length > 10, `${found.length} of ${what}`);
        assert.ok(usual(found) < LATE_MS, `${what}: ${found.map(Math.round).join(" ")} ms`);
      }
      server.process.signal("SIGTERM");
      const took = await msUntil("the end", () => server.log.includes("user terminate program"));
      assert.ok(took < LATE_MS * 4, `SIGTERM is heard after ${Math.round(took)} ms`);
      assert.equal((await server.process.finish(SOON_MS)).code, 0);
    } finally {
      for (const client of clients) client.close();
      await hooks.stop();
    }
  });

  scenario(
    `on ${runtime} a server without streams sleeps, also after there have been some`,
    async (s) => {
      const server = await s.server({ vhost: VHOST, command });
      /** Times per second that the main thread goes to sleep. */
      const sleeps = async () => {
        const count = () => {
          const status = Deno.readTextFileSync(`/proc/${server.process.pid}/status`);
          return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
        };
        const before = count();
        await sleep(3000);
        return (count() - before) / 3;
      };
      await sleep(1500);
      const before = await sleeps();
      // Its own tick, the look at how late timers are, and what each takes the runtime.
      assert.ok(before < 30, `${before} wake-ups a second`);
      const clip = await media("small-0");
      const publisher = s.publish(clip, server.url("live/livestream"), { loop: true });
      const player = await s.raw(server);
      await player.play("live", "livestream");
      await player.next("media", isMedia);
      await publisher.stop();
      player.destroy();
      await until("the end of both", SOON_MS, async () => {
        const { clients } = await server.api("/api/v1/clients/") as { clients: unknown[] };
        return clients.length === 0;
      });
      await sleep(1500);
      const after = await sleeps();
      assert.ok(after < before + 15, `${after} wake-ups a second, ${before} before`);
    },
  );
}
