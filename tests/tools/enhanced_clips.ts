/**
 * Clips with the codecs of Enhanced RTMP, made by the local ffmpeg and kept under `tests/.cache`.
 * @module
 */
import { createHash } from "node:crypto";
import { run } from "./process.ts";

const CACHE = new URL("../.cache/", import.meta.url);

/** ms that ffmpeg may take for one. */
const MAKE_LIMIT_MS = 60_000;

/** Frames between keyframes; pictures come 25 times a second, so that all times are whole ms. */
const GOP = 50;

const x265 = (more: string) =>
  ["libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params"]
    .concat(`log-level=error:keyint=${GOP}:min-keyint=${GOP}:scenecut=0:${more}`);

/** ffmpeg's codecs and their options, by the names that the tests use. */
const VIDEO: Readonly<Record<string, readonly string[]>> = {
  h264: ["libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", `${GOP}`, "-bf", "2"],
  hevc: x265("bframes=0"),
  "hevc-b-frames": x265("bframes=3:b-adapt=0"),
  av1: ["libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", `${GOP}`],
  vp9: ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", `${GOP}`],
};
const AUDIO: Readonly<Record<string, readonly string[]>> = {
  opus: ["libopus", "-b:a", "48k"],
  mp3: ["libmp3lame", "-b:a", "48k"],
  // Without noise substitution: the noise would be another one in every decoder.
  aac: ["aac", "-aac_pns", "0", "-b:a", "48k"],
};

/** What a clip is made of: tracks by the names above. */
export interface ClipRecipe {
  readonly video: readonly string[];
  readonly audio: readonly string[];
  readonly seconds: number;
  /** Of the first picture; each further track is half as large again. */
  readonly width: number;
  readonly height: number;
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

function clipArguments({ video, audio, seconds, width, height }: ClipRecipe): string[] {
  const inputs: string[] = [];
  const codecs: string[] = [];
  for (const [i, name] of video.entries()) {
    // Even sizes: these codecs halve the colours.
    const [w, h] = [width, height].map((size) => 2 * Math.round(size * (1 + i / 2) / 2));
    inputs.push("-f", "lavfi", "-i", `testsrc2=size=${w}x${h}:rate=25:duration=${seconds}`);
    codecs.push("-map", `${i}:v`, ...forTrack("v", i, VIDEO[name]));
  }
  for (const [i, name] of audio.entries()) {
    // The tone rises, so that no two packets are the same.
    const tone = `0.3*sin(2*PI*(${300 + 200 * i}+40*t)*t)`;
    inputs.push("-f", "lavfi", "-i", `aevalsrc='${tone}':s=48000:d=${seconds}`);
    codecs.push("-map", `${video.length + i}:a`, ...forTrack("a", i, AUDIO[name]));
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
