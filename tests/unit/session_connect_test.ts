/**
 * A session from the first byte to the point where the client says what it wants.
 * @module
 */

import assert from "node:assert/strict";
import { AmfEcmaArray, AmfObject, type AmfValue } from "../../src/rtmp/amf_value.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { concat } from "./hex.ts";
import { makeC1, verifyAnswer } from "./support/digest_client.ts";
import { be, chunk } from "./support/naive_chunks.ts";
import {
  CLIENT_HANDSHAKE,
  command,
  connectObject,
  recipe,
  type Sent,
  TestServer,
} from "./support/rtmp_peer.ts";
import type { Plain } from "./support/server_messages.ts";

function control(type: number, ...bytes: number[]): Sent {
  return { type, payload: Uint8Array.from(bytes), csid: 2, msid: 0 };
}

function connectResultValues(transactionId: number, objectEncoding: number): Plain[] {
  return [3, 0, 20, "_result", transactionId, {
    fmsVer: "FMS/3,5,3,888",
    capabilities: 127,
    mode: 1,
  }, {
    level: "status",
    code: "NetConnection.Connect.Success",
    description: "Connection succeeded",
    objectEncoding,
    data: {
      version: "3,5,3,888",
      srs_server: "srs-edge/1.2.3",
      srs_pid: 4711,
      srs_id: "peer0",
    },
  }];
}

const BANDWIDTH = [2, 0, 6, 2_500_000, 2];
const BW_DONE = [3, 0, 20, "onBWDone", 0, null];

// ---- handshake

Deno.test("S0 S1 S2 go out in one write, and connect may come with C2 (Q54)", () => {
  const peer = new TestServer().accept();
  const connect = peer.encode(command("connect", 1, connectObject()));
  peer.feed(CLIENT_HANDSHAKE.subarray(0, 1537));
  assert.deepEqual(peer.socket.writes.map((write) => write.length), [3073]);
  peer.feed(concat(CLIENT_HANDSHAKE.subarray(1537), connect));
  assert.equal(peer.socket.writes.length, 2);
  assert.equal(peer.answers().length, 5);
});

Deno.test("a digest client is answered with digests (Q55)", () => {
  for (const schema of [0, 1] as const) {
    const peer = new TestServer().accept();
    const { c1, digest } = makeC1(new Uint8Array(1536).fill(0x42), schema);
    peer.feed(concat("03", c1));
    verifyAnswer(peer.socket.sent, digest, schema);
    assert.equal(peer.log.matching("complex handshake success").length, 1);
  }
});

Deno.test("C0 = 6 is closed without a byte", () => {
  const peer = new TestServer().accept();
  peer.feed(concat("06", CLIENT_HANDSHAKE.subarray(1)));
  peer.assertClosed(2000, /version 6/);
  assert.equal(peer.socket.writes.length, 0);
});

Deno.test("Q57: HTTP on the RTMP port is closed at once with a helpful line", () => {
  const peer = new TestServer().accept();
  peer.feed(concat("'GET / HTTP/1.1\r\n\r\n"));
  peer.assertClosed(2000, /HTTP request on the RTMP port: use rtmp:\/\//);
  assert.equal(peer.socket.writes.length, 0);
});

Deno.test("the real address from a proxy header is in the log", () => {
  const peer = new TestServer().accept();
  peer.feed(concat("f30004 cb007105", CLIENT_HANDSHAKE));
  assert.equal(peer.log.matching("real ip=203.0.113.5").length, 1);
  peer.assertOpen();
});

Deno.test("H16: the handshake has 10 s, however slowly bytes come", () => {
  for (const bytes of [0, 1, 1536, 3072]) {
    const server = new TestServer();
    const peer = server.accept();
    for (let second = 0; second < 10; second++) {
      const share = Math.ceil(bytes / 10);
      peer.feed(CLIENT_HANDSHAKE.subarray(second * share, Math.min((second + 1) * share, bytes)));
      server.pass(1000);
      peer.assertOpen();
    }
    server.pass(1000);
    peer.assertClosed(1011, /no handshake within 10000 ms/);
  }
});

// ---- connect

Deno.test("connect: five answers in this order, in one write", () => {
  const peer = new TestServer().open();
  const writes = peer.socket.writes.length;
  peer.send(command("connect", 1, connectObject()));
  assert.deepEqual(peer.answers(), [
    [2, 0, 5, 2_500_000],
    BANDWIDTH,
    [2, 0, 1, 60_000],
    connectResultValues(1, 0),
    BW_DONE,
  ]);
  assert.equal(peer.socket.writes.length, writes + 1);
});

Deno.test("connect: the types of the answer's objects", () => {
  const peer = new TestServer().open();
  peer.send(command("connect", 1, connectObject()));
  const result = peer.received()[3].payload;
  const text = String.fromCharCode(...result);
  assert.ok(text.includes("\x00\x04data\x08\x00\x00\x00\x04\x00\x07version"), "data: ECMA array");
});

Deno.test("Q12, Q13: Set Chunk Size comes before the result, which is one chunk", () => {
  const peer = new TestServer().open();
  peer.send(command("connect", 1, connectObject()));
  const messages = peer.received();
  assert.ok(messages[3].payload.length > 128);
  assert.equal(messages.findIndex(({ type }) => type === 1), 2);
});

Deno.test("connect: out_ack_size 0 is not announced; chunk_size of the vhost is", () => {
  const peer = new TestServer(recipe("out_ack_size 0; chunk_size 4096;")).open();
  peer.send(command("connect", 1, connectObject()));
  assert.deepEqual(peer.answers().slice(0, 2), [BANDWIDTH, [2, 0, 1, 4096]]);
});

Deno.test("connect: the settings are those of the vhost that tcUrl leads to", () => {
  const text = `${recipe()} vhost v1 { out_ack_size 5000; chunk_size 1000; }`;
  for (const tcUrl of ["rtmp://h/live?vhost=v1", "rtmp://v1/live", "rtmp://h/live...vhost...v1"]) {
    const peer = new TestServer(text).open();
    peer.send(command("connect", 1, connectObject(tcUrl)));
    const [first, , third] = peer.answers();
    assert.deepEqual([first, third], [[2, 0, 5, 5000], [2, 0, 1, 1000]]);
  }
});

Deno.test("Q15: the transaction id of connect is echoed, objectEncoding too", () => {
  const peer = new TestServer().open();
  peer.send(command("connect", 5, connectObject(undefined, [["objectEncoding", 3]])));
  assert.deepEqual(peer.answers()[3], connectResultValues(5, 3));
});

Deno.test("Q16, Q18: connect with odd arguments", () => {
  const lower = new AmfObject([["tcurl", "rtmp://h/live"]]);
  const array = new AmfEcmaArray([["tcUrl", "rtmp://h/live"]]);
  const cases: AmfValue[][] = [
    [connectObject(), "extra"],
    [connectObject(), ["a", "b"]],
    [connectObject(), new AmfObject([["srs_id", "x"]])],
    [lower],
    [array],
  ];
  for (const values of cases) {
    const peer = new TestServer().open();
    peer.send(command("connect", 1, ...values));
    assert.deepEqual(peer.answers()[3], connectResultValues(1, 0));
  }
});

Deno.test("Q17: the command object has no end marker", () => {
  const peer = new TestServer().open();
  const payload = encodeAmf0("connect", 1, connectObject());
  peer.send({ type: 20, payload: payload.subarray(0, payload.length - 3) });
  assert.deepEqual(peer.answers()[3], connectResultValues(1, 0));
});

Deno.test("Q35: connect as type 17 is answered in type 20", () => {
  const peer = new TestServer().open();
  const { payload } = command("connect", 1, connectObject());
  peer.send({ type: 17, payload: concat("00", payload) });
  assert.deepEqual(peer.answers()[3], connectResultValues(1, 0));
});

Deno.test("Q19, Q20: tcUrl in quotes, without app, or missing with an app", () => {
  for (const tcUrl of ["'rtmp://h/live'", "rtmp://h", "rtmp://h/", "", null]) {
    const server = new TestServer();
    const peer = server.open();
    peer.send(command("connect", 1, connectObject(tcUrl)));
    assert.deepEqual(peer.answers()[3], connectResultValues(1, 0), `${tcUrl}`);
    peer.send(command("createStream", 2, null), command("publish", 3, null, "s"));
    const app = tcUrl === "rtmp://h" || tcUrl === "rtmp://h/" ? "__defaultApp__" : "live";
    assert.deepEqual([...server.hub.streams].map(({ key }) => key), [`/${app}/s`]);
  }
});

Deno.test("H9, H11: connect without tcUrl and app, or with ones that cannot be", () => {
  const cases: [AmfValue[], number][] = [
    [[new AmfObject()], 2005],
    [[new AmfObject([["tcUrl", 5]])], 2005],
    [[null], 2005],
    [[], 2005],
    [[connectObject("live")], 2006],
    [[connectObject("javascript:alert(1)")], 2006],
    [[connectObject("rtmp://h/live\r\nINFO forged")], 2006],
    [[connectObject("rtmp://h/li\0ve")], 2006],
    [[connectObject("rtmp://h/" + "x".repeat(20_000))], 2006],
    [[connectObject("rtmp://h/../../etc")], 2006],
  ];
  for (const [values, code] of cases) {
    const peer = new TestServer().open();
    peer.send(command("connect", 1, ...values));
    peer.assertClosed(code);
    assert.deepEqual(peer.answers().map((answer) => answer.slice(0, 5)), [[
      3,
      0,
      20,
      "_error",
      1,
    ]]);
    for (const line of peer.log.lines) assert.ok(!/[\r\n\0]/.test(line), line);
  }
});

Deno.test("before connect everything else is thrown away (H10)", () => {
  const peer = new TestServer().open();
  peer.send(
    command("createStream", 1, null),
    command("publish", 2, null, "s"),
    command("play", 3, null, "s"),
    command("_result", 1, null),
    { type: 8, payload: concat("af00"), csid: 4 },
    { type: 18, payload: encodeAmf0("@setDataFrame", "onMetaData"), csid: 4 },
    { type: 19, payload: concat("00"), csid: 4 },
  );
  assert.deepEqual(peer.answers(), []);
  peer.send(command("connect", 1, connectObject()));
  assert.equal(peer.answers().length, 5);
});

// ---- identifying

Deno.test("createStream: _result with stream 1", () => {
  const peer = new TestServer().connected();
  peer.send(command("createStream", 2, null));
  assert.deepEqual(peer.answers(), [[3, 0, 20, "_result", 2, null, 1]]);
});

Deno.test("releaseStream, FCPublish, FCUnpublish: _result with undefined", () => {
  for (const name of ["releaseStream", "FCPublish", "FCUnpublish"]) {
    const peer = new TestServer().connected();
    peer.send(command(name, 7, null, "s"));
    assert.deepEqual(peer.answers(), [[3, 0, 20, "_result", 7, null, undefined]]);
  }
});

Deno.test("Q28: other commands before createStream get _result with null, with id 0 too", () => {
  for (const name of ["_checkbw", "deleteStream", "FCSubscribe", "connect", "x"]) {
    for (const id of [0, 9]) {
      const peer = new TestServer().connected();
      peer.send(command(name, id, null));
      assert.deepEqual(peer.answers(), [[3, 0, 20, "_result", id, null, null]], name);
    }
  }
});

Deno.test("Q30: transaction ids of releaseStream and the like are echoed, used twice or 0", () => {
  const peer = new TestServer().connected();
  peer.send(
    command("releaseStream", 0, null, "s"),
    command("FCPublish", 4, null, "s"),
    command("createStream", 4, null),
  );
  assert.deepEqual(peer.answers().map((answer) => answer[4]), [0, 4, 4]);
});

Deno.test("publish before createStream is ignored (H10)", () => {
  const peer = new TestServer().connected();
  peer.send(command("publish", 2, null, "s", "live"));
  assert.deepEqual(peer.answers(), []);
  peer.assertOpen();
});

Deno.test("after createStream the unknown is not answered unless it asks", () => {
  const peer = new TestServer().created();
  peer.send(command("_checkbw", 0, null), command("x", 0, null));
  assert.deepEqual(peer.answers(), []);
  peer.send(command("_checkbw", 6, null));
  assert.deepEqual(peer.answers(), [[3, 0, 20, "_result", 6, null, null]]);
});

Deno.test("deleteStream does not take back the one stream that there is", () => {
  const peer = new TestServer().created();
  peer.send(command("deleteStream", 0, null, 1), command("publish", 0, null, "s", "live"));
  assert.deepEqual(peer.answers().map((answer) => answer[3]), ["onStatus"]);
});

Deno.test("Q29, H10: createStream three times, not four", () => {
  const peer = new TestServer().connected();
  for (const id of [2, 3, 4]) {
    peer.send(command("createStream", id, null));
    assert.deepEqual(peer.answers(), [[3, 0, 20, "_result", id, null, 1]]);
  }
  peer.send(command("createStream", 5, null));
  peer.assertClosed(2046, /createStream more than 3 times/);
  assert.deepEqual(peer.answers(), []);
});

Deno.test("_result, _error and onStatus from a client are not answered", () => {
  for (const name of ["_result", "_error", "onStatus"]) {
    const peer = new TestServer().connected();
    peer.send(command(name, 9, null, null));
    assert.deepEqual(peer.answers(), []);
    peer.assertOpen();
  }
});

Deno.test("Q34, H9: commands without a name are ignored", () => {
  const peer = new TestServer().connected();
  for (const name of [null, 5, true, undefined]) peer.send(command(name, 1, null));
  peer.send({ type: 20, payload: concat("00112233") });
  assert.deepEqual(peer.answers(), []);
  peer.assertOpen();
});

Deno.test("H7: a command that is no AMF ends the connection", () => {
  const deep = "03 0001 61".repeat(100_000 / 4 | 0);
  const bodies = ["ff", "02 ffff 61", "0a ffffffff", "02 0001 78 0a 00ffffff 05", deep];
  for (const body of bodies) {
    const peer = new TestServer().connected();
    peer.setChunkSize(65_536);
    peer.send({ type: 20, payload: concat(body).slice(0, 60_000) });
    peer.assertClosed(2003);
    peer.server.pass(1000);
    assert.deepEqual(peer.log.faults, []);
  }
});

Deno.test("message types without a meaning are read and dropped (Q51)", () => {
  const peer = new TestServer().connected();
  for (const type of [7, 14, 16, 19, 21, 23, 255]) {
    peer.send({ type, payload: concat("00010203"), csid: 4 });
  }
  peer.send(control(3, 0, 0, 0, 1), control(6, 0, 0, 0, 1, 2));
  for (const event of [0, 1, 2, 3, 4, 5, 7, 31, 32]) {
    peer.send(control(4, 0, event, 0, 0, 0, 1, 0, 0, 11, 184));
  }
  peer.send(control(4, 0, 0x1a, 1), control(4, 0));
  assert.deepEqual(peer.answers(), []);
  peer.assertOpen();
  peer.send(command("createStream", 2, null));
  assert.equal(peer.answers().length, 1);
});

Deno.test("Q50: a ping is answered at once with the same four bytes", () => {
  const peer = new TestServer().connected();
  peer.send(control(4, 0, 6, 0xde, 0xad, 0xbe, 0xef));
  assert.deepEqual(peer.answers(), [[2, 0, 4, 7, 0xdeadbeef]]);
});

Deno.test("Q7: a ping whose chunk stream begins with a type-1 header", () => {
  const peer = new TestServer().connected();
  peer.feed(chunk(1, { csid: 66, length: 6, type: 4 }, "0006 00000001"));
  assert.deepEqual(peer.answers(), [[2, 0, 4, 7, 1]]);
});

Deno.test("Q9: control messages on any chunk stream", () => {
  const peer = new TestServer().connected();
  for (const csid of [3, 4, 5, 6, 70]) {
    const size = Uint8Array.from(be(200 + csid, 4));
    peer.feed(chunk(0, { csid, length: 4, type: 1, msid: 1 }, size));
  }
  peer.writer.chunkSize = 270;
  peer.send(command("x".repeat(300), 2, null));
  assert.equal(peer.answers().length, 1);
});

// ---- acknowledgements

Deno.test("no Acknowledgement unless somebody wants one", () => {
  const peer = new TestServer().publisher();
  peer.send({ type: 200, payload: new Uint8Array(3000), csid: 8 });
  assert.deepEqual(peer.answers(), []);
});

Deno.test("Window Ack Size 1000, then 600 bytes: one Acknowledgement of all bytes", () => {
  for (const separate of [true, false]) {
    const peer = new TestServer().publisher();
    const messages = [control(5, 0, 0, 3, 232), {
      type: 200,
      payload: new Uint8Array(600),
      csid: 8,
    }];
    if (separate) { for (const message of messages) peer.send(message); }
    else peer.send(...messages);
    assert.deepEqual(peer.answers(), [[2, 0, 3, peer.session.recvBytes]]);
  }
});

Deno.test("Acknowledgements come after half a window, also within a long message", () => {
  const peer = new TestServer().publisher();
  peer.send(control(5, 0, 0, 0x10, 0));
  peer.setChunkSize(65_536);
  peer.answers();
  const bytes = peer.encode({ type: 200, payload: new Uint8Array(10_000), csid: 8 });
  const totals: number[] = [];
  for (let at = 0; at < bytes.length; at += 500) {
    peer.feed(bytes.subarray(at, at + 500));
    for (const [, , type, total] of peer.answers()) {
      assert.equal(type, 3);
      assert.equal(total, peer.session.recvBytes);
      totals.push(Number(total));
    }
  }
  assert.ok(totals.length >= 3);
  for (let i = 1; i < totals.length; i++) {
    const gap = totals[i] - totals[i - 1];
    assert.ok(gap >= 2048 && gap < 2048 + 500, `${totals}`);
  }
});

Deno.test("Q52: in_ack_size acknowledges a peer that announced no window, until it does", () => {
  const peer = new TestServer(recipe("in_ack_size 4000;")).publisher();
  peer.answers();
  peer.send({ type: 200, payload: new Uint8Array(2100), csid: 8 });
  assert.deepEqual(peer.answers(), [[2, 0, 3, peer.session.recvBytes]]);
  peer.send(control(5, 0, 1, 0, 0));
  peer.send({ type: 200, payload: new Uint8Array(2100), csid: 8 });
  assert.deepEqual(peer.answers(), []);
});

Deno.test("Q53: the counter starts anew at the last step when it would pass 0xF0000000", () => {
  const peer = new TestServer().publisher();
  peer.send(control(5, 0x10, 0, 0, 0));
  peer.setChunkSize(0xffffff);
  peer.answers();
  const size = 0xfffff0;
  // A type that is dropped: 4 GB in a blink.
  const bytes = chunk(0, { csid: 8, length: size, type: 200 }, new Uint8Array(size));
  const totals: number[] = [];
  for (let i = 0; i < 300; i++) {
    peer.feed(bytes);
    for (const answer of peer.answers()) totals.push(Number(answer[3]));
  }
  peer.assertOpen();
  const restart = totals.findIndex((total, i) => i > 0 && total < totals[i - 1]);
  assert.ok(restart > 0, `${totals}`);
  const step = totals[1] - totals[0];
  assert.ok(totals[restart - 1] <= 0xf0000000 && totals[restart - 1] + step > 0xf0000000);
  assert.equal(totals[restart], step);
});
