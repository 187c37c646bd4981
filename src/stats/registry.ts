/**
 * Who is connected, and the figures of clients, streams and vhosts that the API shows.
 * Bytes are counted on the connections alone; what ended clients had is carried over to their stream
 * and vhost.
 * @module
 */

import { LAGGING_MS } from "./limits.ts";
import type { ClientRole, Session } from "./session.ts";
import { faults } from "../runtime/fault_guard.ts";
import { keptText } from "../access/peer_words.ts";
import type { VhostConfig } from "../config/types.ts";
import { RateSampler } from "./kbps.ts";
import { ShortWindow } from "./short_window.ts";
import type {
  AudioFigures,
  ClientView,
  DelayFigures,
  ServerFigures,
  ServerView,
  StreamEdge,
  StreamView,
  VhostView,
  VideoFigures,
} from "./view.ts";
import type { DelayHistogram } from "../live/delay_histogram.ts";
import type { Hub } from "../live/stream/hub.ts";
import type { LiveStream } from "../live/stream/live_stream.ts";
import { newEntryId, type ServerIdentity } from "../log/ids.ts";
import type { LoopLag } from "./loop_lag.ts";
import { NO_RELAY_FIGURES, type Relays } from "../relay/relays.ts";

/** Bytes of clients that are gone, and the rates of all. */
interface Tally {
  recv: number;
  sent: number;
  readonly sampler: RateSampler;
}

interface VhostEntry extends Tally {
  readonly id: string;
  readonly name: string;
  enabled: boolean;
  hlsFragment: number | null;
}

interface StreamEntry extends Tally {
  readonly id: string;
  readonly vhost: VhostEntry;
  readonly tcUrl: string;
  readonly window: ShortWindow;
  publisherId: string | undefined;
  /** Clock ms. */
  publishedAt: number;
}

/** A client in its present role; `recv` and `sent` are what its connection had carried before. */
interface ClientEntry extends Tally {
  readonly session: Session;
  readonly role: ClientRole;
  readonly stream: StreamEntry;
}

interface Sum {
  recv: number;
  sent: number;
  clients: number;
}

const UNKNOWN = "Other";

/** What the registry is made of. */
export interface RegistryParts {
  readonly identity: ServerIdentity;
  readonly pid: number;
  /** The server's clock, ms. */
  now(): number;
  readonly hub: Hub;
  readonly loop: LoopLag;
  /** Path and query by which HTTP-FLV serves a stream; null: its vhost does not. */
  flvPath(stream: LiveStream): string | null;
  /** Makes the id of a new entry for a stream of this key; default: a random one. */
  readonly newStreamId?: (key: string) => string;
  readonly relays?: Relays;
}

function hlsFragmentOf({ hls }: VhostConfig): number | null {
  return hls.enabled ? hls.fragment : null;
}

/** All connections of the server. */
export class Registry implements ServerView {
  readonly serverId: string;
  readonly serviceId: string;
  readonly pid: number;
  readonly startedMs = Date.now();

  readonly #now: () => number;
  readonly #hub: Hub;
  readonly #loop: LoopLag;
  readonly #newStreamId: (key: string) => string;
  readonly #relays: Relays | null;
  readonly #flvPath: RegistryParts["flvPath"];
  readonly #sessions = new Map<string, Session>();
  readonly #vhosts = new Map<string, VhostEntry>();
  readonly #streams = new Map<LiveStream, StreamEntry>();
  readonly #clients = new Map<string, ClientEntry>();
  #goneRecv = 0;
  #goneSent = 0;
  #clientsTotal = 0;
  #clientErrors = 0;

  constructor(parts: RegistryParts) {
    const { identity } = parts;
    this.#newStreamId = parts.newStreamId ?? newEntryId;
    this.#relays = parts.relays ?? null;
    this.#flvPath = parts.flvPath;
    this.serverId = identity.serverId;
    this.serviceId = identity.serviceId;
    this.pid = parts.pid;
    this.#now = parts.now;
    this.#hub = parts.hub;
    this.#loop = parts.loop;
  }

  /** Every connection, whether or not it publishes or plays. */
  get sessions(): ReadonlyMap<string, Session> {
    return this.#sessions;
  }

  /** The connections that publish or play. */
  get roles(): Iterable<{ readonly session: Session; readonly role: ClientRole }> {
    return this.#clients.values();
  }

  /** A connection was accepted. */
  add(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  /** Puts a connection behind all others. */
  moveToEnd(session: Session): void {
    if (this.#sessions.delete(session.id)) this.#sessions.set(session.id, session);
  }

  /** A connection is over. */
  remove(session: Session): void {
    if (!this.#sessions.delete(session.id)) return;
    this.#goneRecv += session.recvBytes;
    this.#goneSent += session.sentBytes;
  }

  /** A client has begun to publish or play, has ended that, or has gone from one to the other. */
  roleChanged(session: Session, role: ClientRole | null): void {
    if (this.#retire(session.id) && session.failed) this.#clientErrors++;
    if (!role) return;
    this.#clientsTotal++;
    const stream = this.#streamEntry(role.stream, session.info.tcUrl ?? "");
    if (role.publish) {
      stream.publisherId = session.id;
      stream.publishedAt = this.#now();
    }
    this.#clients.set(session.id, {
      session,
      role,
      stream,
      recv: session.recvBytes,
      sent: session.sentBytes,
      sampler: this.#sampler(),
    });
  }

  /** The id of a stream's entry, made for a client of this tcUrl if there is none. */
  streamId(stream: LiveStream, tcUrl: string): string {
    return this.#streamEntry(stream, tcUrl).id;
  }

  /** The vhosts that there are from now on; one that is gone counts as switched off. */
  configure(vhosts: readonly VhostConfig[]): void {
    for (const entry of this.#vhosts.values()) {
      const vhost = vhosts.find(({ name }) => name === entry.name);
      entry.enabled = vhost?.enabled ?? false;
      entry.hlsFragment = vhost ? hlsFragmentOf(vhost) : null;
    }
  }

  /** A stream was forgotten. */
  forget(stream: LiveStream): void {
    const entry = this.#streams.get(stream);
    if (entry) entry.vhost.recv += stream.pulledBytes;
    this.#goneRecv += stream.pulledBytes;
    this.#streams.delete(stream);
  }

  /** Every 3 s: takes the samples that the rates are made of. */
  sample(): void {
    const now = this.#now();
    for (const client of this.#clients.values()) {
      const { recv, sent } = carried(client);
      client.sampler.sample(now, recv, sent);
    }
    const { streams, vhosts } = this.#sums();
    for (const [entry, sum] of streams) entry.sampler.sample(now, sum.recv, sum.sent);
    for (const [entry, sum] of vhosts) entry.sampler.sample(now, sum.recv, sum.sent);
  }

  /** Every second: takes the samples for what is shown of the last few. */
  sampleShort(): void {
    const now = this.#now();
    const { streams } = this.#sums();
    for (const [{ videoFrames, stats }, entry] of this.#streams) {
      const { recv, sent } = streams.get(entry) ?? entry;
      entry.window.sample(now, {
        recvBytes: recv,
        sendBytes: sent,
        frames: videoFrames,
        delays: stats.delays,
      });
    }
  }

  // ---- ServerView

  get totals(): { connections: number; recvBytes: number; sendBytes: number } {
    let recvBytes = this.#goneRecv;
    let sendBytes = this.#goneSent;
    for (const { pulledBytes } of this.#hub.streams) recvBytes += pulledBytes;
    for (const session of this.#sessions.values()) {
      recvBytes += session.recvBytes;
      sendBytes += session.sentBytes;
    }
    return { connections: this.#sessions.size, recvBytes, sendBytes };
  }

  get figures(): ServerFigures {
    let players = 0;
    let laggingPlayers = 0;
    let lagMs = 0;
    let flushIntervalMs = 0;
    let logBytes = 0;
    for (const stream of this.#hub.streams) {
      const lag = stream.lag(LAGGING_MS);
      players += stream.localPlayers;
      laggingPlayers += lag.players;
      lagMs = Math.max(lagMs, lag.mostMs);
      // What is mirrored here is in the memory of another thread.
      if (!stream.mirrored) logBytes += stream.logBytes;
      if (stream.active) flushIntervalMs = Math.max(flushIntervalMs, stream.flushIntervalMs);
    }
    const { delays, droppedGops, droppedMessages } = this.#hub.stats();
    return {
      clientsTotal: this.#clientsTotal,
      clientErrors: this.#clientErrors,
      faults: faults.count,
      players,
      laggingPlayers,
      lagMs,
      droppedGops,
      droppedMessages,
      flushIntervalMs,
      logBytes,
      delays: delayFigures(delays),
      loopLags: delayFigures(this.#loop.lags),
      loopLagMs: this.#loop.recentMs,
      relays: this.#relays?.figures ?? NO_RELAY_FIGURES,
    };
  }

  get vhosts(): ReadonlyMap<string, VhostView> {
    const views = new Map<string, VhostView>();
    for (const [entry, sum] of this.#sums().vhosts) {
      views.set(entry.id, {
        id: entry.id,
        name: entry.name,
        enabled: entry.enabled,
        hlsFragment: entry.hlsFragment,
        clients: sum.clients,
        streams: this.#activeStreams(entry),
        recvBytes: sum.recv,
        sendBytes: sum.sent,
        kbps: entry.sampler.kbps,
      });
    }
    return views;
  }

  get streams(): ReadonlyMap<string, StreamView> {
    const { streams } = this.#sums();
    const views = new Map<string, StreamView>();
    for (const [stream, entry] of this.#streams) {
      const sum = streams.get(entry) ?? { recv: 0, sent: 0, clients: 0 };
      views.set(entry.id, {
        id: entry.id,
        name: stream.name,
        vhostId: entry.vhost.id,
        vhostName: entry.vhost.name,
        app: stream.app,
        tcUrl: entry.tcUrl,
        url: stream.key,
        flvPath: this.#flvPath(stream),
        clients: sum.clients,
        frames: stream.videoFrames,
        publish: { active: stream.published, cid: entry.publisherId },
        video: videoFigures(stream),
        audio: audioFigures(stream),
        edge: this.#streamEdge(stream, entry),
        recvBytes: sum.recv,
        sendBytes: sum.sent,
        kbps: entry.sampler.kbps,
      });
    }
    return views;
  }

  get clients(): ReadonlyMap<string, ClientView> {
    const now = this.#now();
    const views = new Map<string, ClientView>();
    for (const [id, client] of this.#clients) {
      const { session, role, stream } = client;
      views.set(id, {
        id,
        vhostId: stream.vhost.id,
        streamId: stream.id,
        ip: session.socket.remoteAddress,
        pageUrl: session.info.pageUrl,
        swfUrl: session.info.swfUrl,
        tcUrl: keptText(session.info.tcUrl ?? ""),
        url: role.stream.key,
        name: role.name,
        type: role.type,
        publish: role.publish,
        aliveMs: now - session.acceptedAt,
        edge: {
          port: Number(session.socket.remote.slice(session.socket.remote.lastIndexOf(":") + 1)),
          lagMs: role.player ? role.player.lagMs : null,
          droppedGops: role.player?.droppedGops ?? 0,
          droppedMessages: role.player?.droppedMessages ?? 0,
        },
        recvBytes: session.recvBytes,
        sendBytes: session.sentBytes,
        kbps: client.sampler.kbps,
      });
    }
    return views;
  }

  /** It reads the connections themselves. */
  refresh(): null {
    return null;
  }

  kick(clientId: string): boolean {
    const client = this.#clients.get(clientId);
    client?.session.kick();
    return client !== undefined;
  }

  // ---- inside

  #streamEdge(stream: LiveStream, { window, publishedAt }: StreamEntry): StreamEdge {
    const upstream = this.#relays?.pullOf(stream) ?? null;
    const uptimeMs = upstream?.state === "live" ? upstream.sinceMs : this.#now() - publishedAt;
    return {
      uptimeMs: stream.published ? uptimeMs : null,
      players: stream.localPlayers,
      ...window.recent,
      bitDepth: stream.video?.bit_depth ?? null,
      videoTracks: stream.trackCounts.video,
      audioTracks: stream.trackCounts.audio,
      flushIntervalMs: stream.flushIntervalMs,
      lagMs: stream.lag(LAGGING_MS).mostMs,
      droppedGops: stream.stats.droppedGops,
      droppedMessages: stream.stats.droppedMessages,
      upstream,
      forwards: this.#relays?.forwardsOf(stream) ?? [],
    };
  }

  /** False: it had no role. */
  #retire(id: string): boolean {
    const client = this.#clients.get(id);
    if (!client) return false;
    this.#clients.delete(id);
    const { recv, sent } = carried(client);
    for (const entry of [client.stream, client.stream.vhost]) {
      entry.recv += recv;
      entry.sent += sent;
    }
    return true;
  }

  #sampler(): RateSampler {
    return new RateSampler(this.#now());
  }

  #streamEntry(stream: LiveStream, tcUrl: string): StreamEntry {
    const known = this.#streams.get(stream);
    if (known) return known;
    const vhost = this.#vhostEntry(stream);
    const entry: StreamEntry = {
      id: this.#newStreamId(stream.key),
      vhost,
      tcUrl: keptText(tcUrl),
      window: new ShortWindow(),
      publisherId: undefined,
      publishedAt: this.#now(),
      recv: 0,
      sent: 0,
      sampler: this.#sampler(),
    };
    this.#streams.set(stream, entry);
    return entry;
  }

  #vhostEntry({ vhost }: LiveStream): VhostEntry {
    const known = this.#vhosts.get(vhost.name);
    if (known) return known;
    const { name, enabled } = vhost;
    const entry: VhostEntry = {
      ...{ id: newEntryId(), name, enabled, hlsFragment: hlsFragmentOf(vhost) },
      ...{ recv: 0, sent: 0, sampler: this.#sampler() },
    };
    this.#vhosts.set(name, entry);
    return entry;
  }

  #activeStreams(vhost: VhostEntry): number {
    let count = 0;
    for (const [stream, entry] of this.#streams) {
      if (entry.vhost === vhost && stream.published) count++;
    }
    return count;
  }

  /** Bytes and clients of every stream and vhost, in one pass over the clients. */
  #sums(): { streams: Map<StreamEntry, Sum>; vhosts: Map<VhostEntry, Sum> } {
    const streams = new Map<StreamEntry, Sum>();
    const vhosts = new Map<VhostEntry, Sum>();
    const start = ({ recv, sent }: Tally): Sum => ({ recv, sent, clients: 0 });
    for (const entry of this.#streams.values()) streams.set(entry, start(entry));
    for (const entry of this.#vhosts.values()) vhosts.set(entry, start(entry));
    for (const [{ pulledBytes }, entry] of this.#streams) {
      for (const sum of [streams.get(entry), vhosts.get(entry.vhost)]) {
        if (sum) sum.recv += pulledBytes;
      }
    }
    for (const client of this.#clients.values()) {
      const { recv, sent } = carried(client);
      for (const sum of [streams.get(client.stream), vhosts.get(client.stream.vhost)]) {
        if (!sum) continue;
        sum.recv += recv;
        sum.sent += sent;
        sum.clients++;
      }
    }
    return { streams, vhosts };
  }
}

function delayFigures({ counts, sumMs }: DelayHistogram): DelayFigures {
  return { counts: Array.from(counts), sumMs };
}

/** What a client's connection has carried since it took its role. */
function carried({ session, recv, sent }: ClientEntry): { recv: number; sent: number } {
  return { recv: session.recvBytes - recv, sent: session.sentBytes - sent };
}

function videoFigures({ video }: LiveStream): VideoFigures | null {
  return video && {
    codec: video.codec,
    profile: video.profile ?? UNKNOWN,
    level: video.level ?? UNKNOWN,
    width: video.width ?? 0,
    height: video.height ?? 0,
  };
}

function audioFigures({ audio }: LiveStream): AudioFigures | null {
  return audio && {
    codec: audio.codec,
    sample_rate: audio.sample_rate ?? 0,
    channel: audio.channel ?? 0,
    profile: audio.profile ?? UNKNOWN,
  };
}
