/**
 * A live stream: joining, publishers that come and go, what is passed on.
 * @module
 */

import assert from "node:assert/strict";
import { audioInfo } from "../../src/codec/codec_info.ts";
import { decodeAmf0All } from "../../src/rtmp/amf0.ts";
import { AmfEcmaArray } from "../../src/rtmp/amf_value.ts";
import { MessageType } from "../../src/rtmp/message.ts";
import { FakePublisher, payloads, VERSION, words } from "./support/live_fixture.ts";
import { HEADERS, playing, Scene, taken } from "./support/live_scene.ts";

// ---- joining

Deno.test("gop_cache off: the headers, then the next message", () => {
  const scene = playing(`${HEADERS} K1 P2 A3`);
  const player = scene.join();
  assert.equal(taken(player), HEADERS);
  scene.publish("P4 A5");
  assert.equal(taken(player), "P4 A5");
});

Deno.test("gop_cache on: the headers, then from the newest keyframe on", () => {
  const scene = playing(`${HEADERS} K1 P2 K3 A4 P5`, { gopCache: true });
  const player = scene.join();
  assert.equal(taken(player), `${HEADERS} K3 A4 P5`);
  scene.publish("P6");
  assert.equal(taken(player), "P6");
});

Deno.test("headers come in one write, and with the time of what follows", () => {
  const scene = playing(`${HEADERS} K1 P2 P3`, { gopCache: true });
  const player = scene.join();
  assert.equal(player.sink.views.length, 2);
  const received = player.take();
  const keyframe = received.find(({ payload }) => payload[0] === 0x17 && payload[1] === 1);
  // Metadata at another time than 0 are a track of subtitles for ffmpeg's demuxer, and VLC freezes.
  assert.deepEqual(
    received.slice(0, 3).map(({ time }) => time),
    [0, keyframe?.time, keyframe?.time],
  );
});

Deno.test("before the first keyframe there is no GOP to start with", () => {
  const scene = playing(`${HEADERS} P1 A2 P3`, { gopCache: true });
  assert.equal(taken(scene.join()), HEADERS);
});

Deno.test("a GOP of more than gop_cache_max_frames is no cache, until the next keyframe", () => {
  const scene = playing(`${HEADERS} K1 P2 A3`, { gopCache: true, gopCacheMaxFrames: 3 });
  assert.equal(taken(scene.join()), `${HEADERS} K1 P2 A3`);
  scene.publish("P4");
  assert.equal(taken(scene.join()), HEADERS);
  scene.publish("P5 P6");
  assert.equal(taken(scene.join()), HEADERS);
  scene.publish("K7");
  assert.equal(taken(scene.join()), `${HEADERS} K7`);
});

Deno.test("gop_cache_max_frames 0 is no limit", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true, gopCacheMaxFrames: 0 });
  for (let i = 0; i < 100; i++) scene.publish("P2 A3");
  assert.equal(scene.join().take().length, 3 + 201);
});

Deno.test("F9: 30 s of audio after the last picture: audio only, no GOP", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true });
  for (let i = 0; i < 1500; i++) scene.publish("A2", 20);
  assert.equal(scene.join().take().length, 3 + 1501);
  scene.publish("A3", 20);
  assert.equal(taken(scene.join()), HEADERS);
  // And it is no more when the pictures come back.
  scene.publish("P4");
  assert.equal(taken(scene.join()), HEADERS);
  scene.publish("K5 A6");
  assert.equal(taken(scene.join()), `${HEADERS} K5 A6`);
});

Deno.test("F9: still pictures: a GOP ends with the next keyframe, however much audio is in it", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true });
  for (const picture of ["P2", "P3", "K4"]) {
    for (let i = 0; i < 150; i++) scene.publish("A5", 20);
    const [first] = words(scene.join().take()).split(" ").slice(3);
    assert.equal(first, "K1");
    scene.publish(picture);
  }
  assert.equal(taken(scene.join()), `${HEADERS} K4`);
});

Deno.test("F9: neither a jump of timestamps nor a stalled network makes a stream audio only", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true, timeJitter: "off" });
  scene.time += 60_000;
  scene.publish("A2");
  scene.clock.advance(60_000);
  scene.time -= 60_000;
  scene.publish("A3");
  assert.equal(taken(scene.join()), `${HEADERS} K1 A2 A3`);
});

Deno.test("F9: a GOP of more than 5 min is no cache, until the next keyframe", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true, gopCacheMaxFrames: 0 });
  for (let s = 10; s <= 300; s += 10) scene.publish("P2", 10_000);
  assert.equal(scene.join().take().length, 3 + 31);
  scene.publish("P3", 10_000);
  assert.equal(taken(scene.join()), HEADERS);
  scene.publish("K4");
  assert.equal(taken(scene.join()), `${HEADERS} K4`);
});

Deno.test("a video header that changed makes the GOP useless, one that did not is part of it", () => {
  const scene = playing(`${HEADERS} K1 P2 VH1 P3`, { gopCache: true });
  assert.equal(taken(scene.join()), `${HEADERS} K1 P2 VH1 P3`);
  scene.publish("VH2");
  assert.equal(taken(scene.join()), "M AH1 VH2");
  scene.publish("K4");
  assert.equal(taken(scene.join()), "M AH1 VH2 K4");
});

Deno.test("audio that has no header is not made up one for joiners", () => {
  const scene = playing("M");
  scene.publisher.audio(0, new Uint8Array([0x2f, 1, 2, 3]));
  assert.equal(taken(scene.join()), "M");
  assert.equal(scene.live.audio?.codec, audioInfo(new Uint8Array([0x2f]))?.codec);
});

Deno.test("the GOP of a joiner stays in the log for as long as it is sent", () => {
  const scene = playing(`${HEADERS} K1`, { gopCache: true });
  for (let i = 0; i < 60; i++) {
    scene.time += 40;
    scene.clock.advance(40);
    scene.publisher.video(scene.time, payloads.frame(i, 50_000));
  }
  const slow = scene.join({ fast: false });
  scene.publish("K2 P3");
  scene.live.tick();
  slow.drain();
  scene.publish("P4");
  slow.drain();
  assert.equal(slow.take().length, 3 + 1 + 60 + 3);
});

// ---- publishers come and go

Deno.test("without a publisher players get nothing, then all that comes", () => {
  const scene = new Scene({ gopCache: true });
  const player = scene.join();
  assert.equal(taken(player), "");
  scene.publisher.start();
  scene.publish(`${HEADERS} K1`);
  assert.equal(taken(player), `${HEADERS} K1`);
  scene.publisher.stop();
  assert.equal(scene.live.active, false);
  // Who comes now has to wait as well.
  assert.equal(taken(scene.join()), "");
});

Deno.test("players stay for the next publisher, and get its headers as they come", () => {
  const scene = playing(`${HEADERS} K1 P2`);
  const player = scene.join();
  player.take();
  scene.publish("P3");
  scene.publisher.stop();
  scene.clock.advance(5000);
  const next = new FakePublisher(scene.live);
  assert.ok(next.start());
  next.headers(7);
  next.video(0, payloads.keyframe(8));
  const received = player.take();
  assert.equal(words(received), "P3 M AH7 VH7 K8");
  const times = received.map(({ time }) => time);
  assert.equal(times.splice(1, 1)[0], 0, "metadata are at 0");
  assert.deepEqual(times, times.toSorted((a, b) => a - b));
  assert.ok(times[3] - times[0] <= 50, `time goes on: ${times}`);
  assert.equal(taken(scene.join()), "M AH7 VH7");
});

Deno.test("a joiner gets nothing of the publisher before", () => {
  const scene = playing(`${HEADERS} K1 P2`, { gopCache: true });
  scene.publisher.stop();
  // Nobody needs what it left, not even memory.
  assert.equal(scene.live.log.bytes, 0);
  scene.publisher.start();
  assert.equal(taken(scene.join()), "");
  scene.publish("VH2 P3");
  assert.equal(taken(scene.join()), "VH2");
});

Deno.test("there is one publisher at a time", () => {
  const scene = playing(HEADERS);
  const second = new FakePublisher(scene.live);
  assert.equal(second.start(), false);
  // The one that was refused cannot end it either.
  second.stop();
  assert.equal(scene.live.active, true);
  scene.publisher.stop();
  assert.equal(second.start(), true);
});

Deno.test("what a publisher leaves unsent is sent when it goes", () => {
  const scene = new Scene({ mwLatencyMs: 100 }, false);
  const player = scene.join();
  scene.publisher.start();
  scene.publish("K1 P2 P3", 10);
  assert.equal(taken(player), "");
  scene.publisher.stop();
  assert.equal(taken(player), "K1 P2 P3");
  assert.equal(scene.clock.pending, 0);
});

Deno.test("nobody has played it since: from the publisher's start or the last player's end", () => {
  const scene = new Scene();
  scene.clock.advance(500);
  scene.publisher.start();
  assert.equal(scene.live.playerlessSince, scene.clock.now());
  const [first, second] = [scene.join(), scene.join()];
  assert.equal(scene.live.playerlessSince, null);
  scene.clock.advance(500);
  first.leave();
  assert.equal(scene.live.playerlessSince, null);
  second.leave();
  assert.equal(scene.live.playerlessSince, scene.clock.now());
  assert.equal(scene.live.idleSince, null);
});

// ---- what

Deno.test("metadata: the publisher's fields without duration, and the server's behind them", () => {
  const scene = new Scene();
  const player = scene.join();
  scene.publisher.start();
  const fields = { duration: 0, width: 640, title: "x", server: "encoder" };
  assert.equal(scene.publisher.data(0, payloads.metadata(fields)), true);
  const [message] = player.take();
  const [name, body] = decodeAmf0All(message.payload);
  assert.equal(name, "onMetaData");
  assert.ok(body instanceof AmfEcmaArray);
  assert.deepEqual([...body], [
    ["width", 640],
    ["title", "x"],
    ["server", `srs-edge/${VERSION}`],
    ["server_version", VERSION],
  ]);
});

Deno.test("new metadata goes to everybody, data without a name to nobody", () => {
  const scene = playing(HEADERS);
  const player = scene.join();
  player.take();
  assert.equal(scene.publisher.data(0, new Uint8Array(0)), false);
  assert.equal(scene.publisher.data(0, new Uint8Array([0, 0, 0, 1])), false);
  assert.equal(taken(player), "");
  scene.publish("M9");
  assert.equal(taken(player), "M");
  assert.equal(words(scene.join().take()), HEADERS);
});

Deno.test("broken metadata throws and changes nothing", () => {
  const scene = playing(HEADERS);
  const player = scene.join();
  player.take();
  const known = scene.live.headers.metadata;
  const broken = payloads.metadata({ width: 1, title: "abc" }).subarray(0, -6);
  assert.throws(() => scene.publisher.data(0, broken), { name: "RtmpError" });
  assert.equal(taken(player), "");
  assert.equal(scene.live.headers.metadata, known);
});

Deno.test("reduce_sequence_header: headers and metadata that players have are not repeated", () => {
  const scene = playing(HEADERS, { reduceSequenceHeader: true });
  const player = scene.join();
  player.take();
  scene.publish("M AH1 VH1 K1 VH1 AH1 M P2");
  assert.equal(taken(player), "K1 P2");
  scene.publish("VH2 AH2 M3 VH2 AH2 M3");
  assert.equal(taken(player), "VH2 AH2 M");
});

Deno.test("reduce_sequence_header off: everything is passed on", () => {
  const scene = playing(HEADERS);
  const player = scene.join();
  player.take();
  scene.publish("M AH1 VH1 K1 VH1");
  assert.equal(taken(player), "M AH1 VH1 K1 VH1");
});

Deno.test("mix_correct: in the order of timestamps, nothing lost at the end", () => {
  const scene = new Scene({ mixCorrect: true });
  const player = scene.join();
  const { publisher } = scene;
  publisher.start();
  publisher.video(40, payloads.keyframe(1));
  publisher.video(80, payloads.frame(2));
  assert.equal(taken(player), "");
  publisher.audio(20, payloads.audio(3));
  publisher.audio(60, payloads.audio(4));
  assert.equal(taken(player), "A3 K1 A4");
  publisher.stop();
  assert.equal(taken(player), "P2");
});

Deno.test("time_jitter full: one timeline for sound and pictures, metadata at 0", () => {
  const scene = new Scene();
  const player = scene.join();
  scene.publisher.start();
  scene.time = 50_000 - 40;
  scene.publish("K1 P2 M P3 P4");
  assert.deepEqual(player.take().map(({ time }) => time), [50_000, 50_040, 0, 50_120, 50_160]);
  assert.equal(scene.live.time, 50_160);
});

Deno.test("F1: a sequence header at 0 does not move the frames that follow", () => {
  const scene = new Scene();
  const player = scene.join();
  scene.publisher.start();
  scene.publisher.video(0, payloads.videoHeader(1));
  scene.publisher.audio(0, payloads.audioHeader(1));
  scene.publisher.video(50_000, payloads.keyframe(1));
  scene.publisher.audio(49_000, payloads.audio(1));
  assert.deepEqual(player.take().map(({ time }) => time), [0, 0, 50_000, 49_000]);
});

Deno.test("F1: tracks of one kind are told apart by their id", () => {
  const scene = new Scene();
  scene.publisher.start();
  /** Enhanced RTMP Multitrack, one track: hvc1, CodedFramesX. */
  const frame = (track: number) =>
    new Uint8Array([0xa6, 0x03, 0x68, 0x76, 0x63, 0x31, track, 0, 0, 0, 1, 9]);
  for (let time = 0; time < 1000; time += 40) {
    for (const track of [0, 1]) {
      scene.live.media(MessageType.VIDEO, time + 1500 * track, frame(track));
      assert.equal(scene.live.time, time + 1500 * track);
    }
  }
});

Deno.test("atc: timestamps are the publisher's, those of metadata too", () => {
  const scene = new Scene({ atc: true, gopCache: true });
  const player = scene.join();
  scene.publisher.start();
  scene.time = 7_200_000;
  scene.publish("M VH1 K1 P2");
  const times = [7_200_040, 7_200_080, 7_200_120, 7_200_160];
  assert.deepEqual(player.take().map(({ time }) => time), times);
  // A joiner's headers have the time of the first message of the GOP.
  const joined = scene.join().take().map(({ time }) => time);
  assert.deepEqual(joined, [7_200_120, 7_200_120, 7_200_120, 7_200_160]);
});

Deno.test("atc_auto: bravo_atc in the metadata switches it on", () => {
  for (
    const [atcAuto, value, expected] of [
      [true, "true", 90_080],
      [true, "false", 60_000],
      [true, true, 60_000],
      [false, "true", 60_000],
    ] as const
  ) {
    const scene = new Scene({ atcAuto });
    const player = scene.join();
    scene.publisher.start();
    scene.publisher.data(90_040, payloads.metadata({ bravo_atc: value }));
    scene.publisher.video(90_080, payloads.keyframe(1));
    assert.equal(player.take()[1].time, expected, `${atcAuto} ${value}`);
  }
});

Deno.test("timestamps beyond 24 bits, and long messages, come out whole", () => {
  const scene = new Scene({ timeJitter: "off" });
  const player = scene.join();
  scene.publisher.start();
  const long = payloads.keyframe(1, 200_000);
  for (const time of [0xfffffe, 0xffffff, 0x1000000, 2 ** 31 - 1]) {
    scene.publisher.video(time, long);
    const [message] = player.take();
    assert.equal(message.time, time);
    assert.deepEqual(message.payload, long);
  }
});

Deno.test("figures are there while somebody publishes, pictures without size if not parsed", () => {
  const scene = playing(`${HEADERS} K1 P2 A3`);
  assert.equal(scene.live.video?.codec, "H264");
  assert.equal(scene.live.audio?.codec, "AAC");
  assert.equal(scene.live.videoFrames, 2);
  scene.publisher.stop();
  assert.equal(scene.live.video, null);
  assert.equal(scene.live.audio, null);
});

Deno.test("the message type of what comes does not matter to a header's cache", () => {
  const scene = new Scene();
  scene.publisher.start();
  // The same bytes as audio and as video are two headers.
  scene.live.media(MessageType.VIDEO, 0, payloads.videoHeader(1));
  scene.live.media(MessageType.AUDIO, 0, payloads.audioHeader(1));
  scene.live.readDone();
  assert.equal(taken(scene.join()), "AH1 VH1");
});

Deno.test("gop_cache off: what nobody plays takes no memory, and who joins starts with the next message", () => {
  const scene = playing(`${HEADERS} K1 P2 A3 K4`);
  assert.equal(scene.live.logBytes, 0);
  assert.equal(scene.live.videoFrames, 3);
  const player = scene.join();
  scene.publish("P5 K6");
  assert.equal(taken(player), `${HEADERS} P5 K6`);
  player.leave();
  scene.publish("P7 K8");
  assert.equal(scene.live.logBytes, 0);
});
