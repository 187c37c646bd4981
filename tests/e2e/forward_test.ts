/**
 * Forward, to nginx-rtmp and to others of our own.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { runNginx } from "../tools/nginx.ts";
import { until } from "../tools/process.ts";
import { assertPlayed, playWhole, scenario } from "../tools/scenario.ts";
import { freePort } from "../tools/server.ts";
import { streamOf, untilStream } from "../tools/upstreams.ts";

const LATENCY = "min_latency on; tcp_nodelay on; play { gop_cache off; mw_latency 100; }";
/** Packets of video in a second. */
const FPS = 25;
const KEY = "abcd-efgh-ijkl-mnop";
const LIVE = "application live { live on; } application cdn { live on; }";

scenario("forward to nginx-rtmp, by server and by key; one destination is dead", async (s) => {
  const clip = await media("h264-aac");
  const nginx = await runNginx(s, LIVE);
  const dead = freePort();
  const server = await s.server({
    vhost: `${LATENCY} forward { enabled on; destination ` +
      `127.0.0.1:${nginx.port} ${nginx.url}/cdn/${KEY}?backup=1 127.0.0.1:${dead}; }`,
  });
  const own = await s.play(server.url("live/livestream"));
  const copy = await s.play(`${nginx.url}/live/livestream`);
  const keyed = await s.play(`${nginx.url}/cdn/${KEY}`);
  const publisher = s.publish(clip, server.url("live/livestream"), { loop: true });
  for (const [label, player] of Object.entries({ own, copy, keyed })) {
    await player.received("video", 4 * FPS, 20_000);
    assertPlayed(label, await player.stop(), clip, {
      seconds: 3.5,
      loop: true,
      startsWithKeyframe: true,
    });
  }
  const stream = await streamOf(server, "/live/livestream");
  const [byServer, byKey, unreachable] = stream?.edge.forwards ?? [];
  assert.deepEqual([byServer.state, byKey.state], ["sending", "sending"]);
  assert.ok(byServer.send_bytes > 0 && byServer.dropped_messages === 0);
  assert.match(unreachable.last_error ?? "", /refused/);
  assert.equal(stream?.edge.players, 0, "forwards are no players");
  assert.ok(byKey.destination.endsWith("/cdn/abc***"), byKey.destination);
  assert.ok(!server.log.includes(KEY), "the key is not logged");
  await publisher.stop("SIGINT");
  await until(
    "the forward's end",
    5000,
    () => server.log.includes("ends: the stream is not published any more"),
  );
});

scenario("forward: the destination is killed and comes back; sound alone", async (s) => {
  const clip = await media("h264-aac");
  const sound = await media("aac-only");
  const nginx = await runNginx(s, LIVE);
  const server = await s.server({
    vhost: `${LATENCY} forward { enabled on; destination 127.0.0.1:${nginx.port}; }`,
  });
  s.publish(clip, server.url("live/livestream"), { loop: true });
  s.publish(sound, server.url("live/sound"), { loop: true });
  const listener = await s.play(`${nginx.url}/live/sound`, ["audio"]);
  await listener.received("audio", 60);
  assertPlayed("sound", await listener.stop(), sound, { seconds: 1, loop: true });
  await untilStream(
    "the forward",
    server,
    "/live/livestream",
    5000,
    ({ edge }) => edge.forwards[0]?.state === "sending",
  );

  await nginx.process.kill();
  await untilStream(
    "that it is noticed",
    server,
    "/live/livestream",
    5000,
    ({ edge }) => edge.forwards[0]?.state !== "sending",
  );
  const back = await runNginx(s, LIVE, nginx.port);
  const player = await s.play(`${back.url}/live/livestream`);
  await player.received("video", 2 * FPS, 20_000);
  assertPlayed("after the break", await player.stop(), clip, {
    seconds: 1.5,
    loop: true,
    startsWithKeyframe: true,
  });
  assert.match(server.log, /forward \/live\/livestream to 127\.0\.0\.1:\d+ ended \(lost/);
});

scenario("forward to a server of our own is exact, and to itself is refused", async (s) => {
  const clip = await media("h264-aac");
  const port = freePort();
  const other = await s.server({ vhost: LATENCY });
  const server = await s.server({
    port,
    vhost: `${LATENCY} forward { enabled on; destination ` +
      `127.0.0.1:${other.port} rtmp://127.0.0.1:${port}/copy/livestream; }`,
  });
  const player = await s.play(other.url("live/livestream"));
  await playWhole(s, server, clip);
  await player.received("video", clip.recording.video.length);
  assertPlayed("copy", await player.stop(), clip, { seconds: 5.5 });
  assert.match(server.log, /loop: the destination is this very server/);
});

scenario(
  "forward backend: it names the destinations; a wrong answer refuses the publisher",
  async (s) => {
    const clip = await media("small-0");
    const nginx = await runNginx(s, LIVE);
    const asked: Record<string, unknown>[] = [];
    const http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const body = await request.json();
        asked.push(body);
        if (body.stream === "bad") return Response.json({ code: 100 });
        return Response.json({ code: 0, data: { urls: [`${nginx.url}/live/renamed`] } });
      },
    );
    try {
      const server = await s.server({
        vhost: `${LATENCY} forward { enabled on; destination 127.0.0.1:1;
        backend http://127.0.0.1:${http.addr.port}/forward; }`,
      });
      s.publish(clip, server.url("live/livestream?token=x"), { loop: true });
      const player = await s.play(`${nginx.url}/live/renamed`);
      await player.received("video", 2 * FPS);
      assertPlayed("renamed", await player.stop(), clip, { seconds: 1.5, loop: true });
      const [{ action, app, stream, param, vhost, client_id: client }] = asked;
      assert.deepEqual(
        { action, app, stream, param, vhost },
        {
          action: "on_forward",
          app: "live",
          stream: "livestream",
          param: "?token=x",
          vhost: "__defaultVhost__",
        },
      );
      assert.match(String(client), /^[0-9a-z]{8}$/);
      for (let i = 0; i < 2; i++) {
        const bad = await s.raw(server);
        await bad.call("connect", { app: "live", tcUrl: server.url("live") });
        await bad.call("createStream", null);
        bad.command("publish", null, "bad", "live");
        await bad.status("NetStream.Publish.Denied");
        await bad.ended;
      }
    } finally {
      await http.shutdown();
    }
  },
);

scenario("an edge forwards what it pulls; nginx-rtmp pulls from an edge", async (s) => {
  const clip = await media("h264-aac");
  const origin = await runNginx(s, LIVE);
  const destination = await runNginx(s, LIVE);
  s.publish(clip, `${origin.url}/live/livestream`, { loop: true });
  const edge = await s.server({
    vhost: `${LATENCY} cluster { mode remote; origin 127.0.0.1:${origin.port}; }
      forward { enabled on; destination 127.0.0.1:${destination.port}; }`,
  });
  const puller = await runNginx(s, `application live { live on; pull ${edge.url("live")}; }`);
  const atPuller = await s.play(`${puller.url}/live/livestream`);
  const atDestination = await s.play(`${destination.url}/live/livestream`);
  for (const [label, player] of Object.entries({ atPuller, atDestination })) {
    await player.received("video", 3 * FPS, 20_000);
    assertPlayed(label, await player.stop(), clip, { seconds: 2.5, loop: true });
  }
});
