/**
 * The running server: listeners, hub, sessions, HTTP, and the one timer behind all deadlines.
 * @module
 */

import process from "node:process";
import { Admission } from "./admission.ts";
import type { Config, ListenAddress, VhostConfig } from "./config/types.ts";
import type { FlvHost } from "./http/flv_routes.ts";
import { SAMPLE_INTERVAL_MS } from "./http/kbps.ts";
import type { HttpListeners } from "./http/listeners.ts";
import type { ServerView } from "./http/view.ts";
import type { Clock } from "./live/clock.ts";
import { Hub } from "./live/hub.ts";
import { Gate } from "./hooks/gate.ts";
import { HookCaller } from "./hooks/hook_caller.ts";
import { STOP_GRACE_MS } from "./hooks/limits.ts";
import { entryIdOf, newConnectionId, newIdentity, type ServerIdentity } from "./log/ids.ts";
import { connectionLog, serverLog } from "./log/log.ts";
import { LoopLag } from "./loop_lag.ts";
import { CONNECTION_BYTES, MemoryKeeper } from "./memory_keeper.ts";
import { findCollector } from "./net/collector.ts";
import { formatAddress, listenTcp, type TcpListener, type TcpSocket } from "./net/tcp.ts";
import { Registry } from "./registry.ts";
import { IdleReaders } from "./session/idle_readers.ts";
import { NO_CLAIMS } from "./session/phase.ts";
import { RtmpSession, type RtmpSessionHost } from "./session/rtmp_session.ts";
import { SERVER_NAME, VERSION } from "./version.ts";
import type { StreamLink } from "./workers/stream_link.ts";

/** ms between two rounds of deadlines and housekeeping. */
const TICK_MS = 1000;
/** ms that `stop` gives the peers to take their last bytes. */
const STOP_TIMEOUT_MS = 3000;
/** Summary lines in one tick: 200 connections get one every 10 s, and logging stays cheap. */
const SUMMARIES_PER_TICK = 20;
/** ms between two log lines about refused connections. */
const REFUSAL_LOG_MS = 10_000;

const CLOCK: Clock = {
  now: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

/** Who may connect; see `Admission`. */
export interface ConnectionLimits {
  admit(address: string, nowMs: number): string | null;
  leave(address: string): void;
}

/** What a server gets from outside when it is one of several threads. */
export interface WorkerParts {
  readonly link: StreamLink;
  readonly admission: ConnectionLimits;
  readonly identity: ServerIdentity;
}

/**
 * Serves HTTP for a server. Not imported here, since a worker has none, and none of the packages either:
 * Bun does not find them in a thread.
 */
export type HttpService = (
  config: Config,
  view: ServerView,
  flv: FlvHost,
) => Promise<HttpListeners>;

/** A started server, or the part of it that one thread is. */
export class Server {
  readonly #config: Config;
  readonly #hub: Hub;
  readonly #loop: LoopLag;
  readonly #registry: Registry;
  readonly #host: RtmpSessionHost;
  readonly #flv: FlvHost;
  readonly #admission: ConnectionLimits;
  readonly #link: StreamLink | null;
  readonly #memory = new MemoryKeeper(() => this.#unaccountedBytes(), findCollector());
  readonly #gate: Gate;
  readonly #rtmp: TcpListener[] = [];
  #http: HttpListeners | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  #refused = 0;
  #refusalLoggedAt = -Infinity;

  /**
   * Starts listening. `http` begins to serve HTTP; null: not here. `worker`: it is one of several,
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
      // First: whoever sees the RTMP port open finds everything there.
      if (http) server.#http = await http(config, server.#registry, server.#flv);
      await server.#listen();
    } catch (error) {
      await server.stop();
      throw error;
    }
    server.#timer = setInterval(() => server.#tick(), TICK_MS);
    return server;
  }

  private constructor(config: Config, worker: WorkerParts | null) {
    this.#config = config;
    this.#admission = worker?.admission ?? new Admission(config);
    this.#link = worker?.link ?? null;
    this.#hub = new Hub(CLOCK, VERSION, this.#link);
    this.#link?.attach(this.#hub);
    this.#loop = new LoopLag(CLOCK.now);
    const { identity } = worker ?? { identity: newIdentity() };
    this.#registry = new Registry(
      identity,
      process.pid,
      CLOCK.now,
      this.#hub,
      this.#loop,
      worker ? (key) => entryIdOf(`${identity.serviceId} ${key}`) : undefined,
    );
    const serverName = `${SERVER_NAME}/${VERSION}`;
    this.#gate = new Gate(identity, new HookCaller(serverName));
    this.#host = {
      config,
      hub: this.#hub,
      clock: CLOCK,
      idleReaders: new IdleReaders(CLOCK),
      claims: this.#link ?? NO_CLAIMS,
      gate: this.#gate,
      serverName,
      pid: process.pid,
      streamId: (stream, tcUrl) => this.#registry.streamId(stream, tcUrl),
      roleChanged: (session, role) => this.#registry.roleChanged(session, role),
      finished: (session) => {
        this.#registry.remove(session);
        this.#admission.leave(session.socket.remoteAddress);
      },
    };
    this.#flv = {
      config,
      hub: this.#hub,
      clock: CLOCK,
      admit: (address) => this.#admit(address, address),
      dismiss: (address) => this.#admission.leave(address),
      gate: this.#gate,
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
    return this.#rtmp.map((listener) => listener.address);
  }

  /** The figures of this thread. */
  get view(): ServerView {
    return this.#registry;
  }

  /** Where the HTTP API is served; null if nowhere. */
  get httpAddress(): ListenAddress | null {
    return this.#http?.addressOf("api") ?? null;
  }

  /** Has a stream here although nobody asks for it, until the result is called. */
  keep(key: string, vhost: VhostConfig, app: string, name: string): () => void {
    const stream = this.#hub.obtain(key, vhost, app, name);
    stream.reserve();
    return () => stream.unreserve();
  }

  /** Ends every connection in an orderly way, and closes the listeners. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#loop.stop();
    for (const listener of this.#rtmp) listener.close();
    for (const session of this.#registry.sessions.values()) session.shutdown();
    const deadline = CLOCK.now() + STOP_TIMEOUT_MS;
    while (this.#registry.sessions.size > 0 && CLOCK.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await this.#gate.settle(STOP_GRACE_MS);
    await this.#http?.close();
  }

  async #listen(): Promise<void> {
    const shared = this.#link !== null;
    for (const address of this.#config.listen) {
      const listener = await listenTcp(address, (socket) => this.#accept(socket), shared);
      this.#rtmp.push(listener);
      if (shared) continue;
      serverLog.info(`RTMP listen at tcp://${formatAddress(listener.address)}`);
    }
  }

  #accept(socket: TcpSocket): RtmpSession | null {
    if (this.#admit(socket.remoteAddress, socket.remote)) return null;
    const session = new RtmpSession(socket, this.#host, connectionLog(newConnectionId()));
    this.#registry.add(session);
    return session;
  }

  /** Lets a connection in, returning null, or says which limit is in the way. */
  #admit(address: string, remote: string): string | null {
    const limit = this.#admission.admit(address, CLOCK.now());
    if (limit) this.#noteRefusal(remote, limit);
    return limit;
  }

  #noteRefusal(remote: string, limit: string): void {
    this.#refused++;
    if (CLOCK.now() - this.#refusalLoggedAt < REFUSAL_LOG_MS) return;
    this.#refusalLoggedAt = CLOCK.now();
    serverLog.warn(`client ip=${remote} refused by ${limit}; ${this.#refused} refused so far`);
  }

  #tick(): void {
    const now = CLOCK.now();
    this.#ticks++;
    for (const session of this.#registry.sessions.values()) session.tick(now);
    this.#summarise(now);
    for (const stream of this.#hub.tick()) this.#registry.forget(stream);
    this.#link?.tick();
    this.#registry.sampleShort();
    if (this.#ticks % (SAMPLE_INTERVAL_MS / TICK_MS) === 0) this.#registry.sample();
    this.#memory.tick(now);
  }

  /** Resident memory without what connections and logs are expected to take. */
  #unaccountedBytes(): number {
    let bytes = process.memoryUsage().rss - this.#registry.sessions.size * CONNECTION_BYTES;
    for (const stream of this.#hub.streams) bytes -= stream.logBytes;
    return bytes;
  }

  /**
   * One line of figures for each connection every `pithy_print_ms`, with thousands of them as often as
   * the limit allows (SRS has them share one line per interval).
   */
  #summarise(now: number): void {
    let lines = 0;
    for (const session of this.#registry.sessions.values()) {
      // They stand in the order in which they are due.
      if (now - session.summarisedAt < this.#config.pithyPrintMs) return;
      if (lines === SUMMARIES_PER_TICK) return;
      const text = session.summary(now);
      this.#registry.moveToEnd(session);
      if (!text) continue;
      lines++;
      session.log.info(text);
    }
  }
}
