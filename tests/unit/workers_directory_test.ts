/**
 * The coordinator's table of streams: what workers are told, message by message.
 * @module
 */

import assert from "node:assert/strict";
import type { Clearance } from "../../src/live/publication/takeover.ts";
import { Directory } from "../../src/workers/directory.ts";
import type { ToWorker } from "../../src/workers/messages.ts";

/** A directory and what it has sent, in short. */
class Scene {
  readonly sent: string[] = [];
  readonly live: string[] = [];
  readonly grants: Extract<ToWorker, { kind: "grant" }>[] = [];
  readonly found: Clearance[] = [];
  readonly directory = new Directory(
    (worker, message) => {
      if (message.kind === "grant") this.grants.push(message);
      if (message.kind === "cleared") this.found.push(message.found);
      const what = "id" in message ? message.id : "worker" in message ? message.worker : "";
      this.sent.push(`${worker}: ${message.kind} ${what}`.trim());
    },
    (key, live) => void this.live.push(`${key} ${live}`),
  );

  /** Worker `worker` claims the stream, which it knows; returns what has been sent. */
  claim(worker: number, id: number): string[] {
    this.directory.watch(worker, "s");
    this.take();
    this.directory.claim(worker, id, "s", `10.0.0.${worker}`);
    return this.take();
  }

  take(): string[] {
    return this.sent.splice(0);
  }
}

Deno.test("a worker that is asked to yield and dies instead: who claimed has the stream", () => {
  const scene = new Scene();
  assert.deepEqual(scene.claim(1, 10), ["1: grant 10"]);
  assert.deepEqual(scene.claim(2, 20), ["1: yield"]);
  assert.deepEqual(scene.claim(3, 30), [], "one question at a time");
  scene.directory.gone(1);
  // The stream goes to the first claim; its new owner is asked about the second.
  assert.deepEqual(scene.take(), ["2: grant 20", "2: yield"]);
  assert.deepEqual(scene.grants.map(({ epoch }) => epoch), [1, 2]);
  assert.deepEqual(scene.live, ["s true", "s false", "s true"]);
  scene.directory.yielded(2, "s", false, []);
  assert.deepEqual(scene.take(), ["3: deny 30"]);
});

Deno.test("a worker that claims and dies: its claim goes, the others keep theirs", () => {
  const scene = new Scene();
  scene.claim(1, 10);
  scene.claim(2, 20);
  scene.claim(3, 30);
  scene.directory.gone(2);
  assert.deepEqual(scene.take(), [], "worker 1 is still asked");
  scene.directory.yielded(1, "s", true, []);
  assert.deepEqual(scene.take(), ["3: grant 30"]);
  assert.deepEqual(scene.grants.at(-1)?.watchers, [1], "neither itself nor the dead one");
});

Deno.test("the answer of a worker that has not been asked is nothing", () => {
  const scene = new Scene();
  scene.claim(1, 10);
  scene.directory.yielded(1, "s", true, []);
  assert.deepEqual(scene.claim(2, 20), ["1: yield"]);
  scene.directory.yielded(2, "s", true, []);
  assert.deepEqual(scene.take(), []);
  scene.directory.yielded(1, "s", false, [{ address: "10.0.0.9", agoMs: 1 }]);
  assert.deepEqual(scene.take(), ["2: deny 20"]);
});

Deno.test("who was put out is told to the next owner", () => {
  const scene = new Scene();
  const evicted = [{ address: "10.0.0.1", agoMs: 1 }];
  scene.claim(1, 10);
  scene.claim(2, 20);
  scene.directory.yielded(1, "s", true, evicted);
  assert.deepEqual(scene.grants.at(-1)?.evicted, evicted);
});

Deno.test("an owner is told of those that come to know its stream, and of those that forget it", () => {
  const scene = new Scene();
  scene.claim(1, 10);
  scene.directory.watch(2, "s");
  assert.deepEqual(scene.take(), ["1: subscribe 2"]);
  scene.directory.watch(1, "s");
  assert.deepEqual(scene.take(), [], "not of itself");
  scene.directory.unwatch(2, "s");
  assert.deepEqual(scene.take(), ["1: unsubscribe 2"]);
  scene.directory.unwatch(2, "s");
  assert.deepEqual(scene.take(), [], "once");
});

Deno.test("a late release does not take the stream from a newer grant", () => {
  const scene = new Scene();
  scene.claim(1, 10);
  scene.claim(1, 11);
  scene.directory.release(1, "s", 1);
  assert.deepEqual(scene.claim(2, 20), ["1: yield"], "worker 1 still has it, by grant 2");
  scene.directory.yielded(1, "s", false, []);
  scene.take();
  scene.directory.release(2, "s", 2);
  scene.directory.release(1, "s", 2);
  assert.deepEqual(scene.live, ["s true", "s true", "s false"]);
  assert.deepEqual(scene.claim(2, 21), ["2: grant 21"]);
});

Deno.test("a stream that no worker knows is forgotten, and a claim for it denied", () => {
  const scene = new Scene();
  scene.directory.watch(1, "s");
  scene.directory.watch(2, "s");
  scene.directory.gone(1);
  assert.equal(scene.directory.size, 1);
  scene.directory.unwatch(2, "s");
  assert.equal(scene.directory.size, 0);
  scene.take();
  scene.directory.claim(2, 5, "s", "10.0.0.2");
  assert.deepEqual(scene.take(), ["2: deny 5"]);
  scene.directory.watch(3, "s");
  scene.directory.gone(3);
  assert.equal(scene.directory.size, 0);
});

Deno.test("F8: all others that know a stream make way, and the answer is what they found together", () => {
  const scene = new Scene();
  scene.claim(1, 10);
  for (const worker of [2, 3, 4]) scene.directory.watch(worker, "s");
  scene.take();
  scene.directory.clear(2, 20, "s", "10.0.0.2");
  assert.deepEqual(scene.take(), ["1: clear 1", "3: clear 1", "4: clear 1"]);
  scene.directory.cleared(2, 1, { kept: true, present: true });
  scene.directory.cleared(1, 1, { kept: false, present: true });
  scene.directory.cleared(1, 1, { kept: true, present: true });
  assert.deepEqual(scene.take(), [], "neither who asks nor anybody twice");
  scene.directory.cleared(3, 1, { kept: false, present: false });
  assert.deepEqual(scene.take(), []);
  // The last one dies: it keeps nothing.
  scene.directory.gone(4);
  assert.deepEqual(scene.take(), ["2: cleared 20"]);
  assert.deepEqual(scene.found, [{ kept: false, present: true }]);
  scene.directory.clear(2, 21, "s", null);
  scene.take();
  scene.directory.cleared(1, 2, { kept: true, present: true });
  scene.directory.cleared(3, 2, { kept: false, present: false });
  assert.deepEqual(scene.take(), ["2: cleared 21"]);
  assert.deepEqual(scene.found.at(-1), { kept: true, present: true });
});

Deno.test("F8: nobody else knows the stream: there is nothing to wait for; who asked and died gets nothing", () => {
  const scene = new Scene();
  scene.directory.clear(1, 10, "s", "10.0.0.1");
  assert.deepEqual(scene.take(), ["1: cleared 10"]);
  scene.directory.watch(1, "s");
  scene.directory.watch(2, "s");
  scene.directory.clear(2, 20, "s", "10.0.0.2");
  scene.directory.gone(2);
  scene.take();
  scene.directory.cleared(1, 2, { kept: false, present: false });
  assert.deepEqual(scene.take(), []);
});
