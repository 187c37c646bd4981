/**
 * The parts of the page that need no browser.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { addressesOf } from "../../src/page/addresses.ts";
import { readClockStamp } from "../../src/page/clock_stamp.ts";
import { DelayMeter } from "../../src/page/delay_meter.ts";
import { FlvScanner } from "../../src/page/flv_scanner.ts";
import { bitrate, bytes, delay, duration, percent } from "../../src/page/format.ts";
import { History, HISTORY_SECONDS } from "../../src/page/history.ts";
import { LiveEdge } from "../../src/page/live_edge.ts";
import { stampNal } from "../../src/probe/stamp.ts";

const ascii = (text: string) => new TextEncoder().encode(text);
const TIME = Date.UTC(2026, 10, 22, 20, 15, 7, 42);

Deno.test("clock stamps: the probe's, MISB's and OBS's", () => {
  // Behind NAL header, payload type and size: UUID and the rest, without the last byte.
  const payload = stampNal({ run: 7, number: 3, time: TIME + 0.25 }).subarray(3, -1);
  assert.equal(readClockStamp(payload.subarray(0, 16), payload.subarray(16)), TIME + 0.25);

  const micros = new DataView(new ArrayBuffer(8));
  micros.setBigUint64(0, BigInt(TIME) * 1000n);
  const u = new Uint8Array(micros.buffer);
  const misp = Uint8Array.of(0x1f, u[0], u[1], 255, u[2], u[3], 255, u[4], u[5], 255, u[6], u[7]);
  assert.equal(readClockStamp(ascii("MISPmicrosectime"), misp), TIME);

  const obs = Uint8Array.from("0aecffe752724e2fa62fd19cd61a93b5".match(/../g) ?? [], (hex) => {
    return parseInt(hex, 16);
  });
  const entry = (event: number, text: string) => [1, event, ...ascii(text), 0];
  const data = [
    3,
    ...entry(1, "2026-11-22T20:15:07.042Z"),
    ...entry(4, "2026-11-22T20:15:07.300Z"),
  ];
  assert.equal(readClockStamp(obs, Uint8Array.from(data)), TIME);
  assert.equal(readClockStamp(obs, Uint8Array.from([0, ...entry(1, "soon")])), null);
});

Deno.test("clock stamps: whatever else there is in a stream is none, and never an exception", () => {
  const uuids = ["srs-edge-stamp01", "MISPmicrosectime", "x264 - core 164 "].map(ascii);
  fc.assert(fc.property(
    fc.oneof(fc.constantFrom(...uuids), fc.uint8Array({ minLength: 16, maxLength: 16 })),
    fc.uint8Array({ maxLength: 40 }),
    (uuid, data) => {
      const time = readClockStamp(uuid, data);
      assert.ok(time === null || (time > Date.UTC(2001) && time < Date.UTC(2101)));
    },
  ));
  assert.equal(readClockStamp(uuids[2], ascii("some text of an encoder")), null);
});

function flvTag(type: number, timestamp: number, size: number): number[] {
  const body = new Array(size).fill(type);
  const total = 11 + size;
  const u24 = (n: number) => [(n >> 16) & 255, (n >> 8) & 255, n & 255];
  const head = [type, ...u24(size), ...u24(timestamp), timestamp >>> 24, 0, 0, 0];
  return [...head, ...body, ...u24(total >> 8), total & 255];
}

Deno.test("FLV scanner: the same timestamps however the bytes are cut", () => {
  const tag = fc.record({
    type: fc.constantFrom(8, 9, 18),
    timestamp: fc.integer({ min: 0, max: 0xffffffff }),
    size: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(fc.property(fc.array(tag), fc.array(fc.integer({ min: 1, max: 90 })), (tags, cuts) => {
    const file = [70, 76, 86, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]
      .concat(...tags.map(({ type, timestamp, size }) => flvTag(type, timestamp, size)));
    const seen: number[] = [];
    const scanner = new FlvScanner((timestamp) => seen.push(timestamp));
    for (let at = 0, i = 0; at < file.length; i++) {
      const end = at + (cuts[i] ?? file.length);
      scanner.push(Uint8Array.from(file.slice(at, end)));
      at = end;
    }
    const media = tags.filter(({ type }) => type !== 18).map(({ timestamp }) => timestamp);
    assert.deepEqual(seen, media);
  }));
});

Deno.test("delay: network is what comes later than the quickest", () => {
  const meter = new DelayMeter();
  assert.equal(meter.networkMs, null);
  for (let i = 0; i < 100; i++) meter.arrived(i * 40, 5000 + i * 40);
  assert.equal(meter.networkMs, 0);
  for (let i = 100; i < 400; i++) meter.arrived(i * 40, 5000 + i * 40 + 50);
  assert.ok(Math.abs((meter.networkMs ?? 0) - 50) < 1, `${meter.networkMs}`);
  meter.forgetArrivals();
  meter.arrived(16_000, 99_000);
  assert.equal(meter.networkMs, 0, "another publisher's media have another reference");
});

Deno.test("F1: delay: audio and video that lie apart are no delay", () => {
  for (const apart of [-20_000, 1000]) {
    const meter = new DelayMeter();
    for (let i = 0; i < 200; i++) {
      meter.arrived(i * 40, 5000 + i * 40, true);
      meter.arrived(i * 40 + apart, 5000 + i * 40, false);
    }
    assert.equal(meter.networkMs, 0);
    for (let i = 200; i < 500; i++) meter.arrived(i * 40 + apart, 5000 + i * 40 + 50, false);
    assert.ok(Math.abs((meter.networkMs ?? 0) - 50) < 1, `${meter.networkMs}`);
    meter.forgetArrivals();
    assert.equal(meter.networkMs, null);
  }
});

Deno.test("delay: end to end is from the stamp to the screen, also between stamps", () => {
  const meter = new DelayMeter();
  meter.shown(0, TIME, 100);
  assert.deepEqual([meter.endToEndMs, meter.bufferMs], [null, 100]);
  meter.stamped(1000, TIME);
  meter.stamped(2000, TIME + 1000);
  meter.shown(1000, TIME + 300, 120);
  assert.equal(meter.endToEndMs, 300);
  for (let i = 1; i < 40; i++) meter.shown(2000 + i * 40, TIME + 1000 + i * 40 + 250, 80);
  assert.deepEqual([meter.endToEndMs, meter.bufferMs], [250, 80]);
  meter.shown(2000 + 60_000, TIME, 80);
  assert.equal(meter.endToEndMs, null, "the stamps have ended long ago");
});

Deno.test("live edge: jumps when far behind, hurries when behind, and learns from stalls", () => {
  const edge = new LiveEdge();
  const far = edge.advise(3, 1);
  assert.ok(far.jumpTo !== null && far.jumpTo < 0.3);
  const target = far.jumpTo;
  assert.deepEqual(edge.advise(target, 1.1), { rate: 1, jumpTo: null });
  assert.ok(edge.advise(target + 0.3, 1.2).rate > 1.05);
  assert.ok(edge.advise(target + 0.02, 1.3).rate > 1, "until the target is reached");
  assert.equal(edge.advise(target - 0.01, 1.4).rate, 1);
  assert.equal(edge.advise(target + 0.02, 1.5).rate, 1, "and then it stays");
  edge.stalled(2);
  assert.equal(edge.advise(target + 0.08, 2.1).rate, 1, "it aims at more now");
  for (let i = 0; i < 100; i++) edge.stalled(3 + i);
  assert.ok((edge.advise(9, 110).jumpTo ?? 9) <= 1, "but not at any amount");
});

Deno.test("addresses: host, port, vhost and shell", () => {
  const base = new URL("http://box.local:1985/");
  const target = { vhost: "", app: "live", name: "cam", flv: "/live/cam.flv" };
  const usual = addressesOf(target, base, ["0.0.0.0:1935"]);
  assert.equal(usual.server, "rtmp://box.local/live");
  assert.equal(usual.key, "cam");
  assert.equal(usual.flv, "http://box.local:1985/live/cam.flv");
  assert.ok(usual.push.endsWith("-f flv rtmp://box.local/live/cam"));
  assert.ok(usual.play.endsWith("low_delay rtmp://box.local/live/cam"));

  const other = addressesOf({ ...target, vhost: "tv.example", flv: null }, base, [
    "10.0.0.7:19350",
  ]);
  assert.equal(other.rtmp, "rtmp://10.0.0.7:19350/live/cam?vhost=tv.example");
  assert.equal(other.flv, null);
  assert.ok(other.play.endsWith(`'${other.rtmp}'`), "a shell takes ? for a pattern");

  const below = new URL("https://proxy/box/");
  const odd = addressesOf({ ...target, name: `it's $(id)`, flv: "/a:b/x.flv" }, below, [
    "[::]:1935",
  ]);
  assert.equal(odd.flv, "https://proxy/box/a:b/x.flv");
  assert.ok(odd.push.endsWith(`'rtmp://proxy/live/it'\\''s%20$(id)'`), odd.push);
});

Deno.test("figures as people read them", () => {
  assert.deepEqual(
    [0, 59_999, 61_000, 3_725_000, 90_000_000].map(duration),
    ["0 s", "59 s", "1m 01s", "1h 02m", "1d 1h"],
  );
  assert.deepEqual([0.123, 12.6, 1250].map(delay), ["0.12 ms", "13 ms", "1.25 s"]);
  assert.deepEqual([300.4, 2412, 2_500_000].map(bitrate), [
    "300 kbit/s",
    "2.41 Mbit/s",
    "2.50 Gbit/s",
  ]);
  assert.deepEqual([640_000, 81e6, 1.24e9].map(bytes), ["640 KB", "81 MB", "1.2 GB"]);
  assert.deepEqual([0.0123, 0.5].map(percent), ["1.2 %", "50 %"]);
  assert.equal(delay(null) + bitrate(null) + duration(null), "–––");
});

Deno.test("history: some minutes, one sample a second, and not of everybody for ever", () => {
  const history = new History();
  const sample = (second: number, kbps: number) => {
    return { second, kbps, serverMs: null, delayMs: null };
  };
  for (let i = 0; i < 2 * HISTORY_SECONDS; i++) history.add("/live/a", sample(i, i));
  history.add("/live/a", sample(2 * HISTORY_SECONDS - 1, 7));
  const samples = history.of("/live/a");
  assert.equal(samples.length, HISTORY_SECONDS);
  assert.equal(samples.at(-1)?.kbps, 7);
  for (let i = 0; i < 1000; i++) history.add(`/live/${i}`, sample(700, 1));
  assert.equal(history.of("/live/a").length, 0);
  assert.equal(history.of("/live/999").length, 1);
});
