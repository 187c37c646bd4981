/**
 * The lives of the workers: a worker is started, asked whether it still answers, replaced when it has
 * ended, and stopped. What workers say otherwise is for the host.
 * @module
 */

import type { ListenAddress } from "../config/types.ts";
import { serverLog } from "../log/log.ts";
import { within } from "../net/run_clock.ts";
import {
  type MessagePort,
  newWay,
  onPortMessage,
  Thread,
  type ThreadEvents,
} from "../net/thread.ts";
import { MAX_SILENT_PINGS, PING_MS, RESTART_MS, STOP_MS } from "./limits.ts";
import type { ToCoordinator, ToPeer, ToWorker, WorkerStart } from "./messages.ts";

/** The coordinator's thread, among the workers. */
export const SELF = 0;

/** What a worker is started with, but for its number. */
export type StartOf = Omit<WorkerStart, "worker">;

/** Whom the workers work for. */
export interface SupervisorHost {
  /** What a worker in this column is started with now. */
  startOf(column: number): StartOf;
  /** A worker says something; `log` may come from a worker that has ended. */
  message(worker: number, message: ToCoordinator): void;
  /** A worker says something to the coordinator's own part of the server. */
  peerMessage(worker: number, message: ToPeer): void;
  /** A worker has ended, and its ways to the others are closed. */
  ended(worker: number, column: number): void;
  /** A worker that takes the place of one that has ended has started with `start`. */
  replaced(worker: number, start: StartOf): void;
}

/** How a thread is started; a test has its own. */
export type StartThread = (
  program: URL,
  data: WorkerStart,
  events: ThreadEvents,
) => Pick<Thread, "post" | "terminate">;

/** A worker, as the supervisor sees it. */
interface Member {
  readonly number: number;
  readonly column: number;
  readonly thread: ReturnType<StartThread>;
  /** The way to the coordinator's own part of the server. */
  readonly port: MessagePort;
  silentPings: number;
  /** Settles the start. */
  readonly started: PromiseWithResolvers<readonly ListenAddress[]>;
  readonly stopped: PromiseWithResolvers<void>;
}

/** All workers of the server. */
export class Supervisor {
  readonly #program: URL;
  readonly #host: SupervisorHost;
  readonly #startThread: StartThread;
  readonly #members = new Map<number, Member>();
  readonly #restarts = new Set<ReturnType<typeof setTimeout>>();
  #nextWorker = 1;
  /** Whether a worker that ends is replaced. */
  #replaces = true;
  /** Whether the end of a worker is wanted. */
  #stopping = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(program: URL, host: SupervisorHost, startThread: StartThread = newThread) {
    this.#program = program;
    this.#host = host;
    this.#startThread = startThread;
  }

  /** The numbers of the workers that are there. */
  get workers(): IterableIterator<number> {
    return this.#members.keys();
  }

  /**
   * Starts a worker.
   * @returns Where it listens, once it does. Rejected with the reason when it cannot start.
   */
  start(column: number): Promise<readonly ListenAddress[]> {
    return this.#add(this.#host.startOf(column)).started.promise;
  }

  /** Asks from now on whether the workers still answer. */
  watch(): void {
    this.#timer = setInterval(() => this.#ping(), PING_MS);
  }

  /** A worker that has ended hears nothing. */
  send(worker: number, message: ToWorker): void {
    this.#members.get(worker)?.thread.post(message);
  }

  /** From the coordinator's own part of the server. */
  sendPeer(worker: number, message: ToPeer): void {
    this.#members.get(worker)?.port.postMessage(message);
  }

  /** No worker is started any more. */
  drain(): void {
    this.#replaces = false;
  }

  /** Asks all workers to end their connections and themselves. */
  beginStop(): void {
    this.#stopping = true;
    this.#replaces = false;
    clearInterval(this.#timer);
    for (const timer of this.#restarts) clearTimeout(timer);
    this.#restarts.clear();
    for (const number of this.workers) this.send(number, { kind: "stop" });
  }

  /** Waits for their ends, and then ends those that are left. */
  async finishStop(): Promise<void> {
    const members = [...this.#members.values()];
    await within(STOP_MS, Promise.all(members.map(({ stopped }) => stopped.promise)));
    await Promise.all(members.map(({ thread }) => thread.terminate()));
  }

  #add(start: StartOf): Member {
    const number = this.#nextWorker++;
    let failure: Error | null = null;
    const thread = this.#startThread(this.#program, { ...start, worker: number }, {
      message: (message) => this.#receive(member, message as ToCoordinator),
      failed: (error) => {
        failure = error;
      },
      ended: () => this.#ended(member, failure),
    });
    const [port, itsPort] = newWay();
    onPortMessage(port, (message) => {
      if (this.#members.get(number) === member) this.#host.peerMessage(number, message as ToPeer);
    });
    thread.post({ kind: "peer", worker: SELF, port: itsPort }, [itsPort]);
    const member: Member = {
      number,
      column: start.column,
      thread,
      port,
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

  #receive(member: Member, message: ToCoordinator): void {
    const { number } = member;
    // A thread that has ended may still be heard.
    if (message.kind !== "log" && this.#members.get(number) !== member) return;
    switch (message.kind) {
      case "started":
        return member.started.resolve(message.addresses);
      case "failed":
        return member.started.reject(new Error(message.reason));
      case "pong":
        member.silentPings = 0;
        return;
      case "stopped":
        return member.stopped.resolve();
      default:
        this.#host.message(number, message);
    }
  }

  #ended(member: Member, failure: Error | null): void {
    const { number, column } = member;
    if (!this.#members.delete(number)) return;
    member.stopped.resolve();
    member.started.reject(failure ?? new Error(`worker ${number} ended while it started`));
    if (!this.#stopping) {
      const successor = this.#replaces ? `; another one starts in ${RESTART_MS} ms` : "";
      serverLog.error(
        `worker ${number} has ended and its connections with it${successor}`,
        undefined,
        failure ?? undefined,
      );
      member.port.close();
      for (const other of this.workers) this.send(other, { kind: "gone", worker: number });
    }
    this.#host.ended(number, column);
    if (!this.#replaces) return;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.#replace(column);
    }, RESTART_MS);
    this.#restarts.add(timer);
  }

  async #replace(column: number): Promise<void> {
    if (!this.#replaces) return;
    const start = this.#host.startOf(column);
    const { number, started, thread } = this.#add(start);
    try {
      await started.promise;
      this.#host.replaced(number, start);
      serverLog.info(`worker ${number} has started`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      serverLog.error(`worker ${number} cannot start: ${reason}`);
      await thread.terminate();
    }
  }

  /** A worker that does not answer is ended, which `#ended` then sees. */
  #ping(): void {
    for (const member of this.#members.values()) {
      if (++member.silentPings > MAX_SILENT_PINGS) {
        serverLog.error(`worker ${member.number} has not answered for ${MAX_SILENT_PINGS} s`);
        void member.thread.terminate();
      } else {
        this.send(member.number, { kind: "ping" });
      }
    }
  }
}

function newThread(program: URL, data: WorkerStart, events: ThreadEvents): Thread {
  return new Thread(program, data, events);
}
