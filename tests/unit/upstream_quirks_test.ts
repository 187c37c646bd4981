/**
 * Odd upstreams (quirks S1 to S10, S13); S11 and S12 have sockets and are in upstream_net_test.ts.
 * @module
 */

import assert from "node:assert/strict";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfEcmaArray, AmfObject, type AmfValue } from "../../src/rtmp/amf_value.ts";
import { createStreamResult, onStatus } from "../../src/rtmp/command.ts";
import { userControlBody } from "../../src/rtmp/message.ts";
import * as limits from "../../src/clients/limits.ts";
import { concat } from "./hex.ts";
import { FakeUpstream } from "./support/fake_upstream.ts";
import type { Plain } from "./support/server_messages.ts";

/** A video message, as it is told by the recorder. */
const VIDEO = concat("17 01 000000 00000001 65");
const VIDEO_EVENT = "media 9 40 17010000000000000165";

/** The server's media come through. */
function assertPlays(upstream: FakeUpstream): void {
  upstream.send(9, VIDEO, { timestamp: 40 });
  assert.equal(upstream.owner.events.at(-1), VIDEO_EVENT, upstream.owner.events.join("\n"));
  upstream.assertRunning();
}

/** The command of this name. */
function asked(upstream: FakeUpstream, name: string): Plain[] {
  const found = upstream.asked().find((message) => message[3] === name);
  assert.ok(found, `the client has not sent ${name}`);
  return found;
}

Deno.test("S1: _result of connect with null properties", () => {
  for (const values of [[], [null], [null, null], [undefined, null]] as AmfValue[][]) {
    const upstream = new FakeUpstream({ role: "play" }).open();
    upstream.command("_result", 1, ...values);
    assert.deepEqual(upstream.commands(), ["connect", "createStream"]);
    upstream.assertRunning();
  }
});

Deno.test("S2: _result and onStatus with transaction id 0, while playing", () => {
  const upstream = new FakeUpstream({ role: "play" }).open();
  upstream.command("_result", 0, null, new AmfObject([["code", "NetConnection.Connect.Success"]]));
  upstream.command("_result", 0, null, 7);
  const play = asked(upstream, "play");
  assert.equal(play[1], 7, "on the stream that the server has given");
  upstream.send(20, onStatus("status", "NetStream.Play.Start", ""), { csid: 5, msid: 7 });
  assertPlays(upstream);
});

Deno.test("S2: while publishing, releaseStream is answered with 0 or a used id before createStream", () => {
  for (const id of [0, 1, 2]) {
    const upstream = new FakeUpstream({ role: "publish" }).connected();
    const commands = upstream.asked().filter((message) => message[2] === 20);
    assert.deepEqual(
      commands.map(([, , , name]) => name),
      ["connect", "releaseStream", "FCPublish", "createStream"],
    );
    upstream.command("_result", id, null, undefined);
    upstream.command("_result", 3, null, undefined);
    upstream.command("_error", 3, null, new AmfObject([["level", "error"]]));
    assert.deepEqual(upstream.commands(), [], "that was not the answer to createStream");
    upstream.command("_result", id === 0 ? 0 : 4, null, 1);
    assert.deepEqual(upstream.commands(), ["publish"]);
    upstream.started("NetStream.Publish.Start");
    assert.ok(upstream.client.running);
  }
});

Deno.test("S3: the answers to play and publish are repeated", () => {
  const player = new FakeUpstream({ role: "play" }).running();
  player.started("NetStream.Play.Reset");
  player.started("NetStream.Play.Start");
  player.command("_result", 1, null, new AmfObject([["code", "NetConnection.Connect.Success"]]));
  player.command("_result", 2, null, 1);
  assert.deepEqual(player.owner.of("accepted"), ["accepted"]);
  assertPlays(player);
  const publisher = new FakeUpstream({ role: "publish" }).running();
  publisher.asked();
  publisher.started("NetStream.Publish.Start");
  publisher.send(20, createStreamResult(4), { csid: 3 });
  assert.deepEqual(publisher.owner.of("accepted"), ["accepted"]);
  assert.deepEqual(publisher.asked(), [], "nothing is asked again");
  publisher.assertRunning();
});

Deno.test("S4: AMF undefined in replies", () => {
  const upstream = new FakeUpstream({ role: "publish" }).open();
  upstream.command("_result", 1, undefined, new AmfObject([["code", undefined]]));
  upstream.command("_result", 2, undefined, undefined);
  upstream.command("_result", 4, undefined, 1);
  upstream.send(20, encodeAmf0("onStatus", 0, undefined, undefined), { csid: 5 });
  upstream.started("NetStream.Publish.Start");
  assert.ok(upstream.client.running);
});

Deno.test('S5: the publish type is the word "live"', () => {
  const upstream = new FakeUpstream({ role: "publish" }, "rtmp://origin/app/key").connected();
  upstream.command("_result", 4, null, 1);
  assert.deepEqual(asked(upstream, "publish").slice(5), [null, "key", "live"]);
});

Deno.test("S6: connect has the fields of its role and no others", () => {
  const fields = (role: "play" | "publish") => {
    const connect = asked(new FakeUpstream({ role }).open(), "connect");
    return Object.keys(connect[5] ?? {}).sort();
  };
  const common = ["app", "flashVer", "objectEncoding", "tcUrl"];
  const player = ["audioCodecs", "capabilities", "fpad", "videoCodecs", "videoFunction"];
  assert.deepEqual(fields("play"), [...common, ...player].sort());
  assert.deepEqual(fields("publish"), [...common, "type"].sort());
});

Deno.test("S7: no media after play has begun ends it, pings or not", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.pass(3000);
  upstream.send(4, userControlBody(6, 5), { csid: 2, msid: 0 });
  upstream.assertRunning();
  upstream.pass(2500);
  upstream.assertEnded("silent", /origin:1935\/live\/s: nobody publishes it.*5000 ms/);
});

Deno.test("S7: silence after media, and an owner that waits for ever", () => {
  const upstream = new FakeUpstream({ role: "play" }).running();
  upstream.pass(4000);
  assertPlays(upstream);
  upstream.pass(4000);
  upstream.assertRunning();
  upstream.pass(1500);
  upstream.assertEnded("silent", /nothing has come/);
  const patient = new FakeUpstream({ role: "play", mediaTimeoutMs: 0 }).running();
  patient.pass(60_000);
  patient.assertRunning();
});

const REDIRECT = "rtmp://192.0.2.9:1936/live";
for (
  const [what, ex, to] of [
    ["redirect", [["code", 302], ["redirect", REDIRECT]], REDIRECT],
    [
      "redirect2 before redirect",
      [["code", 302], ["redirect", "rtmp://wrong/live"], ["redirect2", `${REDIRECT}/s?k=v`]],
      `${REDIRECT}/s?k=v`,
    ],
  ] as [string, [string, AmfValue][], string][]
) {
  Deno.test(`S8: ${what}, as _error to connect and as onStatus`, () => {
    const info = new AmfObject([
      ["level", "error"],
      ["code", "NetConnection.Connect.Rejected"],
      ["ex", new AmfObject(ex)],
    ]);
    const early = new FakeUpstream({ role: "play" }).open();
    early.command("_error", 1, null, info);
    const late = new FakeUpstream({ role: "play" }).running();
    late.send(20, encodeAmf0("onStatus", 0, null, info), { csid: 5 });
    // An ECMA array where SRS sends an object.
    const array = new FakeUpstream({ role: "play" }).open();
    array.command("_error", 1, null, new AmfEcmaArray([...info]));
    for (const upstream of [early, late, array]) {
      upstream.assertEnded("redirect", /192\.0\.2\.9/);
      assert.equal(upstream.owner.end?.redirect, to);
    }
  });
}

Deno.test("S9: the query travels in the stream's name", () => {
  const player = new FakeUpstream({ role: "play" }, "rtmp://origin/live/s?token=9&a=b").connected();
  player.command("_result", 2, null, 1);
  const messages = player.asked();
  const connect = messages.find((message) => message[3] === "connect");
  assert.equal(JSON.stringify(connect).includes("token"), false, "and not in the tcUrl");
  assert.deepEqual(messages.find((message) => message[3] === "play")?.slice(4), [
    0,
    null,
    "s?token=9&a=b",
  ]);
});

for (
  const [what, end] of [
    [
      "UnpublishNotify",
      (u: FakeUpstream) => u.started("NetStream.Play.UnpublishNotify"),
    ],
    ["StreamEOF", (u: FakeUpstream) => u.send(4, userControlBody(1, 1), { csid: 2, msid: 0 })],
  ] as const
) {
  Deno.test(`S10: ${what} ends a player, or is told if it wants to stay`, () => {
    const ends = new FakeUpstream({ role: "play" }).running();
    end(ends);
    ends.assertEnded("unpublished", /publisher has gone/);
    const stays = new FakeUpstream({ role: "play", onUnpublish: "keep" }).running();
    end(stays);
    assert.equal(stays.owner.events.at(-1), "unpublished");
    assertPlays(stays);
  });
}

Deno.test("S13: the times of SRS, and each step within its own", () => {
  assert.equal(limits.MEDIA_TIMEOUT_MS, 5000, "ingest read");
  assert.equal(limits.RETRY_PAUSE_MS, 3000, "retry");
  assert.equal(limits.WRITE_STALL_MS, 30_000, "RTMP");
  const steps: [string, RegExp, (u: FakeUpstream) => void][] = [
    ["handshake", /no handshake within 5000/, () => {}],
    ["connect", /answer to connect/, (u) => u.open()],
    ["createStream", /answer to createStream/, (u) => u.connected()],
    ["play", /answer to play/, (u) => {
      u.connected();
      u.command("_result", 2, null, 1);
    }],
  ];
  for (const [, text, reach] of steps) {
    const upstream = new FakeUpstream({ role: "play" });
    upstream.pass(3000);
    reach(upstream);
    upstream.pass(4750 - (text.source.includes("handshake") ? 3000 : 0));
    upstream.assertRunning();
    upstream.pass(500);
    upstream.assertEnded("timeout", text);
  }
  // A publisher is not a player: it may hear nothing for as long as it likes.
  const publisher = new FakeUpstream({ role: "publish" }).running();
  publisher.pass(60_000);
  publisher.assertRunning();
  publisher.socket.busy = true;
  assert.equal(publisher.client.publish(9, 0, VIDEO), false);
  publisher.pass(29_000);
  publisher.assertRunning();
  publisher.pass(1500);
  publisher.assertEnded("stalled", /30 s/);
});
