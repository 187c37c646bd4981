/**
 * F32, F33: what the API and /metrics tell of Enhanced RTMP's streams, and who gets which track. What is
 * published are messages of FFmpeg 8.1 (tests/tools/record_enhanced.ts), again and again in real time.
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type FlvTag, FlvTagReader } from "../../src/flv/flv_tag.ts";
import { parseExposition } from "../tools/exposition.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { sleep, until } from "../tools/process.ts";
import { type RawClient, Type } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { whyNoWorkers } from "../tools/workers.ts";
import type { Server } from "../tools/server.ts";

const VHOST = "min_latency on; play { gop_cache on; mw_latency 50; } http_remux { enabled on; }";
/** The bit of `capsEx` that says "multitrack" (Enhanced RTMP v2). */
const CAPS_MULTITRACK = 2;
/** Size of the recordings' pictures. */
const SIZE = [64, 48];

interface StreamJson {
  readonly name: string;
  readonly frames: number;
  readonly publish: { readonly active: boolean };
  readonly video: Readonly<Record<string, unknown>> | null;
  readonly audio: Readonly<Record<string, unknown>> | null;
  readonly edge: {
    readonly fps: number;
    readonly bit_depth: number | null;
    readonly video_tracks: number;
    readonly audio_tracks: number;
  };
}

/** Audio and video of a recording, without the ends of tracks. */
function recorded(name: string): FlvTag[] {
  const reader = new FlvTagReader();
  const file = new URL(`../fixtures/enhanced_rtmp/${name}.flv`, import.meta.url);
  reader.push(readFileSync(file));
  const tags: FlvTag[] = [];
  for (let tag = reader.next(); tag; tag = reader.next()) {
    const { type, payload } = tag;
    const isEnd = (payload[0] & 0x80) !== 0 && (payload[0] & 15) === 2;
    if ((type === Type.VIDEO || type === Type.AUDIO) && !isEnd) tags.push(tag);
  }
  return tags;
}

/** Publishes a recording over and over in real time until the result is called. */
async function publish(s: Scenario, server: Server, name: string): Promise<() => Promise<void>> {
  const tags = recorded(name);
  const publisher = await s.raw(server);
  await publisher.publish("live", name);
  const span = Math.max(...tags.map(({ timestamp }) => timestamp)) + 40;
  let stopped = false;
  const run = async () => {
    const start = performance.now();
    for (let round = 0; !stopped; round++) {
      for (const { type, timestamp, payload } of tags) {
        if (stopped) break;
        const due = round * span + timestamp;
        const early = due - (performance.now() - start);
        if (early > 2) await sleep(early);
        publisher.send(type, payload, due);
      }
    }
  };
  const running = run();
  return async () => {
    stopped = true;
    await running;
    publisher.destroy();
  };
}

async function streamOf(server: Server, name: string): Promise<StreamJson | undefined> {
  const { streams } = await server.api("/api/v1/streams/?count=100") as { streams: StreamJson[] };
  return streams.find((stream) => stream.name === name);
}

/** A player that announces that it knows several tracks, or does not. */
async function player(s: Scenario, server: Server, name: string, multitrack: boolean) {
  const client: RawClient = await s.raw(server);
  const caps = multitrack ? { capsEx: CAPS_MULTITRACK } : {};
  await client.call("connect", { app: "live", tcUrl: server.url("live"), ...caps });
  await client.call("createStream", null);
  client.command("play", null, name, -2000);
  await client.status("NetStream.Play.Start");
  return client.messages;
}

/** Numbers of messages: `video`, `audio` of the main tracks, `other` of others. */
function countTracks(messages: readonly { readonly type: number; readonly payload: Uint8Array }[]) {
  const counts = { video: 0, audio: 0, other: 0 };
  for (const { type, payload } of messages) {
    const isVideo = type === Type.VIDEO;
    if (!isVideo && type !== Type.AUDIO) continue;
    const isMultitrack = isVideo
      ? (payload[0] & 0x8f) === 0x86
      : payload[0] >> 4 === 9 && (payload[0] & 15) === 5;
    if (isMultitrack) counts.other++;
    else counts[isVideo ? "video" : "audio"]++;
  }
  return counts;
}

const impossible = await whyNoWorkers();

for (const workers of [1, 2]) {
  scenario(
    `F32: VP9, AV1 and HEVC have size, profile and level, ${workers} worker(s)`,
    async (s) => {
      const server = await s.server({ global: `workers ${workers};`, vhost: VHOST });
      const cases: [string, string, string, number][] = [
        ["vp9-opus", "VP9", "Profile 0", 8],
        ["av1-opus", "AV1", "High", 8],
        ["hevc-opus", "HEVC", "Rext", 8],
        ["hevc-hdr-opus", "HEVC", "Main10", 10],
      ];
      const stops = await Promise.all(cases.map(([name]) => publish(s, server, name)));
      for (const [name, codec, profile, depth] of cases) {
        const { video, edge } = await until(`the size of ${name}`, 15_000, async () => {
          const stream = await streamOf(server, name);
          return stream?.video?.width ? stream : null;
        });
        assert.deepEqual([video?.codec, video?.profile, edge.bit_depth], [codec, profile, depth]);
        assert.deepEqual([video?.width, video?.height], SIZE, name);
        assert.match(String(video?.level), /^[1-6](\.\d)?$/, name);
        assert.deepEqual([edge.video_tracks, edge.audio_tracks], [1, 1], name);
      }
      for (const stop of stops) await stop();
    },
    { ignore: workers === 1 ? null : impossible },
  );
}

scenario(
  "F33: two video and two audio tracks: the main ones' figures, who gets the others",
  async (s) => {
    const name = "hevc-vp9-opus-mp3";
    const server = await s.server({ global: "exporter { enabled on; }", vhost: VHOST });
    const edge = await s.server({
      vhost: `${VHOST} cluster { mode remote; origin 127.0.0.1:${server.port}; }`,
    });
    const stop = await publish(s, server, name);
    await until(
      "the publisher",
      10_000,
      async () => (await streamOf(server, name))?.publish.active,
    );
    const path = `127.0.0.1:${server.apiPort}/live/${name}.flv`;
    const web = await Promise.all(["http", "ws"].map((by) => FlvClient.open(`${by}://${path}`)));
    const plain = [await player(s, server, name, false), await player(s, edge, name, false)];
    const modern = [await player(s, server, name, true), await player(s, edge, name, true)];
    const isEnough = ({ video, audio }: ReturnType<typeof countTracks>) => video > 50 && audio > 50;
    for (const messages of [...plain, ...web.map(({ tags }) => tags)]) {
      const counts = await until("two seconds of the main tracks", 20_000, () => {
        const found = countTracks(messages);
        return isEnough(found) ? found : null;
      });
      assert.equal(counts.other, 0, "of the other tracks");
    }
    for (const messages of modern) {
      const { video, audio, other } = await until("two seconds of all tracks", 20_000, () => {
        const found = countTracks(messages);
        return isEnough(found) && found.other > 100 ? found : null;
      });
      assert.ok(other > (video + audio) / 2, `${other} of the other tracks`);
    }

    const stream = await until("five seconds' figures", 20_000, async () => {
      const found = await streamOf(server, name);
      return found && found.edge.fps > 15 ? found : null;
    });
    assert.ok(stream.edge.fps < 35, `${stream.edge.fps} pictures a second of 25`);
    assert.deepEqual([stream.edge.video_tracks, stream.edge.audio_tracks], [2, 2]);
    assert.deepEqual([stream.video?.codec, stream.video?.width, stream.video?.height], [
      "HEVC",
      ...SIZE,
    ]);
    assert.equal(stream.audio?.codec, "Opus");
    // As many as a player has had of them, and those before and after; not twice as many.
    const had = countTracks(plain[0]).video;
    assert.ok(stream.frames < 1.5 * had + 100, `${stream.frames} frames, a player has had ${had}`);
    const atEdge = await streamOf(edge, name);
    assert.deepEqual([atEdge?.edge.video_tracks, atEdge?.edge.audio_tracks], [2, 2]);

    const text = await fetch(`http://127.0.0.1:${server.apiPort}/metrics`).then((a) => a.text());
    const tracks = parseExposition(text).get("srs_edge_stream_tracks")?.samples ?? [];
    assert.deepEqual(tracks.map(({ labels, value }) => [labels.kind, value]), [
      ["video", 2],
      ["audio", 2],
    ]);
    for (const client of web) client.close();
    await stop();
    await until("the end", 10_000, async () => {
      const found = await streamOf(server, name);
      return !found || found.edge.video_tracks === 0;
    });
  },
);
