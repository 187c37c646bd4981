/**
 * The life of a started server: signals and the API have it reload, drain or stop.
 *
 *     running --SIGQUIT--> draining --the last client has gone--> stopping
 *     running --SIGTERM, SIGINT--------------------------------> stopping
 *     draining --any of the three------------------------------> stopping
 *     stopping --any of the three------------------------------> the process ends, with status 0
 *
 * @module
 */

import { STOP_LIMIT_MS } from "./limits.ts";
import { faults } from "../runtime/fault_guard.ts";
import process from "node:process";
import type { Coordinator } from "../workers/coordinator.ts";
import type { Loaded } from "../config/file/load.ts";
import type { DebuggerSignal } from "../runtime/debugger_signal.ts";
import { drain } from "./drain.ts";
import type { ReloadReport, ServerControl } from "../servers/http/api/control.ts";
import { serverLog } from "../log/log.ts";
import { closeLog, reopenLog } from "../log/sink.ts";
import { removePidFile } from "./pid_file.ts";
import { type ConfigSource, Reloader } from "./reload.ts";
import type { Server } from "./server.ts";
import type { ServiceManager } from "./service.ts";

const DEBUGGER_WARNING =
  "SIGUSR1 opens this runtime's debugger on 127.0.0.1:9229, without a password: " +
  "send SIGUSR2 to reopen the log. To switch it off, run the executable, or give Deno --allow-ffi";

/** What a reload is called before there has been one. */
const NO_RELOAD: ReloadReport = { rid: "", state: 0, err: 0, msg: "Success" };

/** Made before the server, which shows it to the API; `begin` gives it the server. */
export class Lifecycle implements ServerControl {
  readonly #source: ConfigSource;
  readonly #loaded: Loaded;
  #server: Server | Coordinator | null = null;
  #manager: ServiceManager | null = null;
  #reloader: Reloader | null = null;
  #hastens = false;
  /** SIGHUP came before the server had started. */
  #reloadWaits = false;
  /** Ends the wait for an orderly end. */
  readonly #hurry = Promise.withResolvers<void>();
  #state: "running" | "draining" | "stopping" = "running";

  /** `loaded`: what the server is started with, `source`: where it came from. */
  constructor(source: ConfigSource, loaded: Loaded) {
    this.#source = source;
    this.#loaded = loaded;
  }

  /**
   * Takes the signals that ask for work. To be called as soon as the log is open: whoever sees the log or
   * a port may send one, and without a handler it ends the process. `usr1`: what became of the runtime's SIGUSR1.
   */
  takeSignals(usr1: DebuggerSignal): void {
    onSignal("SIGHUP", () => this.reload());
    onSignal("SIGUSR2", () => reopenLog());
    // SRS's signal for it, unless the runtime has a debugger behind it.
    if (usr1 === "free") onSignal("SIGUSR1", () => reopenLog());
    if (usr1 === "taken") serverLog.warn(DEBUGGER_WARNING);
  }

  /**
   * The server has started: from now on it is reloaded, and signals end it in an orderly way. `manager`
   * is told when it begins to end.
   */
  begin(server: Server | Coordinator, manager: ServiceManager): void {
    this.#server = server;
    this.#manager = manager;
    this.#reloader = new Reloader(this.#source, this.#loaded, server);
    onSignal("SIGQUIT", () => this.#end("SIGQUIT", true));
    onSignal("SIGTERM", () => this.#end("SIGTERM", server.config.grace.onTerm));
    onSignal("SIGINT", () => this.#end("SIGINT", false));
    if (this.#reloadWaits) this.reload();
  }

  // ---- ServerControl

  get draining(): boolean {
    return this.#state !== "running";
  }

  get reloadReport(): ReloadReport {
    return this.#reloader?.report ?? NO_RELOAD;
  }

  reload(): void {
    if (this.draining) return serverLog.warn("reload: refused, the server is about to end");
    if (this.#reloader) this.#reloader.request();
    else this.#reloadWaits = true;
  }

  drain(tcUrl: string | null): void {
    if (this.#state === "running") void this.#drain(tcUrl, "POST /api/v1/drain");
  }

  // ---- inside

  /** A second signal: hook servers and clients are told no more. */
  #hasten(signal: string): void {
    if (this.#hastens) return;
    this.#hastens = true;
    serverLog.info(`${signal} again, the process ends at once`);
    this.#hurry.resolve();
  }

  /** `gently`: the first time, clients may stay. */
  #end(signal: string, gently: boolean): void {
    if (this.#state === "stopping") return this.#hasten(signal);
    if (gently && this.#state === "running") {
      void this.#drain(null, signal);
    } else {
      serverLog.info(`${signal}, user terminate program, fast quit`);
      void this.#stop();
    }
  }

  async #drain(tcUrl: string | null, cause: string): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#state = "draining";
    this.#manager?.draining();
    serverLog.info(`${cause}, user terminate program, graceful quit`);
    await drain(server, server.config.grace, tcUrl, () => this.#state === "stopping");
    if (this.#state === "draining") await this.#stop();
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#state = "stopping";
    this.#manager?.stopping();
    // Whatever hangs: the restart waits for this process to end.
    setTimeout(() => this.#exit(), STOP_LIMIT_MS);
    await Promise.race([this.#ended(server), this.#hurry.promise]);
    this.#removePidFile();
    serverLog.info("srs-edge terminated");
    await closeLog();
    process.exit(0);
  }

  async #ended(server: Server | Coordinator): Promise<void> {
    try {
      await server.stop();
    } catch (error) {
      serverLog.error("internal fault while the server stopped", undefined, error);
    }
  }

  /** Ends the process now, with nothing left behind. */
  #exit(): void {
    this.#removePidFile();
    process.exit(0);
  }

  #removePidFile(): void {
    const { pid } = this.#loaded.config;
    if (pid !== null) removePidFile(pid);
  }
}

/** A fault of a listener would end the delivery of signals on Deno. */
function onSignal(signal: NodeJS.Signals, work: () => void): void {
  process.on(signal, () => faults.run(signal, work));
}
