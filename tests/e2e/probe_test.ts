/**
 * `srs-edge probe` against our server, against nginx-rtmp, over HTTP-FLV, and against nothing at all.
 * @module
 */
import assert from "node:assert/strict";
import { flvFileHeader, writeFlvTagHeader, writePreviousTagSize } from "../../src/flv/flv_tag.ts";
import type { ProbeReport } from "../../src/probe/report.ts";
import { SyntheticStream } from "../../src/probe/synthetic_stream.ts";
import { media } from "../tools/media.ts";
import { startNginx } from "../tools/nginx.ts";
import { run, until } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { freePort } from "../tools/server.ts";

/** ms that a probe may take besides what it measures. */
const PROBE_LIMIT_MS = 25_000;

/** Seconds that are measured. */
const SECONDS = 3;

/** Begins what steers a terminal. */
const ESCAPE = "\x1b";

/** What the shared test clip is like, see tests/tools/media.ts. */
const CLIP = { fps: 25, gop: 25, width: 320, height: 180, sampleRate: 44_100 };

interface Probed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a probe to its end. */
async function probe(s: Scenario, ...args: string[]): Promise<Probed> {
  const child = s.command("probe", ...args);
  const { code } = await child.finish(PROBE_LIMIT_MS);
  assert.doesNotMatch(child.stdout + child.stderr, /^\s+at /m, "no stack trace");
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** Runs one with `--json` and reads what it prints. */
async function probeJson(s: Scenario, ...args: string[]): Promise<ProbeReport & Probed> {
  const probed = await probe(s, "--json", ...args);
  assert.equal(probed.stderr, "", "nothing but the object");
  return { ...JSON.parse(probed.stdout), ...probed };
}

/** Asserts that a number lies within bounds. */
function assertWithin(what: string, value: number | null | undefined, low: number, high: number) {
  assert.ok(
    typeof value === "number" && value >= low && value <= high,
    `${what}: ${value} is not within ${low} and ${high}`,
  );
}

/** Asserts that the moments of a start come in their order. */
function assertInOrder(found: ProbeReport): void {
  const { connect_ms, accepted_ms, first_frame_ms, first_keyframe_ms } = found;
  const moments = [0, connect_ms, accepted_ms, first_frame_ms, first_keyframe_ms].map(Number);
  assert.deepEqual(moments, moments.toSorted((a, b) => a - b), "moments in order");
}

/** Asserts the figures of the clip that ffmpeg pushes. */
function assertClip(found: ProbeReport & Probed): void {
  assert.equal(found.code, 0, found.stdout + found.stderr);
  assert.equal(found.ok, true);
  assert.equal(found.exit_status, 0);
  assert.equal(found.end.reason, "closed");
  assertWithin("seconds", found.seconds, SECONDS - 0.5, SECONDS + 2);
  assertInOrder(found);
  assertWithin("metadata_ms", found.metadata_ms, 0, PROBE_LIMIT_MS);
  const { video, audio } = found;
  assert.ok(video && audio);
  assert.deepEqual(
    [video.codec, video.profile, video.width, video.height],
    ["H264", "High", CLIP.width, CLIP.height],
  );
  assertWithin("fps", video.fps, CLIP.fps * 0.9, CLIP.fps * 1.05);
  assertWithin("video kbps", video.kbps, 30, 3000);
  assertWithin("gop_frames", video.gop_frames, CLIP.gop - 1, CLIP.gop + 1);
  assertWithin("gop_ms", video.gop_ms, 900, 1200);
  assertWithin("keyframes", video.keyframes, 3, SECONDS + 3);
  assert.deepEqual([audio.codec, audio.profile, audio.sample_rate], ["AAC", "LC", CLIP.sampleRate]);
  assertWithin("audio fps", audio.fps, 38, 45);
  assertWithin("audio kbps", audio.kbps, 10, 100);
  const { lag_ms: lag } = found;
  assert.ok(lag && 0 <= lag.min && lag.min <= lag.p50 && lag.p50 <= lag.p99 && lag.p99 <= lag.max);
  assertWithin("jitter_ms", found.jitter_ms, 0, 1000);
  assert.equal(found.delay_ms, null, "ffmpeg tells no clock");
  assert.deepEqual(found.redirects, []);
}

/** Asserts the figures of a stream of our own that came back. */
function assertRoundTrip(found: ProbeReport & Probed, fps: number, gop: number): void {
  assert.equal(found.code, 0, found.stdout + found.stderr);
  assert.equal(found.mode, "publish");
  assertInOrder(found);
  assert.deepEqual([found.video?.codec, found.video?.width, found.video?.height], [
    "H264",
    256,
    144,
  ]);
  assertWithin("fps", found.video?.fps, fps * 0.97, fps * 1.03);
  assert.equal(found.video?.gop_frames, gop);
  assertWithin("audio fps", found.audio?.fps, 42, 44);
  const { delay_ms: delay, publish } = found;
  assert.ok(delay && publish);
  assert.equal(delay.source, "stamp");
  assertWithin("samples", delay.samples, fps * (SECONDS - 1), fps * (SECONDS + 2));
  assert.ok(0 < delay.min && delay.min <= delay.p50 && delay.p50 <= delay.p99);
  assertWithin("max", delay.max, delay.p99, PROBE_LIMIT_MS);
  assert.equal(publish.frames_lost, 0);
  assertWithin("played", publish.frames_played, fps * (SECONDS - 1), publish.frames_sent);
}

scenario("probe of a stream on our server: the figures of what ffmpeg pushes", async (s) => {
  const server = await s.server({ vhost: "min_latency on; play { gop_cache on; }" });
  s.publish(await media("h264-aac"), server.url("live/livestream"), { loop: true });
  const url = `${server.url("live/livestream")}?token=secret`;
  const [found, text] = await Promise.all([
    probeJson(s, "--seconds", `${SECONDS}`, url),
    probe(s, "--seconds", "2", server.url("live/livestream")),
  ]);
  assertClip(found);
  assert.equal(found.url, `${server.url("live/livestream")}?token=***`);
  assert.equal(text.code, 0);
  for (
    const word of [/^ +2 s, H264 .* fps/m, /video +H264 High/, /audio +AAC LC, 44100 Hz/, /lag +/]
  ) {
    assert.match(text.stdout, word);
  }
  assert.ok(!text.stdout.includes(ESCAPE), "no terminal, no escape sequences");
});

scenario("probe of a stream on nginx-rtmp", async (s) => {
  const nginx = await startNginx(s, "application live { live on; }");
  s.publish(await media("h264-aac"), `${nginx}/live/s`, { loop: true });
  assertClip(await probeJson(s, "--seconds", `${SECONDS}`, `${nginx}/live/s`));
});

scenario("probe --publish: the delay of our server", async (s) => {
  const server = await s.server({ vhost: "min_latency on; play { gop_cache off; }" });
  const publish = ["--publish", "--seconds", `${SECONDS}`];
  const other = [...publish, "--fps", "50", "--gop", "20", "--bitrate", "800"];
  const [found, filled] = await Promise.all([
    probeJson(s, ...publish, server.url("live")),
    probeJson(s, ...other, server.url("live/named")),
  ]);
  assertRoundTrip(found, 25, 25);
  assertRoundTrip(filled, 50, 20);
  assertWithin("kbps", filled.video?.kbps, 780, 820);
  assert.equal(filled.publish?.stream, "named");
  assert.match(server.log, /fmle-publish.*stream=named/);
});

scenario("probe --publish: the delay of nginx-rtmp", async (s) => {
  const nginx = await startNginx(s, "application live { live on; }");
  const found = await probeJson(s, "--publish", "--seconds", `${SECONDS}`, `${nginx}/live`);
  assertRoundTrip(found, 25, 25);
});

scenario("probe: Ctrl-C ends it with the summary", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  s.publish(await media("small-0"), server.url("live/livestream"), { loop: true });
  const child = s.command("probe", server.url("live/livestream"));
  await until("figures", PROBE_LIMIT_MS, () => child.stdout.includes("fps"));
  assert.equal((await child.stop("SIGINT")).code, 0, child.report());
  assert.match(child.stdout, /video +H264/);
});

scenario("probe on a terminal: one block that refreshes, and stays at the end", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  s.publish(await media("small-0"), server.url("live/livestream"), { loop: true });
  const inner = s.command("probe", "--seconds", "2", server.url("live/livestream"));
  await inner.finish(PROBE_LIMIT_MS);
  const child = s.spawn("terminal", ["script", "-qec", inner.command.join(" "), "/dev/null"]);
  assert.equal((await child.finish(PROBE_LIMIT_MS)).code, 0, child.report());
  const blocks = child.stdout.split(`${ESCAPE}[0J`);
  assert.ok(blocks.length > 3, "several times");
  assert.ok(
    blocks.slice(1, -1).every((block) => /\[\d+A$/.test(block)),
    "each over the one before",
  );
  assert.match(blocks.at(-1) ?? "", /connected[\s\S]*video[\s\S]*lag/);
});

scenario("probe over HTTP-FLV: a live stream, a redirect, 404", async (s) => {
  const clip = await media("h264-aac");
  const encoders: Deno.ChildProcess[] = [];
  const live = () => {
    const args = `-nostdin -v error -re -stream_loop -1 -i ${clip.path} -c copy -f flv pipe:1`;
    const encoder = new Deno.Command("ffmpeg", { args: args.split(" "), stdout: "piped" }).spawn();
    encoders.push(encoder);
    return new Response(encoder.stdout, { headers: { "Content-Type": "video/x-flv" } });
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: freePort(), onListen() {} },
    (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/live/s.flv") return live();
      if (pathname === "/moved.flv") {
        return Response.redirect(new URL("/live/s.flv", request.url), 302);
      }
      return new Response("no such stream", { status: 404 });
    },
  );
  const base = `http://127.0.0.1:${server.addr.port}`;
  try {
    assertClip(await probeJson(s, "--seconds", `${SECONDS}`, `${base}/live/s.flv`));
    const moved = await probeJson(s, "--seconds", "1", `${base}/moved.flv`);
    assert.equal(moved.code, 0);
    assert.deepEqual(moved.redirects, [`${base}/live/s.flv`]);
    const missing = await probe(s, `${base}/none.flv`);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /none\.flv: the server answers 404/);
  } finally {
    // An encoder whose reader has gone ends by itself.
    await server.shutdown();
    await Promise.all(encoders.map((encoder) => encoder.status));
  }
});

scenario("probe says what is wrong, and ends with the status for it", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  const nginx = await startNginx(s, "application live { live on; idle_streams off; }");
  const dead = `rtmp://127.0.0.1:${freePort()}`;
  const foreign = server.url("live").replace("rtmp:", "http:");
  const cases: [string[], number, RegExp][] = [
    [[`${dead}/live/s`], 3, /127\.0\.0\.1:\d+: refused\. Nothing listens/],
    [["--publish", `${dead}/live`], 3, /refused/],
    [["rtmp://no-such-host.invalid/live/s"], 3, /no such host\. Check the name/],
    [[server.url("live/nobody")], 1, /live\/nobody: nobody publishes it/],
    [[`${nginx}/live/nobody`], 1, /live\/nobody/],
    [[`${nginx}/wrong/s`], 4, /may know no app "wrong"/],
    [["--publish", `${nginx}/wrong`], 4, /may know no app "wrong"/],
    [[`${foreign}/s.flv`], 3, /cannot connect/],
    [[`rtmp://127.0.0.1:${server.apiPort}/live/s`], 4, /HTTP server/],
    [[], 2, /probe needs a URL/],
    [["rtmp://h"], 2, /rtmp:\/\/host\/app\/stream/],
    [["ftp://h/live/s"], 2, /no RTMP address/],
    [["--publish", "http://h/live"], 2, /rtmp:\/\//],
    [["--seconds", "x", "rtmp://h/live/s"], 2, /--seconds "x"/],
    [["--fps", "25", "rtmp://h/live/s"], 2, /--publish/],
    [["--no-such-flag"], 2, /no-such-flag/],
  ];
  await Promise.all(cases.map(async ([args, code, text]) => {
    const probed = await probe(s, ...args);
    const told = probed.stderr.split("\n").filter((line) => line !== "");
    assert.equal(told.length, 1, `${args}: one line\n${probed.stderr}`);
    assert.match(told[0], text, String(args));
    assert.equal(probed.code, code, `${args}: ${told[0]}`);
  }));
});

scenario("probe --publish of a busy stream: refused with the server's words", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  const player = await s.play(server.url("live/busy"));
  s.publish(await media("small-0"), server.url("live/busy"), { loop: true });
  await player.received("video", 5);
  const found = await probeJson(s, "--publish", server.url("live/busy"));
  assert.equal(found.code, 4);
  assert.match(found.end.text, /NetStream\.Publish\.BadName/);
});

scenario(
  "the synthetic stream: every frame decodes, and ffprobe reads it from our server",
  async (s) => {
    const stream = new SyntheticStream({ fps: 25, gop: 10, kbps: 200 }, 0x00000301, () => 1.5e12);
    const parts: Uint8Array<ArrayBuffer>[] = [flvFileHeader(true, true).slice()];
    const put = ({ type, timestamp, payload }: ReturnType<typeof stream.next>) => {
      const tag = new Uint8Array(15 + payload.length);
      tag.set(payload, writeFlvTagHeader(tag, 0, type, payload.length, timestamp));
      writePreviousTagSize(tag, 11 + payload.length, payload.length);
      parts.push(tag);
    };
    stream.begin().filter(({ type }) => type !== 18).forEach(put);
    while (stream.nextAt < 4000) put(stream.next());
    const file = `${s.folder}/synthetic.flv`;
    await Deno.writeFile(file, new Uint8Array(await new Blob(parts).arrayBuffer()));
    const strict = "-v warning -err_detect explode -xerror".split(" ");
    const count = ["-f", "framecrc", "-"];
    const decoded = await run(
      ["ffmpeg", "-nostdin", ...strict, "-i", file, ...count],
      PROBE_LIMIT_MS,
    );
    assert.equal(decoded.stderr, "");
    assert.equal(decoded.stdout.match(/^0, /gm)?.length, 100, "four seconds of pictures");
    assert.equal(decoded.stdout.match(/^1, /gm)?.length, 173, "and of sound");

    const server = await s.server({ vhost: "min_latency on; play { gop_cache on; }" });
    s.command("probe", "--publish", "--seconds", "20", server.url("live/synthetic"));
    const entries = "stream=codec_name,profile,width,height,r_frame_rate,sample_rate,channels";
    const shown = ["-show_entries", entries, "-of", "default=nw=1:nk=1"];
    await until("our stream", PROBE_LIMIT_MS, () => server.log.includes("fmle-publish"));
    const seen = await run(
      ["ffprobe", "-v", "warning", ...shown, server.url("live/synthetic")],
      PROBE_LIMIT_MS,
    );
    assert.deepEqual(
      seen.stdout.trim().split("\n").sort(),
      [
        ..."0/0 1 144 25/1 256 44100".split(" "),
        "Constrained Baseline",
        "LC",
        "aac",
        "h264",
      ].sort(),
    );
  },
);
