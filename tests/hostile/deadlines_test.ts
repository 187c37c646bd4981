/**
 * Peers that say little or nothing, and peers that do not listen. Most of this is waiting, so that all
 * of it waits at the same time, each with a server of its own.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MAX_LOG_BYTES } from "../../src/live/limits.ts";
import { HANDSHAKE_TIMEOUT_MS, IDENTIFY_TIMEOUT_MS } from "../../src/servers/rtmp/limits.ts";
import { type Attacker, command, connect, HANDSHAKE, hello, message } from "../tools/attacker.ts";
import { DEAF_PLAYERS, deafPlayers, flood } from "../tools/deaf_players.ts";
import { attack, type Hostile, type HostileOptions, MEMORY_SLACK } from "../tools/hostile.ts";
import { sleep, until } from "../tools/process.ts";

/** ms by which a deadline may be missed: the server looks once a second, and the machine is busy. */
const LATE_MS = 10_000;

/** ms by which it may seem early: the server's clock starts at the accept. */
const EARLY_MS = 500;

/** A waiting attack. */
interface Case {
  readonly name: string;
  readonly work: (h: Hostile, round: number) => Promise<void>;
  readonly options?: HostileOptions;
}

const cases: Case[] = [];

function deadline(
  name: string,
  work: (h: Hostile, round: number) => Promise<void>,
  options?: HostileOptions,
): void {
  cases.push({ name, work, ...(options ? { options } : {}) });
}

/** Asserts that the server ends a connection when `ms` are over, not before. */
async function endsAfter(
  h: Hostile,
  attacker: Attacker,
  ms: number,
  reason: RegExp,
): Promise<void> {
  const start = performance.now();
  await h.refused(attacker, reason, ms + LATE_MS);
  const took = performance.now() - start;
  assert.ok(took > ms - EARLY_MS - 1000, `closed after ${took} ms already`);
}

/** Sends `bytes` one by one, one a second. */
async function drip(attacker: Attacker, bytes: Uint8Array): Promise<void> {
  for (let i = 0; i < bytes.length && attacker.end === null; i++) {
    attacker.write(bytes.subarray(i, i + 1));
    await Promise.race([sleep(1000), attacker.ended]);
  }
}

for (
  const [what, count] of [["no byte", 0], ["one byte", 1], ["C0 and C1", 1537], [
    "all but one byte",
    3072,
  ]] as const
) {
  deadline(`H16: ${what}, then silence: closed after 10 s`, async (h) => {
    const attacker = await h.attacker(HANDSHAKE.subarray(0, count));
    await endsAfter(h, attacker, HANDSHAKE_TIMEOUT_MS, /no handshake within 10000 ms\. ret=1011/);
  });
}

deadline("H16: a handshake at one byte a second is closed after 10 s", async (h) => {
  const attacker = await h.attacker();
  const dripping = drip(attacker, HANDSHAKE);
  await endsAfter(h, attacker, HANDSHAKE_TIMEOUT_MS, /no handshake within 10000 ms\. ret=1011/);
  await dripping;
});

deadline("H16: a connect command at one byte a second is closed after 30 s", async (h) => {
  const attacker = await h.attacker(HANDSHAKE);
  const dripping = drip(attacker, connect());
  await endsAfter(h, attacker, IDENTIFY_TIMEOUT_MS, /no connect within 30000 ms\. ret=1011/);
  await dripping;
});

deadline("H16: connected, then commands for ever but neither publish nor play: 30 s", async (h) => {
  const attacker = await h.attacker(hello("nothing"));
  const timer = setInterval(() => attacker.write(command("getStreamLength", 5, null, "s")), 1000);
  h.onEnd(() => clearInterval(timer));
  await endsAfter(h, attacker, IDENTIFY_TIMEOUT_MS, /neither publish nor play in time\. ret=1011/);
});

deadline("H18: a publisher that never sends media is closed after firstpkt_timeout", async (h) => {
  const attacker = await h.attacker(hello("publish"));
  // Pings are bytes, but no media.
  const timer = setInterval(() => attacker.write(Buffer.from(PING)), 500);
  h.onEnd(() => clearInterval(timer));
  await endsAfter(h, attacker, 4000, /publish timeout: no first message for 4000 ms\. ret=1011/);
}, { vhost: "publish { firstpkt_timeout 4000; normal_timeout 2000; }" });

const PING = Uint8Array.from([2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1]);

const PICTURE = message({ type: 9, payload: Buffer.from([0x17, 1, 0, 0, 0, 1, 2, 3]) });

deadline(
  "H18: a publisher that falls silent is closed after normal_timeout, and its name is free",
  async (h) => {
    const attacker = await h.attacker(Buffer.concat([hello("publish"), PICTURE]));
    await endsAfter(h, attacker, 3000, /publish timeout: nothing received for 3000 ms\. ret=1011/);
    const next = await h.attacker(hello("publish"));
    await next.hears("NetStream.Publish.Start");
  },
  { vhost: "publish { normal_timeout 3000; }" },
);

deadline(
  "H18: one byte a second is no silence, but never more than normal_timeout of it",
  async (h) => {
    const attacker = await h.attacker(Buffer.concat([hello("publish"), PICTURE]));
    const dripping = drip(attacker, PICTURE.subarray(0, 6));
    await sleep(6000);
    assert.equal(attacker.end, null, "it sends, if little");
    await dripping;
    await h.refused(attacker, /publish timeout: nothing received for 3000 ms\. ret=1011/);
  },
  { vhost: "publish { normal_timeout 3000; }" },
);

deadline(
  "H19: players that never read are bounded by queue_length",
  async (h) => void await deafPlayers(h),
  { ...DEAF_PLAYERS, warmUp: 1 },
);

deadline(
  "H19: a player that never reads is bounded by 64 MB, whatever queue_length says",
  async (h) => {
    const player = await h.attacker(hello("play"));
    await player.hears("NetStream.Play.Start");
    player.pause();
    await flood(h, "s", 600);
    await h.control.progress("with a deaf player and 600 MB");
  },
  {
    warmUp: 1,
    limitMs: 120_000,
    memoryLimitMs: 40_000,
    vhost: "min_latency on; play { gop_cache off; queue_length 3600; mw_latency 0; }",
    // Bun collects in larger steps than Deno: up to 200 MB are segments that nobody refers to.
    peak: MAX_LOG_BYTES + 6 * MEMORY_SLACK,
  },
);

deadline("H21: the kernel asks idle peers whether they are still there", async (h) => {
  const attacker = await h.attacker(hello("play"));
  await attacker.hears("NetStream.Play.Start");
  // Without anything to send, the only timer of a socket is that of keep-alive: 2, and its ticks left.
  await until("a keep-alive timer of at most 30 s", 10_000, () => {
    const [timer, ticks] = timerOf(h.edge.port, attacker.localPort);
    return timer === 2 && ticks <= 30 * 100;
  });
}, { limitMs: 60_000 });

/** Kind and ticks (1/100 s) of the timer of the server's end of a connection, from /proc. */
function timerOf(serverPort: number, clientPort: number): [number, number] {
  const port = (number: number) => `:${number.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of ["tcp", "tcp6"]) {
    for (const line of Deno.readTextFileSync(`/proc/net/${table}`).split("\n")) {
      const [, local, remote, , , timer] = line.trim().split(/\s+/);
      if (!local?.endsWith(port(serverPort)) || !remote?.endsWith(port(clientPort))) continue;
      const [kind, ticks] = timer.split(":").map((hex) => parseInt(hex, 16));
      return [kind, ticks];
    }
  }
  return [0, 0];
}

Deno.test(
  "H16, H18, H19, H21: deadlines",
  // Steps that run side by side cannot be told apart by these.
  { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false },
  async (t) => {
    await Promise.all(cases.map(({ name, work, options }) =>
      t.step({
        name,
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
        fn: () => attack(work, { warmUp: 0, limitMs: 90_000, ...options }),
      })
    ));
  },
);
