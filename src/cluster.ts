/**
 * The server with several workers (`workers N`): this thread starts and watches them, knows which of
 * them has which stream, writes the log and serves HTTP. It has a part of the server of its own, with no
 * RTMP port: for FLV players, whose streams it gets from the workers as they do from one another.
 * @module
 */

import process from "node:process";
import type { Config, ListenAddress } from "./config/types.ts";
import type { ServerControl } from "./http/control.ts";
import { newIdentity } from "./log/ids.ts";
import { serverLog } from "./log/log.ts";
import { writeForwarded } from "./log/tank.ts";
import { findVhost } from "./config/types.ts";
import { outgoingRoom } from "./net/outgoing.ts";
import { within } from "./net/run_clock.ts";
import { assertFree, canReusePort, formatAddress } from "./net/tcp.ts";
import { type MessagePort, newWay, onPortMessage, Thread } from "./net/thread.ts";
import { httpService } from "./http_service.ts";
import { Server } from "./server.ts";
import { Directory } from "./workers/directory.ts";
import { EMPTY_REPORT, MergedView, reportOf } from "./workers/merged_view.ts";
import type { Report, ToCoordinator, ToPeer, ToWorker, WorkerStart } from "./workers/messages.ts";
import { admissionMemory, SharedAdmission } from "./workers/shared_admission.ts";
import { StreamLink } from "./workers/stream_link.ts";

/** ms between two looks at whether all workers still answer. */
const PING_MS = 1000;
/** Pings without an answer after which a worker counts as hung. Its longest flush takes a fraction. */
const MAX_SILENT_PINGS = 20;
/** ms before a worker that ended is replaced: one that always ends at once must not take a core. */
const RESTART_MS = 1000;
/** ms that the API waits for a worker's figures, and then shows the last ones. */
const REPORT_MS = 1000;
/** ms that workers have to reload: ports may take a second. */
const RELOAD_MS = 5000;
/** ms that workers have to stop: somewhat more than the bounds of `Server.stop` together. */
const STOP_MS = 1200;

/** Where the workers' program is. A test may have its own, which does what a worker never should. */
const WORKER_PROGRAM = new URL("./worker.ts", import.meta.url);

/** This thread, among the workers. */
const SELF = 0;

/** A worker, as the coordinator sees it. */
interface Member {
  readonly number: number;
  readonly column: number;
  readonly thread: Thread;
  /** The way to this thread's own part of the server. */
  readonly port: MessagePort;
  report: Report;
  silentPings: number;
  /** Settles the start. */
  readonly started: PromiseWithResolvers<readonly ListenAddress[]>;
  readonly stopped: PromiseWithResolvers<void>;
}

/** A question to all workers. */
interface Poll {
  readonly waiting: Set<number>;
  readonly done: () => void;
  known: boolean;
}

/** A started server with several workers. */
export class Cluster {
  #config: Config;
  readonly #identity = newIdentity();
  readonly #workers: number;
  readonly #control: ServerControl | null;
  readonly #program: URL;
  readonly #members = new Map<number, Member>();
  readonly #directory: Directory;
  readonly #memory: SharedArrayBuffer;
  readonly #admission: SharedAdmission;
  readonly #view: MergedView;
  readonly #polls = new Map<number, Poll>();
  readonly #restarts = new Set<ReturnType<typeof setTimeout>>();
  #refreshing: Promise<void> | null = null;
  #nextWorker = 1;
  #nextPoll = 1;
  /** Why a worker could not reload. */
  #refused: string | null = null;
  #stopping = false;
  /** Since the drain began no worker is started any more. */
  #draining = false;
  #addresses: readonly ListenAddress[] = [];
  readonly #link: StreamLink;
  /** What stands for a key that somebody has claimed: vhost, app, name. */
  readonly #names = new Map<string, readonly [string, string, string]>();
  /** Streams that are live somewhere. */
  readonly #live = new Set<string>();
  /** Streams that are live, and kept here for FLV players. */
  readonly #kept = new Map<string, () => void>();
  #server: Server | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Starts so many workers.
   * @throws Error with the cure when this runtime cannot do it, or a port cannot be had.
   */
  static async start(
    config: Config,
    workers: number,
    control: ServerControl | null = null,
    program: URL = WORKER_PROGRAM,
  ): Promise<Cluster> {
    if (!await canReusePort()) throw new Error(noReusePort(workers));
    const cluster = new Cluster(config, workers, control, program);
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  private constructor(
    config: Config,
    workers: number,
    control: ServerControl | null,
    program: URL,
  ) {
    this.#config = config;
    this.#control = control;
    this.#workers = workers;
    this.#program = program;
    this.#directory = new Directory(
      (worker, message) => this.#send(worker, message),
      (key, live) => this.#keep(key, live),
    );
    this.#link = new StreamLink({
      coordinator: (message) => this.#fromThread(SELF, message),
      peer: (worker, message) => this.#members.get(worker)?.port.postMessage(message),
    });
    this.#memory = admissionMemory(config, workers + 1);
    this.#admission = new SharedAdmission(config, this.#memory, workers + 1, workers);
    this.#view = new MergedView(this.#identity, process.pid, {
      refresh: () => this.#refresh(),
      reports: { [Symbol.iterator]: () => this.#reports() },
      kick: (client) => this.#kick(client),
    });
  }

  /** Where RTMP is served. */
  get rtmpAddresses(): readonly ListenAddress[] {
    return this.#addresses;
  }

  /** Where the HTTP API is served; null if nowhere. */
  get httpAddress(): ListenAddress | null {
    return this.#server?.httpAddress ?? null;
  }

  /** What is in effect. */
  get config(): Config {
    return this.#config;
  }

  /** Connections of RTMP clients, and players of any kind, of all workers. */
  get clients(): number {
    return this.#admission.open;
  }

  /**
   * Goes over to another configuration, in all threads or in none; see `Server.reload`.
   * @throws Error with the cure; nothing has changed then.
   */
  async reload(config: Config): Promise<void> {
    const old = this.#bound;
    const known = old.listen.map(formatAddress);
    const fresh = config.listen.filter((address) => !known.includes(formatAddress(address)));
    // One that has to make way for its successor is released by the workers.
    const ports = old.listen.map(({ port }) => port);
    for (const address of fresh) if (!ports.includes(address.port)) await assertFree(address);
    try {
      await this.#reloadWorkers(config);
      await this.#server?.reload(config);
    } catch (error) {
      await this.#reloadWorkers(old);
      throw error;
    }
    this.#config = config;
    this.#addresses = config.listen;
    this.#admission.configure(config);
    for (const key of this.#live) this.#keep(key, true);
    const now = config.listen.map(formatAddress);
    for (const address of now.filter((one) => !known.includes(one))) {
      serverLog.info(`RTMP listen at tcp://${address}, ${this.#workers} workers`);
    }
    for (const address of known.filter((one) => !now.includes(one))) {
      serverLog.info(`RTMP listen no more at tcp://${address}`);
    }
  }

  /** No new clients in any thread; see `Server.drain`. */
  drain(reconnectTo: string | null): void {
    this.#draining = true;
    for (const number of this.#members.keys()) this.#send(number, { kind: "drain", reconnectTo });
    this.#server?.drain(reconnectTo);
    for (const address of this.#addresses) {
      serverLog.info(`RTMP listen no more at tcp://${formatAddress(address)}`);
    }
  }

  /** Ends every connection of every worker in an orderly way, then the workers. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const timer of this.#restarts) clearTimeout(timer);
    const members = [...this.#members.values()];
    for (const { number } of members) this.#send(number, { kind: "stop" });
    await this.#server?.stop();
    await within(STOP_MS, Promise.all(members.map(({ stopped }) => stopped.promise)));
    await Promise.all(members.map(({ thread }) => thread.terminate()));
  }

  /** HTTP first, as with one worker. */
  async #start(): Promise<void> {
    const workers = this.#workers;
    for (const address of this.#config.listen) await assertFree(address);
    this.#server = await Server.start(
      this.#config,
      (_own, flv) => httpService(this.#control)(this.#view, flv),
      {
        link: this.#link,
        identity: this.#identity,
        listens: false,
        admission: {
          admit: (address) => this.#admission.admit(address, Date.now()),
          leave: (address) => this.#admission.leave(address),
          // That is for all threads, and done by `reload`.
          configure: () => {},
        },
        listen: this.#config.listen,
      },
    );
    const first = this.#add(0, this.#config).started.promise;
    // A port that the system chooses must be the same for all. Otherwise all begin together: until the
    // last one is there, the others get its share of the connections.
    if (this.#config.listen.some(({ port }) => port === 0)) this.#addresses = await first;
    else this.#addresses = this.#config.listen;
    const rest = Array.from({ length: workers - 1 }, (_, i) => this.#add(i + 1, this.#bound));
    await Promise.all([first, ...rest.map(({ started }) => started.promise)]);
    for (const address of this.#addresses) {
      serverLog.info(
        `RTMP listen at tcp://${formatAddress(address)}, ${workers} workers`,
      );
    }
    this.#timer = setInterval(() => this.#ping(), PING_MS);
  }

  /** The configuration with the ports that were really had. */
  get #bound(): Config {
    return { ...this.#config, listen: this.#addresses };
  }

  #add(column: number, config: Config): Member {
    const number = this.#nextWorker++;
    const start: WorkerStart = {
      identity: this.#identity,
      worker: number,
      config,
      admission: this.#memory,
      columns: this.#workers + 1,
      column,
      outgoing: Math.max(1, Math.floor(outgoingRoom() / this.#workers)),
    };
    let failure: Error | null = null;
    const thread = new Thread(this.#program, start, {
      message: (message) => this.#receive(member, message as ToCoordinator),
      failed: (error) => {
        failure = error;
      },
      ended: () => this.#ended(member, failure),
    });
    const [port, itsPort] = newWay();
    onPortMessage(port, (message) => {
      if (this.#members.get(number) === member) this.#link.fromPeer(number, message as ToPeer);
    });
    thread.post({ kind: "peer", worker: SELF, port: itsPort }, [itsPort]);
    const member: Member = {
      number,
      column,
      thread,
      port,
      report: EMPTY_REPORT,
      silentPings: 0,
      started: Promise.withResolvers(),
      stopped: Promise.withResolvers(),
    };
    // Only the first start is waited for.
    member.started.promise.catch(() => {});
    for (const other of this.#members.values()) {
      const [here, there] = newWay();
      thread.post({ kind: "peer", worker: other.number, port: there }, [there]);
      other.thread.post({ kind: "peer", worker: number, port: here }, [here]);
    }
    this.#members.set(number, member);
    return member;
  }

  #send(worker: number, message: ToWorker): void {
    if (worker === SELF) this.#link.fromCoordinator(message);
    else this.#members.get(worker)?.thread.post(message);
  }

  #receive(member: Member, message: ToCoordinator): void {
    const { number } = member;
    // A thread that has ended may still be heard.
    if (message.kind !== "log" && this.#members.get(number) !== member) return;
    switch (message.kind) {
      case "started":
        return member.started.resolve(message.addresses);
      case "failed":
        return member.started.reject(new Error(message.reason));
      case "log":
        for (const { line, level } of message.lines) writeForwarded(line, level);
        return;
      case "report":
        this.#view.replaced(member.report, message.report);
        member.report = message.report;
        return this.#answered(message.id, number, false);
      case "kicked":
        return this.#answered(message.id, number, message.known);
      case "pong":
        member.silentPings = 0;
        return;
      case "reloaded":
        this.#refused ??= message.reason;
        return this.#answered(message.id, number, message.reason === null);
      case "stopped":
        return member.stopped.resolve();
      default:
        this.#fromThread(number, message);
    }
  }

  /** What concerns streams. */
  #fromThread(worker: number, message: ToCoordinator): void {
    const directory = this.#directory;
    switch (message.kind) {
      case "watch":
        return directory.watch(worker, message.key);
      case "unwatch":
        return directory.unwatch(worker, message.key);
      case "claim":
        this.#names.set(message.key, [message.vhost, message.app, message.name]);
        return directory.claim(worker, message.id, message.key, message.address);
      case "clear":
        return directory.clear(worker, message.id, message.key, message.address);
      case "cleared":
        return directory.cleared(worker, message.id, message.found);
      case "release":
        return directory.release(worker, message.key, message.epoch);
      case "yielded":
        return directory.yielded(worker, message.key, message.yes, message.putOut);
    }
  }

  /** While a stream is live that FLV players may ask for, it is here too. */
  #keep(key: string, live: boolean): void {
    const names = this.#names.get(key);
    if (live) this.#live.add(key);
    if (!live) {
      this.#live.delete(key);
      this.#names.delete(key);
      this.#kept.get(key)?.();
      this.#kept.delete(key);
    } else if (names && this.#server && !this.#kept.has(key)) {
      const [vhostName, app, name] = names;
      const vhost = findVhost(this.#config, vhostName);
      if (!vhost?.httpRemux.enabled) return;
      this.#kept.set(key, this.#server.keep(key, vhost, app, name));
    }
  }

  // ---- the life of a worker

  #ended(member: Member, failure: Error | null): void {
    const { number, column } = member;
    if (!this.#members.delete(number)) return;
    member.stopped.resolve();
    member.started.reject(failure ?? new Error(`worker ${number} ended while it started`));
    this.#admission.forget(column);
    this.#view.retire(member.report);
    for (const poll of this.#polls.values()) {
      if (poll.waiting.delete(number) && poll.waiting.size === 0) poll.done();
    }
    if (this.#stopping) return;
    const successor = this.#draining ? "" : `; another one starts in ${RESTART_MS} ms`;
    serverLog.error(
      `worker ${number} has ended and its connections with it${successor}`,
      undefined,
      failure ?? undefined,
    );
    member.port.close();
    for (const other of [SELF, ...this.#members.keys()]) {
      this.#send(other, { kind: "gone", worker: number });
    }
    this.#directory.gone(number);
    if (this.#draining) return;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.#replace(column);
    }, RESTART_MS);
    this.#restarts.add(timer);
  }

  async #replace(column: number): Promise<void> {
    if (this.#draining) return;
    const config = this.#config;
    const member = this.#add(column, this.#bound);
    try {
      await member.started.promise;
      // A reload that came in between has not reached it.
      if (this.#config !== config) {
        this.#send(member.number, { kind: "reload", id: 0, config: this.#bound });
      }
      if (this.#draining) this.#send(member.number, { kind: "drain", reconnectTo: null });
      serverLog.info(`worker ${member.number} has started`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      serverLog.error(`worker ${member.number} cannot start: ${reason}`);
      await member.thread.terminate();
    }
  }

  /** One that does not answer is ended, which `#ended` then sees. */
  #ping(): void {
    for (const member of this.#members.values()) {
      if (++member.silentPings > MAX_SILENT_PINGS) {
        serverLog.error(`worker ${member.number} has not answered for ${MAX_SILENT_PINGS} s`);
        void member.thread.terminate();
      } else {
        this.#send(member.number, { kind: "ping" });
      }
    }
  }

  /** @throws Error with the reason of one that cannot do it. */
  async #reloadWorkers(config: Config): Promise<void> {
    this.#refused = null;
    await this.#poll((id) => ({ kind: "reload", id, config }), RELOAD_MS);
    if (this.#refused !== null) throw new Error(this.#refused);
  }

  // ---- figures

  *#reports(): IterableIterator<Report> {
    if (this.#server) yield reportOf(this.#server.view);
    for (const { report } of this.#members.values()) yield report;
  }

  /** Requests that come while one is being answered share its answer. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#poll((id) => ({ kind: "report", id })).then(() => {
      this.#refreshing = null;
      this.#view.forget();
    });
    return this.#refreshing;
  }

  async #kick(client: string): Promise<boolean> {
    if (await this.#server?.view.kick(client)) return true;
    return await this.#poll((id) => ({ kind: "kick", id, client }));
  }

  /** Asks all workers; true when one of them knew. */
  async #poll(question: (id: number) => ToWorker, limitMs = REPORT_MS): Promise<boolean> {
    const id = this.#nextPoll++;
    const { promise, resolve } = Promise.withResolvers<void>();
    const poll: Poll = { waiting: new Set(this.#members.keys()), done: resolve, known: false };
    this.#polls.set(id, poll);
    for (const number of poll.waiting) this.#send(number, question(id));
    if (poll.waiting.size > 0) await within(limitMs, promise);
    this.#polls.delete(id);
    return poll.known;
  }

  #answered(id: number, worker: number, known: boolean): void {
    const poll = this.#polls.get(id);
    if (!poll?.waiting.delete(worker)) return;
    poll.known ||= known;
    if (poll.waiting.size === 0) poll.done();
  }
}

function noReusePort(workers: number): string {
  const { deno, bun } = process.versions;
  const runtime = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : "this runtime";
  return `workers ${workers}: ${runtime} cannot listen on one port in several threads on this ` +
    "system. On Linux, Deno 2.9 or Bun 1.4 can: use one of them, or say: workers 1;";
}
