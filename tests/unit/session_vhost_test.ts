/**
 * What a vhost's own directives do to a connection: tcp_nodelay, takeover; and what clients are told that
 * speak Enhanced RTMP.
 * @module
 */

import assert from "node:assert/strict";
import { CLEAR_LOOKS_MS, STALLED_MS } from "../../src/live/limits.ts";
import type { AmfValue } from "../../src/rtmp/amf_value.ts";
import { IDLE_GATHER_MS, IDLE_READ_MS } from "../../src/servers/rtmp/limits.ts";
import { IDLE_GATHER_MAX_BYTES, IDLE_GATHER_REST_MS } from "../../src/servers/rtmp/limits.ts";
import { concat } from "./hex.ts";
import { command, connectObject, type Peer, recipe, TestServer } from "./support/rtmp_peer.ts";

for (const setting of ["on", "off"]) {
  Deno.test(`tcp_nodelay ${setting}: holds from play or publish on, commands never wait`, () => {
    const text = `listen 1935; vhost __defaultVhost__ { tcp_nodelay ${setting}; }`;
    const server = new TestServer(text);
    const peers = [server.publisher(), server.player()];
    for (const { socket } of peers) assert.equal(socket.noDelay, setting === "on");
  });
}

const KEYFRAME = concat("17 01 000000 00000001 65");

function videos(player: Peer): number {
  return player.received().filter(({ type }) => type === 9).length;
}

Deno.test("realtime.conf: a message is with idle players when the publisher's read returns", () => {
  const server = new TestServer();
  const players = [server.player(), server.player()];
  const publisher = server.publisher();
  for (let i = 0; i < 10; i++) {
    server.clock.advance(40);
    publisher.send({ type: 9, payload: KEYFRAME, timestamp: 40 * i, csid: 6 });
    assert.deepEqual(players.map(videos), [1, 1], `message ${i}`);
  }
});

Deno.test("while nobody plays, sockets are read now and then; the first player ends that at once", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const { clock } = server;
  for (let i = 0; i < 3; i++) {
    assert.equal(publisher.socket.reading, true);
    clock.advance(IDLE_READ_MS);
    assert.equal(publisher.socket.reading, false);
    clock.advance(IDLE_GATHER_MS - IDLE_READ_MS);
  }
  clock.advance(IDLE_READ_MS);
  assert.equal(publisher.socket.reading, false);
  server.player();
  assert.equal(publisher.socket.reading, true);
  for (let i = 0; i < 100; i++) {
    publisher.send({ type: 9, payload: KEYFRAME, timestamp: 40 * i, csid: 6 });
    clock.advance(7);
    assert.equal(publisher.socket.reading, true);
  }
});

Deno.test("an idle publisher that unpublishes is read at once again", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  server.clock.advance(IDLE_READ_MS);
  assert.equal(publisher.socket.reading, false);
  publisher.send(command("FCUnpublish", 6, null, "s"));
  assert.equal(publisher.socket.reading, true);
  server.clock.advance(1000);
  assert.equal(publisher.socket.reading, true);
});

Deno.test("a stream that could fill its socket's buffer meanwhile is not left there", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const large = concat(KEYFRAME, new Uint8Array(IDLE_GATHER_MAX_BYTES));
  publisher.send({ type: 9, payload: large, timestamp: 0, csid: 6 });
  for (let second = 0; second < IDLE_GATHER_REST_MS / 1000; second++) {
    publisher.send({ type: 9, payload: KEYFRAME, timestamp: 0, csid: 6 });
    server.clock.advance(IDLE_READ_MS);
    assert.equal(publisher.socket.reading, true, `second ${second}`);
    server.clock.advance(1000 - IDLE_READ_MS);
  }
  publisher.send({ type: 9, payload: KEYFRAME, timestamp: 0, csid: 6 });
  server.clock.advance(IDLE_READ_MS);
  assert.equal(publisher.socket.reading, false);
});

function publishAgain(server: TestServer): Peer {
  const peer = server.created();
  peer.send(command("publish", 5, null, "s", "live"));
  // The first one may have to be read before the answer.
  for (const ms of CLEAR_LOOKS_MS) server.clock.advance(ms);
  return peer;
}

Deno.test("takeover if_stalled: refused with BadName while the first sends", () => {
  const server = new TestServer();
  const first = server.publisher();
  const second = publishAgain(server);
  assert.match(JSON.stringify(second.answers()), /NetStream\.Publish\.BadName/);
  second.assertClosed(1028);
  first.assertOpen();
});

Deno.test("takeover if_stalled: after 2 s of silence the first is told and closed, the second publishes", () => {
  const server = new TestServer();
  const player = server.player();
  const first = server.publisher();
  first.send({ type: 9, payload: KEYFRAME, timestamp: 0, csid: 6 });
  server.clock.advance(STALLED_MS);
  const second = publishAgain(server);
  assert.match(JSON.stringify(first.answers()), /NetStream\.Publish\.BadName/);
  first.assertClosed(1028, /taken the stream over/);
  assert.match(JSON.stringify(second.answers()), /NetStream\.Publish\.Start/);
  player.received();
  second.send({ type: 9, payload: KEYFRAME, timestamp: 0, csid: 6 });
  assert.equal(videos(player), 1);
  player.assertOpen();
  second.assertOpen();
});

Deno.test("takeover replace: the newcomer publishes at once", () => {
  const server = new TestServer(recipe("", "", "takeover replace;"));
  const first = server.publisher();
  const second = publishAgain(server);
  first.assertClosed(1028, /taken the stream over/);
  second.assertOpen();
});

Deno.test("takeover deny: the second is refused, however long the first has been silent", () => {
  const server = new TestServer(recipe("", "", "takeover deny;"));
  const first = server.publisher();
  server.clock.advance(4000);
  publishAgain(server).assertClosed(1028);
  first.assertOpen();
});

function connectAnswer(fields: [string, AmfValue][]) {
  const peer = new TestServer().open();
  peer.send(command("connect", 1, connectObject(undefined, fields)));
  const found = peer.answers().find((answer) => answer[3] === "_result");
  return found?.[5];
}

Deno.test("Enhanced RTMP: who announces anything of it is told that a relay forwards everything", () => {
  const announcements: [string, AmfValue][] = [["capsEx", 15], ["fourCcList", ["hvc1"]]];
  for (const announcement of announcements) {
    assert.deepEqual(connectAnswer([announcement]), {
      fmsVer: "FMS/3,5,3,888",
      capabilities: 127,
      mode: 1,
      fourCcList: ["*"],
      videoFourCcInfoMap: { "*": 4 },
      audioFourCcInfoMap: { "*": 4 },
      capsEx: 15,
    });
  }
});

Deno.test("Enhanced RTMP: who does not gets the answer of always", () => {
  assert.deepEqual(connectAnswer([]), {
    fmsVer: "FMS/3,5,3,888",
    capabilities: 127,
    mode: 1,
  });
});

/** A multitrack message of track 1. */
const SIDE_FRAME = concat("96 01 68766331 01 000000 bb");

Deno.test("Q60 only a player that announced multitrack gets side tracks", () => {
  const server = new TestServer();
  const plain = server.player();
  const modern = server.open();
  modern.send(command("connect", 1, connectObject(undefined, [["capsEx", 2]])));
  modern.send(command("createStream", 2, null), command("play", 3, null, "s"));
  const publisher = server.publisher();
  publisher.send({ type: 9, payload: SIDE_FRAME, timestamp: 0, csid: 6 });
  assert.equal(videos(plain), 0);
  assert.equal(videos(modern), 1);
});
