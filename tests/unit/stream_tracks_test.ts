/**
 * Multitrack streams (Enhanced RTMP v2) and the players that know one track only.
 * @module
 */

import assert from "node:assert/strict";
import { Mirror } from "../../src/live/mirror/receiver.ts";
import { MirrorSenders } from "../../src/live/mirror/senders.ts";
import { FakePlayer } from "./support/fake_player.ts";
import { FakePublisher, Fixture } from "./support/live_fixture.ts";
import { concat, toHex } from "./hex.ts";

const HEVC = "68766331";
/** Plain messages of the main track, as OBS sends it. */
const HEADER = concat(`90 ${HEVC} 0102`);
const KEYFRAME = concat(`91 ${HEVC} 000000 aa`);
/** The same for track 1. */
const SIDE_HEADER = concat(`96 00 ${HEVC} 01 0304`);
const SIDE_KEYFRAME = concat(`96 01 ${HEVC} 01 000000 bb`);
/** Both tracks in one message. */
const BOTH_HEADERS = concat(`96 10 ${HEVC} 00 000002 0102 01 000002 0304`);
const BOTH_KEYFRAMES = concat(`96 11 ${HEVC} 01 000004 000000bb 00 000004 000000aa`);
const BOTH_FRAMES = concat(`a6 11 ${HEVC} 01 000004 000000dd 00 000004 000000cc`);

function scene(gopCache = false) {
  const live = new Fixture().stream({ gopCache });
  const publisher = new FakePublisher(live);
  publisher.start();
  let time = 0;
  const send = (...messages: Uint8Array[]) => {
    for (const message of messages) publisher.video(time += 40, message);
  };
  return { live, send };
}

function hexes(player: FakePlayer): string[] {
  return player.take().map(({ payload }) => toHex(payload));
}

function hex(...payloads: Uint8Array[]): string[] {
  return payloads.map((payload) => toHex(payload));
}

Deno.test("Q60 side tracks: only players that understand them get them", () => {
  const { live, send } = scene();
  const plain = new FakePlayer(live);
  const modern = new FakePlayer(live, { multitrack: true });
  send(HEADER, SIDE_HEADER, KEYFRAME, SIDE_KEYFRAME, KEYFRAME);
  assert.deepEqual(hexes(plain), hex(HEADER, KEYFRAME, KEYFRAME));
  assert.deepEqual(
    hexes(modern),
    hex(HEADER, SIDE_HEADER, KEYFRAME, SIDE_KEYFRAME, KEYFRAME),
  );
});

Deno.test("Q60 tracks in one message: the others get the main track alone", () => {
  const { live, send } = scene();
  const plain = new FakePlayer(live);
  const modern = new FakePlayer(live, { multitrack: true });
  send(BOTH_HEADERS, BOTH_KEYFRAMES, BOTH_FRAMES);
  assert.deepEqual(hexes(plain), hex(HEADER, KEYFRAME, concat(`a1 ${HEVC} 000000 cc`)));
  assert.deepEqual(hexes(modern), hex(BOTH_HEADERS, BOTH_KEYFRAMES, BOTH_FRAMES));
});

Deno.test("Q60 who joins a multitrack stream gets the headers and the GOP that it understands", () => {
  const { live, send } = scene(true);
  send(BOTH_HEADERS, BOTH_KEYFRAMES, BOTH_FRAMES);
  const frame = concat(`a1 ${HEVC} 000000 cc`);
  // The main track's keyframe counts wherever in the message it stands.
  assert.deepEqual(hexes(new FakePlayer(live)), hex(HEADER, KEYFRAME, frame));
  send(KEYFRAME, BOTH_FRAMES);
  assert.deepEqual(hexes(new FakePlayer(live)), hex(HEADER, KEYFRAME, frame));
  assert.deepEqual(
    hexes(new FakePlayer(live, { multitrack: true })),
    hex(BOTH_HEADERS, KEYFRAME, BOTH_FRAMES),
  );
});

Deno.test("Q60 a slow player of a multitrack stream gets every message of its track once", () => {
  const { live, send } = scene();
  const plain = new FakePlayer(live, { fast: false });
  send(HEADER, SIDE_HEADER);
  for (let i = 0; i < 5; i++) send(SIDE_KEYFRAME, KEYFRAME, SIDE_KEYFRAME, BOTH_KEYFRAMES);
  plain.drain();
  assert.equal(plain.take().length, 1 + 10);
});

Deno.test("F33: colours that FFmpeg sends for its second track are not for players of the first", () => {
  const avcHeader = concat("17 00 000000 01 64001f");
  const avcKeyframe = concat("17 01 000000 aa");
  const avcFrame = concat("27 01 000000 ab");
  const sideColours = concat(`d4 ${HEVC} 02 0009 636f6c6f72496e666f`);
  const { live, send } = scene(true);
  const plain = new FakePlayer(live);
  const modern = new FakePlayer(live, { multitrack: true });
  send(avcHeader, SIDE_HEADER, avcKeyframe, sideColours, SIDE_KEYFRAME, avcFrame);
  assert.deepEqual(hexes(plain), hex(avcHeader, avcKeyframe, avcFrame));
  assert.deepEqual(
    hexes(modern),
    hex(avcHeader, SIDE_HEADER, avcKeyframe, sideColours, SIDE_KEYFRAME, avcFrame),
  );
  // It is no change of the main track's codec: the GOP is still there for those who join.
  assert.deepEqual(hexes(new FakePlayer(live)), hex(avcHeader, avcKeyframe, avcFrame));
  assert.equal(live.video?.codec, "H264");
});

Deno.test("F33: a layout of channels of another codec than the track's is not for its players", () => {
  const live = new Fixture().stream({ gopCache: true });
  const publisher = new FakePublisher(live);
  publisher.start();
  const aac = [concat("af00 1210 01"), concat("af01 2122")];
  const opusLayout = concat("94 4f707573 01 01 00000004");
  const plain = new FakePlayer(live);
  const modern = new FakePlayer(live, { multitrack: true });
  for (const message of [...aac, opusLayout, aac[1]]) publisher.audio(0, message);
  assert.deepEqual(hexes(plain), hex(...aac, aac[1]));
  assert.deepEqual(hexes(modern), hex(...aac, opusLayout, aac[1]));
});

/** The main track's pictures, and between them twice as many of a side track. */
const PICTURES = [SIDE_KEYFRAME, concat(`a1 ${HEVC} 000000 cc`), SIDE_KEYFRAME];

Deno.test("F33: frames and tracks: the main track's frames are counted, the tracks are told", () => {
  const { live, send } = scene();
  send(concat("57 01"));
  assert.deepEqual(live.trackCounts, { video: 0, audio: 0 }, "a command is of no track");
  send(HEADER, KEYFRAME);
  assert.deepEqual([live.videoFrames, live.trackCounts.video], [1, 1]);
  send(SIDE_HEADER, ...PICTURES, ...PICTURES);
  assert.deepEqual([live.videoFrames, live.trackCounts.video], [3, 2]);
  // Several tracks in one message are one frame of the main track, and three tracks.
  send(concat(`a6 11 ${HEVC} 02 000001 dd 01 000001 ee 00 000001 cc`));
  assert.deepEqual([live.videoFrames, live.trackCounts.video], [4, 3]);
  // Colours, broken messages and commands are neither.
  send(
    concat(`d4 ${HEVC} 02 0009 636f6c6f72496e666f`),
    concat(`a6 11 ${HEVC} 00 0000ff cc`),
    concat("57 01"),
  );
  assert.deepEqual([live.videoFrames, live.trackCounts.video], [4, 3]);
  // A track that ends is none any more.
  send(concat(`96 02 ${HEVC} 02`));
  assert.deepEqual(live.trackCounts, { video: 2, audio: 0 });
});

Deno.test("F33: audio tracks are told too, and are those of the present publisher", () => {
  const live = new Fixture().stream();
  const publisher = new FakePublisher(live);
  publisher.start();
  publisher.audio(0, concat("af00 1210"));
  publisher.audio(0, concat("95 00 4f707573 01 4f70757348656164"));
  publisher.audio(0, concat("95 01 4f707573 02 fc"));
  assert.deepEqual(live.trackCounts, { video: 0, audio: 3 });
  publisher.stop();
  assert.deepEqual(live.trackCounts, { video: 0, audio: 0 });
  publisher.start();
  publisher.audio(0, concat("2f fffb90c4"));
  assert.deepEqual(live.trackCounts, { video: 0, audio: 1 });
});

Deno.test("F33: gop_cache_max_frames counts what players of the main tracks get", () => {
  const live = new Fixture().stream({ gopCache: true, gopCacheMaxFrames: 4 });
  const publisher = new FakePublisher(live);
  publisher.start();
  const frame = concat(`a1 ${HEVC} 000000 cc`);
  const sideSound = concat("95 01 4f707573 01 fc");
  publisher.video(0, HEADER);
  publisher.video(0, KEYFRAME);
  for (let time = 40; time <= 120; time += 40) {
    publisher.video(time, frame);
    for (let i = 0; i < 5; i++) publisher.video(time, SIDE_KEYFRAME);
    for (let i = 0; i < 5; i++) publisher.audio(time, sideSound);
  }
  assert.deepEqual(hexes(new FakePlayer(live)), hex(HEADER, KEYFRAME, frame, frame, frame));
  publisher.video(160, frame);
  assert.deepEqual(hexes(new FakePlayer(live)), hex(HEADER));
});

Deno.test("F33, F9: pictures of a side track do not keep a stream of sound waiting for a keyframe", () => {
  const fixture = new Fixture();
  const live = fixture.stream({ gopCache: true });
  const publisher = new FakePublisher(live);
  publisher.start();
  publisher.video(0, SIDE_HEADER);
  for (let time = 0; time < 4000; time += 20) {
    publisher.audio(time, concat("2f fffb90c4"));
    publisher.video(time, SIDE_KEYFRAME);
    fixture.clock.advance(20);
  }
  assert.equal(live.gop.hasVideo, false);
  // An FLV player, who has the main tracks alone, is promised sound and no pictures.
  assert.deepEqual(live.kinds, { audio: true, video: false });
});

Deno.test("F33: another thread too promises FLV players the main tracks alone", () => {
  for (const isMain of [false, true]) {
    const [owner, mirror] = [new Fixture(), new Fixture()];
    const live = owner.stream();
    const copy = mirror.stream();
    const copies = new Mirror(copy);
    new MirrorSenders(live).open(1, (_, message) => copies.take(message, () => {}));
    const publisher = new FakePublisher(live);
    publisher.start();
    for (let time = 0; time < 4000; time += 40) {
      publisher.audio(time, concat("2f fffb90c4"));
      publisher.video(time, isMain ? BOTH_FRAMES : SIDE_KEYFRAME);
      for (const { clock } of [owner, mirror]) clock.advance(40);
    }
    assert.deepEqual(live.kinds, { audio: true, video: isMain });
    assert.deepEqual(copy.kinds, { audio: true, video: isMain });
    assert.deepEqual(copy.trackCounts, { video: 0, audio: 0 }, "the publisher's thread knows them");
  }
});

Deno.test("F32, F33: the size is that of the main track's newest keyframe", () => {
  const { live, send } = scene();
  const size = () => [live.video?.codec, live.video?.width, live.video?.height];
  // VP9's uncompressed header: 320 x 180, 640 x 360.
  const small = "82 49 83 42 00 13 f0 0b 30";
  const large = "82 49 83 42 00 27 f0 16 70";
  send(concat("90 76703039 01000000 00 15 80 00 00 00 0000"));
  assert.deepEqual(size(), ["VP9", null, null]);
  assert.deepEqual([live.video?.profile, live.video?.level, live.video?.bit_depth], [
    "Profile 0",
    "2.1",
    8,
  ]);
  send(concat("91 76703039", small));
  assert.deepEqual(size(), ["VP9", 320, 180]);
  send(concat("96 01 76703039 01", large));
  assert.deepEqual(size(), ["VP9", 320, 180], "a side track's");
  send(concat("91 76703039 82 49"), concat("a1 76703039", large));
  assert.deepEqual(
    size(),
    ["VP9", 320, 180],
    "a keyframe that is cut off, and a frame that is none",
  );
  send(concat("96 01 76703039 00", large));
  assert.deepEqual(size(), ["VP9", 640, 360], "the main track of a multitrack message");
  send(concat("96 11 76703039 01 000009", large, "00 000009", small));
  assert.deepEqual(size(), ["VP9", 320, 180], "the main track behind another one");
  // Another codec: what the last one told is over.
  send(concat("91 76703038 10 00 00 00"));
  assert.deepEqual(size(), ["VP8", null, null]);
  send(concat("91 76703038 10 07 00 9d 01 2a 42 01 b6 00"));
  assert.deepEqual(size(), ["VP8", 322, 182]);
  send(HEADER);
  assert.deepEqual(size(), ["HEVC", null, null]);
});

Deno.test("F32: parse_sps off: no size, from keyframes neither", () => {
  const fixture = new Fixture();
  const { publish } = fixture.stream().vhost;
  const live = fixture.stream({}, { publish: { ...publish, parseSps: false } });
  const publisher = new FakePublisher(live);
  publisher.start();
  publisher.video(0, concat("91 76703039 82 49 83 42 00 13 f0 0b 30"));
  assert.deepEqual([live.video?.codec, live.video?.width], ["VP9", null]);
});
