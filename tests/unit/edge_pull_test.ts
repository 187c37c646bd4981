/**
 * An edge's pull: when it begins and ends, which origin it asks when, and what becomes of its players.
 * @module
 */

import assert from "node:assert/strict";
import type { Player } from "../../src/live/play/player.ts";
import { EdgePull } from "../../src/relay/edge/pull.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import { MAX_HOPS } from "../../src/rtmp/limits.ts";
import * as clientLimits from "../../src/clients/limits.ts";
import * as edgeLimits from "../../src/relay/edge/limits.ts";
import { Origins, OriginTour } from "../../src/relay/edge/origins.ts";
import { MessageType } from "../../src/rtmp/message.ts";
import { FakeAttempt } from "./support/fake_network.ts";
import { FakeSink } from "./support/fake_player.ts";
import { Fixture, payloads } from "./support/live_fixture.ts";
import { MemoryLog } from "./support/memory_log.ts";

/** An edge with one stream and a network to play with. */
class EdgeScene extends Fixture {
  readonly log = new MemoryLog("edge");
  readonly live = this.stream();
  readonly origins: Origins;
  readonly attempts: FakeAttempt[] = [];
  readonly events: string[] = [];
  readonly claims: ((granted: boolean) => boolean)[] = [];
  /** Claims are granted at once. */
  grants = true;
  self = 0;
  readonly pull: EdgePull;

  constructor(origins = 1, player = true, hops: readonly string[] = []) {
    super();
    this.origins = new Origins(
      Array.from({ length: origins }, (_, i) => ({ host: `o${i}`, port: null })),
    );
    if (player) this.play();
    this.pull = this.begin(hops);
  }

  begin(hops: readonly string[] = [], waits = true): EdgePull {
    return new EdgePull(
      this.live,
      new OriginTour(this.origins),
      {
        clock: this.clock,
        random: () => 0,
        open: (tour, told, handler) => {
          const attempt = new FakeAttempt(tour.origin.host, this.clock.now(), told, handler);
          this.attempts.push(attempt);
          return attempt;
        },
        redirected: () => {},
        claim: (answer) => {
          if (this.grants) answer(true);
          else this.claims.push(answer);
        },
        isSelf: (peer) => peer.remotePort === this.self,
        published: () => this.events.push("published"),
        unpublished: () => this.events.push("unpublished"),
        over: () => this.events.push("over"),
      },
      this.log,
      hops,
      waits,
    );
  }

  play(): Player {
    return this.live.join(new FakeSink(), {
      durationMs: 0,
      multitrack: false,
      onEnd: () => {},
    });
  }

  /** The present attempt. */
  get attempt(): FakeAttempt {
    const attempt = this.attempts.at(-1);
    assert.ok(attempt, "nobody has been asked");
    return attempt;
  }

  /** The present origin has the stream. */
  goLive(): FakeAttempt {
    const { attempt } = this;
    attempt.accept();
    attempt.media(MessageType.VIDEO, 0, payloads.keyframe());
    assert.equal(this.pull.state, "live");
    return attempt;
  }

  /** Lets time pass as the server does, with media every second if there are any. */
  pass(ms: number, media = false): void {
    for (let left = ms; left > 0; left -= 1000) {
      this.clock.advance(Math.min(left, 1000));
      if (media) this.attempt.media(MessageType.VIDEO, this.clock.now(), payloads.frame());
      this.pull.tick(this.clock.now());
    }
  }

  /** Names of the origins asked so far. */
  get asked(): string {
    return this.attempts.map(({ name }) => name).join(" ");
  }
}

Deno.test("F2: time that the origin has corrected is not corrected again", () => {
  const scene = new EdgeScene();
  scene.goLive();
  scene.attempt.media(MessageType.VIDEO, 5000, payloads.frame());
  assert.equal(scene.live.time, 5000);
  // The next publisher of an origin that does not.
  scene.attempt.media(MessageType.VIDEO, 0, payloads.frame());
  assert.equal(scene.live.time, 5010);
});

Deno.test("a pull is live with the first media, not before", () => {
  const scene = new EdgeScene();
  assert.equal(scene.pull.state, "connecting");
  scene.attempt.accept();
  assert.equal(scene.pull.state, "waiting");
  // |RtmpSampleAccess
  scene.attempt.media(MessageType.DATA_AMF0, 0, new Uint8Array([2, 0, 1, 0x7c]));
  assert.equal(scene.live.active, false);
  scene.attempt.media(MessageType.AUDIO, 0, payloads.audioHeader());
  assert.equal(scene.live.active, true);
  assert.deepEqual(scene.events, ["published"]);
  assert.equal(scene.live.pulledBytes, scene.attempt.recvBytes);
});

Deno.test("F7: data messages of the origin reach the players, in order, while the stream is live", () => {
  const scene = new EdgeScene();
  const sink = new FakeSink();
  scene.live.join(sink, { durationMs: 0, multitrack: false, onEnd: () => {} });
  const mark = encodeAmf0("onCuePoint", "splice");
  scene.attempt.accept();
  scene.attempt.media(MessageType.DATA_AMF0, 0, mark);
  assert.equal(scene.live.active, false);
  scene.goLive();
  scene.attempt.media(MessageType.DATA_AMF0, 20, mark);
  scene.attempt.media(MessageType.DATA_AMF0, 20, encodeAmf0("|RtmpSampleAccess", true, true));
  scene.attempt.media(MessageType.VIDEO, 40, payloads.frame());
  const received = sink.messages(scene.live.vhost.chunkSize);
  assert.deepEqual(
    received.map(({ type, time }) => `${type}@${time}`),
    ["9@0", "18@0", "9@40"],
  );
  assert.deepEqual(received[1].payload, mark);
});

Deno.test("the last player's leaving ends it after the linger, and not when one comes back", () => {
  const scene = new EdgeScene(1, false);
  const first = scene.play();
  scene.goLive();
  scene.live.leave(first);
  scene.pass(edgeLimits.LINGER_MS - 1000, true);
  const second = scene.play();
  scene.pass(2 * edgeLimits.LINGER_MS, true);
  assert.equal(scene.pull.state, "live", "somebody plays it");
  assert.equal(scene.attempts.length, 1, "he shares the connection");
  scene.live.leave(second);
  scene.pass(edgeLimits.LINGER_MS, true);
  assert.equal(scene.pull.state, "over");
  assert.ok(scene.attempt.closed);
  assert.deepEqual(scene.events, ["published", "unpublished", "over"]);
  assert.equal(scene.live.active, false);
  assert.equal(scene.live.held, false);
  assert.equal(scene.clock.pending, 0, "no timer is left");
});

Deno.test("a stream that nobody has: the pull ends when its player goes", () => {
  const scene = new EdgeScene(1, false);
  const player = scene.play();
  scene.attempt.fail("unreachable");
  scene.live.leave(player);
  scene.pass(edgeLimits.LINGER_MS);
  assert.equal(scene.pull.state, "over");
  assert.equal(scene.clock.pending, 0, "the next attempt is called off");
});

Deno.test("retries: pauses grow to SRS's 3 s, players stay", () => {
  const scene = new EdgeScene();
  const pauses: number[] = [];
  for (let i = 0; i < 7; i++) {
    const { at } = scene.attempt;
    scene.attempt.fail("unreachable");
    while (scene.attempts.length === i + 1) scene.clock.advance(1);
    pauses.push(scene.attempt.at - at);
  }
  assert.deepEqual(pauses, [250, 500, 1000, 2000, 3000, 3000, 3000]);
  assert.equal(scene.live.playerCount, 1);
  assert.equal(scene.pull.view.retries, 7);
  const lines = scene.log.lines.filter((line) => line.includes("ended (unreachable)"));
  assert.equal(lines.length, 1, "the same failure is one line a minute");
});

Deno.test("a connection that has worked for some time is had again at once", () => {
  const scene = new EdgeScene();
  scene.goLive();
  scene.pass(clientLimits.STABLE_MS, true);
  scene.attempt.fail("lost");
  assert.equal(scene.live.active, false);
  scene.clock.advance(0);
  assert.equal(scene.attempts.length, 2);
  // One that breaks again and again is not.
  scene.goLive();
  scene.attempt.fail("lost");
  scene.clock.advance(clientLimits.RETRY_FIRST_MS - 1);
  assert.equal(scene.attempts.length, 2);
  scene.clock.advance(1);
  assert.equal(scene.attempts.length, 3);
});

Deno.test("a pull that is stopped during a pause asks no origin any more", () => {
  const scene = new EdgeScene();
  scene.attempt.fail("refused");
  scene.pull.stop("no client wants it");
  scene.clock.advance(10 * clientLimits.RETRY_PAUSE_MS);
  assert.equal(scene.attempts.length, 1);
  assert.equal(scene.pull.view.retries, 0);
});

Deno.test("failover: the next origin at once, each once before a pause", () => {
  const scene = new EdgeScene(3);
  for (const origin of ["o0", "o1"]) {
    assert.equal(scene.attempt.name, origin);
    scene.attempt.fail("unreachable");
    scene.clock.advance(0);
  }
  scene.attempt.fail("refused");
  scene.clock.advance(clientLimits.RETRY_FIRST_MS - 1);
  assert.equal(scene.asked, "o0 o1 o2");
  scene.clock.advance(1);
  assert.equal(scene.asked, "o0 o1 o2 o0");
});

Deno.test("failover: the origin that works is remembered, for other streams too", () => {
  const scene = new EdgeScene(2);
  scene.attempt.fail("unreachable");
  scene.clock.advance(0);
  scene.goLive();
  scene.pass(clientLimits.STABLE_MS, true);
  assert.equal(new OriginTour(scene.origins).origin.host, "o1");
  scene.attempt.fail("lost");
  scene.clock.advance(0);
  assert.equal(scene.asked, "o0 o1 o1", "an accident: the same one first");
  scene.attempt.fail("unreachable");
  scene.clock.advance(0);
  assert.equal(scene.asked, "o0 o1 o1 o0", "and then the other");
});

Deno.test("failover: one that answers nothing any more is not asked first again", () => {
  const scene = new EdgeScene(2);
  scene.goLive();
  scene.pass(clientLimits.STABLE_MS, true);
  scene.attempt.fail("silent");
  scene.clock.advance(0);
  assert.equal(scene.asked, "o0 o1");
});

Deno.test("S7: an idle origin is kept when it is the only one, else the next one is asked", () => {
  const single = new EdgeScene(1);
  single.attempt.accept();
  single.pass(60_000);
  assert.equal(single.attempts.length, 1);
  assert.equal(single.pull.state, "waiting");
  const several = new EdgeScene(2);
  several.attempt.accept();
  several.pass(clientLimits.MEDIA_TIMEOUT_MS);
  several.clock.advance(0);
  assert.equal(several.asked, "o0 o1");
  assert.ok(several.attempts[0].closed);
});

Deno.test("S10: players are to be told of an end, and get what is published next", () => {
  const scene = new EdgeScene();
  const attempt = scene.goLive();
  attempt.unpublish();
  assert.equal(scene.live.active, false);
  assert.notEqual(scene.live.endedAt, null);
  scene.pass(3000);
  attempt.media(MessageType.VIDEO, 0, payloads.keyframe());
  assert.equal(scene.pull.state, "live");
  assert.equal(scene.live.endedAt, null);
  assert.equal(scene.attempts.length, 1, "on the same connection");
  // A connection that breaks is no end.
  attempt.fail("lost");
  assert.equal(scene.live.endedAt, null);
});

Deno.test("S10: an origin that says nothing about it: silence is an end", () => {
  const scene = new EdgeScene();
  scene.goLive();
  scene.pass(clientLimits.MEDIA_TIMEOUT_MS);
  assert.equal(scene.live.active, false);
  assert.notEqual(scene.live.endedAt, null);
  assert.equal(scene.attempts.length, 1);
});

Deno.test("H34: a connection to ourselves is closed and said so", () => {
  const scene = new EdgeScene();
  scene.self = 1935;
  scene.attempt.opened({ localAddress: "::1", remoteAddress: "::1", remotePort: 1935 });
  assert.ok(scene.attempt.closed);
  assert.match(scene.pull.view.lastError ?? "", /loop: the origin is this very server/);
  scene.clock.advance(clientLimits.RETRY_PAUSE_MS - 1);
  assert.equal(scene.attempts.length, 1, "no hurry");
});

Deno.test("H34: a server behind us that the origin does not know of is told, until media flow", () => {
  const scene = new EdgeScene(1, true, ["a"]);
  assert.deepEqual(scene.attempt.hops, ["a"]);
  scene.attempt.accept();
  scene.pull.wantedBy(["a"]);
  assert.equal(scene.attempts.length, 1);
  scene.pull.wantedBy(["b"]);
  assert.deepEqual(scene.attempts.map(({ hops }) => hops), [["a"], ["a", "b"]]);
  assert.ok(scene.attempts[0].closed);
  scene.goLive();
  scene.pull.wantedBy(["c"]);
  assert.equal(scene.attempts.length, 2, "a ring has no media");
});

Deno.test("H34: ids that viewers make up neither restart a pull for ever nor fill its list", () => {
  const ids = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => `x${from + i}`);
  const scene = new EdgeScene(1, true, ids(0, MAX_HOPS));
  for (let i = 0; i < 1000; i++) scene.pull.wantedBy(ids(10 * i, MAX_HOPS));
  assert.ok(scene.attempts.length <= MAX_HOPS, `${scene.attempts.length} connections`);
  assert.ok(scene.pull.hops.length < MAX_HOPS, "there is room for our own");
});

Deno.test("workers: one that may not pull asks again while nobody else does", () => {
  const scene = new EdgeScene(1, false);
  const pull = scene.pull;
  pull.stop("");
  scene.attempts.length = 0;
  scene.grants = false;
  scene.play();
  const other = scene.begin();
  assert.equal(other.state, "claiming");
  scene.claims[0](false);
  assert.equal(other.state, "elsewhere");
  for (let i = 0; i < 3; i++) {
    scene.clock.advance(edgeLimits.RECLAIM_MS);
    other.tick(scene.clock.now());
  }
  assert.equal(scene.claims.length, 2, "one question at a time");
  assert.ok(scene.claims[1](true));
  assert.equal(other.state, "connecting");
  assert.ok(scene.live.held);
  assert.equal(scene.live.yield("10.0.0.1"), false, "nobody else gets the stream");
});

Deno.test("workers: a grant that comes too late is given back", () => {
  const scene = new EdgeScene(1, false);
  scene.pull.stop("");
  scene.grants = false;
  const late = scene.begin();
  late.stop("");
  assert.equal(scene.claims[0](true), false);
  assert.equal(scene.live.held, false);
});

Deno.test("H40: a pull that has never been live goes with its player, unless somebody waits by HTTP", () => {
  const begun = (waits: boolean) => {
    const scene = new EdgeScene(1, false);
    scene.pull.stop("");
    scene.attempts.length = scene.events.length = 0;
    const pull = scene.begin([], waits);
    const player = scene.play();
    scene.clock.advance(100);
    return { scene, pull, player };
  };
  const rtmp = begun(false);
  rtmp.pull.left();
  assert.equal(rtmp.pull.state, "connecting", "its player is there");
  rtmp.scene.live.leave(rtmp.player);
  rtmp.pull.left();
  assert.equal(rtmp.pull.state, "over", "at once");
  assert.ok(rtmp.scene.attempt.closed);

  const http = begun(true);
  http.scene.live.leave(http.player);
  http.pull.left();
  assert.equal(http.pull.state, "connecting");
  http.scene.clock.advance(edgeLimits.IDLE_LINGER_MS);
  http.pull.left();
  assert.equal(http.pull.state, "over", "nobody waits any more");
  // Without a player leaving it ends as well, and not before who waits has had the time to ask again.
  const alone = new EdgeScene(1, false);
  alone.pass(edgeLimits.IDLE_LINGER_MS - 100);
  assert.notEqual(alone.pull.state, "over");
  alone.pull.wantedBy([], true);
  alone.pass(edgeLimits.IDLE_LINGER_MS - 100);
  assert.notEqual(alone.pull.state, "over", "asked again in the meantime");
  alone.pass(edgeLimits.IDLE_LINGER_MS);
  assert.equal(alone.pull.state, "over");

  const live = new EdgeScene(1, false);
  const player = live.play();
  live.goLive();
  live.live.leave(player);
  live.pull.left();
  assert.equal(live.pull.state, "live", "a stream that is there lingers");
});

Deno.test("a stream is not forgotten while it is pulled, and may be when the pull is over", () => {
  const scene = new EdgeScene(1, false);
  assert.equal(scene.live.idleSince, null);
  scene.pull.stop("nobody wants it");
  assert.notEqual(scene.live.idleSince, null);
});
