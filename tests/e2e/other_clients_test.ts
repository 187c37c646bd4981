/**
 * Clients that are not ffmpeg: librtmp (rtmpdump, GStreamer's old elements) and GStreamer's own.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { probe } from "../tools/packets.ts";
import { assertPlayed, type Scenario, scenario } from "../tools/scenario.ts";
import type { Child } from "../tools/process.ts";
import { until } from "../tools/process.ts";
import type { Media } from "../tools/media.ts";

/** Bytes that some seconds of `h264-aac` have. */
const SOME_SECONDS = 150_000;

const SETTINGS = "min_latency on; play { gop_cache on; mw_latency 100; }";

/**
 * GStreamer's pipeline that sends a file's two streams, in real time, into `sink`, and what it sends
 * into the file `sent`: its multiplexer makes timestamps of its own.
 */
function pipeline(clip: Media, sink: readonly string[], sent: string): string[] {
  const paced = (
    pad: string,
  ) => [`demux.${pad}`, "!", "queue", "!", "identity", "sync=true", "!", `mux.${pad}`];
  return ["gst-launch-1.0", "-q", "filesrc", `location=${clip.path}`, "!", "flvdemux", "name=demux"]
    .concat("flvmux", "name=mux", "streamable=true", "!", "tee", "name=both", paced("video"))
    .concat(paced("audio"), "both.", "!", "queue", "!", ...sink)
    .concat("both.", "!", "queue", "!", "filesink", `location=${sent}`);
}

/** Waits until a recording has some seconds, ends the recorder and compares. */
async function compare(recorder: Child, file: string, clip: Media): Promise<void> {
  await until(`${recorder.label} to record`, 20_000, async () => {
    if (recorder.exit !== null) throw new Error(`${recorder.label} ended`);
    const size = await Deno.stat(file).then((info) => info.size).catch(() => 0);
    return size > SOME_SECONDS;
  });
  recorder.signal("SIGINT");
  // GStreamer's old source now and then does not notice while librtmp reads.
  await recorder.finish(5000).catch(() => recorder.kill());
  const { video, audio, config } = await probe(file);
  // librtmp hands out bytes, not packets: the last one may have been cut by the stop.
  const whole = { video: video.slice(0, -1), audio: audio.slice(0, -1), config };
  assertPlayed(recorder.label, whole, clip, { seconds: 1.5, loop: true });
}

/** A server with a looped stream on the air. */
async function live(s: Scenario) {
  const server = await s.server({ vhost: SETTINGS });
  const clip = await media("h264-aac");
  const url = server.url("live/livestream");
  const player = await s.play(url);
  s.publish(clip, url, { loop: true });
  await player.received("video", 10);
  return { clip, url, file: `${s.folder}/recorded.flv` };
}

scenario("rtmpdump plays", async (s) => {
  const { clip, url, file } = await live(s);
  const dump = s.spawn("rtmpdump", ["rtmpdump", "--quiet", "--live", "-r", url, "-o", file]);
  await compare(dump, file, clip);
});

for (
  const [source, location] of [
    ["rtmp2src", (url: string) => url],
    ["rtmpsrc", (url: string) => `${url} live=1`],
  ] as const
) {
  scenario(`GStreamer's ${source} plays`, async (s) => {
    const { clip, url, file } = await live(s);
    const command = ["gst-launch-1.0", "-q", "-e", source, `location=${location(url)}`]
      .concat("!", "filesink", `location=${file}`);
    await compare(s.spawn(source, command), file, clip);
  });
}

for (
  const [sink, location] of [
    ["rtmp2sink", (url: string) => url],
    ["rtmpsink", (url: string) => `${url} live=1`],
  ] as const
) {
  const library = sink === "rtmpsink" ? "librtmp" : "its own";
  scenario(`GStreamer's ${sink} (RTMP by ${library}) publishes`, async (s) => {
    const server = await s.server({ vhost: SETTINGS });
    const clip = await media("h264-aac");
    const url = server.url("live/livestream");
    const player = await s.play(url);
    const file = `${s.folder}/sent.flv`;
    const publisher = s.spawn(sink, pipeline(clip, [sink, `location=${location(url)}`], file));
    const status = await publisher.finish(20_000);
    assert.ok(status.success, `${sink} failed`);
    const sent = { ...clip, recording: await probe(file) };
    for (const kind of ["video", "audio"] as const) {
      assert.equal(sent.recording[kind].length, clip.recording[kind].length, `${kind} it sent`);
      await player.received(kind, sent.recording[kind].length);
    }
    assertPlayed(`player of ${sink}`, await player.stop(), sent, { seconds: 5 });
  });
}
