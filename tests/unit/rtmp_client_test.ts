/**
 * The RTMP client: what it says, what a hostile server can do to it, and how it gets on with our own
 * server, whose session is connected to it in memory.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { CLEAR_LOOKS_MS } from "../../src/live/limits.ts";
import { RtmpClient } from "../../src/clients/rtmp_client.ts";
import type { RtmpClientOptions } from "../../src/clients/rtmp_dialogue.ts";
import {
  describeTarget,
  parseTarget,
  redirectedTarget,
  tcUrlOf,
} from "../../src/clients/target.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfEcmaArray, AmfObject } from "../../src/rtmp/amf_value.ts";
import { RtmpError } from "../../src/rtmp/error.ts";
import { MessageWriter } from "../../src/rtmp/chunk_writer.ts";
import { u32Body, userControlBody } from "../../src/rtmp/message.ts";
import { concat, toHex } from "./hex.ts";
import { FakeSocket } from "./support/fake_socket.ts";
import { FakeUpstream, plainServerHandshake, Recorder } from "./support/fake_upstream.ts";
import { type Peer, TestServer } from "./support/rtmp_peer.ts";

const VIDEO = concat("17 01 000000 00000001 65");
const METADATA = encodeAmf0("onMetaData", new AmfEcmaArray([["width", 640], ["height", 360]]));

// ---- what it says

Deno.test("a player's way: connect, createStream, play, and what stands in them", () => {
  const upstream = new FakeUpstream({ role: "play" }, "rtmp://origin:1936/a/b/s?k=v").connected();
  upstream.command("_result", 2, null, 3);
  const [connect, , chunkSize, create, play, buffer] = upstream.asked();
  assert.deepEqual(connect.slice(0, 5), [3, 0, 20, "connect", 1]);
  assert.deepEqual(connect[5], {
    app: "a/b",
    flashVer: "WIN 15,0,0,239",
    tcUrl: "rtmp://origin:1936/a/b",
    fpad: false,
    capabilities: 239,
    audioCodecs: 3575,
    videoCodecs: 252,
    videoFunction: 1,
    objectEncoding: 0,
  });
  assert.deepEqual(chunkSize, [2, 0, 1, 60000]);
  assert.deepEqual(create, [3, 0, 20, "createStream", 2, null]);
  assert.deepEqual(play, [5, 3, 20, "play", 0, null, "s?k=v"]);
  assert.deepEqual(buffer, [2, 0, 4, 3, 3], "SetBufferLength of stream 3");
});

Deno.test("Enhanced RTMP is announced when asked to, and what the owner says of itself", () => {
  const upstream = new FakeUpstream({
    role: "publish",
    enhanced: true,
    flashVer: "X/1",
    pageUrl: "http://p",
    swfUrl: "http://s",
    tcUrl: "rtmp://else/live?a=b",
    args: new AmfObject([["hop", "id"]]),
  }).open();
  const [connect] = upstream.asked();
  assert.deepEqual(connect[5], {
    app: "live",
    flashVer: "X/1",
    swfUrl: "http://s",
    tcUrl: "rtmp://else/live?a=b",
    pageUrl: "http://p",
    type: "nonprivate",
    objectEncoding: 0,
    fourCcList: ["*"],
    videoFourCcInfoMap: { "*": 4 },
    audioFourCcInfoMap: { "*": 4 },
    capsEx: 14,
  });
  assert.deepEqual(connect[6], { hop: "id" });
});

Deno.test("a publisher without FMLE's commands", () => {
  const upstream = new FakeUpstream({ role: "publish", fmle: false }).connected();
  assert.deepEqual(upstream.commands(), ["connect", "createStream"]);
});

Deno.test("events of a player, in order; the payload is the server's", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.send(18, METADATA, { csid: 4 });
  upstream.send(18, concat("00 00 00 01"), { csid: 4 });
  upstream.send(9, VIDEO, { timestamp: 0xffffff });
  upstream.send(22, concat("09 00000a 000000 00 000000", VIDEO, "00000015"), { timestamp: 40 });
  assert.deepEqual(upstream.owner.events, [
    "opened",
    "connected",
    "status status NetStream.Play.Start",
    "accepted",
    "metadata width,height",
    `media 18 0 ${toHex(METADATA)}`,
    "media 18 0 00000001",
    `media 9 16777215 ${toHex(VIDEO)}`,
    `media 9 40 ${toHex(VIDEO)}`,
  ]);
});

Deno.test("F7: data in an aggregate message is data, as if it had come by itself", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  const size = METADATA.length.toString(16).padStart(6, "0");
  const part = concat(`12${size} 000000 00 000000`, METADATA, "00000000");
  upstream.send(22, part, { timestamp: 40 });
  assert.deepEqual(upstream.owner.of("metadata"), ["metadata width,height"]);
  assert.deepEqual(upstream.owner.of("media"), [`media 18 40 ${toHex(METADATA)}`]);
});

Deno.test("media before the answer to play is that answer; before play it is nothing", () => {
  const upstream = new FakeUpstream({ role: "play" }).connected();
  upstream.send(9, VIDEO);
  assert.deepEqual(upstream.owner.of("media"), []);
  upstream.command("_result", 2, null, 1);
  upstream.send(9, VIDEO);
  assert.deepEqual(upstream.owner.events.slice(-2), ["accepted", `media 9 0 ${toHex(VIDEO)}`]);
});

Deno.test("pings are answered, and what came is acknowledged twice per window", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.send(4, userControlBody(6, 0x01020304), { csid: 2, msid: 0 });
  assert.ok(upstream.asked().some((m) => m[2] === 4 && m[3] === 7 && m[4] === 0x01020304));
  upstream.send(5, u32Body(4000), { csid: 2, msid: 0 });
  assert.deepEqual(upstream.asked().map(([, , type]) => type), [3], "the handshake counts too");
  upstream.send(9, new Uint8Array(1900));
  assert.deepEqual(upstream.asked(), []);
  upstream.send(9, new Uint8Array(200));
  const [[, , type, total], ...more] = upstream.asked();
  assert.deepEqual([type, total, more], [3, upstream.client.recvBytes, []]);
});

Deno.test("publishing: back-pressure, and room again", () => {
  const upstream = new FakeUpstream({ role: "publish" }).running();
  upstream.asked();
  assert.equal(upstream.client.publish(9, 40, VIDEO), true);
  assert.deepEqual(upstream.asked(), [[6, 1, 9, 40, toHex(VIDEO)]]);
  upstream.socket.busy = true;
  const borrowed = VIDEO.slice();
  assert.equal(upstream.client.publish(9, 80, borrowed), false);
  borrowed.fill(0);
  upstream.socket.drain();
  assert.equal(upstream.owner.events.at(-1), "writable");
  assert.equal(upstream.client.publish(8, 90, concat("af01 00")), true);
  const types = upstream.asked().map(([csid, , type, time]) => [csid, type, time]);
  assert.deepEqual(types, [[6, 9, 80], [7, 8, 90]]);
  const writer = new MessageWriter();
  writer.chunkSize = upstream.client.chunkSize;
  writer.write(6, 9, 120, upstream.client.streamId, VIDEO);
  assert.equal(upstream.client.publishChunks(writer.take()), true);
  assert.deepEqual(upstream.asked(), [[6, 1, 9, 120, toHex(VIDEO)]]);
});

Deno.test("a slow server that takes a little all the time has not stalled", () => {
  const upstream = new FakeUpstream({ role: "publish" }).running();
  upstream.socket.busy = true;
  for (let i = 0; i < 10; i++) {
    upstream.client.publish(9, i, new Uint8Array(1000));
    upstream.socket.pendingBytes -= 500;
    upstream.pass(10_000);
  }
  upstream.assertRunning();
  upstream.pass(30_500);
  upstream.assertEnded("stalled", /nothing was taken for 30 s/);
});

Deno.test("while we do not read, silence is no reason to end", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.client.pauseReading();
  assert.equal(upstream.socket.reading, false);
  upstream.pass(60_000);
  upstream.assertRunning();
  upstream.client.resumeReading();
  assert.equal(upstream.socket.reading, true);
  upstream.pass(4000);
  upstream.assertRunning();
  upstream.pass(1500);
  upstream.assertEnded("silent");
});

Deno.test("closing: the server is told, the owner too, and nothing comes after it", () => {
  const publisher = new FakeUpstream({ role: "publish" }).running();
  publisher.asked();
  publisher.client.close();
  assert.deepEqual(publisher.commands(), ["FCUnpublish", "deleteStream"]);
  assert.equal(publisher.socket.state, "closed");
  publisher.assertEnded("closed");
  publisher.client.onBytes(new Uint8Array(100));
  publisher.client.onClose(null);
  publisher.client.publish(9, 0, VIDEO);
  publisher.client.close();
  publisher.pass(60_000);
  assert.equal(publisher.owner.events.at(-1), "ended closed");
});

Deno.test("an owner may close it in the middle of what comes", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.owner.media = () => upstream.client.close();
  upstream.writer.write(6, 9, 0, 1, VIDEO);
  upstream.writer.write(6, 9, 40, 1, VIDEO);
  upstream.client.onBytes(upstream.writer.take());
  upstream.assertEnded("closed");
});

Deno.test("a fault of the owner ends this upstream, and is told", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  const fault = new Error("broken");
  upstream.owner.media = () => {
    throw fault;
  };
  upstream.send(9, VIDEO);
  assert.equal(upstream.owner.end?.reason, "fault");
  assert.equal(upstream.owner.end?.error, fault);
});

for (
  const [code, reason, text] of [
    ["NetStream.Play.StreamNotFound", "not-found", /no such stream.*StreamNotFound, why/],
    ["NetStream.Play.Failed", "refused", /refused \(play\).*Play\.Failed, why/],
  ] as const
) {
  Deno.test(`${code} ends it as ${reason}`, () => {
    const upstream = new FakeUpstream({ role: "play" }).connected();
    upstream.command("_result", 2, null, 1);
    const info = new AmfObject([["level", "error"], ["code", code], ["description", "why"]]);
    upstream.command("onStatus", 0, null, info);
    upstream.assertEnded(reason, text);
  });
}

Deno.test("a server that closes without a word: the text says at which step, and what it may mean", () => {
  const early = new FakeUpstream({ role: "play" });
  early.client.onClose(null);
  early.assertEnded("lost", /is it an RTMP server/);
  const stream = new FakeUpstream({ role: "play" }, "rtmp://h/live/s?sesame").connected();
  stream.client.onClose(null);
  stream.assertEnded("lost", /after createStream: it may not allow "s"$/);
  const app = new FakeUpstream({ role: "play" }).open();
  app.client.onClose(null);
  app.assertEnded("lost", /after connect: it may know no app "live"/);
  const reset = new FakeUpstream({ role: "publish" }).running();
  reset.client.onClose(new Error("reset"));
  reset.assertEnded("lost", /connection lost: reset/);
});

// ---- hostile servers

Deno.test("H1: a command of more than 64 KB before play, 16 MB announced and never sent", () => {
  const early = new FakeUpstream({ role: "play" }).open();
  early.client.onBytes(concat("03 000000 ffffff 14 00000000"));
  early.assertEnded("protocol", /16777215 bytes/);
  const publisher = new FakeUpstream({ role: "publish" }).running();
  publisher.client.onBytes(concat("03 000000 020000 14 00000000"));
  publisher.assertEnded("protocol", /131072 bytes/);
});

Deno.test("H2: more than 64 chunk streams in mid-message", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  for (let i = 0; i < 65 && !upstream.owner.end; i++) {
    upstream.client.onBytes(
      concat(Uint8Array.of(0, i), "000000 000400 09 01000000", "00".repeat(128)),
    );
  }
  upstream.assertEnded("protocol", /64 chunk streams/);
});

for (const size of [0, 0x80000000]) {
  Deno.test(`H3: chunk size ${size}`, () => {
    const upstream = new FakeUpstream({ role: "play" }).running();
    upstream.send(1, u32Body(size), { csid: 2 });
    upstream.assertEnded("protocol", /chunk size/);
  });
}

Deno.test("H7, H8: deep AMF in an answer, and names of JavaScript's own", () => {
  const deep = new FakeUpstream({ role: "play" }).open();
  deep.send(20, concat(encodeAmf0("_result", 1), "03 0001 61 ".repeat(50)), {
    csid: 3,
  });
  deep.assertEnded("protocol", /nesting/);
  const names = new FakeUpstream({ role: "play" }).open();
  const object = new AmfObject([["__proto__", "x"], ["constructor", 1], ["level", 7]]);
  names.command("_result", 1, object, object);
  assert.deepEqual(names.owner.events.at(-1), "connected");
});

Deno.test("H7: metadata that cannot be decoded is passed on and ends nothing", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.send(18, concat(encodeAmf0("onMetaData"), "03 0001 61 ".repeat(50)), { csid: 4 });
  assert.equal(upstream.owner.of("media").length, 1);
  assert.deepEqual(upstream.owner.of("metadata"), []);
  upstream.assertRunning();
});

Deno.test("H20: a flood of commands or pings; the next second it counts anew", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  const ping = () => upstream.send(4, userControlBody(6, 1), { csid: 2, msid: 0 });
  for (let i = 0; i < 90; i++) ping();
  upstream.pass(1250);
  for (let i = 0; i < 100; i++) ping();
  upstream.assertRunning();
  ping();
  upstream.assertEnded("protocol", /100 commands/);
  const before = upstream.owner.events.length;
  upstream.started("NetStream.Play.Start");
  assert.equal(upstream.owner.events.length, before);
});

Deno.test("H20: pings of a server that does not read are left alone", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.socket.pendingBytes = 300 * 1024;
  const before = upstream.socket.writes.length;
  upstream.send(4, userControlBody(6, 1), { csid: 2, msid: 0 });
  assert.equal(upstream.socket.writes.length, before);
});

Deno.test("H30, H31: what a server says cannot steer a terminal, and secrets are not told", () => {
  const upstream = new FakeUpstream({ role: "play" }, "rtmp://h/live/s?token=abc").open();
  const info = new AmfObject([["level", "error"], ["description", "\x1b[2J\nno token=abc"]]);
  upstream.command("_error", 1, null, info);
  upstream.assertEnded("refused");
  assert.doesNotMatch(upstream.owner.end?.text ?? "", /\p{Cc}|abc/u);
});

Deno.test("property: nothing that a server sends makes a fault of ours", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom(
      plainServerHandshake(),
      concat("03 000000 000000 14 00000000"),
      concat("03 000000 00001d 14 00000000", encodeAmf0("_result", 1, null, undefined)),
      concat("05 000000 000010 12 01000000", encodeAmf0("onMetaData"), "050505"),
    ),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), fc.boolean(), (pieces, play) => {
    const upstream = new FakeUpstream({ role: play ? "play" : "publish" });
    if (play) upstream.open();
    for (const bytes of pieces) upstream.client.onBytes(bytes);
    upstream.pass(10_000);
    assert.equal(upstream.owner.end?.error ?? null, null, String(upstream.owner.end?.error));
  }));
});

// ---- our own server

/** A client connected to a session of ours; bytes are carried in pieces of the given sizes. */
class Pair {
  readonly owner = new Recorder();
  readonly socket = new FakeSocket();
  readonly client: RtmpClient;
  readonly peer: Peer;
  #toServer = 0;
  #toClient = 0;

  constructor(
    readonly server: TestServer,
    options: RtmpClientOptions,
    readonly sizes: number[],
    url = "rtmp://192.0.2.1/live/s",
  ) {
    this.peer = server.accept();
    this.client = new RtmpClient(this.socket, parseTarget(url), options, this.owner, server.clock);
    this.socket.handler = this.client;
    this.client.start();
  }

  /** Carries everything that is on its way. */
  carry(): void {
    for (;;) {
      const up = this.socket.sent.subarray(this.#toServer);
      const down = this.peer.socket.sent.subarray(this.#toClient);
      if (up.length === 0 && down.length === 0) return;
      const size = this.sizes.pop() ?? Infinity;
      const sent = up.slice(0, size);
      const received = down.slice(0, size);
      this.#toServer += sent.length;
      this.#toClient += received.length;
      if (sent.length > 0) this.peer.feed(sent);
      if (received.length > 0) this.client.onBytes(received);
    }
  }
}

Deno.test("property: publisher and player against our own server, cut anywhere", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 30 });
  const bodies = fc.array(
    fc.tuple(fc.constantFrom(8, 9), fc.uint8Array({ minLength: 1, maxLength: 300 })),
    {
      minLength: 1,
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(sizes, sizes, bodies, (some, others, messages) => {
      const server = new TestServer();
      const publisher = new Pair(server, { role: "publish" }, some.slice());
      publisher.carry();
      assert.ok(publisher.client.running, publisher.peer.log.lines.join("\n"));
      assert.equal(publisher.client.handshakeKind, "complex");
      assert.equal(publisher.peer.session.role?.type, "fmle-publish");
      const player = new Pair(server, { role: "play", enhanced: true }, others.slice());
      player.carry();
      assert.ok(player.client.running, player.peer.log.lines.join("\n"));

      const key = concat("17 01 000000 00000001 65");
      const sent: [number, Uint8Array][] = [[9, key], ...messages];
      publisher.client.publish(
        18,
        0,
        encodeAmf0("@setDataFrame", "onMetaData", new AmfEcmaArray([["width", 2]])),
      );
      sent.forEach(([type, body], i) => void publisher.client.publish(type, 20 * i, body));
      publisher.carry();
      server.pass(1000);
      player.carry();
      const frames = player.owner.of("media").filter((event) => !event.startsWith("media 18"));
      const expected = sent.map(([type, body], i) => `media ${type} ${20 * i} ${toHex(body)}`);
      assert.deepEqual(frames, expected);
      assert.match(player.owner.of("metadata")[0], /^metadata width/);

      publisher.client.close();
      publisher.carry();
      assert.deepEqual(publisher.peer.log.faults, []);
      assert.deepEqual(player.peer.log.faults, []);
    }),
    { numRuns: 40 },
  );
});

Deno.test("our own server: a busy stream is refused, with its words", () => {
  const server = new TestServer();
  const first = new Pair(server, { role: "publish" }, []);
  first.carry();
  const second = new Pair(server, { role: "publish" }, []);
  second.carry();
  for (const ms of CLEAR_LOOKS_MS) server.clock.advance(ms);
  second.carry();
  assert.equal(second.owner.end?.reason, "refused");
  assert.match(second.owner.end?.text ?? "", /NetStream\.Publish\.BadName/);
});

Deno.test("our own server stops: its player is told", () => {
  const server = new TestServer();
  const publisher = new Pair(server, { role: "publish" }, []);
  publisher.carry();
  const player = new Pair(server, { role: "play" }, []);
  player.carry();
  player.peer.session.shutdown();
  player.carry();
  assert.equal(player.owner.end?.reason, "unpublished", player.owner.events.join("\n"));
});

// ---- targets

Deno.test("URLs: the last part is the stream, the rest the app as typed", () => {
  const cases: [string, string, string, string][] = [
    ["rtmp://h/live/s", "rtmp://h/live", "s", "h:1935/live/s"],
    ["rtmp://h:19350/live/s?k=a%2Fb", "rtmp://h:19350/live", "s?k=a%2Fb", "h:19350/live/s"],
    ["rtmp://h/live/_definst_/s", "rtmp://h/live/_definst_", "s", "h:1935/live/_definst_/s"],
    ["rtmps://h/live/s/", "rtmps://h/live", "s", "h:443/live/s"],
    ["rtmp://[::1]:1936/live/s", "rtmp://[::1]:1936/live", "s", "[::1]:1936/live/s"],
    ["rtmp://u:p@h/live/s", "rtmp://h/live", "s", "h:1935/live/s"],
  ];
  for (const [url, tcUrl, stream, text] of cases) {
    const target = parseTarget(url);
    assert.deepEqual([tcUrlOf(target), target.stream, describeTarget(target)], [
      tcUrl,
      stream,
      text,
    ]);
  }
  assert.equal(parseTarget("rtmp://h/a/b?k=v", "s").app, "a/b");
  assert.equal(parseTarget("rtmp://h/a/b?k=v", "s").stream, "s?k=v");
  assert.equal(tcUrlOf({ ...parseTarget("rtmp://h/live/s"), vhost: "v" }), "rtmp://v/live");
  for (
    const bad of ["", "h/live/s", "rtmp://h", "rtmp://h/live", "http://h/live/s", "rtmp:///a/b"]
  ) {
    assert.throws(() => parseTarget(bad), RtmpError, bad);
  }
});

Deno.test("S8: a redirect changes host and port, and app and stream only if it names them", () => {
  const from = { ...parseTarget("rtmp://h/live/s?token=1"), vhost: "v" };
  assert.deepEqual(redirectedTarget(from, "rtmp://o:1936/live"), {
    ...from,
    host: "o",
    port: 1936,
  });
  const other = redirectedTarget(from, "rtmp://o/app/t?x=y");
  assert.deepEqual([other.app, other.stream, other.vhost], ["app", "t?x=y", "v"]);
  for (
    const bad of ["", "javascript:x", "rtmp://", "http://h/live/s", `rtmp://h/${"a".repeat(9000)}`]
  ) {
    assert.throws(() => redirectedTarget(from, bad), RtmpError, bad);
  }
});
