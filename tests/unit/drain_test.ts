/**
 * The slow end, step by step, with a clock of the test's own.
 * @module
 */
import assert from "node:assert/strict";
import type { GraceConfig } from "../../src/config/types.ts";
import { drain } from "../../src/app/drain.ts";

const GRACE: GraceConfig = {
  startWaitMs: 2000,
  maxWaitMs: 10_000,
  finalWaitMs: 3000,
  onTerm: false,
};

/** Clients that leave at certain times, ms after the start. */
class Fake {
  time = 0;
  readonly drains: [number, string | null][] = [];
  impatientAt = Infinity;
  readonly #leaveAt: number[];
  readonly clock = {
    now: () => this.time,
    sleep: (ms: number) => {
      this.time += ms;
      return Promise.resolve();
    },
  };

  constructor(...leaveAt: number[]) {
    this.#leaveAt = leaveAt;
  }

  get clients(): number {
    return this.#leaveAt.filter((at) => at > this.time).length;
  }

  drain(reconnectTo: string | null): void {
    this.drains.push([this.time, reconnectTo]);
  }

  /** Returns the ms that it took. */
  async run(grace: Partial<GraceConfig> = {}, reconnectTo: string | null = null): Promise<number> {
    const ended = () => this.time >= this.impatientAt;
    await drain(this, { ...GRACE, ...grace }, reconnectTo, ended, this.clock);
    return this.time;
  }
}

Deno.test("drain: start wait, the clients' time, final wait", async () => {
  const fake = new Fake(4000, 6000);
  assert.equal(await fake.run({}, "rtmp://b/live"), 6000 + 3000);
  assert.deepEqual(fake.drains, [[2000, "rtmp://b/live"]]);
});

Deno.test("drain: nobody there", async () => {
  assert.equal(await new Fake().run(), 5000);
  assert.equal(await new Fake().run({ startWaitMs: 0, finalWaitMs: 0 }), 0);
});

Deno.test("drain: who is still there when the time is up is not waited for", async () => {
  const fake = new Fake(4000, Infinity);
  assert.equal(await fake.run(), 2000 + 10_000);
});

Deno.test("drain: grace_max_wait 0 waits for ever", async () => {
  const fake = new Fake(3_600_000);
  assert.equal(await fake.run({ maxWaitMs: 0 }), 3_603_000);
});

Deno.test("drain: it ends at once when somebody has lost patience", async () => {
  const early = new Fake(4000);
  early.impatientAt = 1000;
  assert.equal(await early.run(), 2000);
  assert.deepEqual(early.drains, []);
  const late = new Fake(Infinity);
  late.impatientAt = 5000;
  assert.equal(await late.run(), 5000);
});
