/**
 * Odd names and vhosts, with ffmpeg and ffprobe: what is published is found by every address.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { Child } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import type { Server } from "../tools/server.ts";
import { untilStream } from "../tools/upstreams.ts";

const FLV = "min_latency on; http_remux { enabled on; }";
/** ms until a stream is live, or ffprobe has seen enough of it. */
const LIMIT_MS = 20_000;

/** Fails unless ffprobe finds a video stream there. */
async function assertProbed(url: string): Promise<void> {
  const probe = new Child(
    "ffprobe",
    ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", url],
  );
  const { success } = await probe.finish(LIMIT_MS);
  assert.ok(success && /video/.test(probe.stdout), `${url}\n${probe.report()}`);
}

async function publishAs(s: Scenario, server: Server, path: string, key: string) {
  s.publish(await media("small-0"), server.url(path), { loop: true });
  await untilStream(key, server, key, LIMIT_MS, ({ publish }) => publish.active);
}

scenario("F6 F11 F12: dots, spaces, Chinese, %2F and double slashes", async (s) => {
  const server = await s.server({ vhost: FLV });
  const rows: [path: string, key: string, http: string][] = [
    ["live/192.168.7.10", "/live/192.168.7.10", "/live/192.168.7.10.flv"],
    ["live/192.168.7.11", "/live/192.168.7.11", "/live//192.168.7.11.flv"],
    ["live/front%20drive", "/live/front drive", "/live/front%20drive.flv"],
    ["live/%E5%8C%97", "/live/北", "/live/北.flv"],
    ["live/a%2fb", "/live/a%2Fb", "/live/a%2Fb.flv"],
    ["live//yard/cam", "/live/yard/cam", "//live/yard//cam.flv/"],
  ];
  for (const [path, key] of rows) await publishAs(s, server, path, key);
  const { streams } = await server.api("/api/v1/streams/?count=100") as {
    streams: { url: string; edge: { flv: string } }[];
  };
  assert.deepEqual(streams.map(({ url }) => url).sort(), rows.map(([, key]) => key).sort());
  for (const [path, key, http] of rows) {
    await assertProbed(server.url(path));
    await assertProbed(`http://127.0.0.1:${server.apiPort}${http}`);
    const printed = streams.find(({ url }) => url === key)?.edge.flv;
    const answer = await fetch(`http://127.0.0.1:${server.apiPort}${printed}`, { method: "HEAD" });
    assert.equal(answer.status, 200, printed);
  }
});

const VHOSTS = `
vhost __defaultVhost__ { ${FLV} }
vhost push.example.com { ${FLV} }`;

scenario("F10: ?vhost= travels through an edge, by RTMP and HTTP-FLV", async (s) => {
  const origin = await s.server({ vhosts: VHOSTS });
  const edgeTo = (more: string) => s.server({ vhost: `${FLV} cluster { mode remote; ${more} }` });
  const byRtmp = await edgeTo(`origin 127.0.0.1:${origin.port};`);
  const byFlv = await edgeTo(`origin 127.0.0.1:${origin.apiPort}; protocol flv;`);
  const key = "push.example.com/live/cam";
  // Published through one edge, played through both.
  const path = "live/cam?vhost=push.example.com&key=1";
  s.publish(await media("small-0"), byRtmp.url(path), { loop: true });
  await untilStream("at the origin", origin, key, LIMIT_MS, ({ publish }) => publish.active);
  for (const edge of [byRtmp, byFlv]) {
    await assertProbed(edge.url("live/cam?vhost=push.example.com"));
    const path = "/live/cam.flv?vhost=push.example.com";
    await assertProbed(`http://127.0.0.1:${edge.apiPort}${path}`);
    const watched = await fetch(`http://127.0.0.1:${edge.apiPort}${path}`);
    // Without it the origin's default vhost is asked, which has no such stream.
    const plain = await fetch(`http://127.0.0.1:${edge.apiPort}/live/cam.flv`, {
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const said = await plain.text();
    await watched.body?.cancel();
    assert.equal(plain.status, 404, said);
    assert.doesNotMatch(said, /http:/, "what another vhost has is not listed");
  }
});

scenario("F10: ?vhost= travels with a forward, the plain host name does not", async (s) => {
  const target = await s.server({ vhosts: VHOSTS });
  const source = await s.server({
    vhost: `${FLV} forward { enabled on; destination 127.0.0.1:${target.port}; }`,
  });
  await publishAs(s, source, "live/a?vhost=push.example.com&key=1", "/live/a");
  await publishAs(s, source, "live/b", "/live/b");
  for (const key of ["push.example.com/live/a", "/live/b"]) {
    await untilStream(key, target, key, LIMIT_MS, ({ publish }) => publish.active);
  }
});

scenario("F11: a name of 2048 bytes, by RTMP and HTTP-FLV; one byte more is told so", async (s) => {
  const server = await s.server({ vhost: FLV });
  const name = "\u76f4".repeat(682) + "ab";
  assert.equal(new TextEncoder().encode(name).length, 2048);
  s.command(
    "probe",
    "--publish",
    "--seconds",
    "60",
    server.url(`live/${encodeURIComponent(name)}`),
  );
  // The probe plays what it publishes.
  await untilStream(
    "its player",
    server,
    `/live/${name}`,
    LIMIT_MS,
    ({ edge }) => edge.players > 0,
  );
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.apiPort}/live/${path}.flv`);
    if (answer.status === 200) await answer.body?.cancel();
    return `${answer.status} ${answer.status === 200 ? "" : await answer.text()}`;
  };
  assert.equal(await ask(name), "200 ");
  assert.match(await ask(`${name}c`), /^404 .*the stream name has 2049 bytes, 2048 are allowed/);
  const child = s.command("probe", "--seconds", "1", server.url(`live/${name}c`));
  await child.finish(LIMIT_MS);
  assert.match(child.stderr + child.stdout, /has 2049 bytes, 2048 are allowed/);
});
