/**
 * The figures of all workers as one server's (see `ServerView`). Each worker knows its own clients and
 * streams; a stream or vhost that several have is one here, with one id.
 * @module
 */

import type {
  ClientView,
  DelayFigures,
  Kbps,
  ServerFigures,
  ServerView,
  StreamEdge,
  StreamView,
  Traffic,
  VhostView,
} from "./view.ts";
import { newEntryId, type ServerIdentity } from "../log/ids.ts";
import type { PullView } from "../relay/edge/pull.ts";
import { NO_RELAY_FIGURES, sumOfRelays } from "../relay/relays.ts";
import type { Report } from "./view.ts";

/** The figures of one thread, to be sent to another. */
export function reportOf(view: ServerView): Report {
  return {
    ...view.totals,
    figures: view.figures,
    vhosts: [...view.vhosts.values()],
    streams: [...view.streams.values()],
    clients: [...view.clients.values()],
  };
}

/** Where the figures come from. */
export interface ReportSource {
  /** Asks all workers again; each that answers replaces its report. */
  refresh(): Promise<void>;
  /** The newest report of each worker that is there. */
  readonly reports: Iterable<Report>;
  kick(clientId: string): Promise<boolean>;
}

/** What the API shows when there are several workers. */
export class MergedView implements ServerView {
  readonly serverId: string;
  readonly serviceId: string;
  readonly pid: number;
  readonly startedMs = Date.now();

  readonly #source: ReportSource;
  /** Ids by the name of a vhost, or the key of a stream. */
  readonly #vhostIds = new Map<string, string>();
  readonly #streamIds = new Map<string, string>();
  /** Bytes of workers that have ended, all in all and by vhost. */
  #gone: Bytes = { recvBytes: 0, sendBytes: 0 };
  #goneFigures = NO_FIGURES;
  readonly #goneOfVhost = new Map<string, Bytes>();
  /** What workers had of streams that they have forgotten, and others have not. */
  readonly #goneOfStream = new Map<string, Bytes & { readonly frames: number }>();

  constructor(
    identity: Pick<ServerIdentity, "serverId" | "serviceId">,
    pid: number,
    source: ReportSource,
  ) {
    this.serverId = identity.serverId;
    this.serviceId = identity.serviceId;
    this.pid = pid;
    this.#source = source;
  }

  refresh(): Promise<void> {
    return this.#source.refresh();
  }

  kick(clientId: string): Promise<boolean> {
    return this.#source.kick(clientId);
  }

  /** A worker's report is replaced by a newer one. */
  replaced(old: Report, next: Report): void {
    const kept = new Set(next.streams.map(({ url }) => url));
    for (const { url, recvBytes, sendBytes, frames } of old.streams) {
      if (kept.has(url)) continue;
      const before = this.#goneOfStream.get(url) ?? { ...NOTHING, frames: 0 };
      const bytes = plus(before, { recvBytes, sendBytes });
      this.#goneOfStream.set(url, { ...bytes, frames: before.frames + frames });
    }
  }

  /**
   * Lets go of what is kept of streams that no worker knows any more; to be called when all have reported.
   * Their names are chosen by clients, and the list of streams may never be asked for.
   */
  forget(): void {
    if (this.#goneOfStream.size + this.#streamIds.size === 0) return;
    const known = new Set<string>();
    for (const { streams } of this.#source.reports) for (const { url } of streams) known.add(url);
    for (const url of this.#goneOfStream.keys()) {
      if (!known.has(url)) this.#goneOfStream.delete(url);
    }
    for (const url of this.#streamIds.keys()) if (!known.has(url)) this.#streamIds.delete(url);
  }

  /** Names of streams of which something is kept here. */
  get keptStreams(): number {
    return Math.max(this.#goneOfStream.size, this.#streamIds.size);
  }

  /** A worker has ended, and this was its last report: what it carried is not forgotten. */
  retire(report: Report): void {
    this.replaced(report, EMPTY_REPORT);
    this.#gone = plus(this.#gone, report);
    // Only what has been counted remains of it, not how it was.
    const { players, laggingPlayers, lagMs, flushIntervalMs, logBytes, loopLagMs } = NO_FIGURES;
    this.#goneFigures = figuresOf(this.#goneFigures, {
      ...report.figures,
      players,
      laggingPlayers,
      lagMs,
      flushIntervalMs,
      logBytes,
      loopLagMs,
    });
    for (const vhost of report.vhosts) {
      const before = this.#goneOfVhost.get(vhost.name) ?? NOTHING;
      this.#goneOfVhost.set(vhost.name, plus(before, vhost));
    }
  }

  get totals(): ServerView["totals"] {
    let connections = 0;
    let bytes = this.#gone;
    for (const report of this.#source.reports) {
      connections += report.connections;
      bytes = plus(bytes, report);
    }
    return { connections, ...bytes };
  }

  get figures(): ServerFigures {
    let sum = this.#goneFigures;
    for (const { figures } of this.#source.reports) sum = figuresOf(sum, figures);
    return sum;
  }

  get vhosts(): ReadonlyMap<string, VhostView> {
    const merged = new Map<string, VhostView>();
    for (const { vhosts } of this.#source.reports) {
      for (const vhost of vhosts) {
        const id = this.#vhostId(vhost.name);
        const known = merged.get(id);
        const gone = this.#goneOfVhost.get(vhost.name) ?? NOTHING;
        merged.set(id, {
          ...vhost,
          id,
          ...traffic(known ?? { ...gone, kbps: NO_KBPS }, vhost),
          clients: vhost.clients + (known?.clients ?? 0),
          // Each has its publisher in one worker.
          streams: vhost.streams + (known?.streams ?? 0),
        });
      }
    }
    return merged;
  }

  get streams(): ReadonlyMap<string, StreamView> {
    const merged = new Map<string, StreamView>();
    const ids = new Map<string, string>();
    for (const { streams, vhosts } of this.#source.reports) {
      for (const stream of streams) {
        const id = ids.get(stream.url) ?? this.#streamIds.get(stream.url) ?? stream.id;
        ids.set(stream.url, id);
        const known = merged.get(id);
        const vhostId = this.#ownVhostId(stream.vhostId, vhosts);
        merged.set(
          id,
          known ? both(known, stream) : this.#withGone({ ...stream, id, vhostId }),
        );
      }
    }
    this.#streamIds.clear();
    for (const [url, id] of ids) this.#streamIds.set(url, id);
    return merged;
  }

  get clients(): ReadonlyMap<string, ClientView> {
    const merged = new Map<string, ClientView>();
    for (const { clients, vhosts } of this.#source.reports) {
      for (const client of clients) {
        const streamId = this.#streamIds.get(client.url) ?? client.streamId;
        const vhostId = this.#ownVhostId(client.vhostId, vhosts);
        merged.set(client.id, { ...client, streamId, vhostId });
      }
    }
    return merged;
  }

  #withGone(stream: StreamView): StreamView {
    const gone = this.#goneOfStream.get(stream.url);
    if (!gone) return stream;
    return { ...stream, ...plus(stream, gone), frames: stream.frames + gone.frames };
  }

  #vhostId(name: string): string {
    const id = this.#vhostIds.get(name) ?? newEntryId();
    this.#vhostIds.set(name, id);
    return id;
  }

  /** Our id for the vhost that a worker calls `id`. */
  #ownVhostId(id: string, vhosts: readonly VhostView[]): string {
    const vhost = vhosts.find((one) => one.id === id);
    return vhost ? this.#vhostId(vhost.name) : id;
  }
}

const NO_DELAYS: DelayFigures = { counts: [], sumMs: 0 };

const NO_FIGURES: ServerFigures = {
  clientsTotal: 0,
  clientErrors: 0,
  faults: 0,
  players: 0,
  laggingPlayers: 0,
  lagMs: 0,
  droppedGops: 0,
  droppedMessages: 0,
  flushIntervalMs: 0,
  logBytes: 0,
  delays: NO_DELAYS,
  loopLags: NO_DELAYS,
  loopLagMs: 0,
  relays: NO_RELAY_FIGURES,
};

/** What a worker reports before its first client. */
export const EMPTY_REPORT: Report = {
  connections: 0,
  recvBytes: 0,
  sendBytes: 0,
  figures: NO_FIGURES,
  vhosts: [],
  streams: [],
  clients: [],
};

type Bytes = Pick<Traffic, "recvBytes" | "sendBytes">;

const NOTHING: Bytes = { recvBytes: 0, sendBytes: 0 };
const NO_KBPS: Kbps = { recv30s: 0, send30s: 0 };

function plus(a: Bytes, b: Bytes): Bytes {
  return { recvBytes: a.recvBytes + b.recvBytes, sendBytes: a.sendBytes + b.sendBytes };
}

function traffic(a: Traffic, b: Traffic): Traffic {
  const recv30s = a.kbps.recv30s + b.kbps.recv30s;
  const send30s = a.kbps.send30s + b.kbps.send30s;
  return { ...plus(a, b), kbps: { recv30s, send30s } };
}

function delaysOf(a: DelayFigures, b: DelayFigures): DelayFigures {
  const length = Math.max(a.counts.length, b.counts.length);
  return {
    counts: Array.from({ length }, (_, i) => (a.counts[i] ?? 0) + (b.counts[i] ?? 0)),
    sumMs: a.sumMs + b.sumMs,
  };
}

function figuresOf(a: ServerFigures, b: ServerFigures): ServerFigures {
  return {
    clientsTotal: a.clientsTotal + b.clientsTotal,
    clientErrors: a.clientErrors + b.clientErrors,
    faults: a.faults + b.faults,
    players: a.players + b.players,
    laggingPlayers: a.laggingPlayers + b.laggingPlayers,
    lagMs: Math.max(a.lagMs, b.lagMs),
    droppedGops: a.droppedGops + b.droppedGops,
    droppedMessages: a.droppedMessages + b.droppedMessages,
    flushIntervalMs: Math.max(a.flushIntervalMs, b.flushIntervalMs),
    logBytes: a.logBytes + b.logBytes,
    delays: delaysOf(a.delays, b.delays),
    loopLags: delaysOf(a.loopLags, b.loopLags),
    loopLagMs: Math.max(a.loopLagMs, b.loopLagMs),
    relays: sumOfRelays(a.relays, b.relays),
  };
}

function largest(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** Counts and rates together; of delays and lags, those of the worker that is worst off. */
function edgeOf(a: StreamEdge, b: StreamEdge): StreamEdge {
  return {
    uptimeMs: a.uptimeMs ?? b.uptimeMs,
    players: a.players + b.players,
    fps: a.fps + b.fps,
    bitDepth: a.bitDepth ?? b.bitDepth,
    // The thread of the publisher knows them, the others tell 0.
    videoTracks: Math.max(a.videoTracks, b.videoTracks),
    audioTracks: Math.max(a.audioTracks, b.audioTracks),
    recvKbps: a.recvKbps + b.recvKbps,
    sendKbps: a.sendKbps + b.sendKbps,
    flushIntervalMs: Math.max(a.flushIntervalMs, b.flushIntervalMs),
    delayP50Ms: largest(a.delayP50Ms, b.delayP50Ms),
    delayP99Ms: largest(a.delayP99Ms, b.delayP99Ms),
    lagMs: Math.max(a.lagMs, b.lagMs),
    droppedGops: a.droppedGops + b.droppedGops,
    droppedMessages: a.droppedMessages + b.droppedMessages,
    upstream: upstreamOf(a.upstream, b.upstream),
    // One thread publishes it, and forwards it.
    forwards: a.forwards.length > 0 ? a.forwards : b.forwards,
  };
}

/** One thread pulls, and the others have it from there. */
function upstreamOf(a: PullView | null, b: PullView | null): PullView | null {
  return a === null || a.state === "elsewhere" ? b ?? a : a;
}

/** One stream in two workers; only the one with the publisher knows what is in it. */
function both(a: StreamView, b: StreamView): StreamView {
  const [main, other] = b.publish.active ? [b, a] : [a, b];
  return {
    ...main,
    id: a.id,
    vhostId: a.vhostId,
    ...traffic(a, b),
    clients: a.clients + b.clients,
    frames: a.frames + b.frames,
    edge: edgeOf(a.edge, b.edge),
    publish: {
      ...main.publish,
      active: a.publish.active || b.publish.active,
      cid: main.publish.cid ?? other.publish.cid,
    },
  };
}
