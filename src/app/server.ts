/**
 * The running server: listeners, hub, sessions, HTTP, and the one timer behind all deadlines.
 * @module
 */

import {
  ABORT_MS,
  ORPHAN_MS,
  RECONNECT_MS,
  REFUSAL_LOG_MS,
  STOP_POLL_MS,
  STOP_TIMEOUT_MS,
} from "./limits.ts";
import { Admission, type ConnectionLimits } from "../access/connection_limits.ts";
import process from "node:process";
import { setImmediate } from "node:timers";
import { faults } from "../runtime/fault_guard.ts";
import type { Config, ListenAddress, VhostConfig } from "../config/types.ts";
import { flvPathOf } from "../servers/flv/mount.ts";
import type { FlvHost } from "../servers/flv/routes.ts";
import type { HlsHost } from "../servers/hls/routes.ts";
import { HlsStreams } from "../hls/hls_streams.ts";
import { SAMPLE_INTERVAL_MS } from "../stats/limits.ts";
import type { HttpPorts } from "../servers/http/listeners.ts";
import type { ServerView } from "../stats/view.ts";
import type { Clock } from "../live/clock.ts";
import { Hub } from "../live/stream/hub.ts";
import { Access } from "../access/access.ts";
import { HookCaller } from "../access/hook_caller.ts";
import { STOP_GRACE_MS } from "../access/limits.ts";
import { entryIdOf, newConnectionId, newIdentity } from "../log/ids.ts";
import { lineBudget } from "../log/budget.ts";
import { serverLog } from "../log/log.ts";
import { peerText } from "../log/text.ts";
import { LoopLag } from "../stats/loop_lag.ts";
import { CONNECTION_BYTES } from "../runtime/limits.ts";
import { MemoryKeeper } from "../runtime/memory_keeper.ts";
import { findCollector, keepsFreedPages } from "../runtime/collector.ts";
import { ErrorCode, type Refusal } from "../rtmp/error.ts";
import { collectLarge } from "../rtmp/large_buffer.ts";
import { type OpenPort, PortSet, type WantedPort } from "../net/port_set.ts";
import { BEAT_MS } from "../net/limits.ts";
import { runClock } from "../net/run_clock.ts";
import { formatAddress, listenTcp, type TcpSocket } from "../net/tcp.ts";
import { Registry } from "../stats/registry.ts";
import { Relays } from "../relay/relays.ts";
import { Self } from "../clients/self.ts";
import { IdleReaders } from "../servers/rtmp/idle_readers.ts";
import { NO_CLAIMS } from "../live/stream/claims.ts";
import { RtmpSession, type RtmpSessionHost } from "../servers/rtmp/rtmp_session.ts";
import { SERVER_NAME, VERSION } from "../runtime/version.ts";
import type { WorkerParts } from "../workers/part.ts";
import type { StreamLink } from "../workers/stream_link.ts";

/** ms between two rounds of deadlines and housekeeping. */
const TICK_MS = BEAT_MS;
/** Summary lines in one tick: 200 connections get one every 10 s, and logging stays cheap. */
const SUMMARIES_PER_TICK = 20;

const ORPHAN_REASON = "its stream has ended, and the server drains";
/** What clients that are asked to reconnect are told. */
const RECONNECT_REASON = "The server is about to stop.";

/** What the keys of the RTMP ports begin with. */
const RTMP_KEY = "rtmp ";

function rtmpKey(address: ListenAddress): string {
  return RTMP_KEY + formatAddress(address);
}

/** Every deadline is in time in which the server ran. */
const CLOCK: Clock = runClock;

/** The HTTP side of a server; see `HttpPorts`. */
export type HttpSide = Pick<HttpPorts, "prepare" | "keyOf" | "close">;

/**
 * Makes the HTTP side of a server. Not imported here, since a worker has none, and none of the packages
 * either: Bun does not find them in a thread.
 */
export type HttpService = (view: ServerView, host: HttpPlayersHost, hls: HlsStreams) => HttpSide;

/** What players that come by HTTP need of the server. */
export type HttpPlayersHost = FlvHost & HlsHost;

/** A started server, or the part of it that one thread is. */
export class Server {
  #config: Config;
  readonly #hub: Hub;
  readonly #loop: LoopLag;
  readonly #registry: Registry;
  readonly #host: RtmpSessionHost;
  readonly #web: HttpPlayersHost;
  readonly #hls = new HlsStreams({
    date: () => Date.now(),
    newRun: newConnectionId,
    fault: ({ key }, error) => {
      serverLog.error(`internal fault, no HLS of ${peerText(key)} for now`, undefined, error);
    },
  });
  readonly #admission: ConnectionLimits;
  readonly #link: StreamLink | null;
  readonly #listens: boolean;
  readonly #relays: Relays;
  readonly #memory: MemoryKeeper;
  readonly #access: Access;
  readonly #ports = new PortSet();
  #http: HttpSide | null = null;
  /** Since the drain began: when (clock ms) a player was first seen without a publisher, by its id. */
  #orphans: Map<string, number> | null = null;
  #reconnectTo: string | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  #refused = 0;
  #refusalLoggedAt = -Infinity;

  /**
   * Starts listening. `http` makes the HTTP side; null: not here. `worker`: it is one of several,
   * which share the port.
   * @throws Error with address and cure when a port cannot be had; nothing is left open then.
   */
  static async start(
    config: Config,
    http: HttpService | null,
    worker: WorkerParts | null = null,
  ): Promise<Server> {
    const server = new Server(config, worker);
    try {
      if (http) server.#http = http(server.#registry, server.#web, server.#hls);
      await server.#listen(config);
    } catch (error) {
      await server.stop();
      throw error;
    }
    collectLarge(keepsFreedPages() ? findCollector() : null);
    runClock.begin();
    server.#timer = setInterval(() => server.#tick(), TICK_MS);
    return server;
  }

  private constructor(config: Config, worker: WorkerParts | null) {
    this.#config = config;
    this.#admission = worker?.admission ?? new Admission(config);
    this.#link = worker?.link ?? null;
    this.#listens = worker?.listens ?? true;
    // HTTP is in the main thread, which takes no publishers when there are workers.
    const hasHttp = worker === null || !worker.listens;
    const listeners = [...this.#link ? [this.#link] : [], ...hasHttp ? [this.#hls] : []];
    this.#hub = new Hub(CLOCK, VERSION, listeners, this.#link !== null);
    this.#loop = new LoopLag(runClock);
    const { identity, listen } = worker ?? { identity: newIdentity(), listen: config.listen };
    const claims = this.#link ?? NO_CLAIMS;
    this.#relays = new Relays({
      clock: CLOCK,
      self: new Self(identity.hopId, listen),
      identity,
      pid: process.pid,
      claim: (stream, address, answer) => claims.claim(stream, address, answer),
    });
    this.#registry = new Registry({
      identity,
      pid: process.pid,
      now: () => CLOCK.now(),
      hub: this.#hub,
      loop: this.#loop,
      flvPath: ({ vhost, app, key }) => flvPathOf(vhost, app, key),
      relays: this.#relays,
      ...worker ? { newStreamId: (key) => entryIdOf(`${identity.serviceId} ${key}`) } : {},
    });
    this.#memory = new MemoryKeeper(() => this.#unaccountedBytes(), findCollector());
    const serverName = `${SERVER_NAME}/${VERSION}`;
    this.#access = new Access(identity, new HookCaller(serverName));
    this.#link?.attach(this.#hub, (key) => this.#access.departed(key));
    const current = () => this.#config;
    this.#host = {
      get config() {
        return current();
      },
      hub: this.#hub,
      clock: CLOCK,
      idleReaders: new IdleReaders(CLOCK),
      claims,
      relay: this.#relays,
      access: this.#access,
      serverName,
      pid: process.pid,
      streamId: (stream, tcUrl) => this.#registry.streamId(stream, tcUrl),
      roleChanged: (session, role) => this.#registry.roleChanged(session, role),
      finished: (session) => {
        this.#registry.remove(session);
        this.#admission.leave(session.socket.remoteAddress);
      },
    };
    this.#web = {
      get config() {
        return current();
      },
      hub: this.#hub,
      clock: CLOCK,
      relay: this.#relays,
      admit: (address) => this.#admit(address, address),
      dismiss: (address) => this.#admission.leave(address),
      access: this.#access,
      streamId: (stream, tcUrl) => this.#registry.streamId(stream, tcUrl),
      opened: (session, role) => {
        this.#registry.add(session);
        this.#registry.roleChanged(session, role);
      },
      left: (session) => this.#registry.roleChanged(session, null),
      finished: (session) => {
        this.#registry.remove(session);
        this.#admission.leave(session.socket.remoteAddress);
      },
    };
  }

  /** Where RTMP is served. */
  get rtmpAddresses(): ListenAddress[] {
    return this.#config.listen.flatMap((address) =>
      this.#ports.get(rtmpKey(address))?.address ?? []
    );
  }

  /** The figures of this thread. */
  get view(): ServerView {
    return this.#registry;
  }

  /** Where the HTTP API is served; null if nowhere. */
  get httpAddress(): ListenAddress | null {
    const key = this.#http?.keyOf("api") ?? null;
    return key === null ? null : this.#ports.get(key)?.address ?? null;
  }

  /** What is in effect. */
  get config(): Config {
    return this.#config;
  }

  /**
   * Goes over to another configuration without dropping a client: ports are opened and released, streams
   * and connections take their new settings. What needs a restart is not looked at.
   * @throws Error with the cure when a port or certificate cannot be had; nothing has changed then.
   */
  async reload(config: Config): Promise<void> {
    await this.#listen(config);
    if (this.#orphans) this.#releaseRtmp();
    this.#config = config;
    this.#admission.configure(config);
    this.#hub.configure(config.vhosts);
    this.#registry.configure(config.vhosts);
    for (const { session, role } of this.#registry.roles) {
      session.socket.setNoDelay?.(role.stream.vhost.tcpNodelay);
    }
  }

  /** Connections of RTMP clients, and players of any kind. */
  get clients(): number {
    return this.#registry.sessions.size;
  }

  /**
   * No new clients: releases the RTMP ports, and asks those clients that support it to reconnect, to
   * `reconnectTo` or, when that is null, at the same address. From here on players are closed whose
   * stream has ended: no publisher can come back here.
   */
  drain(reconnectTo: string | null): void {
    this.#orphans = new Map();
    this.#reconnectTo = reconnectTo;
    this.#releaseRtmp();
    this.#drainTick(CLOCK.now());
  }

  /** Has a stream here although no client asks for it, until the result is called. */
  keep(key: string, vhost: VhostConfig, app: string, name: string): () => void {
    const stream = this.#hub.obtain(key, vhost, app, name);
    stream.reserve();
    return () => stream.unreserve();
  }

  /**
   * Closes the ports at once, then ends every connection in an orderly way. It takes about a second at
   * most: a player that does not read and a hook server that does not answer are not waited for longer.
   */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) runClock.end();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#loop.stop();
    this.#orphans ??= new Map();
    this.#ports.release();
    // Deno gives a listener's descriptor back a turn later: a client that is sent away and reconnects
    // at once must not reach this process again.
    await nextTurn();
    const sessions = this.#registry.sessions;
    const asked = new Set<string>();
    for (const { session } of this.#registry.roles) {
      if (session.requestReconnect?.(RECONNECT_REASON, null)) asked.add(session.id);
    }
    this.#shutDown((id) => !asked.has(id));
    await gone(RECONNECT_MS, () => [...asked].every((id) => !sessions.has(id)));
    this.#shutDown(() => true);
    this.#relays.stop();
    await gone(STOP_TIMEOUT_MS, () => sessions.size === 0);
    for (const session of [...sessions.values()]) session.abort();
    // Each tells its hooks at its end, which comes in one of the next turns.
    await gone(ABORT_MS, () => sessions.size === 0);
    await this.#access.waitDelivered(STOP_GRACE_MS);
    await this.#http?.close();
  }

  /** Publishers first: what their players have not been sent yet is sent at the end of the publish. */
  #shutDown(chosen: (id: string) => boolean): void {
    const publishers = [...this.#registry.roles].filter(({ role }) => role.publish);
    for (const { session } of publishers) if (chosen(session.id)) session.shutdown();
    for (const session of [...this.#registry.sessions.values()]) {
      if (chosen(session.id)) session.shutdown();
    }
  }

  /** HTTP first: a client that sees the RTMP port open finds everything there. */
  async #listen(config: Config): Promise<void> {
    const http = await this.#http?.prepare(config);
    const rtmp = (this.#listens ? config.listen : []).map((address): WantedPort => {
      return { key: rtmpKey(address), address, open: () => this.#openRtmp(address) };
    });
    await this.#ports.change([...http?.wanted ?? [], ...rtmp]);
    http?.use();
  }

  /** One of several threads leaves it to the others' coordinator to tell of it. */
  async #openRtmp(address: ListenAddress): Promise<OpenPort> {
    const shared = this.#link !== null;
    const listener = await listenTcp(address, (socket) => this.#accept(socket), shared);
    const where = `tcp://${formatAddress(listener.address)}`;
    if (!shared) serverLog.info(`RTMP listen at ${where}`);
    const release = () => {
      listener.close();
      if (!shared) serverLog.info(`RTMP listen no more at ${where}`);
    };
    return { address: listener.address, release };
  }

  #releaseRtmp(): void {
    this.#ports.release((key) => key.startsWith(RTMP_KEY));
  }

  #accept(socket: TcpSocket): RtmpSession | null {
    if (this.#admit(socket.remoteAddress, socket.remote)) return null;
    const log = lineBudget.log(newConnectionId(), socket.remoteAddress);
    const session = new RtmpSession(socket, this.#host, log);
    this.#registry.add(session);
    return session;
  }

  /** Lets a connection in, returning null, or says which limit is in the way. */
  #admit(address: string, remote: string): Refusal | null {
    if (this.#orphans) return { code: ErrorCode.LIMIT, reason: "the server drains" };
    const limit = this.#admission.admit(address, CLOCK.now());
    if (limit) this.#noteRefusal(remote, limit);
    return limit === null ? null : { code: ErrorCode.LIMIT, reason: limit };
  }

  #noteRefusal(remote: string, limit: string): void {
    this.#refused++;
    if (CLOCK.now() - this.#refusalLoggedAt < REFUSAL_LOG_MS) return;
    this.#refusalLoggedAt = CLOCK.now();
    serverLog.warn(`client ip=${remote} refused by ${limit}; ${this.#refused} refused so far`);
  }

  #tick(): void {
    // What has come during a pause is read first.
    if (!runClock.beat()) return;
    const now = CLOCK.now();
    this.#ticks++;
    const guard = faults;
    for (const session of this.#registry.sessions.values()) {
      guard.run("a session's tick", () => session.tick(now));
    }
    guard.run("the drain", () => this.#drainTick(now));
    guard.run("the summaries", () => this.#summarise(now));
    guard.run("the relays' tick", () => this.#relays.tick(now));
    guard.run("the streams' tick", () => {
      for (const stream of this.#hub.tick()) this.#registry.forget(stream);
    });
    guard.run("the workers' tick", () => this.#link?.tick());
    guard.run("the samples", () => {
      this.#registry.sampleShort();
      if (this.#ticks % (SAMPLE_INTERVAL_MS / TICK_MS) === 0) this.#registry.sample();
    });
    // Bun cannot tell the memory when no descriptor is left (H36).
    guard.run("the memory's tick", () => this.#memory.tick(now));
  }

  /** Resident memory without what connections and logs are expected to take. */
  #unaccountedBytes(): number {
    let bytes = process.memoryUsage().rss - this.#registry.sessions.size * CONNECTION_BYTES;
    for (const stream of this.#hub.streams) bytes -= stream.logBytes;
    return bytes;
  }

  /** While the server drains: clients that have just said what they want are asked too. */
  #drainTick(now: number): void {
    const orphans = this.#orphans;
    if (!orphans) return;
    for (const { session, role } of this.#registry.roles) {
      session.requestReconnect?.(RECONNECT_REASON, this.#reconnectTo);
      if (role.publish || role.stream.active) {
        orphans.delete(session.id);
        continue;
      }
      const since = orphans.get(session.id) ?? now;
      orphans.set(session.id, since);
      if (now - since >= ORPHAN_MS) session.shutdown(ORPHAN_REASON);
    }
  }

  /**
   * One line of figures for each connection every `pithy_print_ms`, with thousands of them as often as
   * the limit allows (SRS has them share one line per interval).
   */
  #summarise(now: number): void {
    lineBudget.tell(serverLog);
    let lines = 0;
    for (const session of this.#registry.sessions.values()) {
      // They stand in the order in which they are due.
      if (now - session.summarisedAt < this.#config.pithyPrintMs) return;
      if (lines === SUMMARIES_PER_TICK) return;
      const text = session.summary(now);
      this.#registry.moveToEnd(session);
      if (!text) continue;
      lines++;
      const { log } = session;
      if (log.figures) log.figures(text);
      else log.info(text);
    }
  }
}

/** Waits until clients have gone, but no longer than `ms`. */
async function gone(ms: number, done: () => boolean): Promise<void> {
  const deadline = CLOCK.now() + ms;
  while (!done() && CLOCK.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
  }
}

/** Lets the runtime's event loop take a whole turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(() => setImmediate(resolve), 0));
}
