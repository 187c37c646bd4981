/**
 * Whole sessions, valid, damaged and random: how the bytes are cut does not matter, and nothing that a
 * peer sends makes an internal fault.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { AmfEcmaArray, type AmfValue } from "../../src/rtmp/amf_value.ts";
import { concat, toHex } from "./hex.ts";
import {
  CLIENT_HANDSHAKE,
  command,
  connectObject,
  recipe,
  type Sent,
  TestServer,
} from "./support/rtmp_peer.ts";
import { ServerMessages, summary } from "./support/server_messages.ts";
import { MessageWriter } from "../../src/rtmp/chunk_writer.ts";

const COMMANDS = [
  "connect",
  "createStream",
  "releaseStream",
  "FCPublish",
  "FCUnpublish",
  "publish",
  "play",
  "pause",
  "closeStream",
  "deleteStream",
  "getStreamLength",
  "_checkbw",
  "_result",
  "onStatus",
];

const values: fc.Arbitrary<AmfValue> = fc.oneof(
  fc.constantFrom<AmfValue[]>(null, undefined, true, false, 0, 1, -2000, 200, "s", "t", "live"),
  fc.constant(connectObject()),
  fc.constantFrom("s?vhost=v1", "", "../x", "a/b", "s.flv"),
);

const commands: fc.Arbitrary<Sent> = fc.tuple(
  fc.constantFrom<AmfValue[]>(...COMMANDS, null, 5),
  fc.constantFrom<AmfValue[]>(0, 1, 7, null),
  fc.array(values, { maxLength: 4 }),
).map(([name, id, more]) => command(name, id, ...more));

const METADATA = encodeAmf0(
  "@setDataFrame",
  "onMetaData",
  new AmfEcmaArray([["width", 640], ["duration", 0]]),
);

const media: fc.Arbitrary<Sent> = fc.record({
  type: fc.constantFrom(8, 9, 9, 22, 18, 15),
  payload: fc.oneof(
    fc.constantFrom(
      concat("17 00 000000 01 42001e ff e1 0000 01 0000"),
      concat("17 01 000000 00000001 65"),
      concat("27 01 000000 00000001 41"),
      concat("af00 1210"),
      concat("af01 2110"),
      concat("90 'hvc1", "01"),
      METADATA,
      concat("09 000002 0003e8 00 000000 1701 0000000d"),
    ),
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
  ),
  timestamp: fc.oneof(fc.nat(2000), fc.constantFrom(0xffffff, 0x01000000, 0x7fffffff)),
  csid: fc.constantFrom(4, 6, 63),
}, { noNullPrototype: true });

const controls: fc.Arbitrary<Sent> = fc.constantFrom(
  { type: 4, payload: concat("0006 00000007"), csid: 2, msid: 0 },
  { type: 4, payload: concat("0003 00000001 00000bb8"), csid: 2, msid: 0 },
  { type: 5, payload: concat("00000400"), csid: 2, msid: 0 },
  { type: 3, payload: concat("00000400"), csid: 2, msid: 0 },
  { type: 200, payload: new Uint8Array(700), csid: 5 },
);

const connect = command("connect", 1, connectObject());
const beginnings: fc.Arbitrary<Sent[]> = fc.constantFrom<Sent[][]>(
  [],
  [connect],
  [connect, command("createStream", 2, null), command("publish", 3, null, "s", "live")],
  [
    connect,
    command("releaseStream", 2, null, "s"),
    command("FCPublish", 3, null, "s"),
    command("createStream", 4, null),
    command("publish", 5, null, "s", "live"),
  ],
  [connect, command("createStream", 2, null), command("play", 3, null, "s")],
);

/** A client's messages, sent with some chunk size. */
const sessions: fc.Arbitrary<Uint8Array> = fc.tuple(
  beginnings,
  fc.array(fc.oneof(commands, media, media, controls), { maxLength: 15 }),
  fc.constantFrom(0, 1, 50, 4096),
).map(([start, rest, size]) => {
  const writer = new MessageWriter();
  if (size > 0) {
    const body = new Uint8Array(4);
    new DataView(body.buffer).setUint32(0, size);
    writer.write(2, 1, 0, 0, body);
    writer.chunkSize = size;
  }
  for (const { type, payload, timestamp = 0, csid = 3, msid = 1 } of [...start, ...rest]) {
    writer.write(csid, type, timestamp, msid, payload);
  }
  return concat(CLIENT_HANDSHAKE, writer.take());
});

const SERVER_TEXT = `${recipe()} vhost v1 { min_latency on; }`;

/** Runs a session fed in pieces that end at `ends`, beside a player and a publisher of its streams. */
function run(bytes: Uint8Array, ends: readonly number[]) {
  const server = new TestServer(SERVER_TEXT);
  const player = server.player("s");
  const publisher = server.publisher("t");
  const peer = server.accept();
  let from = 0;
  for (const to of [...ends, bytes.length]) {
    // A copy that is spoilt afterwards, as a socket's buffer is.
    const piece = bytes.slice(from, to);
    peer.feed(piece);
    piece.fill(0xee);
    from = to;
  }
  publisher.send({ type: 9, payload: concat("17 01 000000 00"), timestamp: 5, csid: 6 });
  server.pass(1000);
  for (const { log } of server.peers) assert.deepEqual(log.faults, []);
  assert.notEqual(peer.socket.state, "aborted");
  player.assertOpen();
  publisher.assertOpen();

  const { sent } = peer.socket;
  const messages = new ServerMessages().read(sent.subarray(3073));
  const shown = {
    // Acknowledgements tell how the bytes were cut, by their nature.
    answers: messages.filter(({ type }) => type !== 3).map(summary),
    handshake: Math.min(sent.length, 3073),
    player: player.received().map((m) => `${m.type}@${m.timestamp} ${toHex(m.payload)}`),
    state: peer.socket.state,
    log: peer.log.lines.filter((line) => !/B (video|audio) sh/.test(line)),
    role: peer.session.role?.type,
    roles: server.roles,
    streams: [...server.hub.streams].map(({ key, active, playerCount }) =>
      `${key} ${active} ${playerCount}`
    ),
  };
  peer.session.onClose(null);
  assert.deepEqual(peer.log.faults, []);
  return shown;
}

function assertCutsDoNotMatter(bytes: Uint8Array, cuts: readonly number[], byteByByte: boolean) {
  const whole = run(bytes, []);
  const ends = cuts.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b);
  assert.deepEqual(run(bytes, ends), whole);
  if (byteByByte) assert.deepEqual(run(bytes, Array.from(bytes, (_, i) => i)), whole);
}

const cuts = fc.array(fc.nat(), { minLength: 1, maxLength: 8 });

Deno.test("property: a session gives the same answers, stream and end however it is cut (H4, H10)", () => {
  fc.assert(
    fc.property(sessions, cuts, (bytes, at) => assertCutsDoNotMatter(bytes, at, true)),
    { numRuns: 80 },
  );
});

Deno.test("property: so does a damaged one, and it makes no internal fault (H5, H9)", () => {
  const damage = fc.array(
    fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(sessions, damage, cuts, (session, changes, at) => {
      let bytes = session;
      for (const change of changes) {
        // Mostly behind the handshake, where damage matters.
        const room = bytes.length - 3073;
        const position = room > 0 ? 3073 + (change.at % (room + 1)) : change.at % bytes.length;
        const tail = bytes.subarray(position + change.remove);
        bytes = concat(bytes.subarray(0, position), change.insert, tail);
      }
      assertCutsDoNotMatter(bytes, at, false);
    }),
    { numRuns: 200 },
  );
});

Deno.test("property: random bytes, before and after the handshake", () => {
  const starts = fc.constantFrom(new Uint8Array(0), concat("03"), CLIENT_HANDSHAKE);
  fc.assert(
    fc.property(starts, fc.uint8Array({ maxLength: 4000 }), cuts, (start, bytes, at) => {
      assertCutsDoNotMatter(concat(start, bytes), at, false);
    }),
    { numRuns: 100 },
  );
});
