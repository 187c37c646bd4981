/**
 * What goes in comes out, byte for byte, with its timing, whatever the codecs and the settings.
 * @module
 */
import assert from "node:assert/strict";
import { media, whyNoHevc } from "../tools/media.ts";
import { assertPlayed, playWhole, type Scenario, scenario } from "../tools/scenario.ts";
import { isKeyframe, isMedia } from "../tools/raw_client.ts";
import { numbered, NumberedPlayer } from "../tools/control_stream.ts";
import { sleep, until } from "../tools/process.ts";

/** The recipe's low-latency settings. */
const REALTIME = `
    tcp_nodelay on;
    min_latency on;
    play { gop_cache off; queue_length 10; mw_latency 100; }
    publish { mr off; }`;

/** Seconds before the timestamp field of a chunk header is full: 0xFFFFFF ms, 4 h 39 min 37 s. */
const FULL_TIMESTAMP_S = 0xffffff / 1000;

for (const name of ["h264-aac", "h264-only", "aac-only", "h264-mp3", "huge-keyframe"]) {
  scenario(`a player gets every byte of ${name}`, async (s) => {
    const server = await s.server({ vhost: REALTIME });
    await playWhole(s, server, await media(name));
  });
}

scenario("a player gets every byte of hevc", async (s) => {
  const server = await s.server({ vhost: REALTIME });
  await playWhole(s, server, await media("hevc"));
}, { ignore: await whyNoHevc() });

scenario("the shipped conf/realtime.conf plays", async (s) => {
  const shipped = await Deno.readTextFile(new URL("../../conf/realtime.conf", import.meta.url));
  const text = shipped.replace(/listen\s+1935;/, "listen PORT; http_api { enabled off; }");
  assert.notEqual(text, shipped, "conf/realtime.conf listens on 1935");
  const server = await s.server({ text });
  await playWhole(s, server, await media("h264-aac"));
});

for (const jitter of ["full", "off"]) {
  scenario(`timestamps pass 0xFFFFFF ms while playing, time_jitter ${jitter}`, async (s) => {
    const server = await s.server({ vhost: `play { time_jitter ${jitter}; }` });
    const offset = Math.floor(FULL_TIMESTAMP_S) - 3;
    const { video } = await playWhole(s, server, await media("h264-aac"), { offset });
    const [first, last] = [video[0].dts, video[video.length - 1].dts];
    if (jitter === "off") {
      // ffmpeg shifts a file whose audio begins later than its video.
      assert.ok(
        Math.abs(first - offset * 1000) < 1000,
        `the publisher's own time, not ${first} ms`,
      );
      assert.ok(last > 0xffffff, `the last timestamp, ${last} ms, is beyond 0xFFFFFF`);
    } else {
      // Tracks that lag behind the first one have a minute of room (F1).
      assert.ok(first <= 61_000, `the player's time begins near 0, not at ${first} ms`);
    }
  });
}

for (const size of [128, 65536]) {
  scenario(
    `chunk_size ${size}: huge keyframes with long timestamps are cut correctly`,
    async (s) => {
      const server = await s.server({ vhost: `chunk_size ${size}; play { time_jitter off; }` });
      const offset = Math.floor(FULL_TIMESTAMP_S) - 3;
      await playWhole(s, server, await media("huge-keyframe"), { offset });
    },
  );
}

/** Publishes until the middle of a GOP is surely reached, and freezes the publisher there. */
async function frozenPublisher(s: Scenario, gopCache: "on" | "off") {
  const server = await s.server({
    vhost: `play { gop_cache ${gopCache}; } publish { normal_timeout 60000; }`,
  });
  const clip = await media("h264-aac");
  const watcher = await s.play(server.url("live/livestream"));
  const publisher = s.publish(clip, server.url("live/livestream"), { loop: true });
  await watcher.received("video", 60);
  publisher.signal("SIGSTOP");
  await sleep(500);
  return { server, publisher };
}

scenario("gop_cache on: who joins in the middle of a GOP has its keyframe at once", async (s) => {
  const { server } = await frozenPublisher(s, "on");
  const player = await s.raw(server);
  await player.play("live", "livestream");
  // Nothing comes from the publisher any more, so all this can only be the cache.
  await player.next("the cached keyframe", isKeyframe);
  await until("frames after the keyframe", 5000, () => player.messages.filter(isMedia).length > 5);
  const firstFrame = player.messages.findIndex((m) => m.type === 9 && m.payload[1] === 1);
  assert.ok(isKeyframe(player.messages[firstFrame]), "the first frame is the keyframe");
  const before = player.messages.slice(0, firstFrame).map((m) => m.type);
  assert.ok(before.includes(18), "metadata comes before it");
  assert.ok(before.includes(8) && before.includes(9), "both sequence headers come before it");
});

scenario(
  "gop_cache off: who joins in the middle of a GOP gets headers, but no old frame",
  async (s) => {
    const { server, publisher } = await frozenPublisher(s, "off");
    const player = await s.raw(server);
    await player.play("live", "livestream");
    await sleep(1500);
    const frames = () => player.messages.filter((m) => isMedia(m) && m.payload[1] === 1);
    assert.equal(frames().length, 0, "no frame from before it joined");
    publisher.signal("SIGCONT");
    await player.next("a live keyframe", isKeyframe);
    const firstFrame = player.messages.findIndex((m) => isMedia(m) && m.payload[1] === 1);
    const before = player.messages.slice(0, firstFrame);
    for (const [what, type] of [["metadata", 18], ["audio", 8], ["video", 9]] as const) {
      assert.ok(before.some((m) => m.type === type), `${what} header comes before the first frame`);
    }
  },
);

scenario("gop_cache on: an ffmpeg that joins later starts at a keyframe and goes on", async (s) => {
  const server = await s.server({ vhost: "play { gop_cache on; }" });
  const clip = await media("h264-aac");
  s.publish(clip, server.url("live/livestream"), { loop: true });
  await sleep(1700);
  const player = await s.play(server.url("live/livestream"));
  await player.received("video", 100);
  const played = await player.stop();
  assertPlayed("late player", played, clip, { seconds: 4, loop: true, startsWithKeyframe: true });
});

/** Messages in a burst: 600 KB, several times what a socket is read at once. */
const BURST = 600;

for (const vhost of ["min_latency on;", "publish { mr on; mr_latency 300; }"]) {
  scenario(
    `F5: a burst after silence, while reading rests, comes through whole; ${vhost}`,
    async (s) => {
      const server = await s.server({ vhost });
      const publisher = await s.raw(server);
      await publisher.publish("live", "burst");
      let sent = 0;
      const send = () => {
        const { type, timestamp, payload } = numbered(1, sent++, 2000);
        publisher.send(type, payload, timestamp);
      };
      for (; sent < 50;) {
        send();
        await sleep(10);
      }
      // Three times the rest between two reads, which each burst meets at another moment of it.
      for (const end of [BURST, 2 * BURST, 3 * BURST]) {
        await sleep(777);
        while (sent < end) send();
      }
      const player = await NumberedPlayer.start(server.port, "live", "burst", 1);
      const more = setInterval(send, 20);
      try {
        await until("what comes after the bursts", 10_000, () => {
          player.look();
          return player.last > 3 * BURST + 5;
        });
        assert.equal(player.fault, null);
        assert.equal(player.lost, 0);
        assert.doesNotMatch(server.log, /server disconnect/);
      } finally {
        clearInterval(more);
        player.stop();
      }
    },
  );
}
