/**
 * HTTP-FLV through a real reverse proxy.
 * @module
 */
import assert from "node:assert/strict";
import { FlvClient } from "../tools/flv_client.ts";
import { media } from "../tools/media.ts";
import { NGINX } from "../tools/nginx.ts";
import { until } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { accepts, freePort } from "../tools/server.ts";

const SOON_MS = 15_000;

/** nginx with the defaults of its `proxy_pass`, on a port of its own. */
async function proxyOf(s: Scenario, port: number): Promise<number> {
  const own = freePort();
  const prefix = await Deno.makeTempDir({ dir: s.folder, prefix: "nginx-" });
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => {
    return `${name}_temp_path ${prefix}/${name};`;
  });
  await Deno.writeTextFile(
    `${prefix}/nginx.conf`,
    `daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
    access_log off;
    ${temp.join("\n    ")}
    server {
        listen 127.0.0.1:${own};
        location / { proxy_pass http://127.0.0.1:${port}; }
    }
}
`,
  );
  const process = s.spawn("nginx", [NGINX, "-p", prefix, "-c", "nginx.conf", "-e", "stderr"]);
  await until("nginx's port", SOON_MS, () => {
    if (process.exit !== null) throw new Error("nginx ended while it started");
    return accepts(own);
  });
  return own;
}

scenario("F14: audio alone is not held back by nginx with its defaults", async (s) => {
  const server = await s.server({ vhost: "min_latency on; http_remux { enabled on; }" });
  s.publish(await media("aac-only"), server.url("live/radio"), { loop: true });
  const direct = `http://127.0.0.1:${server.apiPort}/live/radio.flv`;
  await until("the stream", SOON_MS, async () => (await fetch(direct, { method: "HEAD" })).ok);
  const proxy = await proxyOf(s, server.apiPort);
  const player = await FlvClient.open(`http://127.0.0.1:${proxy}/live/radio.flv`);
  await player.received(20);
  const before = { tags: player.tags.length, pieces: player.pieces.length };
  await player.received(before.tags + 100);
  const perPiece = (player.tags.length - before.tags) / (player.pieces.length - before.pieces);
  console.log(`F14: ${perPiece.toFixed(1)} tags in a piece`);
  // 4 KB, which nginx waits for otherwise, are 20 tags and more.
  assert.ok(perPiece < 8, `${perPiece} tags arrive together`);
  player.close();
});
