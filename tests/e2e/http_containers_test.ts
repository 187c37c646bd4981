/**
 * Streams by HTTP in other containers than FLV: `http_remux { mount ….ts; }`, `.aac`, `.mp3`. Real players
 * get every packet of the source; only what the containers want in them differs.
 * @module
 */
import assert from "node:assert/strict";
import { media, whyNoHevc } from "../tools/media.ts";
import type { Kind } from "../tools/packets.ts";
import { run, sleep, until } from "../tools/process.ts";
import {
  assertPlayed,
  filtered,
  type Filters,
  type Scenario,
  scenario,
} from "../tools/scenario.ts";
import { kindsOf } from "../tools/scenario.ts";
import type { Server } from "../tools/server.ts";

function vhost(ending: string): string {
  return `min_latency on; play { gop_cache on; mw_latency 100; }
    http_remux { enabled on; mount [vhost]/[app]/[stream]${ending}; }`;
}

function urlOf(server: Server, ending: string): string {
  return `http://127.0.0.1:${server.apiPort}/live/livestream${ending}`;
}

/** A stream that goes on and on, served with this ending. */
async function live(s: Scenario, name: string, ending: string) {
  const server = await s.server({ vhost: vhost(ending) });
  const clip = await media(name);
  const publisher = s.publish(clip, server.url("live/livestream"), { loop: true });
  const url = urlOf(server, ending);
  await until(`${url} being there`, 15_000, async () => {
    return (await fetch(url, { method: "HEAD" })).status === 200;
  });
  return { server, clip, url, publisher };
}

/** MPEG-TS has parameter sets and delimiters in the pictures, and headers before AAC. */
const H264_SETS = "filter_units=remove_types=7-9";
const HEVC_SETS = "filter_units=remove_types=32-35";
const FROM_TS: Filters = { video: H264_SETS, audio: "aac_adtstoasc" };
const FROM_FLV: Filters = { video: `h264_mp4toannexb,${H264_SETS}` };

interface Case {
  readonly name: string;
  readonly ending: string;
  readonly kinds?: readonly Kind[];
  readonly played: Filters;
  readonly source: Filters;
  readonly ignore?: string | null;
}

const CASES: readonly Case[] = [
  { name: "h264-aac", ending: ".ts", played: FROM_TS, source: FROM_FLV },
  { name: "h264-mp3", ending: ".ts", played: { video: H264_SETS }, source: FROM_FLV },
  { name: "h264-only", ending: ".ts", played: FROM_TS, source: FROM_FLV },
  { name: "huge-keyframe", ending: ".ts", played: FROM_TS, source: FROM_FLV },
  { name: "aac-only", ending: ".ts", played: FROM_TS, source: {} },
  {
    name: "hevc",
    ending: ".ts",
    played: { video: HEVC_SETS },
    source: { video: `hevc_mp4toannexb,${HEVC_SETS}` },
    ignore: await whyNoHevc(),
  },
];

for (const { name, ending, played, source, ignore } of CASES) {
  scenario(`HTTP${ending}: ffmpeg gets every packet of ${name}`, async (s) => {
    const { clip, url } = await live(s, name, ending);
    const expected = await filtered(clip, source);
    const kinds = kindsOf(clip.recording);
    // One of them in the middle of a GOP.
    const players = [s.startPlayer(url, kinds, played)];
    await sleep(1300);
    players.push(s.startPlayer(url, kinds, played));
    for (const player of players) await player.received(kinds[0], 100);
    for (const [index, player] of players.entries()) {
      const startsWithKeyframe = kinds[0] === "video";
      assertPlayed(`player ${index + 1}`, await player.stop(), expected, {
        ...{ seconds: 2.5, loop: true, startsWithKeyframe },
      });
    }
  }, { ignore: ignore ?? null });
}

for (
  const { name, ending, played } of [
    { name: "h264-aac", ending: ".aac", played: { audio: "aac_adtstoasc" } },
    { name: "h264-mp3", ending: ".mp3", played: {} },
  ]
) {
  scenario(`HTTP${ending}: ffmpeg gets the audio of ${name}`, async (s) => {
    const { clip, url } = await live(s, name, ending);
    const player = s.startPlayer(url, ["audio"], played);
    await player.received("audio", 150);
    const { audio } = await player.stop();
    // A file of frames has no times: the packets alone are compared.
    const hashes = clip.recording.audio.map(({ hash }) => hash);
    const first = hashes.indexOf(audio[0].hash);
    assert.ok(first >= 0, "the first packet is one of the source");
    audio.forEach(({ hash }, i) => {
      assert.equal(hash, hashes[(first + i) % hashes.length], `packet ${i}`);
    });
  });
}

scenario("HTTP containers: what they are, who plays them, and what does not fit", async (s) => {
  const { server, url } = await live(s, "h264-aac", ".ts");
  const { headers } = await fetch(url, { method: "HEAD" });
  assert.equal(headers.get("Content-Type"), "video/MP2T");
  // The vhost has one container, as in SRS.
  assert.equal((await fetch(urlOf(server, ".flv"))).status, 404);
  const player = s.startPlayer(url);
  await player.received("video", 30);
  const { clients } = await server.api("/api/v1/clients/") as { clients: { name: string }[] };
  assert.ok(clients.some(({ name }) => name === "livestream.ts"), JSON.stringify(clients));
  const { stdout } = await run(
    ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0", url],
    20_000,
  );
  assert.deepEqual([...new Set(stdout.split(/\s+/).filter(Boolean))].sort(), ["aac", "h264,320"]);
});

scenario("HTTP.mp3: a stream without MP3 is not found, and the answer says why", async (s) => {
  const server = await s.server({ vhost: vhost(".mp3") });
  s.publish(await media("h264-aac"), server.url("live/livestream"), { loop: true });
  const url = urlOf(server, ".mp3");
  await until("the answer that says why", 15_000, async () => {
    const answer = await fetch(url);
    // Whoever comes before it is known what is in the stream is served, and the answer ends soon.
    return (await answer.text()).includes("livestream has nothing that fits into .mp3");
  });
  assert.equal((await fetch(url, { method: "HEAD" })).status, 404);
});

scenario("HTTP-TS: a republish with other codecs plays on", async (s) => {
  const { server, url, publisher } = await live(s, "h264-aac", ".ts");
  const played = s.startPlayer(url, ["video"], { video: H264_SETS });
  await played.received("video", 50);
  await publisher.kill();
  const clip = await media("h264-mp3");
  s.publish(clip, server.url("live/livestream"), { loop: true });
  const before = played.recording().video.length;
  await played.received("video", before + 75);
  const after = s.startPlayer(url, ["audio"]);
  await after.received("audio", 50);
});
