/**
 * Players of MPEG-TS, AAC and MP3 beside players of RTMP chunks: they begin where decoding can begin, share
 * their bytes, and get what fits into their container.
 * @module
 */

import assert from "node:assert/strict";
import { AAC_FRAMES, MP3_FRAMES, TRANSPORT_STREAM } from "../../src/remux/renderings.ts";
import type { Rendering } from "../../src/live/play/rendering.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import { containerOf, mayFill } from "../../src/servers/flv/containers.ts";
import { FakePlayer, FakeSink } from "./support/fake_player.ts";
import { FakePublisher, Fixture } from "./support/live_fixture.ts";
import { readTs } from "./support/ts_reader.ts";

const OPTIONS = { durationMs: 0, multitrack: false, onEnd: () => {} };

const AVCC = [1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 1];
const VIDEO_HEADER = Uint8Array.of(0x17, 0, 0, 0, 0, ...AVCC);
const AUDIO_HEADER = Uint8Array.of(0xaf, 0, 0x12, 0x10);
const picture = (isKey: boolean, id: number) =>
  Uint8Array.of(isKey ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0, 2, isKey ? 0x65 : 0x41, id);
const aac = (id: number) => Uint8Array.of(0xaf, 1, 0x21, id);
const mp3 = (id: number) => Uint8Array.of(0x2f, 0xff, 0xfb, 0x90, id);

/** A stream with headers, and GOPs of `frames` pictures, each with an audio frame behind it. */
function publishing(chunkSize = 128, audio = aac) {
  const fixture = new Fixture();
  const live = fixture.stream({ gopCache: true }, { minLatency: true, chunkSize });
  const publisher = new FakePublisher(live);
  publisher.start();
  let id = 0;
  if (audio === aac) publisher.audio(0, AUDIO_HEADER);
  publisher.video(0, VIDEO_HEADER);
  const gop = (frames: number) => {
    for (let i = 0; i < frames; i++, id++) {
      fixture.clock.advance(40);
      publisher.video(id * 40, picture(i === 0, id));
      publisher.audio(id * 40, audio(id));
    }
  };
  return { fixture, live, publisher, gop };
}

function join(live: LiveStream, rendering: Rendering) {
  const sink = new FakeSink();
  const player = live.join(sink, OPTIONS, rendering);
  player.begin();
  return { sink, player };
}

/** The last byte of each picture in a transport stream, and of each audio frame. */
function idsOf(bytes: Uint8Array): { video: number[]; audio: number[] } {
  const { pes } = readTs(bytes);
  const ids = (pid: number) =>
    pes.filter((one) => one.pid === pid).map(({ payload }) => payload[payload.length - 1]);
  return { video: ids(0x100), audio: ids(0x101) };
}

Deno.test("TS players: from the keyframe on, with all that a decoder needs, beside an RTMP player", () => {
  const { live, gop } = publishing();
  const rtmp = new FakePlayer(live);
  gop(3);
  gop(2);
  const first = join(live, TRANSPORT_STREAM);
  gop(2);
  const second = join(live, TRANSPORT_STREAM);
  gop(1);
  assert.deepEqual(idsOf(first.sink.bytes), { video: [3, 4, 5, 6, 7], audio: [3, 4, 5, 6, 7] });
  assert.deepEqual(idsOf(second.sink.bytes), { video: [5, 6, 7], audio: [5, 6, 7] });
  const { pes } = readTs(second.sink.bytes);
  assert.equal(pes.find(({ pid }) => pid === 0x100)?.payload.length, 6 + 2 * 6 + 6);
  assert.ok(rtmp.take().length > 16, "all of it");
});

Deno.test("TS players: a message that lies in many chunks, and one larger than the memory for copies", () => {
  const { live, publisher, gop } = publishing(128);
  gop(1);
  const { sink } = join(live, TRANSPORT_STREAM);
  sink.clear();
  const size = 300_000;
  const payload = new Uint8Array(9 + size).fill(7);
  payload.set([0x17, 1, 0, 0, 0, 0, size >> 16, size >> 8 & 0xff, size & 0xff, 0x65]);
  publisher.video(100, payload);
  gop(1);
  const { pes } = readTs(sink.bytes);
  const sizes = pes.filter(({ pid }) => pid === 0x100).map(({ payload }) => payload.length);
  assert.deepEqual(sizes, [6 + 12 + 4 + size, 24]);
});

Deno.test("AAC players get frames with ADTS and nothing else; MP3 players likewise", () => {
  const { live, gop } = publishing();
  gop(2);
  const { sink } = join(live, AAC_FRAMES);
  gop(1);
  const frame = (id: number) => [0xff, 0xf1, 0x50, 0x80, 0x01, 0x3f, 0xfc, 0x21, id];
  assert.deepEqual([...sink.bytes], [0, 1, 2].flatMap(frame));
  // A stream without MP3 has nothing for them.
  const none = join(live, MP3_FRAMES);
  gop(1);
  assert.equal(none.sink.bytes.length, 0);

  const other = publishing(60_000, mp3);
  other.gop(2);
  const player = join(other.live, MP3_FRAMES);
  other.gop(1);
  assert.deepEqual([...player.sink.bytes], [0, 1, 2].flatMap((id) => [0xff, 0xfb, 0x90, id]));
});

Deno.test("players of three containers share what is made; it ends with the last of them", () => {
  const { live, gop } = publishing();
  gop(2);
  const all = [TRANSPORT_STREAM, AAC_FRAMES, TRANSPORT_STREAM].map((kind) => join(live, kind));
  gop(2);
  assert.deepEqual(all[0].sink.bytes, all[2].sink.bytes);
  for (const { player } of all) live.leave(player);
  const before = all[0].sink.bytes.length;
  gop(2);
  assert.equal(all[0].sink.bytes.length, before);
  const again = join(live, TRANSPORT_STREAM);
  gop(1);
  assert.deepEqual(idsOf(again.sink.bytes), { video: [4, 5, 6], audio: [4, 5, 6] });
});

Deno.test("a publisher that comes back with other codecs: the container tells it", () => {
  const { live, publisher, gop } = publishing();
  gop(2);
  const { sink } = join(live, TRANSPORT_STREAM);
  publisher.stop();
  const next = new FakePublisher(live);
  next.start();
  next.audio(0, mp3(1));
  next.video(0, VIDEO_HEADER);
  next.video(0, picture(true, 9));
  next.audio(23, mp3(2));
  const { tracks, version } = readTs(sink.bytes);
  assert.deepEqual(new Set(tracks.values()), new Set([0x03, 0x1b]));
  assert.ok(version >= 1);
});

Deno.test("what fits into a container: by the codecs that are known, and all while none is", () => {
  const { live, gop } = publishing();
  const container = (ending: string) => containerOf(ending) ?? assert.fail(ending);
  const fits = () =>
    [".flv", ".ts", ".aac", ".mp3"].filter((e) => mayFill(container(e), live.headers));
  gop(1);
  assert.deepEqual(fits(), [".flv", ".ts", ".aac"]);
  const empty = new Fixture().stream({}, {});
  assert.ok(mayFill(container(".mp3"), empty.headers));
  assert.equal(containerOf("/live/x.m3u8"), null);
});
