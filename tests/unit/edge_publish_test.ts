/**
 * An edge's questions to its origin on behalf of clients: may this one publish, may that one come in.
 * @module
 */

import assert from "node:assert/strict";
import { STALLED_MS } from "../../src/live/limits.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import { Uplink, type UplinkHost } from "../../src/relay/edge/publish.ts";
import { PUBLISH_ANSWER_MS } from "../../src/relay/edge/limits.ts";
import { Origins, OriginTour } from "../../src/relay/edge/origins.ts";
import { TokenTraverse } from "../../src/relay/edge/token_traverse.ts";
import { ErrorCode, type Refusal } from "../../src/rtmp/error.ts";
import { FakeAttempt } from "./support/fake_network.ts";
import { ManualClock } from "./support/manual_clock.ts";
import { MemoryLog } from "./support/memory_log.ts";
import { NO_RELAYS } from "../../src/relay/relays.ts";
import { concat } from "./hex.ts";
import { command, type Peer, recipe, TestServer } from "./support/rtmp_peer.ts";

function tourOf(count: number): OriginTour {
  return new OriginTour(
    new Origins(Array.from({ length: count }, (_, i) => ({ host: `o${i}`, port: null }))),
  );
}

/** A publisher at an edge. */
class UplinkScene {
  readonly clock = new ManualClock();
  readonly attempts: FakeAttempt[] = [];
  readonly answers: (Refusal | null)[] = [];
  readonly log = new MemoryLog("uplink");
  /** The publisher is still there. */
  there = true;
  overs = 0;
  readonly uplink: Uplink;

  constructor(origins = 1) {
    this.uplink = new Uplink(
      "live/s",
      tourOf(origins),
      {
        clock: this.clock,
        open: (tour, handler) => {
          const attempt = new FakeAttempt(tour.origin.host, this.clock.now(), [], handler);
          this.attempts.push(attempt);
          return attempt;
        },
        isSelf: ({ remotePort }) => remotePort === 1935,
        over: () => void this.overs++,
      },
      this.log,
      (refusal) => {
        this.answers.push(refusal);
        return this.there;
      },
    );
  }

  get attempt(): FakeAttempt {
    const attempt = this.attempts.at(-1);
    assert.ok(attempt);
    return attempt;
  }

  /** Codes of the answers; 0: it may. */
  get codes(): number[] {
    return this.answers.map((refusal) => refusal?.code ?? 0);
  }
}

Deno.test("uplink: a publisher may when the origin says so, and not before", () => {
  const scene = new UplinkScene();
  scene.attempt.connected();
  assert.deepEqual(scene.codes, []);
  scene.attempt.accept();
  assert.deepEqual(scene.codes, [0]);
  assert.equal(scene.uplink.publish(9, 40, new Uint8Array([1, 2])), true);
  assert.deepEqual(scene.attempt.published, [
    { type: 9, timestamp: 40, payload: new Uint8Array([1, 2]) },
  ]);
  scene.uplink.close();
  assert.ok(scene.attempt.closed);
  assert.equal(scene.overs, 1);
  assert.equal(scene.clock.pending, 0);
});

Deno.test("uplink: the origin's no is final, also one without a word", () => {
  for (const reason of ["refused", "lost"] as const) {
    const scene = new UplinkScene(2);
    scene.attempt.connected();
    scene.attempt.fail(reason);
    assert.deepEqual(scene.codes, [ErrorCode.STREAM_BUSY], reason);
    assert.equal(scene.attempts.length, 1);
  }
});

Deno.test("uplink: the next origin is asked when one is not there", () => {
  const scene = new UplinkScene(3);
  scene.attempt.fail("unreachable");
  scene.attempt.fail("timeout");
  assert.deepEqual(scene.attempts.map(({ name }) => name), ["o0", "o1", "o2"]);
  scene.attempt.accept();
  assert.deepEqual(scene.codes, [0]);
});

Deno.test("uplink: no origin at all, in time, or but ourselves", () => {
  const none = new UplinkScene(2);
  none.attempt.fail("unreachable");
  none.attempt.fail("unreachable");
  assert.deepEqual(none.codes, [ErrorCode.ORIGIN]);
  const late = new UplinkScene(2);
  late.clock.advance(PUBLISH_ANSWER_MS);
  assert.deepEqual(late.codes, [ErrorCode.ORIGIN]);
  assert.ok(late.attempt.closed);
  const loop = new UplinkScene(2);
  loop.attempt.opened({ localAddress: "::1", remoteAddress: "::1", remotePort: 1935 });
  assert.deepEqual(loop.codes, [ErrorCode.ORIGIN]);
  // The client learns nothing of where it is; the log says it (H50).
  assert.equal(loop.answers[0]?.reason, "no origin can be reached");
  assert.match(loop.log.lines.join("\n"), /loop: the origin is this very server/);
  for (const scene of [none, late, loop]) {
    assert.equal(scene.overs, 1);
    assert.equal(scene.clock.pending, 0);
  }
});

Deno.test("uplink: a publisher that has gone meanwhile leaves nothing behind", () => {
  const scene = new UplinkScene();
  scene.there = false;
  scene.attempt.accept();
  assert.ok(scene.attempt.closed);
  assert.equal(scene.overs, 1);
});

Deno.test("uplink: the origin goes, or is slow", () => {
  const scene = new UplinkScene();
  const told: string[] = [];
  scene.attempt.accept();
  scene.uplink.owner = {
    uplinkWritable: () => told.push("writable"),
    uplinkLost: (text) => told.push(`lost ${text}`),
  };
  scene.attempt.slow = true;
  assert.equal(scene.uplink.publish(8, 0, new Uint8Array(1)), false);
  scene.attempt.drain();
  scene.attempt.fail("lost", "gone");
  assert.deepEqual(told, ["writable", "lost gone"]);
  assert.equal(scene.overs, 1);
});

Deno.test("token_traverse: the first origin that is there decides", () => {
  const attempts: FakeAttempt[] = [];
  const answers: (string | null)[] = [];
  const ask = () => {
    attempts.length = answers.length = 0;
    new TokenTraverse(tourOf(2), (tour, handler) => {
      const attempt = new FakeAttempt(tour.origin.host, 0, [], handler);
      attempts.push(attempt);
      return attempt;
    }, (refusal) => void answers.push(refusal));
  };
  ask();
  attempts[0].connected();
  assert.equal(answers.length, 1);
  assert.equal(answers.at(0), null);
  assert.ok(attempts[0].closed);
  ask();
  attempts[0].fail("refused");
  assert.equal(answers.at(0), "it is refused");
  assert.equal(attempts.length, 1);
  ask();
  attempts[0].fail("unreachable");
  attempts[1].fail("unreachable");
  assert.equal(answers.at(0), "it is unreachable");
  assert.equal(attempts.length, 2);
});

// ---- the client's side of it

const VIDEO = { type: 9, payload: concat("17 01 000000 00000001 65"), csid: 6 };

/** An edge; its origin accepts every publisher. */
class Edge {
  readonly server: TestServer;
  /** The ways to the origin, one for each publisher. */
  readonly attempts: FakeAttempt[] = [];

  constructor(publish: string) {
    const edge = "cluster { mode remote; origin 127.0.0.1:1; }";
    this.server = new TestServer(recipe(edge, "", publish));
    const { clock, host } = this.server;
    const relay = {
      ...NO_RELAYS,
      openUplink: (...[, , answer]: Parameters<typeof NO_RELAYS.openUplink>) => {
        const open = (...[tour, handler]: Parameters<UplinkHost["open"]>) => {
          const attempt = new FakeAttempt(tour.origin.host, clock.now(), [], handler);
          this.attempts.push(attempt);
          return attempt;
        };
        const parts = { clock, open, isSelf: () => false, over: () => {} };
        return new Uplink("live/s", tourOf(1), parts, new MemoryLog("uplink"), answer);
      },
    };
    Object.assign(host, { relay });
  }

  get stream(): LiveStream {
    const [stream] = this.server.hub.streams;
    return stream;
  }

  /** A publisher that the origin has accepted. */
  publisher(): Peer {
    const peer = this.server.created();
    peer.send(command("publish", 5, null, "s", "live"));
    this.attempts.at(-1)?.accept();
    assert.ok(peer.session.role?.publish, peer.log.lines.join("\n"));
    peer.answers();
    return peer;
  }
}

Deno.test("F8: an edge's publisher ends when the origin has accepted another one, with replace", () => {
  for (const policy of ["replace", "if_stalled", "deny"]) {
    const edge = new Edge(`takeover ${policy};`);
    const first = edge.publisher();
    const second = edge.publisher();
    second.assertOpen();
    if (policy !== "replace") {
      first.assertOpen();
      continue;
    }
    first.assertClosed(ErrorCode.STREAM_BUSY, /taken the stream over/);
    const told = first.answers().map(([, , , name, , , info]) => [name, info]);
    assert.deepEqual(told, [["onStatus", {
      level: "error",
      code: "NetStream.Publish.BadName",
      description: "another publisher has taken the stream over",
      clientid: "ASAICiss",
    }]]);
    assert.deepEqual(edge.attempts.map(({ closed }) => closed), [true, false]);
    second.send(VIDEO);
    assert.equal(edge.attempts[1].published.length, 1);
  }
});

Deno.test("F8: an edge's publisher counts as one until it has gone", () => {
  const edge = new Edge("takeover if_stalled;");
  const first = edge.publisher();
  const second = edge.publisher();
  const { stream } = edge;
  assert.deepEqual(stream.clear("10.0.0.9"), { kept: false, present: true });
  first.session.onClose(null);
  assert.equal(stream.clear("10.0.0.9").present, true, "the second");
  second.send(command("deleteStream", 6, null, 1));
  assert.equal(stream.clear("10.0.0.9").present, false);
});

Deno.test("F8: an edge's publisher has stalled when it is silent, not while the origin is slow", () => {
  const edge = new Edge("takeover if_stalled; normal_timeout 60000;");
  const peer = edge.publisher();
  const [attempt] = edge.attempts;
  attempt.slow = true;
  peer.send(VIDEO);
  assert.equal(peer.socket.reading, false);
  edge.server.pass(2 * STALLED_MS);
  edge.stream.clear("10.0.0.9");
  peer.assertOpen();
  attempt.drain();
  assert.equal(peer.socket.reading, true);
  edge.server.pass(STALLED_MS - 1000);
  edge.stream.clear("10.0.0.9");
  peer.assertOpen();
  edge.server.pass(1000);
  edge.stream.clear("10.0.0.9");
  peer.assertClosed(ErrorCode.STREAM_BUSY);
});

Deno.test("an edge's publisher is told that it may, and what it sends goes up as it is", () => {
  const edge = new Edge("");
  const peer = edge.server.created();
  peer.send(command("publish", 5, null, "s", "live"));
  assert.deepEqual(peer.answers(), [], "the origin has not said anything");
  const [attempt] = edge.attempts;
  attempt.accept();
  const [[, , , name, , , info]] = peer.answers();
  assert.equal(name, "onStatus");
  assert.equal((info as { code: string }).code, "NetStream.Publish.Start");
  assert.equal(peer.session.role?.type, "flash-publish");
  assert.equal(peer.socket.noDelay, true, "the vhost's tcp_nodelay");
  peer.send({ ...VIDEO, timestamp: 40 });
  assert.equal(peer.socket.reading, true, "the origin takes it");
  assert.deepEqual(attempt.published, [{ type: 9, timestamp: 40, payload: VIDEO.payload }]);
  assert.match(peer.session.summary(1000), /msgs=1/);
  // A picture that is larger than any command may be.
  const large = concat(VIDEO.payload, new Uint8Array(300_000));
  peer.send({ ...VIDEO, payload: large, timestamp: 80 });
  peer.assertOpen();
  assert.equal(attempt.published[1].payload.length, large.length);
});

Deno.test("an edge's publisher is closed when its time is over: for the first message, then for each", () => {
  const rows: [boolean, number, RegExp][] = [
    [false, 3000, /no first message for 3000 ms/],
    [true, 1500, /nothing received for 1500 ms/],
  ];
  for (const [sends, limit, reason] of rows) {
    const edge = new Edge("firstpkt_timeout 3000; normal_timeout 1500;");
    const peer = edge.publisher();
    if (sends) {
      // Sends for longer than either limit.
      for (let i = 0; i < 6; i++) {
        peer.send(VIDEO);
        edge.server.pass(1000);
      }
    }
    peer.assertOpen();
    edge.server.pass(limit - 1000);
    peer.assertOpen();
    edge.server.pass(2000);
    peer.assertClosed(ErrorCode.TIMEOUT, reason);
    assert.equal(edge.attempts[0].closed, true, "the way up ends with it");
  }
});

Deno.test("an edge's publisher hears of its origin's end, and comes back", () => {
  const edge = new Edge("");
  const peer = edge.publisher();
  edge.attempts[0].fail("lost", "gone");
  peer.assertClosed(ErrorCode.ORIGIN, /the origin has ended the publish/);
  const [[, , , name, , , info]] = peer.answers();
  assert.equal(name, "onStatus");
  assert.equal((info as { code: string }).code, "NetStream.Publish.Failed");
});

Deno.test("an edge's publisher that ends leaves nothing behind, and may go on to something else", () => {
  const rows: [string, (peer: Peer) => void, string[]][] = [
    ["goes", ({ session }) => session.onClose(null), []],
    ["closeStream", (peer) => peer.send(command("closeStream", 6, null)), []],
    ["deleteStream", (peer) => peer.send(command("deleteStream", 6, null, 1)), []],
  ];
  for (const [name, end, answers] of rows) {
    const edge = new Edge("");
    const peer = edge.publisher();
    edge.attempts[0].slow = true;
    peer.send(VIDEO);
    assert.equal(peer.socket.reading, false);
    end(peer);
    assert.equal(edge.attempts[0].closed, true, name);
    assert.deepEqual(peer.answers().map(([, , , what]) => what), answers, name);
    assert.equal(peer.socket.reading, true, `${name}: nothing holds it back any more`);
    for (let i = 0; i < 5; i++) edge.server.pass(1000);
    assert.equal([...edge.server.hub.streams].length, 0, `${name}: the stream is not kept`);
    // What the way up says afterwards is nothing to it.
    edge.attempts[0].drain();
    if (name === "goes") continue;
    peer.assertOpen();
    const again = name === "deleteStream" ? [command("createStream", 7, null)] : [];
    peer.send(...again, command("publish", 8, null, "s", "live"));
    assert.equal(edge.attempts.length, 2, `${name}: it publishes again`);
  }
});

Deno.test("an edge's publisher in FMLE's way is told of its end in three answers", () => {
  const edge = new Edge("");
  const peer = edge.server.connected();
  peer.send(command("releaseStream", 2, null, "s"), command("FCPublish", 3, null, "s"));
  peer.send(command("createStream", 4, null), command("publish", 5, null, "s", "live"));
  edge.attempts[0].accept();
  assert.equal(peer.session.role?.type, "fmle-publish");
  peer.answers();
  peer.send(command("FCUnpublish", 6, null, "s"));
  assert.deepEqual(peer.answers().map(([, , , what]) => what), [
    "onFCUnpublish",
    "_result",
    "onStatus",
  ]);
  assert.equal(peer.session.role, null);
});
