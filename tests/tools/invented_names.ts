/**
 * Names that clients invent leave nothing behind: not in memory, not in the API, not in the metrics.
 * @module
 */
import assert from "node:assert/strict";
import { hello } from "./attacker.ts";
import { sleep, until } from "./process.ts";
import { type WatchedAttack, watchedAttack } from "./watched_attack.ts";
import { whyNoWorkers } from "./workers.ts";

/** Part of the names that warms the server up: code is compiled, and memory taken that is used again. */
const WARM_UP = 0.4;

/** Clients at a time. */
const AT_A_TIME = 40;

/** Characters of an app and of a name: a table that kept 10,000 streams would grow by 27 MB. */
const NAME_LENGTH = 1800;

/** Bytes by which memory may differ after the same once more. */
const SLACK = 20 << 20;
/** The same for three threads, each with memory of its own, of which the runtime gives some back late. */
const WORKERS_SLACK = 40 << 20;

/** ms until all clients are gone, on a busy machine ... */
const FORGOTTEN_MS = 15_000;
/** ... and until a stream without clients is forgotten: 3 s, seen once a second. */
const FORGOTTEN_AFTER_MS = 5000;

/** ms that a test may take: what is collected is collected up to 35 s after a burst. */
const LIMIT_MS = 120_000;

/** Characters by which an answer may be longer: its counters have more digits. */
const MORE_DIGITS = 300;

function invented(kind: string, index: number): string {
  return `${kind}${index}-`.padEnd(NAME_LENGTH, "n");
}

/** A request for HTTP-FLV, by HTTP or as a WebSocket. */
function get(path: string, kind: "http" | "ws"): string {
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${kind === "ws" ? upgrade : ""}\r\n`;
}

/** One client, or a publisher with its players, of names that nobody else has. */
async function visit(a: WatchedAttack, round: string, index: number): Promise<void> {
  const app = invented(`${round}app`, index);
  const name = `${invented(`${round}s`, index)}?vhost=${
    invented(`${round}v`, index).slice(0, 200)
  }`;
  const path = `/${app}/${name.replace("?", ".flv?")}`;
  const kind = index % 8 < 4 ? "http" : "ws";
  switch (index % 4) {
    case 0: {
      const publisher = await a.open(hello("publish", name, app));
      await publisher.hears("NetStream.Publish.Start");
      const player = await a.open(get(path, kind), a.edge.apiPort);
      await player.hears("HTTP/1.1 ");
      player.destroy();
      return publisher.destroy();
    }
    case 1: {
      const player = await a.open(get(path, kind), a.edge.apiPort);
      await player.hears("HTTP/1.1 ");
      return player.destroy();
    }
    default: {
      const player = await a.open(hello("play", name, app));
      await player.hears("NetStream.Play.Start");
      return player.destroy();
    }
  }
}

async function invent(a: WatchedAttack, round: string, count: number): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < count) await visit(a, round, next++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, run));
  a.leave();
}

/** What the server shows of itself: numbers of entries, and sizes of answers. */
async function shown(a: WatchedAttack): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const what of ["streams", "clients", "vhosts"]) {
    const { text } = await a.edge.request(`/api/v1/${what}/?count=10000`);
    found[what] = JSON.parse(text)[what].length;
    found[`${what} size`] = text.length;
  }
  found["metrics size"] = (await a.edge.request("/metrics")).text.length;
  found["summaries size"] = (await a.edge.request("/api/v1/summaries")).text.length;
  return found;
}

/** Waits until nobody but the control stream is there, and asserts that all others are forgotten. */
async function alone(a: WatchedAttack): Promise<void> {
  await until("the end of all other clients", FORGOTTEN_MS, async () => {
    return await a.edge.connections() === 3;
  });
  // A list of thousands of long names would be work for the server, too.
  await sleep(FORGOTTEN_AFTER_MS);
  const { streams, clients } = await shown(a);
  assert.deepEqual({ streams, clients }, { streams: 1, clients: 3 });
}

async function attack(a: WatchedAttack, names: number, slack: number): Promise<void> {
  await invent(a, "w", names * WARM_UP);
  await alone(a);
  const before = await shown(a);
  a.watchMemory();
  await invent(a, "x", names);
  await alone(a);
  const after = await shown(a);
  for (const [what, size] of Object.entries(before)) {
    if (what.endsWith("size")) {
      assert.ok(after[what] <= size + MORE_DIGITS, `${what}: ${size}, then ${after[what]}`);
    } else assert.equal(after[what], size, what);
  }
  await a.settled(slack);
}

const VHOST = "min_latency on; http_remux { enabled on; }";
const EXPORTER = "exporter { enabled on; listen 127.0.0.1:API_PORT; }";

/** Defines the tests, with so many names of streams, of apps and of vhosts; with workers where there can be. */
export async function inventedNames(names: number): Promise<void> {
  watchedAttack(
    `${names} invented streams, apps and vhosts leave nothing behind`,
    (a) => attack(a, names, SLACK),
    { vhost: VHOST, root: EXPORTER, limitMs: LIMIT_MS },
  );
  if (await whyNoWorkers() !== null) return;
  watchedAttack(`${names} invented names leave nothing behind with two workers`, async (a) => {
    await until("the workers", FORGOTTEN_MS, () => a.edge.log.includes("RTMP listen at"));
    await attack(a, names, WORKERS_SLACK);
  }, { vhost: VHOST, root: `workers 2; ${EXPORTER}`, limitMs: LIMIT_MS });
}
