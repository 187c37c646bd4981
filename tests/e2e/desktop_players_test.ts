/**
 * The players that people watch with: ffplay, mpv, VLC. Each decodes a stream in real time, and every
 * frame that it shows is compared with the same frame of the published file.
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { assertFrames, decode, PRINT, printedFrames } from "../tools/frames.ts";
import { media } from "../tools/media.ts";
import { parseFrameHashes, runsOf } from "../tools/packets.ts";
import { run, sleep, until } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";

/** ms until a player must have decoded enough. */
const PLAY_LIMIT_MS = 30_000;

/** Seconds that are to be decoded, and frames of each kind that they have. */
const SECONDS = 3;
const FEWEST = { video: SECONDS * 25, audio: Math.floor(SECONDS * 44_100 / 1024) };

/** Bytes of a picture in a yuv4mpeg2 file: 320x180 in 4:2:0, and a line before it. */
const PICTURE_BYTES = 320 * 180 * 3 / 2 + "FRAME\n".length;

/** The user and group "nobody" of Debian: VLC refuses to run as root. */
const NOBODY = 65534;

/** A server with a stream on the air for half a minute; players join in the middle of it. */
async function live(s: Scenario) {
  const server = await s.server({
    vhost: "min_latency on; play { gop_cache on; mw_latency 100; }",
  });
  const clip = await media("long");
  const source = await decode(clip.path, ["video", "audio"]);
  const url = server.url("live/livestream");
  const watcher = await s.play(url);
  s.publish(clip, url);
  await watcher.received("video", 2 * 25);
  return { clip, url, source };
}

/** Both players have no screen and no loudspeaker, and are told to leave out no frame. */
const PLAYERS: Readonly<Record<string, readonly string[]>> = {
  ffplay: "env SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy ffplay -hide_banner -nostats".split(" ")
    .concat("-noframedrop", "-vf", PRINT.video, "-af", PRINT.audio),
  mpv: "mpv --no-config --vo=null --ao=null --framedrop=no --term-status-msg=".split(" ")
    .concat("--msg-level=all=warn,ffmpeg=v", `--vf=${PRINT.video}`, `--af=${PRINT.audio}`),
};

for (const [name, command] of Object.entries(PLAYERS)) {
  scenario(`${name} plays: every frame that it decodes is the publisher's`, async (s) => {
    const { url, source } = await live(s);
    const player = s.spawn(name, [...command, url]);
    const frames = () => printedFrames(player.stdout + player.stderr);
    await until(`${SECONDS} s from ${name}`, PLAY_LIMIT_MS, () => {
      if (player.exit !== null) throw new Error(`${name} ended`);
      const { video, audio } = frames();
      return video.length > FEWEST.video && audio.length > FEWEST.audio + 2;
    });
    await player.stop();
    for (const kind of ["video", "audio"] as const) {
      assertFrames(name, kind, frames()[kind], source[kind], FEWEST[kind]);
    }
  });
}

/** VLC's command, without a screen, for a user that it agrees to. */
function vlc(home: string, url: string, output: readonly string[]): string[] {
  const user = process.getuid?.() === 0
    ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]
    : [];
  return [...user, "env", `HOME=${home}`, "vlc", "-I", "dummy", "--ignore-config", "--no-color"]
    .concat("--no-osd", "--no-spu", "--no-video-title-show", ...output, url);
}

/** A folder that VLC's user may write into. */
async function openFolder(s: Scenario): Promise<string> {
  await Deno.chmod(s.folder, 0o711);
  const folder = `${s.folder}/vlc`;
  await Deno.mkdir(folder);
  await Deno.chmod(folder, 0o777);
  return folder;
}

async function bytesOf(file: string): Promise<number> {
  try {
    return (await Deno.stat(file)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

scenario("VLC plays: every frame that it shows is the publisher's", async (s) => {
  const { url, source } = await live(s);
  const folder = await openFolder(s);
  const [pictures, sound] = [`${folder}/shown.y4m`, `${folder}/heard.wav`];
  const output = ["--vout=yuv", `--yuv-file=${pictures}`, "--yuv-yuv4mpeg2"]
    .concat("--avcodec-hw=none", "--no-drop-late-frames", "--no-skip-frames")
    .concat("--aout=afile", `--audiofile-file=${sound}`);
  const player = s.spawn("VLC", vlc(folder, url, output));
  // 44.1 kHz, two channels, 16 bits.
  const soundBytes = SECONDS * 44_100 * 4;
  await until(`${SECONDS} s from VLC`, PLAY_LIMIT_MS, async () => {
    if (player.exit !== null) throw new Error("VLC ended");
    return await bytesOf(pictures) > (FEWEST.video + 2) * PICTURE_BYTES &&
      await bytesOf(sound) > soundBytes;
  });
  await player.stop();
  const { video } = await decode(pictures, ["video"]);
  // VLC draws a picture again when it waits for the next one, and the source has no two equal ones.
  const shown = video.filter((frame, i) => frame !== video[i - 1]);
  assertFrames("VLC", "video", shown, source.video, FEWEST.video);
});

scenario("VLC records: every packet of sound and every frame is the publisher's", async (s) => {
  const { clip, url, source } = await live(s);
  const folder = await openFolder(s);
  const file = `${folder}/recorded.ts`;
  const output = ["--sout", `#std{access=file,mux=ts,dst=${file}}`];
  const recorder = s.spawn("VLC", vlc(folder, url, output));
  const { size } = await Deno.stat(clip.path);
  const last = clip.recording.video[clip.recording.video.length - 1];
  // A transport stream is larger than FLV by more than what is rounded here.
  const enough = (SECONDS + 1) * size / (last.dts / 1000);
  await until(`${SECONDS} s from VLC`, PLAY_LIMIT_MS, async () => {
    if (recorder.exit !== null) throw new Error("VLC ended");
    return await bytesOf(file) > enough;
  });
  await recorder.stop();
  // Undoes what MPEG-TS adds to each packet of AAC.
  const bare = ["-map", "0:a", "-c", "copy", "-bsf:a", "aac_adtstoasc", "-f", "framemd5", "-"];
  const { stdout } = await run(["ffmpeg", "-nostdin", "-v", "error", "-i", file, ...bare], 30_000);
  // VLC cuts the last packet where it is stopped.
  const audio = parseFrameHashes(stdout).audio.slice(0, -1);
  assert.ok(audio.length >= FEWEST.audio, `${audio.length} packets of sound`);
  assert.equal(runsOf("VLC, audio", audio, clip.recording.audio, false).length, 1, "none missing");
  const { video } = await decode(file, ["video"]);
  assertFrames("VLC", "video", video.slice(0, -1), source.video, FEWEST.video);
});

/** The kinds of stream that ffprobe finds, which reads for at most a second. */
async function kindsFound(s: Scenario, url: string): Promise<string[]> {
  const options = "-v error -analyzeduration 1000000 -of csv=p=0".split(" ");
  const probe = s.spawn("ffprobe", [
    "ffprobe",
    ...options,
    "-show_entries",
    "stream=codec_type",
    url,
  ]);
  const status = await probe.finish(PLAY_LIMIT_MS);
  assert.ok(status.success, "ffprobe failed");
  return probe.stdout.trim().split("\n").sort();
}

scenario("players find the streams that are published, and no others", async (s) => {
  const server = await s.server({
    vhost: "min_latency on; play { gop_cache on; mw_latency 100; }",
  });
  const clip = await media("h264-aac");
  const url = server.url("live/livestream");
  const watcher = await s.play(url);
  const first = s.publish(clip, url, { loop: true });
  await watcher.received("video", 2 * 25);
  assert.deepEqual(await kindsFound(s, url), ["audio", "video"], "by who joins in the middle");
  await first.stop("SIGINT");
  // The stream's clock goes on from where the first publisher has left.
  const waiting = kindsFound(s, url);
  await sleep(500);
  s.publish(clip, url, { loop: true });
  assert.deepEqual(await waiting, ["audio", "video"], "by who waits for the next publisher");
});
