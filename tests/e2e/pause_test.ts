/**
 * F5: a server that stands still for 9 s, as a container that is paused or a machine that is moved, has
 * lost nobody when it goes on: deadlines are in time in which it ran.
 * @module
 */
import assert from "node:assert/strict";
import net from "node:net";
import { ControlStream, NumberedPlayer, NumberedPublisher } from "../tools/control_stream.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { HookServer } from "../tools/hook_server.ts";
import { media } from "../tools/media.ts";
import { sleep, until } from "../tools/process.ts";
import { scenario } from "../tools/scenario.ts";
import { streamOf } from "../tools/upstreams.ts";

/** ms: longer than the silence after which a publisher, a relay and a handshake are given up. */
const PAUSE_MS = 9000;
/** ms until what has waited is through, on a machine that does other things as well. */
const LIMIT_MS = 15_000;
/** What a client says first: version, time, zeros, and bytes of its own choosing. */
const C0_C1_BYTES = 1537;
const S0_S1_S2_BYTES = 3073;

/** Nobody was sent away, and no deadline has passed. */
const ENDS = /server disconnect|disconnect|timeout|connection lost|no answer|has not answered/i;

for (const workers of [1, 2]) {
  const runsWorkers = Deno.env.get("SRS_EDGE_RUNTIME") !== "exe";
  const ignore = workers > 1 && !runsWorkers ? "several workers need Deno 2.9 or Bun" : null;

  scenario(`F5: paused for 9 s, workers ${workers}: everybody is still there`, async (s) => {
    const hooks = new HookServer();
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => answer = resolve);
    hooks.reply = async () => {
      await answered;
      return new Response("0");
    };
    // It runs on, and for it a publisher that says nothing for so long is silent.
    const other = await s.server({ vhost: `publish { normal_timeout ${PAUSE_MS + LIMIT_MS}; }` });
    const server = await s.server({
      global: `workers ${workers};`,
      vhosts: `
        vhost __defaultVhost__ {
          http_remux { enabled on; }
          forward { enabled on; destination 127.0.0.1:${other.port}; }
        }
        vhost edge.local { cluster { mode remote; origin 127.0.0.1:${other.port}; } }
        vhost hooks.local { http_hooks { enabled on; on_play ${hooks.url("/play")}; } }`,
    });
    try {
      // An encoder of others, one of our own with players of each kind, a forward, a pull.
      const clip = await media("small-0");
      const encoder = s.publish(clip, server.url("live/livestream"), { loop: true });
      const control = await ControlStream.start(server.port);
      const web = ["http", "ws"].map((scheme) =>
        FlvClient.open(`${scheme}://127.0.0.1:${server.apiPort}/control/stream.flv`)
      );
      const [http, ws] = await Promise.all(web);
      const forwarded = await NumberedPlayer.start(other.port, "control", "stream");
      const upstream = await NumberedPublisher.start(other.port, "up", "stream", { stream: 7 });
      const pulled = await NumberedPlayer.start(server.port, "up?vhost=edge.local", "stream", 7);
      await until("the pull and the forward", LIMIT_MS, () => {
        return pulled.received > 20 && forwarded.received > 20;
      });
      const asked = await s.raw(server);
      await asked.connect("live?vhost=hooks.local", `rtmp://127.0.0.1/live?vhost=hooks.local`);
      const playing = asked.play("live?vhost=hooks.local", "none").catch((error) => error);
      await until("the question to the hook server", LIMIT_MS, () => hooks.calls.length > 0);
      const half = net.connect(server.port, "127.0.0.1");
      let heard = 0;
      let gone = false;
      half.on("data", (bytes: Uint8Array) => heard += bytes.length);
      half.on("close", () => gone = true);
      half.on("error", () => {});
      const hello = new Uint8Array(C0_C1_BYTES);
      hello[0] = 3;
      half.write(hello.subarray(0, 1000));
      await sleep(500);
      const clients = async () => {
        const { streams } = await server.api("/api/v1/summaries") as { streams?: unknown };
        void streams;
        return (await server.api("/api/v1/clients/?count=100") as { clients: unknown[] }).clients
          .length;
      };
      const before = await clients();
      const logged = server.log.length;
      const [httpTags, wsTags] = [http.tags.length, ws.tags.length];

      server.process.signal("SIGSTOP");
      await sleep(PAUSE_MS);
      server.process.signal("SIGCONT");

      await control.progress("after the pause", 100);
      await until("the pull and the forward", LIMIT_MS, () => {
        pulled.look();
        forwarded.look();
        return forwarded.last >= control.publisher.sent - 50 && pulled.last >= upstream.sent - 50;
      });
      for (const [what, player] of Object.entries({ pulled, forwarded })) {
        assert.equal(player.fault, null, what);
        assert.equal(player.lost, 0, what);
      }
      // 9 s of 50 messages each, and what came since.
      await http.received(httpTags + 450);
      await ws.received(wsTags + 450);
      half.write(hello.subarray(1000));
      await until("the rest of the handshake", LIMIT_MS, () => heard >= S0_S1_S2_BYTES);
      assert.equal(gone, false);
      answer();
      await until("what follows the hook's answer", LIMIT_MS, () => /on_play ok/.test(server.log));
      // Deadlines go on a beat after the pause; what they would end, they end then.
      await sleep(3000);
      assert.equal(await clients(), before + 1, "the one about whom a hook was asked plays too");
      assert.doesNotMatch(server.log.slice(logged), ENDS);
      assert.equal(encoder.exit, null);
      const stream = await streamOf(server, "/control/stream");
      assert.deepEqual(stream?.edge.forwards.map(({ state }) => state), ["sending"]);
      await control.progress("at the end", 20);
      half.destroy();
      for (const player of [pulled, forwarded]) player.stop();
      upstream.stop();
      for (const client of [http, ws]) client.close();
      control.stop();
      void playing;
    } finally {
      answer();
      await hooks.stop();
    }
  }, { ignore });
}
