/**
 * The server with several workers (`workers N`): this thread knows which of them has which stream,
 * writes the log and serves HTTP. It has a part of the server of its own, with no RTMP port: for FLV
 * players, whose streams it gets from the workers as they do from one another.
 * @module
 */

import process from "node:process";
import { type Config, findVhost, type ListenAddress } from "../config/types.ts";
import { newIdentity } from "../log/ids.ts";
import { serverLog } from "../log/log.ts";
import { writeForwarded } from "../log/sink.ts";
import { outgoingRoom } from "../net/outgoing.ts";
import { assertFree, canReusePort, formatAddress } from "../net/tcp.ts";
import { EMPTY_REPORT, MergedView, reportOf } from "../stats/merged_view.ts";
import type { Report } from "../stats/view.ts";
import { Directory } from "./directory.ts";
import { RELOAD_MS, REPORT_MS } from "./limits.ts";
import type { ToCoordinator, ToPeer, ToWorker } from "./messages.ts";
import type { ServerPart, StartPart } from "./part.ts";
import { Polls } from "./poll.ts";
import { admissionMemory, SharedAdmission } from "./shared_admission.ts";
import { StreamLink } from "./stream_link.ts";
import { SELF, type StartOf, type StartThread, Supervisor } from "./supervisor.ts";

/** How the coordinator starts what it needs. */
export interface CoordinatorParts {
  /** Its own part of the server. */
  readonly startPart: StartPart;
  /** The workers' program. */
  readonly program: URL;
  /** Default: a thread. */
  readonly startThread?: StartThread;
}

/** A started server with several workers. */
export class Coordinator {
  #config: Config;
  /** The configuration with the ports that were really had. */
  #bound: Config;
  readonly #identity = newIdentity();
  readonly #workers: number;
  readonly #supervisor: Supervisor;
  readonly #directory: Directory;
  readonly #link: StreamLink;
  readonly #memory: SharedArrayBuffer;
  readonly #admission: SharedAdmission;
  readonly #view: MergedView;
  readonly #polls = new Polls();
  /** The newest figures of each worker. */
  readonly #newest = new Map<number, Report>();
  #refreshing: Promise<void> | null = null;
  /** Why a worker could not reload. */
  #refused: string | null = null;
  #stopping = false;
  #draining = false;
  /** What stands for a key that a client has claimed: vhost, app, name. */
  readonly #names = new Map<string, readonly [string, string, string]>();
  /** Streams that are live somewhere. */
  readonly #live = new Set<string>();
  /** Streams that are live, and kept here for FLV players. */
  readonly #kept = new Map<string, () => void>();
  #part: ServerPart | null = null;

  /**
   * Starts so many workers.
   * @throws Error with the cure when this runtime cannot do it, or a port cannot be had.
   */
  static async start(
    config: Config,
    workers: number,
    parts: CoordinatorParts,
  ): Promise<Coordinator> {
    if (!await canReusePort()) throw new Error(noReusePort(workers));
    const coordinator = new Coordinator(config, workers, parts);
    try {
      await coordinator.#start(parts.startPart);
    } catch (error) {
      await coordinator.stop();
      throw error;
    }
    return coordinator;
  }

  private constructor(config: Config, workers: number, parts: CoordinatorParts) {
    this.#config = this.#bound = config;
    this.#workers = workers;
    this.#supervisor = new Supervisor(parts.program, {
      startOf: (column) => this.#startOf(column),
      message: (worker, message) => this.#receive(worker, message),
      peerMessage: (worker, message) => this.#link.fromPeer(worker, message),
      ended: (worker, column) => this.#ended(worker, column),
      replaced: (worker, start) => this.#replaced(worker, start),
    }, parts.startThread);
    this.#directory = new Directory(
      (worker, message) => this.#send(worker, message),
      (key, live) => this.#keep(key, live),
    );
    this.#link = new StreamLink({
      coordinator: (message) => this.#fromThread(SELF, message),
      peer: (worker, message: ToPeer) => this.#supervisor.sendPeer(worker, message),
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
    return this.#bound.listen;
  }

  /** Where the HTTP API is served; null if nowhere. */
  get httpAddress(): ListenAddress | null {
    return this.#part?.httpAddress ?? null;
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
      await this.#part?.reload(config);
    } catch (error) {
      await this.#reloadWorkers(old);
      throw error;
    }
    this.#config = this.#bound = config;
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
    this.#supervisor.drain();
    for (const worker of this.#supervisor.workers) {
      this.#send(worker, { kind: "drain", reconnectTo });
    }
    this.#part?.drain(reconnectTo);
    for (const address of this.#bound.listen) {
      serverLog.info(`RTMP listen no more at tcp://${formatAddress(address)}`);
    }
  }

  /** Ends every connection of every worker in an orderly way, then the workers. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#supervisor.beginStop();
    await this.#part?.stop();
    await this.#supervisor.finishStop();
  }

  /** HTTP first, as with one worker. */
  async #start(startPart: StartPart): Promise<void> {
    const workers = this.#workers;
    for (const address of this.#config.listen) await assertFree(address);
    this.#part = await startPart(this.#config, {
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
    }, this.#view);
    const first = this.#supervisor.start(0);
    // A port that the system chooses must be the same for all. Otherwise all begin together: until the
    // last one is there, the others get its share of the connections.
    if (this.#config.listen.some(({ port }) => port === 0)) {
      this.#bound = { ...this.#config, listen: await first };
    }
    const rest = Array.from({ length: workers - 1 }, (_, i) => this.#supervisor.start(i + 1));
    await Promise.all([first, ...rest]);
    for (const address of this.#bound.listen) {
      serverLog.info(
        `RTMP listen at tcp://${formatAddress(address)}, ${workers} workers`,
      );
    }
    this.#supervisor.watch();
  }

  #startOf(column: number): StartOf {
    return {
      identity: this.#identity,
      config: this.#bound,
      admission: this.#memory,
      columns: this.#workers + 1,
      column,
      outgoing: Math.max(1, Math.floor(outgoingRoom() / this.#workers)),
    };
  }

  #send(worker: number, message: ToWorker): void {
    if (worker === SELF) this.#link.fromCoordinator(message);
    else this.#supervisor.send(worker, message);
  }

  #receive(worker: number, message: ToCoordinator): void {
    switch (message.kind) {
      case "log":
        for (const { line, level } of message.lines) writeForwarded(line, level);
        return;
      case "report":
        this.#view.replaced(this.#newest.get(worker) ?? EMPTY_REPORT, message.report);
        this.#newest.set(worker, message.report);
        return this.#polls.answered(message.id, worker, false);
      case "kicked":
        return this.#polls.answered(message.id, worker, message.known);
      case "reloaded":
        this.#refused ??= message.reason;
        return this.#polls.answered(message.id, worker, message.reason === null);
      default:
        this.#fromThread(worker, message);
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
        return directory.yielded(worker, message.key, message.yes, message.evicted);
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
    } else if (names && this.#part && !this.#kept.has(key)) {
      const [vhostName, app, name] = names;
      const vhost = findVhost(this.#config, vhostName);
      if (!vhost?.httpRemux.enabled) return;
      this.#kept.set(key, this.#part.keep(key, vhost, app, name));
    }
  }

  #ended(worker: number, column: number): void {
    this.#admission.forget(column);
    this.#view.retire(this.#newest.get(worker) ?? EMPTY_REPORT);
    this.#newest.delete(worker);
    this.#polls.gone(worker);
    if (this.#stopping) return;
    this.#link.fromCoordinator({ kind: "gone", worker });
    this.#directory.gone(worker);
  }

  /** What has happened since it was started has not reached it. */
  #replaced(worker: number, start: StartOf): void {
    if (this.#bound !== start.config) {
      this.#send(worker, { kind: "reload", id: 0, config: this.#bound });
    }
    if (this.#draining) this.#send(worker, { kind: "drain", reconnectTo: null });
  }

  /** @throws Error with the reason of one that cannot do it. */
  async #reloadWorkers(config: Config): Promise<void> {
    this.#refused = null;
    await this.#ask((id) => ({ kind: "reload", id, config }), RELOAD_MS);
    if (this.#refused !== null) throw new Error(this.#refused);
  }

  *#reports(): IterableIterator<Report> {
    if (this.#part) yield reportOf(this.#part.view);
    for (const worker of this.#supervisor.workers) {
      yield this.#newest.get(worker) ?? EMPTY_REPORT;
    }
  }

  /** Requests that come while one is being answered share its answer. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#ask((id) => ({ kind: "report", id })).then(() => {
      this.#refreshing = null;
      this.#view.forget();
    });
    return this.#refreshing;
  }

  async #kick(client: string): Promise<boolean> {
    if (await this.#part?.view.kick(client)) return true;
    return await this.#ask((id) => ({ kind: "kick", id, client }));
  }

  /** Asks all workers; true when one of them said yes. */
  #ask(question: (id: number) => ToWorker, limitMs = REPORT_MS): Promise<boolean> {
    return this.#polls.ask(this.#supervisor.workers, limitMs, (worker, id) => {
      this.#send(worker, question(id));
    });
  }
}

function noReusePort(workers: number): string {
  const { deno, bun } = process.versions;
  const runtime = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : "this runtime";
  return `workers ${workers}: ${runtime} cannot listen on one port in several threads on this ` +
    "system. On Linux, Deno 2.9 or Bun 1.4 can: use one of them, or say: workers 1;";
}
