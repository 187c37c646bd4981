/**
 * What one connection may cost: memory, requests, time; and that its end is orderly whatever ends it.
 * @module
 */

import assert from "node:assert/strict";
import { concat } from "./hex.ts";
import { be, chunk } from "./support/naive_chunks.ts";
import {
  command,
  connectObject,
  type Peer,
  recipe,
  type Sent,
  TestServer,
} from "./support/rtmp_peer.ts";

const KEYFRAME = concat("17 01 000000 00000001 65");
const PING: Sent = { type: 4, payload: concat("0006 00000001"), csid: 2, msid: 0 };

function video(timestamp: number): Sent {
  return { type: 9, payload: KEYFRAME, timestamp, csid: 6 };
}

// ---- memory

Deno.test("H1, H11: before publishing a message has at most 64 KB, refused with its header", () => {
  for (const state of ["open", "connected", "created", "player"] as const) {
    const good = new TestServer()[state]();
    good.feed(chunk(0, { csid: 8, length: 65_536, type: 20 }, ""));
    good.assertOpen();
    const bad = new TestServer()[state]();
    bad.feed(chunk(0, { csid: 8, length: 65_537, type: 20 }, ""));
    bad.assertClosed(2046, /65537 bytes, at most 65536/);
  }
});

Deno.test("H1: a publisher may announce 16 MB; after FCUnpublish it may not any more", () => {
  const peer = new TestServer().publisher();
  peer.feed(chunk(0, { csid: 8, length: 0xffffff, type: 9 }, ""));
  peer.assertOpen();
  const other = new TestServer().publisher();
  other.send(command("FCUnpublish", 6, null, "s"));
  other.feed(chunk(0, { csid: 8, length: 0xffffff, type: 9 }, ""));
  other.assertClosed(2046);
});

Deno.test("H2: 65 unfinished chunk streams", () => {
  const peer = new TestServer().publisher();
  for (let csid = 100; csid < 164; csid++) {
    peer.feed(chunk(0, { csid, length: 1000, type: 9 }, new Uint8Array(128)));
  }
  peer.assertOpen();
  peer.feed(chunk(0, { csid: 164, length: 1000, type: 9 }, ""));
  peer.assertClosed(2046, /chunk streams/);
});

Deno.test("H3: chunk size 0 and bit 31 end the connection, 1 does not", () => {
  for (const size of [0, 0x80000000, 0xffffffff]) {
    const peer = new TestServer().publisher();
    peer.feed(chunk(0, { csid: 2, length: 4, type: 1 }, Uint8Array.from(be(size, 4))));
    peer.assertClosed(2010);
  }
  const peer = new TestServer().connected();
  peer.setChunkSize(1);
  peer.send(command("createStream", 2, null));
  assert.equal(peer.answers().length, 1);
});

Deno.test("H5, H6: broken order of chunks ends the connection with its reason", () => {
  const begun = chunk(0, { csid: 6, length: 200, type: 9 }, new Uint8Array(128));
  const cases: [Uint8Array, number][] = [
    [concat(begun, begun), 2001],
    [concat(begun, chunk(1, { csid: 6, length: 300, type: 9 }, "")), 2013],
    [chunk(2, { csid: 40, time: 1 }, "00"), 2001],
    [chunk(3, { csid: 41 }, "00"), 2001],
  ];
  for (const [bytes, code] of cases) {
    const peer = new TestServer().publisher();
    peer.feed(bytes);
    peer.assertClosed(code);
  }
});

// ---- requests

Deno.test("H10: at most 100 commands in a second", () => {
  const server = new TestServer();
  const peer = server.connected();
  server.pass(1000);
  for (let second = 0; second < 3; second++) {
    for (let i = 0; i < 100; i++) peer.send(command("x", 0, null));
    peer.assertOpen();
    server.pass(1000);
  }
  for (let i = 0; i < 101; i++) peer.feed(peer.encode(command("x", 0, null)));
  peer.assertClosed(2046, /more than 100 commands or pings in a second/);
});

Deno.test("H20: a player's pings are limited too, acknowledgements are read and dropped", () => {
  const server = new TestServer();
  const player = server.player();
  server.pass(1000);
  const ack: Sent = { type: 3, payload: concat("00001000"), csid: 2, msid: 0 };
  for (let i = 0; i < 5000; i++) player.send(ack);
  for (let i = 0; i < 100; i++) player.send(PING);
  player.assertOpen();
  assert.equal(player.answers().length, 100);
  player.send(PING);
  player.assertClosed(2046);
});

Deno.test("H20: a peer that asks and does not read: answers do not pile up", () => {
  const server = new TestServer();
  const peer = server.publisher();
  peer.socket.busy = true;
  for (let i = 0; i < 2000 && peer.socket.state === "open"; i++) {
    peer.send(video(i * 1000));
    for (let n = 0; n < 90 && peer.socket.state === "open"; n++) peer.send(PING);
    server.pass(1000);
    assert.ok(peer.socket.pendingBytes <= 256 * 1024 + 10_000, `${peer.socket.pendingBytes}`);
  }
  assert.ok(peer.socket.pendingBytes > 256 * 1024, "it was answered until then");
  peer.assertClosed(2046, /the peer asks, and does not read the answers/);
  assert.deepEqual(peer.log.faults, []);
});

Deno.test("H20: a player that asks and does not read is its phase's business, whoever else is not", () => {
  const full = (peer: Peer) => {
    peer.socket.busy = true;
    peer.socket.pendingBytes = 256 * 1024 + 1;
    peer.send(command("x", 5, null));
  };
  const server = new TestServer();
  const player = server.player();
  full(player);
  player.assertOpen();
  for (const peer of [server.publisher(), server.connected(), server.created()]) {
    full(peer);
    peer.assertClosed(2046, /the peer asks, and does not read the answers/);
  }
});

Deno.test("H20: a player that does not read gets no more pongs", () => {
  const server = new TestServer();
  const player = server.player();
  player.socket.busy = true;
  player.socket.pendingBytes = 256 * 1024 + 1;
  for (let i = 0; i < 50; i++) player.send(PING);
  assert.deepEqual(player.answers(), []);
  player.assertOpen();
});

// ---- time

Deno.test("H16: 30 s from the handshake to publish or play, in all", () => {
  for (const state of ["open", "connected", "created"] as const) {
    const server = new TestServer();
    const peer = server[state]();
    for (let second = 0; second < 29; second++) {
      server.pass(1000);
      peer.send(PING);
      peer.assertOpen();
    }
    server.pass(1000);
    peer.assertClosed(1011);
  }
});

Deno.test("H16: what comes between connect and publish does not start the 30 s anew", () => {
  const server = new TestServer();
  const peer = server.open();
  server.pass(20_000);
  peer.send(command("connect", 1, connectObject()), command("createStream", 2, null));
  server.pass(9000);
  peer.assertOpen();
  server.pass(1000);
  peer.assertClosed(1011, /neither publish nor play/);
});

// ---- the end

Deno.test("every way to end leaves the stream, and says so once", () => {
  const ends: [string, (server: TestServer) => void][] = [
    ["peer closes", ({ peers: [peer] }) => peer.session.onClose(null)],
    ["network", ({ peers: [peer] }) => peer.session.onClose(new Error("ECONNRESET"))],
    ["kick", ({ peers: [peer] }) => peer.session.kick()],
    ["stop", ({ peers: [peer] }) => peer.session.shutdown()],
    ["fault", ({ peers: [peer] }) => peer.feed(chunk(3, { csid: 60 }, ""))],
    ["silence", (server) => server.pass(21_000)],
  ];
  for (const role of ["publisher", "player"] as const) {
    for (const [what, end] of ends) {
      if (role === "player" && what === "silence") continue;
      const server = new TestServer();
      const peer = server[role]();
      end(server);
      const [stream] = server.hub.streams;
      assert.equal(stream.active, false, what);
      assert.equal(stream.playerCount, 0, what);
      if (!what.includes("peer") && what !== "network") peer.session.onClose(null);
      assert.deepEqual(server.finished, ["peer0"]);
      assert.deepEqual(server.roles.slice(-1), ["peer0 -"]);
      assert.equal(peer.log.matching("client finished").length, 1);
      assert.deepEqual(peer.log.faults, []);
      server.pass(5000);
      assert.deepEqual([...server.hub.streams], []);
    }
  }
});

Deno.test("after the end nothing is read, sent or ticked any more", () => {
  const server = new TestServer();
  const peer = server.publisher();
  peer.feed(chunk(3, { csid: 60 }, ""));
  const { length } = peer.socket.writes;
  const received = peer.session.recvBytes;
  peer.send(video(0), PING, command("createStream", 9, null));
  peer.session.onWritable();
  server.pass(100_000);
  peer.session.shutdown();
  assert.equal(peer.socket.writes.length, length);
  assert.equal(peer.session.recvBytes, received);
  assert.equal(peer.end.length, 1);
  assert.deepEqual(peer.log.faults, []);
});

Deno.test("messages behind the one that ends the connection are not looked at", () => {
  const server = new TestServer();
  const peer = server.created();
  peer.feed(concat(
    peer.encode(command("publish", 3, null, "a\\b")),
    peer.encode(command("publish", 4, null, "s")),
  ));
  peer.assertClosed(2006);
  assert.deepEqual([...server.hub.streams], []);
});

Deno.test("a fault of ours ends one connection, with an error in its log", () => {
  const server = new TestServer();
  const other = server.publisher("other");
  const peer = server.connected();
  Object.defineProperty(peer.socket, "send", {
    value: () => {
      throw new TypeError("a bug");
    },
  });
  peer.send(command("createStream", 2, null));
  assert.equal(peer.socket.state, "aborted");
  assert.equal(peer.log.faults.length, 1);
  other.send(video(0));
  other.assertOpen();
});

Deno.test("a fault of ours at the very end does not get out of the connection", () => {
  const server = new TestServer();
  const peers = [server.publisher("a"), server.publisher("b"), server.player("a")];
  Object.defineProperty(server.host, "roleChanged", {
    value: () => {
      throw new TypeError("a bug");
    },
  });
  peers[0].session.onClose(null);
  peers[1].feed(chunk(3, { csid: 60 }, ""));
  peers[2].session.kick();
  for (const peer of peers) {
    assert.equal(peer.socket.state, "aborted");
    assert.equal(peer.log.faults.length, 1);
  }
});

Deno.test("roles: what the host is told", () => {
  const server = new TestServer(recipe());
  const peer = server.publisher("s");
  peer.send(command("FCUnpublish", 6, null, "s"), command("play", 7, null, "s"));
  peer.session.onClose(null);
  const roles = server.roles.filter((role, i, all) => role !== all[i - 1]);
  assert.deepEqual(roles, [
    "peer0 -",
    "peer0 fmle-publish",
    "peer0 -",
    "peer0 rtmp-play",
    "peer0 -",
  ]);
});
