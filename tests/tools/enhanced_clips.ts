/**
 * Clips with the codecs of Enhanced RTMP, made by the local ffmpeg and kept under `tests/.cache`.
 * @module
 */
import { createHash } from "node:crypto";
import { run } from "./process.ts";

const CACHE = new URL("../.cache/", import.meta.url);

/** ms that ffmpeg may take for one. */
const MAKE_LIMIT_MS = 60_000;

/** Frames between keyframes unless a recipe says otherwise. There are 25 a second: all times are whole ms. */
const GOP = 50;

const X265 = ["libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params"];
/** Without a text about the encoder, and the same on every machine. */
const x265 = (gop: number, more: string) =>
  `log-level=error:info=0:pools=1:keyint=${gop}:min-keyint=${gop}:scenecut=0:${more}`;
/** BT.2020 with PQ, its mastering display and light levels. */
const HDR = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:" +
  "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)";

/** ffmpeg's codecs and their options with a GOP of so many frames, by the names that the tests use. */
const VIDEO: Readonly<Record<string, (gop: number) => readonly string[]>> = {
  h264: (
    gop,
  ) => ["libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", `${gop}`, "-bf", "2"],
  hevc: (gop) => [...X265, x265(gop, "bframes=0")],
  "hevc-b-frames": (gop) => [...X265, x265(gop, "bframes=3:b-adapt=0")],
  "hevc-hdr": (gop) => [...X265, x265(gop, `bframes=0:${HDR}`), "-pix_fmt", "yuv420p10le"],
  av1: (gop) => ["libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", `${gop}`],
  vp9: (gop) => ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", `${gop}`],
};
const AUDIO: Readonly<Record<string, readonly string[]>> = {
  opus: ["libopus"],
  mp3: ["libmp3lame"],
  // Without noise substitution: the noise would be another one in every decoder.
  aac: ["aac", "-aac_pns", "0"],
};

/** What a clip is made of: tracks by the names above. */
export interface ClipRecipe {
  readonly video: readonly string[];
  readonly audio: readonly string[];
  readonly seconds: number;
  /** Of the first picture; each further track is half as large again. */
  readonly width: number;
  readonly height: number;
  /** ffmpeg's source of pictures with its options, `testsrc2` unless given. */
  readonly pictures?: string;
  /** Frames. */
  readonly gop?: number;
  /** Of each audio track, kbit/s. */
  readonly audioRate?: number;
}

/** The path of a clip, which is made if it is not there. */
export async function enhancedClip(recipe: ClipRecipe): Promise<string> {
  const args = clipArguments(recipe);
  const key = createHash("sha256").update(JSON.stringify(args)).digest("hex").slice(0, 12);
  const path = new URL(`enhanced-${key}.mp4`, CACHE).pathname;
  if (await exists(path)) return path;
  await Deno.mkdir(CACHE, { recursive: true });
  const unfinished = `${path}.${crypto.randomUUID()}`;
  await run(["ffmpeg", "-nostdin", "-v", "error", ...args, "-f", "mp4", unfinished], MAKE_LIMIT_MS);
  await Deno.rename(unfinished, path);
  return path;
}

function clipArguments(recipe: ClipRecipe): string[] {
  const { video, audio, seconds, width, height, gop = GOP, audioRate = 48 } = recipe;
  const pictures = recipe.pictures ?? "testsrc2";
  const inputs: string[] = [];
  const codecs: string[] = [];
  for (const [i, name] of video.entries()) {
    // Even sizes: these codecs halve the colours.
    const [w, h] = [width, height].map((size) => 2 * Math.round(size * (1 + i / 2) / 2));
    inputs.push(
      "-f",
      "lavfi",
      "-i",
      `${pictures}${pictures.includes("=") ? ":" : "="}size=${w}x${h}:rate=25:duration=${seconds}`,
    );
    codecs.push("-map", `${i}:v`, ...forTrack("v", i, VIDEO[name](gop)));
  }
  for (const [i, name] of audio.entries()) {
    // The tone rises, so that no two packets are the same.
    const tone = `0.3*sin(2*PI*(${300 + 200 * i}+40*t)*t)`;
    inputs.push("-f", "lavfi", "-i", `aevalsrc='${tone}':s=48000:d=${seconds}`);
    codecs.push(
      "-map",
      `${video.length + i}:a`,
      ...forTrack("a", i, [...AUDIO[name], "-b:a", `${audioRate}k`]),
    );
  }
  return [...inputs, ...codecs];
}

/** A codec's options, each for one track alone. */
function forTrack(kind: "v" | "a", index: number, codec: readonly string[]): string[] {
  const [name, ...options] = codec;
  const own = options.map((option) =>
    option.startsWith("-") ? `${option.replace(/:[va]$/, "")}:${kind}:${index}` : option
  );
  return [`-c:${kind}:${index}`, name, ...own];
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
