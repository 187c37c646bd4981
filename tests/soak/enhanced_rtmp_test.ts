/**
 * F32, F33: Enhanced RTMP with a real encoder and a real player, FFmpeg 8.1: every packet that it publishes
 * comes out as it went in, by RTMP and HTTP-FLV, for those that wait and for those that join later. A
 * smaller set of the same messages is in tests/unit/enhanced_rtmp_test.ts.
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type FlvTag, FlvTagReader } from "../../src/flv/flv_tag.ts";
import { type ClipRecipe, enhancedClip } from "../tools/enhanced_clips.ts";
import {
  ensureFfmpeg8,
  muxFlv,
  probeTracks,
  publishFile,
  type Track,
  TrackPlayer,
} from "../tools/ffmpeg8.ts";
import { flvFile, type TagMessage } from "../tools/flv_file.ts";
import { assertContiguousRun } from "../tools/packets.ts";
import { sleep, until } from "../tools/process.ts";
import { type RawClient, Type } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import type { Server } from "../tools/server.ts";

const VHOST = `min_latency on;
  play { gop_cache on; queue_length 10; mw_latency 100; }
  publish { mr off; }
  http_remux { enabled on; }`;

/** Seconds of a clip. */
const SECONDS = 6;

/** Seconds of it after which players join: well within a GOP, which has 2 s. */
const JOIN_AFTER_S = 2.8;

/** ms that a publisher may take for a clip. */
const PUBLISH_LIMIT_MS = 30_000;

/** ms until the API knows of a player. */
const JOIN_LIMIT_MS = 15_000;

/** ms until the last messages of a stream must have come. */
const TAIL_LIMIT_MS = 10_000;

/** ms of a whole scenario: clips may have to be made. */
const LIMIT_MS = 120_000;

/** ms by which sound and picture may lie apart otherwise than in the clip: both are rounded. */
const APART_MS = 2;

/** The API's names of codecs, by FFmpeg's. */
const API_NAMES: Readonly<Record<string, string>> = {
  h264: "H264",
  hevc: "HEVC",
  av1: "AV1",
  vp9: "VP9",
  aac: "AAC",
  mp3: "MP3",
  opus: "Opus",
};

/** The bit of `capsEx` that says "multitrack" (Enhanced RTMP v2). */
const CAPS_MULTITRACK = 2;

/** What is published, and what must come out. */
interface Clip {
  readonly name: string;
  readonly file: string;
  /** The same as FLV, by FFmpeg 8.1: the messages that it publishes. */
  readonly flv: string;
  /** Tracks of the file, with the decoder configuration that FFmpeg makes of it for FLV. */
  readonly tracks: readonly Track[];
}

async function makeClip(s: Scenario, recipe: ClipRecipe): Promise<Clip> {
  const name = [...recipe.video, ...recipe.audio].join("-");
  const file = await enhancedClip(recipe);
  const flv = `${s.folder}/${name}.flv`;
  await muxFlv(file, flv);
  const muxed = await probeTracks(flv);
  const tracks = (await probeTracks(file)).sort((a, b) => a.stream - b.stream).map((track) => {
    const same = muxed.find(({ packets }) => packets[0].hash === track.packets[0].hash);
    assert.ok(same, `${name}: FFmpeg does not write its ${track.codec}`);
    return { ...track, configs: same.configs };
  });
  assert.equal(tracks.length, recipe.video.length + recipe.audio.length, `${name}: tracks`);
  return { name, file, flv, tracks };
}

function trackOf({ name, tracks }: Clip, codec: string): Track {
  const found = tracks.find((track) => track.codec === codec.replace("-b-frames", ""));
  assert.ok(found, `${name} has ${codec}`);
  return found;
}

/** A client that says that it knows multitrack, and keeps all messages. */
async function multitrackPlayer(s: Scenario, server: Server, name: string): Promise<RawClient> {
  const client = await s.raw(server);
  await client.call("connect", { app: "live", tcUrl: server.url("live"), capsEx: CAPS_MULTITRACK });
  await client.call("createStream", null);
  client.command("play", null, name, -2000);
  await client.status("NetStream.Play.Start");
  return client;
}

function isMedia({ type }: TagMessage): boolean {
  return type === Type.AUDIO || type === Type.VIDEO;
}

/** Type, time and MD5 of the audio and video messages in an FLV file, or of those given. */
function mediaOf(messages: readonly TagMessage[]): [number, number, string][] {
  return messages.filter(isMedia).map((
    message,
  ) => [
    message.type,
    message.timestamp,
    createHash("md5").update(message.payload).digest("hex"),
  ]);
}

function readFlv(file: string): FlvTag[] {
  const reader = new FlvTagReader();
  reader.push(Deno.readFileSync(file));
  const tags: FlvTag[] = [];
  for (let tag = reader.next(); tag; tag = reader.next()) tags.push(tag);
  return tags;
}

/** Asserts that a client gets every message of a clip, also those of which no packet is made. */
async function assertMessages({ messages }: RawClient, clip: Clip): Promise<void> {
  const sent = mediaOf(readFlv(clip.flv));
  // What is missing after that the comparison tells.
  await until("", TAIL_LIMIT_MS, () => messages.filter(isMedia).length >= sent.length)
    .catch(() => {});
  assert.deepEqual(mediaOf(messages), sent, `messages of ${clip.name}`);
}

/** Asserts that the API tells a stream's main tracks as the file has them. */
async function assertFigures(server: Server, name: string, main: readonly Track[]): Promise<void> {
  const { streams } = await server.api("/api/v1/streams?count=1000") as {
    streams: { name: string; video: Record<string, unknown>; audio: Record<string, unknown> }[];
  };
  const stream = streams.find((each) => each.name === name);
  assert.ok(stream, `the API knows ${name}`);
  const [video, audio] = main;
  const { codec, width, height } = stream.video;
  assert.equal(codec, API_NAMES[video.codec], name);
  assert.deepEqual([width, height], [video.width, video.height], name);
  const { codec: audioCodec, sample_rate, channel } = stream.audio;
  assert.deepEqual(
    [audioCodec, sample_rate, channel],
    [API_NAMES[audio.codec], audio.sampleRate, audio.channels],
    name,
  );
}

/** What a player must get. */
interface Expected {
  readonly player: TrackPlayer;
  /** Everything: it waited. Otherwise it starts with a keyframe: the first one, or one near the middle. */
  readonly from: "the beginning" | "the first keyframe" | "a keyframe";
}

/** Starts a player and waits until the server knows it. */
async function startPlayer(
  s: Scenario,
  server: Server,
  name: string,
  url: string,
  from: Expected["from"],
): Promise<Expected> {
  const before = await countPlayers(server, name);
  const player = new TrackPlayer(s, url);
  await until(`the player of ${url}`, JOIN_LIMIT_MS, async () => {
    assert.equal(player.process.exit, null, player.process.label);
    return await countPlayers(server, name) > before;
  });
  return { player, from };
}

async function countPlayers(server: Server, name: string): Promise<number> {
  const { clients } = await server.api("/api/v1/clients?count=1000") as {
    clients: { publish: boolean; name: string }[];
  };
  return clients.filter((client) => !client.publish && client.name.replace(/\.flv$/, "") === name)
    .length;
}

async function isPublished(server: Server, name: string): Promise<boolean> {
  const { streams } = await server.api("/api/v1/streams?count=1000") as {
    streams: { publish: { active: boolean }; name: string }[];
  };
  return streams.some((stream) => stream.name === name && stream.publish.active);
}

/** Asserts that a player has had the expected tracks and no others, packet by packet, to their end. */
function assertTracks(
  label: string,
  played: readonly Track[],
  expected: readonly Track[],
  from: Expected["from"],
): void {
  const names = (tracks: readonly Track[]) => tracks.map(({ codec }) => codec).sort();
  assert.deepEqual(names(played), names(expected), `${label}: tracks`);
  const runs = expected.map((source) => {
    const place = `${label}, ${source.codec}`;
    const hashes = new Set(source.packets.map(({ hash }) => hash));
    const track = played.find(({ packets: [first] }) => hashes.has(first.hash));
    assert.ok(track, `${place}: it begins with none of its packets`);
    assert.deepEqual(track.configs, source.configs, `${place}: the decoder configuration`);
    const isVideo = source.kind === "video";
    const { length } = source.packets;
    const run = assertContiguousRun(place, track.packets, source.packets, {
      minPackets: from === "a keyframe" ? Math.floor(length / 3) : 1,
      whole: from === "the beginning" || (from === "the first keyframe" && isVideo),
      startsWithKeyframe: isVideo,
    });
    assert.equal(run.from + run.length, length, `${place}: the end is missing`);
    if (from === "a keyframe") assert.ok(run.from > 0, `${place}: it joined too early`);
    for (const [i, { key, size }] of track.packets.entries()) {
      const original = source.packets[run.from + i];
      assert.deepEqual({ key, size }, { key: original.key, size: original.size }, `${place}: ${i}`);
    }
    return { source, from: run.from, offset: track.packets[0].dts - source.packets[run.from].dts };
  });
  const offsets = runs.map(({ offset }) => offset);
  const apart = Math.max(...offsets) - Math.min(...offsets);
  assert.ok(apart <= APART_MS, `${label}: tracks are ${apart} ms farther apart than in the clip`);
  const keyframe = runs.find(({ source }) => source.kind === "video");
  if (!keyframe) return;
  const begin = keyframe.source.packets[keyframe.from].dts;
  for (const { source, from } of runs) {
    if (from === 0 || source.kind === "video") continue;
    const missing = source.packets[from - 1].dts;
    const place = `${label}, ${source.codec}`;
    assert.ok(
      missing <= begin,
      `${place}: ${missing} ms is missing, the keyframe is at ${begin} ms`,
    );
  }
}

/** Whether the last packets of the expected tracks have come. */
function isComplete(expected: readonly Track[]): (tracks: readonly Track[]) => boolean {
  const lasts = expected.map(({ packets }) => packets[packets.length - 1].hash);
  return (tracks) =>
    lasts.every((hash) => tracks.some(({ packets }) => packets.at(-1)?.hash === hash));
}

/** Publishes a clip once, with players that wait for it and players that join in its middle. */
async function playClip(
  s: Scenario,
  server: Server,
  clip: Clip,
  expected: readonly Track[] = clip.tracks,
): Promise<void> {
  const { name } = clip;
  const rtmp = server.url(`live/${name}`);
  const flv = `http://127.0.0.1:${server.apiPort}/live/${name}.flv`;
  const players = [await startPlayer(s, server, name, rtmp, "the beginning")];
  const publisher = publishFile(s, clip.file, rtmp);
  const begun = performance.now();
  // Until then its FLV address is unknown.
  await until(`the publisher of ${name}`, JOIN_LIMIT_MS, () => isPublished(server, name));
  players.push(await startPlayer(s, server, name, flv, "the first keyframe"));
  await sleep(JOIN_AFTER_S * 1000 - (performance.now() - begun));
  players.push(await startPlayer(s, server, name, rtmp, "a keyframe"));
  players.push(await startPlayer(s, server, name, flv, "a keyframe"));
  await assertFigures(server, name, expected);
  const status = await publisher.finish(PUBLISH_LIMIT_MS);
  assert.ok(status.success, `${publisher.label} failed`);
  const complete = isComplete(expected);
  for (const { player, from } of players) {
    assertTracks(`${player.url} from ${from}`, await player.finish(complete), expected, from);
  }
}

await ensureFfmpeg8();

for (const video of ["hevc", "hevc-b-frames", "av1", "vp9"]) {
  scenario(`F32: ${video} with Opus, MP3 and AAC by FFmpeg 8.1, packet by packet`, async (s) => {
    const server = await s.server({ vhost: VHOST });
    const clips = await Promise.all(["opus", "mp3", "aac"].map((audio) =>
      makeClip(s, {
        video: [video],
        audio: [audio],
        seconds: SECONDS,
        width: 320,
        height: 180,
      })
    ));
    await Promise.all(clips.map((clip) => playClip(s, server, clip)));
  }, { limitMs: LIMIT_MS });
}

const MULTITRACK: readonly Pick<ClipRecipe, "video" | "audio">[] = [
  // The main tracks are such that every player can have them.
  { video: ["h264", "hevc"], audio: ["aac", "opus"] },
  { video: ["hevc", "vp9"], audio: ["opus", "mp3"] },
  { video: ["av1", "hevc-b-frames"], audio: ["mp3", "aac"] },
  // One picture in several sizes.
  { video: ["h264", "h264", "h264"], audio: ["aac", "aac"] },
  { video: ["hevc", "hevc"], audio: ["opus"] },
];

for (const { video, audio } of MULTITRACK) {
  const name = [...video, ...audio].join("-");
  scenario(`F33: ${name} as one multitrack stream of FFmpeg 8.1, packet by packet`, async (s) => {
    const server = await s.server({ vhost: VHOST });
    const clip = await makeClip(s, { video, audio, seconds: SECONDS, width: 320, height: 180 });
    const main = [video[0], audio[0]].map((codec) => trackOf(clip, codec));
    const everything = await multitrackPlayer(s, server, clip.name);
    const older = video[0] === "h264" ? await s.play(server.url(`live/${clip.name}`)) : null;
    await playClip(s, server, clip, main);
    if (older) {
      // Its demuxer knows nothing of Enhanced RTMP.
      const played = await older.stop();
      for (const { kind, packets } of main) {
        assert.ok(kind === "video" || kind === "audio");
        const all = { minPackets: packets.length, whole: true };
        assertContiguousRun(`the local ffmpeg, ${kind}`, played[kind], packets, all);
      }
    }
    await assertMessages(everything, clip);
    const file = `${s.folder}/everything.flv`;
    await Deno.writeFile(file, flvFile(everything.messages.filter(isMedia)));
    assertTracks(
      "a player that knows multitrack",
      await probeTracks(file),
      clip.tracks,
      "the beginning",
    );
  }, { limitMs: LIMIT_MS });
}

scenario("F33: all tracks of FFmpeg 8.1 through an edge and a forward", async (s) => {
  const target = await s.server({ vhost: VHOST });
  const forward = `forward { enabled on; destination 127.0.0.1:${target.port}; }`;
  const origin = await s.server({ vhost: `${VHOST} ${forward}` });
  const cluster = `cluster { mode remote; origin 127.0.0.1:${origin.port}; }`;
  const edge = await s.server({ vhost: `${VHOST} ${cluster}` });
  const tracks = { video: ["hevc", "vp9"], audio: ["opus", "mp3"] };
  const clip = await makeClip(s, { ...tracks, seconds: SECONDS, width: 320, height: 180 });
  const main = ["hevc", "opus"].map((codec) => trackOf(clip, codec));
  const clients: RawClient[] = [];
  const players: Expected[] = [];
  for (const server of [target, edge]) {
    clients.push(await multitrackPlayer(s, server, clip.name));
    const url = server.url(`live/${clip.name}`);
    players.push(await startPlayer(s, server, clip.name, url, "the beginning"));
  }
  const publisher = publishFile(s, clip.file, origin.url(`live/${clip.name}`));
  const status = await publisher.finish(PUBLISH_LIMIT_MS);
  assert.ok(status.success, `${publisher.label} failed`);
  for (const { player, from } of players) {
    const played = await player.finish(isComplete(main));
    assertTracks(`${player.url} from ${from}`, played, main, from);
  }
  for (const client of clients) await assertMessages(client, clip);
}, { limitMs: LIMIT_MS });
