/**
 * The hub: streams by key, and their end.
 * @module
 */

import assert from "node:assert/strict";
import { Hub } from "../../src/live/stream/hub.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import { FakePlayer } from "./support/fake_player.ts";
import { FakePublisher, payloads, VERSION, vhostOf } from "./support/live_fixture.ts";
import { ManualClock } from "./support/manual_clock.ts";

const SECOND_MS = 1000;

class HubFixture {
  readonly clock = new ManualClock();
  readonly hub = new Hub(this.clock, VERSION);

  obtain(key: string): LiveStream {
    return this.hub.obtain(key, vhostOf(), "live", key);
  }

  get keys(): string[] {
    return [...this.hub.streams].map((stream) => stream.key);
  }

  /** Lets seconds go by with a tick at the end of each; the keys that were forgotten. */
  seconds(count: number): string[] {
    const gone: string[] = [];
    for (let i = 0; i < count; i++) {
      this.clock.advance(SECOND_MS);
      gone.push(...this.hub.tick().map((stream) => stream.key));
    }
    return gone;
  }
}

Deno.test("one key is one stream, whoever comes first", () => {
  const fixture = new HubFixture();
  const stream = fixture.obtain("a");
  assert.equal(fixture.obtain("a"), stream);
  assert.notEqual(fixture.obtain("b"), stream);
  assert.deepEqual(fixture.keys, ["a", "b"]);
  assert.deepEqual([stream.app, stream.name, stream.key], ["live", "a", "a"]);
});

Deno.test("a stream that nobody uses is forgotten after 3 s, and not before", () => {
  const fixture = new HubFixture();
  const stream = fixture.obtain("a");
  assert.deepEqual(fixture.seconds(2), []);
  assert.deepEqual(fixture.seconds(1), ["a"]);
  assert.deepEqual(fixture.keys, []);
  assert.notEqual(fixture.obtain("a"), stream);
});

Deno.test("a publisher keeps it, and for 3 s longer", () => {
  const fixture = new HubFixture();
  const stream = fixture.obtain("a");
  const publisher = new FakePublisher(stream);
  publisher.start();
  assert.deepEqual(fixture.seconds(60), []);
  publisher.stop();
  assert.deepEqual(fixture.seconds(2), []);
  // The next one comes just in time.
  publisher.start();
  assert.deepEqual(fixture.seconds(5), []);
  publisher.stop();
  assert.deepEqual(fixture.seconds(3), ["a"]);
});

Deno.test("players that wait keep it, published or not", () => {
  const fixture = new HubFixture();
  const stream = fixture.obtain("a");
  const first = new FakePlayer(stream);
  const second = new FakePlayer(stream);
  assert.deepEqual(fixture.seconds(60), []);
  first.leave();
  assert.deepEqual(fixture.seconds(60), []);
  second.leave();
  // Leaving twice does not start the time anew.
  assert.deepEqual(fixture.seconds(2), []);
  second.leave();
  assert.deepEqual(fixture.seconds(1), ["a"]);
});

Deno.test("a stream that is forgotten leaves no memory behind", () => {
  const fixture = new HubFixture();
  const stream = fixture.obtain("a");
  const publisher = new FakePublisher(stream);
  const player = new FakePlayer(stream);
  publisher.start();
  publisher.headers();
  for (let i = 0; i < 100; i++) publisher.video(i * 40, payloads.keyframe(i, 10_000));
  publisher.stop();
  player.leave();
  assert.deepEqual(fixture.seconds(3), ["a"]);
  assert.equal(stream.log.bytes, 0);
  assert.equal(fixture.clock.pending, 0);
});

Deno.test("each listener hears of streams, of the first and last player, and of the publisher's end", () => {
  const heard: string[] = [];
  const all = {
    obtained: ({ key }: LiveStream) => void heard.push(`obtained ${key}`),
    audienceChanged: ({ localPlayers }: LiveStream) => void heard.push(`players ${localPlayers}`),
    unpublished: ({ key }: LiveStream) => void heard.push(`unpublished ${key}`),
    forgotten: ({ key }: LiveStream) => void heard.push(`forgotten ${key}`),
  };
  const few = {
    obtained: () => void heard.push("few"),
    forgotten: () => void heard.push("few"),
  };
  const clock = new ManualClock();
  const hub = new Hub(clock, VERSION, [all, few]);
  const stream = hub.obtain("a", vhostOf(), "live", "a");
  assert.deepEqual(heard.splice(0), ["obtained a", "few"]);
  const publisher = new FakePublisher(stream);
  publisher.start();
  const players = [new FakePlayer(stream), new FakePlayer(stream)];
  assert.deepEqual(heard.splice(0), ["players 1"]);
  for (const player of players) player.leave();
  publisher.stop();
  assert.deepEqual(heard.splice(0), ["players 0", "unpublished a"]);
  for (let i = 0; i < 4; i++) {
    clock.advance(SECOND_MS);
    hub.tick();
  }
  assert.deepEqual(heard, ["forgotten a", "few"]);
});
