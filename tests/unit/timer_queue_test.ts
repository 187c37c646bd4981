/** The event loop's timers. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { TimerQueue } from "../../src/net/timer_queue.ts";

Deno.test("timers run once they are due, in their order, and those that are cancelled do not", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ due: fc.nat(50), cancelled: fc.boolean() }), { maxLength: 60 }),
    fc.array(fc.nat(60), { maxLength: 6 }),
    (timers, looks) => {
      const queue = new TimerQueue();
      const ran: number[] = [];
      const cancels = timers.map(({ due }, i) => queue.add(due, () => ran.push(i)));
      timers.forEach(({ cancelled }, i) => {
        if (!cancelled) return;
        cancels[i]();
        cancels[i]();
      });
      let now = 0;
      for (const look of looks.toSorted((a, b) => a - b)) queue.run(now = look);
      const expected = timers.map(({ due, cancelled }, i) => ({ due, cancelled, i }))
        .filter(({ due, cancelled }) => !cancelled && looks.length > 0 && due <= now)
        .toSorted((a, b) => a.due - b.due || a.i - b.i);
      assert.deepEqual(ran, expected.map(({ i }) => i));
      const left = timers.filter(({ due, cancelled }) =>
        !cancelled && (looks.length === 0 || due > now)
      );
      assert.equal(queue.size, left.length);
      assert.equal(queue.nextMs, Math.min(Infinity, ...left.map(({ due }) => due)));
      for (const cancel of cancels) cancel();
      assert.equal(queue.size, 0, "also those that have run");
    },
  ));
});

Deno.test("a timer that is set by one that runs waits for the next look", () => {
  const queue = new TimerQueue();
  let runs = 0;
  const again = () => {
    runs++;
    queue.add(0, again);
  };
  again();
  queue.run(10);
  assert.equal(runs, 2);
  queue.run(10);
  assert.equal(runs, 3);
});

Deno.test("one that cancels the next, and one that throws, leave the others", () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  queue.add(1, () => cancel());
  const cancel = queue.add(2, () => ran.push("cancelled"));
  queue.add(3, () => {
    throw new Error("its own");
  });
  queue.add(4, () => ran.push("last"));
  // Nobody takes faults here: they are thrown on.
  assert.throws(() => queue.run(5), /its own/);
  queue.run(5);
  assert.deepEqual(ran, ["last"]);
});
