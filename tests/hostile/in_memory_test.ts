/**
 * What cannot be reached over a socket in the time of a test, because the deadline is minutes or the
 * kernel's buffers are larger than ours; and races, which only a scheduler of one's own can repeat.
 * @module
 */
import assert from "node:assert/strict";
import {
  IDENTIFY_TIMEOUT_MS,
  MAX_PENDING_ANSWERS,
  PLAYER_STALL_MS,
  REPUBLISH_TIMEOUT_MS,
} from "../../src/servers/rtmp/limits.ts";
import { Random } from "../fuzz/random.ts";
import { withSeed } from "../tools/seed.ts";
import { payloads } from "../unit/support/live_fixture.ts";
import { command, type Peer, recipe, TestServer } from "../unit/support/rtmp_peer.ts";
import { be } from "../unit/support/naive_chunks.ts";

const TICK_MS = 1000;

Deno.test("H16: after closeStream there are three minutes for the next publish, not more", () => {
  const server = new TestServer();
  const peer = server.flashPublisher();
  peer.send({ type: 9, payload: payloads.keyframe() });
  server.pass(IDENTIFY_TIMEOUT_MS / 10);
  peer.send(command("closeStream", 0, null));
  server.pass(REPUBLISH_TIMEOUT_MS - 2 * TICK_MS);
  peer.assertOpen();
  server.pass(3 * TICK_MS);
  peer.assertClosed(1011, /neither publish nor play in time/);
});

/** A peer that has stopped reading while a lot is on its way to it. */
function deaf(peer: Peer): Peer {
  peer.socket.busy = true;
  peer.socket.pendingBytes = MAX_PENDING_ANSWERS + 1;
  return peer;
}

const PING = { type: 4, payload: Uint8Array.from([0, 6, ...be(1, 4)]), csid: 2, msid: 0 };

Deno.test("H20: who asks and does not read the answers is closed", () => {
  for (const make of ["connected", "publisher"] as const) {
    const peer = deaf(new TestServer()[make]());
    peer.send(PING);
    peer.assertClosed(2046, /the peer asks, and does not read the answers/);
  }
});

Deno.test("H20: pings and acknowledgements to a player that does not read are left out", () => {
  const server = new TestServer();
  const peer = server.player();
  peer.send({ type: 5, payload: Uint8Array.from(be(100, 4)), csid: 2, msid: 0 });
  deaf(peer);
  const before = peer.socket.writes.length;
  for (let i = 0; i < 50; i++) peer.send(PING);
  peer.assertOpen();
  assert.equal(peer.socket.writes.length, before);
  peer.socket.drain();
  peer.send(PING);
  assert.ok(peer.socket.writes.length > before, "they are answered again");
});

Deno.test("H19: a player that takes nothing is closed after a minute, one that takes little is not", () => {
  const server = new TestServer();
  const publisher = server.publisher();
  const [stuck, slow] = [server.player(), server.player()];
  for (const { socket } of [stuck, slow]) socket.busy = true;
  for (let second = 0; second < PLAYER_STALL_MS / TICK_MS + 2; second++) {
    publisher.send({ type: 9, payload: payloads.keyframe(second), timestamp: 1000 * second });
    if (second % 30 === 29) {
      slow.socket.drain();
      slow.socket.busy = true;
    }
    server.pass(TICK_MS);
  }
  stuck.assertClosed(1011, /has taken nothing for 60000 ms/);
  slow.assertOpen();
});

/** Everything that can happen to a connection. */
const EVENTS: Record<string, (peer: Peer, random: Random) => void> = {
  publish: (peer, random) => peer.send(command("publish", 3, null, name(random), "live")),
  play: (peer, random) => peer.send(command("play", 3, null, name(random))),
  createStream: (peer) => peer.send(command("createStream", 2, null)),
  closeStream: (peer) => peer.send(command("closeStream", 0, null)),
  deleteStream: (peer) => peer.send(command("deleteStream", 0, null, 1)),
  FCUnpublish: (peer, random) => peer.send(command("FCUnpublish", 4, null, name(random))),
  pause: (peer, random) => peer.send(command("pause", 0, null, random.chance(0.5), 0)),
  header: (peer, random) => peer.send({ type: 9, payload: payloads.videoHeader(random.below(3)) }),
  picture: (peer, random) => {
    const payload = payloads[random.pick(["keyframe", "frame"] as const)](random.below(256));
    peer.send({ type: 9, payload, timestamp: random.below(100_000) });
  },
  sound: (peer, random) => peer.send({ type: 8, payload: payloads.audio(random.below(256)) }),
  "stops reading": (peer) => peer.socket.busy = true,
  "reads on": (peer) => peer.socket.drain(),
  "dies": (peer) => peer.session.onClose(new Error("reset")),
  "is kicked": (peer) => peer.session.kick(),
  "is sent away": (peer) => peer.session.shutdown(),
};

function name(random: Random): string {
  return random.pick(["a", "b", "a", "../x"]);
}

/** Races with this many events each. */
const RACES = 150;
const EVENTS_PER_RACE = 120;

/** Connections at a time. */
const PEERS = 6;

/** One race. */
function race(seed: number): void {
  const random = new Random(seed);
  const play = random.pick([
    "gop_cache on;",
    "gop_cache off; mw_latency 0;",
    "send_min_interval 5;",
  ]);
  const server = new TestServer(recipe("", play, random.pick(["", "mr on;"])));
  const peers: Peer[] = [];
  const gone = new Set<Peer>();
  for (let i = 0; i < EVENTS_PER_RACE; i++) {
    if (peers.length < PEERS) {
      peers.push(server[random.pick(["created", "publisher", "player"] as const)](`s${i}`));
    }
    const at = random.below(peers.length);
    const peer = peers[at];
    if (!gone.has(peer)) EVENTS[random.pick(Object.keys(EVENTS))](peer, random);
    if (random.chance(0.2)) server.clock.advance(random.below(500));
    if (random.chance(0.1)) server.pass(random.below(3000));
    // As of a real socket, the end of a closed one is told some time later, once.
    if (peer.log.matching("client finished").length > 0) gone.add(peer);
    if (peer.socket.state !== "open" && random.chance(0.5)) {
      if (!gone.has(peer)) peer.session.onClose(null);
      gone.add(peer);
      peers.splice(at, 1);
    } else if (gone.has(peer)) {
      peers.splice(at, 1);
    }
  }
  for (const peer of peers) if (!gone.has(peer)) peer.session.onClose(null);
  for (const { log } of server.peers) {
    assert.deepEqual(log.faults, [], log.lines.join("\n"));
    assert.equal(log.matching("client finished").length, 1, log.lines.join("\n"));
  }
  server.clock.advance(10_000);
  server.hub.tick();
  assert.deepEqual([...server.hub.streams].map(({ key }) => key), [], "streams are left");
  assert.equal(server.clock.pending, 0, "timers are left");
}

Deno.test("H35: publishers and players that meet at every bad moment", () => {
  withSeed((first) => {
    for (let i = 0; i < RACES; i++) {
      try {
        race(first + i);
      } catch (error) {
        // That race alone.
        throw new Error(`SRS_EDGE_SEED=${first + i} repeats it`, { cause: error });
      }
    }
  });
});
