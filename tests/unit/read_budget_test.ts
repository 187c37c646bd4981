/**
 * H57: what one connection may have read while others wait: little before it publishes, and of a
 * publisher one turn's share after the other, in order and to the last byte.
 * @module
 */

import assert from "node:assert/strict";
import {
  MAX_BYTES_PER_SECOND,
  MAX_MESSAGES_PER_SECOND,
  MAX_MESSAGES_PER_TURN,
  MAX_PLAYER_MESSAGES_PER_SECOND,
  MAX_PUBLISHED_PER_SECOND,
} from "../../src/servers/rtmp/limits.ts";
import { concat } from "./hex.ts";
import { type Sent, TestServer } from "./support/rtmp_peer.ts";

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

const ACK: Sent = { type: 3, payload: concat("00001000"), csid: 2, msid: 0 };

/** This many of a message, chunked. */
function many(count: number, message: Sent, encode: (message: Sent) => Uint8Array): Uint8Array {
  return concat(...Array.from({ length: count }, () => encode(message)));
}

Deno.test("H57: who neither publishes nor plays has few messages in a second", () => {
  for (const state of ["open", "connected", "created"] as const) {
    const server = new TestServer();
    const peer = server[state]();
    server.pass(1000);
    for (let second = 0; second < 3; second++) {
      peer.feed(many(MAX_MESSAGES_PER_SECOND, ACK, (message) => peer.encode(message)));
      peer.assertOpen();
      server.pass(1000);
    }
    peer.feed(many(MAX_MESSAGES_PER_SECOND + 1, ACK, (message) => peer.encode(message)));
    peer.assertClosed(2046, /more than 500 messages in a second from a client that neither/);
  }
});

Deno.test("H57: a player's surplus of messages waits for the next second", () => {
  const server = new TestServer();
  const player = server.player();
  server.pass(1000);
  const share = MAX_MESSAGES_PER_TURN >> 1;
  const feed = (count: number) =>
    player.feed(many(count, ACK, (message) => player.encode(message)));
  let sent = 0;
  for (; sent < MAX_PLAYER_MESSAGES_PER_SECOND - share; sent += share) feed(share);
  feed(share - 1);
  assert.equal(player.socket.reading, true);
  feed(3);
  assert.equal(player.socket.reading, false);
  player.feed(player.encode({ type: 4, payload: concat("0006 00000007"), csid: 2, msid: 0 }));
  const pongs = () => player.received().filter(({ type }) => type === 4).length;
  assert.equal(pongs(), 0);
  server.pass(1000);
  assert.equal(player.socket.reading, true);
  assert.equal(pongs(), 1);
  player.assertOpen();
});

Deno.test("H57: a player's surplus of bytes waits for the next second, of whatever they are", () => {
  const server = new TestServer();
  const player = server.player();
  server.pass(1000);
  player.setChunkSize(1);
  const long: Sent = { type: 18, payload: new Uint8Array(60_000), csid: 5, msid: 0 };
  const bytes = player.encode(long);
  const half = bytes.length >> 1;
  for (let sent = 0; sent <= MAX_BYTES_PER_SECOND; sent += bytes.length) player.feed(bytes);
  assert.equal(player.socket.reading, false);
  player.feed(bytes.subarray(0, half));
  server.pass(1000);
  assert.equal(player.socket.reading, true);
  player.feed(bytes.subarray(half));
  player.assertOpen();
});

Deno.test("H57: chunks of one byte count by their bytes", () => {
  const server = new TestServer();
  const peer = server.connected();
  server.pass(1000);
  peer.setChunkSize(1);
  const long: Sent = { type: 18, payload: new Uint8Array(60_000), csid: 5, msid: 0 };
  const bytes = peer.encode(long);
  assert.ok(bytes.length > 100_000);
  peer.feed(bytes);
  peer.feed(peer.encode(long));
  peer.assertOpen();
  assert.ok(3 * bytes.length > MAX_BYTES_PER_SECOND);
  peer.feed(peer.encode(long));
  peer.assertClosed(2046, /more than 262144 bytes in a second/);
});

Deno.test("H57: a publisher's messages are read turn by turn, and none is lost", async () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const player = server.player();
  player.received();
  const count = MAX_PUBLISHED_PER_SECOND + 3000;
  publisher.writer.chunkSize = 128;
  const bytes = concat(...Array.from({ length: count }, (_, index) => {
    const payload = concat("af 01", new Uint8Array([index >> 16, index >> 8, index]));
    return publisher.encode({ type: 8, payload, timestamp: Math.floor(index / 10), csid: 4 });
  }));
  server.pass(1000);
  const got: number[] = [];
  const collect = () => {
    for (const { type, payload } of player.received()) {
      if (type === 8) got.push(payload[2] << 16 | payload[3] << 8 | payload[4]);
    }
    return got.length;
  };
  publisher.feed(bytes);
  assert.equal(publisher.socket.reading, false, "the rest is left to the kernel");
  server.clock.advance(400);
  const first = collect();
  assert.ok(first > 0 && first <= MAX_MESSAGES_PER_TURN, String(first));
  for (let i = 0; i < 30; i++) await turn();
  server.clock.advance(400);
  assert.ok(collect() <= MAX_PUBLISHED_PER_SECOND);
  assert.equal(publisher.socket.reading, false);
  server.pass(1000);
  for (let i = 0; i < 30; i++) await turn();
  server.pass(1000);
  assert.equal(collect(), count);
  assert.deepEqual(got, Array.from({ length: count }, (_, index) => index));
  assert.equal(publisher.socket.reading, true);
  publisher.assertOpen();
});

Deno.test("H57: a publisher that is not read on for a second is not kept for ever", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const tiny = { type: 8, payload: concat("af 01 00"), csid: 4 };
  publisher.feed(many(MAX_MESSAGES_PER_TURN, tiny, (message) => publisher.encode(message)));
  publisher.assertOpen();
  for (let i = 0; i < 70; i++) publisher.feed(new Uint8Array(64 * 1024));
  publisher.assertClosed(2046, /more than 20000 messages/);
});
