/**
 * Turns at one hook server: who gets the next one, and who gets none.
 * @module
 */

import assert from "node:assert/strict";
import { CallQueue, type EndTurn } from "../../src/access/hook_queue.ts";

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
  readonly #ends: EndTurn[] = [];

  /** `telling`: the same bounds as for asking calls unless given. */
  constructor(maxRunning: number, maxWaiting: number, telling = maxRunning) {
    this.queue = new CallQueue({
      asking: { maxRunning, maxWaiting },
      telling: { maxRunning: telling, maxWaiting },
    });
  }

  /** Those whose name begins with "ask" ask. */
  async call(name: string, ms = LONG_MS): Promise<void> {
    const end = await this.queue.turn(name, name.startsWith("ask"), ms);
    if (end) this.#ends.push(end);
    (end ? this.came : this.refused).push(name);
  }

  /** Ends the turn that came first. */
  async end(): Promise<void> {
    this.#ends.shift()?.();
    await settled();
  }

  /** Ends turns until nothing runs. */
  async finish(): Promise<void> {
    for (let i = 0; i < 100 && !this.queue.idle; i++) await this.end();
    assert.ok(this.queue.idle);
  }
}

Deno.test("a call queue runs so many at a time, and the next one when one is done", async () => {
  const scene = new Scene(2, 10);
  assert.ok(scene.queue.idle);
  for (const name of ["ask a", "ask b", "ask c", "ask d"]) void scene.call(name);
  await settled();
  assert.deepEqual(scene.came, ["ask a", "ask b"]);
  await scene.end();
  assert.deepEqual(scene.came, ["ask a", "ask b", "ask c"]);
  assert.ok(!scene.queue.idle);
  await scene.finish();
  assert.deepEqual(scene.came, ["ask a", "ask b", "ask c", "ask d"]);
});

Deno.test("H48: calls that ask and calls that tell have turns and room of their own", async () => {
  const scene = new Scene(2, 2, 1);
  for (const name of ["tell 1", "tell 2", "tell 3", "tell 4"]) void scene.call(name);
  await settled();
  assert.deepEqual(scene.came, ["tell 1"]);
  assert.deepEqual(scene.refused, ["tell 4"], "one too many is refused at once");
  assert.equal(scene.queue.untold, 2);
  for (const name of ["ask 1", "ask 2", "ask 3", "ask 4", "ask 5"]) void scene.call(name);
  await settled();
  assert.deepEqual(scene.came, ["tell 1", "ask 1", "ask 2"]);
  assert.deepEqual(scene.refused, ["tell 4", "ask 5"]);
  await scene.finish();
  assert.deepEqual(
    scene.came.toSorted(),
    ["ask 1", "ask 2", "ask 3", "ask 4", "tell 1", "tell 2", "tell 3"],
  );
  // The room is back.
  void scene.call("tell 5");
  await settled();
  assert.equal(scene.came.at(-1), "tell 5");
  await scene.finish();
});

Deno.test("H48: a telling call that somebody waits for goes on among the asking ones", async () => {
  const scene = new Scene(1, 10, 1);
  for (const name of ["tell 1", "tell 2", "tell 3"]) void scene.call(name);
  await settled();
  scene.queue.hasten("tell 3");
  await settled();
  assert.deepEqual(scene.came, ["tell 1", "tell 3"], "at once, where an asking turn is free");
  void scene.call("ask 1");
  scene.queue.hasten("tell 2");
  scene.queue.hasten("nobody");
  await settled();
  assert.deepEqual(scene.came, ["tell 1", "tell 3"]);
  assert.equal(scene.queue.untold, 0);
  await scene.end();
  await scene.end();
  assert.deepEqual(scene.came, ["tell 1", "tell 3", "ask 1"]);
  await scene.finish();
  assert.deepEqual(scene.came, ["tell 1", "tell 3", "ask 1", "tell 2"]);
  for (const name of ["ask 2", "ask 3", "tell 4", "tell 5"]) void scene.call(name);
  await settled();
  assert.deepEqual(scene.came.slice(4), ["ask 2", "tell 4"], "turns are where they were");
  await scene.finish();
});

Deno.test("a call that waits too long is refused, leaves its place, and gets no turn later", async () => {
  const scene = new Scene(1, 1);
  void scene.call("ask, and run");
  await scene.call("ask too late", 1);
  assert.deepEqual(scene.refused, ["ask too late"]);
  void scene.call("ask next");
  await settled();
  assert.deepEqual(scene.refused, ["ask too late"], "its place is free");
  await scene.end();
  assert.deepEqual(scene.came, ["ask, and run", "ask next"]);
  await scene.finish();
});
