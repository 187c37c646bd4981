/**
 * H62: guessing the API's password.
 * @module
 */
import assert from "node:assert/strict";
import { Hono } from "hono";
import { parseNetwork } from "../../src/config/network.ts";
import type { HttpEnv } from "../../src/servers/http/request/answer.ts";
import { basicAuth } from "../../src/servers/http/request/auth.ts";
import {
  FORGIVE_MS,
  MAX_ADDRESSES,
  MAX_WRONG,
  MAX_WRONG_LINES,
  WRONG_LINE_EVERY_MS,
} from "../../src/servers/http/request/limits.ts";
import { WrongPasswords } from "../../src/servers/http/request/wrong_passwords.ts";
import { addressGroup } from "../../src/log/address_group.ts";
import { MemoryLog } from "./support/memory_log.ts";

/** A guard with a clock that is set by hand. */
class Scene {
  readonly log = new MemoryLog("server");
  readonly guard: WrongPasswords;
  #now = 0;
  #timers: { at: number; task: () => void }[] = [];

  constructor() {
    this.guard = new WrongPasswords({
      log: this.log,
      now: () => this.#now,
      after: (ms, task) => void this.#timers.push({ at: this.#now + ms, task }),
    });
  }

  pass(ms: number): void {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { task } of due) task();
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Tries a wrong password so often; returns how many were looked at. */
  guess(address: string, times: number): number {
    let looked = 0;
    for (let i = 0; i < times; i++) {
      if (!this.guard.mayTry(address)) continue;
      looked++;
      this.guard.note(address);
    }
    return looked;
  }
}

Deno.test("H62: after some tens an address is looked at once a second, others as ever", () => {
  const scene = new Scene();
  assert.equal(scene.guess("127.0.0.9", 20_000), MAX_WRONG);
  assert.ok(!scene.guard.mayTry("127.0.0.9"), "not even the right one");
  assert.ok(scene.guard.mayTry("127.0.0.10"), "from elsewhere");
  scene.pass(FORGIVE_MS);
  assert.equal(scene.guess("127.0.0.9", 100), 1);
  scene.pass(10 * FORGIVE_MS);
  assert.equal(scene.guess("127.0.0.9", 100), 10);
  assert.equal(scene.guard.wrong, MAX_WRONG + 11);
  assert.equal(scene.guard.wrong + scene.guard.refused, 20_000 + 1 + 200);
});

Deno.test("H62: one line per address and minute, with a count", () => {
  const scene = new Scene();
  scene.guess("127.0.0.9", 1000);
  scene.guess("127.0.0.10", 1);
  assert.deepEqual(scene.log.lines, [
    "warn HTTP-API: wrong password from 127.0.0.9",
    "warn HTTP-API: wrong password from 127.0.0.10",
  ]);
  scene.pass(WRONG_LINE_EVERY_MS);
  assert.deepEqual(scene.log.lines.slice(2), [
    "warn HTTP-API: 29 wrong passwords in the last 60 s, and 970 requests with one that was not " +
    "looked at, from 127.0.0.9",
  ]);
  scene.guess("127.0.0.9", 1000);
  scene.pass(WRONG_LINE_EVERY_MS);
  assert.equal(scene.log.lines.length, 4);
  scene.pass(WRONG_LINE_EVERY_MS);
  scene.pass(WRONG_LINE_EVERY_MS);
  assert.equal(scene.log.lines.length, 4, "quiet");
  assert.equal(scene.guard.size, 0, "forgotten");
  assert.equal(scene.timers, 0);
});

Deno.test("H62: many addresses take bounded memory and a bounded number of lines", () => {
  const scene = new Scene();
  for (let i = 0; i < 2 * MAX_ADDRESSES; i++) {
    scene.guess(`127.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 2);
  }
  assert.equal(scene.guard.size, MAX_ADDRESSES);
  assert.equal(scene.log.lines.length, MAX_WRONG_LINES);
  scene.pass(WRONG_LINE_EVERY_MS);
  assert.equal(scene.log.lines.length, 2 * MAX_WRONG_LINES + 1);
  assert.match(scene.log.lines.at(-1) ?? "", /19900 wrong passwords .* from 9950 more addresses$/);
});

Deno.test("H62: an address of IPv6 counts with its /64", () => {
  assert.equal(addressGroup("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(addressGroup("2001:DB8:1:2::9"), "2001:db8:1:2::/64");
  assert.equal(addressGroup("2001:db8::9"), "2001:db8:0:0::/64");
  assert.equal(addressGroup("::1"), "0:0:0:0::/64");
  assert.equal(addressGroup("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(addressGroup("::ffff:127.0.0.1"), "127.0.0.1");
  assert.equal(addressGroup("127.0.0.1"), "127.0.0.1");
});

Deno.test("H62: behind a trusted proxy each client has guesses of its own", async () => {
  const proxy = parseNetwork("127.0.0.3");
  assert.ok(proxy);
  const rules = { trustedProxies: [proxy], clientAddressHeader: null };
  const app = new Hono<HttpEnv>();
  app.use(basicAuth({ username: "a", password: "right" }, new Scene().guard, rules));
  app.get("/", (c) => c.text("in"));
  const ask = async (password: string, client: string, address = "127.0.0.3") => {
    const headers = { Authorization: `Basic ${btoa(`a:${password}`)}`, "X-Real-IP": client };
    return (await app.request("/", { headers }, { peer: { address, port: 5 } })).status;
  };
  for (let i = 0; i < MAX_WRONG; i++) assert.equal(await ask(`${i}`, "192.0.2.1"), 401);
  assert.equal(await ask("right", "192.0.2.1"), 429);
  assert.equal(await ask("right", "192.0.2.2"), 200);
  // Nobody else chooses who he is.
  for (let i = 0; i < MAX_WRONG; i++) await ask(`${i}`, `192.0.2.${i}`, "192.0.2.200");
  assert.equal(await ask("right", "192.0.2.77", "192.0.2.200"), 429);
});
