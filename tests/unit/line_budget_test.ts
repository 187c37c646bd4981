/**
 * H46: how much one client may make the server log.
 * @module
 */
import assert from "node:assert/strict";
import { MAX_ADDRESSES, TELL_MS } from "../../src/log/limits.ts";
import { ADDRESS_LINES, CONNECTION_LINES, LineBudget } from "../../src/log/budget.ts";
import { forwardLog } from "../../src/log/log.ts";
import { MemoryLog } from "./support/memory_log.ts";

/** A budget with a clock that is set by hand, and the lines that come out. */
class Scene {
  now = 0;
  readonly lines: string[] = [];
  readonly budget = new LineBudget(() => this.now);

  constructor() {
    const config = { level: "info", utc: true, tank: "console", file: "" } as const;
    forwardLog(config, (line) => void this.lines.push(line));
  }

  /** Lines with this in them. */
  count(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }
}

Deno.test("H46: a connection has its lines, and what is left out is counted", () => {
  const scene = new Scene();
  const log = scene.budget.log("loop", "127.0.0.1");
  const other = scene.budget.log("other", "127.0.0.1");
  for (let i = 0; i < 10_000; i++) log.info(`change ${i}`);
  assert.equal(scene.count("change"), CONNECTION_LINES.burst);
  other.info("somebody else's");
  assert.equal(scene.count("somebody else's"), 1);
  scene.now += 5000;
  for (let i = 0; i < 100; i++) log.warn(`later ${i}`, 1);
  // One of them is the line that counts.
  assert.equal(scene.count("later"), 5 * CONNECTION_LINES.perSecond - 1);
  assert.equal(scene.count(`${10_000 - CONNECTION_LINES.burst} lines left out`), 1);
  assert.match(scene.lines.find((line) => line.includes("left out")) ?? "", /\[WARN\].*\[loop\]/);
});

Deno.test("H46: why a connection ends is always said, after what was left out", () => {
  const scene = new Scene();
  const log = scene.budget.log("loop", "127.0.0.1");
  for (let i = 0; i < CONNECTION_LINES.burst + 7; i++) log.info(`change ${i}`);
  log.closing?.();
  log.warn("client disconnect peer", 1);
  log.info("client finished.");
  assert.match(scene.lines.at(-3) ?? "", / 7 lines left out$/);
  assert.match(scene.lines.at(-2) ?? "", /client disconnect peer$/);
  assert.match(scene.lines.at(-1) ?? "", /client finished\.$/);
});

Deno.test("H46: who reconnects in a loop has the lines of an address", () => {
  const scene = new Scene();
  const said = new MemoryLog("server");
  const visits = 2 * ADDRESS_LINES.burst;
  for (let i = 0; i < visits; i++) {
    // All of them in one /64.
    const log = scene.budget.log(`${i}`, `2001:db8::${(i % 999).toString(16)}`);
    log.closing?.();
    log.info("loop");
  }
  assert.equal(scene.count("loop"), ADDRESS_LINES.burst);
  scene.budget.log("other", "2001:db8:0:1::1").info("somebody else's");
  assert.equal(scene.count("somebody else's"), 1);
  scene.budget.tell(said);
  scene.budget.tell(said);
  assert.deepEqual(said.lines, [
    `warn ${visits - ADDRESS_LINES.burst} lines left out, of connections from 2001:db8:0:0::/64`,
  ]);
  scene.now += 1000;
  for (let i = 0; i < 1000; i++) scene.budget.log(`${i}`, "2001:db8::1").info("again");
  assert.equal(scene.count("again"), ADDRESS_LINES.perSecond);
  scene.budget.tell(said);
  assert.equal(said.lines.length, 1, "not each second");
  scene.now += TELL_MS;
  scene.budget.tell(said);
  assert.equal(said.lines.length, 2);
  scene.now += TELL_MS;
  scene.budget.tell(said);
  assert.equal(said.lines.length, 2);
});

Deno.test("H46: the addresses that are remembered are bounded", () => {
  const scene = new Scene();
  for (let i = 0; i < 2 * MAX_ADDRESSES; i++) {
    scene.budget.log("x", `127.${i >> 16}.${(i >> 8) & 255}.${i & 255}`).info("y");
  }
  assert.equal(scene.budget.size, MAX_ADDRESSES);
  assert.equal(scene.count("y"), 2 * MAX_ADDRESSES);
});
