/**
 * nginx-rtmp beside us: it fetches a stream here and serves it on, and brings us what it is given.
 * @module
 */
import { media } from "../tools/media.ts";
import { startNginx } from "../tools/nginx.ts";
import { assertPlayed, scenario } from "../tools/scenario.ts";

/** Packets of video in three seconds. */
const SOME_SECONDS = 75;

const SETTINGS = "min_latency on; play { gop_cache on; mw_latency 100; }";

scenario("nginx-rtmp pulls a stream from us and serves it on", async (s) => {
  const server = await s.server({ vhost: SETTINGS });
  const clip = await media("h264-aac");
  s.publish(clip, server.url("live/livestream"), { loop: true });
  // Asked for at the start, and when the first player comes.
  const nginx = await startNginx(
    s,
    `application kept { live on; pull ${server.url("live/livestream")} name=livestream static; }
        application wanted { live on; pull ${server.url("live")}; }`,
  );
  for (const app of ["kept", "wanted"]) {
    const player = await s.play(`${nginx}/${app}/livestream`);
    await player.received("video", SOME_SECONDS);
    assertPlayed(`by "${app}"`, await player.stop(), clip, { seconds: 2.5, loop: true });
  }
});

scenario("nginx-rtmp pushes to us what is published to it", async (s) => {
  const server = await s.server({ vhost: SETTINGS });
  const nginx = await startNginx(
    s,
    `application ingest { live on; push ${server.url("live")}; }`,
  );
  const player = await s.play(server.url("live/livestream"));
  // The second publisher comes after the first one's relay has ended.
  const [first, second] = [await media("small-0"), await media("small-1")];
  const publisher = s.publish(first, `${nginx}/ingest/livestream`, { loop: true });
  await player.received("video", SOME_SECONDS);
  await publisher.stop("SIGINT");
  assertPlayed("first", await player.stop(), first, { seconds: 2.5, loop: true });
  const again = await s.play(server.url("live/livestream"));
  s.publish(second, `${nginx}/ingest/livestream`, { loop: true });
  await again.received("video", SOME_SECONDS);
  assertPlayed("second", await again.stop(), second, { seconds: 2.5, loop: true });
});
