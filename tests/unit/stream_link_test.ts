/**
 * A worker's link to the streams of the others, message by message: whatever the order in which they
 * come over their different ways.
 * @module
 */

import assert from "node:assert/strict";
import { Entry } from "../../src/live/log/broadcast_log.ts";
import type { MirrorMessage } from "../../src/live/mirror/message.ts";
import { CLEAR_LOOKS_MS } from "../../src/live/limits.ts";
import { Hub } from "../../src/live/stream/hub.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import type { ToCoordinator, ToPeer } from "../../src/workers/messages.ts";
import { StreamLink } from "../../src/workers/stream_link.ts";
import { FakePlayer } from "./support/fake_player.ts";
import { FakePublisher, vhostOf } from "./support/live_fixture.ts";
import { CLEAR } from "../../src/live/publication/takeover.ts";
import { ManualClock } from "./support/manual_clock.ts";

type Begin = Extract<MirrorMessage, { kind: "begin" }>;

/** A part's first message, with nothing in it: headers and entries are others' business. */
function begin(epoch: number, changes: Partial<Begin["part"]> = {}): Begin {
  const part = {
    pieces: [],
    headers: null,
    tell: false,
    newestKeyframe: null,
    gopStart: null,
    hasVideo: false,
    resumeAt: null,
    time: 0,
    highest: 0,
    absolute: false,
    ...changes,
  };
  return { kind: "begin", epoch, sender: 10 * epoch, part };
}

const END: MirrorMessage = { kind: "end", ended: false };

/** A worker with the stream "live/s"; what it posts is kept. */
class Scene {
  readonly clock = new ManualClock();
  readonly coordinator: ToCoordinator[] = [];
  readonly peers: [number, ToPeer][] = [];
  readonly link = new StreamLink({
    coordinator: (message) => void this.coordinator.push(message),
    peer: (worker, message) => void this.peers.push([worker, message]),
  });
  readonly hub = new Hub(this.clock, "1.2.3", [this.link], true);
  readonly stream: LiveStream;
  /** Answers to claims: true for a grant. */
  readonly answers: boolean[] = [];

  constructor() {
    this.link.attach(this.hub);
    this.stream = this.obtain("s");
    this.coordinator.length = 0;
  }

  obtain(name: string): LiveStream {
    return this.hub.obtain(`live/${name}`, vhostOf(), "live", name);
  }

  part(from: number, part: MirrorMessage): void {
    this.link.fromPeer(from, { kind: "mirror", key: this.stream.key, message: part });
  }

  /** A client claims the stream and publishes when it may; the number of the claim. */
  claim(publisher: FakePublisher | null = null): number {
    this.link.claim(this.stream, "10.0.0.1", (refusal) => {
      this.answers.push(refusal === null);
      if (!refusal) publisher?.start();
      return true;
    });
    const claim = this.coordinator.findLast((message) => message.kind === "claim");
    assert.equal(claim?.kind, "claim");
    return claim.id;
  }

  grant(id: number, epoch: number, watchers: number[] = []): void {
    const time = new SharedArrayBuffer(8);
    const { key } = this.stream;
    const grant = { kind: "grant", id, key, epoch, watchers, time, evicted: [] } as const;
    this.link.fromCoordinator(grant);
  }

  /** What it answers when a client of another worker wants the stream. */
  yields(key = this.stream.key): boolean {
    this.coordinator.length = 0;
    this.link.fromCoordinator({ kind: "yield", key, address: "10.0.0.2" });
    for (const ms of CLEAR_LOOKS_MS) this.clock.advance(ms);
    const [answer, ...others] = this.coordinator;
    assert.deepEqual(others, []);
    assert.equal(answer.kind, "yielded");
    assert.equal(answer.key, key);
    return answer.yes;
  }
}

Deno.test("a worker keeps a stream that was granted to it and that it cannot take yet", () => {
  const scene = new Scene();
  scene.part(2, begin(1));
  const publisher = new FakePublisher(scene.stream);
  const id = scene.claim(publisher);
  assert.equal(scene.yields(), true, "only a claim");
  scene.grant(id, 2);
  assert.deepEqual(scene.answers, [], "worker 2's last messages have not come");
  assert.equal(scene.yields(), false, "promised to its own client");
  scene.part(2, END);
  assert.deepEqual(scene.answers, [true]);
  assert.equal(scene.stream.published, true);
});

Deno.test("a worker yields what it does not publish, and asks the stream's rule about what it does", () => {
  const scene = new Scene();
  assert.equal(scene.yields("live/unknown"), true);
  assert.equal(scene.yields(), true);
  const publisher = new FakePublisher(scene.stream);
  scene.grant(scene.claim(publisher), 1);
  assert.equal(scene.yields(), false, "the publisher sends");
  assert.equal(scene.stream.published, true);
  publisher.lastBytesAt = -Infinity;
  assert.equal(scene.yields(), true, "it has stalled");
  assert.equal(publisher.replacements, 1);
});

Deno.test("who was put out goes with the answer", () => {
  const scene = new Scene();
  const { publish } = scene.stream.vhost;
  scene.stream.configure({ ...scene.stream.vhost, publish: { ...publish, takeover: "replace" } });
  const publisher = new FakePublisher(scene.stream);
  publisher.lastBytesAt = scene.clock.now();
  scene.grant(scene.claim(publisher), 1);
  assert.equal(scene.yields(), true);
  const [answer] = scene.coordinator;
  assert.deepEqual(answer.kind === "yielded" && answer.evicted, [{
    address: "10.0.0.1",
    agoMs: 0,
  }]);
});

Deno.test("what a worker has sent too early is forgotten with it", () => {
  const scene = new Scene();
  scene.part(2, begin(1));
  scene.part(3, begin(2));
  scene.link.fromCoordinator({ kind: "gone", worker: 3 });
  assert.equal(scene.stream.mirrored, true, "worker 2 still parts it");
  scene.part(2, END);
  assert.equal(scene.stream.mirrored, false, "worker 3 is not there any more");
  // The next worker is not kept waiting for one that never ends.
  scene.part(4, begin(3));
  assert.equal(scene.stream.mirrored, true);
  scene.part(4, END);
  assert.equal(scene.stream.mirrored, false);
});

Deno.test("what came too early is next, the oldest grant first", () => {
  const scene = new Scene();
  const player = new FakePlayer(scene.stream);
  scene.part(2, begin(1));
  scene.part(4, begin(3));
  scene.part(3, begin(2));
  scene.part(3, END);
  scene.peers.length = 0;
  scene.part(2, END);
  // Each of those that part it is told how many play it here.
  const told = scene.peers.map(([worker, message]) => [worker, message.kind]);
  assert.deepEqual(told, [[3, "audience"], [4, "audience"]]);
  assert.equal(scene.stream.mirrored, true, "worker 4 has not ended");
  player.leave();
  assert.deepEqual(scene.peers.at(-1), [4, { kind: "audience", key: "live/s", players: 0 }]);
});

Deno.test("the end of the worker that parts a stream is the end of the part, and of no other", () => {
  const scene = new Scene();
  scene.part(2, begin(1));
  scene.link.fromCoordinator({ kind: "gone", worker: 5 });
  assert.equal(scene.stream.mirrored, true);
  scene.part(3, begin(2));
  scene.link.fromCoordinator({ kind: "gone", worker: 2 });
  assert.equal(scene.stream.mirrored, true, "worker 3 is next");
  scene.link.fromCoordinator({ kind: "gone", worker: 3 });
  assert.equal(scene.stream.mirrored, false);
  const id = scene.claim(new FakePublisher(scene.stream));
  scene.grant(id, 3);
  assert.deepEqual(scene.answers, [true], "nothing is in its way");
});

Deno.test("a worker that has ended is fed no more", () => {
  const scene = new Scene();
  const publisher = new FakePublisher(scene.stream);
  scene.grant(scene.claim(publisher), 1, [2, 3]);
  assert.equal(scene.stream.hasReaders, true);
  assert.deepEqual(scene.peers.map(([worker]) => worker), [2, 3]);
  scene.link.fromPeer(2, { kind: "audience", key: "live/s", players: 4 });
  scene.link.fromPeer(3, { kind: "audience", key: "live/s", players: 2 });
  assert.equal(scene.stream.playerCount, 6);
  scene.link.fromCoordinator({ kind: "gone", worker: 2 });
  assert.equal(scene.stream.playerCount, 2);
  scene.peers.length = 0;
  publisher.headers(1);
  assert.deepEqual([...new Set(scene.peers.map(([worker]) => worker))], [3]);
  scene.link.fromCoordinator({ kind: "unsubscribe", key: "live/s", worker: 3 });
  assert.equal(scene.stream.hasReaders, false);
});

Deno.test("a grant that no client wants any more is given back; a denied claim keeps nothing", async () => {
  const scene = new Scene();
  const id = scene.claim();
  scene.coordinator.length = 0;
  scene.grant(id, 7);
  assert.deepEqual(scene.coordinator, [{ kind: "release", key: "live/s", epoch: 7 }]);
  const denied = scene.claim();
  assert.equal(scene.stream.idleSince, null, "reserved");
  scene.link.fromCoordinator({ kind: "deny", id: denied });
  assert.deepEqual(scene.answers, [true, false]);
  assert.notEqual(scene.stream.idleSince, null);
  // Twice is nothing.
  scene.link.fromCoordinator({ kind: "deny", id: denied });
  assert.deepEqual(scene.answers, [true, false]);
  const publisher = new FakePublisher(scene.stream);
  scene.grant(scene.claim(publisher), 8);
  scene.coordinator.length = 0;
  publisher.stop();
  await Promise.resolve();
  assert.deepEqual(scene.coordinator, [{ kind: "release", key: "live/s", epoch: 8 }]);
});

Deno.test("a GOP whose beginning was freed in the mirror is none there", () => {
  const scene = new Scene();
  const size = 100;
  const entries = (count: number) => Array.from({ length: count }, () => [size, 0, 0, 0]).flat();
  const memory = () => new SharedArrayBuffer(1024);
  const piece = (segment: number, count: number) => ({
    segment,
    memory: memory(),
    at: 0,
    entries: entries(count),
  });
  scene.part(2, begin(1, { pieces: [piece(1, 4)], newestKeyframe: 1, gopStart: 1 }));
  const { gop, log } = scene.stream;
  assert.deepEqual([gop.newestKeyframe, gop.start], [1, 1]);
  // No room: all that it has, but for what is to come, goes.
  log.seal();
  log.trim(log.head);
  assert.equal(log.tail, 4);
  const part = { ...begin(1).part, pieces: [piece(2, 2)], newestKeyframe: -3, gopStart: -3 };
  scene.part(2, { kind: "more", part });
  assert.deepEqual([gop.newestKeyframe, gop.start], [-1, -1]);
  // Entry 0 of a part is the first one that is there.
  const next = { ...begin(1).part, pieces: [piece(3, 1)], newestKeyframe: -2, gopStart: 0 };
  scene.part(2, { kind: "more", part: next });
  assert.deepEqual([gop.newestKeyframe, gop.start], [4, 6]);
  assert.ok((log.flagsAt(6) & Entry.KEYFRAME) === 0);
});

/** What a worker posts when a newcomer of another one asks for way, before and after the departure. */
async function clears(prepare: (scene: Scene) => void, address: string | null, key = "live/s") {
  const scene = new Scene();
  const departed = Promise.withResolvers<void>();
  const waited: string[] = [];
  scene.link.attach(scene.hub, (key) => {
    waited.push(key);
    return departed.promise;
  });
  prepare(scene);
  scene.coordinator.length = 0;
  const answers = () => scene.coordinator.filter(({ kind }) => kind === "cleared");
  scene.link.fromCoordinator({ kind: "clear", id: 9, key, address });
  for (const ms of CLEAR_LOOKS_MS) scene.clock.advance(ms);
  await Promise.resolve();
  const before = answers();
  departed.resolve();
  await departed.promise;
  await Promise.resolve();
  return { scene, before, after: answers(), waited };
}

Deno.test("F8: a worker makes way for a newcomer of another one, and says so after the departure", async () => {
  const stalled = await clears((scene) => {
    const publisher = new FakePublisher(scene.stream);
    scene.grant(scene.claim(publisher), 1);
    publisher.lastBytesAt = -Infinity;
  }, "10.0.0.2");
  assert.equal(stalled.scene.stream.published, false, "it has been ended");
  assert.deepEqual(stalled.before, [], "its end has not been delivered");
  assert.deepEqual(stalled.waited, ["live/s"]);
  assert.deepEqual(stalled.after, [{ kind: "cleared", id: 9, found: CLEAR }]);
  // Whoever knows nothing of it may have had its publisher a moment ago.
  const unknown = await clears(() => {}, "10.0.0.2", "live/unknown");
  assert.deepEqual(unknown.before, []);
  assert.deepEqual(unknown.after, [{ kind: "cleared", id: 9, found: CLEAR }]);
});

Deno.test("F8: a worker whose publisher keeps the stream says so without waiting for hooks", async () => {
  const { scene, before, waited, after } = await clears((scene) => {
    scene.grant(scene.claim(new FakePublisher(scene.stream)), 1);
  }, "10.0.0.2");
  const kept = [{ kind: "cleared", id: 9, found: { kept: true, present: true } }];
  assert.deepEqual([before, after, waited], [kept, kept, []]);
  assert.equal(scene.stream.published, true);
});

Deno.test("F8: a newcomer that has the stream already ends an edge's other publishers", async () => {
  const edge = {
    origins: [{ host: "127.0.0.1", port: null }],
    protocol: "rtmp",
    followClient: false,
    tokenTraverse: false,
    takeover: "replace",
    vhost: "[vhost]",
    debugUpnode: false,
  } as const;
  for (const address of ["10.0.0.2", null]) {
    let ended = 0;
    const { after, waited } = await clears((scene) => {
      scene.stream.configure({ ...scene.stream.vhost, edge });
      const client = {
        lastBytesAt: scene.clock.now(),
        replaced: () => {
          ended++;
          scene.stream.removeUplink(client);
        },
      };
      scene.stream.addUplink(client);
    }, address);
    assert.equal(ended, address === null ? 1 : 0, `${address}`);
    assert.deepEqual(waited, ["live/s"]);
    const found = { kept: false, present: address !== null };
    assert.deepEqual(after, [{ kind: "cleared", id: 9, found }]);
  }
});

Deno.test("F8: who asks for way hears of it once", () => {
  const scene = new Scene();
  const found: unknown[] = [];
  scene.link.clear(scene.stream, "10.0.0.1", (clearance) => found.push(clearance));
  scene.link.clear(scene.stream, null, () => found.push("the other"));
  const [first, second] = scene.coordinator;
  assert.ok(first.kind === "clear" && second.kind === "clear");
  assert.deepEqual([first.key, first.address, second.address], ["live/s", "10.0.0.1", null]);
  const kept = { kept: true, present: true };
  for (let i = 0; i < 2; i++) {
    scene.link.fromCoordinator({ kind: "cleared", id: first.id, found: kept });
  }
  assert.deepEqual(found, [kept]);
  scene.link.fromCoordinator({ kind: "cleared", id: second.id, found: CLEAR });
  assert.deepEqual(found, [kept, "the other"]);
});

Deno.test("the coordinator hears of each stream that comes and goes", () => {
  const scene = new Scene();
  scene.obtain("t");
  assert.deepEqual(scene.coordinator, [{ kind: "watch", key: "live/t" }]);
  scene.coordinator.length = 0;
  for (let i = 0; i < 5; i++) {
    scene.clock.advance(1000);
    scene.hub.tick();
  }
  assert.deepEqual(
    scene.coordinator.map((message) => "key" in message && [message.kind, message.key]),
    [
      ["unwatch", "live/s"],
      ["unwatch", "live/t"],
    ],
  );
  // A part of a stream that is forgotten is nobody's.
  scene.part(2, begin(1));
  assert.equal(scene.stream.mirrored, false);
});

Deno.test("a worker's players are told to the worker that parts it, when their number has changed", () => {
  const scene = new Scene();
  const players = [new FakePlayer(scene.stream)];
  scene.link.tick();
  assert.equal(scene.peers.length, 0, "nobody parts it");
  scene.part(2, begin(1));
  players.push(new FakePlayer(scene.stream));
  for (let i = 0; i < 3; i++) scene.link.tick();
  const told = scene.peers.map((
    [to, message],
  ) => [to, message.kind === "audience" && message.players]);
  assert.deepEqual(told, [[2, 1], [2, 2]]);
});

Deno.test("players that go between two publishers are told to the worker that parts the next", () => {
  const scene = new Scene();
  const player = new FakePlayer(scene.stream);
  scene.part(2, begin(1));
  scene.part(2, END);
  player.leave();
  scene.peers.length = 0;
  // The worker's count of them has outlived its publisher.
  scene.part(2, begin(2));
  assert.deepEqual(scene.peers, [[2, { kind: "audience", key: "live/s", players: 0 }]]);
});
