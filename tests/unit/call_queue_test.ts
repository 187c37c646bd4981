/**
 * Turns at one hook server: who gets the next one, and who gets none.
 * @module
 */

import assert from "node:assert/strict";
import { CallQueue } from "../../src/hooks/call_queue.ts";

/** Long enough never to pass within a test, ms. */
const LONG_MS = 60_000;

/** What has become of calls by the time that nothing is left to run in this turn. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

/** A queue whose calls note when their turn has come. */
class Scene {
  readonly queue: CallQueue;
  readonly came: string[] = [];
  readonly refused: string[] = [];

  constructor(maxRunning: number, maxWaiting: number) {
    this.queue = new CallQueue({ maxRunning, maxWaiting });
  }

  ask(name: string, urgent: boolean, ms = LONG_MS): Promise<void> {
    return this.queue.turn(urgent, ms).then((yes) => {
      (yes ? this.came : this.refused).push(name);
    });
  }

  /** Ends turns until nothing runs. */
  async finish(): Promise<void> {
    for (let i = 0; i < 100 && !this.queue.idle; i++) {
      this.queue.done();
      await settled();
    }
    assert.ok(this.queue.idle);
  }
}

Deno.test("a call queue runs so many at a time, and the next one when one is done", async () => {
  const scene = new Scene(2, 10);
  assert.ok(scene.queue.idle);
  for (const name of ["a", "b", "c", "d"]) void scene.ask(name, true);
  await settled();
  assert.deepEqual(scene.came, ["a", "b"]);
  scene.queue.done();
  await settled();
  assert.deepEqual(scene.came, ["a", "b", "c"]);
  assert.ok(!scene.queue.idle);
  await scene.finish();
  assert.deepEqual(scene.came, ["a", "b", "c", "d"]);
});

Deno.test("calls that a client waits for go before calls that only tell", async () => {
  const scene = new Scene(1, 10);
  for (const name of ["first", "tell 1", "ask 1", "tell 2", "ask 2"]) {
    void scene.ask(name, name.startsWith("ask"));
  }
  await settled();
  await scene.finish();
  assert.deepEqual(scene.came, ["first", "ask 1", "ask 2", "tell 1", "tell 2"]);
});

Deno.test("both kinds of calls share the room for waiting: one more is refused at once", async () => {
  for (const urgent of [true, false]) {
    const scene = new Scene(1, 3);
    for (const name of ["runs", "tell 1", "ask 1", "tell 2"]) {
      void scene.ask(name, name.startsWith("ask"));
    }
    void scene.ask("one too many", urgent);
    await settled();
    assert.deepEqual(scene.refused, ["one too many"]);
    // There is room again once one of those that waited has its turn.
    scene.queue.done();
    await settled();
    void scene.ask("one more", urgent);
    await settled();
    assert.deepEqual(scene.refused, ["one too many"]);
    await scene.finish();
    assert.deepEqual(scene.came.toSorted(), ["ask 1", "one more", "runs", "tell 1", "tell 2"]);
  }
});

Deno.test("a call that waits too long is refused, leaves its place, and gets no turn later", async () => {
  const scene = new Scene(1, 1);
  void scene.ask("runs", true);
  await scene.ask("too late", true, 1);
  assert.deepEqual(scene.refused, ["too late"]);
  void scene.ask("next", false);
  await settled();
  assert.deepEqual(scene.refused, ["too late"], "its place is free");
  scene.queue.done();
  await settled();
  assert.deepEqual(scene.came, ["runs", "next"]);
  await scene.finish();
});
