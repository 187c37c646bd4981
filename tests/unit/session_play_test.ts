/**
 * Playing: the answers, what a player may say, slow and silent players.
 * @module
 */

import assert from "node:assert/strict";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfEcmaArray } from "../../src/rtmp/amf_value.ts";
import { concat, toHex } from "./hex.ts";
import {
  command,
  configOf,
  type Peer,
  recipe,
  type Sent,
  TestServer,
} from "./support/rtmp_peer.ts";
import type { Plain } from "./support/server_messages.ts";

function status(code: string, description: string, more: { [key: string]: Plain } = {}): Plain[] {
  const info = { level: "status", code, description, ...more, clientid: "ASAICiss" };
  return [5, 1, 20, "onStatus", 0, null, info];
}

const STREAM_BEGIN = [2, 0, 4, 0, 1];
const STREAM_EOF = [2, 0, 4, 1, 1];
const PLAY_ANSWERS: Plain[][] = [
  STREAM_BEGIN,
  status("NetStream.Play.Reset", "Playing and resetting stream.", { details: "stream" }),
  status("NetStream.Play.Start", "Started playing stream.", { details: "stream" }),
  [5, 1, 18, "|RtmpSampleAccess", true, true],
];

const VIDEO_HEADER = concat("17 00 000000 01 42001e ff e1 0000 01 0000");
const AUDIO_HEADER = concat("af00 1210");
const KEYFRAME = concat("17 01 000000 00000001 65");
const FRAME = concat("27 01 000000 00000001 41");

function video(timestamp: number, payload = FRAME): Sent {
  return { type: 9, payload, timestamp, csid: 6 };
}

function audio(timestamp: number, payload = concat("af01 2110")): Sent {
  return { type: 8, payload, timestamp, csid: 4 };
}

const METADATA: Sent = {
  type: 18,
  payload: encodeAmf0("@setDataFrame", "onMetaData", new AmfEcmaArray([["width", 640]])),
  csid: 4,
};

/** Metadata and headers as an encoder sends them first. */
function sendHeaders(publisher: Peer): void {
  publisher.send(METADATA, video(0, VIDEO_HEADER), audio(0, AUDIO_HEADER));
}

/** What a player got, `type hex`; data messages by their name. */
function kinds(player: Peer): string[] {
  return player.answers().map(([, , type, first, payload]) => `${type} ${payload ?? first}`);
}

function payloads(player: Peer): string[] {
  return player.received().map(({ payload }) => toHex(payload));
}

// ---- the answers

Deno.test("play: four answers in one write, then nothing without a publisher", () => {
  const server = new TestServer();
  const peer = server.created();
  const writes = peer.socket.writes.length;
  peer.send(command("play", 3, null, "nobody", -2000));
  assert.equal(peer.socket.writes.length, writes + 1);
  assert.deepEqual(peer.answers(), PLAY_ANSWERS);
  server.pass(100_000);
  assert.deepEqual(peer.answers(), []);
  peer.assertOpen();
});

Deno.test("Q59: play with any start, duration and reset, before createStream too", () => {
  const arguments_ = [[], [-2], [-1], [0], [0, -1], [-2000, -1, true], [null, null], ["0"]];
  for (const more of arguments_) {
    const peer = new TestServer().connected();
    peer.send(command("getStreamLength", 2, null, "s"));
    peer.send({ type: 4, payload: concat("0003 00000001 00000bb8"), csid: 2, msid: 0 });
    assert.equal(peer.answers().length, 1);
    peer.send(command("play", 3, null, "s", ...more));
    assert.deepEqual(peer.answers(), PLAY_ANSWERS);
  }
});

Deno.test("a joiner gets metadata, audio header, video header, then the next message", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  sendHeaders(publisher);
  publisher.send(video(0, KEYFRAME), video(40));
  const peer = server.created();
  peer.send(command("play", 3, null, "s"));
  const answers = peer.received();
  assert.deepEqual(answers.slice(4).map(({ type }) => type), [18, 8, 9]);
  assert.deepEqual(answers.slice(5).map(({ payload }) => payload), [AUDIO_HEADER, VIDEO_HEADER]);
  publisher.send(video(80));
  assert.deepEqual(payloads(peer), [toHex(FRAME)]);
});

Deno.test("gop_cache on: from the last keyframe on", () => {
  const server = new TestServer(`listen 1935; vhost __defaultVhost__ { min_latency on; }`);
  const publisher = server.publisher();
  sendHeaders(publisher);
  publisher.send(video(0, KEYFRAME), video(40), video(80, KEYFRAME), audio(90), video(120));
  const peer = server.created();
  peer.send(command("play", 3, null, "s"));
  assert.deepEqual(peer.received().slice(7).map(({ type, payload }) => [type, payload]), [
    [9, KEYFRAME],
    [8, concat("af01 2110")],
    [9, FRAME],
  ]);
});

Deno.test("a player that waits gets all of a publisher who comes later", () => {
  const server = new TestServer();
  const player = server.player();
  const publisher = server.publisher();
  sendHeaders(publisher);
  publisher.send(video(0, KEYFRAME));
  assert.deepEqual(kinds(player), [
    "18 [object Object]",
    `9 ${toHex(VIDEO_HEADER)}`,
    `8 ${toHex(AUDIO_HEADER)}`,
    `9 ${toHex(KEYFRAME)}`,
  ]);
  assert.deepEqual(player.server.hub.streams.next().value?.playerCount, 1);
});

Deno.test("chunks are cut to the chunk size of the vhost of the stream, announced before", () => {
  const server = new TestServer(`${recipe()} vhost v1 { chunk_size 200; min_latency on; }`);
  const publisher = server.publisher("s?vhost=v1");
  const peer = server.created();
  peer.send(command("play", 3, null, "s?vhost=v1"));
  assert.deepEqual(peer.answers()[0], [2, 0, 1, 200]);
  const payload = new Uint8Array(1000).fill(0x27);
  publisher.send(video(0, payload));
  assert.deepEqual(payloads(peer), [toHex(payload)]);
});

Deno.test("Q3: joining after 0xFFFFFF ms of stream", () => {
  const server = new TestServer(recipe("", "time_jitter off;"));
  const publisher = server.publisher();
  publisher.send(video(0x01000000, VIDEO_HEADER), video(0x01000000, KEYFRAME));
  const peer = server.created();
  peer.send(command("play", 3, null, "s"));
  publisher.send(video(0x01000028, new Uint8Array(70_000).fill(0x27)));
  assert.deepEqual(peer.received().slice(4).map(({ timestamp }) => timestamp), [
    0x01000000,
    0x01000028,
  ]);
});

Deno.test("play without a usable name or vhost: said, then closed (H9)", () => {
  for (const name of [null, 5, false, "", "x\0", "a/../b"]) {
    const peer = new TestServer().created();
    peer.send(command("play", 3, null, name));
    assert.equal(peer.socket.state, "closed");
    assert.deepEqual(peer.log.faults, []);
    const [[csid, msid, type, what, , , info], ...more] = peer.answers();
    assert.deepEqual([csid, msid, type, what, more], [5, 1, 20, "onStatus", []]);
    assert.ok(typeof info === "object" && info !== null && "code" in info);
    assert.equal(info.code, "NetStream.Play.Failed");
  }
  const peer = new TestServer("listen 1935; vhost v1 { }").created("rtmp://h/live");
  peer.send(command("play", 3, null, "s"));
  peer.assertClosed(2014, /no vhost "h"/);
});

// ---- what a player says

Deno.test("pause and its end: onStatus and StreamEOF, onStatus and StreamBegin", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  player.send(command("pause", 0, null, true, 0));
  assert.deepEqual(player.answers(), [
    status("NetStream.Pause.Notify", "Paused stream."),
    STREAM_EOF,
  ]);
  publisher.send(video(0, KEYFRAME), video(40));
  assert.deepEqual(player.answers(), []);
  player.send(command("pause", 0, null, false, 0));
  const answers = player.answers();
  assert.deepEqual(answers.slice(0, 2), [
    status("NetStream.Unpause.Notify", "Unpaused stream."),
    STREAM_BEGIN,
  ]);
  assert.equal(answers.length, 4);
  publisher.send(video(80));
  assert.equal(player.answers().length, 1);
});

Deno.test("pause: what is missed is bounded by queue_length", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  player.send(command("pause", 0, null, true, 0));
  player.answers();
  for (let second = 0; second < 30; second++) {
    publisher.send(video(second * 1000, second % 5 === 0 ? KEYFRAME : FRAME));
    server.pass(1000);
  }
  player.send(command("pause", 0, null, false, 0));
  const media = player.received().slice(2);
  assert.ok(media.length > 0 && media.length <= 11, `${media.length}`);
  assert.deepEqual(media[0].payload, KEYFRAME);
});

Deno.test("closeStream: no answer, then createStream and play again", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  player.send(command("closeStream", 0, null));
  publisher.send(video(0, KEYFRAME));
  assert.deepEqual(player.answers(), []);
  server.pass(1000);
  player.send(command("createStream", 4, null), command("play", 5, null, "s"));
  assert.deepEqual(player.answers().slice(0, 5), [
    [3, 0, 20, "_result", 4, null, 1],
    ...PLAY_ANSWERS,
  ]);
  publisher.send(video(40));
  assert.deepEqual(payloads(player), [toHex(FRAME)]);
});

Deno.test("after closeStream there are 3 minutes for the next", () => {
  const server = new TestServer();
  const player = server.player();
  player.send(command("closeStream", 0, null));
  server.pass(179_000);
  player.assertOpen();
  server.pass(2000);
  player.assertClosed(1011);
});

Deno.test("other commands with an id get _result, without one nothing", () => {
  const player = new TestServer().player();
  for (const name of ["receiveAudio", "receiveVideo", "seek", "publish", "deleteStream"]) {
    player.send(command(name, 0, null, 1));
    assert.deepEqual(player.answers(), [], name);
    player.send(command(name, 8, null, 1));
    assert.deepEqual(player.answers(), [[3, 0, 20, "_result", 8, null, null]], name);
  }
  player.send(command("createStream", 9, null));
  assert.deepEqual(player.answers(), [[3, 0, 20, "_result", 9, null, 1]]);
  player.assertOpen();
});

Deno.test("deleteStream from ffmpeg does not stop the stream", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  player.send(command("deleteStream", 0, null, 1));
  publisher.send(video(0, KEYFRAME));
  assert.deepEqual(payloads(player), [toHex(KEYFRAME)]);
});

Deno.test("play while playing: the new stream takes the old one's place (H10)", () => {
  const server = new TestServer();
  const a = server.publisher("a");
  const b = server.publisher("b");
  const player = server.player("a");
  player.send(command("play", 4, null, "b"));
  assert.deepEqual(player.answers(), PLAY_ANSWERS);
  a.send(video(0, KEYFRAME));
  b.send(video(0, FRAME));
  assert.deepEqual(payloads(player), [toHex(FRAME)]);
});

Deno.test("audio, video and data from a player are ignored", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  player.send(audio(0), video(0), METADATA, { type: 15, payload: concat("0002"), csid: 4 });
  assert.deepEqual(player.answers(), []);
  player.assertOpen();
  publisher.send(video(0, KEYFRAME));
  assert.equal(player.answers().length, 1);
});

Deno.test("Q50: a player's ping is answered at once, without media", () => {
  const player = new TestServer().player();
  player.send({ type: 4, payload: concat("0006 01020304"), csid: 2, msid: 0 });
  assert.deepEqual(player.answers(), [[2, 0, 4, 7, 0x01020304]]);
});

Deno.test("a player's Window Ack Size is obeyed at once", () => {
  const player = new TestServer().player();
  player.send({ type: 5, payload: concat("000003e8"), csid: 2, msid: 0 });
  player.send({ type: 4, payload: concat("0003 00000001 00000bb8"), csid: 2, msid: 0 });
  assert.deepEqual(player.answers(), [[2, 0, 3, player.session.recvBytes]]);
});

Deno.test("duration is ms: told and closed once so much has been sent", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.created();
  player.send(command("play", 3, null, "s", -2000, 200));
  player.answers();
  for (let time = 0; time <= 160; time += 40) publisher.send(video(time, KEYFRAME));
  player.assertOpen();
  assert.equal(player.answers().length, 5);
  for (let time = 200; time <= 280; time += 40) publisher.send(video(time, KEYFRAME));
  player.assertClosed(0, /duration/);
  const answers = player.answers();
  const said = answers.filter(([, , type]) => type === 20).map(([, , , , , , info]) => info);
  assert.equal(said.length, 1, "nothing of an end of the stream, which goes on");
  assert.deepEqual(answers.slice(-2), [
    status("NetStream.Play.Stop", "Stopped playing stream."),
    STREAM_EOF,
  ]);
  publisher.assertOpen();
});

// ---- slow players, and the end

Deno.test("a busy socket: nothing more is sent until it is through, then all of it, unchanged", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const slow = server.player();
  const fast = server.player();
  slow.socket.busy = true;
  const frames = Array.from({ length: 20 }, (_, i) => new Uint8Array(5000).fill(i + 1));
  frames.forEach((frame, i) => publisher.send(video(i * 40, frame)));
  assert.equal(slow.received().length, 1);
  assert.equal(fast.received().length, 20);
  slow.socket.drain();
  assert.deepEqual(slow.received().map(({ payload }) => payload), frames.slice(1));
});

Deno.test("a player that takes nothing is closed after 60 s, the publisher goes on (H19)", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  player.socket.busy = true;
  for (let second = 0; second < 60; second++) {
    publisher.send(video(second * 1000, KEYFRAME));
    player.assertOpen();
    server.pass(1000);
  }
  server.pass(1000);
  player.assertClosed(1011, /taken nothing for 60000 ms/);
  publisher.assertOpen();
  // What was in flight may still get through; that must move nothing.
  player.socket.handler = null;
  player.session.onWritable();
  player.session.onClose(null);
  publisher.send(video(61_000, KEYFRAME));
  publisher.assertOpen();
  assert.deepEqual(player.log.faults, []);
});

Deno.test("a player that got rid of its bytes in time may stall anew", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  for (let round = 0; round < 3; round++) {
    player.socket.busy = true;
    for (let second = 0; second < 50; second++) {
      publisher.send(video((round * 50 + second) * 1000, KEYFRAME));
      server.pass(1000);
    }
    player.socket.drain();
  }
  player.assertOpen();
});

Deno.test("a player needs to say nothing for hours", () => {
  const server = new TestServer();
  const player = server.player();
  server.pass(4 * 3600 * 1000);
  player.assertOpen();
});

Deno.test("F31: the server stops: UnpublishNotify, Play.Stop and StreamEOF, then close", () => {
  const server = new TestServer();
  const player = server.player();
  player.session.shutdown();
  player.assertClosed(1069);
  assert.deepEqual(player.answers(), [
    status("NetStream.Play.UnpublishNotify", "The stream has ended."),
    status("NetStream.Play.Stop", "Stopped playing stream."),
    STREAM_EOF,
  ]);
});

Deno.test("a player whose socket fails is closed alone; publisher and players go on (H35)", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const players = [server.player(), server.player(), server.player()];
  const broken = players[1];
  broken.socket.send = () => {
    throw new Error("broken socket");
  };
  publisher.send(video(0, KEYFRAME));
  publisher.send(video(40));
  assert.equal(broken.socket.state, "aborted");
  assert.equal(broken.log.faults.length, 1);
  publisher.assertOpen();
  assert.equal(players[0].received().length, 2);
  assert.equal(players[2].received().length, 2);
  assert.equal(server.hub.streams.next().value?.playerCount, 2);
  broken.session.onClose(null);
  publisher.send(video(80));
  assert.equal(players[0].received().length, 1);
  assert.equal(players[2].received().length, 1);
});

Deno.test("a player whose socket fails while it joins leaves nothing behind (H35)", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  sendHeaders(publisher);
  for (const failing of [1, 2]) {
    const peer = server.created();
    let left = failing;
    const send = peer.socket.send.bind(peer.socket);
    peer.socket.send = (bytes) => {
      if (--left === 0) throw new Error("broken socket");
      return send(bytes);
    };
    peer.send(command("play", 3, null, "s"));
    assert.equal(peer.socket.state, "aborted");
    assert.equal(peer.log.faults.length, 1);
    peer.session.onClose(null);
    assert.equal(server.hub.streams.next().value?.playerCount, 0);
    assert.equal(server.roles.at(-1), `${peer.log.id} -`);
  }
  publisher.send(video(40));
  publisher.assertOpen();
});

Deno.test("a player is told the chunk size of the stream's log, whatever a reload has made of the vhost", () => {
  const server = new TestServer(recipe("chunk_size 1000;"));
  const publisher = server.publisher();
  sendHeaders(publisher);
  const next = configOf(recipe("chunk_size 2000;").replace("tcp_nodelay on", "tcp_nodelay off"));
  Object.assign(server.host, { config: next });
  server.hub.configure(next.vhosts);
  const player = server.created();
  assert.deepEqual(player.socket.noDelay, null);
  player.send(command("play", 3, null, "s"));
  const sizes = player.received().filter(({ type }) => type === 1);
  assert.deepEqual(sizes.map(({ payload }) => toHex(payload)), [toHex(concat("000003e8"))]);
  assert.equal(player.socket.noDelay, false, "all else is as the vhost has it now");
  // A message of several chunks arrives whole.
  const frame = concat(KEYFRAME, new Uint8Array(5000).fill(7));
  publisher.send({ type: 9, payload: frame, timestamp: 40, csid: 6 });
  const got = player.received().filter(({ type, payload }) => type === 9 && payload.length > 5000);
  assert.deepEqual(got.map(({ payload }) => toHex(payload)), [toHex(frame)]);
});
