/**
 * A player that stops reading costs nobody else anything.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "./media.ts";
import { assertPlayed, scenario } from "./scenario.ts";
import { runsOf } from "./packets.ts";
import { sleep } from "./process.ts";

/** Connections that never read, beside the frozen ffmpeg. */
const DEAF_PLAYERS = 4;

/** s of `queue_length`: 8 MB of this stream, whose GOPs are a second long. */
const QUEUE_S = 5;

/** s of this stream that fit the sockets' buffers, at most. */
const SOCKETS_S = 5;

/**
 * Bytes that the server's memory may grow while players stand still. In 30 s of the stream, at 12 Mbit/s,
 * a copy of everything for each of the five would be 225 MB, one for all of them 45 MB, and a runtime's heap
 * comes and goes by some 20 MB.
 */
const GROWTH_LIMIT = 40 << 20;

/** A test in which players stand still for so long, s. */
export function slowPlayers(stallS: number): void {
  scenario(
    `a player that stands still for ${stallS} s harms nobody, and goes on at a keyframe`,
    async (s) => {
      const server = await s.server({
        vhost: `min_latency on; play { gop_cache on; queue_length ${QUEUE_S}; mw_latency 100; }`,
      });
      const clip = await media("high-bitrate");
      const url = server.url("live/livestream");
      s.publish(clip, url, { loop: true });
      await sleep(1000);
      const healthy = await s.play(url, ["video"]);
      const frozen = await s.play(url, ["video"]);
      for (let i = 0; i < DEAF_PLAYERS; i++) {
        const deaf = await s.raw(server);
        await deaf.play("live", "livestream");
        deaf.pause();
      }
      await frozen.received("video", 100);

      frozen.process.signal("SIGSTOP");
      const packetsBefore = healthy.recording().video.length;
      // Until the queue is full once the memory may grow: that is what queue_length allows.
      await sleep(1000 * stallS / 3);
      const before = server.residentBytes();
      let peak = before;
      for (const end = performance.now() + 1000 * stallS * 2 / 3; performance.now() < end;) {
        await sleep(500);
        peak = Math.max(peak, server.residentBytes());
      }
      const packetsMeanwhile = healthy.recording().video.length - packetsBefore;
      const { streams: [{ edge }] } = JSON.parse(
        JSON.stringify(await server.api("/api/v1/streams/")),
      );
      frozen.process.signal("SIGCONT");
      await sleep(5000);

      const growth = peak - before;
      console.log(
        `memory: ${before >> 20} MB, at most ${growth >> 20} MB more while players stood still`,
      );
      assert.ok(growth < GROWTH_LIMIT, `the server grew by ${growth >> 20} MB`);
      // What fits the sockets and the queue is not lost.
      const dropped = edge.dropped_gops / (DEAF_PLAYERS + 1);
      console.log(`the API: ${dropped} GOPs dropped per slow player, lag ${edge.lag_ms} ms`);
      const least = Math.max(1, (stallS - QUEUE_S - SOCKETS_S) / 4);
      assert.ok(
        dropped >= least && dropped <= stallS + 10,
        `${dropped} GOPs dropped per slow player`,
      );
      assert.ok(edge.dropped_messages > 10 * edge.dropped_gops, "messages in them");
      assert.ok(edge.lag_ms > 0 && edge.lag_ms < 10_000, `${edge.lag_ms} ms behind`);
      assert.ok(
        packetsMeanwhile > 25 * (stallS - 5),
        `the other player got only ${packetsMeanwhile} frames`,
      );
      assertPlayed("the other player", await healthy.stop(), clip, {
        seconds: stallS + 3,
        loop: true,
      });

      const { video } = await frozen.stop();
      const source = clip.recording.video;
      const runs = runsOf("the frozen player", video, source, true);
      assert.ok(runs.length >= 2, "it lost what did not fit its queue, and went on");
      for (const run of runs) {
        assert.ok(
          source[run.from].key,
          `stretch at packet ${run.at} starts with source packet ${run.from}, no keyframe`,
        );
      }
      assert.ok(runs[runs.length - 1].length > 25, "it plays again");
    },
    { limitMs: (stallS + 60) * 1000 },
  );
}
