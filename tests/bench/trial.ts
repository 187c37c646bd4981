/**
 * One measurement of one server: started for it, loaded, measured for some seconds, stopped.
 * @module
 */
import { sleep } from "../tools/process.ts";
import type { Candidate, Setting } from "./candidates.ts";
import type { ClientSpec, Result } from "./client.ts";
import { Histogram } from "./histogram.ts";
import { LoadProcess, ServerProcess } from "./processes.ts";
import type { Usage } from "./usage.ts";

/** ms for which a stream runs before others join it. */
const SETTLE_MS = 2000;

/** A load to put on a server. */
export interface Load {
  readonly kind: "players" | "publishers" | "join";
  /** Players, publishers, or joins. */
  readonly count: number;
  readonly kbps: number;
  /** Further players that read too slowly. */
  readonly slow: number;
  /** Players come by HTTP-FLV, not by RTMP. */
  readonly http: boolean;
  /** ... but by a WebSocket. */
  readonly ws: boolean;
}

/** How a measurement is done. */
export interface Method {
  /** Seconds counted. */
  readonly seconds: number;
  /** Seconds before, from the moment when all have video; compilers warm up in them. */
  readonly warm: number;
  /** Processes that the players are spread over. */
  readonly clients: number;
}

/** What one measurement gave; times in ms, NaN where there was nothing to measure. */
export interface Sample {
  readonly delayP50: number;
  readonly delayP99: number;
  readonly delayMax: number;
  readonly videoP50: number;
  readonly videoP99: number;
  readonly joinP50: number;
  readonly joinP99: number;
  readonly joinMax: number;
  /** µs of the server's CPU per player, or publisher, and second. */
  readonly cpuEach: number;
  /** Share of it that the kernel took, 0..1. */
  readonly systemShare: number;
  /** Cores that the server, the load clients with players, and the publishers' one kept busy. */
  readonly serverCores: number;
  readonly clientCores: number;
  readonly publisherCores: number;
  /** MB of the server before the load; KB that each player or publisher added. */
  readonly startMB: number;
  readonly eachKB: number;
  /** Connections that were there, and messages received or sent in the time. */
  readonly connected: number;
  readonly messages: number;
  readonly lost: number;
  readonly disconnects: number;
  readonly starved: number;
  /** The longest that a publisher sent after its time: what the machine alone delays. */
  readonly lateMs: number;
  /** Why connections failed, if any did. */
  readonly reason: string;
}

/** Measures `candidate` once. @throws Error when it cannot be started. */
export async function measure(
  candidate: Candidate,
  setting: Setting,
  load: Load,
  method: Method,
): Promise<Sample> {
  const server = await ServerProcess.start(candidate, setting);
  const clients: LoadProcess[] = [];
  const spawn = (spec: Pick<ClientSpec, "action" | "count"> & Partial<ClientSpec>) => {
    const http = load.http && spec.action !== "publish";
    const client = new LoadProcess({
      port: http ? server.ports.http : server.ports.rtmp,
      kbps: load.kbps,
      raw: candidate.raw,
      http,
      ws: http && load.ws,
      slow: 0,
      ...spec,
    });
    clients.push(client);
    return client;
  };
  try {
    const startMemory = server.usage().memory;
    const publish = () =>
      spawn({ action: "publish", count: load.kind === "publishers" ? load.count : 1 });
    let publisher: LoadProcess | null = null;
    let refused: { readonly failed: number; readonly reason: string } = { failed: 0, reason: "" };
    // A floor would send the middle of a message to whoever comes later.
    if (!candidate.raw) {
      publisher = publish();
      refused = await publisher.ready();
    }
    if (load.kind === "join") {
      await sleep(SETTLE_MS);
      const result = await spawn({ action: "join", count: load.count }).joins();
      return summary(load, { ...nothing, startMemory }, [result], null, load.count, refused.reason);
    }
    const players = load.kind === "publishers" ? [] : spread(load.count, method.clients).map(
      (count, index) => spawn({ action: "play", count, slow: index === 0 ? load.slow : 0 }),
    );
    let connected = load.kind === "publishers" ? load.count - refused.failed : 0;
    for (const client of players) {
      const ready = await client.ready();
      connected += ready.connected;
      if (ready.reason) refused = ready;
    }
    if (!publisher) {
      publisher = publish();
      await publisher.ready();
    }
    await sleep(method.warm * 1000);

    const all = [...players, publisher];
    const before = { server: server.usage(), clients: players.map((client) => client.usage()) };
    const publisherBefore = publisher.usage();
    const startedAt = performance.now();
    for (const client of all) await client.begin();
    await sleep(method.seconds * 1000);
    const elapsedUs = (performance.now() - startedAt) * 1000;
    const after = { server: server.usage(), clients: players.map((client) => client.usage()) };
    const publisherAfter = publisher.usage();
    const results: Result[] = [];
    for (const client of all) results.push(await client.end());
    const sent = results.pop() ?? null;
    return summary(
      load,
      {
        elapsedUs,
        startMemory,
        server: [before.server, after.server],
        clientUs: sumCpu(after.clients) - sumCpu(before.clients),
        publisherUs: publisherAfter.cpuUs - publisherBefore.cpuUs,
      },
      results,
      sent,
      connected,
      refused.reason,
    );
  } finally {
    for (const client of clients) await client.stop();
    await server.stop();
  }
}

/** What the processes used in the time. */
interface Costs {
  readonly elapsedUs: number;
  readonly startMemory: number;
  readonly server: readonly [Usage, Usage] | null;
  readonly clientUs: number;
  readonly publisherUs: number;
}

const nothing: Costs = {
  elapsedUs: NaN,
  startMemory: NaN,
  server: null,
  clientUs: NaN,
  publisherUs: NaN,
};

function summary(
  load: Load,
  costs: Costs,
  results: readonly Result[],
  sent: Result | null,
  connected: number,
  reason: string,
): Sample {
  const [delay, video, join] = [new Histogram(), new Histogram(), new Histogram()];
  for (const result of results) {
    delay.merge(result.delay);
    video.merge(result.videoDelay);
    join.merge(result.join);
  }
  const total = (pick: (result: Result) => number) =>
    results.reduce((sum, result) => sum + pick(result), 0);
  const { elapsedUs, server } = costs;
  const serverUs = server ? server[1].cpuUs - server[0].cpuUs : NaN;
  const systemUs = server ? server[1].systemUs - server[0].systemUs : NaN;
  const userUs = server ? server[1].userUs - server[0].userUs : NaN;
  const each = load.kind === "publishers" ? load.count : connected;
  return {
    delayP50: delay.quantile(0.5) / 1000,
    delayP99: delay.quantile(0.99) / 1000,
    delayMax: delay.total > 0 ? delay.max / 1000 : NaN,
    videoP50: video.quantile(0.5) / 1000,
    videoP99: video.quantile(0.99) / 1000,
    joinP50: join.quantile(0.5) / 1000,
    joinP99: join.quantile(0.99) / 1000,
    joinMax: join.total > 0 ? join.max / 1000 : NaN,
    cpuEach: serverUs / each / (elapsedUs / 1e6),
    systemShare: systemUs / (systemUs + userUs),
    serverCores: serverUs / elapsedUs,
    clientCores: results.length > 0 ? costs.clientUs / elapsedUs : NaN,
    publisherCores: costs.publisherUs / elapsedUs,
    startMB: costs.startMemory / 1e6,
    eachKB: server ? (server[1].memory - costs.startMemory) / each / 1e3 : NaN,
    connected,
    messages: load.kind === "publishers" ? sent?.messages ?? 0 : total((r) => r.messages),
    lost: total((result) => result.lost),
    disconnects: total((result) => result.disconnects) + (sent?.disconnects ?? 0),
    starved: total((result) => result.starved) +
      (load.kind === "players" ? load.count - connected : 0),
    lateMs: sent?.lateMs ?? NaN,
    reason,
  };
}

function sumCpu(usages: readonly Usage[]): number {
  return usages.reduce((sum, { cpuUs }) => sum + cpuUs, 0);
}

/** `count` in `parts` parts as equal as can be. */
function spread(count: number, parts: number): number[] {
  const used = Math.min(parts, count);
  return Array.from(
    { length: used },
    (_, i) => Math.floor((i + 1) * count / used) - Math.floor(i * count / used),
  );
}
