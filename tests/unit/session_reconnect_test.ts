/**
 * Enhanced RTMP's ReconnectRequest: who gets one, and what it says.
 * @module
 */
import assert from "node:assert/strict";
import { command, connectObject, TestServer } from "./support/rtmp_peer.ts";

const RECONNECT = 1;

/** A player or publisher that has announced `capsEx`. */
function client(server: TestServer, capsEx: number, what: "play" | "publish") {
  const peer = server.open();
  peer.send(command("connect", 1, connectObject(undefined, [["capsEx", capsEx]])));
  peer.send(command("createStream", 2, null));
  peer.send(command(what, 3, null, what));
  peer.answers();
  return peer;
}

Deno.test("reconnect: a publisher and a player that announced it are asked, once", () => {
  for (const what of ["play", "publish"] as const) {
    const peer = client(new TestServer(), RECONNECT | 2, what);
    assert.equal(peer.session.requestReconnect("bye", null), true);
    assert.deepEqual(peer.answers(), [[3, 0, 20, "onStatus", 0, null, {
      level: "status",
      code: "NetConnection.Connect.ReconnectRequest",
      description: "bye",
    }]]);
    assert.equal(peer.session.requestReconnect("bye", null), false);
    assert.deepEqual(peer.answers(), []);
  }
});

Deno.test("reconnect: elsewhere", () => {
  const peer = client(new TestServer(), RECONNECT, "play");
  peer.session.requestReconnect("bye", "rtmp://b.example/live");
  assert.deepEqual(peer.answers()[0]?.[6], {
    level: "status",
    code: "NetConnection.Connect.ReconnectRequest",
    description: "bye",
    tcUrl: "rtmp://b.example/live",
  });
});

Deno.test("reconnect: nobody else is asked", () => {
  const server = new TestServer();
  const others = [
    client(server, 2 | 4 | 8, "play"),
    client(server, 0, "publish"),
    server.publisher("old"),
    server.player("old"),
  ];
  // It has announced it, and has nothing to take elsewhere yet.
  const idle = server.open();
  idle.send(command("connect", 1, connectObject(undefined, [["capsEx", RECONNECT]])));
  for (const peer of [...others, idle]) {
    peer.answers();
    assert.equal(peer.session.requestReconnect("bye", null), false);
    assert.deepEqual(peer.answers(), []);
  }
});
