/**
 * A worker: the RTMP side of the server in a thread of its own (`workers N`). Started by `Supervisor`.
 * @module
 */

import type { Config } from "../config/types.ts";
import { faults } from "../runtime/fault_guard.ts";
import { forwardLog, serverLog } from "../log/log.ts";
import {
  isThread,
  type MessagePort,
  onParentMessage,
  onPortMessage,
  postToParent,
  threadData,
} from "../net/thread.ts";
import { Server } from "./server.ts";
import { EMPTY_REPORT, reportOf } from "../stats/merged_view.ts";
import type { Report } from "../stats/view.ts";
import type { LogLine, ToCoordinator, ToPeer, ToWorker, WorkerStart } from "../workers/messages.ts";
import { SharedAdmission } from "../workers/shared_admission.ts";
import { limitOutgoing } from "../net/outgoing.ts";
import { StreamLink } from "../workers/stream_link.ts";

/** A message of the coordinator; the port is there with `peer`. */
type Delivery = ToWorker & { readonly port?: MessagePort };

function tell(message: ToCoordinator): void {
  postToParent(message);
}

/** Collects the lines of one turn of the event loop. */
class LineForwarder {
  #lines: LogLine[] = [];

  add(line: string, level: LogLine["level"]): void {
    if (this.#lines.push({ line, level }) === 1) queueMicrotask(() => this.flush());
  }

  flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length > 0) tell({ kind: "log", lines });
  }
}

/** One worker. */
class WorkerProgram {
  readonly #start: WorkerStart;
  readonly #peers = new Map<number, MessagePort>();
  readonly #link: StreamLink;
  readonly #limits: SharedAdmission;
  readonly #lines = new LineForwarder();
  #server: Server | null = null;

  constructor(start: WorkerStart) {
    this.#start = start;
    const { config, admission, columns, column } = start;
    this.#limits = new SharedAdmission(config, admission, columns, column);
    this.#link = new StreamLink({
      coordinator: tell,
      peer: (worker, message) => this.#peers.get(worker)?.postMessage(message),
    });
  }

  async run(): Promise<void> {
    const { config, identity, outgoing } = this.#start;
    const limits = this.#limits;
    faults.watchProcess();
    limitOutgoing(outgoing);
    forwardLog(config.log, (line, level) => this.#lines.add(line, level));
    onParentMessage((message) => this.#receive(message as Delivery));
    try {
      this.#server = await Server.start(config, null, {
        link: this.#link,
        identity,
        listens: true,
        admission: {
          // Workers have no other clock in common.
          admit: (address) => limits.admit(address, Date.now()),
          leave: (address) => limits.leave(address),
          configure: (next) => limits.configure(next),
        },
        listen: config.listen,
      });
      tell({ kind: "started", addresses: this.#server.rtmpAddresses });
    } catch (error) {
      tell({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
    }
  }

  #receive(message: Delivery): void {
    switch (message.kind) {
      case "peer":
        return this.#meet(message.worker, message.port);
      case "gone":
        this.#peers.get(message.worker)?.close();
        this.#peers.delete(message.worker);
        return this.#link.fromCoordinator(message);
      case "report":
        return tell({ kind: "report", id: message.id, report: this.#report() });
      case "kick": {
        const known = this.#server?.view.kick(message.client) === true;
        return tell({ kind: "kicked", id: message.id, known });
      }
      case "ping":
        return tell({ kind: "pong" });
      case "reload":
        return void this.#reload(message.id, message.config);
      case "drain":
        return this.#server?.drain(message.reconnectTo);
      case "stop":
        return void this.#stop();
      default:
        this.#link.fromCoordinator(message);
    }
  }

  #meet(worker: number, port: MessagePort | undefined): void {
    if (!port) return;
    this.#peers.set(worker, port);
    onPortMessage(port, (message) => {
      // What a worker said before it ended may come after its end.
      if (this.#peers.get(worker) === port) this.#link.fromPeer(worker, message as ToPeer);
    });
  }

  #report(): Report {
    return this.#server ? reportOf(this.#server.view) : EMPTY_REPORT;
  }

  async #reload(id: number, config: Config): Promise<void> {
    try {
      await this.#server?.reload(config);
      forwardLog(config.log, (line, level) => this.#lines.add(line, level));
      tell({ kind: "reloaded", id, reason: null });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      tell({ kind: "reloaded", id, reason });
    }
  }

  async #stop(): Promise<void> {
    await this.#server?.stop();
    tell({ kind: "stopped" });
  }
}

/** What the coordinator sends is what `WorkerStart` says: both are of one build. */
if (isThread()) {
  await new WorkerProgram(threadData() as WorkerStart).run();
} else {
  serverLog.error("this module is started by the server itself, with `workers N;`");
}
