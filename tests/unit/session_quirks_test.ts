/**
 * Quirks of real encoders that concern the whole way from one peer to another.
 * @module
 */

import assert from "node:assert/strict";
import { concat, toHex } from "./hex.ts";
import {
  CLIENT_HANDSHAKE,
  command,
  connectObject,
  type Peer,
  TestServer,
} from "./support/rtmp_peer.ts";

const AVC_HEADER = concat("17 00 000000 01 42001e ff e1 0004 6742001e 01 0002 68ce");
const OTHER_AVC_HEADER = concat("17 00 000000 01 4d001f ff e1 0004 674d001f 01 0002 68ee");
const AAC_HEADER = concat("af 00 1210");
const KEYFRAME = concat("17 01 000000 00000002 6588");

/** Sends video messages 40 ms apart, and returns what the player has got of them. */
function relay(publisher: Peer, player: Peer, payloads: Uint8Array[]): string[] {
  player.received();
  payloads.forEach((payload, i) =>
    publisher.send({ type: 9, payload, timestamp: 40 * i, csid: 6 })
  );
  return player.received().filter(({ type }) => type === 9).map(({ payload }) => toHex(payload));
}

function hexes(payloads: Uint8Array[]): string[] {
  return payloads.map((payload) => toHex(payload));
}

Deno.test("Q14: an encoder reconnects with the chunk size of the connection before", () => {
  const server = new TestServer();
  const peer = server.accept();
  peer.feed(CLIENT_HANDSHAKE);
  peer.writer.chunkSize = 4096;
  const longUrl = `rtmp://192.0.2.1/live?${"x".repeat(300)}`;
  peer.send(command("connect", 1, connectObject(longUrl)));
  assert.ok(peer.answers().some((answer) => answer[3] === "_result"));
  peer.send(command("createStream", 2, null), command("publish", 3, null, "s", "live"));
  peer.assertOpen();
  const frames = [AVC_HEADER, KEYFRAME, concat(KEYFRAME, new Uint8Array(1000).fill(7))];
  assert.deepEqual(relay(peer, server.player(), frames), hexes(frames));
});

Deno.test("Q14: chunks of 128 bytes are still what they were, at any cut", () => {
  const server = new TestServer();
  const longUrl = `rtmp://192.0.2.1/live?${"x".repeat(300)}`;
  for (const cut of [1, 127, 139, 140, 141, 142, 200]) {
    const peer = server.accept();
    peer.feed(CLIENT_HANDSHAKE);
    const bytes = peer.encode(command("connect", 1, connectObject(longUrl)));
    peer.feed(bytes.subarray(0, cut));
    peer.feed(bytes.subarray(cut));
    assert.ok(peer.answers().some((answer) => answer[3] === "_result"), `cut at ${cut}`);
  }
});

Deno.test("Q14: a control message between the chunks of connect is one, not stale chunk size", () => {
  const longUrl = `rtmp://192.0.2.1/live?${"x".repeat(300)}`;
  for (const cut of [0, 1, 140, 141, 150, 160]) {
    const server = new TestServer();
    const peer = server.accept();
    peer.feed(CLIENT_HANDSHAKE);
    const connect = peer.encode(command("connect", 1, connectObject(longUrl)));
    // A type-0 header and 128 bytes; an acknowledgement on chunk stream 2; the rest.
    const first = 12 + 128;
    const acknowledgement = concat("02 000000 000004 03 00000000 00000001");
    const bytes = concat(connect.subarray(0, first), acknowledgement, connect.subarray(first));
    peer.feed(bytes.subarray(0, cut));
    peer.feed(bytes.subarray(cut));
    peer.assertOpen();
    assert.ok(peer.answers().some((answer) => answer[3] === "_result"), `cut at ${cut}`);
    // And what follows is read with the chunk size that there is.
    peer.send(command("createStream", 2, null));
    assert.equal(peer.answers().length, 1);
  }
});

Deno.test("Q39: metadata that announce audio which never comes", () => {
  const server = new TestServer();
  const player = server.player();
  const publisher = server.publisher();
  const metadata = concat(
    "02000a 6f6e4d65746144617461 08 00000001 000c 617564696f636f6465636964 00 4024000000000000 000009",
  );
  publisher.send({ type: 18, payload: metadata, timestamp: 0, csid: 4 });
  const frames = [AVC_HEADER, KEYFRAME, KEYFRAME];
  assert.deepEqual(relay(publisher, player, frames), hexes(frames));
});

Deno.test("Q40: sequence headers before every keyframe, later with other content", () => {
  const server = new TestServer();
  const player = server.player();
  const publisher = server.publisher();
  publisher.send({ type: 8, payload: AAC_HEADER, timestamp: 0, csid: 4 });
  const frames = [AVC_HEADER, KEYFRAME, AVC_HEADER, KEYFRAME, OTHER_AVC_HEADER, KEYFRAME];
  assert.deepEqual(relay(publisher, player, frames), hexes(frames));
  const late = server.created();
  late.send(command("play", 3, null, "s"));
  const headers = late.received().filter(({ type }) => type === 9);
  assert.deepEqual(headers.map(({ payload }) => toHex(payload)), hexes([OTHER_AVC_HEADER]));
});

Deno.test("Q43, Q44: empty NAL units, and start codes inside length-prefixed ones, pass as they are", () => {
  const server = new TestServer();
  const player = server.player();
  const frames = [
    AVC_HEADER,
    concat("17 01 000000 00000000 00000002 6588"),
    concat("17 01 000000 00000006 00000001 6588"),
    concat("27 01 000000 00000000"),
  ];
  assert.deepEqual(relay(server.publisher(), player, frames), hexes(frames));
});

Deno.test("Q56: TLS on the plain RTMP port is closed with a line that says what to do", () => {
  const server = new TestServer();
  const peer = server.accept();
  peer.feed(concat("16 0301 0200 0100 01fc 0303"));
  assert.equal(peer.socket.sent.length, 0);
  peer.assertClosed(2000, /rtmp:\/\/, not rtmps:\/\//);
});

Deno.test("Q58: a load balancer that connects and closes, or sends nothing, is no warning", () => {
  const server = new TestServer();
  const visitor = server.accept();
  visitor.session.onClose(null);
  assert.deepEqual(server.finished, [visitor.session.id]);
  assert.deepEqual(visitor.log.lines.filter((line) => /warn|error/i.test(line)), []);
  const silent = server.accept();
  server.pass(15_000);
  silent.assertClosed(1011, /no handshake/);
});
