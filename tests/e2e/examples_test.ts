/**
 * Every configuration in `conf/` does what it is for, with no change but the ports.
 * @module
 */
import assert from "node:assert/strict";
import { EXAMPLES } from "../../src/install/examples.ts";
import { media } from "../tools/media.ts";
import { reload } from "../tools/reloading.ts";
import { assertPlayed, playWhole, type Scenario, scenario } from "../tools/scenario.ts";
import { accepts, freePort, type Server } from "../tools/server.ts";
import { A_SECOND } from "../tools/publisher_changes.ts";
import { until } from "../tools/process.ts";
import { whyNoWorkers } from "../tools/workers.ts";

/** ms for something that takes a second at most. */
const SOON_MS = 10_000;

/** The server that `edge.conf` and `forward.conf` name. */
const OTHER_SERVER = "127.0.0.1:19350";

/** Examples with a test of their own below. */
const OTHERS = new Set(["edge", "forward", "reload", "secure", "workers"]);

/** The text of an example on free ports of the loopback interface; `PORT` is the RTMP port. */
function example(name: string, replaced: Readonly<Record<string, string>> = {}): string {
  let text = EXAMPLES.get(name) ?? assert.fail(`no example ${name}`);
  for (const [from, to] of Object.entries(replaced)) {
    assert.ok(text.includes(from), `${name}.conf has ${from}`);
    text = text.replaceAll(from, to);
  }
  text = text.replace(/^listen +1935;/m, "listen 127.0.0.1:PORT;")
    .replace(/^( +)listen +[^;]+;/gm, (_, indent) => `${indent}listen 127.0.0.1:${freePort()};`);
  assert.ok(text.includes("listen 127.0.0.1:PORT;"), `${name}.conf listens on 1935`);
  // Without the block the API is on a fixed port.
  return text.includes("http_api {") ? text : `${text}http_api { enabled off; }\n`;
}

/** Starts an example; at its end it must have had no fault, and stop as asked. */
async function serve(s: Scenario, text: string, use: (server: Server) => Promise<unknown>) {
  const server = await s.server({ text });
  await use(server);
  const { success, code } = await server.process.stop("SIGTERM");
  assert.ok(success, `exit status 0 and not ${code} when stopped`);
  assert.doesNotMatch(server.log, /\[ERROR\]/);
}

for (const name of [...EXAMPLES.keys()].filter((name) => !OTHERS.has(name))) {
  scenario(`conf/${name}.conf plays`, async (s) => {
    await serve(s, example(name), async (server) => {
      await playWhole(s, server, await media("h264-aac"));
    });
  });
}

scenario("conf/workers.conf plays", async (s) => {
  await serve(s, example("workers"), async (server) => {
    await playWhole(s, server, await media("h264-aac"));
    if (navigator.hardwareConcurrency > 1) assert.match(server.log, /\b[2-9]\d* workers\b/);
  });
}, { ignore: await whyNoWorkers() });

scenario("conf/secure.conf starts, and answers on its RTMP port", async (s) => {
  await serve(s, example("secure"), async (server) => {
    assert.ok(await accepts(server.port));
  });
});

scenario("conf/edge.conf plays what its origin has", async (s) => {
  const clip = await media("h264-aac");
  const origin = await s.server();
  const other = { [OTHER_SERVER]: `127.0.0.1:${origin.port}` };
  await serve(s, example("edge", other), async (edge) => {
    s.publish(clip, origin.url("live/livestream"), { loop: true });
    const player = await s.play(edge.url("live/livestream"));
    await player.received("video", 2 * A_SECOND);
    assertPlayed("edge", await player.stop(), clip, { seconds: 1.5, loop: true });
  });
});

scenario("conf/forward.conf copies what is published", async (s) => {
  const clip = await media("h264-aac");
  const destination = await s.server();
  const other = { [OTHER_SERVER]: `127.0.0.1:${destination.port}` };
  await serve(s, example("forward", other), async (server) => {
    const player = await s.play(destination.url("live/livestream"));
    s.publish(clip, server.url("live/livestream"), { loop: true });
    await player.received("video", 2 * A_SECOND);
    assertPlayed("forward", await player.stop(), clip, { seconds: 1.5, loop: true });
  });
});

scenario(
  "conf/reload.conf: a reload changes what its comments say, and nobody is dropped",
  async (s) => {
    const clip = await media("h264-aac");
    await serve(s, example("reload"), async (server) => {
      s.publish(clip, server.url("live/livestream"), { loop: true });
      const player = await s.play(server.url("live/livestream"));
      await player.received("video", A_SECOND);
      const api = /^ +listen 127\.0\.0\.1:(\d+);/m.exec(await Deno.readTextFile(server.configFile));
      const lines = await reload(
        server,
        (text) =>
          text.replace(/^workers +1;/m, "workers 2;")
            .replace(/^max_connections +1000;/m, "max_connections 500;")
            .replace(/queue_length +10;/, "queue_length 5;")
            .replace(/allow +publish 127\.0\.0\.1;/, "allow publish 127.0.0.9;"),
        async () => {
          const answer = await fetch(`http://127.0.0.1:${api?.[1]}/api/v1/raw?rpc=reload`);
          assert.match(await answer.text(), /"code":0/);
        },
      );
      assert.deepEqual(lines, [
        "reload: needs a restart: workers 1 -> 2",
        "reload: applied max_connections 1000 -> 500 connections",
        "reload: applied vhost __defaultVhost__: play.queue_length 10 -> 5 s",
        "reload: applied to new connections: vhost __defaultVhost__: security.allow " +
        "publish 127.0.0.1, play all -> publish 127.0.0.9, play all",
        "reload config success, state=90.",
      ]);
      const had = player.recording().video.length;
      await player.received("video", had + A_SECOND);
      assertPlayed("player", await player.stop(), clip, { seconds: 2, loop: true });
      const late = s.publish(clip, server.url("live/another"));
      await until("a refusal of a publisher that comes now", SOON_MS, () => late.exit !== null);
      assert.ok(!late.exit?.success);
    });
  },
);
