/**
 * Records what FFmpeg 8.1 sends by Enhanced RTMP, for tests that have neither it nor a network: each file
 * of tests/fixtures/enhanced_rtmp has its messages as FLV tags, `expected.jsonl` beside them what FFmpeg's
 * own demuxer makes of them.
 *
 *     deno run --allow-all tests/tools/record_enhanced.ts
 * @module
 */
import { type ClipRecipe, enhancedClip } from "./enhanced_clips.ts";
import { ensureFfmpeg8, muxFlv, probeTracks, type Track } from "./ffmpeg8.ts";

/** Where the recordings are. */
export const RECORDINGS = new URL("../fixtures/enhanced_rtmp/", import.meta.url);

/** A few kilobytes each, with three GOPs; the last one is cut short. */
const TINY = {
  seconds: 0.44,
  width: 64,
  height: 48,
  gop: 5,
  audioRate: 24,
  pictures: "gradients=seed=1:speed=0.1:c0=navy:c1=yellow",
};

/** Hex digits kept of an MD5: enough to tell packets apart. */
const HASH_DIGITS = 12;

const SINGLE: ClipRecipe[] = ["hevc", "hevc-b-frames", "av1", "vp9"].flatMap((video) =>
  ["opus", "mp3", "aac"].map((audio) => ({ video: [video], audio: [audio], ...TINY }))
);

const RECIPES: readonly ClipRecipe[] = [
  ...SINGLE,
  { video: ["hevc-hdr"], audio: ["opus"], ...TINY },
  { video: ["h264", "hevc"], audio: ["aac", "opus"], ...TINY },
  { video: ["hevc", "vp9"], audio: ["opus", "mp3"], ...TINY },
  { video: ["av1", "hevc-b-frames"], audio: ["mp3", "aac"], ...TINY },
  { video: ["h264", "h264"], audio: ["aac", "aac"], ...TINY },
];

/** A packet: track, dts and pts in ms, whether it is a keyframe, bytes, the first digits of its MD5. */
export type RecordedPacket = readonly [number, number, number, boolean, number, string];

/** A track of a recording. */
export interface RecordedTrack {
  readonly kind: string;
  readonly codec: string;
  /** Its id in Enhanced RTMP: 0 is the main track of its kind. */
  readonly id: number;
  readonly width: number;
  readonly height: number;
  readonly sampleRate: number;
  readonly channels: number;
  /** First digits of the MD5 of the decoder configuration; "" for none. */
  readonly config: string;
}

/** A line of `expected.jsonl`. */
export interface Recorded {
  readonly name: string;
  readonly tracks: readonly RecordedTrack[];
  /** In the order of the demuxer; the first number is the place of their track in `tracks`. */
  readonly packets: readonly RecordedPacket[];
}

const short = (hash: string) => hash.slice(0, HASH_DIGITS);

async function record(recipe: ClipRecipe): Promise<Recorded> {
  const name = [...recipe.video, ...recipe.audio].join("-");
  const clip = await enhancedClip(recipe);
  const flv = new URL(`${name}.flv`, RECORDINGS).pathname;
  await muxFlv(clip, flv);
  const source = (await probeTracks(clip)).sort((a, b) => a.stream - b.stream);
  const muxed = await probeTracks(flv);
  const tracks: RecordedTrack[] = [];
  const packets: RecordedPacket[] = [];
  for (const [at, original] of source.entries()) {
    const { kind, codec, width, height, sampleRate, channels } = original;
    const track = muxed.find((other) => sameContent(other, original));
    if (!track) throw new Error(`${name}: ${codec} does not come out as it went in`);
    const id = source.slice(0, at).filter((other) => other.kind === kind).length;
    const config = short(track.configs[0]);
    tracks.push({ kind, codec, id, width, height, sampleRate, channels, config });
    for (const { dts, pts, key, size, hash } of track.packets) {
      packets.push([at, dts, pts, key, size, short(hash)]);
    }
  }
  packets.sort((a, b) => a[1] - b[1]);
  return { name, tracks, packets };
}

function sameContent(a: Track, b: Track): boolean {
  return a.codec === b.codec && a.configs.length === 1 && a.packets.length === b.packets.length &&
    a.packets.every(({ hash, key }, i) => hash === b.packets[i].hash && key === b.packets[i].key);
}

if (import.meta.main) {
  await ensureFfmpeg8();
  await Deno.mkdir(RECORDINGS, { recursive: true });
  const recorded: Recorded[] = [];
  for (const recipe of RECIPES) recorded.push(await record(recipe));
  const lines = recorded.map((each) => `${JSON.stringify(each)}\n`).join("");
  await Deno.writeTextFile(new URL("expected.jsonl", RECORDINGS), lines);
}
