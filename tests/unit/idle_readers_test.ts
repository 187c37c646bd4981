/**
 * Publishers without players: when their sockets are read.
 * @module
 */

import assert from "node:assert/strict";
import { IDLE_GATHER_MS, IDLE_READ_MS } from "../../src/servers/rtmp/limits.ts";
import { IdleReaders } from "../../src/servers/rtmp/idle_readers.ts";
import { FakeSocket } from "./support/fake_socket.ts";
import { ManualClock } from "./support/manual_clock.ts";

/** A socket that counts its looks, and may be able to take what waits without the runtime. */
class IdleSocket extends FakeSocket {
  looks = 0;

  constructor(readonly direct: boolean) {
    super();
  }

  override readWaiting(): boolean {
    this.looks++;
    return this.direct;
  }
}

function scene() {
  const clock = new ManualClock();
  const readers = new IdleReaders(clock);
  const direct = new IdleSocket(true);
  const plain = new IdleSocket(false);
  readers.add(direct);
  readers.add(plain);
  return { clock, readers, direct, plain };
}

Deno.test("idle publishers: the runtime reads those alone that cannot be read without it", () => {
  const { clock, direct, plain } = scene();
  assert.deepEqual([direct.reading, plain.reading], [true, true]);
  clock.advance(IDLE_READ_MS);
  assert.deepEqual([direct.reading, plain.reading], [false, false], "both gather");
  for (let round = 1; round <= 3; round++) {
    clock.advance(IDLE_GATHER_MS - IDLE_READ_MS);
    assert.deepEqual([direct.looks, plain.looks], [round, round]);
    assert.deepEqual([direct.reading, plain.reading], [false, true]);
    clock.advance(IDLE_READ_MS);
    assert.deepEqual([direct.reading, plain.reading], [false, false]);
  }
  assert.equal(clock.pending, 1, "one timer for all");
});

Deno.test("an idle publisher that gets a player is read at once, and not paused again", () => {
  const { clock, readers, direct, plain } = scene();
  clock.advance(IDLE_READ_MS);
  readers.remove(direct);
  assert.deepEqual([direct.reading, plain.reading], [true, false]);
  clock.advance(3 * IDLE_GATHER_MS);
  assert.equal(direct.reading, true);
  assert.equal(direct.looks, 0);
  assert.equal(plain.looks, 3);
  // Removing a socket that is not there leaves it alone.
  plain.pauseReading();
  readers.remove(plain);
  plain.pauseReading();
  readers.remove(plain);
  assert.equal(plain.reading, false);
});

Deno.test("no timer runs without idle publishers, and one runs again for the next", () => {
  const { clock, readers, direct, plain } = scene();
  readers.add(direct);
  readers.remove(direct);
  readers.remove(plain);
  clock.advance(2 * IDLE_GATHER_MS);
  assert.equal(clock.pending, 0);
  readers.add(plain);
  assert.equal(clock.pending, 1);
  clock.advance(IDLE_READ_MS);
  assert.equal(plain.reading, false);
});
