/**
 * Multitrack streams (Enhanced RTMP v2) and the players that know one track only.
 * @module
 */

import assert from "node:assert/strict";
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
  // The keyframe that counts is one of track 0: in this message it is not the first.
  assert.deepEqual(hexes(new FakePlayer(live)), hex(HEADER));
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
