/**
 * Hours in minutes: well-behaved publishers and players, and around them peers that join, leave, stall,
 * die and send garbage, at random.
 *
 *     deno run --allow-all tests/soak/soak.ts --minutes N [--runtime deno|bun|exe] [--seed S]
 *
 * Ends with a table, and with 1 if a stream or connection has leaked, a well-behaved player has missed
 * a message, or the server has logged a fault of its own.
 * @module
 */
import { Buffer } from "node:buffer";
import { parseArgs } from "node:util";
import { Random } from "../fuzz/random.ts";
import { RandomPeer } from "../fuzz/wire.ts";
import { Attacker, HANDSHAKE, hello } from "../tools/attacker.ts";
import { NumberedPlayer, NumberedPublisher } from "../tools/control_stream.ts";
import { Edge } from "../tools/edge.ts";
import { sleep, until } from "../tools/process.ts";

/** Streams whose publisher stays; their players come and go. */
const STREAMS = 4;

/** Well-behaved players at a time. */
const PLAYERS = 16;

/** Peers without manners at a time. */
const PESTS = 24;

/** Least bytes of a picture: together with 25 of them a second about 1.2 Mbit/s per stream. */
const PICTURE_BYTES = 6000;

/** ms that a visit takes at most. */
const VISIT_MS = 15_000;

/** ms without a message after which a well-behaved player counts as starved. */
const STARVED_MS = 10_000;

/** ms at the end in which the server must have noticed that all are gone, and forgotten them. */
const END_MS = 30_000;

/** ms between two looks at the memory, and between two lines that say how far it is. */
const LOOK_MS = 1000;
const REPORT_MS = 30_000;

/** Publishers that fall silent are closed while the soak still runs. */
const VHOST = `min_latency on;
  play { gop_cache on; queue_length 5; mw_latency 100; }
  publish { normal_timeout 4000; firstpkt_timeout 4000; }`;

/** The timestamps of the tests' client have 24 bits: 4.6 hours. */
const MAX_MINUTES = 270;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    runtime: { type: "string" },
    seed: { type: "string" },
  },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
if (!(minutes > 0 && minutes <= MAX_MINUTES) || !Number.isInteger(seed)) {
  console.error(`soak: --minutes above 0, at most ${MAX_MINUTES}, --seed a whole number`);
  Deno.exit(255);
}
if (values.runtime !== undefined) Deno.env.set("SRS_EDGE_RUNTIME", values.runtime);

/** What has happened. */
const tally = {
  connections: 0,
  bytes: 0,
  players: 0,
  messages: 0,
  lost: 0,
  faults: [] as string[],
  visits: new Map<string, number>(),
};

const random = new Random(seed);
const end = performance.now() + minutes * 60_000;
const over = () => performance.now() >= end;

/** Waits for a while, or until the end. */
async function pause(ms: number): Promise<void> {
  await sleep(Math.max(0, Math.min(ms, end - performance.now())));
}

function fault(text: string): void {
  tally.faults.push(text);
  console.error(`soak: ${text}`);
}

/** A publisher that stays. A new one takes its place should the server close it, which is a fault. */
async function publishForEver(port: number, stream: number): Promise<NumberedPublisher> {
  tally.connections++;
  const publisher = await NumberedPublisher.start(port, "soak", `good-${stream}`, {
    stream,
    bytes: PICTURE_BYTES,
  });
  publisher.client.ended.then((how) => {
    if (!over()) fault(`the publisher of stream ${stream} was closed: ${how}`);
  });
  return publisher;
}

/** Plays a stream for a while, and must not miss anything. */
async function playGood(port: number): Promise<void> {
  const stream = random.below(STREAMS);
  tally.connections++;
  tally.players++;
  const player = await NumberedPlayer.start(port, "soak", `good-${stream}`, stream);
  let closed = "";
  player.client.ended.then((how) => closed = how);
  const leave = performance.now() + random.below(VISIT_MS);
  let [last, since] = [player.received, performance.now()];
  while (!over() && performance.now() < leave && closed === "") {
    await pause(200);
    if (player.received > last) [last, since] = [player.received, performance.now()];
    if (performance.now() - since > STARVED_MS) {
      fault(`a player of stream ${stream} got nothing for ${STARVED_MS} ms`);
      break;
    }
  }
  player.stop();
  tally.messages += player.received;
  tally.bytes += player.bytes;
  tally.lost += player.lost;
  if (player.lost > 0) fault(`a player of stream ${stream} missed ${player.lost} messages`);
  if (player.fault) fault(`a player of stream ${stream}: ${player.fault.message}`);
  if (closed !== "" && !over()) fault(`a player of stream ${stream} was closed: ${closed}`);
}

/** What a peer without manners does, once it is connected. */
const PESTERING: Record<string, (port: number) => Promise<Attacker>> = {
  silent: (port) => Attacker.open(port, HANDSHAKE.subarray(0, random.below(HANDSHAKE.length))),
  undecided: (port) => Attacker.open(port, hello("nothing")),
  "publisher that dies": async (port) => {
    const name = `bad-${random.below(1000)}`;
    const attacker = await Attacker.open(port, hello("publish", name));
    attacker.write(new RandomPeer(random).messages(random.below(30)));
    return attacker;
  },
  "second publisher": (port) => {
    return Attacker.open(port, hello("publish", `good-${random.below(STREAMS)}`, "soak"));
  },
  "player that stalls": async (port) => {
    const attacker = await Attacker.open(port, goodPlay());
    await pause(random.below(1000));
    attacker.pause();
    return attacker;
  },
  "player that dies": (port) => Attacker.open(port, goodPlay()),
  "player that talks": async (port) => {
    const attacker = await Attacker.open(port, goodPlay());
    attacker.write(random.mutate(new RandomPeer(random).messages(random.below(30))));
    return attacker;
  },
  garbage: (port) => Attacker.open(port, random.bytes(5000)),
  "garbage after the handshake": (port) => {
    return Attacker.open(port, Buffer.concat([HANDSHAKE, random.bytes(5000)]));
  },
  "garbage in RTMP": (port) => {
    const messages = new RandomPeer(random).messages(random.below(50));
    return Attacker.open(port, Buffer.concat([hello("publish", "bad"), random.mutate(messages)]));
  },
};

/** All that it takes to play one of the good streams. */
function goodPlay(): Uint8Array {
  return hello("play", `good-${random.below(STREAMS)}`, "soak");
}

/** One visit. */
async function pester(port: number): Promise<void> {
  const what = random.pick(Object.keys(PESTERING));
  tally.connections++;
  tally.visits.set(what, (tally.visits.get(what) ?? 0) + 1);
  const attacker = await PESTERING[what](port);
  await Promise.race([pause(random.below(VISIT_MS)), attacker.ended]);
  tally.bytes += attacker.receivedBytes;
  attacker.destroy();
}

/** Does one thing after the other until the end; what goes wrong is a fault. */
async function keepDoing(what: string, visit: () => Promise<void>): Promise<void> {
  await pause(random.below(3000));
  while (!over()) {
    try {
      await visit();
    } catch (error) {
      if (!over()) fault(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
    await pause(random.below(500));
  }
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

const folder = await Deno.makeTempDir({ prefix: "srs-edge-soak-" });
const edge = new Edge(folder, { vhost: VHOST, root: "srs_log_level_v2 warn;" });
let failed = true;
try {
  await edge.ready();
  console.log(`soak: seed ${seed}, ${minutes} min, ${edge.process.command.slice(0, 2).join(" ")}`);
  const publishers: NumberedPublisher[] = [];
  for (let i = 0; i < STREAMS; i++) publishers.push(await publishForEver(edge.port, i));
  await sleep(2000);
  const start = edge.residentBytes();
  let peak = start;
  const look = setInterval(() => {
    if (edge.process.exit === null) peak = Math.max(peak, edge.residentBytes());
  }, LOOK_MS);
  const report = setInterval(() => {
    console.log(
      `  ${tally.connections} connections, ${megabytes(tally.bytes)}, now ` +
        `${megabytes(edge.residentBytes())}, lost ${tally.lost}, faults ${tally.faults.length}`,
    );
  }, REPORT_MS);

  const crowd: Promise<void>[] = [];
  for (let i = 0; i < PLAYERS; i++) crowd.push(keepDoing("player", () => playGood(edge.port)));
  for (let i = 0; i < PESTS; i++) crowd.push(keepDoing("pest", () => pester(edge.port)));
  await Promise.all(crowd);
  clearInterval(report);
  for (const publisher of publishers) publisher.stop();

  let leaked = { streams: -1, clients: -1, connections: -1 };
  await until("everybody gone", END_MS, async () => {
    leaked = {
      streams: (await edge.list("streams")).length,
      clients: (await edge.list("clients")).length,
      connections: await edge.connections(),
    };
    return leaked.streams === 0 && leaked.clients === 0 && leaked.connections === 0;
  }).catch(() => {});
  await sleep(5000);
  clearInterval(look);
  const last = edge.residentBytes();
  if (edge.process.exit !== null) fault("the server has ended");
  for (const line of edge.faults) fault(`in the log: ${line}`);

  const rows: readonly (readonly [string, string | number, boolean])[] = [
    ["connections served", tally.connections, true],
    ["well-behaved players", tally.players, true],
    ["their messages", tally.messages, true],
    ["bytes to all peers", megabytes(tally.bytes), true],
    ["memory at the start", megabytes(start), true],
    ["memory at its peak", megabytes(peak), true],
    ["memory at the end", megabytes(last), true],
    ["leaked streams", leaked.streams, leaked.streams === 0],
    ["leaked clients", leaked.clients, leaked.clients === 0],
    ["leaked connections", leaked.connections, leaked.connections === 0],
    ["messages lost by well-behaved players", tally.lost, tally.lost === 0],
    ["faults", tally.faults.length, tally.faults.length === 0],
  ];
  console.log(`\n| soak, ${minutes} min, seed ${seed} | |\n|---|---|`);
  for (const [name, value, good] of rows) {
    console.log(`| ${name} | ${value}${good ? "" : " (!)"} |`);
  }
  console.log(`\nvisits: ${[...tally.visits].map(([what, n]) => `${what} ${n}`).join(", ")}`);
  failed = rows.some(([, , good]) => !good) || tally.players === 0 || tally.messages === 0;
  if (failed) console.error(`\n${edge.process.report()}`);
} finally {
  await edge.process.kill();
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(failed ? 1 : 0);
