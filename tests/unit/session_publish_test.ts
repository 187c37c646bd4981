/**
 * Publishing: the three styles and their answers, refusals, the ends of a publish, timeouts.
 * @module
 */

import assert from "node:assert/strict";
import { Access } from "../../src/access/access.ts";
import type { Grant } from "../../src/access/grant.ts";
import { CLEAR_LOOKS_MS } from "../../src/live/limits.ts";
import { HookCaller } from "../../src/access/hook_caller.ts";
import { NO_RELAYS } from "../../src/relay/relays.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfEcmaArray } from "../../src/rtmp/amf_value.ts";
import { ErrorCode, RtmpError } from "../../src/rtmp/error.ts";
import { concat, toHex } from "./hex.ts";
import { chunk } from "./support/naive_chunks.ts";
import { command, type Peer, recipe, type Sent, TestServer } from "./support/rtmp_peer.ts";
import type { Plain } from "./support/server_messages.ts";
import { FakePublisher } from "./support/live_fixture.ts";
import { IDENTITY } from "./support/grants.ts";

const ON_FC_PUBLISH: Plain[] = [5, 1, 20, "onFCPublish", 0, null, {
  code: "NetStream.Publish.Start",
  description: "Started publishing stream.",
}];
const ON_STATUS: Plain[] = [5, 1, 20, "onStatus", 0, null, {
  level: "status",
  code: "NetStream.Publish.Start",
  description: "Started publishing stream.",
  clientid: "ASAICiss",
}];

function unpublished(id: number): Plain[][] {
  return [
    [5, 1, 20, "onFCUnpublish", 0, null, {
      code: "NetStream.Unpublish.Success",
      description: "Stop publishing stream.",
    }],
    [3, 1, 20, "_result", id, null, undefined],
    [5, 1, 20, "onStatus", 0, null, {
      level: "status",
      code: "NetStream.Unpublish.Success",
      description: "Stream is now unpublished",
      clientid: "ASAICiss",
    }],
  ];
}

function result(id: number, value: Plain): Plain[] {
  return [3, 0, 20, "_result", id, null, value];
}

const VIDEO_HEADER = concat("17 00 000000 01 42001e ff e1 0000 01 0000");
const KEYFRAME = concat("17 01 000000 00000001 65");

function video(timestamp: number, payload = KEYFRAME): Sent {
  return { type: 9, payload, timestamp, csid: 6 };
}

function audio(timestamp: number, payload = concat("af01 2110")): Sent {
  return { type: 8, payload, timestamp, csid: 4 };
}

/** Media messages that a player got, `type@timestamp payload`. */
function media(player: Peer): string[] {
  return player.received().filter(({ type }) => type === 8 || type === 9)
    .map(({ type, timestamp, payload }) => `${type}@${timestamp} ${toHex(payload)}`);
}

function keys(server: TestServer): string[] {
  return [...server.hub.streams].filter(({ active }) => active).map(({ key }) => key);
}

// ---- the three styles

Deno.test("fmle-publish: ffmpeg, OBS, librtmp", () => {
  const server = new TestServer();
  const peer = server.connected();
  peer.send(command("releaseStream", 2, null, "s"));
  peer.send(command("FCPublish", 3, null, "s"));
  peer.send(command("createStream", 4, null));
  peer.send(command("_checkbw", 0, null));
  peer.send(command("publish", 5, null, "s", "live"));
  assert.deepEqual(peer.answers(), [
    result(2, undefined),
    result(3, undefined),
    result(4, 1),
    ON_FC_PUBLISH,
    ON_STATUS,
  ]);
  assert.equal(peer.session.role?.type, "fmle-publish");
  assert.deepEqual(keys(server), ["/live/s"]);
});

Deno.test("the same in one piece: what it all says goes out in one write", () => {
  const peer = new TestServer().connected();
  const writes = peer.socket.writes.length;
  peer.send(
    command("releaseStream", 2, null, "s"),
    command("FCPublish", 3, null, "s"),
    command("createStream", 4, null),
    command("publish", 5, null, "s", "live"),
  );
  assert.equal(peer.socket.writes.length, writes + 1);
  assert.deepEqual(peer.answers().slice(3), [ON_FC_PUBLISH, ON_STATUS]);
});

Deno.test("Q27: haivision-publish: FCPublish after createStream", () => {
  const peer = new TestServer().connected();
  peer.send(command("_checkbw", 2, null)); // Q28
  peer.send(command("createStream", 3, null));
  peer.send(command("FCPublish", 4, null, "s"));
  peer.send(command("publish", 5, null, "s", "live"));
  assert.deepEqual(peer.answers(), [
    result(2, null),
    result(3, 1),
    result(4, undefined),
    ON_FC_PUBLISH,
    ON_STATUS,
  ]);
  assert.equal(peer.session.role?.type, "haivision-publish");
});

Deno.test("Q26: flash-publish: createStream, publish; onStatus only", () => {
  const peer = new TestServer().created();
  peer.send(command("publish", 0, null, "s", "live"));
  assert.deepEqual(peer.answers(), [ON_STATUS]);
  assert.equal(peer.session.role?.type, "flash-publish");
});

Deno.test("Q31: the type of publish is missing, upper case or nonsense", () => {
  for (const more of [[], ["LIVE"], ["record"], [null], [5]]) {
    const peer = new TestServer().created();
    peer.send(command("publish", 5, null, "s", ...more));
    assert.deepEqual(peer.answers(), [ON_STATUS]);
  }
});

Deno.test("Q35: a publisher that speaks type 17 and 15", () => {
  const server = new TestServer();
  const player = server.player();
  const peer = server.connected();
  for (const said of [command("createStream", 2, null), command("publish", 3, null, "s")]) {
    peer.send({ type: 17, payload: concat("00", said.payload) });
  }
  assert.deepEqual(peer.answers(), [result(2, 1), ON_STATUS]);
  const fields = new AmfEcmaArray([["width", 640]]);
  const metadata = encodeAmf0("@setDataFrame", "onMetaData", fields);
  peer.send({ type: 15, payload: concat("00", metadata), csid: 4 });
  peer.send({ type: 15, payload: metadata, csid: 4 });
  const seen = player.answers().map(([csid, msid, type, name, body]) => {
    assert.ok(typeof body === "object" && body !== null && "width" in body);
    return [csid, msid, type, name, body.width];
  });
  assert.deepEqual(seen, [[4, 1, 18, "onMetaData", 640], [4, 1, 18, "onMetaData", 640]]);
});

Deno.test("tcp_nodelay of the vhost is applied when publishing begins", () => {
  assert.equal(new TestServer().publisher().socket.noDelay, true);
  const off = new TestServer("listen 1935; vhost __defaultVhost__ { tcp_nodelay off; }");
  assert.equal(off.publisher().socket.noDelay, false);
});

// ---- names

Deno.test("which stream is meant: tcUrl and name (Q20-Q23, Q25)", () => {
  const text = `${recipe()} vhost v1 { }`;
  const cases = [
    ["rtmp://h/live", "s?vhost=v1&k=v", "v1/live/s"],
    ["rtmp://h/live?vhost=v1", "s", "v1/live/s"],
    ["rtmp://h/live...vhost...v1", "s", "v1/live/s"],
    ["rtmp://v1/live", "s", "v1/live/s"],
    ["rtmp://h/live?domain=v1", "s", "v1/live/s"],
    ["rtmp://h/live/s", "", "/live/s"],
    ["rtmp://h/live/_definst_", "s.flv", "/live/s"],
    ["rtmp://h/live", "a/b?token=x", "/live/a/b"],
    ["rtmp://h/live/s", "?key=1", "/live/s"],
  ];
  for (const [tcUrl, name, key] of cases) {
    const server = new TestServer(text);
    server.publisher(name, tcUrl);
    assert.deepEqual(keys(server), [key], `${tcUrl} ${name}`);
  }
});

Deno.test("a vhost that is missing or not enabled: said, then closed", () => {
  const text = "listen 1935; vhost v1 { enabled off; } vhost v2 { }";
  for (const tcUrl of ["rtmp://v1/live", "rtmp://v9/live"]) {
    const server = new TestServer(text);
    const peer = server.created(tcUrl);
    peer.send(command("publish", 3, null, "s"));
    peer.assertClosed(2014);
    assert.deepEqual(peer.answers().map((answer) => answer.slice(0, 4)), [[5, 1, 20, "onStatus"]]);
    assert.deepEqual([...server.hub.streams], []);
  }
});

Deno.test("H9: publish without a name that can be one", () => {
  const names = [null, 5, true, undefined, "", "a\0b", "../x", "x".repeat(60_000)];
  for (const name of names) {
    const server = new TestServer();
    const peer = server.created();
    peer.send(command("publish", 3, null, name, "live"));
    assert.equal(peer.socket.state, "closed", `${name}`);
    assert.deepEqual(peer.log.faults, []);
    const [status] = peer.answers();
    assert.deepEqual(status.slice(0, 6), [5, 1, 20, "onStatus", 0, null]);
    assert.deepEqual([...server.hub.streams], []);
  }
});

// ---- refusal

for (const style of ["fmle", "haivision", "flash"] as const) {
  Deno.test(`a busy stream, ${style}: BadName, then close; the first goes on`, () => {
    const server = new TestServer();
    const first = server.publisher("s");
    const player = server.player("s");
    const second = style === "fmle" ? server.connected() : server.created();
    if (style !== "flash") second.send(command("FCPublish", 3, null, "s"));
    if (style === "fmle") second.send(command("createStream", 4, null));
    second.answers();
    second.send(command("publish", 5, null, "s", "live"));
    second.assertOpen();
    for (const ms of CLEAR_LOOKS_MS) server.clock.advance(ms);
    second.assertClosed(1028, /being published already/);
    const answers = second.answers();
    if (style !== "flash") assert.deepEqual(answers.shift(), ON_FC_PUBLISH);
    const [[csid, msid, type, name, id, none, info], ...more] = answers;
    assert.deepEqual([csid, msid, type, name, id, none], [5, 1, 20, "onStatus", 0, null]);
    assert.ok(typeof info === "object" && info !== null && "code" in info);
    assert.deepEqual([info.level, info.code], ["error", "NetStream.Publish.BadName"]);
    assert.deepEqual(more, []);

    first.assertOpen();
    first.send(video(0));
    assert.equal(media(player).length, 1);
  });
}

/** Counts the questions to hooks. */
class CountingAccess extends Access {
  questions = 0;

  override grant(...args: Parameters<Access["grant"]>): Grant {
    const grant = super.grant(...args);
    const ask = grant.askHooks.bind(grant);
    grant.askHooks = (answer) => {
      this.questions++;
      ask(answer);
    };
    return grant;
  }
}

Deno.test("hooks are not asked about a stream that its publisher keeps; at an edge the origin decides", () => {
  const edge = "cluster { mode remote; origin 127.0.0.1:1; }";
  for (
    const [vhost, published, questions] of [["", true, 0], ["", false, 1], [edge, true, 1]] as const
  ) {
    const server = new TestServer(recipe(vhost));
    const access = new CountingAccess(IDENTITY, new HookCaller("srs-edge/1.2.3"));
    const relay = {
      ...NO_RELAYS,
      openUplink: () => {
        throw new RtmpError(ErrorCode.LIMIT, "the origin was asked");
      },
    };
    Object.assign(server.host, { access, relay });
    const [config] = server.config.vhosts;
    const stream = server.hub.obtain("/live/s", config, "live", "s");
    if (published) new FakePublisher(stream).start();
    const peer = server.created();
    peer.send(command("publish", 5, null, "s", "live"));
    for (const ms of CLEAR_LOOKS_MS) server.clock.advance(ms);
    assert.equal(access.questions, questions, `${vhost} ${published}`);
    if (vhost) peer.assertClosed(ErrorCode.LIMIT, /the origin was asked/);
    else if (published) peer.assertClosed(ErrorCode.STREAM_BUSY, /being published already/);
    else peer.assertOpen();
  }
});

Deno.test("what the forward backend has named is forwarded to, and no more after the end", () => {
  const server = new TestServer();
  const told: unknown[] = [];
  Object.assign(server.host, {
    relay: {
      ...NO_RELAYS,
      destinations: (_client: unknown, answer: (found: readonly string[]) => void) =>
        answer(["10.0.0.1:1935"]),
      published: (stream: { key: string }, client: { id: string }, to: readonly string[]) =>
        void told.push([stream.key, client.id, to]),
      unpublished: (stream: { key: string }) => void told.push(stream.key),
    },
  });
  const peer = server.publisher("s");
  assert.deepEqual(told, [["/live/s", peer.session.id, ["10.0.0.1:1935"]]]);
  peer.send(command("FCUnpublish", 6, null, "s"));
  assert.deepEqual(told.slice(1), ["/live/s"]);
});

Deno.test("F31: the server stops: the encoder is told that its publish is over, then closed", () => {
  const server = new TestServer();
  const peer = server.publisher();
  peer.session.shutdown();
  peer.assertClosed(ErrorCode.SERVER_STOP);
  assert.deepEqual(peer.answers(), [[5, 1, 20, "onStatus", 0, null, {
    level: "status",
    code: "NetStream.Unpublish.Success",
    description: "The server is about to stop.",
    clientid: "ASAICiss",
  }]]);
  assert.deepEqual(keys(server), []);
});

Deno.test("a new publisher may take the stream once the first is gone; players go on", () => {
  const server = new TestServer();
  const player = server.player("s");
  const first = server.publisher("s");
  first.send(video(0), video(40));
  first.session.onClose(null);
  const second = server.publisher("s");
  second.send(video(90_000), video(90_040));
  const times = media(player).map((text) => Number(text.slice(2, text.indexOf(" "))));
  assert.equal(times.length, 4);
  for (let i = 1; i < times.length; i++) {
    assert.ok(times[i] > times[i - 1] && times[i] - times[i - 1] <= 250, `${times}`);
  }
  player.assertOpen();
});

// ---- the end of a publish

for (const name of ["FCUnpublish", "releaseStream", "FCPublish"]) {
  Deno.test(`${name} ends an fmle publish with three answers (Q33)`, () => {
    const server = new TestServer();
    const peer = server.publisher();
    peer.send(command(name, 6, null, "s"));
    assert.deepEqual(peer.answers(), unpublished(6));
    assert.deepEqual(keys(server), []);
    assert.equal(peer.session.role, null);
    peer.assertOpen();
  });
}

Deno.test("Q33: FCUnpublish, deleteStream, and publishing again on the same connection, thrice", () => {
  const server = new TestServer();
  const player = server.player("s");
  const peer = server.publisher("s");
  for (let round = 0; round < 3; round++) {
    peer.send(video(round * 1000));
    peer.send(command("FCUnpublish", 6, null, "s"), command("deleteStream", 0, null, 1));
    assert.deepEqual(peer.answers().slice(0, 3), unpublished(6));
    server.pass(170_000);
    peer.send(command("releaseStream", 7, null, "s"), command("FCPublish", 8, null, "s"));
    peer.send(command("createStream", 9, null), command("publish", 10, null, "s", "live"));
    assert.deepEqual(peer.answers(), [
      result(7, undefined),
      result(8, undefined),
      result(9, 1),
      ON_FC_PUBLISH,
      ON_STATUS,
    ]);
  }
  assert.equal(media(player).length, 3);
});

Deno.test("after FCUnpublish the client may play, on the same connection", () => {
  const server = new TestServer();
  const other = server.publisher("other");
  const peer = server.publisher("s");
  peer.send(command("FCUnpublish", 6, null, "s"), command("createStream", 7, null));
  peer.send(command("play", 8, null, "other"));
  peer.answers();
  other.send(video(0));
  assert.equal(media(peer).length, 1);
  assert.equal(peer.session.role?.type, "rtmp-play");
});

Deno.test("after FCUnpublish there are 3 minutes for the next", () => {
  const server = new TestServer();
  const peer = server.publisher();
  peer.send(command("FCUnpublish", 6, null, "s"));
  server.pass(179_000);
  peer.assertOpen();
  server.pass(2000);
  peer.assertClosed(1011, /neither publish nor play in time/);
});

Deno.test("fmle: unknown commands and a second publish are ignored without an answer (H10)", () => {
  const server = new TestServer();
  const peer = server.publisher();
  for (const name of ["publish", "createStream", "connect", "play", "_checkbw", "pause", "x"]) {
    peer.send(command(name, 9, null, "s"));
  }
  assert.deepEqual(peer.answers(), []);
  assert.deepEqual(keys(server), ["/live/s"]);
  peer.assertOpen();
});

Deno.test("deleteStream and closeStream end a publish without an answer", () => {
  for (const style of ["publisher", "flashPublisher"] as const) {
    for (const said of [command("deleteStream", 0, null, 1), command("closeStream", 0, null)]) {
      const server = new TestServer();
      const peer = server[style]();
      peer.send(said);
      assert.deepEqual(peer.answers(), []);
      assert.deepEqual(keys(server), []);
      peer.assertOpen();
      assert.equal(server.publisher().session.role?.publish, true);
    }
  }
  const server = new TestServer();
  server.publisher().send(command("deleteStream", 0, null, 2));
  assert.deepEqual(keys(server), ["/live/s"]);
});

Deno.test("Q32: publish(false) stops publishing, and is nothing before it", () => {
  const server = new TestServer();
  const peer = server.created();
  peer.send(command("publish", 0, null, false));
  peer.assertOpen();
  peer.send(command("publish", 0, null, "s"));
  assert.deepEqual(keys(server), ["/live/s"]);
  peer.send(command("publish", 0, null, false));
  assert.deepEqual(keys(server), []);
  peer.answers();
  peer.send(command("publish", 0, null, "t"));
  assert.deepEqual(peer.answers(), [ON_STATUS]);
  assert.deepEqual(keys(server), ["/live/t"]);
});

Deno.test("flash: publish and play while publishing go on to something else", () => {
  const server = new TestServer();
  const peer = server.flashPublisher("s");
  peer.send(command("publish", 0, null, "t"));
  assert.deepEqual(peer.answers(), [ON_STATUS]);
  assert.deepEqual(keys(server), ["/live/t"]);
  peer.send(command("play", 0, null, "t"));
  assert.equal(peer.session.role?.type, "rtmp-play");
  assert.deepEqual(keys(server), []);
});

// ---- media

Deno.test("payloads reach the player byte by byte as they came, on fixed chunk streams", () => {
  const server = new TestServer();
  const player = server.player();
  const peer = server.publisher();
  const payload = Uint8Array.from({ length: 70_000 }, (_, i) => i * 7 + (i >> 8));
  payload.set(concat("27 01 000000"));
  peer.send(video(0, VIDEO_HEADER), video(0), audio(10), video(20, payload));
  assert.deepEqual(player.received().map((m) => [m.csid, m.msid, m.type, m.payload]), [
    [6, 1, 9, VIDEO_HEADER],
    [6, 1, 9, KEYFRAME],
    [7, 1, 8, concat("af01 2110")],
    [6, 1, 9, payload],
  ]);
});

Deno.test("H13, Q41, Q42: empty audio, video, data and command messages do no harm", () => {
  const server = new TestServer();
  const player = server.player();
  const peer = server.publisher();
  const none = new Uint8Array(0);
  for (const type of [8, 9, 15, 17, 18, 20, 22, 1, 4, 5]) {
    peer.send({ type, payload: none, csid: 8 });
  }
  peer.send(video(0));
  assert.equal(media(player).length, 1);
  peer.assertOpen();
});

Deno.test("Q49: ffmpeg's time code among the data is left out", () => {
  const server = new TestServer();
  const player = server.player();
  const peer = server.publisher();
  for (const payload of [concat("00000005"), concat("00020005")]) {
    for (const type of [15, 17, 18, 20]) peer.send({ type, payload, csid: 8 });
  }
  assert.deepEqual(peer.log.matching("left out"), []);
  assert.deepEqual(player.answers(), []);
  assert.deepEqual(peer.answers(), []);
  peer.assertOpen();
});

Deno.test("Q37: metadata that cannot be decoded are left out, the publish goes on", () => {
  const server = new TestServer();
  const player = server.player();
  const peer = server.publisher();
  peer.send({
    type: 18,
    payload: concat("02 000a 'onMetaData", "08 00000001 0001 61 ff"),
    csid: 4,
  });
  peer.send(video(0));
  assert.equal(media(player).length, 1);
  peer.assertOpen();
});

Deno.test("aggregate: its parts reach the player with the aggregate's time", () => {
  const server = new TestServer(recipe("", "time_jitter off;"));
  const player = server.player();
  const peer = server.publisher();
  const payload = concat(
    "09 000002 0003e8 00 000000 1701 0000000d",
    "08 000002 0003f2 00 000000 af01 0000000d",
  );
  peer.send({ type: 22, payload, timestamp: 5000, csid: 6 });
  assert.deepEqual(media(player), ["9@5000 1701", "8@5010 af01"]);
  peer.send({ type: 22, payload: payload.subarray(0, 12), csid: 6 });
  peer.assertClosed(2013, /aggregate/);
});

Deno.test("Q1, Q3, Q4, Q5: a publisher past 0xFFFFFF ms and past 31 bits", () => {
  const server = new TestServer(recipe("", "time_jitter off;"));
  const player = server.player();
  const peer = server.publisher();
  for (const time of [0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0x80000010]) {
    peer.send(video(time));
  }
  const times = media(player).map((text) => Number(text.slice(2, text.indexOf(" "))));
  assert.deepEqual(times, [0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0x10]);
});

Deno.test("Q10: Set Chunk Size after publish, between the chunks of a video message", () => {
  const server = new TestServer();
  const player = server.player();
  const peer = server.publisher();
  const data = Uint8Array.from({ length: 1000 }, (_, i) => i === 0 ? 0x17 : i);
  peer.feed(chunk(0, { csid: 70, length: 1000, type: 9 }, data.subarray(0, 128)));
  peer.feed(chunk(0, { csid: 2, length: 4, type: 1, msid: 0 }, "00100000"));
  peer.feed(chunk(3, { csid: 70 }, data.subarray(128)));
  assert.deepEqual(media(player), [`9@0 ${toHex(data)}`]);
});

Deno.test("Q50: a publisher's ping is answered at once", () => {
  const peer = new TestServer().publisher();
  peer.send({ type: 4, payload: concat("0006 00000063"), csid: 2, msid: 0 });
  assert.deepEqual(peer.answers(), [[2, 0, 4, 7, 99]]);
});

Deno.test("mr on: after a small read the socket rests for mr_latency", () => {
  const text = `listen 1935; vhost __defaultVhost__ { publish { mr on; mr_latency 350; } }`;
  const server = new TestServer(text);
  const peer = server.publisher();
  server.clock.advance(1000);
  assert.equal(peer.socket.reading, true);
  // The pause begins with the next turn.
  peer.send(video(0));
  server.clock.advance(0);
  assert.equal(peer.socket.reading, false);
  server.clock.advance(349);
  assert.equal(peer.socket.reading, false);
  server.clock.advance(1);
  assert.equal(peer.socket.reading, true);
  peer.send(video(40, new Uint8Array(5000)));
  server.clock.advance(0);
  assert.equal(peer.socket.reading, true);
});

Deno.test("mr on: a publish that ends leaves the socket reading", () => {
  const server = new TestServer(`listen 1935; vhost __defaultVhost__ { publish { mr on; } }`);
  const peer = server.publisher();
  server.clock.advance(1000);
  peer.send(video(0));
  server.clock.advance(0);
  assert.equal(peer.socket.reading, false);
  peer.send(command("FCUnpublish", 6, null, "s"));
  server.clock.advance(1000);
  assert.equal(peer.socket.reading, true);
});

// ---- timeouts

Deno.test("a publisher that sends nothing has firstpkt_timeout, 20 s", () => {
  const server = new TestServer();
  const peer = server.publisher();
  server.pass(20_000);
  peer.assertOpen();
  server.pass(1000);
  peer.assertClosed(1011, /publish timeout: no first message for 20000 ms/);
  assert.deepEqual(keys(server), []);
});

Deno.test("then normal_timeout, 5 s, since the last byte of any kind", () => {
  const server = new TestServer();
  const peer = server.publisher();
  peer.send(video(0));
  for (let i = 0; i < 10; i++) {
    server.pass(4000);
    peer.send({ type: 4, payload: concat("0006 00000001"), csid: 2, msid: 0 });
  }
  server.pass(5000);
  peer.assertOpen();
  server.pass(1000);
  peer.assertClosed(1011, /nothing received for 5000 ms/);
  assert.deepEqual(keys(server), []);
});

Deno.test("both timeouts are the vhost's", () => {
  const text = recipe("", "", "firstpkt_timeout 3000; normal_timeout 1500;");
  const silent = new TestServer(text);
  const first = silent.publisher();
  silent.pass(3000);
  first.assertOpen();
  silent.pass(1000);
  first.assertClosed(1011);
  const brief = new TestServer(text);
  const second = brief.publisher();
  second.send(video(0));
  brief.pass(1000);
  second.assertOpen();
  brief.pass(1000);
  second.assertClosed(1011);
});

Deno.test("kickoff_for_idle: nobody plays (streaming: 7)", () => {
  const server = new TestServer(recipe("", "", "kickoff_for_idle 10;"));
  const peer = server.publisher();
  const player = server.player();
  const pass = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      server.pass(1000);
      if (peer.socket.state === "open") peer.send(video(i));
    }
  };
  pass(30);
  peer.assertOpen();
  player.session.onClose(null);
  pass(9);
  peer.assertOpen();
  pass(3);
  peer.assertClosed(2056, /nobody has played/);
});

/** Notes the ends of its grants. */
class EndingAccess extends Access {
  ends = 0;

  override grant(...args: Parameters<Access["grant"]>): Grant {
    const grant = super.grant(...args);
    const end = grant.end.bind(grant);
    grant.end = () => {
      this.ends++;
      end();
    };
    return grant;
  }
}

Deno.test("a publisher that was faster in the end keeps the stream, and the grant of the other ends", () => {
  const server = new TestServer();
  const answers: ((found: readonly string[]) => void)[] = [];
  const access = new EndingAccess(IDENTITY, new HookCaller("srs-edge/1.2.3"));
  Object.assign(server.host, {
    access,
    relay: {
      ...NO_RELAYS,
      destinations: (_client: unknown, answer: (found: readonly string[]) => void) =>
        void answers.push(answer),
    },
  });
  const peer = server.created();
  peer.send(command("publish", 5, null, "s", "live"));
  assert.equal(answers.length, 1);
  const stream = server.hub.find("/live/s");
  assert.ok(stream);
  const faster = new FakePublisher(stream);
  faster.start();
  answers[0]([]);
  peer.assertClosed(ErrorCode.STREAM_BUSY, /being published already/);
  assert.equal(access.ends, 1);
  assert.equal(stream.published, true);
  assert.equal(faster.replacements, 0);
});
