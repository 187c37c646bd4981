/**
 * The streams that the tests publish, made by the local ffmpeg and kept under `tests/.cache`.
 * @module
 */
import { createHash } from "node:crypto";
import { Child, run } from "./process.ts";
import { probe, type Recording } from "./packets.ts";

/** Where made files are kept; not part of the repository. */
const CACHE = new URL("../.cache/", import.meta.url);

/** Seconds of each file, and of a long one. */
const SECONDS = 6;
const LONG_SECONDS = 30;

/** ms that ffmpeg may take for one file; it needs about half a second. */
const MAKE_LIMIT_MS = 60_000;

/** A media file with its packets. */
export interface Media {
  readonly name: string;
  readonly path: string;
  readonly recording: Recording;
}

/** Frames carry a counter and the tone rises, so that no two packets are the same. */
const picture = (size: string, seconds = SECONDS) =>
  `testsrc2=size=${size}:rate=25:duration=${seconds}`;
const tone = (from: number, seconds = SECONDS) =>
  `aevalsrc='0.3*sin(2*PI*(${from}+40*t)*t)':s=44100:d=${seconds}`;

const input = (source: string) => ["-f", "lavfi", "-i", source];
const x264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25"]
  .concat("-keyint_min", "25", "-sc_threshold", "0", "-threads", "1");
const bFrames = [...x264, "-profile:v", "high", "-bf", "2"];
/** Without noise substitution: the noise would be another one in every decoder. */
const aac = ["-c:a", "aac", "-aac_pns", "0", "-b:a", "48k"];

/** ffmpeg's arguments, by the name of the file that they make. */
const RECIPES: Readonly<Record<string, readonly string[]>> = {
  "h264-aac": [...input(picture("320x180")), ...input(tone(300)), ...bFrames, ...aac],
  // Decoders do as they like where a looped file starts over; this one is published once.
  "long": [...input(picture("320x180", LONG_SECONDS)), ...input(tone(300, LONG_SECONDS))]
    .concat(bFrames, aac),
  "h264-only": [...input(picture("320x180")), ...bFrames],
  "aac-only": [...input(tone(300)), ...aac],
  "h264-mp3": [...input(picture("320x180")), ...input(tone(300)), ...bFrames]
    .concat("-c:a", "libmp3lame", "-b:a", "64k"),
  // A frame of noise, coded without loss, and 24 repetitions of it: keyframes of 1.8 MB.
  "huge-keyframe": input(`color=s=1280x720:r=1:d=${SECONDS},noise=alls=100:allf=t,fps=25`)
    .concat(x264, "-preset", "ultrafast", "-qp", "0"),
  // About 12 Mbit/s, so that what a stalled player leaves behind soon outgrows every socket buffer.
  "high-bitrate": input(`${picture("640x360")},noise=alls=60:allf=t`)
    .concat(x264, "-preset", "ultrafast", "-b:v", "12M", "-maxrate", "12M", "-bufsize", "2M"),
  // What a usual 720p stream takes, for many players at once.
  "four-mbit": input(`${picture("640x360")},noise=alls=30:allf=t`)
    .concat(x264, "-preset", "ultrafast", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "1M"),
  "hevc": [...input(picture("320x180")), "-c:v", "libx265", "-preset", "ultrafast"]
    .concat("-x265-params", "log-level=error:keyint=25"),
  ...Object.fromEntries([0, 1, 2, 3, 4].map((n) => [
    `small-${n}`,
    [...input(`${picture("160x90")},hue=h=${n * 60}`), ...input(tone(200 + 150 * n))]
      .concat(bFrames, "-c:a", "aac", "-b:a", "32k"),
  ])),
};

/** Names of all files but those that not every ffmpeg can make. */
export const EVERYWHERE: readonly string[] = Object.keys(RECIPES).filter((name) => name !== "hevc");

const loaded = new Map<string, Promise<Media>>();

/** A media file by its name in `RECIPES`; made when it is not there yet. */
export function media(name: string): Promise<Media> {
  let made = loaded.get(name);
  if (made === undefined) {
    made = make(name);
    loaded.set(name, made);
  }
  return made;
}

async function make(name: string): Promise<Media> {
  const recipe = RECIPES[name];
  if (recipe === undefined) throw new Error(`there is no test media named ${name}`);
  const key = createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 12);
  await Deno.mkdir(CACHE, { recursive: true });
  const path = new URL(`${name}-${key}.flv`, CACHE).pathname;
  if (!await exists(path)) {
    // Test files run side by side: whoever is first renames a finished file into place.
    const unfinished = `${path}.${crypto.randomUUID()}`;
    await run(
      ["ffmpeg", "-nostdin", "-v", "error", "-y", ...recipe, "-f", "flv", unfinished],
      MAKE_LIMIT_MS,
    );
    await Deno.rename(unfinished, path);
  }
  return { name, path, recording: await probe(path) };
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

/** Null when this ffmpeg can put HEVC into FLV (6.1 and later), else the reason why it cannot. */
export async function whyNoHevc(): Promise<string | null> {
  const attempt = new Child(
    "ffmpeg",
    ["ffmpeg", "-nostdin", "-v", "error", ...input("color=s=64x64:d=0.2"), "-c:v", "libx265"]
      .concat("-x265-params", "log-level=none", "-f", "flv", "-y", "/dev/null"),
  );
  const status = await attempt.finish(MAKE_LIMIT_MS);
  if (status.success) return null;
  return attempt.stderr.trim().split("\n")[0] || `ffmpeg ended with ${status.code}`;
}
