/**
 * HTTP-FLV and WebSocket-FLV: the same packets as by RTMP, and clients that behave oddly.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import type { FlvTag } from "../../src/flv/flv_tag.ts";
import { deafClient, FlvClient, request } from "../tools/flv_client.ts";
import { media } from "../tools/media.ts";
import { assertSameConfig } from "../tools/packets.ts";
import { run, sleep, until } from "../tools/process.ts";
import { assertPlayed, kindsOf, type Scenario, scenario } from "../tools/scenario.ts";
import {
  freePort,
  runtimes,
  type Server,
  serverCommand,
  type ServerOptions,
} from "../tools/server.ts";

const REMUX = "http_remux { enabled on; }";
const VHOST = `min_latency on; play { gop_cache on; queue_length 5; mw_latency 100; } ${REMUX}`;

/** ms until the API knows that somebody has gone. */
const GONE_LIMIT_MS = 5000;

/** A server that is being published to. */
async function live(s: Scenario, name: string, options: ServerOptions = { vhost: VHOST }) {
  const server = await s.server(options);
  const clip = await media(name);
  const publisher = s.publish(clip, server.url("live/livestream"), { loop: true });
  await started(flvUrl(server));
  return { server, clip, publisher };
}

/** Waits until a stream is published. */
function started(url: string): Promise<boolean> {
  return until(`${url} being there`, 15_000, async () => {
    return (await fetch(url, { method: "HEAD" })).status === 200;
  });
}

function flvUrl(server: Server, path = "live/livestream.flv", scheme = "http"): string {
  return `${scheme}://127.0.0.1:${server.apiPort}/${path}`;
}

/** The clients in the API that play FLV. */
async function flvClients(server: Server): Promise<Record<string, unknown>[]> {
  const answer = await server.api("/api/v1/clients/?count=1000");
  assert.ok(typeof answer === "object" && answer !== null && "clients" in answer);
  assert.ok(Array.isArray(answer.clients));
  return answer.clients.filter((client) => client.type === "flv-play");
}

function gone(server: Server, what: string): Promise<boolean> {
  return until(`the API without ${what}`, GONE_LIMIT_MS, async () => {
    return (await flvClients(server)).length === 0;
  });
}

for (const name of ["h264-aac", "h264-only", "aac-only", "h264-mp3", "huge-keyframe"]) {
  scenario(`HTTP-FLV: ffmpeg gets every packet of ${name}`, async (s) => {
    const { server, clip } = await live(s, name);
    const kinds = kindsOf(clip.recording);
    // In the middle of a GOP, and with the sound or the pictures perhaps not there yet.
    const players = [s.startPlayer(flvUrl(server), kinds)];
    await sleep(1300);
    players.push(s.startPlayer(flvUrl(server), kinds));
    for (const player of players) await player.received(kinds[0], 100);
    for (const [index, player] of players.entries()) {
      const played = await player.stop();
      const startsWithKeyframe = index > 0 && kinds[0] === "video";
      const label = `player ${index + 1}`;
      assertPlayed(label, played, clip, { seconds: 2.5, loop: true, startsWithKeyframe });
      assertSameConfig(label, played, clip.recording);
    }
  });
}

scenario("HTTP-FLV: ffprobe and ffplay find the streams", async (s) => {
  const { server } = await live(s, "h264-aac");
  const { stdout } = await run(
    ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0"]
      .concat(flvUrl(server)),
    20_000,
  );
  assert.deepEqual(stdout.trim().split("\n").sort(), ["aac", "h264,320"]);
  const player = s.spawn("ffplay", [
    ..."env SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy ffplay -v info -autoexit -t 3".split(" "),
    ...["-vf", "showinfo", flvUrl(server)],
  ]);
  await until("pictures in ffplay", 20_000, () => {
    return (player.stderr.match(/Parsed_showinfo.* n: *\d+ /g) ?? []).length > 25;
  });
});

/** The tags of `b` from its first keyframe on are those that `a` has from there on. */
function assertSameTags(a: readonly FlvTag[], b: readonly FlvTag[]): void {
  const isMedia = ({ payload, type }: FlvTag) => type !== 18 && payload[1] === 1;
  const from = b.findIndex(isMedia);
  const at = a.findIndex(({ payload }) => Buffer.compare(payload, b[from].payload) === 0);
  assert.ok(at >= 0, "they overlap");
  const count = Math.min(a.length - at, b.length - from);
  assert.ok(count > 50, `${count} tags in common`);
  assert.deepEqual(a.slice(at, at + count), b.slice(from, from + count));
}

scenario("WebSocket-FLV: the same bytes, in messages of whole tags", async (s) => {
  const { server } = await live(s, "h264-aac");
  const http = await FlvClient.open(flvUrl(server));
  await http.received(30);
  const ws = await FlvClient.open(flvUrl(server, undefined, "ws"));
  await ws.received(150);
  await http.received(200);
  assert.equal(ws.flags, 5);
  assert.equal(http.flags, 5);
  assert.deepEqual([...ws.pieces[0].subarray(0, 13)], [70, 76, 86, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]);
  for (const [index, message] of ws.pieces.entries()) {
    let at = index === 0 ? 13 : 0;
    while (at < message.length) at += 15 + Buffer.from(message).readUIntBE(at + 1, 3);
    assert.equal(at, message.length, `message ${index} ends with a tag`);
  }
  assert.deepEqual(ws.tags.slice(0, 3).map(({ type }) => type), [18, 8, 9]);
  assertSameTags(http.tags, ws.tags);

  const clients = await flvClients(server);
  assert.equal(clients.length, 2);
  for (const client of clients) {
    assert.equal(client.name, "livestream.flv");
    assert.equal(client.url, "/live/livestream");
    assert.equal(client.tcUrl, `http://127.0.0.1:${server.apiPort}/live`);
    assert.equal(client.publish, false);
    assert.ok(Number(client.send_bytes) > 10_000);
    assert.ok(server.log.includes(`[${client.id}]`), "its id is that of the log lines");
  }
  http.close();
  ws.close();
  await gone(server, "those that have closed");
});

scenario("HTTP-FLV: flags tell what is there; has_audio off leaves the sound out", async (s) => {
  const { server, clip } = await live(s, "h264-only", {
    vhost: VHOST,
    vhosts: `vhost __defaultVhost__ { ${VHOST} }
      vhost mute { ${VHOST.replace("enabled on", "enabled on; guess_has_av off; has_audio off")} }`,
  });
  s.publish(clip, server.url("live/livestream?vhost=mute"), { loop: true });
  const pictures = await FlvClient.open(flvUrl(server));
  await pictures.received(30);
  assert.equal(pictures.flags, 1);
  s.publish(await media("h264-aac"), server.url("live/both?vhost=mute"), { loop: true });
  const muted = flvUrl(server, "live/both.flv?vhost=mute");
  await started(muted);
  const mute = await FlvClient.open(muted);
  await mute.received(30);
  assert.equal(mute.flags, 1);
  assert.ok(mute.tags.every(({ type }) => type !== 8));
  pictures.close();
  mute.close();
});

scenario("HTTP-FLV: HEAD, 404 with what is live, CORS, vhosts, odd requests", async (s) => {
  const { server, clip } = await live(s, "small-0", {
    vhosts: `vhost __defaultVhost__ { ${VHOST} }
      vhost own.example { http_remux { enabled on; mount [vhost]/tv/[app]/[stream].flv; } }
      vhost silent.example { http_remux { enabled off; } }`,
  });
  s.publish(clip, server.url("live/ours?vhost=own.example"), { loop: true });
  await started(flvUrl(server, "tv/live/ours.flv?vhost=own.example"));
  const ask = (head: string) =>
    request(server.apiPort, head, (answer) => answer.includes("\r\n\r\n"));
  const get = (path: string, headers = "Host: x") => ask(`GET ${path} HTTP/1.1\n${headers}`);

  const head = await ask("HEAD /live/livestream.flv HTTP/1.1\nHost: x\nOrigin: http://a");
  assert.match(head, /^HTTP\/1\.1 200 /);
  assert.match(head, /content-type: video\/x-flv/i);
  assert.match(head, /access-control-allow-origin: \*/i);
  assert.ok(!head.includes("FLV\x01"), "no media");
  assert.match(
    await ask("OPTIONS /live/livestream.flv HTTP/1.1\nHost: x\nOrigin: http://a"),
    /^HTTP\/1\.1 200 [^]*access-control-allow-origin: \*/i,
  );

  const missing = await fetch(flvUrl(server, "live/nosuch.flv"));
  assert.equal(missing.status, 404);
  assert.match(missing.headers.get("content-type") ?? "", /^text\/plain/);
  const text = await missing.text();
  assert.ok(text.includes(`http://127.0.0.1:${server.apiPort}/live/livestream.flv\n`), text);
  assert.ok(!text.includes("ours"), "another vhost's are not its business");
  const json = await fetch(flvUrl(server, "tv/live/nosuch.flv?vhost=own.example"), {
    headers: { accept: "application/json" },
  });
  assert.equal(json.status, 404);
  assert.deepEqual((await json.json()).streams, [
    flvUrl(server, "tv/live/ours.flv?vhost=own.example"),
  ]);

  const rows: [string, string, number][] = [
    ["/live/livestream.flv", "Host: x", 200],
    ["/live/livestream.flv?token=1", "Host: x", 200],
    ["/live/livestream.flv", "Host: x\nRange: bytes=5-9", 200],
    ["/tv/live/ours.flv", "Host: own.example:80", 200],
    ["/tv/live/ours.flv?vhost=own.example", "Host: x", 200],
    ["/live/ours.flv", "Host: own.example", 404],
    ["/live/livestream.flv", "Host: silent.example", 404],
    ["/live/livestream.flv?vhost=silent.example", "Host: x", 404],
    ["/live/livestream.ts", "Host: x", 404],
    ["/live/%2e%2e%2flivestream.flv", "Host: x", 404],
    ["/live/x.flv/../livestream.flv", "Host: x", 200],
    ["/live/livestream.flv/..", "Host: x", 404],
  ];
  for (const [path, headers, status] of rows) {
    const answer = await get(path, headers);
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${path} ${headers}: ${answer}`);
  }
  assert.match(await ask("GET /live/livestream.flv HTTP/1.0"), /^HTTP\/1\.[01] 200 /);
  assert.match(
    await get("/live/livestream.flv", "Host: x\nConnection: Upgrade\nUpgrade: websocket"),
    /^HTTP\/1\.1 4\d\d /,
  );
  await gone(server, "those that have gone");
});

scenario("HTTP-FLV: a publisher that comes back goes on in the same answer", async (s) => {
  const { server, clip, publisher } = await live(s, "h264-aac");
  const clients = [
    await FlvClient.open(flvUrl(server)),
    await FlvClient.open(flvUrl(server, undefined, "ws")),
  ];
  for (const client of clients) await client.received(60);
  await publisher.stop("SIGINT");
  const before = clients.map(({ tags }) => tags.length);
  await sleep(1000);
  s.publish(clip, server.url("live/livestream"), { loop: true });
  for (const [index, client] of clients.entries()) {
    await client.received(before[index] + 60);
    const times = client.tags.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
    times.forEach((time, i) => assert.ok(i === 0 || time >= times[i - 1], "time goes on"));
    const headers = client.tags.filter(({ type, payload }) => type === 9 && payload[1] === 0);
    assert.equal(headers.length, 2);
  }
  await server.process.stop("SIGTERM");
  for (const client of clients) await client.ended();
});

scenario("HTTP-FLV: who leaves or is kicked is gone, also while nothing flows", async (s) => {
  const { server, publisher } = await live(s, "h264-aac", {
    vhost: `${VHOST} publish { normal_timeout 60000; }`,
  });
  const open = () =>
    Promise.all(["http", "ws"].map((scheme) => FlvClient.open(flvUrl(server, undefined, scheme))));
  let clients = await open();
  for (const client of clients) await client.received(20);
  for (const { id } of await flvClients(server)) {
    const answer = await fetch(`http://127.0.0.1:${server.apiPort}/api/v1/clients/${id}`, {
      method: "DELETE",
    });
    assert.equal((await answer.json()).code, 0);
  }
  for (const client of clients) await client.ended(GONE_LIMIT_MS);
  await gone(server, "the kicked ones");
  await until("two lines about it", GONE_LIMIT_MS, () => {
    return server.log.match(/client kicked\. ret=1070/g)?.length === 2;
  });

  clients = await open();
  for (const client of clients) await client.received(20);
  publisher.signal("SIGSTOP");
  await sleep(500);
  for (const client of clients) client.close();
  await gone(server, "those that have left");
});

scenario("HTTP-FLV: on the port of http_server as well", async (s) => {
  const port = freePort();
  const { server } = await live(s, "h264-aac", {
    vhost: VHOST,
    global: `http_server { enabled on; listen 127.0.0.1:${port}; dir ${s.folder}; }`,
  });
  const client = await FlvClient.open(`http://127.0.0.1:${port}/live/livestream.flv`);
  await client.received(20);
  assert.equal((await flvClients(server)).length, 1);
  client.close();
});

scenario("HTTP-FLV: max_connections counts them, and says so", async (s) => {
  const { server } = await live(s, "h264-aac", {
    vhosts: `max_connections_per_ip 3; vhost __defaultVhost__ { ${VHOST} }`,
  });
  const clients = [await FlvClient.open(flvUrl(server)), await FlvClient.open(flvUrl(server))];
  const refused = await fetch(flvUrl(server));
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /max_connections_per_ip=3/);
  for (const client of clients) client.close();
  await until("room again", GONE_LIMIT_MS, async () => {
    const { status, body } = await fetch(flvUrl(server));
    await body?.cancel();
    return status === 200;
  });
});

/** Clients that ask for 12 Mbit/s and do not read, of each kind. */
const DEAF_CLIENTS = 8;
/** ms for which they do not. */
const STALL_MS = 12_000;
/**
 * Memory that the server may take meanwhile: a queue_length of 5 s is 8 MB in each of two formats, and
 * what the collector has not come to yet. Without back-pressure it would be 16 times 18 MB.
 */
const GROWTH_LIMIT = 64 << 20;
/** Pictures of the clip are 40 ms apart. */
const LARGEST_STEP_MS = 100;

scenario(
  "HTTP-FLV H19: clients that do not read harm nobody, and go on at a keyframe",
  async (s) => {
    const { server, clip } = await live(s, "high-bitrate");
    const path = "/live/livestream.flv";
    const healthy = s.startPlayer(flvUrl(server), ["video"]);
    await healthy.received("video", 50);
    const deaf = ["http" as const, "ws" as const].flatMap((kind) =>
      Array.from({ length: DEAF_CLIENTS }, () => deafClient(server.apiPort, path, kind))
    );
    const frozen = await FlvClient.open(flvUrl(server));
    await frozen.received(20);
    const thaw = frozen.pause();
    try {
      // Until the queue is full once the memory may grow: that is what queue_length allows.
      await sleep(STALL_MS / 3);
      const before = server.residentBytes();
      let peak = before;
      for (const end = performance.now() + STALL_MS * 2 / 3; performance.now() < end;) {
        await sleep(500);
        peak = Math.max(peak, server.residentBytes());
      }
      const growth = peak - before;
      console.log(`memory: ${before >> 20} MB, at most ${growth >> 20} MB more`);
      assert.ok(growth < GROWTH_LIMIT, `the server grew by ${growth >> 20} MB`);
      assert.equal((await flvClients(server)).length, 2 * DEAF_CLIENTS + 2);
      for (const socket of deaf) socket.destroy();
      await until("the API without the others", GONE_LIMIT_MS, async () => {
        return (await flvClients(server)).length === 2;
      });
      thaw();
      const isPicture = ({ type, payload }: FlvTag) => type === 9 && payload[1] === 1;
      const afterGap = (tag: FlvTag, i: number, all: FlvTag[]) =>
        i > 0 && tag.timestamp - all[i - 1].timestamp > LARGEST_STEP_MS;
      await until("a gap, and what follows it", 15_000, () => {
        const pictures = frozen.tags.filter(isPicture);
        const gap = pictures.findIndex(afterGap);
        return gap > 0 && pictures.length > gap + 50;
      });
      for (const { payload, timestamp } of frozen.tags.filter(isPicture).filter(afterGap)) {
        assert.equal(payload[0], 0x17, `what follows the gap at ${timestamp} ms is a keyframe`);
      }
      frozen.close();
    } finally {
      for (const socket of deaf) socket.destroy();
    }
    assertPlayed("the other player", await healthy.stop(), clip, { seconds: 12, loop: true });
  },
  { limitMs: 90_000 },
);

/** ms for which a stream must go on to count as going on. */
const GOES_ON_MS = 1500;

for (const runtime of runtimes()) {
  scenario(
    `F21 on ${runtime}: a client that closes its sending side is served on, and is forgotten when it is gone`,
    async (s) => {
      const { server } = await live(s, "h264-aac", {
        vhost: VHOST,
        command: serverCommand(runtime),
      });
      const other = await FlvClient.open(flvUrl(server));
      const half = net.connect({ port: server.apiPort, host: "127.0.0.1", allowHalfOpen: true });
      let bytes = 0;
      let ended = false;
      half.on("data", (part: Uint8Array) => bytes += part.length);
      half.on("error", () => {});
      half.on("end", () => ended = true);
      half.write("GET /live/livestream.flv HTTP/1.1\r\nHost: x\r\n\r\n");
      await until("the first bytes", GONE_LIMIT_MS, () => bytes > 1000);
      assert.equal((await flvClients(server)).length, 2);
      half.end();
      await sleep(GOES_ON_MS);
      const before = bytes;
      await sleep(GOES_ON_MS);
      assert.ok(bytes > before, "the answer goes on");
      assert.equal(ended, false);
      assert.equal((await flvClients(server)).length, 2);
      half.destroy();
      await until("the API without it", GONE_LIMIT_MS, async () => {
        return (await flvClients(server)).length === 1;
      });
      const count = other.tags.length;
      await other.received(count + 50);
      other.close();
      await gone(server, "players");
    },
  );

  scenario(`F13, F14 on ${runtime}: the first subprotocol is answered; no buffering`, async (s) => {
    const { server } = await live(s, "h264-aac", { vhost: VHOST, command: serverCommand(runtime) });
    const chosen = async (offered: string | null) => {
      const answer = await request(
        server.apiPort,
        "GET /live/livestream.flv HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n" +
          "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" +
          (offered === null ? "" : `\nSec-WebSocket-Protocol: ${offered}`),
        (text) => text.includes("FLV\x01"),
      );
      assert.match(answer, /^HTTP\/1\.1 101 /, `offered ${offered}`);
      return [...answer.matchAll(/^sec-websocket-protocol: *(.*?)\r$/gim)].map(([, name]) => name);
    };
    assert.deepEqual(await chosen("flv"), ["flv"]);
    assert.deepEqual(await chosen("binary, base64"), ["binary"]);
    assert.deepEqual(await chosen(" ,b@d name,v1.flv ,x"), ["v1.flv"]);
    assert.deepEqual(await chosen(null), []);
    for (const method of ["GET", "HEAD"]) {
      const abort = new AbortController();
      const answer = await fetch(flvUrl(server), { method, signal: abort.signal });
      assert.equal(answer.headers.get("X-Accel-Buffering"), "no", method);
      abort.abort();
    }
    // A client that insists on a subprotocol, as a browser does.
    const socket = new WebSocket(flvUrl(server, undefined, "ws"), ["jsmpeg", "flv"]);
    const opened = await new Promise((resolve) => {
      socket.onmessage = () => resolve(socket.protocol);
      socket.onerror = () => resolve("refused");
    });
    assert.equal(opened, "jsmpeg");
    socket.close();
    await gone(server, "WebSockets");
  });
}
