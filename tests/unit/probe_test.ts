/**
 * The probe's parts: stamp, synthetic stream, measuring, the publisher's clock, command line, report.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { parseCommandLine, UsageError } from "../../src/app/cli.ts";
import { parseProbe, ProbeUsageError, publishTarget } from "../../src/probe/options.ts";
import { publisherClock } from "../../src/probe/publisher_clock.ts";
import { exitStatus } from "../../src/probe/report.ts";
import { SampleWindow, spread } from "../../src/probe/sample_window.ts";
import { readStamp, stampNal } from "../../src/probe/stamp.ts";
import { StreamMeter } from "../../src/probe/stream_meter.ts";
import { SyntheticStream } from "../../src/probe/synthetic_stream.ts";
import { escapeNal } from "../../src/probe/synthetic_video.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfObject, type AmfValue } from "../../src/rtmp/amf_value.ts";
import type { Message } from "../../src/rtmp/message.ts";
import { concat, hex } from "./hex.ts";

const WALL = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function message(type: number, timestamp: number, payload: Uint8Array): Message {
  return { type, timestamp, payload, streamId: 1 };
}

function be32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** A legacy AVC message of these NAL units. */
function frame(...units: Uint8Array[]): Uint8Array {
  return concat("27 01 000000", ...units.map((unit) => concat(be32(unit.length), unit)));
}

// ---- stamp

Deno.test("a stamp's bytes are those of the document", () => {
  const nal = stampNal({ run: 0x01020304, number: 5, time: 1 });
  assert.deepEqual(
    nal,
    concat("06 05 20", "'srs-edge-stamp01", "01020304 00000005 3ff0000000000000 80"),
  );
});

Deno.test("property: a stamp comes back, behind a delimiter too, whatever its bytes", () => {
  const numbers = fc.constantFrom(0, 1, 2, 3, 0x300, 0x010000, 0xffffffff);
  fc.assert(
    fc.property(
      numbers,
      numbers,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (run, number, time) => {
        const stamp = { run, number, time };
        const nal = escapeNal(stampNal(stamp));
        assert.doesNotMatch(String([...nal]), /\b0,0,[012]\b/, "start codes are kept out");
        assert.deepEqual(readStamp(frame(nal, hex("4180"))), stamp);
        assert.deepEqual(readStamp(frame(hex("09f0"), nal, hex("4180"))), stamp);
      },
    ),
  );
});

Deno.test("property: no payload makes the reader of stamps throw, and none is made up", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    assert.equal(readStamp(bytes), null);
    assert.equal(readStamp(concat("17 01 000000", bytes)), null);
  }));
  const nal = escapeNal(stampNal({ run: 1, number: 2, time: 3 }));
  for (let cut = 0; cut < nal.length - 2; cut++) {
    assert.equal(readStamp(frame(nal).subarray(0, 9 + cut)), null, `cut at ${cut}`);
  }
});

// ---- synthetic stream

Deno.test("the synthetic stream: times, keyframes, 43 frames of sound a second, bitrate", () => {
  let wall = WALL;
  const stream = new SyntheticStream({ fps: 30, gop: 15, kbps: 500 }, 7, () => wall++);
  assert.deepEqual(stream.begin().map(({ type }) => type), [18, 9, 8]);
  const meter = new StreamMeter(() => wall);
  const seen: number[] = [];
  for (const { type, timestamp, payload } of stream.begin()) {
    meter.add(message(type, timestamp, payload), 0);
  }
  while (stream.nextAt < 10_000) {
    const due = stream.nextAt;
    const next = stream.next();
    assert.equal(next.timestamp, Math.round(due));
    seen.push(next.timestamp);
    meter.add(message(next.type, next.timestamp, next.payload), due);
  }
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  const { video, audio, videoInfo, audioInfo, keyframes, gopFrames, gopMs, delaySource } = meter;
  assert.deepEqual([video.frames, keyframes, gopFrames, gopMs], [300, 20, 15, 500]);
  assert.deepEqual([videoInfo?.codec, videoInfo?.width, videoInfo?.height], ["H264", 256, 144]);
  assert.deepEqual([audioInfo?.codec, audioInfo?.sample_rate, audioInfo?.channel], [
    "AAC",
    44100,
    1,
  ]);
  assert.ok(Math.abs((video.rate ?? 0) - 30) < 0.1, `${video.rate}`);
  assert.ok(Math.abs((audio.rate ?? 0) - 43.07) < 0.1, `${audio.rate}`);
  assert.ok(Math.abs((video.kbps ?? 0) - 500) < 5, `${video.kbps}`);
  assert.equal(delaySource, "stamp");
});

// ---- measuring

const KEY = hex("17 01 000000 00000001 65");
const INTER = hex("27 01 000000 00000001 41");
const SOUND = hex("af 01 00000007");

/** 25 pictures a second, each `lateMs(i)` later than it should be. */
function measure(
  count: number,
  lateMs: (i: number) => number,
  skip: (i: number) => boolean = () => false,
): StreamMeter {
  const meter = new StreamMeter(() => WALL);
  for (let i = 0; i < count; i++) {
    if (skip(i)) continue;
    meter.add(
      message(9, 1_000_000 + 40 * i, i % 50 === 0 ? KEY : INTER),
      5000 + 40 * i + lateMs(i),
    );
  }
  return meter;
}

Deno.test("lag: how much later than the quickest, without the first burst", () => {
  // Two seconds of GOP at once, then in real time with a picture in ten 7 ms late.
  const meter = measure(500, (i) => (i < 50 ? 2000 - 40 * i : i % 10 === 0 ? 7 : 0));
  const { lag } = meter;
  assert.ok(lag);
  assert.deepEqual([lag.min, lag.p50, lag.p99, lag.max], [0, 0, 7, 7]);
  assert.equal(meter.startLag, 2000);
  assert.equal(meter.lagNow, 0);
  assert.deepEqual([meter.gaps, meter.gopFrames, meter.gopMaxMs], [0, 50, 2000]);
  assert.equal(meter.video.rate, 25);
});

Deno.test("jitter: nothing for an even stream, the mean difference for an uneven one (RFC 3550)", () => {
  assert.equal(measure(200, () => 0).jitterMs, 0);
  const uneven = measure(500, (i) => (i % 2) * 10).jitterMs;
  assert.ok(Math.abs(uneven - 10) < 0.01, `${uneven}`);
});

Deno.test("gaps: pauses in the arrival; jumps: in the timestamps", () => {
  const paused = measure(200, (i) => (i >= 100 && i < 110 ? 400 - 40 * (i - 100) : 0));
  assert.equal(paused.gaps, 1);
  assert.equal(paused.longestPauseMs, 440);
  assert.equal(paused.video.jumps, 0);
  const lost = measure(200, () => 0, (i) => i >= 100 && i < 150);
  assert.deepEqual([lost.gaps, lost.video.jumps], [1, 1]);
  assert.equal(lost.video.rate, 25, "what is not there does not count");
});

Deno.test("F1: audio and video that lie apart are no lag", () => {
  for (const apart of [-20_000, 1000, 100_000]) {
    const meter = new StreamMeter(() => WALL);
    for (let i = 0; i < 200; i++) {
      const late = i === 150 ? 30 : 0;
      meter.add(message(9, 200_000 + 40 * i, i % 50 === 0 ? KEY : INTER), 40 * i + late);
      meter.add(message(8, 200_000 + 40 * i + apart, SOUND), 40 * i + late);
      if (i > 0) assert.equal(meter.lagNow, late);
    }
    assert.deepEqual(meter.lag, { min: 0, p50: 0, p99: 0, max: 30 }, `${apart} ms`);
    assert.equal(meter.startLag, 0);
  }
});

Deno.test("a timeline that starts over is no lag of an hour", () => {
  const meter = measure(100, () => 0);
  for (let i = 0; i < 100; i++) meter.add(message(9, 40 * i, INTER), 9000 + 40 * i);
  assert.equal(meter.lagNow, 0);
  assert.equal(meter.lag?.max, 0);
  assert.equal(meter.video.jumps, 1);
});

Deno.test("sound alone, empty messages, sequence headers, an end of sequence", () => {
  const meter = new StreamMeter(() => WALL);
  for (let i = 0; i < 100; i++) meter.add(message(8, 23 * i, SOUND), 23 * i);
  meter.add(message(8, 2300, new Uint8Array(0)), 2300);
  meter.add(message(9, 2300, new Uint8Array(0)), 2300);
  meter.add(message(9, 2300, hex("17 02 000000")), 2300);
  meter.add(message(9, 2300, hex("17 00 000000 01 42001e ff e1 0000 01 0000")), 2300);
  assert.deepEqual([meter.audio.frames, meter.video.frames, meter.firstFrameAt], [100, 0, null]);
  assert.equal(meter.jitterMs, 0);
});

Deno.test("the window forgets, and its percentiles are ranks", () => {
  const window = new SampleWindow();
  for (let i = 0; i < 20_000; i++) window.add(i < 10_000 ? 1000 : i < 12_000 ? 5 : 1);
  assert.equal(window.count, 20_000);
  const values = spread(window, 1);
  assert.deepEqual(values, { min: 0, p50: 4, p99: 999, max: 999 });
  const few = new SampleWindow();
  for (const value of [5, 1, 4, 2, 3]) few.add(value);
  assert.deepEqual(spread(few), { min: 1, p50: 3, p99: 5, max: 5 });
  assert.equal(spread(new SampleWindow()), null);
});

// ---- the publisher's clock

function data(name: string, fields: Iterable<readonly [string, AmfValue]>): Message {
  return message(18, 0, encodeAmf0(name, new AmfObject(fields)));
}

Deno.test("onFI: date and time of day, in whatever time zone", () => {
  const utc = data("onFI", [["sd", "02-01-2026"], ["st", "03:04:05.500"]]);
  assert.equal(publisherClock(utc, WALL), WALL - 178);
  const india = data("onFI", [["sd", "02-01-2026"], ["st", "08:34:05.5"]]);
  assert.equal(publisherClock(india, WALL), WALL - 178);
  for (
    const bad of [[["sd", "2026"], ["st", 5]], [["st", "03:04:05"]], []] as [string, AmfValue][][]
  ) {
    assert.equal(publisherClock(data("onFI", bad), WALL), null);
  }
});

Deno.test("a time in ms or microseconds in a data message; not in metadata, nor what is no time", () => {
  assert.equal(publisherClock(data("onTimecode", [["timestamp", WALL]]), WALL), WALL);
  assert.equal(publisherClock(data("onClock", [["ntp", WALL * 1000]]), WALL), WALL);
  assert.equal(publisherClock(data("onMetaData", [["timestamp", WALL]]), WALL), null);
  assert.equal(publisherClock(data("onCuePoint", [["time", 12.5]]), WALL), null);
  assert.equal(publisherClock(message(18, 0, hex("02 00")), WALL), null);
});

Deno.test("such messages give the delay, as long as there is no stamp", () => {
  const meter = measure(100, () => 0);
  meter.add(data("onTimecode", [["timestamp", WALL - 250]]), 9000);
  assert.deepEqual([meter.delay?.p50, meter.delaySource, meter.delaySamples], [250, "data", 1]);
});

// ---- command line

Deno.test("the command line: defaults, and what goes with what", () => {
  const url = "rtmp://h/live/s";
  assert.deepEqual(parseProbe([url]), { url, json: false, seconds: null, publish: null });
  assert.equal(parseProbe(["--json", url])?.seconds, 10);
  assert.equal(parseProbe([url, "--seconds", "2.5"])?.seconds, 2.5);
  assert.deepEqual(parseProbe(["--publish", "rtmp://h/live"]), {
    url: "rtmp://h/live",
    json: false,
    seconds: 10,
    publish: { fps: 25, gop: 25, kbps: 0 },
  });
  const all = ["--publish", "--fps", "50", "--gop", "10", "--bitrate", "900", "rtmp://h/live/x"];
  assert.deepEqual(parseProbe(all)?.publish, { fps: 50, gop: 10, kbps: 900 });
  assert.equal(parseProbe(["-h"]), null);
  for (
    const bad of [
      [],
      [url, url],
      ["--gop", "5", url],
      ["--publish", "http://h/s.flv"],
      ["--publish", "--fps", "0", "rtmp://h/live"],
      ["--publish", "--fps", "", "rtmp://h/live"],
      ["--seconds", "-1", url],
      ["--seconds", "1e9", url],
      ["http://"],
      ["rtmp://h/live"],
    ]
  ) {
    assert.throws(() => parseProbe(bad), ProbeUsageError, String(bad));
    assert.throws(
      () => parseCommandLine(["probe", ...bad], {}),
      (error) => error instanceof UsageError && error.status === 2,
      String(bad),
    );
  }
});

Deno.test("where --publish goes", () => {
  const to = (url: string) => {
    const { app, stream } = publishTarget(url, "probe-1");
    return [app, stream];
  };
  assert.deepEqual(to("rtmp://h/live"), ["live", "probe-1"]);
  assert.deepEqual(to("rtmp://h/live/?token=1"), ["live", "probe-1?token=1"]);
  assert.deepEqual(to("rtmp://h/live/x"), ["live", "x"]);
});

Deno.test("exit statuses", () => {
  assert.equal(exitStatus("closed", true), 0);
  assert.equal(exitStatus("closed", false), 1);
  for (const reason of ["silent", "not-found", "unpublished"] as const) {
    assert.equal(exitStatus(reason, true), 1);
  }
  assert.deepEqual([exitStatus("lost", true), exitStatus("lost", false)], [1, 4]);
  assert.deepEqual([exitStatus("unreachable", false), exitStatus("timeout", false)], [3, 3]);
  for (const reason of ["refused", "protocol", "redirect", "fault"] as const) {
    assert.equal(exitStatus(reason, false), 4);
  }
});

Deno.test("F32, F33: the figures are the main track's, with the size that a keyframe tells", () => {
  const meter = new StreamMeter(() => WALL);
  const vp9 = (head: string) => hex(`${head} 82 49 83 42 00 13 f0 0b 30`);
  const send = (type: number, at: number, payload: Uint8Array) => {
    meter.add(message(type, at, payload), at);
  };
  send(9, 0, hex("90 76703039 01000000 00 15 80 00 00 00 0000"));
  assert.deepEqual([meter.videoInfo?.level, meter.videoInfo?.width], ["2.1", null]);
  for (let at = 0; at < 2000; at += 40) {
    send(9, at, vp9(at % 1000 === 0 ? "91 76703039" : "a1 76703039"));
    // A server may send all tracks to everybody.
    send(9, at, vp9("96 01 76703039 01"));
    send(8, at, hex("af 01 21"));
    send(8, at, hex("95 01 4f707573 01 fc"));
  }
  const { videoInfo, video, audio, keyframes, gopFrames } = meter;
  assert.deepEqual([videoInfo?.level, videoInfo?.width, videoInfo?.height], ["2.1", 320, 180]);
  assert.deepEqual([video.frames, audio.frames, keyframes, gopFrames], [50, 50, 2, 25]);
  assert.equal(meter.audioInfo?.codec, "AAC");
  // Another configuration, whose keyframe does not tell: the old size is over.
  send(9, 2000, hex("90 76703039 01000000 00 1e 80 00 00 00 0000"));
  send(9, 2000, hex("91 76703039 82 49"));
  assert.deepEqual([meter.videoInfo?.level, meter.videoInfo?.width], ["3.0", null]);
});
