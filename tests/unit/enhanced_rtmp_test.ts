/**
 * F32, F33: what FFmpeg 8.1 sends by Enhanced RTMP, as recorded by tests/tools/record_enhanced.ts: HEVC
 * with and without B-frames and with HDR, AV1 and VP9, each with Opus, MP3 and AAC, and streams of two
 * video and two audio tracks. The judge is FFmpeg's own demuxer, whose account is in `expected.jsonl`. With
 * the real FFmpeg and a running server: tests/soak/enhanced_rtmp_test.ts.
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { AudioCodec, audioCodec, audioConfigOffset } from "../../src/codec/audio_header.ts";
import { audioFlags, audioTrackId } from "../../src/codec/audio_header.ts";
import { FrameFlag } from "../../src/codec/ex_header.ts";
import { FlvTagReader } from "../../src/flv/flv_tag.ts";
import { VideoCodec, videoCodec, videoConfigOffset } from "../../src/codec/video_header.ts";
import { videoFlags, videoTrackId } from "../../src/codec/video_header.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import { FLV_TAGS } from "../../src/live/play/flv_tags.ts";
import { MessageType } from "../../src/rtmp/message.ts";
import type { Recorded, RecordedTrack } from "../tools/record_enhanced.ts";
import { FakePlayer, FakeSink, type Received } from "./support/fake_player.ts";
import { FakePublisher, Fixture } from "./support/live_fixture.ts";
import { naiveFlv } from "./support/naive_flv.ts";

const { AUDIO, VIDEO, DATA_AMF0 } = MessageType;

const FOLDER = new URL("../fixtures/enhanced_rtmp/", import.meta.url);
const RECORDINGS: readonly Recorded[] = readFileSync(new URL("expected.jsonl", FOLDER), "utf8")
  .trim().split("\n").map((line) => JSON.parse(line));

/** Codecs: FFmpeg's name, its FourCC, the legacy number, ours, the API's name. */
const CODECS = [
  ["h264", "avc1", 7, VideoCodec.H264, "H264"],
  ["hevc", "hvc1", -1, VideoCodec.HEVC, "HEVC"],
  ["av1", "av01", -1, VideoCodec.AV1, "AV1"],
  ["vp9", "vp09", -1, VideoCodec.VP9, "VP9"],
  ["aac", "mp4a", 10, AudioCodec.AAC, "AAC"],
  ["mp3", ".mp3", 2, AudioCodec.MP3, "MP3"],
  ["opus", "Opus", -1, AudioCodec.OPUS, "Opus"],
] as const;

/** A message as it is read here, by the letter of the documents and for what FFmpeg sends only. */
interface Reading {
  readonly kind: "video" | "audio";
  /** FFmpeg's name. */
  readonly codec: string;
  readonly track: number;
  /** It has the form of multitrack. */
  readonly multitrack: boolean;
  readonly what: "config" | "frame" | "colours" | "layout" | "end";
  readonly key: boolean;
  /** ms from decoding to showing. */
  readonly composition: number;
  readonly body: Uint8Array;
}

function codecBy(column: 1 | 2, value: string | number): string {
  const found = CODECS.find((codec) => codec[column] === value);
  assert.ok(found, `an unknown codec: ${value}`);
  return found[0];
}

function read({ type, payload }: Received): Reading {
  const kind = type === VIDEO ? "video" : "audio";
  const [first] = payload;
  const enhanced = kind === "video" ? first >= 0x80 : first >> 4 === 9;
  const key = kind === "audio" || ((first >> 4) & 7) === 1;
  if (!enhanced) {
    const codec = codecBy(2, kind === "video" ? first & 15 : first >> 4);
    const legacy = { kind, codec, track: 0, multitrack: false, key } as const;
    if (codec === "mp3") {
      return { ...legacy, what: "frame", composition: 0, body: payload.subarray(1) };
    }
    const what = (["config", "frame", "end"] as const)[payload[1]];
    const composition = codec === "h264" ? payload[3] * 256 + payload[4] : 0;
    return { ...legacy, what, composition, body: payload.subarray(codec === "h264" ? 5 : 2) };
  }
  const multitrack = (first & 15) === (kind === "video" ? 6 : 5);
  let at = 1;
  let packet = first & 15;
  if (multitrack) {
    assert.equal(payload[at] >> 4, 0, "FFmpeg sends each track by itself");
    packet = payload[at++] & 15;
  }
  const codec = codecBy(1, new TextDecoder().decode(payload.subarray(at, at + 4)));
  at += 4;
  const track = multitrack ? payload[at++] : 0;
  const base = { kind, codec, track, multitrack, key } as const;
  if (packet === 0) return { ...base, what: "config", composition: 0, body: payload.subarray(at) };
  if (packet === 4) {
    const what = kind === "video" ? "colours" : "layout";
    return { ...base, what, composition: 0, body: payload.subarray(at) };
  }
  assert.ok(packet === 1 || packet === 3, `packet type ${packet}`);
  const hasComposition = packet === 1 && (codec === "hevc" || codec === "h264");
  const composition = hasComposition ? payload[at + 1] * 256 + payload[at + 2] : 0;
  const body = payload.subarray(hasComposition ? at + 3 : at);
  return { ...base, what: "frame", composition, body };
}

/** A recording: the messages, the audio and video of them, and who gets those. */
class Recording {
  readonly metadata: readonly Received[];
  readonly media: readonly Received[];
  readonly readings: readonly Reading[];

  constructor(readonly expected: Recorded) {
    const reader = new FlvTagReader();
    reader.push(readFileSync(new URL(`${expected.name}.flv`, FOLDER)));
    const messages: Received[] = [];
    for (let tag = reader.next(); tag; tag = reader.next()) {
      messages.push({ type: tag.type, time: tag.timestamp, payload: tag.payload });
    }
    this.metadata = messages.filter(({ type }) => type === DATA_AMF0);
    this.media = messages.filter(({ type }) => type === AUDIO || type === VIDEO);
    this.readings = this.media.map(read);
  }

  track(kind: string, id: number): RecordedTrack {
    const found = this.expected.tracks.find((track) => track.kind === kind && track.id === id);
    assert.ok(found, `${kind} track ${id}`);
    return found;
  }

  /** FFmpeg sends the colours of a second video track as if they were the first one's. */
  isForeign({ kind, codec, track, what }: Reading): boolean {
    return what === "colours" && codec !== this.track(kind, track).codec;
  }

  /** Places in `media` of what a player gets that knows several tracks, or one. */
  places(multitrack: boolean): number[] {
    return this.readings.flatMap((reading, at) =>
      multitrack || !(reading.multitrack || this.isForeign(reading)) ? [at] : []
    );
  }

  /** The media up to place `to`, from place `from` on, published into a stream. */
  publish(publisher: FakePublisher, from = 0, to = this.media.length): void {
    for (const { type, time, payload } of this.media.slice(from, to)) {
      if (type === VIDEO) publisher.video(time, payload);
      else publisher.audio(time, payload);
    }
  }

  /** A stream in which it has begun, with its metadata. */
  begin(): { live: LiveStream; publisher: FakePublisher } {
    const live = new Fixture().stream({ gopCache: true });
    const publisher = new FakePublisher(live);
    publisher.start();
    for (const { time, payload } of this.metadata) publisher.data(time, payload);
    return { live, publisher };
  }
}

function hashed(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex").slice(0, 12);
}

function comparable(messages: readonly Received[]): [number, number, string][] {
  return messages.map(({ type, time, payload }) => [type, time, hashed(payload)]);
}

/** Without the times: those of headers are the joiner's. */
function payloads(messages: readonly Received[]): [number, string][] {
  return messages.map(({ type, payload }) => [type, hashed(payload)]);
}

const isMedia = ({ type }: Received) => type !== DATA_AMF0;

Deno.test("F32, F33: the recordings have every codec and several tracks", () => {
  const names = new Set(RECORDINGS.flatMap(({ tracks }) => tracks.map(({ codec }) => codec)));
  assert.deepEqual([...names].sort(), CODECS.map(([name]) => name).sort());
  assert.ok(RECORDINGS.filter(({ tracks }) => tracks.length === 4).length >= 3);
});

for (const expected of RECORDINGS) {
  const recording = new Recording(expected);

  Deno.test(`F32, F33: ${expected.name} is read as FFmpeg reads it`, () => {
    const packets = expected.tracks.map((_, at) => expected.packets.filter(([of]) => of === at));
    for (const [at, reading] of recording.readings.entries()) {
      const { kind, track, what, body } = reading;
      const { time, payload } = recording.media[at];
      const place = `message ${at}: ${JSON.stringify({ ...reading, body: body.length })}`;
      const isVideo = kind === "video";
      const known = CODECS.find(([name]) => name === reading.codec);
      assert.equal(isVideo ? videoCodec(payload) : audioCodec(payload), known?.[3], place);
      assert.equal(isVideo ? videoTrackId(payload) : audioTrackId(payload), track, place);

      let flags = 0;
      if (reading.multitrack) flags |= FrameFlag.MULTITRACK;
      if (track > 0) flags |= FrameFlag.SIDE_TRACK;
      if (what === "config" && body.length > 0) flags |= FrameFlag.SEQUENCE_HEADER;
      if (what === "colours") flags |= FrameFlag.METADATA;
      if (what === "layout") flags |= FrameFlag.MULTICHANNEL_CONFIG;
      if (what === "end") flags |= FrameFlag.END_OF_SEQUENCE;
      if (what === "frame" && isVideo && reading.key) flags |= FrameFlag.KEYFRAME;
      assert.equal(isVideo ? videoFlags(payload) : audioFlags(payload), flags, place);

      const offset = isVideo ? videoConfigOffset(payload) : audioConfigOffset(payload);
      if (what === "config" && body.length > 0) {
        const { config } = recording.track(kind, track);
        assert.equal(hashed(payload.subarray(offset)), config, place);
      } else {
        assert.equal(offset, -1, place);
      }
      if (what !== "frame") continue;
      const of = expected.tracks.indexOf(recording.track(kind, track));
      const packet = packets[of].shift();
      const read = [of, time, time + reading.composition, reading.key, body.length, hashed(body)];
      assert.deepEqual(read, packet, place);
    }
    assert.deepEqual(packets.flat(), [], "messages are missing");
  });

  Deno.test(`F32, F33: ${expected.name} comes out as it went in, for RTMP and FLV players`, () => {
    const { live, publisher } = recording.begin();
    const plain = new FakePlayer(live);
    const modern = new FakePlayer(live, { multitrack: true });
    const flv = new FakeSink();
    live.join(flv, { durationMs: 0, multitrack: false, onEnd: () => {} }, FLV_TAGS);
    recording.publish(publisher);
    const got = plain.take();
    const wanted = (multitrack: boolean) =>
      comparable(recording.places(multitrack).map((at) => recording.media[at]));
    assert.deepEqual(comparable(got.filter(isMedia)), wanted(false));
    assert.deepEqual(comparable(modern.take().filter(isMedia)), wanted(true));
    assert.equal(got.filter((message) => !isMedia(message)).length, 1, "metadata");
    assert.deepEqual(flv.bytes, naiveFlv(got));
  });

  for (const multitrack of [false, true]) {
    const who = multitrack ? "a player of several tracks" : "a player of one track";
    Deno.test(`F32, F33: ${expected.name}: ${who} may join at any message`, () => {
      const { live, publisher } = recording.begin();
      const places = recording.places(multitrack);
      const take = (from: number, to: number) =>
        places.filter((at) => at >= from && at < to).map((at) => recording.media[at]);
      let keyframe = -1;
      for (let joined = 0; joined <= recording.media.length; joined++) {
        const player = new FakePlayer(live, { multitrack });
        const headers = (kind: string) =>
          places.filter((at) => {
            const reading = recording.readings[at];
            return at < joined && reading.kind === kind && !recording.isForeign(reading) &&
              !["frame", "end"].includes(reading.what) && reading.body.length > 0;
          }).map((at) => recording.media[at]);
        const [metadata, ...got] = player.take();
        assert.equal(metadata.type, DATA_AMF0);
        const known = [...headers("audio"), ...headers("video")];
        const place = `joined at message ${joined}`;
        assert.deepEqual(payloads(got.slice(0, known.length)), payloads(known), place);
        // From the last keyframe of the main track on, without a hole, each with its own time.
        const cached = keyframe < 0 ? [] : take(keyframe, joined);
        assert.deepEqual(comparable(got.slice(known.length)), comparable(cached), place);
        player.leave();
        if (joined === recording.media.length) break;
        recording.publish(publisher, joined, joined + 1);
        const { kind, track, what, key } = recording.readings[joined];
        if (kind === "video" && track === 0 && what === "frame" && key) keyframe = joined;
      }
      assert.ok(keyframe > recording.media.length / 2, "there are several GOPs");
    });
  }

  Deno.test(`F32, F33: ${expected.name}: the figures are those of the main tracks`, () => {
    const { live, publisher } = recording.begin();
    // A track that ends is none any more.
    const end = recording.readings.findIndex(({ what }) => what === "end");
    recording.publish(publisher, 0, end < 0 ? undefined : end);
    const of = (kind: string) => expected.tracks.filter((track) => track.kind === kind).length;
    assert.deepEqual(live.trackCounts, { video: of("video"), audio: of("audio") });
    if (end >= 0) recording.publish(publisher, end);
    const [video, audio] = [recording.track("video", 0), recording.track("audio", 0)];
    const name = ({ codec }: RecordedTrack) => CODECS.find(([known]) => known === codec)?.[4];
    assert.equal(live.video?.codec, name(video));
    assert.deepEqual(
      { width: live.video?.width, height: live.video?.height },
      { width: video.width, height: video.height },
    );
    const known = [live.video?.profile, live.video?.level].filter((word) => word !== "Other");
    assert.equal(known.length, 2, `${live.video?.profile} ${live.video?.level}`);
    assert.equal(live.video?.bit_depth, expected.name.includes("hdr") ? 10 : 8);
    const main = expected.tracks.indexOf(video);
    assert.equal(live.videoFrames, expected.packets.filter(([track]) => track === main).length);
    assert.equal(live.audio?.codec, name(audio));
    assert.deepEqual(
      { sample_rate: live.audio?.sample_rate, channel: live.audio?.channel },
      { sample_rate: audio.sampleRate, channel: audio.channels },
    );
    assert.deepEqual(live.kinds, { audio: true, video: true });
  });
}
