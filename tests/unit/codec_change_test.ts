/**
 * F16, F17: headers are kept for each track and the codec that it has; what belonged to a header goes
 * with it.
 * @module
 */

import assert from "node:assert/strict";
import { HeaderCache, type HeaderSnapshot } from "../../src/live/ingest/header_cache.ts";
import { MessageType } from "../../src/rtmp/message.ts";
import { FakePlayer, type Received } from "./support/fake_player.ts";
import { FakePublisher, Fixture, payloads } from "./support/live_fixture.ts";
import { concat, toHex } from "./hex.ts";

const { AUDIO, VIDEO } = MessageType;

const HVC1 = "68766331";
const AVC1 = "61766331";
const AAC = "af00 1210 01";
const AAC_FRAME = "af01 2122";
const AAC_48K = "af00 1190 02";
const MP3_FRAME = "2f fffb 9064 00";
const OPUS = "90 4f707573 4f707573 48656164 01 02 0000 80bb0000 0000 00";
const OPUS_FRAME = "91 4f707573 fc";
const LAYOUT = "94 4f707573 00 02";
const HEVC = `90 ${HVC1} 0101`;
const HEVC_2 = `90 ${HVC1} 0202`;
const HEVC_KEY = `91 ${HVC1} 000000 aa`;
const HDR = `94 ${HVC1} 02 0009 636f6c6f72496e666f`;
const AVC = "17 00 000000 01 64001f";
const AVC_KEY = "17 01 000000 bb";
const AVC_FRAME = "27 01 000000 cc";
const VP6_KEY = "14 00 11";

type Item = readonly [type: number, hex: string];

function scene(play = {}) {
  const live = new Fixture().stream({ gopCache: true, ...play });
  const publisher = new FakePublisher(live);
  publisher.start();
  let time = 0;
  const send = (...items: Item[]) => {
    for (const [type, hex] of items) {
      const payload = concat(hex);
      if (type === VIDEO) publisher.video(time += 40, payload);
      else publisher.audio(time += 40, payload);
    }
  };
  return { live, publisher, send };
}

function hexes(messages: readonly Received[]): string[] {
  return messages.map(({ payload }) => toHex(payload));
}

/** What a player that joins now gets at once. */
function joined(live: ReturnType<typeof scene>["live"], multitrack = false): string[] {
  return hexes(new FakePlayer(live, { multitrack }).take());
}

function plain(...texts: string[]): string[] {
  return texts.map((text) => toHex(concat(text)));
}

Deno.test("F16: colour metadata goes with the header that it came with", () => {
  const { live, send } = scene();
  send([VIDEO, HEVC], [VIDEO, HDR], [VIDEO, HEVC_KEY]);
  assert.deepEqual(joined(live), plain(HEVC, HDR, HEVC_KEY));
  // The same header again, as many encoders repeat it, replaces nothing.
  send([VIDEO, HEVC]);
  assert.deepEqual(joined(live), plain(HEVC, HDR, HEVC_KEY, HEVC));
  send([VIDEO, HEVC_2], [VIDEO, HEVC_KEY]);
  assert.deepEqual(joined(live), plain(HEVC_2, HEVC_KEY));
  send([VIDEO, HDR], [VIDEO, HEVC_KEY]);
  assert.deepEqual(joined(live), plain(HEVC_2, HDR, HEVC_KEY));
});

Deno.test("F16: HEVC with HDR, then H.264, then HEVC without", () => {
  const { live, send } = scene();
  send([VIDEO, HEVC], [VIDEO, HDR], [VIDEO, HEVC_KEY], [VIDEO, AVC], [VIDEO, AVC_KEY]);
  assert.deepEqual(joined(live), plain(AVC, AVC_KEY));
  assert.equal(live.video?.codec, "H264");
  send([VIDEO, HEVC], [VIDEO, HEVC_KEY]);
  assert.deepEqual(joined(live), plain(HEVC, HEVC_KEY));
  assert.equal(live.video?.codec, "HEVC");
});

Deno.test("F16: colour metadata before the first header stays", () => {
  const { live, send } = scene();
  send([VIDEO, HDR], [VIDEO, HEVC], [VIDEO, HEVC_KEY]);
  assert.deepEqual(joined(live), plain(HDR, HEVC, HEVC_KEY));
  assert.equal(live.video?.codec, "HEVC");
});

Deno.test("F16: colour metadata of one track outlives a new header of another", () => {
  const { live, send } = scene();
  const side = `96 00 ${HVC1} 01 0304`;
  const sideHdr = `96 04 ${HVC1} 01 02 0009 636f6c6f72496e666f`;
  send([VIDEO, HEVC], [VIDEO, HDR], [VIDEO, side], [VIDEO, sideHdr], [VIDEO, HEVC_2]);
  assert.deepEqual(joined(live, true), plain(side, sideHdr, HEVC_2));
  assert.deepEqual(joined(live), plain(HEVC_2));
});

Deno.test("F16: the layout of channels goes with its header too", () => {
  const { live, send } = scene();
  send([AUDIO, OPUS], [AUDIO, LAYOUT], [AUDIO, OPUS_FRAME]);
  assert.deepEqual(joined(live), plain(OPUS, LAYOUT));
  send([AUDIO, AAC], [AUDIO, AAC_FRAME]);
  assert.deepEqual(joined(live), plain(AAC));
  send([AUDIO, OPUS]);
  assert.deepEqual(joined(live), plain(OPUS));
});

Deno.test("F17: AAC, MP3 and AAC again: joiners get the header of the codec in use", () => {
  const { live, send } = scene();
  send([VIDEO, AVC], [AUDIO, AAC], [VIDEO, AVC_KEY], [AUDIO, AAC_FRAME]);
  const player = new FakePlayer(live);
  player.take();
  assert.deepEqual(joined(live), plain(AAC, AVC, AVC_KEY, AAC_FRAME));
  send([AUDIO, MP3_FRAME]);
  // What came with AAC is no beginning for somebody without its header.
  assert.deepEqual(joined(live), plain(AVC));
  assert.deepEqual(live.audio, { codec: "MP3", sample_rate: 44100, channel: 2, profile: null });
  send([VIDEO, AVC_KEY], [AUDIO, MP3_FRAME]);
  assert.deepEqual(joined(live), plain(AVC, AVC_KEY, MP3_FRAME));
  send([AUDIO, AAC], [VIDEO, AVC_KEY], [AUDIO, AAC_FRAME]);
  assert.deepEqual(joined(live), plain(AAC, AVC, AVC_KEY, AAC_FRAME));
  assert.equal(live.audio?.codec, "AAC");
  const all = plain(MP3_FRAME, AVC_KEY, MP3_FRAME, AAC, AVC_KEY, AAC_FRAME);
  assert.deepEqual(hexes(player.take()), all, "who is there gets all of it");
});

Deno.test("F17: an encoder that goes back to AAC does not repeat its header", () => {
  const { live, send } = scene();
  send([AUDIO, AAC], [AUDIO, AAC_FRAME], [AUDIO, MP3_FRAME], [AUDIO, AAC_FRAME]);
  assert.deepEqual(joined(live), plain(AAC));
  assert.equal(live.audio?.codec, "AAC");
});

Deno.test("F17: MP3 first, then AAC; AAC to Opus and back", () => {
  const { live, send } = scene();
  send([AUDIO, MP3_FRAME]);
  assert.equal(live.audio?.codec, "MP3");
  send([AUDIO, AAC], [AUDIO, AAC_FRAME]);
  assert.deepEqual(joined(live), plain(AAC));
  assert.equal(live.audio?.codec, "AAC");
  send([AUDIO, OPUS], [AUDIO, OPUS_FRAME]);
  assert.deepEqual(joined(live), plain(OPUS));
  assert.equal(live.audio?.codec, "Opus");
  send([AUDIO, AAC_48K], [AUDIO, AAC_FRAME]);
  assert.deepEqual(joined(live), plain(AAC_48K));
  assert.equal(live.audio?.sample_rate, 48000);
});

Deno.test("F17: the first audio of a stream does not cost the GOP", () => {
  const { live, send } = scene();
  send([VIDEO, AVC], [VIDEO, AVC_KEY], [AUDIO, MP3_FRAME]);
  assert.deepEqual(joined(live), plain(AVC, AVC_KEY, MP3_FRAME));
});

Deno.test("F17: reduce_sequence_header does not hold back the header of a codec that comes back", () => {
  const { live, send } = scene({ reduceSequenceHeader: true });
  send([VIDEO, AVC], [VIDEO, AVC_KEY], [VIDEO, HEVC], [VIDEO, HEVC_KEY]);
  const player = new FakePlayer(live);
  player.take();
  send([VIDEO, AVC], [VIDEO, AVC], [VIDEO, AVC_KEY]);
  assert.deepEqual(hexes(player.take()), plain(AVC, AVC_KEY));
  assert.deepEqual(joined(live), plain(AVC, AVC_KEY));
});

Deno.test("F17: H.264 to a codec without header: none is told, the API names it", () => {
  const { live, send } = scene();
  send([VIDEO, AVC], [VIDEO, AVC_KEY], [VIDEO, VP6_KEY]);
  assert.deepEqual(joined(live), plain(VP6_KEY));
  assert.equal(live.video?.codec, "VP6");
  send([VIDEO, AVC], [VIDEO, AVC_KEY], [VIDEO, AVC_FRAME]);
  assert.deepEqual(joined(live), plain(AVC, AVC_KEY, AVC_FRAME));
  assert.equal(live.video?.codec, "H264");
});

Deno.test("F17: each track has a codec of its own", () => {
  const { live, send } = scene();
  const side = `95 00 4f707573 01 4f707573 48656164 01 02 0000 80bb0000 0000 00`;
  const sideFrame = `95 01 4f707573 01 fc`;
  send([AUDIO, AAC], [AUDIO, side], [AUDIO, AAC_FRAME], [AUDIO, sideFrame], [AUDIO, AAC_FRAME]);
  assert.deepEqual(joined(live, true), plain(AAC, side));
  assert.equal(live.audio?.codec, "AAC");
  send([AUDIO, MP3_FRAME], [AUDIO, sideFrame]);
  assert.deepEqual(joined(live, true), plain(side));
  assert.equal(live.audio?.codec, "MP3");
});

Deno.test("F17: a new publisher begins without the codecs of the last one", () => {
  const { live, publisher, send } = scene();
  send([AUDIO, AAC], [AUDIO, AAC_FRAME], [VIDEO, HEVC], [VIDEO, HDR]);
  publisher.stop();
  publisher.start();
  send([AUDIO, MP3_FRAME]);
  assert.deepEqual(joined(live), []);
  assert.equal(live.video, null);
});

Deno.test("F17: other threads are told the headers in use, and when they change", () => {
  const cache = new HeaderCache();
  const set = (hex: string) =>
    cache.set(AUDIO, { kind: 2, track: 0, payload: concat(hex), audience: "all" });
  const told = ({ audio }: HeaderSnapshot) => audio.map(({ payload }) => toHex(payload));
  assert.equal(set(AAC), true);
  assert.equal(set(AAC), false);
  const { version } = cache;
  assert.equal(cache.changesCodec(AUDIO, concat(AAC_FRAME)), "no");
  assert.equal(cache.changesCodec(AUDIO, concat(MP3_FRAME)), "yes");
  cache.noteCodec(AUDIO, concat(MP3_FRAME));
  assert.ok(cache.version > version);
  assert.deepEqual(told(cache.snapshot()), []);
  cache.noteCodec(AUDIO, concat(AAC_FRAME));
  assert.deepEqual(told(HeaderCache.from(cache.snapshot()).snapshot()), plain(AAC));
  // What cannot be told apart changes nothing.
  assert.equal(cache.changesCodec(AUDIO, new Uint8Array(0)), "no");
  assert.equal(cache.changesCodec(AUDIO, concat("95")), "no");
});

Deno.test("F17: headers of codecs no longer in use are the first to make room", () => {
  const cache = new HeaderCache();
  const set = (track: number, fourCc: string) =>
    cache.set(VIDEO, { kind: 2, track, payload: concat(`90 ${fourCc} 01`), audience: "all" });
  for (let track = 0; track < 20; track++) set(track, AVC1);
  for (let track = 0; track < 20; track++) set(track, HVC1);
  const { video } = cache.snapshot();
  assert.equal(video.length, 20);
  assert.ok(video.every(({ payload }) => toHex(payload) === toHex(concat(`90 ${HVC1} 01`))));
});

Deno.test("F17: a publisher with AAC and then MP3 as the session has it", () => {
  const scene = new Fixture().stream({ gopCache: false });
  const publisher = new FakePublisher(scene);
  publisher.start();
  publisher.headers();
  publisher.audio(100, payloads.audio(1));
  publisher.audio(120, concat(MP3_FRAME));
  const types = new FakePlayer(scene).take().map(({ type }) => type);
  assert.deepEqual(types, [MessageType.DATA_AMF0, VIDEO]);
});

/** Track 1 of an audio multitrack message: of Opus, of AAC, and a frame of a codec that needs no header. */
const SIDE_OPUS = "95 00 4f707573 01 4f707573 48656164 01 02 0000 80bb0000 0000 00";
const SIDE_AAC = "95 00 6d703461 01 1210";
const SIDE_MP3_FRAME = "95 01 2e6d7033 01 fffb9064";

Deno.test("F17: another codec on the main track costs the GOP, on a side track it does not", () => {
  const rows: [string, string[], boolean][] = [
    ["header of another codec", [AAC, AAC_FRAME, OPUS], false],
    ["header of the same codec", [AAC, AAC_FRAME, AAC_48K], true],
    ["frame of another codec", [AAC, AAC_FRAME, MP3_FRAME], false],
    ["header of another codec, side track", [AAC, SIDE_OPUS, AAC_FRAME, SIDE_AAC], true],
    ["frame of another codec, side track", [AAC, SIDE_OPUS, AAC_FRAME, SIDE_MP3_FRAME], true],
  ];
  for (const [name, audio, keeps] of rows) {
    const { live, send } = scene();
    send([VIDEO, AVC], [VIDEO, AVC_KEY]);
    send(...audio.map((hex) => [AUDIO, hex] as const));
    const got = joined(live, true);
    assert.equal(got.includes(plain(AVC_KEY)[0]), keeps, name);
    assert.ok(got.includes(plain(AVC)[0]), name);
  }
});
