/**
 * Lines on their way to a target that takes its time, fails, or is exchanged.
 * @module
 */

import assert from "node:assert/strict";
import type { LineTarget } from "../../src/log/line_target.ts";
import { QUEUE_MAX_CHARS } from "../../src/log/limits.ts";
import { LineWriter } from "../../src/log/line_writer.ts";

const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

/** A target that takes what it is given when the test says so. */
class Slow implements LineTarget {
  readonly taken: string[] = [];
  closed = 0;
  writes = 0;
  #answer: { resolve: () => void; reject: (error: Error) => void } | null = null;

  get busy(): boolean {
    return this.#answer !== null;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.writes++;
    assert.equal(this.#answer, null, "one write at a time");
    assert.equal(this.closed, 0);
    return new Promise((resolve, reject) => {
      this.#answer = {
        resolve: () => {
          this.taken.push(new TextDecoder().decode(bytes));
          resolve();
        },
        reject,
      };
    });
  }

  close(): void {
    this.closed++;
  }

  async take(): Promise<void> {
    await settle();
    const answer = this.#answer;
    this.#answer = null;
    answer?.resolve();
    await settle();
  }

  async fail(): Promise<void> {
    await settle();
    const answer = this.#answer;
    this.#answer = null;
    answer?.reject(new Error("ENOSPC"));
    await settle();
  }
}

function scene(): { target: Slow; writer: LineWriter } {
  const target = new Slow();
  return { target, writer: new LineWriter(target, (count) => `${count} lost`) };
}

Deno.test("log writer: the lines of one turn are one write; more wait until it is through", async () => {
  const { target, writer } = scene();
  writer.write("a");
  writer.write("b");
  await settle();
  writer.write("c");
  const drained = writer.drain();
  await target.take();
  assert.deepEqual(target.taken, ["a\nb\n"]);
  await target.take();
  await drained;
  assert.deepEqual(target.taken, ["a\nb\n", "c\n"]);
});

Deno.test("F3: what does not fit is counted, and told behind what did fit", async () => {
  const { target, writer } = scene();
  writer.write("first");
  await settle();
  const line = "x".repeat(1023);
  for (let i = 0; i < QUEUE_MAX_CHARS / 1023 + 100; i++) writer.write(line);
  // Would fit again, but not in its place.
  writer.write("x");
  await target.take();
  await target.take();
  const lines = target.taken.join("").trimEnd().split("\n");
  const told = Number(/^(\d+) lost$/.exec(lines[lines.length - 1])?.[1]);
  assert.equal(lines.length - 2 + told, Math.ceil(QUEUE_MAX_CHARS / 1023 + 100) + 1);
  assert.ok(told >= 100);
  assert.ok(!lines.includes("x"));
  writer.write("after");
  await target.take();
  assert.equal(target.taken[target.taken.length - 1], "after\n", "it is told once");
});

Deno.test("F4: lines of a failed write are counted; the next line tries again", async () => {
  const { target, writer } = scene();
  writer.write("a");
  writer.write("b");
  await target.fail();
  assert.equal(target.busy, false, "a full disk is left alone");
  await writer.drain();
  writer.write("c");
  await target.take();
  assert.deepEqual(target.taken, ["c\n2 lost\n"]);
});

Deno.test("F4: another target gets what is written from then on, the old one what was before", async () => {
  const { target: old, writer } = scene();
  const next = new Slow();
  let open: (target: LineTarget) => void = () => {};
  writer.write("old 1");
  await settle();
  writer.write("old 2");
  writer.change(new Promise((resolve) => open = resolve));
  writer.write("new 1");
  await old.take();
  await old.take();
  assert.deepEqual(old.taken, ["old 1\n", "old 2\n"]);
  assert.equal(old.closed, 0);
  open(next);
  await next.take();
  assert.equal(old.closed, 1);
  assert.deepEqual(next.taken, ["new 1\n"]);
});

Deno.test("F4: a target that cannot be opened leaves the old one in use", async () => {
  const { target, writer } = scene();
  writer.change(Promise.reject(new Error("EACCES")));
  writer.write("a");
  await target.take();
  assert.deepEqual(target.taken, ["a\n"]);
  assert.equal(target.closed, 0);
});

Deno.test("F3: at the end of the process what is queued is begun to be written, once", async () => {
  const { target, writer } = scene();
  assert.equal(writer.startLast(), false, "nothing is queued");
  writer.write("last");
  assert.equal(writer.startLast(), true);
  assert.ok(target.busy, "begun before the loop goes on, which it will not");
  writer.write("too late");
  assert.equal(writer.startLast(), true);
  await target.take();
  assert.deepEqual(target.taken, ["last\n"]);
  assert.equal(target.writes, 1);
});

Deno.test("F3: at the end of the process nothing is begun behind a write that is under way", async () => {
  const { target, writer } = scene();
  writer.write("on its way");
  await settle();
  writer.write("behind");
  assert.equal(writer.startLast(), true, "what is under way is left some time");
  await target.take();
  assert.deepEqual(target.taken, ["on its way\n"]);
});
