/**
 * The statistics endpoint beside a live stream.
 * @module
 */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { media } from "../tools/media.ts";
import { scenario } from "../tools/scenario.ts";
import { accepts } from "../tools/server.ts";
import { until } from "../tools/process.ts";

/** Where the API is when the configuration does not say. */
const DEFAULT_PORT = 1985;

/** The value at a path of keys and indices. @throws AssertionError when there is none. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  let here = value;
  for (const key of path) {
    assert.ok(
      typeof here === "object" && here !== null && key in here,
      `no ${path.join(".")} in ${JSON.stringify(value)}`,
    );
    here = Object.entries(here).find(([name]) => name === String(key))?.[1];
  }
  return here;
}

function list(value: unknown, key: string): unknown[] {
  const found = at(value, key);
  assert.ok(Array.isArray(found), `${key} is a list`);
  return found;
}

function assertEnvelope(value: unknown, pid: number): void {
  assert.equal(at(value, "code"), 0);
  assert.equal(at(value, "pid"), String(pid));
  assert.equal(typeof at(value, "server"), "string");
  assert.equal(typeof at(value, "service"), "string");
}

scenario("the API tells streams, clients, summaries and versions of a live server", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  const url = server.url("live/livestream");
  const { pid } = server.process;
  assert.deepEqual(list(await server.api("/api/v1/streams/"), "streams"), []);
  assert.deepEqual(list(await server.api("/api/v1/clients/"), "clients"), []);

  const publisher = s.publish(await media("h264-aac"), url, { loop: true });
  const player = await s.play(url);
  await player.received("video", 50);

  const streams = await server.api("/api/v1/streams/");
  assertEnvelope(streams, pid);
  assert.equal(list(streams, "streams").length, 1);
  const [stream] = list(streams, "streams");
  assert.equal(at(stream, "name"), "livestream");
  assert.equal(at(stream, "app"), "live");
  assert.equal(at(stream, "url"), "/live/livestream");
  assert.equal(at(stream, "clients"), 2);
  assert.equal(at(stream, "publish", "active"), true);
  assert.equal(at(stream, "video", "codec"), "H264");
  assert.equal(at(stream, "video", "profile"), "High");
  assert.equal(at(stream, "video", "width"), 320);
  assert.equal(at(stream, "video", "height"), 180);
  assert.equal(at(stream, "audio", "codec"), "AAC");
  assert.equal(at(stream, "audio", "sample_rate"), 44100);
  assert.equal(at(stream, "audio", "profile"), "LC");
  assert.ok(Number(at(stream, "recv_bytes")) > 10_000, "bytes came in");
  assert.ok(Number(at(stream, "send_bytes")) > 10_000, "bytes went out");
  const one = await server.api(`/api/v1/streams/${at(stream, "id")}`);
  assert.equal(at(one, "stream", "name"), "livestream");

  const clients = await server.api("/api/v1/clients/");
  assertEnvelope(clients, pid);
  const types = list(clients, "clients").map((client) => at(client, "type"));
  assert.deepEqual(types.sort(), ["fmle-publish", "rtmp-play"]);
  for (const client of list(clients, "clients")) {
    assert.equal(at(client, "publish"), at(client, "type") === "fmle-publish");
    assert.equal(at(client, "ip"), "127.0.0.1");
    assert.equal(at(client, "stream"), at(stream, "id"));
    assert.ok(server.log.includes(`[${at(client, "id")}]`), "its id is that of the log lines");
    if (at(client, "publish") === true) {
      assert.equal(at(client, "id"), at(stream, "publish", "cid"));
    }
  }

  const summaries = await server.api("/api/v1/summaries");
  assertEnvelope(summaries, pid);
  assert.equal(at(summaries, "data", "ok"), true);
  assert.equal(at(summaries, "data", "self", "pid"), pid);
  assert.ok(Number(at(summaries, "data", "self", "mem_kbyte")) > 1000, "memory in KB");
  assert.equal(at(summaries, "data", "system", "cpus"), navigator.hardwareConcurrency);

  const versions = await server.api("/api/v1/versions");
  assertEnvelope(versions, pid);
  const version = ["major", "minor", "revision"].map((part) => at(versions, "data", part));
  assert.equal(at(versions, "data", "version"), version.join("."));

  const health = await fetch(`http://127.0.0.1:${server.apiPort}/healthz`);
  assert.equal(health.status, 200);
  await health.body?.cancel();

  await publisher.stop("SIGINT");
  await player.stop();
  await until("both clients gone from the API", 5000, async () => {
    return list(await server.api("/api/v1/clients/"), "clients").length === 0;
  });
});

scenario("an unknown stream or client is an error code, not an empty answer", async (s) => {
  const server = await s.server();
  assert.equal(at(await server.api("/api/v1/streams/vid-nosuch"), "code"), 2048);
  assert.equal(at(await server.api("/api/v1/clients/nosuch"), "code"), 2049);
});

scenario("without an http_api block the API is on 127.0.0.1:1985 and nowhere else", async (s) => {
  const text = "listen 127.0.0.1:PORT; max_connections 100; vhost __defaultVhost__ { }";
  const server = await s.server({ text });
  await until("the API's port", 5000, () => accepts(DEFAULT_PORT));
  const answer = await fetch(`http://127.0.0.1:${DEFAULT_PORT}/api/v1/versions`);
  assert.equal(at(await answer.json(), "pid"), String(server.process.pid));
  const outside = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4");
  for (const { address } of outside) {
    await assert.rejects(
      Deno.connect({ hostname: address, port: DEFAULT_PORT }),
      Deno.errors.ConnectionRefused,
      `${address}:${DEFAULT_PORT} is closed`,
    );
  }
});

scenario("http_api { enabled off; } opens no port but RTMP's", async (s) => {
  const server = await s.server({
    text: "listen 127.0.0.1:PORT; max_connections 100; http_api { enabled off; } " +
      "vhost __defaultVhost__ { }",
  });
  const listening = await listeningPorts(server.process.pid);
  assert.deepEqual(listening, [server.port]);
});

/** The TCP ports on which a process listens, from /proc. */
async function listeningPorts(pid: number): Promise<number[]> {
  const sockets = new Set<string>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) sockets.add(inode);
  }
  const ports: number[] = [];
  for (const table of ["tcp", "tcp6"]) {
    const lines = (await Deno.readTextFile(`/proc/net/${table}`)).split("\n").slice(1);
    for (const line of lines) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      // State 0A is LISTEN.
      if (state === "0A" && sockets.has(inode)) ports.push(parseInt(local.split(":")[1], 16));
    }
  }
  return ports;
}
