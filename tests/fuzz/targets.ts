/**
 * What is fuzzed. A target makes inputs and checks them: however the bytes are cut, the same comes out
 * and the end is the same; nothing is thrown but `RtmpError`; the work is linear.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decodeAmf0All, encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { decodeAmf3, encodeAmf3 } from "../../src/rtmp/amf3.ts";
import { ChunkReader } from "../../src/rtmp/chunk_reader.ts";
import { RtmpError } from "../../src/rtmp/error.ts";
import { HANDSHAKE_SIZE, ServerHandshake } from "../../src/rtmp/handshake.ts";
import { checkName, streamKey } from "../../src/rtmp/stream_name.ts";
import { parseStreamUrl } from "../../src/rtmp/stream_url.ts";
import { AmfObject } from "../../src/rtmp/amf_value.ts";
import { makeC1 } from "../unit/support/digest_client.ts";
import { FakeUpstream, plainServerHandshake } from "../unit/support/fake_upstream.ts";
import { payloads } from "../unit/support/live_fixture.ts";
import {
  CLIENT_HANDSHAKE,
  connectObject,
  type Peer,
  recipe,
  TestServer,
} from "../unit/support/rtmp_peer.ts";
import { ServerMessages, summary } from "../unit/support/server_messages.ts";
import { steps } from "./meter.ts";
import type { Random } from "./random.ts";
import { amfValue, RandomPeer } from "./wire.ts";

/** Something that takes bytes from a peer. */
export interface Target {
  readonly name: string;
  /** A new input. */
  generate(random: Random): Uint8Array;
  /** @throws AssertionError when the input shows a fault; what else is thrown is one as well. */
  check(input: Uint8Array, random: Random): void;
}

/** Steps that a byte, or a piece of input, may cost; and what costs nothing but is always done. */
const STEPS_PER_BYTE = 100;
const STEPS_PER_PIECE = 200;
const STEPS_ALWAYS = 200_000;

/** Random cuts that each input is fed in, beside whole and byte by byte. */
const RANDOM_CUTS = 2;

/** Runs `task`; what a peer may be told is returned as text. @throws all other errors. */
function peersFault(task: () => void): string {
  try {
    task();
    return "";
  } catch (error) {
    if (!(error instanceof RtmpError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

/** The input as pieces, each in memory that is overwritten once it has been used. */
function feed(
  input: Uint8Array,
  cuts: readonly number[],
  take: (piece: Uint8Array) => boolean,
): void {
  let at = 0;
  for (const size of cuts) {
    // Borrowed memory, as that of a socket: whoever keeps a view of it will see it change.
    const piece = new Uint8Array(size + 16).fill(0xdd).subarray(8, 8 + size);
    piece.set(input.subarray(at, at += size));
    const more = take(piece);
    piece.fill(0xee);
    if (!more) return;
  }
}

/** Checks that `run` does not depend on the cuts, and does not work too much. */
function checkCuts(
  input: Uint8Array,
  random: Random,
  run: (cuts: readonly number[]) => readonly string[],
): void {
  const ways = [[input.length], new Array<number>(input.length).fill(1)];
  for (let i = 0; i < RANDOM_CUTS; i++) ways.push(random.cuts(input.length));
  let whole: readonly string[] | null = null;
  for (const cuts of ways) {
    let events: readonly string[] = [];
    const taken = steps(() => events = run(cuts));
    const allowed = STEPS_ALWAYS + STEPS_PER_BYTE * input.length + STEPS_PER_PIECE * cuts.length;
    assert.ok(
      taken <= allowed,
      `${taken} steps for ${input.length} bytes in ${cuts.length} pieces`,
    );
    if (whole === null) whole = events;
    else assert.deepEqual(events, whole, `fed in ${cuts.length} pieces, not whole`);
  }
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

const handshake: Target = {
  name: "handshake",
  generate(random) {
    const filler = Uint8Array.from({ length: HANDSHAKE_SIZE }, () => random.below(256));
    const digest = random.chance(0.5);
    const c1 = digest ? makeC1(filler, random.pick([0, 1] as const)).c1 : filler;
    const proxy = random.chance(0.3) ? [0xf3, random.below(5), random.below(256)] : [];
    const body = new Uint8Array(proxy.length > 0 ? (proxy[1] << 8) + proxy[2] : 0).fill(127);
    const parts = [
      Uint8Array.from(proxy),
      body,
      Uint8Array.from([random.chance(0.9) ? 3 : random.byte()]),
    ];
    return random.mutate(Buffer.concat([...parts, c1, filler, random.bytes(20)]));
  },
  check(input, random) {
    checkCuts(input, random, (cuts) => {
      const server = new ServerHandshake();
      let used = 0;
      const events: string[] = [];
      const end = peersFault(() =>
        feed(input, cuts, (piece) => {
          used += server.push(piece, 1234);
          const { answer } = server;
          if (answer) {
            // S1 is random. S2 of the simple handshake is C1.
            const s2 = server.kind === "simple" ? textOf(answer.subarray(1 + HANDSHAKE_SIZE)) : "";
            events.push(`answer ${answer.length} ${s2}`);
            server.answer = null;
          }
          return !server.done;
        })
      );
      // After a fault nobody asks how far it came.
      return [
        ...events,
        `${server.kind} ${server.proxiedAddress}`,
        end || `${server.done} ${used}`,
      ];
    });
  },
};

const chunks: Target = {
  name: "chunks",
  generate(random) {
    if (random.chance(0.1)) return random.bytes(300);
    return random.mutate(new RandomPeer(random).messages(1 + random.below(20)));
  },
  check(input, random) {
    checkCuts(input, random, (cuts) => {
      const reader = new ChunkReader();
      const events: string[] = [];
      const end = peersFault(() =>
        feed(input, cuts, (piece) => {
          reader.push(piece);
          while (reader.next()) {
            const { type, timestamp, streamId, payload } = reader.message;
            events.push(`${type} ${timestamp} ${streamId} ${textOf(payload)}`);
          }
          return true;
        })
      );
      return [...events, end || `${reader.chunkSize} ${reader.partialBytes}`];
    });
  },
};

/** A decoder that takes a payload as a whole: where it lies in memory must not matter. */
function decoder(
  name: string,
  encode: (random: Random) => Uint8Array,
  decode: (bytes: Uint8Array) => Uint8Array,
): Target {
  return {
    name,
    generate(random) {
      if (random.chance(0.1)) return random.bytes(200);
      const bytes = random.mutate(encode(random));
      if (random.chance(0.95)) return bytes;
      // Deep nesting, many values, or long rows of the same.
      const piece = bytes.subarray(0, 1 + random.below(12));
      return new Uint8Array(Buffer.concat(new Array(random.below(20_000)).fill(piece)));
    },
    check(input, random) {
      const run = (bytes: Uint8Array) => {
        let again: Uint8Array = new Uint8Array(0);
        const end = peersFault(() => again = decode(bytes));
        return end || textOf(again);
      };
      let whole = "";
      const taken = steps(() => whole = run(input));
      assert.ok(taken <= STEPS_ALWAYS + STEPS_PER_BYTE * input.length, `${taken} steps`);
      const larger = new Uint8Array(input.length + 64).fill(random.byte());
      larger.set(input, 32);
      const inside = larger.subarray(32, 32 + input.length);
      assert.equal(run(inside), whole, "it depends on what lies around the payload");
      assert.deepEqual(inside, new Uint8Array(input), "the payload has been changed");
      for (let i = 0; i < 4; i++) run(input.subarray(0, random.below(input.length + 1)));
      // What has been decoded and written can be decoded and written again.
      if (!whole.includes(" ")) {
        assert.equal(run(new Uint8Array(Buffer.from(whole, "base64"))), whole);
      }
    },
  };
}

const amf0 = decoder(
  "amf0",
  (random) => encodeAmf0(...Array.from({ length: 1 + random.below(4) }, () => amfValue(random))),
  (bytes) => encodeAmf0(...decodeAmf0All(bytes)),
);

/** Markers and lengths of AMF3, put together blindly. */
const AMF3_PIECES = ["00", "01", "03", "04ff7f", "053ff0000000000000", "060361", "0600", "0b010001"]
  .concat(
    "0a0b0103610401",
    "0a130361036204010402",
    "0901",
    "0905010401",
    "090301",
    "0c05aabb",
    "0e0300",
  )
  .concat("0d0500000000010000000200", "0f03003ff0000000000000", "1005010104020403", "1103000401")
  .concat("0801", "0a00", "0a02", "01", "ffffffff", "7f", "8100");

const amf3 = decoder(
  "amf3",
  (random) =>
    Buffer.concat(
      Array.from(
        { length: 1 + random.below(8) },
        () => Buffer.from(random.pick(AMF3_PIECES), "hex"),
      ),
    ),
  (bytes) => encodeAmf3(decodeAmf3(bytes)),
);

const URL_PIECES = [
  "rtmp://",
  "RTMPS://",
  "h",
  "[::1]",
  ":1935",
  "/",
  "/live",
  "/s",
  "?a=b",
  "?vhost=v",
]
  .concat(
    "&",
    "=",
    "...vhost...",
    "#f",
    "..",
    ".",
    "%2e",
    "%25",
    "%2f",
    "\\",
    " ",
    "'",
    "@",
    "user:p@",
  )
  .concat(
    "_definst_",
    ".flv",
    "\r\n",
    "\0",
    "é",
    "😀",
    "\ud800",
    "x".repeat(600),
    "?",
    "://",
    "\u202e",
  );

/** Between the texts of an input. */
const SEPARATOR = 0xff;

const url: Target = {
  name: "url",
  generate(random) {
    const text = (most: number) =>
      Array.from({ length: random.below(most) }, () => random.pick(URL_PIECES)).join("");
    const tcUrl = random.chance(0.7) ? `rtmp://h/${text(8)}` : text(10);
    const texts = [tcUrl, text(6), text(4)].flatMap((each) => [
      Buffer.from(each),
      Buffer.from([SEPARATOR]),
    ]);
    return random.mutate(Buffer.concat(texts));
  },
  check(input) {
    const [tcUrl, name, app] = Buffer.from(input).toString("latin1").split("\xff")
      .map((text) => Buffer.from(text, "latin1").toString("utf8"));
    const taken = steps(() =>
      peersFault(() => {
        const parsed = parseStreamUrl(tcUrl, name ?? "", app ?? null);
        // What it lets through is fit for a file's name.
        for (const text of [parsed.app, parsed.stream]) {
          checkName("name", text);
          assert.ok(text !== "" && !/\p{Cc}|\\/u.test(text), JSON.stringify(text));
          assert.ok(!text.split("/").some((part) => ["", ".", ".."].includes(part)), text);
        }
        assert.ok(!parsed.stream.includes("/"));
        const key = streamKey("v", parsed.app, parsed.name);
        assert.ok(!key.split("/").some((part) => ["", ".", ".."].includes(part)), key);
      })
    );
    assert.ok(taken <= STEPS_ALWAYS + STEPS_PER_BYTE * input.length, `${taken} steps`);
  },
};

/** Bytes of S0, S1 and S2, which are random. */
const ANSWER_BYTES = 3073;
const ACKNOWLEDGEMENT = 3;

/** The messages that a client has been sent, but for acknowledgements: they say when bytes came. */
function heard(peer: Peer): string[] {
  const { sent } = peer.socket;
  return new ServerMessages().read(sent.subarray(Math.min(ANSWER_BYTES, sent.length)))
    .filter(({ type }) => type !== ACKNOWLEDGEMENT)
    .map((message) => JSON.stringify(summary(message)));
}

const session: Target = {
  name: "session",
  generate(random) {
    const peer = new RandomPeer(random);
    const start = random.pick([[], ["connect"], ["connect", "createStream"]]).map((name) => {
      return peer.message(20, encodeAmf0(name, 2, name === "connect" ? connectObject() : null));
    });
    const role = random.pick(["publish", "play", ""]);
    if (start.length === 2 && role !== "") {
      start.push(peer.message(20, encodeAmf0(role, 3, null, role === "play" ? "w" : "s")));
    }
    const said = Buffer.concat([...start, peer.messages(random.below(25))]);
    const from = random.chance(0.1) ? 0 : CLIENT_HANDSHAKE.length;
    return random.mutate(Buffer.concat([CLIENT_HANDSHAKE, said]), from);
  },
  check(input, random) {
    checkCuts(input, random, (cuts) => {
      const server = new TestServer(recipe("", "gop_cache on;"));
      // Somebody plays what the input may publish, and publishes what it may play.
      const witness = server.player("s");
      const source = server.publisher("w");
      const picture = (payload: Uint8Array) => source.send({ type: 9, payload, csid: 6 });
      picture(payloads.videoHeader());
      picture(payloads.keyframe(1));
      const peer = server.accept();
      feed(input, cuts, (piece) => {
        if (peer.socket.state !== "open") return false;
        peer.feed(piece);
        return true;
      });
      picture(payloads.keyframe(2));
      const closed = peer.socket.state;
      const streams = [...server.hub.streams].map(({ key, active, playerCount }) => {
        return `${key} ${active} ${playerCount}`;
      });
      // Once both are gone, nothing of either is left.
      if (peer.socket.state === "open") server.pass(3000);
      const logged = peer.log.lines.filter((line) => !line.includes("handshake success"));
      peer.session.onClose(null);
      source.assertOpen();
      witness.assertOpen();
      const events = [...heard(peer), ...heard(witness), ...heard(source)];
      for (const other of [source, witness]) other.session.onClose(null);
      server.pass(6000);
      assert.deepEqual([...server.hub.streams], [], "streams are left");
      assert.equal(server.clock.pending, 0, "timers are left");
      assert.equal(server.finished.length, server.peers.length, "connections that never end");
      for (const { log } of server.peers) {
        assert.deepEqual(log.faults, [], log.lines.join("\n"));
        assert.deepEqual(log.matching("error "), []);
      }
      return [...events, closed, ...streams, ...logged];
    });
  },
};

/** A server's answers on the way to media; the client waits for one after the other. */
const SERVER_WAY = [
  encodeAmf0("_result", 1, null, new AmfObject([["code", "NetConnection.Connect.Success"]])),
  encodeAmf0("_result", 2, null, 1),
  encodeAmf0("onStatus", 0, null, new AmfObject([["code", "NetStream.Play.Start"]])),
];

const client: Target = {
  name: "client",
  generate(random) {
    const peer = new RandomPeer(random);
    const way = SERVER_WAY.slice(0, random.below(SERVER_WAY.length + 1));
    const said = way.map((payload) => peer.message(20, payload));
    const input = Buffer.concat([plainServerHandshake(), ...said, peer.messages(random.below(25))]);
    return random.mutate(input, random.chance(0.1) ? 0 : ANSWER_BYTES);
  },
  check(input, random) {
    for (const role of ["play", "publish"] as const) {
      checkCuts(input, random, (cuts) => {
        const upstream = new FakeUpstream({ role });
        feed(input, cuts, (piece) => {
          upstream.client.onBytes(piece);
          return upstream.owner.end === null;
        });
        upstream.pass(6000);
        const { events, end } = upstream.owner;
        assert.equal(end?.error ?? null, null);
        assert.doesNotMatch(end?.text ?? "", /\p{Cc}/u);
        return [...events, end?.text ?? ""];
      });
    }
  },
};

/** All of them. */
export const TARGETS: readonly Target[] = [handshake, chunks, amf0, amf3, url, session, client];
