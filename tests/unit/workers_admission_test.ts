/**
 * Limits on connections that hold over all workers, against the same limits in one.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Admission, type AdmissionLimits } from "../../src/access/connection_limits.ts";
import { admissionMemory, SharedAdmission } from "../../src/workers/shared_admission.ts";

function shared(limits: AdmissionLimits, workers: number): SharedAdmission[] {
  const memory = admissionMemory(limits, workers);
  return Array.from(
    { length: workers + 1 },
    (_, column) => new SharedAdmission(limits, memory, workers, column),
  );
}

/**
 * Defines a test in one thread, where whoever waits for the lock waits for itself: that fails, where it
 * would be waited for ever.
 */
function test(name: string, fn: () => void): void {
  Deno.test(name, () => {
    const { wait } = Atomics;
    Atomics.wait = () => {
      throw new Error("waits for a lock that is never given back");
    };
    try {
      fn();
    } finally {
      Atomics.wait = wait;
    }
  });
}

test("workers together admit what one would", () => {
  const limit = fc.integer({ min: 0, max: 4 });
  const limits = fc.record({
    maxConnections: fc.integer({ min: 1, max: 8 }),
    maxConnectionsPerIp: limit,
    connectRatePerIp: limit,
  });
  const step = fc.record({
    worker: fc.nat(2),
    address: fc.nat(9).map((n) => n < 5 ? `192.0.2.${n}` : `2001:db8:0:${n % 2}::${n}`),
    leaves: fc.boolean(),
    ms: fc.nat(400),
  });
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 80 }), (limits, steps) => {
      const one = new Admission(limits);
      const many = shared(limits, 3);
      const open: { worker: number; address: string }[] = [];
      // Around the point at which an int32 of ms turns negative.
      let now = 2 ** 31 * 830 - 5000;
      for (const { worker, address, leaves, ms } of steps) {
        now += ms;
        const leaver = open[worker];
        if (leaves && leaver) {
          open.splice(worker, 1);
          one.leave(leaver.address);
          many[leaver.worker].leave(leaver.address);
          continue;
        }
        const verdict = many[worker].admit(address, now);
        assert.equal(verdict, one.admit(address, now));
        if (verdict === null) open.push({ worker, address });
      }
    }),
  );
});

test("what a worker had is free when it has ended, even if it held the lock", () => {
  const limits = { maxConnections: 4, maxConnectionsPerIp: 2, connectRatePerIp: 0 };
  const memory = admissionMemory(limits, 2);
  const [first, second, coordinator] = [0, 1, 2].map((column) =>
    new SharedAdmission(limits, memory, 2, column)
  );
  for (const address of ["a", "a", "b"]) assert.equal(first.admit(address, 0), null);
  assert.equal(second.admit("b", 0), null);
  assert.equal(second.admit("c", 0), "max_connections=4");
  Atomics.store(new Int32Array(memory), 0, 1);
  coordinator.forget(0);
  assert.equal(second.admit("a", 0), null);
  assert.equal(second.admit("b", 0), null);
  assert.equal(second.admit("b", 0), "max_connections_per_ip=2");
});

test("more addresses than there is room for: all are let in, and those that are gone make room", () => {
  const limits = { maxConnections: 100, maxConnectionsPerIp: 1, connectRatePerIp: 0 };
  const [first] = shared(limits, 1);
  for (let i = 0; i < 10_000; i++) {
    const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    assert.equal(first.admit(address, i * 2000), null);
    assert.equal(first.admit(address, i * 2000), "max_connections_per_ip=1");
    first.leave(address);
  }
});

test("H65: who was let in uncounted takes no other's place along when it leaves", () => {
  const limits = { maxConnections: 8, maxConnectionsPerIp: 1, connectRatePerIp: 0 };
  const [worker] = shared(limits, 1);
  // All entries of the only set are taken for this second.
  for (let i = 0; i < 32; i++) {
    assert.equal(worker.admit(`10.0.0.${i}`, 0), null);
    worker.leave(`10.0.0.${i}`);
  }
  assert.equal(worker.admit("10.0.1.1", 10), null, "uncounted");
  assert.equal(worker.admit("10.0.1.1", 5000), null, "counted");
  worker.leave("10.0.1.1");
  worker.leave("10.0.1.1");
  assert.equal(worker.open, 0);
  assert.equal(worker.admit("10.0.1.1", 9000), null);
  assert.equal(worker.admit("10.0.1.1", 9000), "max_connections_per_ip=1");
});
