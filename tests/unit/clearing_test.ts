/**
 * Who wants a stream finds out whether its publisher is still there (H53).
 * @module
 */

import assert from "node:assert/strict";
import { CLEAR_LOOKS_MS } from "../../src/live/limits.ts";
import { clearFor } from "../../src/live/publication/clearing.ts";
import { CLEAR, type Clearance } from "../../src/live/publication/takeover.ts";
import { ManualClock } from "./support/manual_clock.ts";

const KEPT: Clearance = { kept: true, present: true };

/** A stream whose publisher is gone after so many reads of its socket. */
class Scene {
  readonly clock = new ManualClock();
  readonly found: Clearance[] = [];
  reads = 0;

  constructor(readonly endsAfter: number) {
    clearFor(this, "192.0.2.1", (found) => void this.found.push(found));
  }

  clear(): Clearance {
    return this.reads >= this.endsAfter ? CLEAR : KEPT;
  }

  catchUp(): void {
    this.reads++;
  }
}

Deno.test("H53: nobody is waited for where nobody keeps the stream", () => {
  const scene = new Scene(0);
  assert.deepEqual([scene.found, scene.reads, scene.clock.pending], [[CLEAR], 0, 0]);
});

Deno.test("H53: an end that waits in the publisher's socket is read first", () => {
  for (const reads of [1, 2]) {
    const scene = new Scene(reads);
    for (const ms of CLEAR_LOOKS_MS.slice(0, reads)) {
      assert.deepEqual(scene.found, []);
      scene.clock.advance(ms);
    }
    assert.deepEqual([scene.found, scene.reads, scene.clock.pending], [[CLEAR], reads, 0]);
  }
});

Deno.test("H53: a publisher that goes on keeps the stream", () => {
  const scene = new Scene(Infinity);
  scene.clock.advance(CLEAR_LOOKS_MS[0]);
  scene.clock.advance(1000);
  assert.deepEqual([scene.found, scene.clock.pending], [[KEPT], 0]);
  assert.equal(scene.reads, CLEAR_LOOKS_MS.length);
});
